"""A power cut, done to the files of a node that was killed: its records are read and used up."""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from quoth_node.testing.power.loss import (
    Mode,
    Step,
    as_done,
    is_explained,
    names_undone,
    redo,
    undo,
)
from quoth_node.testing.power.record import Entry, Kind, entries

OF_NAMES = (Kind.MADE, Kind.MOVED, Kind.REMOVED)
NOT_COVERED = "NOT COVERED"
NOTHING_UNSYNCED = "0 unsynced changes "  # how one is told that found nothing to lose
KEPT = "kept-"  # what a name meant before is kept under a name that begins so
UNSEEN = "unseen-"  # a file that is changed in a way that is not recorded has a mark of such a name


@dataclass(frozen=True, slots=True)
class PowerCut:
    """What one was like."""

    files: int = 0  # that had unsynced changes
    changes: int = 0  # ... how many
    bytes: int = 0
    modes: tuple[str, ...] = ()  # what became of them, file by file
    names: int = 0  # changes of names that were not synced
    names_undone: int = 0
    uncovered: tuple[str, ...] = ()  # files that were changed unseen: they were left as they are

    def __add__(self, other: "PowerCut") -> "PowerCut":
        return PowerCut(
            self.files + other.files,
            self.changes + other.changes,
            self.bytes + other.bytes,
            self.modes + other.modes,
            self.names + other.names,
            self.names_undone + other.names_undone,
            self.uncovered + other.uncovered,
        )

    def __str__(self) -> str:
        unseen = ", ".join(self.uncovered)
        said = ", ".join(f"{self.modes.count(mode)} {mode}" for mode in sorted(set(self.modes)))
        return (
            f"{self.changes} unsynced changes ({self.bytes} bytes) of {self.files} files"
            f"{f': {said}' if said else ''}; {self.names_undone} of {self.names} unsynced names "
            f"undone{f'; {NOT_COVERED}: {unseen}' if unseen else ''}"
        )


def power_loss(
    folder: Path, records: Path, chance: Random, *, mode: Mode | None = None
) -> PowerCut:
    """Lose what the processes that wrote into `folder` had not synced; they are all dead.

    `mode` is what happens to every file; None: each has a fate of its own. What is left counts as
    synced from now on. Raises OSError, and ValueError for a record of another version.
    """
    settle(folder, records)
    marks = sorted(path for path in records.iterdir() if path.name.startswith(UNSEEN))
    logs = {path.name: list(entries(path.read_bytes())) for path in _records(records)}
    cut = PowerCut(uncovered=tuple(map(_told_mark, marks)))
    for path in _files_of(folder, records):
        done = logs.get(record_name(path), [])
        if done and done[0].kind not in OF_NAMES:
            cut += _lose_bytes(path, done, mode or Mode.by_chance(chance), chance)
    named = {name: log for name, log in logs.items() if log and log[0].kind in OF_NAMES}
    undone = [(entry, of) for of, log in named.items() for entry in names_undone(log, chance)]
    for entry, of in sorted(undone, key=lambda one: -one[0].at_ns):
        _undo_name(_where_it_is_now(entry, of, folder), records)
    cut += PowerCut(names=sum(map(len, named.values())), names_undone=len(undone))
    for path in records.iterdir():
        path.unlink()
    return cut


def settle(folder: Path, records: Path) -> None:
    """Take from records what was not done any more when its process was killed.

    To be called before a process starts anew: what it does not see must not come up later. Others
    may be writing. Raises OSError, and ValueError for a record of another version.
    """
    files = {record_name(path): path for path in _files_of(folder, records)}
    for record in _records(records):
        with record.open("r+b") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            done = list(entries(held.read()))
            whole = sum(map(len, (entry.pack() for entry in done)))
            if done and done[-1].kind in OF_NAMES:
                last: Entry | None = _name_as_done(done[-1], record.name, folder, records)
            elif done and record.name in files:
                with files[record.name].open("rb") as file:
                    file.seek(done[-1].offset)
                    found = file.read(len(done[-1].after))
                    last = as_done(done[-1], found, os.fstat(file.fileno()).st_size)
            else:
                last = done[-1] if done else None
            if done and last is not done[-1]:
                whole -= len(done[-1].pack())
                held.seek(whole)
                whole += held.write(last.pack() if last is not None else b"")
            held.truncate(whole)


