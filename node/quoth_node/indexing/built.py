"""One index as this node has built it: its file, how far that is, and what it is doing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from threading import Lock

from quoth_cluster.indexes import IndexRecord
from quoth_node.indexing.listing import load_terms
from quoth_node.indexing.shape import Shape
from quoth_node.indexing.sqlite import Connection, IndexFileError
from quoth_node.indexing.store import (
    FILE_NAME,
    Failure,
    Progress,
    StoreStats,
    load_failures,
    load_stats,
)

READERS_KEPT = 4


class Activity(StrEnum):
    """What an index does on this node, in the words of the protocol."""

    RUNNING = "Running"
    PAUSED = "Paused"
    DISABLED = "Disabled"
    FAULTY = "Faulty"


@dataclass(slots=True)
class BuiltIndex:
    """An index as its node sees it: changed on the event loop, read by any thread."""

    record: IndexRecord  # with the definition that its file is built from
    folder: Path
    shape: Shape | None  # None: the definition does not compile here
    progress: Progress = field(default_factory=Progress)  # replaced as a whole
    error: str | None = None  # why it does not go on
    is_paused: bool = False
    indexed_micros: int | None = None
    queried_micros: int | None = None
    readers: "Readers" = field(init=False)

    def __post_init__(self) -> None:
        self.readers = Readers(self.folder / FILE_NAME)

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

    def reads(self, collection: str) -> bool:
        """Whether a change of a document of a collection can change it."""
        return self.shape is not None and self.shape.reads(collection)

    # -- read by any thread; raises IndexFileError

    def stats(self) -> StoreStats:
        with self.readers.one() as connection:
            return load_stats(connection)

    def failures(self) -> list[Failure]:
        if self.shape is None:
            return [Failure(None, "Compile", self.error or "", self.record.created_micros)]
        with self.readers.one() as connection:
            return load_failures(connection)

    def terms(self, field: str, after: str | None, page_size: int) -> list[str]:
        with self.readers.one() as connection:
            return load_terms(connection, field, after=after, page_size=page_size)

    def close(self) -> None:
        self.readers.close()


def activity_of(record: IndexRecord, error: str | None, *, is_paused: bool) -> Activity:
    """What an index does; its definition decides before what this node wants."""
    if record.state == "Disabled":
        return Activity.DISABLED
    if error is not None or record.state == "Error":
        return Activity.FAULTY
    return Activity.PAUSED if is_paused else Activity.RUNNING


class Readers:
    """Connections for queries over one file: each is used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: list[Connection] = []
        self._lock = Lock()
        self._is_closed = False

    @contextmanager
    def one(self) -> Iterator[Connection]:
        """A connection, for the block. Raises IndexFileError."""
        connection = self._idle_one() or Connection(self._path, is_reader=True)
        with self._lent(connection):
            yield connection

    @contextmanager
    def at_hand(self) -> Iterator[Connection | None]:
        """One that is open and free, if there is one; it waits for nobody's lock."""
        connection = self._idle_one()
        if connection is None:
            yield None
            return
        with self._lent(connection):
            connection.wait_for_locks(milliseconds=0)
            try:
                yield connection
            finally:
                connection.wait_for_locks()

    def _idle_one(self) -> Connection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    @contextmanager
    def _lent(self, connection: Connection) -> Iterator[None]:
        is_sound = True
        try:
            yield
        except IndexFileError:
            is_sound = False
            raise
        finally:
            with self._lock:
                is_kept = is_sound and not self._is_closed and len(self._idle) < READERS_KEPT
                if is_kept:
                    self._idle.append(connection)
            if not is_kept:
                connection.close()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
