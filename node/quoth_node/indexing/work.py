"""Indexes as the indexer works on them: the definition at work, the file, and how far it is."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import orjson

from quoth_cluster.errors import NewerFormat
from quoth_cluster.indexes import IndexRecord
from quoth_cluster.store.environment import ReadTxn
from quoth_node.indexing.built import Activity, activity_of
from quoth_node.indexing.definition import BadDefinition, Definition, digest_of, mapper_of
from quoth_node.indexing.javascript.mapper import StaticMapper
from quoth_node.indexing.learned import load
from quoth_node.indexing.mapping import Mapper
from quoth_node.indexing.messages import Check, Checked, Serves, Source
from quoth_node.indexing.refusal import DefinitionRefused
from quoth_node.indexing.shape import told_of
from quoth_node.indexing.sqlite import IndexFileError
from quoth_node.indexing.store import IndexStore, Progress

STUMBLES_MAX = 3
# How many documents one step takes is found out, so that slow ones hold no other index up: few at
# first and after a slow step, twice as many after a fast one.
FIRST_DOCUMENTS = 4
DOCUMENTS_MAX = 8_192
FAST_SECONDS, SLOW_SECONDS = 0.25, 1.0  # of a step
PRIORITY_ORDER = {"High": 0, "Normal": 1, "Low": 2}

log = logging.getLogger(__name__)


class Readable(Protocol):
    """An environment that is read."""

    def read(self) -> AbstractContextManager[ReadTxn]:
        """A snapshot. Raises Closed."""

    def close(self) -> None: ...


@dataclass(slots=True)
class IndexWork:
    """Invariant: while it is to go on (`RUNNING`), it has a mapper and an open store."""

    record: IndexRecord
    folder: Path
    digest: str
    mapper: Mapper | None = None  # None: the definition does not compile here
    store: IndexStore | None = None
    progress: Progress = field(default_factory=Progress)
    error: str | None = None  # why it does not go on
    is_paused: bool = False
    indexed_micros: int | None = None
    stumbles: int = 0  # steps in a row that failed by no fault of a document
    documents_at_once: int = FIRST_DOCUMENTS  # that the next step may take

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def etag(self) -> int:
        """All changes up to here are in it."""
        return min(self.progress.document_etag, self.progress.tombstone_etag)

    @property
    def activity(self) -> Activity:
        return activity_of(self.record, self.error, is_paused=self.is_paused)

    def serves(self, database: str) -> Serves:
        """What the node is told of it."""
        return Serves(
            database,
            self.folder.name,
            self.record,
            None if self.mapper is None else told_of(self.mapper),
            self.error,
            self.is_paused,
            self.progress.document_etag,
            self.progress.tombstone_etag,
            self.indexed_micros,
        )

    def pace(self, seconds: float, *, was_full: bool) -> None:
        """A step took so long; `was_full`: it took all that it may."""
        if seconds > SLOW_SECONDS:
            self.documents_at_once = max(1, self.documents_at_once // 2)
        elif seconds < FAST_SECONDS and was_full:
            self.documents_at_once = min(DOCUMENTS_MAX, 2 * self.documents_at_once)

    def stumble(self, error: Exception) -> None:
        """A step failed, and not because of a document."""
        self.stumbles += 1
        log.warning("index '%s' stumbles: %r", self.name, error, exc_info=error)
        if self.stumbles >= STUMBLES_MAX:
            self.error = f"its work fails: {error}"

    def close(self) -> None:
        if self.store is not None:
            self.store.close()
            self.store = None


@dataclass(slots=True)
class DatabaseIndexes:
    """The indexes of one database. Names are folded."""

    source: Source
    folder: Path
    changed_at: int = -1  # of the definitions, when they were read last
    by_name: dict[str, IndexWork] = field(default_factory=dict)  # that queries are answered from
    coming: dict[str, IndexWork] = field(default_factory=dict)  # that will take a place

    def building(self) -> list[IndexWork]:
        """What is to be brought forward, the more urgent first."""
        found = [*self.coming.values()]
        found += [one for name, one in self.by_name.items() if name not in self.coming]
        return sorted(found, key=lambda one: PRIORITY_ORDER.get(one.record.priority, 1))

    def every(self) -> list[IndexWork]:
        return [*self.by_name.values(), *self.coming.values()]


def checked(command: Check) -> Checked:
    """Whether a definition can be one."""
    try:
        Definition.of(orjson.loads(command.definition) | {"Name": "checked"}).mapper()
    except DefinitionRefused as error:
        place = error.line, error.column
        return Checked(command.ticket, error.message, *place, error.part, error.text)
    except Exception as error:  # of whatever it is made, it is told
        log.warning("a definition cannot be compiled", exc_info=error)
        return Checked(command.ticket, f"it cannot be compiled: {error!r}")
    return Checked(command.ticket)


def open_work(record: IndexRecord, root: Path, *, is_new: bool = False) -> IndexWork:
    """An index in a folder of its own under `root`; what was built of it before is gone on with.

    A folder is never made twice under one name: a connection to the file that was there before
    would, when it is closed, delete what SQLite keeps beside the file that is there now.
    """
    digest = digest_of(record).hex()
    builds = list(_builds(root, digest))
    number = max(builds, default=0) + (1 if is_new or not builds else 0)
    index = IndexWork(record, _folder(root, digest, number), digest)
    try:
        index.mapper = mapper_of(record)
    except (DefinitionRefused, BadDefinition, ValueError, KeyError) as error:
        index.error = f"it does not compile: {error}"
        return index
    try:
        _open_store(index)
    except NewerFormat as error:
        index.error = str(error)
    except (IndexFileError, OSError) as error:
        log.warning("index '%s' is built anew: %s", record.name, error)
        index.folder = _folder(root, digest, number + 1)
        try:
            _open_store(index)
        except (IndexFileError, OSError) as again:
            index.error = str(again)
    return index


def _open_store(index: IndexWork) -> None:
    assert index.mapper is not None, "it compiles"
    index.store = IndexStore.open(
        index.folder,
        digest=bytes.fromhex(index.digest),
        group_by=index.mapper.group_by,
        fields=index.mapper.fields,
    )
    index.progress = index.store.progress
    if isinstance(index.mapper, StaticMapper):
        index.mapper.know(load(index.store))
        index.store.fields_kept = len(index.mapper.fields)


def _folder(root: Path, digest: str, number: int) -> Path:
    return root / f"{digest}-{number}"


def _builds(root: Path, digest: str) -> Iterator[int]:
    """The numbers of what was built of a definition."""
    for folder in root.glob(f"{digest}-*"):
        number = folder.name.rpartition("-")[2]
        if number.isdecimal():
            yield int(number)
