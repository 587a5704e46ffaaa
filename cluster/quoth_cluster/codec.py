"""Frozen values <-> msgpack, checked against their annotations.

A value is an extension: its number, then its fields in order. Numbers are given when a class is
registered and never used twice. A newer writer may append fields with defaults: an older reader
names that as `NewerFormat`, never as corruption.
"""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgpack

from quoth_cluster.errors import MalformedValue, NewerFormat

T = TypeVar("T")
VALUE_EXTENSION = 1
BUFFER_BYTES = 1_024  # to begin with; it grows
SEEN_MAX = 1_000  # of one class: with optional fields, there is one for each combination

Check = Callable[[object], bool]


class Codec:
    """A closed set of dataclasses and their bytes."""

    def __init__(self, numbered: dict[int, type]) -> None:
        self._kinds = {number: _Kind.of(cls) for number, cls in numbered.items()}
        self._writers = {cls: (number, _fields_of(cls)) for number, cls in numbered.items()}
        assert len(self._writers) == len(self._kinds), "a class has one number"

    def encode(self, value: object) -> bytes:
        """The bytes of a registered value; a tuple field may hold registered values."""
        packed: bytes = msgpack.Packer(default=self._pack, buf_size=BUFFER_BYTES).pack(value)
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
        found = self._writers.get(type(value))
        if found is None:
            raise TypeError(f"{type(value).__name__} is not in this codec")
        number, fields_of = found
        # One for each: it cannot be used within itself.
        packer = msgpack.Packer(default=self._pack, buf_size=BUFFER_BYTES)
        return msgpack.ExtType(VALUE_EXTENSION, packer.pack((number, *fields_of(value))))

    def _unpack(self, code: int, data: bytes) -> object:
        if code != VALUE_EXTENSION:
            raise MalformedValue(f"unknown extension {code}")
        parts = msgpack.unpackb(data, ext_hook=self._unpack, use_list=False)
        if not isinstance(parts, tuple) or not parts or type(parts[0]) is not int:
            raise MalformedValue("a value is a list that starts with its number")
        kind = self._kinds.get(parts[0])
        if kind is None:
            raise NewerFormat(f"value number {parts[0]} is unknown here")
        values = parts[1:]
        kind.check(values)
        return kind.cls(*values)


@dataclass(frozen=True, slots=True)
class _Kind:
    """A class, and how what is read for its fields is checked.

    Most fields are decided by the type of what they hold. Values whose types were good before are
    good again: only what is within tuples is looked at anew.
    """

    cls: type
    required: int
    checks: tuple[tuple[str, Check], ...]
    tuples: tuple[int, ...]  # the fields that may hold some
    seen: set[tuple[type, ...]] = field(default_factory=set)

    @classmethod
    def of(cls, described: type) -> "_Kind":
        hints = get_type_hints(described)
        known = fields(described)
        return cls(
            described,
            sum(f.default is MISSING and f.default_factory is MISSING for f in known),
            tuple((f.name, _check(hints[f.name])) for f in known),
            tuple(at for at, f in enumerate(known) if _holds_tuples(hints[f.name])),
        )

    def check(self, values: tuple[object, ...]) -> None:
        """Raises MalformedValue, NewerFormat."""
        types = tuple(map(type, values))
        if types in self.seen:
            for at in self.tuples:
                if at < len(values):
                    self._check_one(at, values[at])
            return
        if len(values) > len(self.checks):
            raise NewerFormat(
                f"{self.cls.__name__} has {len(values)} fields, {len(self.checks)} known here"
            )
        if len(values) < self.required:
            raise MalformedValue(f"{self.cls.__name__} lacks fields: {len(values)} given")
        for at, value in enumerate(values):
            self._check_one(at, value)
        if len(self.seen) < SEEN_MAX:
            self.seen.add(types)

    def _check_one(self, at: int, value: object) -> None:
        name, check = self.checks[at]
        if not check(value):
            raise MalformedValue(f"{self.cls.__name__}.{name} cannot be {type(value).__name__}")


def _fields_of(cls: type) -> Callable[[object], tuple[Any, ...]]:
    """What takes all fields of a value in order."""
    names = [field.name for field in fields(cls)]
    if len(names) < 2:  # an attrgetter of one name gives no tuple
        return lambda value: tuple(getattr(value, name) for name in names)
    return attrgetter(*names)


def _holds_tuples(annotation: Any) -> bool:
    return get_origin(annotation) is tuple or any(map(_holds_tuples, get_args(annotation)))


def _check(annotation: Any) -> Check:
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        checks = [_check(part) for part in get_args(annotation)]
        return lambda value: any(check(value) for check in checks)
    if origin is tuple:
        return _check_all(get_args(annotation)[0])
    if annotation in (None, NoneType):
        return lambda value: value is None
    if annotation in (int, bool):  # True is an int, too; msgpack holds no number over 64 bits
        return lambda value: type(value) is annotation
    if isinstance(annotation, type):
        return lambda value: isinstance(value, annotation)
    raise TypeError(f"{annotation} cannot be checked")


def _check_all(annotation: Any) -> Check:
    """Whether a value is a tuple, and all that is in it is as annotated."""
    check, is_plain = _check(annotation), not _holds_tuples(annotation)
    seen: set[type] = set()  # good ones; a codec is closed, so there are few

    def check_all(value: object) -> bool:
        if not isinstance(value, tuple):
            return False
        types = set(map(type, value))
        if is_plain and types <= seen:
            return True
        if not all(map(check, value)):
            return False
        seen.update(types)
        return True

    return check_all
