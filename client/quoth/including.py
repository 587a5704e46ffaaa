"""What shall come along with a document. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from quoth.errors import Misuse


@dataclass(frozen=True, slots=True)
class Includes:
    """Properties that hold ids of documents, and those that hold compare-exchange keys."""

    documents: tuple[str, ...] = ()
    values: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.documents or self.values)


class IncludeBuilder:
    """Each step names one more property.

    session.load("orders/1", Order, includes=lambda b: b.include_documents("customer"))
    """

    def __init__(self) -> None:
        self._documents: dict[str, None] = {}
        self._values: dict[str, None] = {}

    def include_documents(self, path: str) -> Self:
        """The documents whose ids this property holds: `customer`, `lines[].product`."""
        self._documents[_checked(path)] = None
        return self

    def include_compare_exchange_value(self, path: str) -> Self:
        """The compare-exchange values whose keys it holds; in cluster-wide sessions only."""
        self._values[_checked(path)] = None
        return self

    @property
    def includes(self) -> Includes:
        """What has been named so far."""
        return Includes(tuple(self._documents), tuple(self._values))


Include = Callable[[IncludeBuilder], object] | str | Sequence[str] | None


def includes_of(include: Include) -> Includes:
    """From what programs write: a function of a builder, a property, or several."""
    builder = IncludeBuilder()
    if callable(include):
        include(builder)
    elif isinstance(include, str):
        builder.include_documents(include)
    elif include is not None:
        if not isinstance(include, Iterable):
            _checked(include)
        for each in include:
            builder.include_documents(each)
    return builder.includes


def _checked(path: str) -> str:
    if not isinstance(path, str) or not path:
        raise Misuse(f"to include is a property's name, like 'customer', not {path!r:.80}")
    return path
