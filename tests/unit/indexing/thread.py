"""An indexer in a thread: it is the real one, and there at once, which a process is not."""

import asyncio
from contextlib import AbstractContextManager
from pathlib import Path
from socket import SHUT_RDWR, socketpair
from threading import Thread

from quoth_cluster.clock import Clock, SystemClock
from quoth_cluster.machine import Database, Machine
from quoth_cluster.store.environment import Closed, ReadTxn
from quoth_node.indexing.child import Serving
from quoth_node.indexing.messages import Source
from quoth_node.indexing.work import Readable


class Borrowed:
    """A database that the machine has open: one process cannot open it twice."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> AbstractContextManager[ReadTxn]:
        return self._database.read()

    def close(self) -> None:
        """It is not ours."""


class PassingClock(SystemClock):
    """The stamps of a clock that may stand, and time that passes."""

    def __init__(self, stamps: Clock) -> None:
        self._stamps = stamps

    def now_micros(self) -> int:
        return self._stamps.now_micros()


class IndexerThread:
    """Fulfils `Worker`."""

    def __init__(self, folder: Path, machine: Machine, clock: Clock) -> None:
        self.end, self._theirs = socketpair()
        self._machine = machine
        serving = Serving(self._theirs, folder, PassingClock(clock), open_source=self._open)
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
        return borrowed(self._machine, source)


def borrowed(machine: Machine, source: Source) -> Borrowed:
    """The database of a source. Raises Closed if it is not there."""
    for database in machine.open_databases():
        if database.record.folder == source.folder:
            return Borrowed(database)
    raise Closed(f"{source.folder} is gone")
