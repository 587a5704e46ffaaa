"""A number that only grows, and those who wait for it to be reached."""

import asyncio
import heapq

GONE_MIN = 64


class Watermark:
    """Wake and pull: the producer moves the number, each waiter learns when its own is reached."""

    def __init__(self, value: int = 0) -> None:
        self.value = value
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._gone = 0  # how many of those gave up, about
        self._ticket = 0  # orders waiters of one number; futures do not compare

    def advance(self, value: int) -> None:
        """Move to `value` and wake those it satisfies."""
        assert value >= self.value, f"{value} after {self.value}"
        self.value = value
        while self._waiting and self._waiting[0][0] <= value:
            _, _, future = heapq.heappop(self._waiting)
            if not future.done():
                future.set_result(None)

    async def reached(self, value: int) -> None:
        """Return once the number is at least `value`."""
        if self.value >= value:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ticket += 1
        heapq.heappush(self._waiting, (value, self._ticket, future))
        try:
            await future
        finally:
            if future.cancelled():
                self._forget_one()

    def _forget_one(self) -> None:
        """Somebody gave up; once many have, let go of what waits for them."""
        self._gone += 1
        if self._gone > max(GONE_MIN, len(self._waiting) // 2):
            self._waiting = [waiting for waiting in self._waiting if not waiting[2].done()]
            heapq.heapify(self._waiting)
            self._gone = 0

    async def reached_within(self, value: int, *, seconds: float) -> bool:
        """Whether the number is at least `value` within the time."""
        if self.value >= value:
            return True
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await self.reached(value)
        except TimeoutError:
            return self.value >= value
        return True
