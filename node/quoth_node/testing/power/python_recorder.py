"""The same records without a compiler: what Python itself writes through the door to the disk.

It covers the log and the snapshots (`quoth_cluster.raft.disk`), not LMDB and SQLite: for their
files a power cut is then no more than a kill.
"""

import os
from pathlib import Path
from threading import Lock
from typing import Any

from quoth_cluster.raft.disk import RealDisk, RealFile
from quoth_node.testing.clock import monotonic_ns
from quoth_node.testing.power.record import Entry, Kind, entries
from quoth_node.testing.power.replay import KEPT, record_name


class PythonRecorder:
    """Writes records, one for each file and folder, before things are done to it."""

    def __init__(self, records: Path) -> None:
        self._records = records
        self._lock = Lock()  # a process has one disk, and the order of what is done matters

    def install(self) -> None:
        """Record what this process does through the door from now on."""
        self._wrap_file()
        self._wrap_disk()

    def _wrap_file(self) -> None:
        write, truncate, sync = RealFile.write, RealFile.truncate, RealFile.sync

        def recorded_write(file: RealFile, offset: int, data: bytes) -> None:
            with self._lock:
                size = file.size()
                before = file.read(offset, min(len(data), max(0, size - offset)))
                after = max(size, offset + len(data))
                self._note(_fd(file), Kind.CHANGE, offset, size, after, before, bytes(data))
                write(file, offset, data)

        def recorded_truncate(file: RealFile, length: int) -> None:
            with self._lock:
                size = file.size()
                cut = file.read(length, max(0, size - length))
                self._note(_fd(file), Kind.CHANGE, min(size, length), size, length, cut, b"")
                truncate(file, length)

        def recorded_sync(file: RealFile) -> None:
            with self._lock:
                sync(file)
                self._forget(_fd(file))

        setattr(RealFile, "write", recorded_write)  # noqa: B010
        setattr(RealFile, "truncate", recorded_truncate)  # noqa: B010
        setattr(RealFile, "sync", recorded_sync)  # noqa: B010

    def _wrap_disk(self) -> None:
        open_file, replace, remove = RealDisk.open, RealDisk.replace, RealDisk.remove
        sync_folder = RealDisk.sync_folder

        def recorded_open(disk: RealDisk, path: Path) -> RealFile:
            with self._lock:
                if not path.exists():
                    self._note_name(path, Kind.MADE, path)
                return open_file(disk, path)

        def recorded_replace(disk: RealDisk, source: Path, target: Path) -> None:
            with self._lock:
                self._note_name(target, Kind.MOVED, source, str(target))
                replace(disk, source, target)

        def recorded_remove(disk: RealDisk, path: Path) -> None:
            with self._lock:
                if path.exists():
                    self._note_name(path, Kind.REMOVED, path, "file")
                remove(disk, path)

        def recorded_sync(disk: RealDisk, folder: Path) -> None:
            with self._lock:
                sync_folder(disk, folder)
                self._forget(folder)

        setattr(RealDisk, "open", recorded_open)  # noqa: B010
        setattr(RealDisk, "replace", recorded_replace)  # noqa: B010
        setattr(RealDisk, "remove", recorded_remove)  # noqa: B010
        setattr(RealDisk, "sync_folder", recorded_sync)  # noqa: B010

    def _note_name(self, path: Path, kind: Kind, about: Path, other: str = "") -> None:
        at_ns = monotonic_ns()
        before, after = (f"{text}\0".encode() if text else b"" for text in (str(about), other))
        self._append(path.parent, Entry(kind, at_ns, 0, 0, 0, before, after))
        if kind is not Kind.MADE and path.is_file():
            os.link(path, self._records / f"{KEPT}{at_ns}")

    def _note(self, fd: int, kind: Kind, *change: Any) -> None:
        self._append(fd, Entry(kind, monotonic_ns(), *change))

    def _append(self, about: int | Path, entry: Entry) -> None:
        with (self._records / record_name(about)).open("ab") as record:
            record.write(entry.pack())

    def _forget(self, about: int | Path) -> None:
        """All that is in its record is on disk."""
        record = self._records / record_name(about)
        if not record.exists():
            return
        for entry in entries(record.read_bytes()):
            if entry.kind in (Kind.MOVED, Kind.REMOVED):
                kept = self._records / f"{KEPT}{entry.at_ns}"
                if kept.exists() and kept.stat().st_nlink == 1:
                    (self._records / record_name(kept)).unlink(missing_ok=True)
                kept.unlink(missing_ok=True)
        record.unlink()


def _fd(file: RealFile) -> int:
    return file._fd
