"""Numbers that were taken, put into the entities that waited for them."""

import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Set
from enum import Enum
from typing import Any

from quoth.entities.kinds import is_plain, layout_of
from quoth.entities.models import is_model
from quoth.entities.numbers import SequenceNumber
from quoth.entities.objects import attributes_of
from quoth.entities.structs import is_struct
from quoth.errors import Misuse

_SINGLE = (str, int, float, bool, bytes, bytearray, type(None), type, Enum)


def numbers_of(entity: object) -> set[SequenceNumber]:
    """The numbers that stand in an entity. Raises Misuse for one that cannot be replaced there."""
    walk = _Walk(lambda number: number)
    walk.settled(entity)
    return walk.found


def settle(entity: object) -> None:
    """Put the numbers, which are known now, in place of what stood for them.

    Setters and validators of the entity are not run: its number was there all along.
    """
    _Walk(lambda number: number.value if number.is_known else number).settled(entity)


class _Walk:
    """One way through an entity, along what is written of it."""

    def __init__(self, value_of: Callable[[SequenceNumber], Any]) -> None:
        self.found: set[SequenceNumber] = set()
        self._value_of = value_of
        self._seen: dict[int, tuple[Any, Any]] = {}  # what it is, and what it becomes

    def settled(self, value: Any) -> Any:
        """The value itself, changed in place; another one if that cannot be."""
        if isinstance(value, SequenceNumber):
            self.found.add(value)
            return self._value_of(value)
        if isinstance(value, _SINGLE):
            return value
        if id(value) in self._seen:
            return self._seen[id(value)][1]
        # The value itself, too: while it lives its id is nobody else's.
        self._seen[id(value)] = (value, value)
        if isinstance(value, dict):
            self._replace(list(value.items()), value.__setitem__)
        elif isinstance(value, list | deque):
            self._replace(list(enumerate(value)), value.__setitem__)
        elif isinstance(value, tuple):
            made = self._tuple(value)
            self._seen[id(value)] = (value, made)
            return made
        elif isinstance(value, Set | Mapping):
            self._look_only(value)
        else:
            self._object(value)
        return value

    def _replace(self, items: list[tuple[Any, Any]], put: Callable[[Any, Any], object]) -> None:
        for key, item in items:
            new = self.settled(item)
            if new is not item:
                put(key, new)

    def _tuple(self, value: tuple[Any, ...]) -> tuple[Any, ...]:
        items = [self.settled(item) for item in value]
        if all(new is old for new, old in zip(items, value, strict=True)):
            return value
        made: Any = type(value)
        return made(*items) if hasattr(value, "_fields") else made(items)  # type: ignore[no-any-return]

    def _look_only(self, value: Set[Any] | Mapping[Any, Any]) -> None:
        before = len(self.found)
        for item in list(value.values() if isinstance(value, Mapping) else value):
            self.settled(item)
        if len(self.found) > before:
            raise Misuse(f"a number of a sequence cannot be put into a {type(value).__name__} after"
                         " the save: use a list or a dict")  # fmt: skip

    def _object(self, value: Any) -> None:
        kind = type(value)
        if kind.__module__ in ("builtins", "datetime", "decimal", "uuid", "pathlib", "ipaddress"):
            return
        put = _setter_of(value)
        self._replace(list(_attributes(value)), put)
        extra = getattr(value, "__pydantic_extra__", None) if is_model(kind) else None
        if extra:
            self._replace(list(extra.items()), extra.__setitem__)


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    kind = type(value)
    if is_plain(kind):
        yield from attributes_of(value).items()
        return
    for slot in layout_of(kind).slots:
        if slot.is_written and hasattr(value, slot.attribute):
            yield slot.attribute, getattr(value, slot.attribute)


def _setter_of(value: Any) -> Callable[[str, Any], object]:
    kind = type(value)
    if is_model(kind):
        attributes = vars(value)
        return lambda name, new: attributes.__setitem__(name, new)
    if is_struct(kind):
        force: Any = sys.modules["msgspec"].structs.force_setattr
        return lambda name, new: force(value, name, new)
    return lambda name, new: object.__setattr__(value, name, new)
