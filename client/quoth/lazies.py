"""What a session shall read when first one of it is asked for: all of it together. Pure.

Any steps can wait. When the time comes they run side by side: the reads that they yield travel as
one request, and each is sent its own answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from quoth.commands import Command
from quoth.errors import QuothError
from quoth.multi_get import PARTS_MAX, Answer, MultiGet
from quoth.steps import Steps, ask

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Pending(Generic[T]):
    """Steps that wait. Invariant: `result` or `error` is what they came to exactly if `is_done`."""

    steps: Steps[T]
    on_eval: Callable[[T], object] | None = None
    is_done: bool = False
    result: T | None = None
    error: Exception | None = None
    asking: Command[Any] | None = None  # what the steps wait for, once they have begun

    def take(self) -> T:
        """What the steps came to."""
        assert self.is_done, "only what has run can be taken"
        if self.error is not None:
            raise self.error
        found: Any = self.result
        return found  # type: ignore[no-any-return]

    def begin(self) -> Command[Any] | None:
        """The first command, or the one that was not answered; None if there is none."""
        if self.asking is not None:
            return self.asking
        return self._advance(lambda: next(self.steps))

    def go_on(self, answer: Answer) -> Command[Any] | None:
        """The next command, after the answer to the last one."""
        result, error = answer
        if error is not None:
            return self._advance(lambda: self.steps.throw(error))
        return self._advance(lambda: self.steps.send(result))

    def _advance(self, step: Callable[[], Command[Any]]) -> Command[Any] | None:
        self.asking = None
        try:
            self.asking = step()
        except StopIteration as done:
            self.result, self.is_done = done.value, True
        except Exception as error:  # whatever a class of the program's has against its document
            self.error, self.is_done = error, True
        return self.asking


class Lazies:
    """What waits in one session."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._waiting: list[Pending[Any]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, steps: Steps[T], on_eval: Callable[[T], object] | None = None) -> Pending[T]:
        """Let steps wait; `on_eval` is called with what they come to."""
        pending = Pending(steps, on_eval)
        self._waiting.append(pending)
        return pending

    def run(self) -> Steps[None]:
        """Carry out all that waits. An error of one is kept for who asks for it."""
        ours, self._waiting = self._waiting, []
        try:
            begun = [(each, each.begin()) for each in ours]
            running = [(each, command) for each, command in begun if command is not None]
            while running:
                answers: list[Answer] = []
                for start in range(0, len(running), PARTS_MAX):
                    part = tuple(command for _, command in running[start : start + PARTS_MAX])
                    answers += yield from self._ask(part)
                moved = [
                    (each, each.go_on(answer))
                    for (each, _), answer in zip(running, answers, strict=True)
                ]
                running = [(each, command) for each, command in moved if command is not None]
        except Exception as error:
            for each in ours:
                if not each.is_done:
                    each.steps.close()
                    each.error, each.is_done = error, True
            raise
        except BaseException:
            # Whoever asked was cancelled; for the others it waits on.
            self._waiting[:0] = [each for each in ours if not each.is_done]
            raise
        for each in ours:
            if each.on_eval is not None and each.error is None:
                each.on_eval(each.result)

    def _ask(self, commands: tuple[Command[Any], ...]) -> Steps[list[Answer]]:
        if len(commands) > 1:
            return (yield from ask(MultiGet(self._database, commands)))
        try:
            return [((yield from ask(commands[0])), None)]
        except QuothError as error:
            return [(None, error)]
