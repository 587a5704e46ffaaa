"""The thread that builds all indexes of a node: woken by changes, a batch of one index at a time.

It alone opens, writes and removes index files. What it finds of a database - its environment, the
definitions - it reads anew each round, so a state that was replaced, a database that was deleted
and a definition that changed are simply what the next round finds.

A changed definition is built in a folder of its own; until that has caught up, queries are answered
from the one before.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from threading import Event, Lock, Thread

from quoth_cluster import indexes
from quoth_cluster.clock import Clock
from quoth_cluster.documents import last_etag
from quoth_cluster.errors import NewerFormat
from quoth_cluster.indexes import IndexRecord
from quoth_cluster.machine import Database, Machine
from quoth_cluster.store.environment import Closed
from quoth_node.indexing.built import Activity, BuiltIndex
from quoth_node.indexing.definition import BadDefinition, digest_of, mapper_of
from quoth_node.indexing.mapping import Mapper
from quoth_node.indexing.refusal import DefinitionRefused
from quoth_node.indexing.sqlite import IndexFileError
from quoth_node.indexing.stepping import is_failing, step
from quoth_node.indexing.store import IndexStore

ROUND_SECONDS = 0.01  # between two rounds, unless somebody waits: many small changes in one batch
ERROR_SECONDS = 1.0
PRIORITY_ORDER = {"High": 0, "Normal": 1, "Low": 2}

log = logging.getLogger(__name__)


@dataclass(slots=True)
class DatabaseIndexes:
    """The indexes of one database on this node."""

    folder: Path
    changed_at: int = -1  # of the definitions, when they were read last
    seen: object = None  # the environment they were read from
    by_name: dict[str, BuiltIndex] = field(default_factory=dict)  # by folded name; for queries
    coming: dict[str, BuiltIndex] = field(default_factory=dict)  # that will take a place

    def building(self) -> list[BuiltIndex]:
        """What is to be brought forward, the more urgent first."""
        found = [*self.coming.values()]
        found += [one for name, one in self.by_name.items() if name not in self.coming]
        return sorted(found, key=lambda one: PRIORITY_ORDER.get(one.record.priority, 1))


class Builder:
    """Builds indexes until it is stopped."""

    def __init__(
        self, folder: Path, machine: Machine, clock: Clock, *, on_progress: Callable[[], None]
    ) -> None:
        self._folder = folder
        self._machine = machine
        self._clock = clock
        self._on_progress = on_progress  # in the builder's thread
        self._wake = Event()
        self._hurry = Event()
        self._stops = False
        self._lock = Lock()  # of the tables below, which others read
        self._databases: dict[str, DatabaseIndexes] = {}  # by folder of the database
        self._paused: set[str] = set()  # folders of databases in which nothing is indexed
        self._resets: set[tuple[str, str]] = set()
        self._clears: set[tuple[str, str]] = set()
        self._thread = Thread(target=self._run, name="indexes", daemon=True)

    # -- for others

    def start(self) -> None:
        self._machine.on_applied = self._wake.set
        self._wake.set()
        self._thread.start()

    def stop(self) -> None:
        """End after the batch at hand, and close all files."""
        self._stops = True
        self._wake.set()
        self._hurry.set()
        self._thread.join()

    def hurry(self) -> None:
        """Somebody waits."""
        self._hurry.set()
        self._wake.set()

    def index(self, database: Database, name: str) -> BuiltIndex | None:
        """The index of that name, as queries see it."""
        with self._lock:
            known = self._databases.get(database.record.folder)
            return None if known is None else known.by_name.get(name.lower())

    def every(self, database: Database) -> list[BuiltIndex]:
        """All indexes of a database, by name."""
        with self._lock:
            known = self._databases.get(database.record.folder)
            return [] if known is None else [known.by_name[name] for name in sorted(known.by_name)]

    def is_current(self, database: Database) -> bool:
        """Whether all indexes that are defined by now are among those of `every`."""
        with database.read() as txn:
            changed_at = indexes.changed_at(txn)
        with self._lock:
            known = self._databases.get(database.record.folder)
            return changed_at == (0 if known is None else known.changed_at)

    def pause(self, database: Database, name: str | None, *, is_paused: bool) -> None:
        """Let all indexes of a database rest on this node, or one, or go on."""
        folder = database.record.folder
        if name is None:
            (self._paused.add if is_paused else self._paused.discard)(folder)
        for one in self.every(database):
            if name is None or one.name.lower() == name.lower():
                one.is_paused = is_paused
        self.hurry()

    def is_resting(self, database: Database) -> bool:
        return database.record.folder in self._paused

    def reset(self, database: Database, name: str) -> None:
        """Build an index anew, from the beginning."""
        with self._lock:
            self._resets.add((database.record.folder, name.lower()))
        self.hurry()

    def clear_errors(self, database: Database, names: list[str]) -> None:
        """Forget the failures of indexes."""
        with self._lock:
            self._clears |= {(database.record.folder, name.lower()) for name in names}
        self.hurry()

    # -- the thread

    def _run(self) -> None:
        try:
            while not self._stops:
                self._wake.wait()
                self._wake.clear()
                if self._round():
                    self._wake.set()
                self._on_progress()
                if not self._hurry.wait(ROUND_SECONDS):
                    continue
                self._hurry.clear()
        finally:
            for known in self._databases.values():
                for one in (*known.by_name.values(), *known.coming.values()):
                    one.close()

    def _round(self) -> bool:
        """A batch of each index that is behind; whether one still is."""
        databases = self._machine.open_databases()
        self._forget_deleted({database.record.folder for database in databases})
        is_more = False
        for database in databases:
            try:
                is_more |= self._round_of(database)
            except Closed:
                is_more = True  # it was replaced or deleted under our eyes
            except Exception:
                # Indexes are made again from the documents; the node goes on without them.
                log.exception("the indexes of database '%s' stumbled", database.record.name)
                is_more = True
                self._hurry.clear()
                self._hurry.wait(ERROR_SECONDS)
            if self._stops:
                return False
        return is_more

    def _round_of(self, database: Database) -> bool:
        known = self._databases.get(database.record.folder)
        with database.read() as txn:
            changed_at = indexes.changed_at(txn)
            if known is None and not changed_at:
                return False
            if known is None:
                known = DatabaseIndexes(self._folder / database.record.folder)
                with self._lock:
                    self._databases[database.record.folder] = known
            if known.changed_at != changed_at or known.seen is not database.environment:
                self._take_definitions(known, database, indexes.every(txn))
                known.changed_at, known.seen = changed_at, database.environment
            newest = last_etag(txn)
        self._carry_out_resets(known, database)
        is_more = False
        if database.record.disabled:
            return False
        for index in known.building():
            if index.etag < newest and index.activity is Activity.RUNNING:
                is_more |= self._advance(index, database)
            if index.etag >= newest and index.name.lower() in known.coming:
                self._swap(known, index)
        return is_more

    def _advance(self, index: BuiltIndex, database: Database) -> bool:
        try:
            with database.read() as txn:
                is_more = step(index, txn, at_micros=self._clock.now_micros())
            assert index.store is not None, "it is open"
            if is_failing(index.store):
                index.error = "most documents fail: see its errors, change it or reset it"
                log.warning("index '%s': %s", index.name, index.error)
            return is_more
        except IndexFileError as error:
            index.error = str(error)
            log.warning("index '%s' stops: %s", index.name, error)
            return False

    # -- definitions

    def _take_definitions(
        self, known: DatabaseIndexes, database: Database, records: list[IndexRecord]
    ) -> None:
        names = {record.name.lower() for record in records}
        for name in [name for name in known.by_name if name not in names]:
            self._drop(known.coming, name)
            self._drop(known.by_name, name)
        is_resting = database.record.folder in self._paused
        for record in records:
            self._take(known, record, is_resting=is_resting)
        self._remove_unknown(known)

    def _take(self, known: DatabaseIndexes, record: IndexRecord, *, is_resting: bool) -> None:
        name = record.name.lower()
        folder = known.folder / digest_of(record).hex()
        current = known.by_name.get(name)
        coming = known.coming.get(name)
        for one in (current, coming):
            if one is not None and one.folder == folder:
                one.record = record
                if one is current:
                    self._drop(known.coming, name)
                return
        self._drop(known.coming, name)
        index = self._open(record, folder)
        index.is_paused = is_resting
        with self._lock:
            if current is None or current.error is not None or index.error is not None:
                known.by_name[name] = index
            else:
                known.coming[name] = index
                return
        if current is not None:
            current.remove()

    def _open(self, record: IndexRecord, folder: Path) -> BuiltIndex:
        try:
            mapper: Mapper | None = mapper_of(record)
        except (DefinitionRefused, BadDefinition, ValueError, KeyError) as error:
            return BuiltIndex(record, folder, None, error=f"it does not compile: {error}")
        assert mapper is not None
        index = BuiltIndex(record, folder, mapper)
        for attempt in (1, 2):
            try:
                index.store = IndexStore.open(
                    folder,
                    digest=digest_of(record),
                    group_by=mapper.group_by,
                    fields=mapper.fields,
                )
                index.progress = index.store.progress
                return index
            except NewerFormat as error:
                index.error = str(error)
                return index
            except (IndexFileError, OSError) as error:
                log.warning("index '%s' is built anew: %s", record.name, error)
                index.error = str(error)
                if attempt == 1:
                    rmtree(folder, ignore_errors=True)
                    index.error = None
        return index

    def _swap(self, known: DatabaseIndexes, index: BuiltIndex) -> None:
        name = index.name.lower()
        with self._lock:
            former = known.by_name.pop(name, None)
            known.by_name[name] = known.coming.pop(name)
        if former is not None:
            former.remove()

    def _carry_out_resets(self, known: DatabaseIndexes, database: Database) -> None:
        folder = database.record.folder
        with self._lock:
            names = [name for of, name in self._resets if of == folder]
            self._resets -= {(folder, name) for name in names}
            cleared = [name for of, name in self._clears if of == folder]
            self._clears -= {(folder, name) for name in cleared}
        for name in cleared:
            index = known.by_name.get(name)
            if index is not None and index.store is not None:
                index.store.clear_errors()
        for name in names:
            self._drop(known.coming, name)
            former = known.by_name.get(name)
            if former is None:
                continue
            former.remove()
            index = self._open(former.record, former.folder)
            index.is_paused = former.is_paused
            with self._lock:
                known.by_name[name] = index

    def _drop(self, table: dict[str, BuiltIndex], name: str) -> None:
        with self._lock:
            index = table.pop(name, None)
        if index is not None:
            index.remove()

    def _forget_deleted(self, folders: set[str]) -> None:
        for folder in [folder for folder in self._databases if folder not in folders]:
            with self._lock:
                known = self._databases.pop(folder)
            for one in (*known.by_name.values(), *known.coming.values()):
                one.close()
            rmtree(known.folder, ignore_errors=True)

    def _remove_unknown(self, known: DatabaseIndexes) -> None:
        """Folders of definitions that are no more, left by an earlier life."""
        wanted = {one.folder for one in (*known.by_name.values(), *known.coming.values())}
        if known.folder.is_dir():
            for folder in known.folder.iterdir():
                if folder not in wanted:
                    rmtree(folder, ignore_errors=True)


