"""AsyncNetwork: carries out what executors decide, and awaits it. By hand in both folders."""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

from quoth.clock import Clock
from quoth.commands import Command
from quoth.errors import NotSent
from quoth.executor import Beside, Executor, Open, Step, WireSteps
from quoth.lanes import Lane
from quoth.manner import PLAIN, Manner
from quoth.together import Asked, Told
from quoth.transport import AsyncTransport, HttpRequest
from quoth.wire.aiohttp_transport import AiohttpTransport

T = TypeVar("T")
# A task begins to send in its first turn, and aiohttp sends in the next.
TURNS_TO_SEND = 2
SENDING_SECONDS_MAX = 0.001


class AsyncNetwork:
    """The transport of one store, as steps know it."""

    def __init__(self, transport: AsyncTransport | None, clock: Clock) -> None:
        self._transport = transport or AiohttpTransport()
        self._clock = clock
        self._is_closed = False
        self._flights: set[asyncio.Task[None]] = set()  # shared requests under way, and probes

    async def ask(
        self,
        executor: Executor,
        command: Command[T],
        known_raft_index: int | None,
        manner: Manner = PLAIN,
    ) -> T:
        """The answer to a command, which may share a request with others of the same moment."""

        def alone(request_id: str | None = None) -> WireSteps[T]:
            return executor.execute(
                command, known_raft_index=known_raft_index, request_id=request_id, manner=manner
            )

        loop = asyncio.get_running_loop()
        lane = executor.lanes_in(loop).of(command, manner.no_caching)
        if lane is None:
            return await self.run(alone())
        if not lane.enter():
            request_id = executor.new_request_id()
            asked = lane.kind.asked(command, known_raft_index, request_id)
            asked.waiter = loop.create_future()
            if not lane.enter(asked):
                outcome = await self._wait(executor, lane, asked)
                if outcome is Told.ALONE:
                    return await self.run(alone(request_id))
                if outcome is not Told.GO:
                    told: T = outcome
                    return told
        began, seconds = self._clock.monotonic(), None
        try:
            found = await self.run(alone())
            seconds = self._clock.monotonic() - began
            return found
        finally:
            self._take_off(executor, lane, 1, seconds)

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
        """Let go of every connection; what is under way is given up, what waits is not sent."""
        self._is_closed = True
        while flights := list(self._flights):
            for flight in flights:
                flight.cancel()
            await asyncio.gather(*flights, return_exceptions=True)
        await self._transport.close()

    async def _carry_out(self, step: Step) -> Any:
        if isinstance(step, HttpRequest):
            return await self._transport.send(step)
        if isinstance(step, Open):
            return await self._transport.open(step.request)
        if isinstance(step, Beside):
            self._own(self.run(step.steps))
            return None
        return await self._clock.sleep(step.seconds)

    async def _wait(self, executor: Executor, lane: Lane, asked: Asked) -> Any:
        """What becomes of one that waits. Raises what its shared request failed with."""
        try:
            await asked.waiter
        except asyncio.CancelledError:
            if asked.outcome is Told.GO:  # told at the same moment: the next one may go
                self._take_off(executor, lane, 1, None)
            elif asked.outcome is None:
                lane.give_up(asked)
            raise
        if isinstance(asked.outcome, BaseException):
            raise asked.outcome
        return asked.outcome

    def _take_off(self, executor: Executor, lane: Lane, landed: int, seconds: float | None) -> None:
        """A flight has come back, after `seconds` if it was answered: who waits takes off."""
        groups = lane.leave(landed, seconds)
        while groups and self._is_closed:
            given_up, groups = groups, []
            for group in given_up:
                _tell_all(group, _not_sent(group))
                groups += lane.leave(len(group), None)
        for group in groups:
            if len(group) == 1:
                _tell(group[0], Told.GO)
                continue
            # In a task of its own: it must not end with one of its passengers.
            task = self._own(self._fly(executor, lane, group))
            task.add_done_callback(partial(self._never_flew, executor, lane, group))

    def _never_flew(
        self, executor: Executor, lane: Lane, group: list[Asked], task: asyncio.Task[None]
    ) -> None:
        """A task has ended; one that was cancelled before it began, at the end of the store."""
        if group[0].outcome is Told.LEAD:
            _tell_all(group, _not_sent(group))
            self._take_off(executor, lane, len(group), None)

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Let it go on by itself, until the store is closed at the latest."""
        task = asyncio.get_running_loop().create_task(work)
        self._flights.add(task)
        task.add_done_callback(self._flights.discard)
        return task

    async def _fly(self, executor: Executor, lane: Lane, group: list[Asked]) -> None:
        began = self._clock.monotonic()
        outcomes: list[Any] = []
        seconds = runway = None
        try:
            outcomes = await self.run(lane.kind.carry(executor, group))
            seconds = self._clock.monotonic() - began
            # One by one: two that land together would take off together again, and while their
            # passengers are at work here nobody would be at work there.
            if lane.is_near:
                runway = lane.runway = lane.runway or asyncio.Lock()
                await runway.acquire()
        except BaseException:  # given up, and nobody shall wait for it
            _tell_all(group, outcomes or _lost(lane, group))
            self._take_off(executor, lane, len(group), seconds)
            raise
        try:
            await self._land(executor, lane, group, outcomes, seconds)
            if runway is not None:
                await self._until_sent()
        finally:
            if runway is not None:
                runway.release()

    async def _land(
        self,
        executor: Executor,
        lane: Lane,
        group: list[Asked],
        outcomes: list[Any],
        seconds: float,
    ) -> None:
        _tell_all(group, outcomes)
        try:
            # Those who were told go on now, and may ask again at once: then they go together.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        finally:
            self._take_off(executor, lane, len(group), seconds)

    async def _until_sent(self) -> None:
        """Let what takes off be sent, if the event loop has not much else to do."""
        began = self._clock.monotonic()
        for _ in range(TURNS_TO_SEND):
            await asyncio.sleep(0)
            if self._clock.monotonic() - began > SENDING_SECONDS_MAX:
                return


def _tell_all(group: list[Asked], outcomes: list[Any]) -> None:
    for asked, outcome in zip(group, outcomes, strict=True):
        _tell(asked, outcome)


def _tell(asked: Asked, outcome: Any) -> None:
    asked.outcome = outcome
    if not asked.waiter.done():
        asked.waiter.set_result(None)


def _lost(lane: Lane, group: list[Asked]) -> list[Any]:
    return [lane.kind.lost() for _ in group]


def _not_sent(group: list[Asked]) -> list[Any]:
    return [NotSent("the store is closed") for _ in group]
