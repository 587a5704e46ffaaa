"""What a node knows of its indexes, and the indexer that builds them, which it keeps alive.

The indexer is another process (`worker.py`, `child.py`), so maps and reduces never hold up who asks
the node for something. It is started when a database has the first index. When it dies it is
started again, later each time; a definition whose work was its end `DEATHS_MAX` times in a row is
left alone from then on. Queries go on meanwhile: they read the files themselves.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from quoth_cluster import indexes
from quoth_cluster.clock import Clock
from quoth_cluster.databases import DatabaseRecord
from quoth_cluster.errors import Busy, MalformedValue, NewerFormat
from quoth_cluster.machine import Database, Machine
from quoth_cluster.store.environment import Environment
from quoth_cluster.store.keys import fold_text
from quoth_node.indexing.built import BuiltIndex
from quoth_node.indexing.looks import Looks
from quoth_node.indexing.messages import (
    Advanced,
    Check,
    Checked,
    ClearErrors,
    Command,
    Condemn,
    Defined,
    Done,
    Frames,
    Looked,
    Pause,
    Replace,
    Report,
    Reset,
    Serves,
    Source,
    Sources,
    Stop,
    TicketCommand,
    Works,
    framed,
    report_in,
)
from quoth_node.indexing.pauses import Pauses
from quoth_node.indexing.refusal import DefinitionRefused
from quoth_node.indexing.shape import Shape
from quoth_node.indexing.store import Progress
from quoth_node.indexing.worker import StartWorker, Worker

DEATHS_MAX = 5  # a system without memory also kills who has done nothing
BACKOFF_SECONDS_MIN, BACKOFF_SECONDS_MAX = 0.1, 10.0
STOP_SECONDS_MAX = 4.0
COMMAND_SECONDS_MAX = 15.0
WORK_SECONDS_MAX = 120.0  # of one batch; definitions have limits far below
RECEIVED_BYTES = 65_536

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """The environment a database had when it was last looked at."""

    environment: Environment
    generation: int
    map_bytes: int


class Indexer:
    """Used on the event loop, but for `index` and `every`. Use `open_indexer`."""

    def __init__(
        self,
        folder: Path,
        machine: Machine,
        clock: Clock,
        start_worker: StartWorker,
    ) -> None:
        self._folder = folder
        self._machine = machine
        self._clock = clock
        self._start_worker = start_worker
        self.on_news: Callable[[], None] = lambda: None  # somebody may have waited for it
        self._loop = asyncio.get_running_loop()
        self._wanted = asyncio.Event()  # some database has indexes
        self._stopping = asyncio.Event()
        self._is_noted = False  # that something was applied; the loop will look at it
        self._writer: asyncio.StreamWriter | None = None
        self._seen: dict[str, Seen] = {}
        self._told: tuple[Source, ...] | None = None
        self._listed: list[tuple[Environment, DatabaseRecord]] = []  # of which that was made
        self._looks = Looks()
        self._databases: dict[str, dict[str, BuiltIndex]] = {}  # by folder, by folded name
        self._changed_at: dict[str, int] = {}  # of the definitions that are taken, by folder
        self._pauses = Pauses()
        self._tickets = count(1)
        self._pending: dict[int, tuple[TicketCommand, asyncio.Future[Done | Checked]]] = {}
        self._working = Works()
        self._deaths: dict[str, int] = {}  # in a row, by digest of the definition worked on
        self._condemned: dict[str, str] = {}

    # -- what is known

    def index(self, database: Database, name: str) -> BuiltIndex | None:
        """The index of that name, as queries see it."""
        return self._databases.get(database.record.folder, {}).get(fold_text(name))

    def every(self, database: Database) -> list[BuiltIndex]:
        """All indexes of a database, by name."""
        known = self._databases.get(database.record.folder, {})
        return [known[name] for name in sorted(known)]

    def is_current(self, database: Database) -> bool:
        """Whether all indexes that are defined by now are among those of `every`."""
        with database.read() as txn:
            changed_at = indexes.changed_at(txn)
        return changed_at == self._changed_at.get(database.record.folder, 0)

    def is_resting(self, database: Database) -> bool:
        """Whether all indexes of the database were told to rest on this node."""
        return self._pauses.is_paused(database.record.folder, None)

    # -- what is wanted

    def hurry(self) -> None:
        """Somebody waits."""
        self._look(hurries=True)

    async def pause(self, database: Database, name: str | None, *, is_paused: bool) -> None:
        """Let all indexes of a database rest on this node, or one, or go on; until it stops."""
        folder = database.record.folder
        self._pauses.set(folder, name, is_paused=is_paused)
        if self._writer is not None:  # else it is told when it starts
            await self._carried_out(Pause(next(self._tickets), folder, name, is_paused))

    async def reset(self, database: Database, name: str) -> None:
        """Build an index anew on this node, from the beginning."""
        self._condemned.clear()
        await self._carried_out(Reset(next(self._tickets), database.record.folder, name))

    async def replace(self, database: Database, name: str) -> None:
        """Let a changed definition take its place now, however far it has come."""
        await self._carried_out(Replace(next(self._tickets), database.record.folder, name))

    async def clear_errors(self, database: Database, names: tuple[str, ...]) -> None:
        """Forget the failures of indexes."""
        await self._carried_out(ClearErrors(next(self._tickets), database.record.folder, names))

    async def check(self, definition: bytes) -> None:
        """Compile a definition as `Definition.to_json` gives it. Raises DefinitionRefused, Busy.

        Not in this process: what ends the engine that scripts run in ends the indexer.
        """
        told = await self._carried_out(Check(next(self._tickets), definition))
        assert isinstance(told, Checked), "what a check is answered by"
        if told.message is not None:
            refused = DefinitionRefused(told.message, told.line, told.column)
            raise refused.about(told.part, told.text)

    async def _carried_out(self, command: TicketCommand) -> Done | Checked:
        """What is said of a command once it holds; the indexer may have to start for it.

        Raises Busy.
        """
        future: asyncio.Future[Done | Checked] = self._loop.create_future()
        self._pending[command.ticket] = command, future
        try:
            self._wanted.set()
            self._send(command)
            async with asyncio.timeout(COMMAND_SECONDS_MAX):
                return await future
        except TimeoutError as error:
            raise Busy("the indexer of this node does not answer") from error
        finally:
            del self._pending[command.ticket]

    # -- the life of the indexer

    async def run(self) -> None:
        """Keep the indexer alive until `stop`."""
        self._machine.on_applied = self._note_applied
        if self._has_indexes():
            self._wanted.set()
        await self._wanted.wait()
        backoff = BACKOFF_SECONDS_MIN
        while not self._stopping.is_set():
            began = self._clock.monotonic()
            try:
                worker = await self._start_worker()
            except OSError as error:
                log.warning("the indexer cannot be started: %s", error)
            else:
                await self._live_with(worker)
            if self._clock.monotonic() - began > BACKOFF_SECONDS_MAX:
                backoff = BACKOFF_SECONDS_MIN
            with suppress(TimeoutError):
                async with asyncio.timeout(backoff):
                    await self._stopping.wait()
            backoff = min(2 * backoff, BACKOFF_SECONDS_MAX)

    def stop(self) -> None:
        """Let `run` return after the batch at hand."""
        self._machine.on_applied = lambda: None
        self._stopping.set()
        self._wanted.set()
        self._send(Stop())

    async def _live_with(self, worker: Worker) -> None:
        """One life of the indexer, to its end."""
        reader, writer = await asyncio.open_unix_connection(sock=worker.end)
        self._begin(writer)
        try:
            with suppress(ConnectionError):  # how it shows when it dies with something to read
                await self._listen(reader)
        except (TimeoutError, MalformedValue, NewerFormat) as error:
            log.warning("the indexer is ended: %s", error or "one batch takes too long")
            await worker.kill()
        except BaseException:
            await worker.kill()
            raise
        finally:
            self._writer = None
            writer.close()
        await worker.ended()
        for database in self._machine.open_databases():
            database.environment.forget_dead_readers()
        if not self._stopping.is_set():
            self._note_death()

    def _begin(self, writer: asyncio.StreamWriter) -> None:
        """Tell a new one all that the one before it knew."""
        self._writer, self._told, self._working = writer, None, Works()
        self._looks = Looks()
        for digest, reason in self._condemned.items():
            self._send(Condemn(digest, reason))
        self._send_sources()
        for folder, name, is_paused in self._pauses.every():
            self._send(Pause(0, folder, name, is_paused))
        self._look(hurries=True)
        for command, _ in self._pending.values():
            self._send(command)
        if self._stopping.is_set():
            self._send(Stop())

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        frames = Frames()
        while True:
            async with asyncio.timeout(WORK_SECONDS_MAX if self._working.digest else None):
                data = await reader.read(RECEIVED_BYTES)
            if not data:
                return
            is_news = False
            for body in frames.feed(data):
                is_news |= self._hear(report_in(body))
            if is_news:
                self.on_news()

    def _note_death(self) -> None:
        digest = self._working.digest
        log.warning("the indexer ended%s", f" at work on {digest}" if digest else "")
        if not digest:
            return
        for command, future in self._pending.values():
            if isinstance(command, Check) and command.digest == digest and not future.done():
                future.set_exception(DefinitionRefused("it ends the engine that compiles it"))
                return
        deaths = self._deaths[digest] = self._deaths.get(digest, 0) + 1
        if deaths >= DEATHS_MAX:
            self._condemned[digest] = f"its work ended the indexer {deaths} times"
            del self._deaths[digest]

    # -- what it says

    def _hear(self, report: Report) -> bool:
        """Note a report; whether somebody may have waited for it."""
        match report:
            case Works():
                if self._working.maps:  # and it did not die of it
                    self._deaths.pop(self._working.digest, None)
                self._working = report
                return False
            case Looked(looks):
                self._send(self._looks.answered(looks))
                return False
            case Serves():
                self._take(report)
            case Advanced(folder, name, document_etag, tombstone_etag, at_micros):
                index = self._databases.get(folder, {}).get(fold_text(name))
                if index is not None:
                    index.progress = Progress(document_etag, tombstone_etag)
                    index.indexed_micros = at_micros
            case Defined(folder, changed_at, names):
                known = self._databases.get(folder, {})
                for name in known.keys() - set(names):
                    known.pop(name).close()
                self._changed_at[folder] = changed_at
            case Done() | Checked():
                _, future = self._pending.get(report.ticket, (None, None))
                if future is not None and not future.done():
                    future.set_result(report)
        return True

    def _take(self, told: Serves) -> None:
        known = self._databases.setdefault(told.folder, {})
        name = fold_text(told.record.name)
        path = self._folder / told.folder / told.build
        shape = None if told.shape is None else Shape.of(told.shape)
        index = known.get(name)
        if index is None or index.folder != path:
            former, index = index, BuiltIndex(told.record, path, shape)
            if former is not None:
                index.queried_micros = former.queried_micros
                former.close()
            known[name] = index
        index.record, index.shape = told.record, shape
        index.progress = Progress(told.document_etag, told.tombstone_etag)
        index.error, index.is_paused = told.error, told.is_paused
        index.indexed_micros = told.indexed_micros or index.indexed_micros

    # -- what it is told

    def _note_applied(self) -> None:
        """Something was applied; in the thread that applies."""
        if self._is_noted or not (self._wanted.is_set() or self._has_indexes()):
            return
        self._is_noted = True
        with suppress(RuntimeError):  # the loop may end first, when the node stops
            self._loop.call_soon_threadsafe(self._see_applied)

    def _see_applied(self) -> None:
        self._is_noted = False
        self._wanted.set()
        self._send_sources()
        self._look(hurries=False)

    def _has_indexes(self) -> bool:
        return any(database.has_indexes for database in self._machine.open_databases())

    def _look(self, *, hurries: bool) -> None:
        if self._writer is not None:
            self._send(self._looks.wanted(hurries=hurries))

    def _send_sources(self) -> None:
        databases = [one for one in self._machine.open_databases() if one.has_indexes]
        environments = [(database.environment, database.record) for database in databases]
        if self._writer is None or (self._told is not None and environments == self._listed):
            return
        self._listed = environments
        sources = tuple(map(self._source, databases))
        if sources == self._told:
            return
        folders = {source.folder for source in sources}
        for table in (self._seen, self._changed_at):
            for folder in table.keys() - folders:
                del table[folder]
        for folder in self._databases.keys() - folders:
            self._pauses.forget(folder)
            for index in self._databases.pop(folder).values():
                index.close()
        self._told = sources
        self._send(Sources(sources))

    def _source(self, database: Database) -> Source:
        record, environment = database.record, database.environment
        seen = self._seen.get(record.folder)
        if seen is None or seen.environment is not environment:
            generation = 1 if seen is None else seen.generation + 1
            seen = Seen(environment, generation, environment.map_bytes)
            self._seen[record.folder] = seen
        return Source(
            record.folder,
            record.name,
            str(environment.path),
            seen.map_bytes,
            seen.generation,
            record.disabled,
        )

    def _send(self, command: Command | None) -> None:
        if self._writer is not None and command is not None:
            self._writer.write(framed(command))


@asynccontextmanager
async def open_indexer(indexer: Indexer) -> AsyncIterator[Indexer]:
    """Run it for the block; what it does not end in time is killed."""
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(indexer.run(), name="indexer")
        try:
            yield indexer
        finally:
            indexer.stop()
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS_MAX):
                    await running
