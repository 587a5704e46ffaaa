"""Current reads on every node: one quorum round for all reads that wait.

A leader that still leads knows the commit index that covers every acknowledged write (Raft
dissertation, 6.4). It asks its peers whether its term is still the newest they know; a majority
of yes, itself included, came after the read began, so no newer leader had acknowledged anything
before.
A follower asks its leader, then waits until it has applied that far itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable


class Rounds:
    """Runs one round at a time; whoever joins takes part in the next that starts after."""

    def __init__(self, run_one: Callable[[], Awaitable[int | None]]) -> None:
        self._run_one = run_one
        self._joined: list[asyncio.Future[int | None]] = []
        self._wake = asyncio.Event()

    async def join(self) -> int | None:
        """The log index to wait for, or None if no quorum confirmed it."""
        future: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._joined.append(future)
        self._wake.set()
        return await future

    async def run(self) -> None:
        """Serve rounds until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            # A round that starts now began after each of these joined; later ones get the next.
            joined, self._joined = self._joined, []
            result = await self._run_one()
            for future in joined:
                if not future.done():
                    future.set_result(result)


async def count_yes(answers: Iterable[Coroutine[None, None, bool]], *, enough: int) -> int:
    """How many of the answers are yes; once `enough` are, the rest are not waited for."""
    yes = 0
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(answer) for answer in answers]  # in order: runs can be replayed
        waiting = set(asked)
        while waiting and yes < enough:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            yes += sum(task.result() for task in done)
        for task in asked:
            task.cancel()
    return yes
