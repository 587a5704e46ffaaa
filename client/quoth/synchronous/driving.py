# Made from asynchronous/driving.py by `python -m scripts.twins`: change that one.
"""Driver: takes the steps of a session's core, and carries each command where it must go."""

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from quoth.commands import Command
from quoth.core import SessionCore
from quoth.lazies import Pending
from quoth.steps import Steps
from quoth.synchronous.lines import Lines
from quoth.synchronous.turn import Turn

T = TypeVar("T")


class Execute(Protocol):
    """What carries the commands of a session to a node."""

    def __call__(self, command: Command[Any], known_raft_index: int | None) -> Any:
        """The answer."""

    def open(self, command: Command[Any], known_raft_index: int | None) -> Lines:
        """The answer, line by line."""


class Driver:
    """Drives generators of one session. What a command raises is raised inside the generator."""

    def __init__(self, core: SessionCore, execute: Execute) -> None:
        self.core = core
        self._execute = execute
        self._reading_lazies = Turn()

    def __call__(self, steps: Steps[T]) -> T:
        """The result of the steps, when all their commands have been carried out."""
        steps = self.core.isolated(steps)
        try:
            command = next(steps)
            while True:
                try:
                    self.core.count_request(command)
                    result = self._execute(command, self.core.known_raft_index)
                except BaseException as error:
                    command = steps.throw(error)
                else:
                    command = steps.send(result)
        except StopIteration as done:
            found: T = done.value
            return found

    def open(self, command: Command[Any]) -> Lines:
        """The answer to a read, line by line. Raises Misuse in a session that cannot have one."""
        self.core.check_can_stream()
        self.core.count_request(command)
        return self._execute.open(command, self.core.known_raft_index)

    def lazily(self, steps: Steps[T], on_eval: Callable[[T], object] | None = None) -> "Lazy[T]":
        """Let steps wait until one of all that wait is needed; then all travel together."""
        return Lazy(self.core.lazies.add(steps, on_eval), self)

    def run_lazies(self) -> None:
        """Carry out all that waits."""
        with self._reading_lazies:
            if self.core.lazies:
                self(self.core.lazies.run())


class Lazy(Generic[T]):
    """One thing to be read later.

    boss = session.advanced.lazily.load("employees/1", Employee)
    shop = session.advanced.lazily.load("shops/7", Shop)
    print((boss.value).name)     # one request for both
    print((shop.value).name)     # none
    """

    def __init__(self, pending: Pending[T], drive: Driver) -> None:
        self._pending = pending
        self._drive = drive

    @property
    def is_value_created(self) -> bool:
        """Whether it has been read."""
        return self._pending.is_done

    @property
    def value(self) -> T:
        """What was read. The first one that is asked for reads all that waits."""
        return self._read()

    def _read(self) -> T:
        if not self._pending.is_done:
            self._drive.run_lazies()
        return self._pending.take()
