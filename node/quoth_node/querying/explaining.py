"""Why an entry has its score: the parts of the sum, each with the condition it is from."""

import json
from collections.abc import Sequence

from quoth_node.querying.errors import InvalidQuery
from quoth_node.querying.fragment import Fragment
from quoth_node.querying.needs import name_of
from quoth_node.querying.parameters import Parameters, value_of
from quoth_node.rql import FieldPath, Value
from quoth_node.rql.conditions import (
    Between,
    Comparison,
    Condition,
    Exists,
    Fuzzy,
    In,
    Match,
    Proximity,
    Search,
)

VALUE_CHARACTERS_MAX = 100
VALUES_MAX = 10  # of a list
PARTS_MAX = 100  # a column each
BOUND_MAX = 5_000  # values, which stand in four places of the statement


def described(condition: Condition, parameters: Parameters) -> str:
    """A condition as it might be written, with the values of its parameters."""

    def shown(value: Value | FieldPath) -> str:
        if isinstance(value, FieldPath):
            return value.text
        text = json.dumps(value_of(value, parameters), ensure_ascii=False)  # numbers of any size
        return text if len(text) <= VALUE_CHARACTERS_MAX else f"{text[:VALUE_CHARACTERS_MAX]}..."

    match condition:
        case Comparison(operand, operator, value):
            return f"{name_of(operand)} {operator.value} {shown(value)}"
        case In(operand, values, is_all):
            several = ", ".join(map(shown, values[:VALUES_MAX]))
            several += ", ..." if len(values) > VALUES_MAX else ""
            return f"{name_of(operand)} {'all in' if is_all else 'in'} ({several})"
        case Between(operand, low, high):
            return f"{name_of(operand)} between {shown(low)} and {shown(high)}"
        case Exists(path):
            return f"exists({path.text})"
        case Match(kind, operand, value):
            return f"{kind.value}({name_of(operand)}, {shown(value)})"
        case Search(path, value):
            return f"search({path.text}, {shown(value)})"
        case Proximity(search, distance):
            return f"proximity({described(search, parameters)}, {shown(distance)})"
        case Fuzzy(comparison, similarity):
            return f"fuzzy({described(comparison, parameters)}, {shown(similarity)})"
    return type(condition).__name__.lower()


def check_may_be_explained(scores: Sequence[Fragment]) -> None:
    """Raise InvalidQuery if there are more parts, or values, than SQLite tells at once."""
    if len(scores) > PARTS_MAX:
        raise InvalidQuery(f"Scores of more than {PARTS_MAX} conditions are not explained")
    if sum(len(one.values) for one in scores) > BOUND_MAX:
        raise InvalidQuery(f"Scores of more than {BOUND_MAX} values are not explained")


def explained(parts: Sequence[float], names: Sequence[str]) -> str:
    """The text for one entry: the score, and what it is the sum of."""
    lines = [f"{part} = {name}" for part, name in zip(parts, names, strict=True)]
    if not lines:
        return "1.0 = every result, alike"
    return lines[0] if len(lines) == 1 else "\n  ".join([f"{sum(parts)} = sum of:", *lines])
