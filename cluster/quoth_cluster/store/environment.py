"""The one file that knows LMDB: an ordered map on disk with one writer and snapshots for readers.

What the rest of the house may rely on:

* a commit is on disk when it returns, except perhaps the last one of an environment opened with
  `durable=False`: a power cut may take that one back as a whole, until `sync()` returned;
* a snapshot does not change while it is held, and holds no writer up;
* every error of the disk or the map is Fatal and names the folder. After one, the state in memory
  is not to be trusted. A snapshot that there is no room for is none: it is `TooManyReaders`.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from pathlib import Path
from threading import Lock
from typing import Any, ParamSpec, TypeVar

import lmdb

from quoth_cluster.errors import CorruptFile, Fatal, MalformedValue, NewerFormat, NotReadable

READERS_MAX = 4_096
KEY_BYTES_MAX = 511  # LMDB is compiled so
DATA_FILE = "data.mdb"

P = ParamSpec("P")
R = TypeVar("R")


class Closed(NotReadable):
    """The environment is closed: its database was deleted, or the node stops."""


class TooManyReaders(NotReadable):
    """As many snapshots are held as the environment has room for; try again later."""


def _fatal_names_the_folder(method: Callable[P, R]) -> Callable[P, R]:
    """Turn an error of LMDB into Fatal; the first argument of the method knows its `path`."""

    @wraps(method)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except (lmdb.Error, OSError) as error:
            path = args[0].path  # type: ignore[attr-defined]
            raise Fatal(f"the storage in {path} failed: {error}") from error

    return wrapped


class ReadTxn:
    """A snapshot. Used by one thread at a time, only inside the block that made it."""

    def __init__(self, txn: Any, path: Path) -> None:
        self._txn = txn
        self.path = path

    def get(self, key: bytes) -> bytes | None:
        """The value of `key`, or None."""
        try:
            value: bytes | None = self._txn.get(key)
        except lmdb.Error as error:
            raise self._fatal(error) from error
        return value

    def scan(
        self, prefix: bytes, *, start: bytes | None = None, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """Keys that begin with `prefix`, in byte order, from `start` (included) on.

        With `reverse` from the last one, or from `start` (included), down. The map must not be
        changed while a scan is under way.
        """
        try:
            with self._txn.cursor() as cursor:
                if reverse:
                    found, rows = _seek_last(cursor, prefix, start), cursor.iterprev()
                else:
                    found, rows = cursor.set_range(max(prefix, start or b"")), cursor.iternext()
                for key, value in rows if found else ():
                    if not key.startswith(prefix):
                        return
                    yield key, value
        except lmdb.Error as error:
            raise self._fatal(error) from error

    def _fatal(self, error: Exception) -> Fatal:
        return Fatal(f"the storage in {self.path} failed: {error}")


def _seek_last(cursor: Any, prefix: bytes, start: bytes | None) -> bool:
    """To the last key that begins with `prefix` and is not behind `start`."""
    found: bool
    if start is not None:
        assert start.startswith(prefix), "the scan starts within its prefix"
        if cursor.set_range(start):
            found = cursor.key() == start or cursor.prev()
        else:
            found = cursor.last()
        return found
    # The first key behind all that begin with the prefix; there is none behind b"\xff".
    stripped = prefix.rstrip(b"\xff")
    behind = stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else None
    found = cursor.prev() if behind and cursor.set_range(behind) else cursor.last()
    return found


class WriteTxn(ReadTxn):
    """The one writer. Its changes are seen by itself at once, by others after the commit."""

    def __init__(self, txn: Any, path: Path, environment: Any) -> None:
        super().__init__(txn, path)
        self._environment = environment

    def put(self, key: bytes, value: bytes) -> None:
        """Set `key` to `value`."""
        assert 0 < len(key) <= KEY_BYTES_MAX, "keys.py keeps keys within the limit of LMDB"
        try:
            self._txn.put(key, value)
        except lmdb.Error as error:
            raise self._fatal(error) from error

    def delete(self, key: bytes) -> bool:
        """Remove `key`; whether it was there."""
        try:
            deleted: bool = self._txn.delete(key)
        except lmdb.Error as error:
            raise self._fatal(error) from error
        return deleted

    @_fatal_names_the_folder
    def draft(self) -> "WriteTxn":
        """A transaction within this one, to commit or abort by itself.

        Until then this one must be left alone.
        """
        return WriteTxn(
            self._environment.begin(write=True, parent=self._txn), self.path, self._environment
        )

    @_fatal_names_the_folder
    def commit(self) -> None:
        """Keep the changes."""
        self._txn.commit()

    @_fatal_names_the_folder
    def abort(self) -> None:
        """Forget the changes; nothing happens if they were committed or forgotten before."""
        self._txn.abort()


class Environment:
    """One folder of LMDB. Closing waits for the last reader, without blocking the caller."""

    def __init__(self, path: Path, environment: Any) -> None:
        """Use `open`."""
        self.path = path
        self._environment = environment
        self._lock = Lock()
        self._readers = 0
        self._closed = False

    @classmethod
    def open(cls, path: Path, *, map_bytes: int, durable: bool = True) -> "Environment":
        """Open the environment in folder `path`; create it, atomically, if it is not there."""
        try:
            if not path.exists():
                _create(path, map_bytes)
            return cls(path, _open(path, map_bytes, durable=durable))
        except (lmdb.Error, OSError) as error:
            raise Fatal(f"the storage in {path} cannot be opened: {error}") from error

    @classmethod
    def open_reader(cls, path: Path, *, map_bytes: int) -> "Environment":
        """Open only to read what another process writes. Raises Closed if it is not there.

        `map_bytes` is at least the writer's. A process must not have one environment open twice:
        its locks would be lost.
        """
        try:
            environment = lmdb.open(
                os.fspath(path),
                map_size=map_bytes,
                max_readers=READERS_MAX,  # whoever opens it first decides
                max_dbs=0,
                readonly=True,
                create=False,
            )
        except lmdb.Error as error:
            if path.exists():
                raise Fatal(f"the storage in {path} cannot be opened: {error}") from error
            raise Closed(f"{path} is gone") from error
        return cls(path, environment)

    @property
    def map_bytes(self) -> int:
        """How large the file may grow; nothing once it is closed."""
        with self._lock:
            return 0 if self._closed else int(self._environment.info()["map_size"])

    def forget_dead_readers(self) -> None:
        """Let the space be used again that the snapshots of killed processes hold."""
        with self._lock:
            if not self._closed:
                self._environment.reader_check()

    def read(self) -> AbstractContextManager[ReadTxn]:
        """A snapshot, for any thread. Raises Closed."""
        return self._read()

    @contextmanager
    def _read(self) -> Iterator[ReadTxn]:
        with self._lock:
            if self._closed:
                raise Closed(f"{self.path} is closed")
            self._readers += 1
        try:
            txn = self._begin(write=False)
            try:
                with naming(self.path):
                    yield ReadTxn(txn, self.path)
            finally:
                txn.abort()
        finally:
            self._reader_left()

    def freeze(self) -> "Frozen":
        """A snapshot to hold on to, until it is released. Raises Closed."""
        with self._lock:
            if self._closed:
                raise Closed(f"{self.path} is closed")
            self._readers += 1
        try:
            return Frozen(self._begin(write=False), self.path, self._environment, self._reader_left)
        except BaseException:
            self._reader_left()
            raise

    def begin(self) -> WriteTxn:
        """The writer, to commit or abort. One at a time, and in one thread."""
        if self._closed:
            raise Closed(f"{self.path} is closed")
        return WriteTxn(self._begin(write=True), self.path, self._environment)

    def write(self) -> AbstractContextManager[WriteTxn]:
        """The writer: committed at the end of the block, aborted by an exception."""
        return self._write()

    @contextmanager
    def _write(self) -> Iterator[WriteTxn]:
        txn = self.begin()
        try:
            with naming(self.path):
                yield txn
        except BaseException:
            txn.abort()
            raise
        txn.commit()

    @_fatal_names_the_folder
    def sync(self) -> None:
        """Return when all that was committed survives a power cut."""
        self._environment.sync(True)

    def size_bytes(self) -> int:
        """What the file takes; nothing once it is deleted."""
        try:
            return (self.path / DATA_FILE).stat().st_size
        except FileNotFoundError:
            return 0

    def close(self) -> None:
        """No new readers or writers; the files are let go when the last reader has left."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._readers:
                return
        self._environment.close()

    @_fatal_names_the_folder
    def _begin(self, *, write: bool) -> Any:
        try:
            return self._environment.begin(write=write)
        except lmdb.ReadersFullError as error:
            raise TooManyReaders(f"{READERS_MAX} snapshots of {self.path} are held") from error

    def _reader_left(self) -> None:
        with self._lock:
            self._readers -= 1
            assert self._readers >= 0, "a reader leaves once"
            last_one_out = self._closed and self._readers == 0
        if last_one_out:
            self._environment.close()


