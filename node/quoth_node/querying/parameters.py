"""The values of a query: literals, and parameters that came beside its text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quoth_node.querying.errors import InvalidQuery
from quoth_node.rql.operands import Literal, Parameter, Value


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters by name, without the `$`; any JSON."""

    values: Mapping[str, Any]

    def read(self, value: Value) -> Any:
        """What stands for `value`. Raises InvalidQuery."""
        match value:
            case Literal(found):
                return found
            case Parameter(name):
                if name not in self.values:
                    raise InvalidQuery(f"Query parameter '${name}' is missing")
                return self.values[name]
        raise AssertionError(f"{value} is no value")

    def scalar(self, value: Value) -> None | bool | int | float | str:
        """One value that is neither array nor object. Raises InvalidQuery."""
        found = self.read(value)
        if found is None or isinstance(found, bool | int | float | str):
            return found
        raise InvalidQuery(f"A single value is expected, not {type(found).__name__}")

    def text(self, value: Value) -> str:
        """One text; numbers as they are written. Raises InvalidQuery."""
        found = self.scalar(value)
        if isinstance(found, str):
            return found
        if isinstance(found, int | float) and not isinstance(found, bool):
            return str(found)
        raise InvalidQuery("A text is expected")

    def number(self, value: Value) -> float:
        """One number, also written as a text. Raises InvalidQuery."""
        found = self.scalar(value)
        try:
            if isinstance(found, bool) or found is None:
                raise ValueError("no number")
            return float(found)
        except ValueError as error:
            raise InvalidQuery("A number is expected") from error
