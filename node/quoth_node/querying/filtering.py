"""`filter`: a condition looked at in each document, as an index would have it.

Texts are compared without their case unless `exact()` says otherwise, a number equals the text of
it, and a field that is missing counts as null.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from quoth_node.querying.errors import InvalidQuery
from quoth_node.querying.fields import values_at
from quoth_node.querying.parameters import Parameters, value_of, values_of
from quoth_node.rql import (
    And,
    Between,
    Boost,
    Called,
    Comparison,
    Condition,
    DocumentId,
    Everything,
    Exact,
    Exists,
    FieldPath,
    In,
    Intersect,
    Match,
    Matching,
    Not,
    Nothing,
    Operand,
    Operator,
    Or,
    PathStep,
    Value,
)

ID_STEPS = (PathStep("@metadata"), PathStep("@id"))
OPEN_ENDS = frozenset({"*", "null"})  # what clients write for the missing end of a range


NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Looked:
    """A document that is looked at, with those that it loads."""

    document: Mapping[str, Any]
    loaded: Mapping[str, Any]
    called: Mapping[str, Any]

    def values(self, path: FieldPath) -> Iterator[Any]:
        """Every value that the path leads to."""
        if path.alias is None or path.alias not in self.loaded:
            return values_at(self.document, path.steps)
        found = self.loaded[path.alias]
        many = found if isinstance(found, list) else [found]
        return (value for one in many for value in values_at(one, path.steps))


class Filter:
    """One condition with its parameters. Raises InvalidQuery for what no filter can do."""

    def __init__(self, condition: Condition, parameters: Parameters) -> None:
        self._condition = condition
        self._parameters = parameters
        self._keys: dict[int, frozenset[str | None]] = {}

    def matches(
        self,
        document: Mapping[str, Any],
        loaded: Mapping[str, Any] = NOTHING,
        called: Mapping[str, Any] = NOTHING,
    ) -> bool:
        """Whether a parsed document, metadata included, is wanted.

        `loaded` has the documents that it loads, by the names the query gives them; `called` what
        declared functions say, by the text of the call.
        """
        return self._holds(self._condition, Looked(document, loaded, called), is_exact=False)

    def _holds(self, condition: Condition, looked: Looked, *, is_exact: bool) -> bool:
        match condition:
            case Everything() | Nothing():
                return isinstance(condition, Everything)
            case And(conditions):
                return all(self._holds(one, looked, is_exact=is_exact) for one in conditions)
            case Or(conditions):
                return any(self._holds(one, looked, is_exact=is_exact) for one in conditions)
            case Not(inner):
                return not self._holds(inner, looked, is_exact=is_exact)
            case Exact(inner):
                return self._holds(inner, looked, is_exact=True)
            case Called(text):
                return bool(looked.called.get(text))
            case Exists(path):
                return any(True for _ in looked.values(path))
        return self._compares(condition, looked, is_exact=is_exact)

    def _compares(self, condition: Condition, looked: Looked, *, is_exact: bool) -> bool:
        match condition:
            case Comparison(operand, operator, value):
                if isinstance(value, FieldPath):
                    others = list(looked.values(value)) or [None]
                else:
                    others = [value_of(value, self._parameters)]
                terms = _folded(others, is_exact)
                found = self._terms(operand, looked, is_exact)
                return _compared(found, operator, terms[0])
            case In(operand, values, is_all):
                keys = {key_of(one) for one in self._terms(operand, looked, is_exact)}
                wanted = self._keys_of(condition, values, is_exact)
                return wanted <= keys if is_all else not wanted.isdisjoint(keys)
            case Between(operand, low, high):
                found = self._terms(operand, looked, is_exact)
                ends = [value_of(end, self._parameters) for end in (low, high)]
                low_end, high_end = _folded(ends, is_exact)
                return any(_is_between(one, low_end, high_end) for one in found)
            case Match(kind, operand, value):
                found = self._terms(operand, looked, is_exact)
                (text,) = _folded([value_of(value, self._parameters)], is_exact)
                return any(_matches(kind, one, str(text)) for one in found)
        raise InvalidQuery(f"{type(condition).__name__.lower()}() is not possible in a filter")

    def _keys_of(
        self, condition: Condition, values: tuple[Value, ...], is_exact: bool
    ) -> frozenset[str | None]:
        """The values of a list, which may be long, read once for all documents."""
        known = self._keys.get(id(condition))
        if known is None:
            folded = _folded(values_of(values, self._parameters), is_exact)
            known = self._keys[id(condition)] = frozenset(map(key_of, folded))
        return known

    def _terms(self, operand: Operand, looked: Looked, is_exact: bool) -> list[Any]:
        match operand:
            case DocumentId(alias=alias):
                path = FieldPath(ID_STEPS, alias)
            case FieldPath():
                path = operand
            case _:
                raise InvalidQuery("A filter looks at fields and at id() only")
        flat: list[Any] = []
        for value in looked.values(path):
            flat += value if isinstance(value, list) else [value]
        return _folded(flat or [None], is_exact)


def calls_in(condition: Condition | None) -> tuple[str, ...]:
    """The calls of declared functions that a condition makes, each once."""
    match condition:
        case Called(text):
            return (text,)
        case And(conditions) | Or(conditions) | Intersect(conditions):
            return tuple(dict.fromkeys(text for one in conditions for text in calls_in(one)))
        case Not(inner) | Exact(inner) | Boost(inner):
            return calls_in(inner)
    return ()


def _folded(values: Iterable[Any], is_exact: bool) -> list[Any]:
    return [fold(value, is_exact=is_exact) for value in values]


def fold(value: Any, *, is_exact: bool = False) -> Any:
    """A value as it is compared."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.lower() if isinstance(value, str) and not is_exact else value


def key_of(value: Any) -> str | None:
    """What two folded values have in common that are the same term: 5, 5.0 and '5' have."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return orjson.dumps(value).decode() if isinstance(value, list | dict) else str(value)


def _compared(found: list[Any], operator: Operator, term: Any) -> bool:
    match operator:
        case Operator.EQUAL:
            return any(key_of(one) == key_of(term) for one in found)
        case Operator.NOT_EQUAL:
            return not any(key_of(one) == key_of(term) for one in found)
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

