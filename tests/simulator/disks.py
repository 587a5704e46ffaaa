"""A disk in memory that forgets: what was not synced may be lost, whole or torn, when power goes.

kill -9 loses nothing that was written. Power loss keeps of every file what was synced, and of the
writes since then a random part, in pages; of names that were made or removed since their folder was
synced, a random part. A job that a crash interrupts gets as far as the fuse lets it.
"""

import errno
import random
from dataclasses import dataclass, field
from pathlib import Path

PAGE_BYTES = 512


class Interrupted(Exception):
    """The node died in the middle of what it was doing."""


@dataclass(slots=True)
class Content:
    """One file: what the kernel holds, what the disk holds, and the writes in between."""

    now: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    unsynced: list[tuple[int, bytes | None]] = field(default_factory=list)  # None: cut here


class SimDisk:
    """The files of one node. Fulfils `Disk`."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.files: dict[str, Content] = {}
        self._durable_names: dict[str, Content] = {}
        self.fuse: int | None = None  # so many calls until the node dies
        self.fails_sync = False
        self.is_full = False
        self.failures = 0  # how many errors were given out
        self.sync_is_a_lie = False  # for planted bugs

    # -- what the journal calls

    def make_folder(self, folder: Path) -> None:
        return None

    def names(self, folder: Path) -> list[str]:
        prefix = f"{folder}/"
        return sorted(path.removeprefix(prefix) for path in self.files if path.startswith(prefix))

    def open(self, path: Path) -> "SimFile":
        return SimFile(self, self.files.setdefault(str(path), Content()))

    def remove(self, path: Path) -> None:
        self.count_call()
        self.files.pop(str(path), None)

    def sync_folder(self, folder: Path) -> None:
        self.count_call()
        if not self.sync_is_a_lie:
            self._durable_names = dict(self.files)

    # -- what befalls it

    def count_call(self) -> None:
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                raise Interrupted

    def repair(self) -> None:
        self.fails_sync = self.is_full = False

    def lose_power(self) -> None:
        """Keep what is durable and a random part of the rest."""
        dice = self.dice
        names = dict(self._durable_names)
        for path in sorted(set(names) ^ set(self.files)):
            if dice.random() < 0.5:
                if path in self.files:
                    names[path] = self.files[path]
                else:
                    del names[path]
        for path in sorted(names):
            if path in self.files and names[path] is not self.files[path]:
                names[path] = dice.choice([names[path], self.files[path]])
        self.files = dict(names)
        self._durable_names = dict(names)
        for path in sorted(names):
            self._tear(names[path])

    def _tear(self, content: Content) -> None:
        dice = self.dice
        kept = bytearray(content.durable)
        way = dice.choice(["nothing", "everything", "prefix", "pages"])
        writes = content.unsynced
        if way == "nothing":
            writes = []
        elif way == "prefix" and writes:
            writes = writes[: dice.randrange(len(writes) + 1)]
        for at, (offset, data) in enumerate(writes):
            if data is None:
                if way != "pages" or dice.random() < 0.5:
                    del kept[offset:]
                continue
            if way == "prefix" and at == len(writes) - 1:
                data = data[: dice.randrange(len(data) + 1)]
            pages = range(0, len(data), PAGE_BYTES)
            for start in pages:
                if way == "pages" and dice.random() < 0.5:
                    continue
                _put(kept, offset + start, data[start : start + PAGE_BYTES])
        content.now = kept
        content.durable = bytes(kept)
        content.unsynced = []


class SimFile:
    """One open file. Fulfils `DiskFile`."""

    __slots__ = ("_content", "_disk")

    def __init__(self, disk: SimDisk, content: Content) -> None:
        self._disk = disk
        self._content = content

    def size(self) -> int:
        return len(self._content.now)

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self._content.now[offset : offset + length])

    def write(self, offset: int, data: bytes) -> None:
        self._disk.count_call()
        if self._disk.is_full:
            self._disk.failures += 1
            self._write(offset, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "no space is left")
        self._write(offset, data)

    def truncate(self, length: int) -> None:
        self._disk.count_call()
        if length < len(self._content.now):
            del self._content.now[length:]
            self._content.unsynced.append((length, None))

    def sync(self) -> None:
        disk, content = self._disk, self._content
        disk.count_call()
        if disk.fails_sync:
            disk.failures += 1
            if disk.dice.random() < 0.5:  # the kernel may give up the pages it could not write
                content.now = bytearray(content.durable)
                content.unsynced = []
            raise OSError(errno.EIO, "the disk failed")
        if content.unsynced and not disk.sync_is_a_lie:
            content.durable = bytes(content.now)
            content.unsynced = []

    def close(self) -> None:
        return None

    def _write(self, offset: int, data: bytes) -> None:
        _put(self._content.now, offset, data)
        self._content.unsynced.append((offset, data))


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if offset > len(content):
        content += bytes(offset - len(content))
    content[offset : offset + len(data)] = data
