"""Time and chance for the client, handed in by the store, so that a test needs neither."""

import asyncio
import os
import random
import time
from typing import Protocol


class Clock(Protocol):
    """What the client may know of time and chance."""

    def monotonic(self) -> float:
        """Seconds; never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Let other tasks go on for so long."""

    def sleep_blocking(self, seconds: float) -> None:
        """Let other threads go on for so long."""

    def jitter(self) -> float:
        """Between 0.5 and 1.0, so that clients which failed together do not come back together."""

    def new_request_id(self) -> str:
        """An id no other request has."""


class SystemClock:
    """The clock and the dice of this machine."""

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def sleep_blocking(self, seconds: float) -> None:
        time.sleep(seconds)

    def jitter(self) -> float:
        return random.uniform(0.5, 1.0)

    def new_request_id(self) -> str:
        # A UUID that begins with the time (RFC 9562, version 7), without the object around it.
        # Nodes keep answers by these ids: those of one moment lie side by side, in few pages.
        milliseconds = f"{time.time_ns() // 1_000_000 & 0xFFFF_FFFF_FFFF:012x}"
        digits = os.urandom(10).hex()
        variant = "89ab"[int(digits[3], 16) & 3]
        return (
            f"{milliseconds[:8]}-{milliseconds[8:]}-7{digits[:3]}-{variant}{digits[4:7]}-"
            f"{digits[7:19]}"
        )
