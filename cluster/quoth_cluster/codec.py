"""Frozen values <-> msgpack, checked against their annotations.

A value is an extension: its number, then its fields in order. Numbers are given when a class is
registered and never used twice. A newer writer may append fields with defaults: an older reader
names that as `NewerFormat`, never as corruption.
"""

from collections.abc import Callable
from dataclasses import MISSING, fields
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgpack

from quoth_cluster.errors import MalformedValue, NewerFormat

T = TypeVar("T")
VALUE_EXTENSION = 1
PLAIN_TYPES = (str, bytes, NoneType)
INTEGER_MIN, INTEGER_MAX = -(2**63), 2**64 - 1


class Codec:
    """A closed set of dataclasses and their bytes."""

    def __init__(self, numbered: dict[int, type]) -> None:
        self._class_of = dict(numbered)
        self._number_of = {cls: number for number, cls in numbered.items()}
        assert len(self._number_of) == len(self._class_of), "a class has one number"
        self._checks = {cls: _field_checks(cls) for cls in numbered.values()}
        self._fields_of = {cls: _fields_of(cls) for cls in numbered.values()}
        # Types of the fields of a class whose fields are all texts and bytes: checked at once.
        self._plain = {cls: _plain_types(cls) for cls in numbered.values()}
        self._required = {
            cls: sum(f.default is MISSING and f.default_factory is MISSING for f in fields(cls))
            for cls in numbered.values()
        }

    def encode(self, value: object) -> bytes:
        """The bytes of a registered value; a tuple field may hold registered values."""
        packed: bytes = msgpack.packb(value, default=self._pack)
        return packed

    def decode(self, data: bytes, expected: type[T] | tuple[type[T], ...]) -> T:
        """The value in `data`.

        Raises MalformedValue if the bytes are not one of `expected`, NewerFormat if a newer
        writer made them.
        """
        try:
            value = msgpack.unpackb(data, ext_hook=self._unpack, use_list=False)
        except (ValueError, msgpack.UnpackException) as error:
            raise MalformedValue(f"not msgpack: {error}") from error
        if not isinstance(value, expected):
            raise MalformedValue(f"expected {expected}, got {type(value).__name__}")
        return value

    def _pack(self, value: object) -> msgpack.ExtType:
        number = self._number_of.get(type(value))
        if number is None:
            raise TypeError(f"{type(value).__name__} is not in this codec")
        parts = [number, *self._fields_of[type(value)](value)]
        return msgpack.ExtType(VALUE_EXTENSION, msgpack.packb(parts, default=self._pack))

    def _unpack(self, code: int, data: bytes) -> object:
        if code != VALUE_EXTENSION:
            raise MalformedValue(f"unknown extension {code}")
        parts = msgpack.unpackb(data, ext_hook=self._unpack, use_list=False)
        if not isinstance(parts, tuple) or not parts:
            raise MalformedValue("a value is a list that starts with its number")
        cls = self._class_of.get(parts[0])
        if cls is None:
            raise NewerFormat(f"value number {parts[0]} is unknown here")
        values, checks = parts[1:], self._checks[cls]
        if len(values) > len(checks):
            raise NewerFormat(f"{cls.__name__} has {len(values)} fields, {len(checks)} known here")
        if len(values) < self._required[cls]:
            raise MalformedValue(f"{cls.__name__} lacks fields: {len(values)} given")
        plain = self._plain[cls]
        if plain is not None and all(map(isinstance, values, plain)):
            return cls(*values)
        for (name, check), value in zip(checks, values, strict=False):
            if not check(value):
                raise MalformedValue(f"{cls.__name__}.{name} cannot be {type(value).__name__}")
        return cls(*values)


def _fields_of(cls: type) -> Callable[[object], tuple[Any, ...]]:
    """What takes all fields of a value in order."""
    names = [field.name for field in fields(cls)]
    if len(names) < 2:  # an attrgetter of one name gives no tuple
        return lambda value: tuple(getattr(value, name) for name in names)
    return attrgetter(*names)


def _field_checks(cls: type) -> list[tuple[str, Callable[[object], bool]]]:
    hints = get_type_hints(cls)
    return [(field.name, _check(hints[field.name])) for field in fields(cls)]


def _plain_types(cls: type) -> list[tuple[type, ...]] | None:
    """What the fields may be, if `isinstance` is all that their checks come to."""
    hints = get_type_hints(cls)
    types = [_parts(hints[field.name]) for field in fields(cls)]
    plain = all(part in PLAIN_TYPES for parts in types for part in parts)
    return types if plain else None


def _parts(annotation: Any) -> tuple[Any, ...]:
    is_union = get_origin(annotation) in (Union, UnionType)
    return get_args(annotation) if is_union else (annotation,)


def _check(annotation: Any) -> Callable[[object], bool]:
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        checks = [_check(part) for part in get_args(annotation)]
        return lambda value: any(check(value) for check in checks)
    if origin is tuple:
        part = _check(get_args(annotation)[0])
        return lambda value: isinstance(value, tuple) and all(part(item) for item in value)
    if annotation in (None, NoneType):
        return lambda value: value is None
    if annotation is int:
        return lambda value: type(value) is int and INTEGER_MIN <= value <= INTEGER_MAX
    if annotation is bool:
        return lambda value: type(value) is bool
    if isinstance(annotation, type):
        return lambda value: isinstance(value, annotation)
    raise TypeError(f"{annotation} cannot be checked")
