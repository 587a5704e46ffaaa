"""Where clients write down what they do, and the one clock of a run."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from quoth_node.testing.history import Operation
from quoth_node.testing.workloads.speaker import NotDone, Open, Speaker

T = TypeVar("T")


class Recorder:
    """The operations of one workload, as they end."""

    def __init__(self, workload: str, *, now: Callable[[], int]) -> None:
        """`now` gives whole microseconds since the run began."""
        self.workload = workload
        self.operations: list[Operation] = []
        self.now = now

    def note(
        self,
        *,
        client: int,
        key: str,
        f: str,
        input: tuple[Any, ...] = (),
        output: Any = None,
        call: int,
        ok: bool | None,
        index: int | None = None,
        node: str = "",
    ) -> Operation:
        """Write down an operation that ends now, or (`ok` None) whose outcome nobody told."""
        one = Operation(
            client=client,
            key=key,
            f=f,
            input=input,
            output=output,
            call=call,
            returned=None if ok is None else self.now(),
            ok=ok,
            index=index,
            node=node,
            workload=self.workload,
        )
        self.operations.append(one)
        return one

    async def outcome(self, asked: Awaitable[T]) -> tuple[bool | None, T | None]:
        """What came of it: `ok` of an operation, and the answer, if there is one."""
        try:
            return True, await asked
        except NotDone:
            return False, None
        except Open:
            return None, None

    async def during(
        self,
        asked: Awaitable[T],
        *,
        client: int,
        key: str,
        f: str,
        input: tuple[Any, ...] = (),
        output: Callable[[T], Any] = lambda told: None,
        node: str = "",
    ) -> T | None:
        """Ask, and write down what came of it; None if it was not done, or nobody told.

        `output` says what of the answer is written down.
        """
        call = self.now()
        ok, told = await self.outcome(asked)
        written = output(told) if told is not None else None
        self.note(
            client=client,
            key=key,
            f=f,
            input=input,
            output=written,
            call=call,
            ok=ok,
            node=node,
        )
        return told


@dataclass(frozen=True, slots=True)
class Notes:
    """What one client writes down, as told by the node that it asked last."""

    recorder: Recorder
    client: int
    speaker: Speaker

    def __call__(
        self,
        key: str,
        f: str,
        input: tuple[Any, ...],
        output: Any,
        call: int,
        ok: bool | None,
        index: int | None = None,
    ) -> None:
        """An operation that ends now; see `Recorder.note`."""
        self.recorder.note(
            client=self.client,
            key=key,
            f=f,
            input=input,
            output=output,
            call=call,
            ok=ok,
            index=index,
            node=self.speaker.node,
        )
