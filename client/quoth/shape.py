"""The shape of what operations send and are told: dataclasses here, PascalCase JSON on the wire.

A field `count_of_documents` is `CountOfDocuments`, unless its metadata names another word:

    stale: bool = field(metadata=called("IsStale"))

What the wire tells beyond the fields of a class is passed over: servers may learn to tell more.
"""

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from quoth.entities.mismatch import Mismatch
from quoth.entities.reading import reader_of
from quoth.serialization import JsonObject, to_json

T = TypeVar("T")
_WIRE = "wire"


def called(name: str) -> Mapping[str, str]:
    """Metadata of a field whose name on the wire is another."""
    return {_WIRE: name}


def read_shape(kind: type[T], value: Any) -> T:
    """An instance of a dataclass. Raises KeyError, TypeError or ValueError for another shape."""
    found: T = _read(kind, value)
    return found


def write_shape(value: Any) -> Any:
    """The JSON value of a dataclass, and of what it holds. None stays, and says: not given."""
    if is_dataclass(value) and not isinstance(value, type):
        names = _plan(type(value))
        return {wire: write_shape(getattr(value, name)) for name, wire, _ in names}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {name: write_shape(each) for name, each in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(write_shape(each) for each in value)
    if isinstance(value, list | tuple):
        return [write_shape(each) for each in value]
    return to_json(value)


def given(wire: JsonObject) -> JsonObject:
    """Without what is None."""
    return {name: value for name, value in wire.items() if value is not None}


@cache
def _plan(kind: type[Any]) -> tuple[tuple[str, str, Any], ...]:
    """Of each field: its name, its name on the wire, its annotation."""
    hints = get_type_hints(kind)
    return tuple(
        (each.name, each.metadata.get(_WIRE) or _pascal(each.name), hints[each.name])
        for each in fields(kind)
    )


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _read(wanted: Any, value: Any) -> Any:
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        (wanted,) = (each for each in arguments if each is not types.NoneType)
        return _read(wanted, value)
    if isinstance(wanted, type) and is_dataclass(wanted):
        return wanted(
            **{
                name: _read(kind, value[wire])
                for name, wire, kind in _plan(wanted)
                if wire in value
            }
        )
    if origin is list:
        return [_read(arguments[0], each) for each in value]
    if origin is dict:
        return {name: _read(arguments[1], each) for name, each in value.items()}
    try:
        return reader_of(wanted)(value)
    except Mismatch as mismatch:
        raise ValueError(str(mismatch)) from None
