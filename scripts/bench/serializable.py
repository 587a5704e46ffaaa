"""Serializable sessions beside cluster-wide ones: `python -m scripts.bench.serializable`.

Clusters of one node and of three, in processes of their own, on loopback, journals on disk; the
client takes its part of the same processors. Each session loads two documents, changes both and
saves. Apart, each worker has documents of its own; at one pair all meet, and run again.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import requests
from rich.console import Console
from rich.table import Table

from quoth import (
    AsyncDocumentStore,
    AsyncSession,
    ClusterTransactionConflict,
    SessionOptions,
    TransactionMode,
)
from scripts.local_cluster import LocalCluster

DATABASE = "bench"
CLUSTER_WIDE = SessionOptions(transaction_mode=TransactionMode.CLUSTER_WIDE)
ATTEMPTS = 1_000
Session = Callable[[AsyncDocumentStore, list[str]], Awaitable[int]]  # how often it was run


@dataclass
class Account:
    balance: int


async def change(session: AsyncSession, names: list[str]) -> None:
    """Move one from the first to the second, each loaded by itself."""
    giver, taker = [await session.load(name, Account) for name in names]
    assert giver is not None and taker is not None
    giver.balance -= 1
    taker.balance += 1


async def cluster_wide(store: AsyncDocumentStore, names: list[str]) -> int:
    for attempt in range(1, ATTEMPTS):
        async with store.open_session(CLUSTER_WIDE) as session:
            await change(session, names)
            try:
                await session.save_changes()
            except ClusterTransactionConflict:
                await asyncio.sleep(random.uniform(0.005, 0.01) * min(2**attempt, 100))
            else:
                return attempt
    raise AssertionError("never saved")


async def serializable(store: AsyncDocumentStore, names: list[str]) -> int:
    attempts = 0

    async def count(session: AsyncSession) -> None:
        nonlocal attempts
        attempts += 1
        await change(session, names)

    await store.retry(count, attempts=ATTEMPTS)
    return attempts


KINDS: dict[str, Session] = {"cluster-wide": cluster_wide, "serializable": serializable}


async def measure(
    store: AsyncDocumentStore, kind: Session, workers: int, *, together: bool, seconds: float
) -> tuple[float, float, float]:
    """Sessions a second, median milliseconds of one, and runs for each that was saved."""
    took: list[float] = []
    runs = 0
    end = time.perf_counter() + seconds

    async def work(number: int) -> None:
        nonlocal runs
        pair = 0 if together else number
        names = [f"accounts/{pair}-{side}" for side in "ab"]
        while (begun := time.perf_counter()) < end:
            ran = await kind(store, names)
            runs += ran
            took.append(time.perf_counter() - begun)

    await asyncio.gather(*map(work, range(workers)))
    return len(took) / seconds, statistics.median(took) * 1_000, runs / len(took)


async def measure_all(urls: list[str], rounds: int, seconds: float, table: Table) -> None:
    async with AsyncDocumentStore(urls, DATABASE) as store:
        async with store.open_session() as session:
            for number in range(16):
                for side in "ab":
                    await session.store(Account(0), f"accounts/{number}-{side}")
            await session.save_changes()
        for workers, together in ((1, False), (16, False), (16, True)):
            found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in KINDS}
            for _ in range(rounds):  # in turns: what else the machine does meets both
                for name, kind in KINDS.items():
                    one = await measure(store, kind, workers, together=together, seconds=seconds)
                    found[name].append(one)
            for name, measured in found.items():
                rate, median, runs = map(statistics.median, zip(*measured, strict=True))
                where = "at one pair" if together else "apart"
                row = (str(len(urls)), f"{workers} {where}", name)
                table.add_row(*row, f"{rate:,.0f}", f"{median:.1f}", f"{runs:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    arguments = parser.parse_args()
    table = Table("nodes", "at once", "session", "sessions/s", "p50 ms", "runs each")
    for nodes in (1, 3):
        with (
            tempfile.TemporaryDirectory() as folder,
            LocalCluster(Path(folder) / "cluster", nodes=nodes) as cluster,
        ):
            url = f"{cluster.urls[0]}/admin/databases?name={DATABASE}"
            requests.put(url, json={"DatabaseName": DATABASE}, timeout=30).raise_for_status()
            running = measure_all(cluster.urls, arguments.rounds, arguments.seconds, table)
            asyncio.run(running)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
