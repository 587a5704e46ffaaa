"""Batches on their way: few at a time, in order, and never two that change the same document.

A batch that must be proposed again could come behind the one that was sent after it, so what shares
a name with one under way waits for it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
IN_FLIGHT_MAX = 2


@dataclass(frozen=True, slots=True)
class Flying:
    """One on its way, and what it changes."""

    task: "asyncio.Task[Exception | None]"
    names: Set[bytes]


class Flight(Generic[T]):
    """Sends batches by tasks of `tasks`. After the first that fails it takes no more."""

    def __init__(self, tasks: asyncio.TaskGroup, send: Callable[[T], Awaitable[None]]) -> None:
        self._tasks = tasks
        self._send = send
        self._flying: deque[Flying] = deque()
        self._failed: Exception | None = None

    async def add(self, batch: T, names: Set[bytes]) -> None:
        """Send a batch, once there is room. Raises what an earlier one failed with."""
        while self._flying and not self._has_room(names):
            await self._land()
        if self._failed is not None:
            raise self._failed
        task = self._tasks.create_task(self._sent(batch), name="a batch")
        self._flying.append(Flying(task, names))

    async def settled(self) -> Exception | None:
        """Return when nothing is on its way any more; what the first that failed failed with."""
        while self._flying:
            await self._land()
        return self._failed

    def _has_room(self, names: Set[bytes]) -> bool:
        if len(self._flying) >= IN_FLIGHT_MAX:
            return False
        return all(flying.names.isdisjoint(names) for flying in self._flying)

    async def _land(self) -> None:
        failed = await self._flying[0].task
        self._flying.popleft()
        self._failed = self._failed or failed

    async def _sent(self, batch: T) -> Exception | None:
        # A task that raised would have its group cancel the others, whose outcome is wanted.
        try:
            await self._send(batch)
        except Exception as error:
            return error
        return None
