"""One thread with an event loop of its own: how synchronous code runs what is asynchronous.

It works from any thread, also from one that runs an event loop. Ctrl-C in a waiting thread cancels
what it waited for. The thread starts with the first call and ends with `close`.
"""

import asyncio
import os
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from threading import Lock, Thread
from typing import Any, TypeVar

from quoth.errors import FateUnknown, Misuse

T = TypeVar("T")


class Portal:
    """Runs coroutines for threads that have no loop. Owner: the store that made it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._process_id = os.getpid()
        self.is_closed = False

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end and return what it returned."""
        try:
            # Handed over under the lock: what is handed over before `close` is run or cancelled.
            with self._lock:
                future = asyncio.run_coroutine_threadsafe(coroutine, self._running_loop())
        except Misuse:
            coroutine.close()
            raise
        try:
            return future.result()
        except CancelledError:
            raise FateUnknown("the store was closed while the request was under way") from None
        except BaseException:
            future.cancel()  # does nothing if it was the coroutine that raised
            raise

    def close(self) -> None:
        """End the thread, when all that runs has been cancelled and cleaned up."""
        with self._lock:
            self.is_closed = True
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None or self._process_id != os.getpid():
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self.is_closed:
            raise Misuse("the store is closed")
        if self._loop is not None and self._process_id != os.getpid():
            raise Misuse("this store was used before a fork: open one in each process")
        if self._loop is None:
            self._process_id = os.getpid()
            self._loop = asyncio.new_event_loop()
            self._thread = Thread(target=_run, args=(self._loop,), name=self._name, daemon=True)
            self._thread.start()
        return self._loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
