"""Virtual time: one queue of events for the whole world, and an event loop for each life of a node.

Nothing here waits. When nothing is ready, time jumps to the next event. A life that ends is simply
never run again, which is what kill -9 is; a paused one is run late.
"""

import asyncio
import heapq
import random
from asyncio import events as asyncio_events
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, cast
from uuid import UUID

READY_MAX = 100_000  # callbacks of one moment; more are a loop that never rests


class Violation(AssertionError):
    """Something the cluster promises did not hold."""


class Handle:
    """One callback that waits for its moment."""

    __slots__ = ("args", "callback", "is_cancelled", "loop", "moment")

    def __init__(
        self, moment: float, callback: Callable[..., object], args: Any, loop: "NodeLoop | None"
    ) -> None:
        self.moment = moment
        self.callback = callback
        self.args = args
        self.loop = loop
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True

    def cancelled(self) -> bool:
        return self.is_cancelled

    def when(self) -> float:
        return self.moment


class SimTask(asyncio.Task[Any]):
    """A task whose place in a set depends on its number, not on where it lies in memory."""

    def __init__(self, coro: Coroutine[Any, Any, Any], *, loop: "NodeLoop") -> None:
        self.number = loop.next_number()
        super().__init__(coro, loop=cast(Any, loop))

    def __hash__(self) -> int:
        return self.number


