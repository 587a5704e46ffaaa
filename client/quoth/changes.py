"""What has changed in a document, told member by member. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from quoth.serialization import JsonObject

Json = Any
_NOTHING = object()


@dataclass(frozen=True, slots=True)
class DocumentsChanges:
    """One change. `field_path` is the way to the object that holds `field_name`, "" at the top.

    The old value is None for what is new, the new one None for what is gone.
    """

    class ChangeType(Enum):
        """What happened."""

        DOCUMENT_DELETED = "document_deleted"
        DOCUMENT_ADDED = "document_added"
        FIELD_CHANGED = "field_changed"
        NEW_FIELD = "new_field"
        REMOVED_FIELD = "removed_field"
        ARRAY_VALUE_CHANGED = "array_value_changed"
        ARRAY_VALUE_ADDED = "array_value_added"
        ARRAY_VALUE_REMOVED = "array_value_removed"

    field_old_value: Any
    field_new_value: Any
    change: ChangeType
    field_name: str | None = None
    field_path: str = ""

    @property
    def field_full_name(self) -> str | None:
        """The way from the top of the document: `address.city`, `lines[0].price`."""
        if self.field_path and self.field_name:
            return f"{self.field_path}.{self.field_name}"
        return self.field_path or self.field_name


ADDED = DocumentsChanges(None, None, DocumentsChanges.ChangeType.DOCUMENT_ADDED)
DELETED = DocumentsChanges(None, None, DocumentsChanges.ChangeType.DOCUMENT_DELETED)


def changes_between(old: JsonObject, new: JsonObject) -> list[DocumentsChanges]:
    """What to do to one document to get the other."""
    return list(_members(old, new, ""))


def _members(old: JsonObject, new: JsonObject, path: str) -> Iterator[DocumentsChanges]:
    kinds = DocumentsChanges.ChangeType
    for name, value in new.items():
        before = old.get(name, _NOTHING)
        if before is _NOTHING:
            yield DocumentsChanges(None, value, kinds.NEW_FIELD, name, path)
        elif not _is_same(before, value):
            yield from _value(before, value, name, path)
    for name, before in old.items():
        if name not in new:
            yield DocumentsChanges(before, None, kinds.REMOVED_FIELD, name, path)


def _value(before: Json, value: Json, name: str, path: str) -> Iterator[DocumentsChanges]:
    place = f"{path}.{name}" if path else name
    if isinstance(before, dict) and isinstance(value, dict):
        yield from _members(before, value, place)
    elif isinstance(before, list) and isinstance(value, list):
        yield from _items(before, value, name, place)
    else:
        change = DocumentsChanges.ChangeType.FIELD_CHANGED
        yield DocumentsChanges(before, value, change, name, path)


def _items(old: list[Json], new: list[Json], name: str, path: str) -> Iterator[DocumentsChanges]:
    kinds = DocumentsChanges.ChangeType
    for at, (before, value) in enumerate(zip(old, new, strict=False)):
        place = f"{path}[{at}]"
        if _is_same(before, value):
            continue
        if isinstance(before, dict) and isinstance(value, dict):
            yield from _members(before, value, place)
        elif isinstance(before, list) and isinstance(value, list):
            yield from _items(before, value, name, place)
        else:
            yield DocumentsChanges(before, value, kinds.ARRAY_VALUE_CHANGED, None, place)
    for at in range(len(old), len(new)):
        yield DocumentsChanges(None, new[at], kinds.ARRAY_VALUE_ADDED, None, f"{path}[{at}]")
    for at in range(len(new), len(old)):
        yield DocumentsChanges(old[at], None, kinds.ARRAY_VALUE_REMOVED, None, f"{path}[{at}]")


def _is_same(one: Json, other: Json) -> bool:
    """Python finds 1, 1.0 and true equal; JSON has three values there."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_is_same(one[each], other[each]) for each in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return bool(one == other)
