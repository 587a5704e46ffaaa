"""AsyncDriver: takes the steps of a session's core, and carries each command where it must go."""

from collections.abc import Awaitable, Callable
from typing import Any, Generic, Protocol, TypeVar

from quoth.asynchronous.lines import AsyncLines
from quoth.asynchronous.turn import AsyncTurn
from quoth.commands import Command
from quoth.core import SessionCore
from quoth.lazies import Pending
from quoth.steps import Steps

T = TypeVar("T")


class AsyncExecute(Protocol):
    """What carries the commands of a session to a node."""

    def __call__(self, command: Command[Any], known_raft_index: int | None) -> Awaitable[Any]:
        """The answer."""

    def open(self, command: Command[Any], known_raft_index: int | None) -> Awaitable[AsyncLines]:
        """The answer, line by line."""


class AsyncDriver:
    """Drives generators of one session. What a command raises is raised inside the generator."""

    def __init__(self, core: SessionCore, execute: AsyncExecute) -> None:
        self.core = core
        self._execute = execute
        self._reading_lazies = AsyncTurn()

    async def __call__(self, steps: Steps[T]) -> T:
        """The result of the steps, when all their commands have been carried out."""
        steps = self.core.isolated(steps)
        try:
            command = next(steps)
            while True:
                try:
                    self.core.count_request(command)
                    result = await self._execute(command, self.core.known_raft_index)
                except BaseException as error:
                    command = steps.throw(error)
                else:
                    command = steps.send(result)
        except StopIteration as done:
            found: T = done.value
            return found

    async def open(self, command: Command[Any]) -> AsyncLines:
        """The answer to a read, line by line. Raises Misuse in a session that cannot have one."""
        self.core.check_can_stream()
        self.core.count_request(command)
        return await self._execute.open(command, self.core.known_raft_index)

    def lazily(
        self, steps: Steps[T], on_eval: Callable[[T], object] | None = None
    ) -> "AsyncLazy[T]":
        """Let steps wait until one of all that wait is needed; then all travel together."""
        return AsyncLazy(self.core.lazies.add(steps, on_eval), self)

    async def run_lazies(self) -> None:
        """Carry out all that waits."""
        async with self._reading_lazies:
            if self.core.lazies:
                await self(self.core.lazies.run())


class AsyncLazy(Generic[T]):
    """One thing to be read later.

    boss = session.advanced.lazily.load("employees/1", Employee)
    shop = session.advanced.lazily.load("shops/7", Shop)
    print((await boss.value).name)     # one request for both
    print((await shop.value).name)     # none
    """

    def __init__(self, pending: Pending[T], drive: AsyncDriver) -> None:
        self._pending = pending
        self._drive = drive

    @property
    def is_value_created(self) -> bool:
        """Whether it has been read."""
        return self._pending.is_done

    @property
    def value(self) -> Awaitable[T]:
        """What was read. The first one that is asked for reads all that waits."""
        return self._read()

    async def _read(self) -> T:
        if not self._pending.is_done:
            await self._drive.run_lazies()
        return self._pending.take()
