# Made from asynchronous/retrying.py by `python -m scripts.twins`: change that one.
"""Retrying: a function in a serializable session, run again while others are faster."""

from collections.abc import Callable, Coroutine
from typing import TypeVar

from quoth.errors import Misuse, SerializationConflict
from quoth.store_core import NOT_AWAITED
from quoth.synchronous.session import Session

T = TypeVar("T")
PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX = 0.01, 1.0


class Retrying:
    """Runs functions; each attempt has a session of its own. `pause` waits for some seconds."""

    def __init__(self, open_session: Callable[[], Session], pause: Callable[[float], None]) -> None:
        self._open_session = open_session
        self._pause = pause

    def __call__(self, function: Callable[[Session], T], attempts: int) -> T:
        """What the function returned in the attempt that was saved.

        Raises SerializationConflict when the last attempt met one, and whatever the function
        raises. A function that has saved by itself is not run again: that would save it twice.
        """
        if attempts < 1:
            raise Misuse(f"there is at least 1 attempt, not {attempts}")
        pause_seconds = PAUSE_SECONDS_MIN
        for attempt in range(1, attempts + 1):
            with self._open_session() as session:
                try:
                    result = function(session)
                    if isinstance(result, Coroutine):
                        result.close()
                        raise Misuse(NOT_AWAITED)
                    session.save_changes()
                    return result
                except SerializationConflict as conflict:
                    if session.has_saved:
                        raise
                    if attempt == attempts:
                        text = f"given up after {attempts} attempts: {conflict}"
                        violations = conflict.violations
                        raise SerializationConflict(
                            text, violations, attempts=attempts
                        ) from conflict
            self._pause(pause_seconds)
            pause_seconds = min(2 * pause_seconds, PAUSE_SECONDS_MAX)
        raise AssertionError("the last attempt returns or raises")
