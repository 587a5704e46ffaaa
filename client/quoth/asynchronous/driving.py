"""AsyncDriver: takes the steps of a session's core, and carries each command where it must go."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from quoth.commands import Command
from quoth.core import SessionCore, Steps

T = TypeVar("T")
AsyncExecute = Callable[[Command[Any], int | None], Awaitable[Any]]


class AsyncDriver:
    """Drives generators of one session. What a command raises is raised inside the generator."""

    def __init__(self, core: SessionCore, execute: AsyncExecute) -> None:
        self.core = core
        self._execute = execute

    async def __call__(self, steps: Steps[T]) -> T:
        """The result of the steps, when all their commands have been carried out."""
        try:
            command = next(steps)
            while True:
                try:
                    result = await self._execute(command, self.core.known_raft_index)
                except BaseException as error:
                    command = steps.throw(error)
                else:
                    command = steps.send(result)
        except StopIteration as done:
            found: T = done.value
            return found
