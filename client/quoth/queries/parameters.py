"""The parameters of a query: named values that travel beside its text."""

from collections.abc import Iterable, Mapping, Sequence, Set
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

from quoth.errors import Misuse
from quoth.serialization import JsonObject, to_json


@runtime_checkable
class WireForm(Protocol):
    """Options that know how the wire writes them."""

    def to_json(self) -> JsonObject: ...


class Parameters:
    """Values by their names; those without one are called p0, p1 ... as they come."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values: dict[str, Any] = dict(values or {})

    def add(self, value: object) -> str:
        """A value without a name; how the text says it: `$p0`."""
        number = len(self._values)
        while (name := f"p{number}") in self._values:  # the user has named one like this
            number += 1
        self._put(name, value)
        return f"${name}"

    def name(self, name: str, value: object) -> None:
        """A value by the name that the text has for it."""
        if not isinstance(name, str) or not name.lstrip("$"):
            raise Misuse(f"a parameter is named by a text like 'city', not {name!r:.80}")
        self._put(name.lstrip("$"), value)

    def _put(self, name: str, value: object) -> None:
        if name in self._values:
            raise Misuse(f"the query already has a parameter {name!r}: choose another name")
        # As JSON at once, so that an object changed afterwards does not change the query.
        self._values[name] = _plain(value)

    def copy(self) -> "Parameters":
        return Parameters(self._values)

    def as_json(self) -> JsonObject:
        return dict(self._values)


def _plain(value: object) -> Any:
    if isinstance(value, WireForm) and not isinstance(value, type):
        return to_json(value.to_json())
    return to_json(value)


def several(values: object, what: str) -> list[object]:
    """The values that a condition was given. Raises Misuse for one alone: a text has no items."""
    if not isinstance(values, Iterable) or isinstance(values, str | bytes | bytearray | Mapping):
        raise Misuse(f"{what} takes a collection of values, as in ['a', 'b'], not {values!r:.80}")
    return flattened(values)


def limit(value: object) -> object:
    """What a range begins or ends with. Raises Misuse for a Decimal, which is stored as text.

    Texts are ordered by their letters, 10 before 9.5: the range would hold what nobody asked for.
    """
    if isinstance(value, Decimal):
        raise Misuse(
            f"a range cannot end at Decimal({str(value)!r}): a Decimal is stored as text, and"
            " text is ordered by its letters. Where documents have numbers, give an int or a float"
        )
    return value


def flattened(values: Iterable[object]) -> list[object]:
    """The values of a collection, collections in it taken apart."""
    found: list[object] = []
    for each in values:
        if is_collection(each):
            assert isinstance(each, Iterable)
            found += flattened(each)
        else:
            found.append(each)
    return found


def is_collection(value: object) -> bool:
    """Whether it stands for several values: a string does not."""
    return isinstance(value, Sequence | Set) and not isinstance(value, str | bytes | bytearray)
