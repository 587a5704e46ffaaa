"""Time and chance, handed in.

Nobody below `node.py` reads a clock or rolls a die by itself: these two doors are given to the
parts that need them, so one seed replays a run. The formats of time on the wire live here too.
"""

import random
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol
from uuid import UUID

MICROS_PER_SECOND = 1_000_000
SECONDS_KEPT = 4_096  # texts of seconds


class Clock(Protocol):
    """Two clocks: one that only goes forward, for waiting; one that people read, for stamps."""

    def monotonic(self) -> float:
        """Seconds; never goes back."""

    def now_micros(self) -> int:
        """Microseconds since 1970-01-01 UTC; may jump."""


class Chance(Protocol):
    """Where randomness comes from."""

    def uniform(self, low: float, high: float) -> float:
        """A float between `low` and `high`."""

    def uuid(self) -> UUID:
        """A random UUID."""


class SystemClock:
    """The clocks of this machine."""

    def monotonic(self) -> float:
        return time.monotonic()

    def now_micros(self) -> int:
        return time.time_ns() // 1_000


class SeededChance:
    """Chance from a seed; None takes one from the machine."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)

    def uuid(self) -> UUID:
        return UUID(int=self._random.getrandbits(128), version=4)


def to_wire(at_micros: int) -> str:
    """`2026-01-02T03:04:05.1234560Z`: seven digits, which the official clients insist on."""
    seconds, micros = divmod(at_micros, MICROS_PER_SECOND)
    return f"{_second_to_wire(seconds)}.{micros:06d}0Z"


@lru_cache(SECONDS_KEPT)
def _second_to_wire(seconds: int) -> str:
    """Documents that are asked for together were often written together."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def from_wire(text: str) -> int:
    """Microseconds since the epoch of a wire time; up to seven fraction digits, `Z` optional.

    Raises ValueError if `text` is not a time.
    """
    whole, _, fraction = text.rstrip("Z").partition(".")
    moment = datetime.fromisoformat(whole).replace(tzinfo=UTC)
    micros = int((fraction[:6] or "0").ljust(6, "0"))
    return int(moment.timestamp()) * MICROS_PER_SECOND + micros
