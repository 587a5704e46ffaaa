"""The data folder of one node: who it belongs to, who holds it now, what it remembers.

    node.lock   held (flock) by the one process that uses the folder
    node.pid    the id of that process; gone after a clean stop
    node.json   format version, tag, cluster, peer port, whom it joins
    node.log    what the process said, when `quoth cluster start` started it
    ...         the log and the state, which belong to other rooms

A folder in use, of another tag, unreadable or from a newer version is refused before anything in it
is touched. node.json is replaced as a whole and is on disk when `save` returns.
"""

import fcntl
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from quoth_node.errors import BadFolder

FORMAT_VERSION = 1
RECORD_NAME = "node.json"
LOCK_NAME = "node.lock"
PID_NAME = "node.pid"
LOG_NAME = "node.log"
RECORD_BYTES_MAX = 64 * 1_024
# What may lie in a folder that no node has used yet.
HARMLESS = frozenset(
    {LOCK_NAME, PID_NAME, LOG_NAME, f"{LOG_NAME}.old", f"{RECORD_NAME}.new", f"{PID_NAME}.new"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRecord:
    """What a node must not forget about itself."""

    tag: str
    cluster_id: str | None = None  # None: not a member of any cluster yet
    peer_port: int = 0  # 0: none chosen yet
    join_url: str | None = None  # whom it was told to join


class NodeFolder:
    """A data folder held by this process. Open it with `NodeFolder.open`, close it at the end."""

    def __init__(self, path: Path, record: NodeRecord, lock: int) -> None:
        self.path = path
        self._record = record
        self._lock = lock  # the file descriptor that holds the lock; -1 once closed

    @classmethod
    def open(cls, path: Path, *, tag: str) -> Self:
        """Take the folder for the node `tag`; it is created if it is missing.

        Raises BadFolder, and leaves everything as it was, if it is not this node's to use.
        """
        path = path.absolute()
        try:
            create_folder(path)
            _own_record(path, tag)  # a foreign folder does not even get a lock file
            lock = _lock(path)
            try:
                record = _own_record(path, tag)
                if record is None:
                    record = NodeRecord(tag=tag)
                    write_durably(path / RECORD_NAME, _encode(record))
                write_durably(path / PID_NAME, f"{os.getpid()}\n".encode())
            except BaseException:
                os.close(lock)
                raise
        except OSError as error:
            raise BadFolder(f"data folder {path} cannot be used: {error.strerror}") from error
        return cls(path, record, lock)

    @property
    def record(self) -> NodeRecord:
        """What the node remembers."""
        return self._record

    def save(self, record: NodeRecord) -> None:
        """Remember `record`; it is on disk when this returns."""
        assert self._lock >= 0, "a closed folder is not written"
        assert record.tag == self._record.tag, "a folder never changes its tag"
        write_durably(self.path / RECORD_NAME, _encode(record))
        self._record = record

    def close(self) -> None:
        """Let go of the folder."""
        if self._lock < 0:
            return
        with suppress(FileNotFoundError):
            (self.path / PID_NAME).unlink()
        os.close(self._lock)
        self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read_record(path: Path) -> NodeRecord | None:
    """The record in a data folder, or None if no node has used it yet.

    Raises BadFolder if it is unreadable or from a newer version.
    """
    file = path / RECORD_NAME
    try:
        with file.open("rb") as source:
            data = source.read(RECORD_BYTES_MAX)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadFolder(f"{file} cannot be read: {error.strerror}") from error
    return _decode(file, data)


def create_folder(path: Path) -> None:
    """Make `path` and what is missing above it; the directory entries are on disk afterwards."""
    missing = [part for part in (path, *path.parents) if not part.exists()]
    for part in reversed(missing):
        # Another process may make it first; that one is as good.
        try:
            part.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise BadFolder(f"data folder {path} cannot be made: {error.strerror}") from error
        sync_folder(part.parent)
    if not path.is_dir():
        raise BadFolder(f"data folder {path} is not a folder")


def write_durably(path: Path, data: bytes) -> None:
    """Replace a file as a whole: a power cut leaves all of `data`, or what was there before."""
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as target:
        target.write(data)
        target.flush()
        os.fsync(target.fileno())
    new.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Put the names in a folder on disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock(path: Path) -> int:
    lock = os.open(path / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise BadFolder(f"data folder {path} is in use by {_holder(path)}") from error
    except BaseException:
        os.close(lock)
        raise
    return lock


def _holder(path: Path) -> str:
    try:
        return f"process {int((path / PID_NAME).read_text())}"
    except (OSError, ValueError):
        return "another process"


def _own_record(path: Path, tag: str) -> NodeRecord | None:
    record = read_record(path)
    if record is None:
        _require_unused(path)
    elif record.tag != tag:
        raise BadFolder(f"data folder {path} belongs to node {record.tag}, not to {tag}")
    return record


def _require_unused(path: Path) -> None:
    # Founding a cluster over data whose record was lost would bury that data.
    strange = sorted(entry.name for entry in path.iterdir() if entry.name not in HARMLESS)
    if strange:
        raise BadFolder(f"data folder {path} is not empty: it holds {strange[0]}, no {RECORD_NAME}")


def _encode(record: NodeRecord) -> bytes:
    content = {"format_version": FORMAT_VERSION, **asdict(record)}
    return (json.dumps(content, indent=2) + "\n").encode()


def _decode(file: Path, data: bytes) -> NodeRecord:
    try:
        content = json.loads(data)
        format_version = content.pop("format_version")
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise BadFolder(f"{file} is unreadable: it is not the record of a node") from error
    if type(format_version) is int and format_version > FORMAT_VERSION:
        raise BadFolder(f"{file} was written by a newer version of quoth (format {format_version})")
    if format_version != FORMAT_VERSION or not _fits(content):
        raise BadFolder(f"{file} is unreadable: a field is missing, unknown or of the wrong type")
    return NodeRecord(**content)


def _fits(content: dict[str, Any]) -> bool:
    if set(content) != {entry.name for entry in fields(NodeRecord)}:
        return False
    return (
        isinstance(content["tag"], str)
        and isinstance(content["cluster_id"], str | None)
        and isinstance(content["join_url"], str | None)
        and type(content["peer_port"]) is int
    )
