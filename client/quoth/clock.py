"""Time and chance for the client, handed in by the store, so that a test needs neither."""

import asyncio
import random
import time
from typing import Protocol
from uuid import uuid4


class Clock(Protocol):
    """What the executor may know of time and chance."""

    def monotonic(self) -> float:
        """Seconds; never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Let other tasks go on for so long."""

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

    def jitter(self) -> float:
        return random.uniform(0.5, 1.0)

    def new_request_id(self) -> str:
        return str(uuid4())
