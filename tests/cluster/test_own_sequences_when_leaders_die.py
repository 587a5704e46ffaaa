"""Numbers taken through our client have no gap and no duplicate when the leader is killed.

Who is told that the fate of a save is unknown goes on with another invoice, as a program would that
cannot find out: the number of the first is held by a document, or nobody has taken it.
"""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from quoth import AsyncDocumentStore, FateUnknown, NotSent
from quoth_node.testing.checkers.uniqueness import Taken, given_backwards, given_twice
from scripts.local_cluster import LocalCluster, quoth

DATABASE = "load"
PATIENCE_SECONDS = 60.0
MORE = 40  # numbers told before and after the kill, of all callers together


@dataclass
class Invoice:
    number: int
    Id: str | None = None


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    """Three nodes; one that dies is started again."""
    with LocalCluster(tmp_path / "cluster", options=("--restart",)) as running:
        requests.put(
            f"{running.urls[0]}/admin/databases",
            params={"name": DATABASE},
            json={"DatabaseName": DATABASE},
            timeout=PATIENCE_SECONDS,
        ).raise_for_status()
        yield running


@dataclass
class Callers:
    """Tasks of one store; each takes one number after the other into an invoice of its name."""

    store: AsyncDocumentStore
    taken: list[Taken] = field(default_factory=list)
    unknown: int = 0
    is_over: bool = False
    is_told: asyncio.Event = field(default_factory=asyncio.Event)

    async def call(self) -> None:
        while not self.is_over:
            asked_at = time.monotonic()
            async with self.store.open_session() as session:
                invoice = Invoice(session.advanced.sequences.next_value("i"))
                await session.store(invoice, f"i/{invoice.number}")
                try:
                    await session.save_changes()
                except NotSent:
                    continue  # certainly not done: the same again
                except FateUnknown:
                    self.unknown += 1
                else:
                    self.taken.append(Taken(invoice.number, asked_at, time.monotonic()))
                    self.is_told.set()

    async def wait_for_more(self) -> None:
        """Return when the callers together were told more numbers."""
        enough = len(self.taken) + MORE
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.taken) < enough:
                self.is_told.clear()
                await self.is_told.wait()


def kill_the_leader(cluster: LocalCluster) -> str:
    """Its tag; returns when there is another leader."""
    leader, term = cluster.leader(), cluster.term()
    cluster.kill(leader)
    cluster.leader(after_term=term)
    return leader


@pytest.mark.parametrize("count", [1, 64])
async def test_numbers_are_without_a_gap_when_the_leader_dies(
    cluster: LocalCluster, count: int
) -> None:
    async with AsyncDocumentStore(cluster.urls, DATABASE) as store:
        callers = Callers(store)
        running = [asyncio.create_task(callers.call()) for _ in range(count)]
        await callers.wait_for_more()
        killed = await asyncio.to_thread(kill_the_leader, cluster)
        await callers.wait_for_more()
        await asyncio.to_thread(cluster.wait_until_ready, killed)
        await callers.wait_for_more()
        callers.is_over = True
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*running)
        last = await store.sequences.get_last_value("i")

    assert last is not None
    told = {each.number for each in callers.taken}
    assert given_twice(callers.taken) == [] and given_backwards(callers.taken) == []
    assert told <= set(range(1, last + 1)) and last - len(told) <= callers.unknown
    command = ("sequence", "verify", "i", "--database", DATABASE)

    url = cluster.urls[0]
    proven = await asyncio.to_thread(
        subprocess.run, quoth(*command, "--url", url), capture_output=True, text=True, check=False
    )
    assert proven.returncode == 0, proven.stdout[-2_000:] + proven.stderr
    assert [line.split("\t")[:3] for line in proven.stdout.splitlines()] == [
        [str(number), "document", f"i/{number}"] for number in range(1, last + 1)
    ]
