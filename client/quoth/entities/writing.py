"""Python values to JSON, by what they are. What has no JSON raises Mismatch.

A writer is found once per class and kept. `trace`, if there is one, is told which object each JSON
object was made from, by `id` of the JSON object: `origins.py` lives on that.
"""

from base64 import b64encode
from collections import deque
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from math import isfinite
from operator import attrgetter
from pathlib import PurePath
from typing import Any
from uuid import UUID

from quoth.entities.kinds import is_plain, layout_of
from quoth.entities.layouts import NEVER, Layout
from quoth.entities.mismatch import Mismatch
from quoth.entities.models import is_model, model_writer
from quoth.entities.moments import write_datetime, write_time, write_timedelta
from quoth.entities.numbers import SequenceNumber, marked
from quoth.entities.objects import attributes_of, own_form
from quoth.entities.plain import Json, JsonObject, canonical

Trace = dict[int, Any]
Writer = Callable[[Any, Trace | None, int], Json]

NESTING_MAX = 100
ADDRESSES = (IPv4Address, IPv6Address, IPv4Network, IPv6Network, IPv4Interface, IPv6Interface)
# Values that are their own JSON. Integers too big for it are refused when they become bytes.
_OWN = frozenset({str, int, bool, type(None)})


def write(value: Any, trace: Trace | None = None, depth: int = 0) -> Json:
    """The JSON value of anything an entity may hold. Raises Mismatch.

    A number that JSON does not have is refused here if it is a float, and by `canonical` and
    `encode` if it is an integer over 64 bits.
    """
    kind = type(value)
    if kind in _OWN:
        return value
    return (_WRITERS.get(kind) or _writer_for(kind))(value, trace, depth)


def _writer_for(kind: type) -> Writer:
    writer = _WRITERS[kind] = _found_writer(kind)
    return writer


def _found_writer(kind: type) -> Writer:
    if issubclass(kind, Enum):
        return lambda value, trace, depth: write(value.value, None, depth + 1)
    for wider in _BY_BASE:
        if issubclass(kind, wider):
            return _WRITERS[wider]
    if issubclass(kind, Mapping):
        return _write_mapping
    return _object_writer(kind)


def _write_float(value: float, _trace: Trace | None, _depth: int) -> float:
    if isfinite(value):
        return float(value)
    raise Mismatch(f"{value} is no number of JSON: store None or a string instead")


def _write_decimal(value: Decimal, _trace: Trace | None, _depth: int) -> str:
    if value.is_finite():
        return str(value)
    raise Mismatch(f"{value} is no number of JSON: store None or a string instead")


def _by(plain_of: Callable[[Any], Json]) -> Writer:
    return lambda value, trace, depth: plain_of(value)


def _write_items(value: Any, trace: Trace | None, depth: int) -> list[Json]:
    _check_depth(depth)
    depth += 1
    plain = []
    try:
        for item in value:
            kind = type(item)
            if kind in _OWN or (kind is float and isfinite(item)):
                plain.append(item)
            else:
                plain.append((_WRITERS.get(kind) or _writer_for(kind))(item, trace, depth))
    except Mismatch as mismatch:
        raise mismatch.at(f"[{len(plain)}]") from None
    return plain


def _write_set(value: Any, trace: Trace | None, depth: int) -> list[Json]:
    """In one order, so that an unchanged set is unchanged."""
    plain = sorted(_write_items(value, trace, depth), key=canonical)
    if trace is not None:
        trace[id(plain)] = value
    return plain


def _write_mapping(value: Mapping[Any, Any], trace: Trace | None, depth: int) -> JsonObject:
    _check_depth(depth)
    plain: JsonObject = {}
    for key, item in value.items():
        name = key if type(key) is str else write_key(key)
        if name in plain:
            raise Mismatch(f"two keys are both written as {name!r}")
        try:
            plain[name] = write(item, trace, depth + 1)
        except Mismatch as mismatch:
            raise mismatch.at(name) from None
    if trace is not None:
        trace[id(plain)] = value
    return plain


def write_key(key: Any) -> str:
    """The name in a JSON object that a key of a mapping gets."""
    if isinstance(key, str | int | Enum | UUID | date | time | Decimal) and type(key) is not bool:
        plain = write(key)
        if type(plain) in (str, int):
            return str(plain)
    raise Mismatch(f"a key of a JSON object is a string, or has one text, unlike {key!r:.60}")


