"""Lanes: who asks while others of the same kind are under way waits, and all that wait go together.

    lane is free           the first goes at once, alone
    lane is taken          who comes waits
    a flight comes back    all that wait are the next one; if it is only one, it goes alone

A lane has two flights, or some more if the node is far away. There are no timers: nobody waits who
could go. A read goes with a request that is sent after it was asked, never with one that is under
way. Used by any number of tasks or threads.
"""

from collections import OrderedDict
from threading import Lock
from typing import Any

from quoth.batches import SaveBatch
from quoth.commands import Command
from quoth.conventions import Conventions
from quoth.options import LoadBalanceBehavior
from quoth.reads import GetDocuments
from quoth.together import Asked, Kind, Loads, Saves, Told

# To a node near by the processor is what is scarce: while it works on one request, the answers of
# the last one are worked on here. To one far away time is, so more are under way.
FLIGHTS_NEAR, FLIGHTS_FAR = 2, 8


class Lane:
    """Commands of one kind on their way.

    Invariant: somebody waits only if all flights are taken.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._lock = Lock()
        self._flights = 0
        self._flights_max = FLIGHTS_NEAR
        self._flying = 0  # how many are on them
        self._fastest_seconds = kind.near_seconds  # of a flight, of late
        self._waiting: OrderedDict[Asked, None] = OrderedDict()  # any of them may give up
        self.runway: Any = None  # of tasks: one flight lands at a time

    @property
    def is_near(self) -> bool:
        """Whether the processor is what is scarce, and not time."""
        return self._flights_max == FLIGHTS_NEAR

    def enter(self, asked: Asked | None = None) -> bool:
        """Take a flight; if there is none and somebody is named, it waits from now on."""
        with self._lock:
            if self._flights < self._flights_max:
                self._flights += 1
                self._flying += 1
                return True
            if asked is not None:
                self._waiting[asked] = None
            return False

    def leave(self, landed: int, seconds: float | None) -> list[list[Asked]]:
        """A flight has come back: the groups that take off now.

        `landed` were on it, and it took `seconds`; None if it failed, which tells nothing of the
        way.
        """
        with self._lock:
            if seconds is not None:
                # A load of the machine makes flights slow, but not the fastest one.
                self._fastest_seconds = min(seconds, self._fastest_seconds * 1.02)
                is_near = self._fastest_seconds < self.kind.near_seconds
                self._flights_max = FLIGHTS_NEAR if is_near else FLIGHTS_FAR
            self._flights -= 1
            self._flying -= landed
            # All flights shall be alike.
            count_max = -(-(self._flying + len(self._waiting)) // self._flights_max)
            groups = []
            while self._waiting and self._flights < self._flights_max:
                groups.append(self._next_group(count_max))
                self._flights += 1
                self._flying += len(groups[-1])
            return groups

    def give_up(self, asked: Asked) -> int:
        """Somebody waits no more; how many it had on a flight, which must be handed over now."""
        with self._lock:
            self._waiting.pop(asked, None)
            if asked.outcome not in (Told.GO, Told.LEAD):
                return 0
            # Whom it would have led waits again.
            for other in reversed(asked.group[1:]):
                self._waiting[other] = None
                self._waiting.move_to_end(other, last=False)
            return len(asked.group)

    def _next_group(self, count_max: int) -> list[Asked]:
        group: list[Asked] = []
        size = 0
        for asked in self._waiting:
            size += asked.size
            if group and (size > self.kind.size_max or len(group) == count_max):
                break
            group.append(asked)
        for asked in group:
            del self._waiting[asked]
        group[0].group = group
        group[0].outcome = Told.LEAD if len(group) > 1 else Told.GO
        return group


class Lanes:
    """The lanes of one database."""

    def __init__(self, conventions: Conventions) -> None:
        self._conventions = conventions
        self._saves, self._loads = Saves(), Loads()
        self._save_lane, self._load_lane = Lane(self._saves), Lane(self._loads)
        self.loop: Any = None  # whose tasks use them

    def may_be_cached(self, command: Command[Any], no_caching: bool) -> bool:
        """Whether an answer to the command can be kept."""
        is_on = self._conventions.cache_bytes_max > 0 and not no_caching
        return is_on and isinstance(command, GetDocuments)

    def of(self, command: Command[Any], no_caching: bool = False) -> Lane | None:
        """Where a command goes; None if it never shares a request."""
        balance = self._conventions.load_balance_behavior
        if not self._conventions.shares_requests or balance is not LoadBalanceBehavior.NONE:
            return None
        if isinstance(command, GetDocuments):
            if self.may_be_cached(command, no_caching):
                return None
            return self._load_lane if self._loads.fits(command) else None
        if isinstance(command, SaveBatch):
            return self._save_lane if self._saves.fits(command) else None
        return None
