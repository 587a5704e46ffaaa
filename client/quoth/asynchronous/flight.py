"""AsyncFlight: chunks on their way, two at once. By hand in both folders."""

import asyncio
from collections.abc import Awaitable, Callable

from quoth.bulk_insert import Chunk

AT_ONCE = 2


class AsyncFlight:
    """Carries chunks while the next one is being filled.

    `carry` notes what becomes of a chunk, and raises nothing but what must end everything.
    """

    def __init__(self, carry: Callable[[Chunk], Awaitable[None]]) -> None:
        self._carry = carry
        self._room = asyncio.Semaphore(AT_ONCE)
        self._under_way: asyncio.TaskGroup | None = None

    async def begin(self) -> None:
        """From now on chunks may be added."""
        self._under_way = await asyncio.TaskGroup().__aenter__()

    async def add(self, chunk: Chunk) -> None:
        """Send a chunk; waits while two are on their way."""
        assert self._under_way is not None, "begun before"
        await self._room.acquire()
        self._under_way.create_task(self._one(chunk))

    async def settle(self) -> None:
        """Wait until nothing is on its way."""
        for _ in range(AT_ONCE):
            await self._room.acquire()
        for _ in range(AT_ONCE):
            self._room.release()

    async def end(self, error: BaseException | None) -> None:
        """Wait for what is on its way; if the task was cancelled, that is cancelled too."""
        assert self._under_way is not None, "begun before"
        if isinstance(error, asyncio.CancelledError):
            await self._under_way.__aexit__(type(error), error, error.__traceback__)
        else:
            await self._under_way.__aexit__(None, None, None)

    async def _one(self, chunk: Chunk) -> None:
        try:
            await self._carry(chunk)
        finally:
            self._room.release()