class Time:
    """The queue of all that will happen."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.numbers = 0
        self.events = 0
        self._queue: list[tuple[float, int, Handle]] = []

    def next_number(self) -> int:
        self.numbers += 1
        return self.numbers

    def at(
        self,
        moment: float,
        callback: Callable[..., object],
        *args: object,
        loop: "NodeLoop | None" = None,
    ) -> Handle:
        """Call `callback` at `moment`; if it belongs to a loop, only while that one lives."""
        handle = Handle(moment if moment > self.now else self.now, callback, args, loop)
        self.numbers += 1
        heapq.heappush(self._queue, (handle.moment, self.numbers, handle))
        return handle

    def after(
        self,
        seconds: float,
        callback: Callable[..., object],
        *args: object,
        loop: "NodeLoop | None" = None,
    ) -> Handle:
        return self.at(self.now + seconds, callback, *args, loop=loop)

    def run_until(self, moment: float, *, is_over: Callable[[], bool] | None = None) -> None:
        """Let everything happen up to `moment`, or until `is_over` after an event."""
        queue = self._queue
        while queue and queue[0][0] <= moment:
            when, _, handle = heapq.heappop(queue)
            if handle.is_cancelled:
                continue
            self.now = when
            self.events += 1
            if handle.loop is None:
                handle.callback(*handle.args)
            else:
                handle.loop.happen(handle)
            if is_over is not None and is_over():
                return
        self.now = max(self.now, moment)


class NodeLoop:
    """What asyncio needs of a loop, for one life of one node."""

    def __init__(
        self,
        time: Time,
        *,
        after_turn: Callable[[], None],
        on_error: Callable[[dict[str, Any]], None],
    ) -> None:
        self.is_alive = True
        self.is_paused = False
        self._time = time
        self._ready: deque[Handle] = deque()
        self._late: list[Handle] = []
        self._tasks: list[SimTask] = []
        self._after_turn = after_turn
        self._on_error = on_error
        self.other_worker: SimExecutor | None = None  # who takes what names no executor

    def next_number(self) -> int:
        return self._time.next_number()

    # -- driven by the world

    def happen(self, handle: Handle) -> None:
        """One event of this life, and all that follows from it at once."""
        if not self.is_alive:
            return
        if self.is_paused:
            self._late.append(handle)
            return
        self._ready.append(handle)
        self.run_ready()

    def run_ready(self) -> None:
        asyncio_events._set_running_loop(cast(Any, self))
        try:
            ready = self._ready
            count = 0
            while ready and self.is_alive:
                handle = ready.popleft()
                if not handle.is_cancelled:
                    handle.callback(*handle.args)
                count += 1
                if count > READY_MAX:
                    raise Violation("a node turns without end and waits for nothing")
        finally:
            asyncio_events._set_running_loop(None)
        if self.is_alive:
            self._after_turn()

    def resume(self) -> None:
        """Go on after a pause: whatever was due meanwhile happens now, in order."""
        self.is_paused = False
        late, self._late = self._late, []
        for handle in late:
            if self.is_alive and not handle.is_cancelled:
                self._ready.append(handle)
        self.run_ready()

    def die(self) -> None:
        """Never run again. What is left of the tasks is unwound, deaf and dumb."""
        self.is_alive = False
        self._late.clear()
        asyncio_events._set_running_loop(cast(Any, self))
        try:
            for _ in range(100):
                waiting = [task for task in self._tasks if not task.done()]
                if not waiting:
                    break
                for task in waiting:
                    task.cancel()
                for _ in range(1_000):
                    if not self._ready:
                        break
                    handle = self._ready.popleft()
                    if not handle.is_cancelled:
                        handle.callback(*handle.args)
        finally:
            asyncio_events._set_running_loop(None)
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.exception()  # seen
        self._tasks.clear()
        self._ready.clear()

    # -- called by asyncio

    def time(self) -> float:
        return self._time.now

    def call_soon(
        self, callback: Callable[..., object], *args: object, context: object = None
    ) -> Handle:
        handle = Handle(self._time.now, callback, args, self)
        self._ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: object,
        context: object = None,
    ) -> Handle:
        return self._time.at(self._time.now + delay, callback, *args, loop=self)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: object,
        context: object = None,
    ) -> Handle:
        return self._time.at(when, callback, *args, loop=self)

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=cast(Any, self))

    def create_task(
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: object = None
    ) -> SimTask:
        task = SimTask(coro, loop=self)
        if len(self._tasks) > 200:
            self._tasks = [known for known in self._tasks if not known.done()]
        self._tasks.append(task)
        return task

    def run_in_executor(
        self, executor: "SimExecutor | None", func: Callable[..., object], *args: object
    ) -> asyncio.Future[Any]:
        future = self.create_future()
        worker = executor or self.other_worker
        assert worker is not None
        worker.enqueue(func, args, future)
        return future

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self.is_alive:
            self._on_error(context)


class SimExecutor:
    """One worker thread that is none: a job takes a random time, and is lost with its life.

    A job runs whole, at the end of its time or at the start; a life that ends meanwhile may have
    come half through it.
    """

    def __init__(
        self, time: Time, loop: NodeLoop, dice: random.Random, delay: Callable[[], float]
    ) -> None:
        self._time = time
        self._loop = loop
        self._dice = dice
        self._delay = delay
        self._jobs: deque[tuple[Callable[..., object], Any, asyncio.Future[Any] | None]] = deque()
        self._result: tuple[object, BaseException | None] | None = None

    @property
    def is_busy(self) -> bool:
        return bool(self._jobs)

    def submit(self, func: Callable[..., object], *args: object) -> None:
        self.enqueue(func, args, None)

    def enqueue(
        self, func: Callable[..., object], args: Any, future: asyncio.Future[Any] | None
    ) -> None:
        if not self._loop.is_alive:
            return
        self._jobs.append((func, args, future))
        if len(self._jobs) == 1:
            self._start()

    def unfinished_job(self) -> Callable[[], object] | None:
        """What was under way and has not run yet, for a crash that comes in the middle of it."""
        if not self._jobs or self._result is not None:
            return None
        func, args, _ = self._jobs[0]
        return lambda: func(*args)

    def finish(self) -> None:
        """Do all that waits, at once: the end of a node that stops in good order."""
        while self._jobs:
            if self._result is None:
                func, args, _ = self._jobs[0]
                func(*args)
            self._jobs.popleft()
            self._result = None

    def _start(self) -> None:
        if self._dice.random() < 0.3:
            self._run()
        self._time.after(self._delay(), self._end, loop=self._loop)

    def _run(self) -> None:
        func, args, _ = self._jobs[0]
        try:
            self._result = (func(*args), None)
        except Violation:
            raise
        except Exception as error:
            self._result = (None, error)

    def _end(self) -> None:
        if not self._jobs:
            return
        if self._result is None:
            self._run()
        assert self._result is not None
        value, error = self._result
        self._result = None
        _, _, future = self._jobs.popleft()
        if future is not None and not future.done():
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)
        if self._jobs:
            self._start()


class SimClock:
    """The clocks of a node."""

    def __init__(self, time: Time) -> None:
        self._time = time

    def monotonic(self) -> float:
        return self._time.now

    def now_micros(self) -> int:
        return int(self._time.now * 1_000_000)


class SimChance:
    """Chance from the seed."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice

    def uniform(self, low: float, high: float) -> float:
        return self._dice.uniform(low, high)

    def uuid(self) -> UUID:
        return UUID(int=self._dice.getrandbits(128), version=4)