class Frozen:
    """What an environment held at one moment, to be copied while it changes. Release it."""

    def __init__(
        self, txn: Any, path: Path, environment: Any, released: Callable[[], None]
    ) -> None:
        """Use `Environment.freeze`."""
        self.path = path
        self._txn = txn
        self._environment = environment
        self._released = released

    @_fatal_names_the_folder
    def copy_to(self, folder: Path) -> None:
        """Write a compact copy into `folder`, which is made; durable at return. Any thread."""
        folder.mkdir(parents=True)
        self._environment.copy(os.fspath(folder), compact=True, txn=self._txn)
        with (folder / DATA_FILE).open("rb") as file:
            os.fsync(file.fileno())
        sync_folder(folder)

    def release(self) -> None:
        """Let the environment reuse the space; once."""
        self._txn.abort()
        self._released()


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the folder into the words of an error about a stored value."""
    try:
        yield
    except (CorruptFile, MalformedValue, NewerFormat) as error:
        raise type(error)(f"{path}: {error}") from error


def _create(path: Path, map_bytes: int) -> None:
    """Make an empty environment: a power cut leaves all of it or nothing at `path`."""
    make_folder(path.parent)
    unfinished = path.with_name(path.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    environment = _open(unfinished, map_bytes, durable=True)
    environment.sync(True)
    environment.close()
    sync_folder(unfinished)
    unfinished.rename(path)
    sync_folder(path.parent)


def _open(path: Path, map_bytes: int, *, durable: bool) -> Any:
    environment = lmdb.open(
        os.fspath(path),
        map_size=map_bytes,
        max_readers=READERS_MAX,
        max_dbs=0,
        metasync=durable,
    )
    assert environment.max_key_size() == KEY_BYTES_MAX
    environment.reader_check()  # slots of processes that died
    return environment


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, so that their names survive a power cut."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Return when the names in the folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
