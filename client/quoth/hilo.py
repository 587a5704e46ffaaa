"""Ids without asking: the cluster lends ranges of numbers, and ids are counted off them here.

`companies/1-A` is number 1 of a range lent by node A. Numbers of a range that is never used up are
given back when the store is closed; those of a client that dies are lost, which costs nothing but
the gap. Shared by all sessions of a store, on any thread.
"""

from collections import deque
from dataclasses import dataclass, field
from threading import Lock

from quoth.commands import HiLoRange


@dataclass(slots=True)
class _Series:
    """The ranges of one tag. Invariant: `following` is the number after the last one handed out."""

    ranges: deque[HiLoRange] = field(default_factory=deque)
    following: int = 0
    last: HiLoRange | None = None


class HiLo:
    """The ranges lent to one store for one database."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._series: dict[str, _Series] = {}

    def take(self, tag: str) -> str | None:
        """The next id of a tag; None if a range must be borrowed first."""
        with self._lock:
            series = self._series.get(tag)
            if series is None or not series.ranges:
                return None
            lent = series.ranges[0]
            number = series.following
            series.following += 1
            if number == lent.high:
                series.ranges.popleft()
                series.following = series.ranges[0].low if series.ranges else 0
            return f"{lent.prefix}{number}-{lent.node_tag}"

    def last_range(self, tag: str) -> HiLoRange | None:
        """What was borrowed last: the server sizes the next range by how fast this one went."""
        with self._lock:
            series = self._series.get(tag)
            return series.last if series else None

    def lend(self, tag: str, lent: HiLoRange) -> None:
        """A range has been borrowed. Two sessions that ran out at once both bring one."""
        with self._lock:
            series = self._series.setdefault(tag, _Series())
            if not series.ranges:
                series.following = lent.low
            series.ranges.append(lent)
            series.last = lent

    def give_back(self) -> list[tuple[str, int, int]]:
        """Forget everything; (tag, end of the range, last number used) for each open range."""
        with self._lock:
            left = [
                (tag, series.ranges[0].high, series.following - 1)
                for tag, series in self._series.items()
                if series.ranges
            ]
            self._series.clear()
            return left
