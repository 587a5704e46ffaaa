"""The values of a query: what stands in its text, and what came beside it."""

from collections.abc import Mapping
from typing import Any

from quoth_node.querying.errors import InvalidQuery
from quoth_node.rql import Literal, Parameter, Value

Parameters = Mapping[str, Any]  # JSON values by name, without the dollar


def value_of(value: Value, parameters: Parameters) -> Any:
    """What a literal or a parameter is. Raises InvalidQuery for a parameter that was not sent."""
    match value:
        case Literal():
            return value.value
        case Parameter() if value.name in parameters:
            return parameters[value.name]
        case Parameter():
            raise InvalidQuery(f"The parameter ${value.name} was not sent with the query")


def values_of(values: tuple[Value, ...], parameters: Parameters) -> list[Any]:
    """The values of a list, in which a parameter may stand for several."""
    found: list[Any] = []
    for value in values:
        one = value_of(value, parameters)
        if isinstance(one, list):
            found += one
        else:
            found.append(one)
    return found


def whole_number(value: Value | None, parameters: Parameters, what: str) -> int | None:
    """A number of documents; None if nothing is said, or null. Raises InvalidQuery."""
    found = None if value is None else value_of(value, parameters)
    if found is None:
        return None
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        raise InvalidQuery(f"{what} is a whole number, and not below 0")
    return found


def scalar_of(value: Value, parameters: Parameters) -> bool | int | float | str | None:
    """A value that is neither array nor object. Raises InvalidQuery."""
    found = value_of(value, parameters)
    if found is None or isinstance(found, bool | int | float | str):
        return found
    raise InvalidQuery(f"A single value is expected, not {type(found).__name__}")


def text_of(value: Value, parameters: Parameters) -> str:
    """A text; numbers as they are written. Raises InvalidQuery."""
    found = scalar_of(value, parameters)
    if isinstance(found, str):
        return found
    if isinstance(found, int | float) and not isinstance(found, bool):
        return str(found)
    raise InvalidQuery("A text is expected")


def number_of(value: Value, parameters: Parameters) -> float:
    """A number, also one that is written as a text. Raises InvalidQuery."""
    found = scalar_of(value, parameters)
    try:
        if isinstance(found, bool) or found is None:
            raise ValueError("no number")
        return float(found)
    except ValueError as error:
        raise InvalidQuery("A number is expected") from error
