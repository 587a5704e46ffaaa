"""Time and waiting, for the whole of `testing`: nobody else in it asks a clock or sleeps."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
POLL_SECONDS = 0.02


class RunClock:
    """Whole microseconds since it was made, of one monotonic clock."""

    def __init__(self) -> None:
        self._start_ns = time.monotonic_ns()

    def __call__(self) -> int:
        return (time.monotonic_ns() - self._start_ns) // 1_000


def monotonic() -> float:
    """Seconds that only grow."""
    return time.monotonic()


def wait_for(found: Callable[[], T | None], timeout_seconds: float, otherwise: str) -> T:
    """The first thing that `found` returns, asked again and again, in a thread that may block.

    Raises TimeoutError, told `otherwise`, if that does not come in time.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        if (thing := found()) is not None:
            return thing
        if time.monotonic() > deadline:
            raise TimeoutError(f"{otherwise} within {timeout_seconds:g} s")
        time.sleep(POLL_SECONDS)


def monotonic_ns() -> int:
    """Nanoseconds that only grow, the same for all processes of this machine."""
    return time.monotonic_ns()


async def pause(seconds: float) -> None:
    """Let others go on for so long, in a task."""
    await asyncio.sleep(seconds)
