"""Patches of one document take turns, so a hot document is patched again and again, not in vain."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from quoth_cluster.errors import Busy

WAITING_MAX = 4_096
EVALUATING_MAX = 32  # patches that hold a snapshot; the scripts of most of them wait

Name = tuple[str, bytes]  # a database and a folded id


@dataclass(slots=True)
class Turn:
    """One document. Invariant: kept while somebody holds its lock or waits for it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Turns:
    """One at a time for each document; who needs several takes them in order: nobody is stuck."""

    def __init__(self) -> None:
        self.evaluating = asyncio.Semaphore(EVALUATING_MAX)
        self._turns: dict[Name, Turn] = {}
        self._waiting = 0

    @asynccontextmanager
    async def of(self, names: Iterable[Name]) -> AsyncIterator[None]:
        """Hold the turns of all names. Raises Busy if too many wait."""
        if self._waiting >= WAITING_MAX:
            raise Busy(f"{WAITING_MAX} patches wait for their turn here")
        self._waiting += 1
        try:
            async with AsyncExitStack() as held:
                for name in sorted(set(names)):
                    turn = self._turns.setdefault(name, Turn())
                    turn.users += 1
                    held.callback(self._leave, name, turn)
                    await held.enter_async_context(turn.lock)
                yield
        finally:
            self._waiting -= 1

    def _leave(self, name: Name, turn: Turn) -> None:
        turn.users -= 1
        if turn.users == 0:
            del self._turns[name]
