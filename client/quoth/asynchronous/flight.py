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
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way: asyncio.TaskGroup | None = None

    async def begin(self) -> None:
        """From now on chunks may be added."""
        self._under_way = await asyncio.TaskGroup().__aenter__()

    @property
    def is_full(self) -> bool:
        """Whether one must land before another is added."""
        return len(self._tasks) >= AT_ONCE

    def add(self, chunk: Chunk) -> None:
        """Send a chunk, and do not wait for it."""
        assert self._under_way is not None, "begun before"
        task = self._under_way.create_task(self._one(chunk))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def one_landed(self) -> None:
        """Wait until one of those on their way has landed. Any number of tasks may wait."""
        await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def settle(self) -> None:
        """Wait until nothing is on its way."""
        while self._tasks:
            await self.one_landed()

    async def end(self, error: BaseException | None) -> None:
        """Wait for what is on its way; if the task was cancelled, that is cancelled too."""
        assert self._under_way is not None, "begun before"
        if isinstance(error, asyncio.CancelledError):
            await self._under_way.__aexit__(type(error), error, error.__traceback__)
        else:
            await self._under_way.__aexit__(None, None, None)

    async def _one(self, chunk: Chunk) -> None:
        await self._carry(chunk)
