"""A class as a list of fields: how Python has each, how a document has it, how it gets in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

NEVER: Any = object()


@dataclass(frozen=True, slots=True)
class Slot:
    """One field of a class."""

    attribute: str  # how Python has it
    name: str  # how documents have it
    hint: Any = Any
    parameter: str | None = None  # of the constructor; None: it is set afterwards
    is_required: bool = False  # the constructor cannot do without
    is_lenient: bool = False  # what does not fit its annotation is left to a converter
    is_written: bool = True
    omitted: Any = NEVER  # the value that is not written, as the class says
    check: Callable[[Any], Any] | None = None  # what the class's library says to a value
    other_names: tuple[str, ...] = ()  # that it is read from as well


@dataclass(frozen=True)
class Layout:
    """A class, as reading and writing see it. Invariant: no two slots have the same name."""

    kind: type
    slots: tuple[Slot, ...]
    is_frozen: bool = False
    forbids_unknown: bool = False
    tag: tuple[str, str | int] | None = None

    def __post_init__(self) -> None:
        names = {each.name for each in self.slots}
        assert len(names) == len(self.slots), "a document has one place for each name"

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Every name a document may have a field under, and the one it is written under."""
        found = {other: each.name for each in self.slots for other in each.other_names}
        found.update((each.name, each.name) for each in self.slots)
        if self.tag is not None:
            found[self.tag[0]] = self.tag[0]
        return found

    def slot_of(self, attribute: str | None) -> Slot | None:
        """The field that Python has under this name."""
        return self._by_attribute.get(attribute)

    @cached_property
    def _by_attribute(self) -> Mapping[str | None, Slot]:
        return {each.attribute: each for each in self.slots}
