"""What queries mean, in plain Python over all documents: written without a look at the SQL."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any

from quoth_node.rql import Literal, Query
from quoth_node.rql.conditions import (
    And,
    Between,
    Comparison,
    Condition,
    Everything,
    Exact,
    Exists,
    In,
    Match,
    Matching,
    Not,
    Nothing,
    Operator,
    Or,
)
from quoth_node.rql.operands import DocumentId, FieldPath
from quoth_node.rql.tree import Ordering, OrderingKind

MISSING: Any = object()


@dataclass(frozen=True)
class Doc:
    """One document."""

    document_id: str
    body: dict[str, Any]


def values_of(document: Doc, path: FieldPath) -> list[Any] | None:
    """What a path finds, arrays taken apart; None if there is no such field."""
    found: Any = document.body
    for name in path.names:
        if not isinstance(found, dict) or name not in found:
            return None
        found = found[name]
    return _flat(found) if isinstance(found, list) else [found]


def _flat(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        found += _flat(value) if isinstance(value, list) else [value]
    return found


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def number_of(value: Any) -> float | None:
    """The number that a value is, or is written as."""
    if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value):
        return float(value)
    return float(value) if is_number(value) else None


def written(value: Any) -> str:
    """The text of a value that is not null."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


def same(one: Any, other: Any, *, is_exact: bool) -> bool:
    if one is None or other is None:
        return one is None and other is None
    if is_number(one) or is_number(other):
        return number_of(one) is not None and number_of(one) == number_of(other)
    a, b = written(one), written(other)
    return a == b if is_exact else a.lower() == b.lower()


def beyond(one: Any, bound: Any, compare: Callable[[Any, Any], bool], *, is_exact: bool) -> bool:
    """Numbers are compared with numbers, texts with texts."""
    if one is None or is_number(one) is not is_number(bound):
        return False
    if is_number(one):
        return compare(one, bound)
    a, b = written(one), written(bound)
    return compare(a, b) if is_exact else compare(a.lower(), b.lower())


COMPARED: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.LESS: lambda a, b: a < b,
    Operator.LESS_OR_EQUAL: lambda a, b: a <= b,
    Operator.GREATER: lambda a, b: a > b,
    Operator.GREATER_OR_EQUAL: lambda a, b: a >= b,
}


def holds(condition: Condition | None, document: Doc, *, is_exact: bool = False) -> bool:
    """Whether a document is as `where` says."""
    match condition:
        case None | Everything():
            return True
        case Nothing():
            return False
        case And(several):
            return all(holds(one, document, is_exact=is_exact) for one in several)
        case Or(several):
            return any(holds(one, document, is_exact=is_exact) for one in several)
        case Not(one):
            return not holds(one, document, is_exact=is_exact)
        case Exact(one):
            return holds(one, document, is_exact=True)
        case Exists(path):
            return bool(values_of(document, path))
        case Comparison(DocumentId(), Operator.EQUAL, Literal(value)):
            return document.document_id.lower() == str(value).lower()
        case Comparison(FieldPath() as path, Operator.EQUAL, Literal(value)):
            return _any(document, path, lambda one: same(one, value, is_exact=is_exact))
        case Comparison(FieldPath() as path, Operator.NOT_EQUAL, Literal(value)):
            return not _any(document, path, lambda one: same(one, value, is_exact=is_exact))
        case Comparison(FieldPath() as path, operator, Literal(value)):
            compare = COMPARED[operator]
            return _any(document, path, lambda one: beyond(one, value, compare, is_exact=is_exact))
        case Between(FieldPath() as path, Literal(low), Literal(high)):
            up, down = COMPARED[Operator.GREATER_OR_EQUAL], COMPARED[Operator.LESS_OR_EQUAL]
            return _any(
                document,
                path,
                lambda one: beyond(one, low, up, is_exact=is_exact)
                and beyond(one, high, down, is_exact=is_exact),
            )
        case In(FieldPath() as path, values, is_all):
            wanted = [value.value for value in values if isinstance(value, Literal)]
            among = all if is_all else any
            found = values_of(document, path) or ()
            return among(
                any(same(one, value, is_exact=is_exact) for one in found) for value in wanted
            )
        case Match(Matching.STARTS_WITH, FieldPath() as path, Literal(text)):
            prefix = str(text).lower()
            return _any(
                document,
                path,
                lambda one: one is not None and written(one).lower().startswith(prefix),
            )
    raise AssertionError(f"the model does not know {condition}")


def _any(document: Doc, path: FieldPath, fits: Callable[[Any], bool]) -> bool:
    return any(fits(one) for one in values_of(document, path) or ())


def key_of(document: Doc, ordering: Ordering) -> tuple[int, Any]:
    """Missing first, then null, then values."""
    if isinstance(ordering.by, DocumentId):
        return 2, document.document_id.lower()
    assert isinstance(ordering.by, FieldPath)
    values = values_of(document, ordering.by)
    if not values:
        return 0, 0
    keys = [_key(value, ordering.kind) for value in values]
    return max(keys) if ordering.is_descending else min(keys)


def _key(value: Any, kind: OrderingKind) -> tuple[int, Any]:
    if value is None:
        return 1, 0
    if kind in (OrderingKind.LONG, OrderingKind.DOUBLE):
        assert is_number(value), "the test orders numbers only by value"
        return 2, value
    return 2, written(value).lower()


def answer(query: Query, documents: Iterable[Doc]) -> list[Doc]:
    """All that matches, in order; equal ones as they came."""
    found = [document for document in documents if holds(query.where, document)]

    def compare(one: Doc, other: Doc) -> int:
        for ordering in query.order_by:
            a, b = key_of(one, ordering), key_of(other, ordering)
            if a != b:
                sign = -1 if ordering.is_descending else 1
                return sign if a > b else -sign
        return 0

    return sorted(found, key=cmp_to_key(compare))
