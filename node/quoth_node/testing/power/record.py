"""The form of a record: what was done to one file or folder since it was synced last.

`interposer.c` writes it, and `python_recorder.py` where there is no compiler. All integers are
little-endian, as the machine that wrote it has them; a record never leaves that machine.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

MAGIC = 0x31505751  # "QWP1": the version is part of it
HEAD = struct.Struct("<IIQQQQQQ")


class Kind(IntEnum):
    """What an entry says was done."""

    CHANGE = 1  # bytes, or the length, of a file
    DURABLE = 2  # ... by a call that returns when it is on disk
    MADE = 3  # a file or folder
    MOVED = 4  # ... to another name, perhaps in place of another
    REMOVED = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done. Of names, `before` and `after` are paths that end with a zero."""

    kind: Kind
    at_ns: int
    offset: int
    size_before: int
    size_after: int
    before: bytes
    after: bytes

    def pack(self) -> bytes:
        """Its bytes."""
        lengths = len(self.before), len(self.after)
        head = HEAD.pack(
            MAGIC,
            self.kind,
            self.at_ns,
            self.offset,
            self.size_before,
            self.size_after,
            *lengths,
        )
        return head + self.before + self.after

    @property
    def paths(self) -> tuple[str, str]:
        """What a change of names is about."""
        before, after = (one.rstrip(b"\0").decode() for one in (self.before, self.after))
        return before, after


def entries(data: bytes) -> Iterator[Entry]:
    """All whole entries; the last one may be cut short, and then its change was not made.

    Raises ValueError if it is no record.
    """
    at = 0
    while at + HEAD.size <= len(data):
        magic, kind, at_ns, offset, size_before, size_after, before_len, after_len = (
            HEAD.unpack_from(data, at)
        )
        if magic != MAGIC:
            raise ValueError(f"at {at}: not an entry of this version")
        middle = at + HEAD.size + before_len
        end = middle + after_len
        if end > len(data):
            return
        before, after = data[at + HEAD.size : middle], data[middle:end]
        yield Entry(Kind(kind), at_ns, offset, size_before, size_after, before, after)
        at = end
