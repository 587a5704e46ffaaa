"""`filter`: a condition looked at in each document, as an index would have it.

Texts are compared without their case unless `exact()` says otherwise, a number equals the text of
it, and a field that is missing counts as null.
"""

from collections.abc import Iterable
from typing import Any

from quoth_node.querying.errors import InvalidQuery
from quoth_node.querying.fields import values_at
from quoth_node.querying.parameters import Parameters, value_of, values_of
from quoth_node.rql import (
    And,
    Between,
    Comparison,
    Condition,
    DocumentId,
    Everything,
    Exact,
    Exists,
    FieldPath,
    In,
    Match,
    Matching,
    Not,
    Nothing,
    Operand,
    Operator,
    Or,
    PathStep,
)

ID_STEPS = (PathStep("@metadata"), PathStep("@id"))
OPEN_ENDS = frozenset({"*", "null"})  # what clients write for the missing end of a range


class Filter:
    """One condition with its parameters. Raises InvalidQuery for what no filter can do."""

    def __init__(self, condition: Condition, parameters: Parameters) -> None:
        self._condition = condition
        self._parameters = parameters

    def matches(self, document: dict[str, Any]) -> bool:
        """Whether a parsed document, metadata included, is wanted."""
        return self._holds(self._condition, document, is_exact=False)

    def _holds(self, condition: Condition, document: dict[str, Any], *, is_exact: bool) -> bool:
        match condition:
            case Everything() | Nothing():
                return isinstance(condition, Everything)
            case And(conditions):
                return all(self._holds(one, document, is_exact=is_exact) for one in conditions)
            case Or(conditions):
                return any(self._holds(one, document, is_exact=is_exact) for one in conditions)
            case Not(inner):
                return not self._holds(inner, document, is_exact=is_exact)
            case Exact(inner):
                return self._holds(inner, document, is_exact=True)
            case Exists(path):
                return any(True for _ in values_at(document, path.steps))
        return self._compares(condition, document, is_exact=is_exact)

    def _compares(self, condition: Condition, document: dict[str, Any], *, is_exact: bool) -> bool:
        match condition:
            case Comparison(operand, operator, value):
                if isinstance(value, FieldPath):
                    others = list(values_at(document, value.steps)) or [None]
                else:
                    others = [value_of(value, self._parameters)]
                terms = _folded(others, is_exact)
                found = self._terms(operand, document, is_exact)
                return _compared(found, operator, terms[0])
            case In(operand, values, is_all):
                found = self._terms(operand, document, is_exact)
                wanted = _folded(values_of(values, self._parameters), is_exact)
                hits = (any(is_equal(one, term) for one in found) for term in wanted)
                return all(hits) if is_all else any(hits)
            case Between(operand, low, high):
                found = self._terms(operand, document, is_exact)
                ends = [value_of(end, self._parameters) for end in (low, high)]
                low_end, high_end = _folded(ends, is_exact)
                return any(_is_between(one, low_end, high_end) for one in found)
            case Match(kind, operand, value):
                found = self._terms(operand, document, is_exact)
                (text,) = _folded([value_of(value, self._parameters)], is_exact)
                return any(_matches(kind, one, str(text)) for one in found)
        raise InvalidQuery(f"{type(condition).__name__.lower()}() is not possible in a filter")

    def _terms(self, operand: Operand, document: dict[str, Any], is_exact: bool) -> list[Any]:
        match operand:
            case DocumentId(alias=None):
                steps: tuple[PathStep, ...] = ID_STEPS
            case FieldPath():
                steps = operand.steps
            case _:
                raise InvalidQuery("A filter looks at fields and at id() only")
        flat: list[Any] = []
        for value in values_at(document, steps):
            flat += value if isinstance(value, list) else [value]
        return _folded(flat or [None], is_exact)


def _folded(values: Iterable[Any], is_exact: bool) -> list[Any]:
    return [fold(value, is_exact=is_exact) for value in values]


def fold(value: Any, *, is_exact: bool = False) -> Any:
    """A value as it is compared."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.lower() if isinstance(value, str) and not is_exact else value


def is_equal(one: Any, other: Any) -> bool:
    """Whether two folded values are the same term."""
    if isinstance(one, str) is isinstance(other, str):
        return bool(one == other)
    return one is not None and other is not None and str(one) == str(other)


def _compared(found: list[Any], operator: Operator, term: Any) -> bool:
    match operator:
        case Operator.EQUAL:
            return any(is_equal(one, term) for one in found)
        case Operator.NOT_EQUAL:
            return not any(is_equal(one, term) for one in found)
        case Operator.LESS:
            return any(_is_ordered(one, term) and one < term for one in found)
        case Operator.LESS_OR_EQUAL:
            return any(_is_ordered(one, term) and one <= term for one in found)
        case Operator.GREATER:
            return any(_is_ordered(one, term) and one > term for one in found)
        case Operator.GREATER_OR_EQUAL:
            return any(_is_ordered(one, term) and one >= term for one in found)


def _is_between(one: Any, low: Any, high: Any) -> bool:
    if one is None or (_is_end(low) and not (_is_ordered(one, low) and one >= low)):
        return False
    return not _is_end(high) or (_is_ordered(one, high) and one <= high)


def _is_end(end: Any) -> bool:
    return end is not None and not (isinstance(end, str) and end.lower() in OPEN_ENDS)


def _is_ordered(one: Any, other: Any) -> bool:
    if isinstance(one, str):
        return isinstance(other, str)
    return isinstance(one, int | float) and isinstance(other, int | float)


def _matches(kind: Matching, one: Any, text: str) -> bool:
    match kind:
        case Matching.STARTS_WITH:
            return isinstance(one, str) and one.startswith(text)
        case Matching.ENDS_WITH:
            return isinstance(one, str) and one.endswith(text)
    raise InvalidQuery(f"{kind.value}() is not possible in a filter")

