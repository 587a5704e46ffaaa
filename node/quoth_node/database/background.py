"""Work that goes on after its request was answered. It ends with the node, at the latest."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


class Background:
    """Owns such work."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        """Use `open_background`."""
        self._tasks = tasks
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        """Let `work` go on by itself. It must tell its own errors: one that leaves it is ours."""
        task = self._tasks.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def cancel(self) -> None:
        """End all that is under way."""
        for task in self._running:
            task.cancel()


@asynccontextmanager
async def open_background() -> AsyncIterator[Background]:
    """A place for such work; what is not done when the block is left is cancelled."""
    async with asyncio.TaskGroup() as tasks:
        background = Background(tasks)
        try:
            yield background
        finally:
            background.cancel()
