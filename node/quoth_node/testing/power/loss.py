"""What a power cut leaves of a file and of names. Pure: entries and chance in, decisions out.

A disk promises that what was synced is there. Of the rest each sector of 512 bytes may be there or
not, in any order, the length may have grown or not; names of a folder come and go in the order in
which they were changed, up to some point.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
    torn = {Mode.SHUFFLED: len(entries), Mode.PREFIX: whole + 1}.get(mode, 0)
    for number, entry in enumerate(entries):
        if entry.kind is Kind.DURABLE or number < whole:
            kept += _all_of(entry)
        elif number < torn:
            kept += _torn(entry, chance)
    if mode is Mode.SHUFFLED and entries and chance.random() < 0.5:
        # The length is no part of the bytes: it may be there before they are, with zeros.
        kept.append(Step(entries[-1].size_after, None))
    return kept


def _all_of(entry: Entry) -> list[Step]:
    if entry.after:
        return [Step(entry.offset, entry.after)]
    return [Step(entry.size_after, None)]


def _torn(entry: Entry, chance: Random) -> list[Step]:
    """Any of its sectors, as they lie on the disk."""
    if not entry.after:
        return _all_of(entry) if chance.random() < 0.5 else []
    steps = []
    at, end = entry.offset, entry.offset + len(entry.after)
    while at < end:
        upto = min(end, (at // SECTOR + 1) * SECTOR)
        if chance.random() < 0.5:
            steps.append(Step(at, entry.after[at - entry.offset : upto - entry.offset]))
        at = upto
    return steps


def names_undone(entries: Sequence[Entry], chance: Random) -> list[Entry]:
    """Which changes of names in one folder are not there, the last one first."""
    return list(reversed(entries[chance.randint(0, len(entries)) :]))
