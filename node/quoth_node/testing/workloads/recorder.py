"""Where clients write down what they do, and the one clock of a run."""

from collections.abc import Callable
from typing import Any

from quoth_node.testing.history import Operation


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
