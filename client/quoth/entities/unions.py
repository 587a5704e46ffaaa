"""Readers of unions: of several members that could read a value, the one that fits it best.

Best is, in this order: what is written again as it was; what leaves the fewest fields of a JSON
object unknown, and then knows the most; what is named first. A string is taken as str only if
no other member writes it again as it was, for str would take what a date or an id was meant by.
"""

from typing import Any, get_origin

from quoth.entities.annotations import bare
from quoth.entities.kinds import is_plain, layout_of
from quoth.entities.mismatch import Mismatch, expected
from quoth.entities.plain import Json, canonical
from quoth.entities.scalars import Reader
from quoth.entities.writing import write


def union_reader(members: tuple[Any, ...], readers: list[Reader]) -> Reader:
    """Reads a value as the member of a union that fits it best."""
    has_null = type(None) in members
    others = [
        (place, each, read)
        for place, (each, read) in enumerate(zip(members, readers, strict=True))
        if each is not type(None)
    ]
    others.sort(key=lambda each: (bare(each[1]) is str, each[0]))
    names = " or ".join(_name_of(each) for each in members)

    def read_any(value: Json) -> Any:
        if value is None and has_null:
            return None
        deepest: Mismatch | None = None
        found: list[tuple[Any, Any]] = []
        for _, member, read in others:
            try:
                item = read(value)
            except Mismatch as mismatch:
                if mismatch.path:
                    deepest = mismatch
                continue
            if len(others) == 1:
                return item
            found.append((member, item))
        if not found:
            raise deepest or expected(names, value)
        return min(found, key=lambda each: _misfit(each[0], each[1], value))[1]

    return read_any


def _misfit(member: Any, item: Any, value: Json) -> tuple[bool, int, int]:
    if canonical(write(item)) == canonical(value):
        return False, 0, 0
    known = _names_of(member)
    if type(value) is not dict or known is None:
        return True, 0, 0
    unknown = sum(each not in known for each in value)
    return True, unknown, unknown - len(value)


def _names_of(member: Any) -> Any:
    member = bare(member)
    kind = get_origin(member) or member
    if not isinstance(kind, type) or kind.__module__ == "builtins":
        return None
    layout = layout_of(member)
    return layout.names if layout.slots or not is_plain(kind) else None


def _name_of(wanted: Any) -> str:
    if wanted is type(None):
        return "null"
    return getattr(wanted, "__name__", str(wanted))
