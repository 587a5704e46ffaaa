"""What the parts of a compiled query may ask of the whole."""

from collections.abc import Callable
from typing import Any, Protocol

from quoth_node.querying.fragment import Fragment
from quoth_node.querying.index_view import FieldView, IndexView
from quoth_node.querying.parameters import Parameters


class Asking(Protocol):
    """One query over one index, while it is compiled."""

    view: IndexView
    parameters: Parameters
    scores: list[Fragment]  # what adds to the score of an entry
    found_words: list[Fragment]  # tables m0, m1 ... of entries and scores
    has_score: bool  # whether some entries match better than others

    def equal(self, field: FieldView, value: Any, *, is_exact: bool = False) -> Fragment:
        """Entries with this very term in a field."""

    def define(self, function: Callable[..., Any], arguments: int) -> str:
        """Make a function known to SQL for this query; its name."""
