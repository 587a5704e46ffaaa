"""All indexes of a node, built from its documents: a batch of one at a time, round after round.

It alone opens, writes and removes index files. What it knows of a database it reads from the state,
so a state that was replaced, a database that was deleted and a definition that changed are simply
what the next round finds.

A changed definition is built in a folder of its own; until that has caught up, queries are answered
from the one before.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import rmtree

from quoth_cluster import indexes
from quoth_cluster.clock import Clock
from quoth_cluster.documents import last_etag
from quoth_cluster.errors import CorruptFile, MalformedValue, NewerFormat
from quoth_cluster.indexes import IndexRecord
from quoth_cluster.store.environment import Closed
from quoth_cluster.store.keys import fold_text
from quoth_node.indexing.built import Activity
from quoth_node.indexing.definition import digest_of
from quoth_node.indexing.messages import (
    Advanced,
    Check,
    ClearErrors,
    Command,
    Condemn,
    Defined,
    Done,
    Look,
    Looked,
    Pause,
    Replace,
    Report,
    Reset,
    Source,
    Sources,
    Stop,
    TicketCommand,
    Works,
)
from quoth_node.indexing.pauses import Pauses
from quoth_node.indexing.sqlite import IndexFileError
from quoth_node.indexing.stepping import is_failing, step
from quoth_node.indexing.work import DatabaseIndexes, IndexWork, Readable, checked, open_work

log = logging.getLogger(__name__)


class Builder:
    """Used by one thread. `take` what is said, then `round`; `tell` hears what came of it."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        *,
        tell: Callable[[Report], None],
        hear: Callable[[], None],
        open_source: Callable[[Source], Readable],
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._tell = tell
        self._hear = hear  # takes what has come in meanwhile, without waiting
        self._open_source = open_source
        self._sources: dict[str, Source] = {}
        self._opened: dict[str, tuple[Source, Readable]] = {}
        self._gone: set[str] = set()  # could not be read; what stands there now will be told
        self._databases: dict[str, DatabaseIndexes] = {}
        self._condemned: dict[str, str] = {}  # digest -> why
        self._pauses = Pauses()
        self._commands: list[Sources | TicketCommand | Condemn] = []
        self._retired: set[Path] = set()  # folders to be deleted
        self._looks = 0
        self.hurries = False
        self.stops = False

    # -- what is said

    @property
    def has_work(self) -> bool:
        """Whether something was said that a round has to look at."""
        return bool(self._commands) or self._looks > 0

    @property
    def is_urged(self) -> bool:
        """Whether the next round should not wait for more to come together."""
        return bool(self._commands) or self.hurries or self.stops

    def take(self, command: Command) -> None:
        """Note what is said; it is done in the next round."""
        match command:
            case Stop():
                self.stops = True
            case Look(hurries):
                self._looks += 1
                self.hurries |= hurries
            case _:
                self._commands.append(command)

    # -- a round

    def round(self) -> bool:
        """A batch of each index that is behind; whether one still is."""
        looks, self._looks = self._looks, 0
        self._carry_out()
        is_more = False
        for source in list(self._sources.values()):
            if source.folder in self._gone:
                continue
            try:
                is_more |= self._round_of(source)
            except (Closed, CorruptFile, MalformedValue, NewerFormat) as error:
                self._gone.add(source.folder)
                if not isinstance(error, Closed):
                    log.error("database '%s' cannot be indexed: %s", source.name, error)
            if self._commands or self.stops:
                is_more = True
                break
        self._tell(Works())
        if looks:
            self._tell(Looked(looks))
        return is_more

    def sweep(self) -> None:
        """Delete the files of what has served. Not at once: the node may not know yet."""
        for folder in self._retired:
            rmtree(folder, ignore_errors=True)
        self._retired.clear()

    def close(self) -> None:
        """Let go of all files."""
        for known in self._databases.values():
            for one in known.every():
                one.close()
        for _, environment in self._opened.values():
            environment.close()

    def _round_of(self, source: Source) -> bool:
        known = self._current(source)
        if known is None:
            return False
        environment = self._environment(source)
        with environment.read() as txn:
            newest = last_etag(txn)
        if source.is_disabled:
            return False
        is_more = False
        for index in known.building():
            if index.activity is Activity.RUNNING and index.etag < newest:
                is_more |= self._advance(known, index, environment)
            if index.etag >= newest and known.coming.get(fold_text(index.name)) is index:
                self._swap(known, index)
            self._hear()
            if self._commands or self.stops:
                return True
        return is_more

    def _current(self, source: Source) -> DatabaseIndexes | None:
        """The indexes of a database as they are defined now; None if it never had one."""
        known = self._databases.get(source.folder)
        with self._environment(source).read() as txn:
            changed_at = indexes.changed_at(txn)
            if known is None and not changed_at:
                return None
            is_new = known is None or known.changed_at != changed_at or known.source != source
            records = indexes.every(txn) if is_new else []
        if known is None:
            known = DatabaseIndexes(source, self._folder / source.folder)
            self._databases[source.folder] = known
        if is_new:
            known.source = source
            self._take_definitions(known, records)
            known.changed_at = changed_at
            self._tell(Defined(source.folder, changed_at, tuple(known.by_name)))
            self._remove_unknown(known)
        return known

    def _commanded(self, folder: str) -> DatabaseIndexes | None:
        """The same, for a command about a database that may be gone."""
        source = self._sources.get(folder)
        try:
            return None if source is None else self._current(source)
        except Closed:
            return None

    def _advance(self, known: DatabaseIndexes, index: IndexWork, environment: Readable) -> bool:
        """One step; whether more is left."""
        works = Works(index.digest, maps=True)
        self._tell(works)
        assert index.mapper is not None and index.store is not None, "it is running"
        fields = len(index.mapper.fields)
        is_more = False
        began = self._clock.monotonic()
        try:
            with environment.read() as txn:
                is_more = step(
                    index,
                    txn,
                    at_micros=self._clock.now_micros(),
                    on_batch=lambda: self._tell(works),
                )
            index.stumbles = 0
            index.pace(self._clock.monotonic() - began, was_full=is_more)
            if is_failing(index.store):
                index.error = "most documents fail: see its errors, change it or reset it"
                log.warning("index '%s': %s", index.name, index.error)
        except Closed:
            raise
        except IndexFileError as error:
            index.error = str(error)
            log.warning("index '%s' stops: %s", index.name, error)
        except Exception as error:
            index.stumble(error)
            is_more = True
        if known.by_name.get(fold_text(index.name)) is index:
            self._tell_progress(known, index, is_changed=len(index.mapper.fields) != fields)
        return is_more and index.error is None

    def _tell_progress(self, known: DatabaseIndexes, index: IndexWork, *, is_changed: bool) -> None:
        folder, progress = known.source.folder, index.progress
        if is_changed or index.error is not None or index.indexed_micros is None:
            self._tell(index.serves(folder))
            return
        etags = progress.document_etag, progress.tombstone_etag
        self._tell(Advanced(folder, index.name, *etags, index.indexed_micros))

    def _environment(self, source: Source) -> Readable:
        """The environment of a database. Raises Closed if it is not there."""
        opened = self._opened.get(source.folder)
        if opened is not None and opened[0].generation == source.generation:
            return opened[1]
        if opened is not None:
            del self._opened[source.folder]
            opened[1].close()
        environment = self._open_source(source)
        self._opened[source.folder] = source, environment
        return environment

    # -- commands

    def _carry_out(self) -> None:
        commands, self._commands = self._commands, []
        for command in commands:
            match command:
                case Sources(sources):
                    self._take_sources(sources)
                case Condemn(digest, reason):
                    self._condemned[digest] = reason
                case Pause(ticket, folder, name, is_paused):
                    self._pauses.set(folder, name, is_paused=is_paused)
                    self._take_pauses(folder)
                    self._tell(Done(ticket))
                case Reset(ticket, folder, name):
                    self._reset(folder, fold_text(name))
                    self._tell(Done(ticket))
                case Replace(ticket, folder, name):
                    self._replace(folder, fold_text(name))
                    self._tell(Done(ticket))
                case ClearErrors(ticket, folder, names):
                    self._clear_errors(folder, names)
                    self._tell(Done(ticket))
                case Check():
                    self._tell(Works(command.digest))
                    self._tell(checked(command))

    def _take_sources(self, sources: tuple[Source, ...]) -> None:
        self._sources = {source.folder: source for source in sources}
        self._gone.clear()
        for folder in [folder for folder in self._opened if folder not in self._sources]:
            self._opened.pop(folder)[1].close()
        for folder in [folder for folder in self._databases if folder not in self._sources]:
            for one in self._databases.pop(folder).every():
                one.close()
            self._pauses.forget(folder)
        if self._folder.is_dir():
            for left in self._folder.iterdir():
                if left.name not in self._sources:
                    rmtree(left, ignore_errors=True)

    def _take_pauses(self, folder: str) -> None:
        known = self._databases.get(folder)
        for one in known.every() if known is not None else ():
            is_paused = self._pauses.is_paused(folder, one.name)
            if is_paused != one.is_paused:
                one.is_paused = is_paused
                self._tell_served(folder, one)

    def _reset(self, folder: str, name: str) -> None:
        known = self._commanded(folder)
        former = known.by_name.get(name) if known is not None else None
        if known is None or former is None:
            return
        newest = known.coming.pop(name, former)
        self._condemned.pop(newest.digest, None)
        known.by_name[name] = self._open(known, newest.record, is_new=True)
        self._tell_served(folder, known.by_name[name])
        for one in {id(one): one for one in (former, newest)}.values():
            self._retire(one)

    def _replace(self, folder: str, name: str) -> None:
        known = self._commanded(folder)
        if known is not None and name in known.coming:
            self._swap(known, known.coming[name])

    def _clear_errors(self, folder: str, names: tuple[str, ...]) -> None:
        known = self._commanded(folder)
        if known is None:
            return
        for name in names:
            index = known.by_name.get(fold_text(name))
            if index is not None and index.store is not None:
                index.store.clear_errors()

    # -- definitions

    def _take_definitions(self, known: DatabaseIndexes, records: list[IndexRecord]) -> None:
        names = {fold_text(record.name) for record in records}
        for table in (known.coming, known.by_name):
            for name in [name for name in table if name not in names]:
                self._retire(table.pop(name))
        for record in records:
            self._take(known, record)

    def _take(self, known: DatabaseIndexes, record: IndexRecord) -> None:
        name, folder = fold_text(record.name), known.source.folder
        current, coming = known.by_name.get(name), known.coming.get(name)
        digest = digest_of(record).hex()
        if current is not None and current.digest == digest:
            if coming is not None:  # it was changed, and changed back
                self._retire(known.coming.pop(name))
            self._take_record(folder, current, record)
            return
        if current is not None:
            # Not its definition, which is not what it is built from.
            stands = replace(record, name=current.name, definition=current.record.definition)
            self._take_record(folder, current, stands)
        if coming is not None and coming.digest == digest:
            coming.record = record
            return
        if coming is not None:
            self._retire(known.coming.pop(name))
        index = self._open(known, record)
        if current is None or current.error is not None or index.error is not None:
            known.by_name[name] = index
            self._tell_served(folder, index)
            if current is not None:
                self._retire(current)
        else:
            known.coming[name] = index

    def _take_record(self, folder: str, index: IndexWork, record: IndexRecord) -> None:
        if index.record != record:
            index.record = record
            self._tell_served(folder, index)

    def _open(
        self, known: DatabaseIndexes, record: IndexRecord, *, is_new: bool = False
    ) -> IndexWork:
        digest = digest_of(record).hex()
        reason = self._condemned.get(digest)
        if reason is not None:
            return IndexWork(record, known.folder / f"{digest}-0", digest, error=reason)
        self._tell(Works(digest))
        index = open_work(record, known.folder, is_new=is_new)
        index.is_paused = self._pauses.is_paused(known.source.folder, record.name)
        return index

    def _swap(self, known: DatabaseIndexes, index: IndexWork) -> None:
        name = fold_text(index.name)
        former = known.by_name.pop(name, None)
        known.by_name[name] = known.coming.pop(name)
        self._tell_served(known.source.folder, index)
        if former is not None:
            self._retire(former)

    def _retire(self, index: IndexWork) -> None:
        index.close()
        self._retired.add(index.folder)

    def _tell_served(self, folder: str, index: IndexWork) -> None:
        known = self._databases.get(folder)
        if known is not None and known.by_name.get(fold_text(index.name)) is index:
            self._tell(index.serves(folder))

    def _remove_unknown(self, known: DatabaseIndexes) -> None:
        """Folders of definitions that are no more, left by an earlier life."""
        wanted = {one.folder for one in known.every()}
        if known.folder.is_dir():
            for folder in known.folder.iterdir():
                if folder not in wanted:
                    self._retired.add(folder)
