"""What a power cut leaves of a file and of names. Pure: entries and chance in, decisions out.

A disk promises that what was synced is there. Of the rest each sector of 512 bytes may be there or
not, in any order, the length may have grown or not; names of a folder come and go in the order in
which they were changed, up to some point.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from random import Random

from quoth_node.testing.power.record import Entry, Kind

SECTOR = 512


class Mode(Enum):
    """What happens to the unsynced changes of one file."""

    LOST = "lost"
    KEPT = "kept"
    PREFIX = "prefix"  # up to one of them, of which a part is there
    SHUFFLED = "shuffled"  # any sector of any of them

    @classmethod
    def by_chance(cls, chance: Random) -> "Mode":
        """Any of them; the nasty ones more often."""
        [mode] = chance.choices(list(cls), weights=(3, 1, 3, 3))
        return mode


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do to a file: write bytes at an offset, or set its length (`data` None)."""

    offset: int
    data: bytes | None


def undo(entries: Sequence[Entry]) -> list[Step]:
    """How a file becomes what it was when it was synced last."""
    steps = []
    for entry in reversed(entries):
        steps.append(Step(entry.size_before, None))
        if entry.before:
            steps.append(Step(entry.offset, entry.before))
    return steps


def redo(entries: Sequence[Entry], mode: Mode, chance: Random) -> list[Step]:
    """What of the changes is there in spite of it, to be done after `undo`."""
    kept: list[Step] = []
    whole = {Mode.KEPT: len(entries), Mode.PREFIX: chance.randint(0, len(entries))}.get(mode, 0)
    torn = {Mode.SHUFFLED: len(entries), Mode.PREFIX: whole + 1}.get(mode, whole)
    there = _sectors_there(entries, whole, torn, chance)
    for number, entry in enumerate(entries):
        if entry.after:
            kept += _pieces(number, entry, there)
        elif entry.kind is Kind.DURABLE or number < whole:
            kept += _all_of(entry)
        elif number < torn and chance.random() < 0.5:
            kept += _all_of(entry)
    if mode is Mode.SHUFFLED and entries and chance.random() < 0.5:
        # The length is no part of the bytes: it may be there before they are, with zeros.
        kept.append(Step(entries[-1].size_after, None))
    return kept


def _all_of(entry: Entry) -> list[Step]:
    if entry.after:
        return [Step(entry.offset, entry.after)]
    return [Step(entry.size_after, None)]


def _sectors_there(
    entries: Sequence[Entry], whole: int, torn: int, chance: Random
) -> dict[int, int]:
    """For each sector the last entry that is there of it; -1 if none is.

    Entries before `whole` are there, those from `torn` on are not, but for durable ones. A sector
    is written as the system has it in memory, with all that came before.
    """
    sure: dict[int, int] = {}
    possible: dict[int, list[int]] = {}
    for number, entry in enumerate(entries):
        end = entry.offset + len(entry.after)
        for sector in range(entry.offset // SECTOR, -(-end // SECTOR) if entry.after else 0):
            sure.setdefault(sector, -1)
            if entry.kind is Kind.DURABLE or number < whole:
                sure[sector] = number
            elif number < torn:
                possible.setdefault(sector, []).append(number)
    return {
        sector: max(least, chance.choice([least, *possible.get(sector, ())]))
        for sector, least in sure.items()
    }


def _pieces(number: int, entry: Entry, there: Mapping[int, int]) -> list[Step]:
    """What of the bytes is there, as they lie in sectors; whole if they all are."""
    end = entry.offset + len(entry.after)
    sectors = range(entry.offset // SECTOR, -(-end // SECTOR))
    if all(number <= there[sector] for sector in sectors):
        return _all_of(entry)
    steps = []
    for sector in sectors:
        start, stop = max(entry.offset, sector * SECTOR), min(end, (sector + 1) * SECTOR)
        if number <= there[sector]:
            data = entry.after[start - entry.offset : stop - entry.offset]
            steps.append(Step(start, data))
    return steps


def play(content: bytearray, steps: Sequence[Step]) -> None:
    """Do them to the bytes of a file."""
    for step in steps:
        end = step.offset + len(step.data or b"")
        content.extend(bytes(max(0, end - len(content))))
        if step.data is None:
            del content[end:]
        else:
            content[step.offset : end] = step.data


def is_explained(found: bytes, entries: Sequence[Entry]) -> bool:
    """Whether a file is what its record says. If not, something changed it that was not seen."""
    content = bytearray(found)
    play(content, undo(entries))
    play(content, [step for entry in entries for step in _all_of(entry)])
    return content == found


def as_done(entry: Entry, found: bytes, size: int) -> Entry | None:
    """The last entry of a file's record as it was really done: its process may have been killed.

    `found` is what is in the file now, `size` bytes long, where the entry says it wrote. None: it
    did not come to it. The system writes from the first byte on.
    """
    if not entry.after:
        return entry if size == entry.size_after else None
    done = _shared_length(found, entry.after)
    if done == len(entry.after) or found[done:] != entry.before[done:]:
        return entry  # what is there instead, no kill explains
    return replace(entry, after=entry.after[:done], size_after=size) if done else None


def _shared_length(one: bytes, other: bytes) -> int:
    """How many first bytes are the same."""
    pairs = enumerate(zip(one, other, strict=False))
    shorter = min(len(one), len(other))
    return next((at for at, (left, right) in pairs if left != right), shorter)


def names_undone(entries: Sequence[Entry], chance: Random) -> list[Entry]:
    """Which changes of names in one folder are not there, the last one first."""
    return list(reversed(entries[chance.randint(0, len(entries)) :]))
