"""Network: carries out what executors decide, and blocks. By hand in both folders."""

from collections.abc import Sequence
from threading import Lock, Thread
from typing import Any, TypeVar

from quoth.clock import Clock
from quoth.commands import Command
from quoth.executor import Beside, Executor, Open, Step, WireSteps
from quoth.lanes import Lane
from quoth.manner import PLAIN, Manner
from quoth.together import Asked, Told
from quoth.transport import HttpRequest, Transport
from quoth.wire.blocking_transport import BlockingTransport

T = TypeVar("T")


class Network:
    """The transport of one store, as steps know it. Each thread waits for what it asked itself."""

    def __init__(self, transport: Transport | None, clock: Clock) -> None:
        self._transport = transport or BlockingTransport(clock)
        self._clock = clock

    def ask(
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

        lane = executor.lanes.of(command, manner.no_caching)
        if lane is None:
            return self.run(alone())
        if not lane.enter():
            request_id = executor.new_request_id()
            asked = lane.kind.asked(command, known_raft_index, request_id)
            asked.waiter = Lock()
            asked.waiter.acquire()  # whoever tells it the outcome releases it
            if not lane.enter(asked):
                outcome = self._wait(executor, lane, asked)
                if outcome is Told.ALONE:
                    return self.run(alone(request_id))
                if outcome is not Told.GO:
                    told: T = outcome
                    return told
        began, seconds = self._clock.monotonic(), None
        try:
            found = self.run(alone())
            seconds = self._clock.monotonic() - began
            return found
        finally:
            self._hand_over(lane, 1, seconds)

    def run(self, steps: WireSteps[T]) -> T:
        """The result of the steps. What fails on the way, also by cancellation, fails in them."""
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
        if isinstance(step, Beside):
            # It keeps no process alive, and ends by itself within the time-out of a request.
            beside = Thread(target=self.run, args=(step.steps,), name="quoth probe", daemon=True)
            try:
                beside.start()
            except RuntimeError:  # there are too many, or the process is about to end
                self.run(step.steps)
            return None
        return self._clock.sleep_blocking(step.seconds)

    def _wait(self, executor: Executor, lane: Lane, asked: Asked) -> Any:
        """What becomes of one that waits. Raises what its shared request failed with."""
        try:
            asked.waiter.acquire()
        except BaseException:  # Ctrl-C
            if landed := lane.give_up(asked):
                self._hand_over(lane, landed, None)
            raise
        if asked.outcome is Told.LEAD:
            self._fly(executor, lane, asked.group)
        if isinstance(asked.outcome, BaseException):
            raise asked.outcome
        return asked.outcome

    def _hand_over(self, lane: Lane, landed: int, seconds: float | None) -> None:
        """A flight has come back, after `seconds` if it was answered.

        The first of those that wait takes off, with others along.
        """
        for group in lane.leave(landed, seconds):
            group[0].waiter.release()

    def _fly(self, executor: Executor, lane: Lane, group: Sequence[Asked]) -> None:
        """Carry a group, of which this thread leads the first."""
        began, seconds = self._clock.monotonic(), None
        outcomes: list[Any] = []
        try:
            outcomes = self.run(lane.kind.carry(executor, group))
            seconds = self._clock.monotonic() - began
        finally:
            # Ctrl-C in this thread ends the flight of all: nobody knows what became of it.
            told = outcomes or [lane.kind.lost() for _ in group]
            group[0].outcome = told[0]
            for asked, outcome in zip(group[1:], told[1:], strict=True):
                asked.outcome = outcome
                asked.waiter.release()
            self._hand_over(lane, len(group), seconds)