def _name_as_done(entry: Entry, of: str, folder: Path, records: Path) -> Entry | None:
    """The last change of names in a folder; None if its process was killed before it came to it."""
    path = Path(_where_it_is_now(entry, of, folder).paths[0])
    if path.exists() == (entry.kind is Kind.MADE):
        return entry
    (records / f"{KEPT}{entry.at_ns}").unlink(missing_ok=True)
    return None


def _where_it_is_now(entry: Entry, of: str, folder: Path) -> Entry:
    """The change of names, with the folder `of` called as it is now: it may have been renamed."""
    source, target = (Path(path) for path in entry.paths)
    then = target.parent if entry.kind is Kind.MOVED else source.parent
    if then.is_dir() and record_name(then) == of:
        return entry
    folders = (path for path in folder.rglob("*") if path.is_dir())
    now = next((path for path in folders if record_name(path) == of), None)
    if now is None:
        return entry
    if entry.kind is Kind.MOVED:
        source_now = now / source.name if source.parent == then else source
        return replace(entry, before=_packed(source_now), after=_packed(now / target.name))
    return replace(entry, before=_packed(now / source.name))


def _packed(path: Path) -> bytes:
    return os.fsencode(path) + b"\0"


def _records(folder: Path) -> list[Path]:
    beside = (KEPT, UNSEEN)
    return sorted(path for path in folder.iterdir() if not path.name.startswith(beside))


def _told_mark(mark: Path) -> str:
    return f"{mark.read_text(encoding='utf-8')} ({mark.name.rpartition('-')[2]})"


def _files_of(folder: Path, records: Path) -> Iterator[Path]:
    """All files, also those whose names were taken away and may come back."""
    found = {path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}
    found |= {path for path in records.iterdir() if path.name.startswith(KEPT)}
    seen: set[str] = set()
    for path in sorted(found):
        name = record_name(path)
        if name not in seen:
            seen.add(name)
            yield path


def record_name(about: Path | int) -> str:
    """The name of the record of a file or folder, given by its path or descriptor."""
    found = os.stat(about)
    return f"{found.st_dev:x}-{found.st_ino}"


def _lose_bytes(path: Path, done: Sequence[Entry], mode: Mode, chance: Random) -> PowerCut:
    if not is_explained(path.read_bytes(), done):
        return PowerCut(files=1, changes=len(done), uncovered=(f"{path} (content)",))
    fd = os.open(path, os.O_RDWR)
    try:
        for step in [*undo(done), *redo(done, mode, chance)]:
            _do(fd, step)
    finally:
        os.close(fd)
    lost = sum(len(entry.after) or abs(entry.size_after - entry.size_before) for entry in done)
    return PowerCut(files=1, changes=len(done), bytes=lost, modes=(mode.value,))


def _do(fd: int, step: Step) -> None:
    if step.data is None:
        os.ftruncate(fd, step.offset)
        return
    view, at = memoryview(step.data), step.offset
    while view:
        written = os.pwrite(fd, view, at)
        view, at = view[written:], at + written


def _undo_name(entry: Entry, records: Path) -> None:
    """Take one change of names back; where what is around it has gone, there is nothing to do."""
    before, after = entry.paths
    kept = records / f"{KEPT}{entry.at_ns}"
    if entry.kind is Kind.MADE:
        _remove(Path(before))
    elif entry.kind is Kind.REMOVED:
        if after == "folder" and Path(before).parent.is_dir():
            Path(before).mkdir(exist_ok=True)
        else:
            _put_back(kept, Path(before))
    else:
        source, target = Path(before), Path(after)
        if target.exists() and source.parent.is_dir() and not source.exists():
            target.rename(source)
            _put_back(kept, target)


def _put_back(kept: Path, path: Path) -> None:
    if kept.exists() and path.parent.is_dir() and not path.exists():
        os.link(kept, path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()
