"""Answers of loads, kept for the case that nothing has changed. Used by any number of threads.

A node is asked every time, with what is known; if that is still so it says so without sending it
again. So a cached answer is as current as any other.
"""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer, and the server's mark for it as a header has it."""

    etag: str
    body: bytes


class AnswerCache:
    """The answers used last, by what was asked.

    Invariant: together they have `bytes_max` at most.
    """

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self._lock = Lock()
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._bytes = 0

    def find(self, asked: str) -> Kept | None:
        """The answer that is known."""
        with self._lock:
            found = self._kept.get(asked)
            if found is not None:
                self._kept.move_to_end(asked)
            return found

    def keep(self, asked: str, answer: Kept) -> None:
        """Remember an answer, and forget the ones not used for longest if there is no room."""
        size = _size(asked, answer)
        with self._lock:
            self._drop(asked)
            if size > self.bytes_max:
                return
            self._kept[asked] = answer
            self._bytes += size
            while self._bytes > self.bytes_max:
                self._drop(next(iter(self._kept)))

    def _drop(self, asked: str) -> None:
        found = self._kept.pop(asked, None)
        if found is not None:
            self._bytes -= _size(asked, found)


def _size(asked: str, answer: Kept) -> int:
    return len(asked) + len(answer.etag) + len(answer.body)
