"""Which queries are answered on the event loop: those shorter than what a thread takes to come.

A worker thread and the event loop take turns at Python's lock, and with many queries at once each
waits for the other more than it works. So a query that may be brief is tried where it arrived,
with a limit of its steps and rows, and a file that is open already. What turns out not to be brief
goes to a worker thread from the beginning, and so do the next of the same text.
"""

from typing import Any

from quoth_node.querying.errors import QueryError
from quoth_node.querying.parameters import Parameters

STEPS = 2_500  # of SQLite's machine, between two looks
# SQLite counts the steps of a statement through all its runs, so each may be looked at early once.
LOOKS_MAX = 8  # in one query of some six statements: 20,000 steps are a millisecond
ROWS_MAX = 32
CHANGES_MAX = 64  # that may have to be looked at to tell whether the answer is stale
TEXT_CHARACTERS_MAX = 1_024
VALUES_MAX = 64  # parameters, and values of one that is a list
TEXTS_MAX = 1_024
TRIED_AGAIN_AFTER = 256  # queries: the index may be warm, or the rows fewer, by now


class NotBrief(QueryError):
    """A query that was tried on the event loop and belongs in a worker thread. Nothing is wrong."""


class NotAtHand(NotBrief):
    """No file of the index is open and free; that says nothing of the query."""


class Brevity:
    """What is known of the texts of queries that were not brief; bounded."""

    def __init__(self) -> None:
        self._left: dict[str, int] = {}  # of queries until the text is tried again

    def is_likely(self, text: str, parameters: Parameters) -> bool:
        """Whether a query is worth trying here."""
        if len(text) > TEXT_CHARACTERS_MAX or len(parameters) > VALUES_MAX:
            return False
        if not all(map(_is_small, parameters.values())):
            return False
        left = self._left.get(text)
        if left is None:
            return True
        if left > 1:
            self._left[text] = left - 1
        else:
            del self._left[text]
        return False

    def was_long(self, text: str) -> None:
        """Remember that it is not."""
        if len(self._left) >= TEXTS_MAX:
            self._left.pop(next(iter(self._left)))
        self._left[text] = TRIED_AGAIN_AFTER


def _is_small(value: Any) -> bool:
    match value:
        case str():
            return len(value) <= TEXT_CHARACTERS_MAX
        case list():
            return len(value) <= VALUES_MAX and all(
                not isinstance(one, list | dict) and _is_small(one) for one in value
            )
        case dict():
            return False
    return True
