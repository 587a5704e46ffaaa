"""Network: carries out what executors decide, and blocks. By hand in both folders."""

from typing import Any, TypeVar

from quoth.clock import Clock
from quoth.executor import Open, Step, WireSteps
from quoth.transport import HttpRequest, Transport
from quoth.wire.blocking_transport import BlockingTransport

T = TypeVar("T")


class Network:
    """The transport of one store, as steps know it. Each thread waits for what it asked itself."""

    def __init__(self, transport: Transport | None, clock: Clock) -> None:
        self._transport = transport or BlockingTransport(clock)
        self._clock = clock

    def run(self, steps: WireSteps[T]) -> T:
        """The result of the steps. What fails on the way, also by Ctrl-C, fails in them."""
        try:
            step = next(steps)
            while True:
                try:
                    result = self._carry_out(step)
                except BaseException as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
        except StopIteration as done:
            found: T = done.value
            return found

    def pause(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self._clock.sleep_blocking(seconds)

    def close(self) -> None:
        """Let go of every connection."""
        self._transport.close_blocking()

    def _carry_out(self, step: Step) -> Any:
        if isinstance(step, HttpRequest):
            return self._transport.send_blocking(step)
        if isinstance(step, Open):
            return self._transport.open_blocking(step.request)
        return self._clock.sleep_blocking(step.seconds)
