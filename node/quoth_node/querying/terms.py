"""What a value of a query means for the terms of a field."""

from collections.abc import Callable
from typing import Any

from quoth_node.indexing.pattern import PatternRefused, compiled
from quoth_node.indexing.values import NULL, Term, number_in, term_of, text_of, text_term
from quoth_node.querying.errors import InvalidQuery
from quoth_node.querying.fragment import Fragment
from quoth_node.rql.conditions import Matching

LAST_CHARACTER = "\U0010ffff"
FUZZY_CHARACTERS_MAX = 128
Define = Callable[[Callable[..., Any], int], str]


def written_as(value: Any, *, is_exact: bool) -> list[Term]:
    """The terms that a value equals: a number and its text are the same."""
    term = term_of(value, is_exact=is_exact)
    if isinstance(term, str):
        number = number_in(term)
        return [term] if number is None else [term, number]
    text = text_of(term)
    return [term] if text is None else [term, text]


def beyond(value: Any, *, goes_up: bool, includes: bool, is_exact: bool) -> Fragment:
    """Terms on one side of a value: numbers of a number, texts of a text."""
    term = term_of(value, is_exact=is_exact)
    sign = (">" if goes_up else "<") + "=" * includes
    if isinstance(term, str):
        other_end = "t.value < x''" if goes_up else "t.value >= ''"
        return Fragment(f"(t.value {sign} ? AND {other_end})", (term,))
    assert term != NULL, "an open end is no bound"
    sql = f"(t.value {sign} ? AND t.value < '')" if goes_up else f"(t.value {sign} ?)"
    return Fragment(sql, (term,))


def matching(column: str, kind: Matching, text: str, define: Define) -> Fragment:
    """Terms that begin or end with a text, or match a pattern. Raises InvalidQuery."""
    if kind is Matching.STARTS_WITH:
        found = f"({column} >= ? AND {column} < ?)"
        ends = text_term(text, is_exact=True), text + LAST_CHARACTER
        if text[:1] in "-0123456789" and text:
            found = (
                f"({found} OR ({column} < '' AND substr(CAST({column} AS TEXT), 1, ?) = ?))"
            )
            return Fragment(found, (*ends, len(text), text))
        return Fragment(found, ends)
    if kind is Matching.ENDS_WITH:
        if not text:
            return Fragment(f"{column} < x''")
        sql = f"({column} < x'' AND substr(CAST({column} AS TEXT), ?) = ?)"
        return Fragment(sql, (-len(text), text))
    assert kind is Matching.REGEX, "lucene has a room of its own"
    try:
        matches = compiled(text, ignores_case=True)
    except PatternRefused as error:
        raise InvalidQuery(f"'{text[:200]}' is no regular expression here: {error}") from error
    name = define(lambda term: holds(term, matches), 1)
    return Fragment(f"{name}({column})")


def alike(column: str, text: str, similarity: float, define: Define) -> Fragment:
    """Terms at least so alike to a text, from 0 to 1: what letters they share by position."""
    if not 0.0 <= similarity <= 1.0:
        raise InvalidQuery("The similarity of fuzzy is from 0 to 1")
    if len(text) > FUZZY_CHARACTERS_MAX:
        raise InvalidQuery(f"fuzzy takes a text of {FUZZY_CHARACTERS_MAX} characters")
    name = define(lambda term: is_alike(term, text, similarity), 1)
    return Fragment(f"{name}({column})")


def is_alike(term: Term | None, text: str, similarity: float) -> bool:
    """Whether 1 - (changed letters / length of the shorter) is at least `similarity`."""
    written = None if term is None else text_of(term)
    if written is None or abs(len(written) - len(text)) > max(len(text), 1):
        return False
    shorter = min(len(written), len(text))
    if shorter == 0:
        return written == text
    most = int((1.0 - similarity) * shorter + 1e-9)
    return abs(len(written) - len(text)) <= most and distance(written, text, most) <= most


def distance(one: str, other: str, most: int) -> int:
    """How many letters must be changed, added or dropped (Levenshtein), up to `most`."""
    before = list(range(len(other) + 1))
    for row, letter in enumerate(one, start=1):
        now = [row]
        for column, against in enumerate(other, start=1):
            now.append(
                min(before[column] + 1, now[-1] + 1, before[column - 1] + (letter != against))
            )
        if min(now) > most:
            return most + 1
        before = now
    return before[-1]


def holds(term: Term | None, matches: Callable[[str], bool]) -> bool:
    text = None if term is None else text_of(term)
    return text is not None and matches(text)
