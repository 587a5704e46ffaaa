"""The indexes of a node in a test: built by a thread, for a process takes long to start."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from socket import SHUT_RDWR, socketpair
from threading import Thread

from quoth_cluster.clock import Clock
from quoth_cluster.machine import Database, Machine
from quoth_cluster.store.environment import Closed, ReadTxn
from quoth_node.indexing.child import Serving
from quoth_node.indexing.indexer import Indexer, open_indexer
from quoth_node.indexing.messages import Source
from quoth_node.indexing.work import Readable
from quoth_node.querying.live import LiveIndexes
from tests.unit.http.plain_log import PlainLog


class Borrowed:
    """A database that the test's machine has open: one process cannot open it twice."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> AbstractContextManager[ReadTxn]:
        return self._database.read()

    def close(self) -> None:
        """It is not ours."""


class IndexerThread:
    """Fulfils `Worker`."""

    def __init__(self, folder: Path, machine: Machine, clock: Clock) -> None:
        self.end, self._theirs = socketpair()
        self._machine = machine
        serving = Serving(self._theirs, folder, clock, open_source=self._open)
        self._thread = Thread(target=self._run, args=(serving,), name="indexer")
        self._thread.start()

    async def ended(self) -> None:
        await asyncio.to_thread(self._thread.join)

    async def kill(self) -> None:
        self._theirs.shutdown(SHUT_RDWR)
        await self.ended()

    def _run(self, serving: Serving) -> None:
        with self._theirs:
            serving.run()

    def _open(self, source: Source) -> Readable:
        for database in self._machine.open_databases():
            if database.record.folder == source.folder:
                return Borrowed(database)
        raise Closed(f"{source.path} is gone")


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