def _object_writer(kind: type) -> Writer:
    if isinstance(kind, type) and issubclass(kind, type):
        return _refuse
    if is_model(kind):
        return _model_writer(kind)
    if is_plain(kind):
        has_attributes = any(vars(each).keys() & {"__dict__", "__slots__"} for each in kind.__mro__)
        is_foreign = kind.__module__ in ("builtins", "types", "functools", "_io")
        return _refuse if is_foreign or not has_attributes else _write_attributes
    return _field_writer(layout_of(kind))


def _refuse(value: Any, _trace: Trace | None, _depth: int) -> Json:
    raise Mismatch(f"a {type(value).__name__} cannot be written as JSON: {value!r:.80}")


def _write_attributes(value: Any, trace: Trace | None, depth: int) -> JsonObject:
    own = own_form(value)
    if own is None:
        plain = _fill(attributes_of(value), trace, depth)
    else:
        plain = _write_mapping(own, trace, depth)
    if trace is not None:
        trace[id(plain)] = value
    return plain


def _field_writer(layout: Layout) -> Writer:
    slots = [each for each in layout.slots if each.is_written]
    names = [each.name for each in slots]
    attributes = [each.attribute for each in slots]
    get = _getter_of(attributes)
    has_omitted = any(each.omitted is not NEVER for each in slots)
    tag = layout.tag

    def write_fields(value: Any, trace: Trace | None, depth: int) -> JsonObject:
        try:
            plain = dict(zip(names, get(value), strict=True))
        except AttributeError:
            # A field that `__init__` does not take, and nobody has set yet.
            plain = {
                each.name: getattr(value, each.attribute)
                for each in slots
                if hasattr(value, each.attribute)
            }
        if has_omitted:
            for each in slots:
                if _is_omitted(each.omitted, plain[each.name]):
                    del plain[each.name]
        _fill(plain, trace, depth)
        if tag is not None:
            plain = {tag[0]: tag[1], **plain}
        if trace is not None:
            trace[id(plain)] = value
        return plain

    return write_fields


def _getter_of(attributes: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """What reads these attributes. attrgetter answers a tuple only if asked for at least two."""
    if len(attributes) > 1:
        return attrgetter(*attributes)
    return lambda value: tuple(getattr(value, each) for each in attributes)


def _is_omitted(omitted: Any, value: Any) -> bool:
    return value is omitted or (type(value) is type(omitted) and bool(value == omitted))


def _fill(plain: JsonObject, trace: Trace | None, depth: int) -> JsonObject:
    """Write the values of a dictionary in their places."""
    _check_depth(depth)
    depth += 1
    name = ""
    try:
        for name, item in plain.items():
            kind = type(item)
            if kind not in _OWN and not (kind is float and isfinite(item)):
                plain[name] = (_WRITERS.get(kind) or _writer_for(kind))(item, trace, depth)
    except Mismatch as mismatch:
        raise mismatch.at(name) from None
    return plain


def _model_writer(kind: type) -> Writer:
    write_its = model_writer(kind, layout_of(kind))

    def write_model(value: Any, trace: Trace | None, depth: int) -> Json:
        _check_depth(depth)

        def write_field(name: str, item: Any) -> Json:
            try:
                return write(item, trace, depth + 1)
            except Mismatch as mismatch:
                raise mismatch.at(name) from None

        plain = write_its(value, write_field)
        if trace is not None and type(plain) is dict:
            trace[id(plain)] = value
        return plain

    return write_model


def _check_depth(depth: int) -> None:
    if depth > NESTING_MAX:
        raise Mismatch(f"nested deeper than {NESTING_MAX}: does a value contain itself?")


_WRITERS: dict[type, Writer] = {
    # A datetime is a date, so it stands before it.
    datetime: _by(write_datetime),
    date: _by(date.isoformat),
    time: _by(write_time),
    timedelta: _by(write_timedelta),
    UUID: _by(str),
    Decimal: _write_decimal,
    bytes: _by(lambda value: b64encode(value).decode("ascii")),
    bytearray: _by(lambda value: b64encode(value).decode("ascii")),
    PurePath: _by(str),
    SequenceNumber: _by(marked),
    **dict.fromkeys(ADDRESSES, _by(str)),
    set: _write_set,
    frozenset: _write_set,
    list: _write_items,
    tuple: _write_items,
    deque: _write_items,
    str: _by(str.__str__),
    int: _by(int),
    float: _write_float,
    dict: _write_mapping,
}
_BY_BASE = tuple(_WRITERS)
