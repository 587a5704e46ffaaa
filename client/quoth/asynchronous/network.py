"""AsyncNetwork: carries out what executors decide, and awaits it. By hand in both folders."""

from typing import Any, TypeVar

from quoth.clock import Clock
from quoth.executor import Open, Step, WireSteps
from quoth.transport import AsyncTransport, HttpRequest
from quoth.wire.aiohttp_transport import AiohttpTransport

T = TypeVar("T")


class AsyncNetwork:
    """The transport of one store, as steps know it."""

    def __init__(self, transport: AsyncTransport | None, clock: Clock) -> None:
        self._transport = transport or AiohttpTransport()
        self._clock = clock

    async def run(self, steps: WireSteps[T]) -> T:
        """The result of the steps. What fails on the way, also by cancellation, fails in them."""
        try:
            step = next(steps)
            while True:
                try:
                    result = await self._carry_out(step)
                except BaseException as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
        except StopIteration as done:
            found: T = done.value
            return found

    async def pause(self, seconds: float) -> None:
        """Let so many seconds pass."""
        await self._clock.sleep(seconds)

    async def close(self) -> None:
        """Let go of every connection."""
        await self._transport.close()

    async def _carry_out(self, step: Step) -> Any:
        if isinstance(step, HttpRequest):
            return await self._transport.send(step)
        if isinstance(step, Open):
            return await self._transport.open(step.request)
        return await self._clock.sleep(step.seconds)
