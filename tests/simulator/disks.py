"""A disk in memory that forgets: what was not synced may be lost, whole or torn, when power goes.

kill -9 loses nothing that was written. Power loss keeps of every file what was synced, and of the
writes since then a random part, in pages. Of names that were given or taken since their folder was
synced it keeps a random part: those of one name in their order, and a rename whole or not at all. A
job that a crash interrupts gets as far as the fuse lets it.
"""

import errno
import random
from dataclasses import dataclass, field
from pathlib import Path

PAGE_BYTES = 512


class Interrupted(Exception):
    """The node died in the middle of what it was doing."""


@dataclass(eq=False, slots=True)
class Content:
    """One file: what the kernel holds, what the disk holds, and the writes in between."""

    now: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    unsynced: list[tuple[int, bytes | None]] = field(default_factory=list)  # None: cut here


@dataclass(eq=False, slots=True)
class Folder:
    """One folder: the names in it, as the kernel holds them and as the disk does."""

    now: dict[str, "Content | Folder"] = field(default_factory=dict)
    durable: dict[str, "Content | Folder"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """A name that was given to something in a folder, or taken from it (None)."""

    folder: Folder
    name: str
    what: Content | Folder | None

    @property
    def place(self) -> tuple[int, str]:
        return id(self.folder), self.name

    def happen(self, names: dict[str, Content | Folder]) -> None:
        if self.what is None:
            names.pop(self.name, None)
        else:
            names[self.name] = self.what


class SimDisk:
    """The files of one node. Fulfils `Disk`."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self._root = Folder()
        self._changes: list[tuple[Change, ...]] = []  # of names, not durable yet, in order
        self.fuse: int | None = None  # so many calls until the node dies
        self.fails_sync = False
        self.is_full = False
        self.failures = 0  # how many errors were given out
        self.sync_is_a_lie = False  # for planted bugs

    # -- what the node calls

    def make_folder(self, folder: Path, *, durably: bool = True) -> None:
        if not isinstance(self._find(folder), Folder):
            if not isinstance(self._find(folder.parent), Folder):
                self.make_folder(folder.parent, durably=durably)
            self._give(folder, Folder())
        if durably:
            self.sync_folder(folder.parent)

    def names(self, folder: Path) -> list[str]:
        return sorted(self._folder(folder).now)

    def exists(self, path: Path) -> bool:
        return self._find(path) is not None

    def open(self, path: Path) -> "SimFile":
        found = self._find(path)
        if isinstance(found, Folder):
            raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
        if found is None:
            found = Content()
            self._give(path, found)
        return SimFile(self, found)

    def replace(self, source: Path, target: Path) -> None:
        self.count_call()
        what = self._find(source)
        if what is None:
            raise FileNotFoundError(errno.ENOENT, "no such file or folder", str(source))
        replaced = self._find(target)
        if isinstance(replaced, Folder) and replaced.now:
            raise OSError(errno.ENOTEMPTY, "the folder is not empty", str(target))
        taken = Change(self._folder(source.parent), source.name, None)
        self._change(taken, Change(self._folder(target.parent), target.name, what))

    def remove(self, path: Path) -> None:
        self.count_call()
        if self._find(path) is not None:
            self._change(Change(self._folder(path.parent), path.name, None))

    def remove_folder(self, folder: Path) -> None:
        found = self._find(folder)
        if not isinstance(found, Folder):
            return
        for name, what in sorted(found.now.items()):
            if isinstance(what, Folder):
                self.remove_folder(folder / name)
            else:
                self.remove(folder / name)
        self.remove(folder)

    def sync_folder(self, folder: Path) -> None:
        self.count_call()
        self.fail_if_spoilt()
        synced = self._folder(folder)
        if self.sync_is_a_lie:
            return
        # What is durable in one place is durable whole, and so is all that came before it there.
        durable: list[tuple[Change, ...]] = []
        waiting: list[tuple[Change, ...]] = []
        places: set[tuple[int, str]] = set()
        for changes in reversed(self._changes):
            touched = {change.place for change in changes}
            if any(change.folder is synced for change in changes) or touched & places:
                places |= touched
                durable.append(changes)
            else:
                waiting.append(changes)
        self._changes = waiting[::-1]
        _settle(durable[::-1])

    # -- what befalls it

    def count_call(self) -> None:
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                raise Interrupted

    def fail_if_spoilt(self) -> None:
        if self.fails_sync:
            self.failures += 1
            raise OSError(errno.EIO, "the disk failed")

    def fail_if_full(self) -> None:
        if self.is_full:
            self.failures += 1
            raise OSError(errno.ENOSPC, "no space is left")

    def repair(self) -> None:
        self.fails_sync = self.is_full = False

    def lose_power(self) -> None:
        """Keep what is durable and a random part of the rest."""
        lost: set[tuple[int, str]] = set()
        kept = []
        for changes in self._changes:
            places = {change.place for change in changes}
            if places & lost or self.dice.random() < 0.5:
                lost |= places
            else:
                kept.append(changes)
        _settle(kept)
        self._changes = []
        self._forget(self._root)

    # -- inside

    def _find(self, path: Path) -> Content | Folder | None:
        at: Content | Folder | None = self._root
        for name in path.parts[1:]:
            at = at.now.get(name) if isinstance(at, Folder) else None
        return at

    def _folder(self, path: Path) -> Folder:
        found = self._find(path)
        if not isinstance(found, Folder):
            raise FileNotFoundError(errno.ENOENT, "no such folder", str(path))
        return found

    def _give(self, path: Path, what: Content | Folder) -> None:
        self.count_call()
        self.fail_if_full()
        self._change(Change(self._folder(path.parent), path.name, what))

    def _change(self, *changes: Change) -> None:
        for change in changes:
            change.happen(change.folder.now)
        self._changes.append(changes)

    def _forget(self, folder: Folder) -> None:
        folder.now = dict(folder.durable)
        for _, what in sorted(folder.now.items()):
            if isinstance(what, Folder):
                self._forget(what)
            else:
                self._tear(what)

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
        disk = self._disk
        disk.count_call()
        if disk.is_full:
            self._write(offset, data[: len(data) // 2])
        disk.fail_if_full()
        self._write(offset, data)

    def truncate(self, length: int) -> None:
        self._disk.count_call()
        if length < len(self._content.now):
            del self._content.now[length:]
            self._content.unsynced.append((length, None))

    def sync(self) -> None:
        disk, content = self._disk, self._content
        disk.count_call()
        if disk.fails_sync and disk.dice.random() < 0.5:
            # The kernel may give up the pages it could not write.
            content.now = bytearray(content.durable)
            content.unsynced = []
        disk.fail_if_spoilt()
        if content.unsynced and not disk.sync_is_a_lie:
            content.durable = bytes(content.now)
            content.unsynced = []

    def close(self) -> None:
        return None

    def _write(self, offset: int, data: bytes) -> None:
        _put(self._content.now, offset, data)
        self._content.unsynced.append((offset, data))


def _settle(durable: list[tuple[Change, ...]]) -> None:
    for changes in durable:
        for change in changes:
            change.happen(change.folder.durable)


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if offset > len(content):
        content += bytes(offset - len(content))
    content[offset : offset + len(data)] = data
