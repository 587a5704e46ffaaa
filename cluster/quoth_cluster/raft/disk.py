"""The disk, as journal and snapshots see it: a few calls, so that a simulator can stand in for it.

What is written is durable after `sync` of the file, a new, other or removed name after
`sync_folder`. Every error is an OSError.
"""

import os
import shutil
from pathlib import Path
from typing import Protocol


class DiskFile(Protocol):
    """One open file."""

    def size(self) -> int:
        """Its length in bytes."""

    def read(self, offset: int, length: int) -> bytes:
        """What is there, less at the end of the file."""

    def write(self, offset: int, data: bytes) -> None:
        """All of `data` at `offset`; not durable yet."""

    def truncate(self, length: int) -> None:
        """Cut the file; not durable yet."""

    def sync(self) -> None:
        """Return when all that was written is durable."""

    def close(self) -> None:
        """Let go of it."""


class Disk(Protocol):
    """Files in folders."""

    def make_folder(self, folder: Path, *, durably: bool = True) -> None:
        """Make a folder and its parents, unless it is there.

        Its name is durable at return, also if an earlier life of this process made it.
        """

    def names(self, folder: Path) -> list[str]:
        """The names in a folder, sorted."""

    def exists(self, path: Path) -> bool:
        """Whether there is a file or a folder of that name."""

    def open(self, path: Path) -> DiskFile:
        """Open a file for reading and writing, made if it is not there."""

    def replace(self, source: Path, target: Path) -> None:
        """Rename a file, in the place of another, or a folder; all of it or nothing.

        Durable after `sync_folder` of the target's.
        """

    def remove(self, path: Path) -> None:
        """Remove a file; durable after `sync_folder`."""

    def remove_folder(self, folder: Path) -> None:
        """Remove a folder with all that is in it, if it is there; durable after `sync_folder`."""

    def sync_folder(self, folder: Path) -> None:
        """Return when the names in the folder are durable."""


class RealFile:
    """A file of this machine."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def read(self, offset: int, length: int) -> bytes:
        parts = []
        while length > 0 and (part := os.pread(self._fd, length, offset)):
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        return b"".join(parts)

    def write(self, offset: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._fd, view, offset)
            offset, view = offset + written, view[written:]

    def truncate(self, length: int) -> None:
        os.ftruncate(self._fd, length)

    def sync(self) -> None:
        os.fdatasync(self._fd)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class RealDisk:
    """The disk of this machine."""

    def make_folder(self, folder: Path, *, durably: bool = True) -> None:
        if not folder.is_dir():
            if not folder.parent.is_dir():
                self.make_folder(folder.parent, durably=durably)
            folder.mkdir(mode=0o700, exist_ok=True)
        if durably:  # also one that was there: who made it may have been killed before this line
            self.sync_folder(folder.parent)

    def names(self, folder: Path) -> list[str]:
        return sorted(os.listdir(folder))

    def exists(self, path: Path) -> bool:
        return path.exists()

    def open(self, path: Path) -> RealFile:
        return RealFile(path)

    def replace(self, source: Path, target: Path) -> None:
        source.replace(target)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def remove_folder(self, folder: Path) -> None:
        if folder.exists():
            shutil.rmtree(folder)

    def sync_folder(self, folder: Path) -> None:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
