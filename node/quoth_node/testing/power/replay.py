"""A power cut, done to the files of a node that was killed: its records are read and used up."""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from quoth_node.testing.power.loss import Mode, Step, names_undone, redo, undo
from quoth_node.testing.power.record import Entry, Kind, entries

OF_NAMES = (Kind.MADE, Kind.MOVED, Kind.REMOVED)
KEPT = "kept-"  # what a name meant before is kept under a name that begins so


@dataclass(frozen=True, slots=True)
class PowerCut:
    """What one was like."""

    files: int = 0  # that had unsynced changes
    changes: int = 0  # ... how many
    bytes: int = 0
    modes: tuple[str, ...] = ()  # what became of them, file by file
    names: int = 0  # changes of names that were not synced
    names_undone: int = 0

    def __add__(self, other: "PowerCut") -> "PowerCut":
        return PowerCut(
            self.files + other.files,
            self.changes + other.changes,
            self.bytes + other.bytes,
            self.modes + other.modes,
            self.names + other.names,
            self.names_undone + other.names_undone,
        )

    def __str__(self) -> str:
        said = ", ".join(f"{self.modes.count(mode)} {mode}" for mode in sorted(set(self.modes)))
        return (
            f"{self.changes} unsynced changes ({self.bytes} bytes) of {self.files} files"
            f"{f': {said}' if said else ''}; {self.names_undone} of {self.names} unsynced names "
            "undone"
        )


def power_loss(
    folder: Path, records: Path, chance: Random, *, mode: Mode | None = None
) -> PowerCut:
    """Lose what the processes that wrote into `folder` had not synced; they are all dead.

    `mode` is what happens to every file; None: each has a fate of its own. What is left counts as
    synced from now on. Raises OSError, and ValueError for a record of another version.
    """
    logs = {
        path.name: list(entries(path.read_bytes()))
        for path in sorted(records.iterdir())
        if not path.name.startswith(KEPT)
    }
    cut = PowerCut()
    for path in _files_of(folder, records):
        done = logs.get(record_name(path), [])
        if done and done[0].kind not in OF_NAMES:
            cut += _lose_bytes(path, done, mode or Mode.by_chance(chance), chance)
    named = [log for log in logs.values() if log and log[0].kind in OF_NAMES]
    undone = [entry for log in named for entry in names_undone(log, chance)]
    for entry in sorted(undone, key=lambda entry: -entry.at_ns):
        _undo_name(entry, records)
    cut += PowerCut(names=sum(map(len, named)), names_undone=len(undone))
    for path in records.iterdir():
        path.unlink()
    return cut


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
