"""The one file that knows SQLite: connections with the settings of an index, and their errors.

An index can be built anew from the documents, so a commit waits for no disk
(`synchronous=NORMAL` in WAL mode: after a power cut the file is as it was after some earlier
commit, and how far it had come by then is in the same file). A kill takes nothing back.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from quoth_cluster.errors import ClusterError

CACHE_KIB = 8_192
BUSY_MILLISECONDS = 5_000
PROGRESS_STEPS = 10_000  # of SQLite's machine, between two looks at the clock

Value = None | int | float | str | bytes
Row = tuple[Any, ...]


class IndexFileError(ClusterError):
    """The file of an index cannot be used; the index can be built anew."""


class QueryInterrupted(ClusterError):
    """A query took longer than it may."""


class Connection:
    """One connection to one file; for one thread at a time."""

    def __init__(self, path: Path, *, is_reader: bool) -> None:
        """Raises IndexFileError."""
        self.path = path
        flags = apsw.SQLITE_OPEN_READWRITE
        if not is_reader:
            flags |= apsw.SQLITE_OPEN_CREATE
        with self._named():
            self._connection = apsw.Connection(str(path), flags=flags)
            self._connection.set_busy_timeout(BUSY_MILLISECONDS)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute("PRAGMA temp_store = MEMORY")
            self._connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            if is_reader:
                self._connection.execute("PRAGMA query_only = TRUE")

    def rows(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """All rows of a statement. Raises IndexFileError or QueryInterrupted."""
        with self._named():
            return list(self._connection.execute(sql, values))

    def one(self, sql: str, values: Sequence[Value] = ()) -> Any:
        """The first column of the first row; None if there is none."""
        with self._named():
            row = next(iter(self._connection.execute(sql, values)), None)
        return None if row is None else row[0]

    def run(self, sql: str, values: Sequence[Value] = ()) -> None:
        """Carry a statement out."""
        with self._named():
            self._connection.execute(sql, values)

    def run_many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        """Carry a statement out for each row."""
        with self._named():
            self._connection.executemany(sql, rows)

    def last_row_id(self) -> int:
        """The row that was inserted last."""
        return int(self._connection.last_insert_rowid())

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A write: all or nothing. Raises IndexFileError."""
        with self._named(), self._connection:
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Several reads of one state."""
        self.run("BEGIN")
        try:
            yield
        finally:
            # Whoever watches a query must not end its end: the next one could not begin.
            self._connection.set_progress_handler(None)
            self.run("ROLLBACK")

    def define(self, name: str, function: Callable[..., Value], *, arguments: int) -> None:
        """Make a deterministic function of Python known to SQL."""
        self._connection.create_scalar_function(name, function, arguments, deterministic=True)

    @contextmanager
    def watched(
        self, is_over: Callable[[], bool], *, every: int = PROGRESS_STEPS
    ) -> Iterator[None]:
        """End statements with QueryInterrupted once `is_over`, asked every so many steps."""
        self._connection.set_progress_handler(is_over, every)
        try:
            yield
        finally:
            self._connection.set_progress_handler(None)

    def wait_for_locks(self, *, milliseconds: int = BUSY_MILLISECONDS) -> None:
        """How long others are waited for, before it is an IndexFileError."""
        self._connection.set_busy_timeout(milliseconds)

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except apsw.InterruptError as error:
            raise QueryInterrupted("the query took longer than it may") from error
        except apsw.Error as error:
            raise IndexFileError(f"{self.path}: {error}") from error


def quoted(name: str) -> str:
    """A name for SQL."""
    return '"' + name.replace('"', '""') + '"'
