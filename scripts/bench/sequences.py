"""Gapless numbers from one hot sequence: `python -m scripts.bench sequences`.

Each caller takes a number and writes the document that has it, in one transaction; or ten of each.
Ours goes over HTTP through the asynchronous client, to clusters of one node and of three, on
loopback, journals on disk. django-sequences does the same on PostgreSQL with fsync, through a local
socket, where that is installed. All of it shares the processors of one machine, and takes turns.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import requests
from rich.console import Console
from rich.table import Table

from quoth import AsyncDocumentStore
from scripts.bench import django_on_postgresql as django
from scripts.local_cluster import LocalCluster

DATABASE = "bench"
CALLERS = (1, 32, 256)
SIZES = (1, 10)
THEIRS = {1: django.one_by_one, 10: django.by_tens}


@dataclass
class Invoice:
    number: int
    customer: str = "Quoth & Sons"
    total: int = 100


@dataclass
class Found:
    """Numbers a second: of each system, with so many callers, so many numbers at a time."""

    rates: dict[tuple[str, int, int], list[float]] = field(default_factory=dict)

    def add(self, system: str, callers: int, size: int, rate: float) -> None:
        self.rates.setdefault((system, callers, size), []).append(rate)

    def median(self, system: str, callers: int, size: int) -> float | None:
        every = self.rates.get((system, callers, size))
        return statistics.median(every) if every else None


async def measure(store: AsyncDocumentStore, callers: int, size: int, seconds: float) -> float:
    """Numbers a second."""
    done = 0
    begun = time.perf_counter()
    end = begun + seconds

    async def call() -> None:
        nonlocal done
        while time.perf_counter() < end:
            async with store.open_session() as session:
                for number in session.advanced.sequences.next_values(size, "invoices"):
                    await session.store(Invoice(number), f"invoices/{number:08}")
                await session.save_changes()
            done += size

    await asyncio.gather(*(call() for _ in range(callers)))
    return done / (time.perf_counter() - begun)


async def measure_ours(urls: list[str], callers: int, size: int, seconds: float) -> float:
    async with AsyncDocumentStore(urls, DATABASE) as store:
        await measure(store, callers, size, seconds / 4)  # connections, and what is known of nodes
        return await measure(store, callers, size, seconds)


def ours(urls: list[str], callers: int, size: int, seconds: float) -> float:
    return asyncio.run(measure_ours(urls, callers, size, seconds))


def theirs(callers: int, size: int, seconds: float) -> float:
    return django.measure(THEIRS[size], callers, seconds)


def check(urls: list[str]) -> None:
    """As many documents as numbers: nothing was lost, nothing given twice."""
    base = f"{urls[0]}/databases/{DATABASE}"
    told = requests.get(f"{base}/quoth/sequences?name=invoices", timeout=30).json()
    count = requests.get(f"{base}/collections/stats", timeout=30).json()["Collections"]["Invoices"]
    assert told["Taken"] == told["LastValue"] == count, (told, count)


def table_of(found: Found, systems: list[str]) -> Table:
    table = Table("callers", "at a time", *(f"{each}, numbers/s" for each in systems))
    base = systems[-1]
    for size in SIZES:
        for callers in CALLERS:
            # What there was before: one number in one transaction, by as many callers.
            before = found.median(base, callers, 1)
            cells = []
            for system in systems:
                rate = found.median(system, callers, size)
                ratio = f" ({rate / before:.1f})" if rate and before and base == "django" else ""
                cells.append("-" if rate is None else f"{rate:,.0f}{ratio}")
            table.add_row(str(callers), str(size), *cells)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    arguments = parser.parse_args()
    found = Found()
    running: dict[str, Callable[[int, int, float], float]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls = {}
        for nodes in (1, 3):
            cluster = stack.enter_context(LocalCluster(folder / f"cluster{nodes}", nodes=nodes))
            url = f"{cluster.urls[0]}/admin/databases?name={DATABASE}"
            requests.put(url, json={"DatabaseName": DATABASE}, timeout=30).raise_for_status()
            name = "1 node" if nodes == 1 else f"{nodes} nodes"
            urls[name] = cluster.urls
            running[name] = partial(ours, cluster.urls)
        missing = django.what_is_missing()
        if missing is None:
            django.prepare(stack.enter_context(django.server()))
            running["django"] = theirs
        else:
            print(f"django-sequences is left out: {missing}", file=sys.stderr)
        run(running, found, arguments.rounds, arguments.seconds)
        for each in urls.values():
            check(each)
        if missing is None:
            django.check()
    Console(width=110).print(table_of(found, list(running)))
    if missing is None:
        print("In brackets: times django-sequences with one number at a time and as many callers.")


def run(
    running: dict[str, Callable[[int, int, float], float]],
    found: Found,
    rounds: int,
    seconds: float,
) -> None:
    for _ in range(rounds):
        for size in SIZES:
            for callers in CALLERS:
                for name, rate_of in running.items():
                    found.add(name, callers, size, rate_of(callers, size, seconds))


if __name__ == "__main__":
    main()
