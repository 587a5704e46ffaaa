"""The indexes of a node in a test: built by a thread, for a process takes long to start."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from quoth_cluster.clock import Clock
from quoth_cluster.machine import Machine
from quoth_node.indexing.indexer import Indexer, open_indexer
from quoth_node.querying.live import LiveIndexes
from tests.unit.http.plain_log import PlainLog
from tests.unit.indexing.thread import IndexerThread


@asynccontextmanager
async def building(
    folder: Path, machine: Machine, log: PlainLog, clock: Clock
) -> AsyncIterator[LiveIndexes]:
    """The indexes of a node, and the thread that builds them."""
    path = folder / "indexes"

    async def start() -> IndexerThread:
        return IndexerThread(path, machine, clock)

    indexer = Indexer(path, machine, clock, start)
    live = LiveIndexes(log, machine, indexer, clock)
    async with open_indexer(indexer):
        yield live
