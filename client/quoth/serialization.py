"""Entities to JSON and back: the one file the rest of the client asks.

Entities are dataclasses, plain classes (what is in `__dict__`) and dictionaries. Writing looks at
the values; reading goes by the annotations of the class asked for (`readers.py`):

    JSON            Python
    string          str, datetime, date, timedelta, UUID, Decimal, Enum (by its value)
    number          int, float, Enum
    array           list, tuple, set, frozenset
    object          dataclass, plain class, dict, TypedDict

What does not fit is a WrongType that names the place. Fields of a stored document that its
dataclass does not know are kept and written back: a save never drops what it does not understand.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import FrozenInstanceError, fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar
from uuid import UUID

import orjson

from quoth.errors import Misuse, WrongType
from quoth.readers import Json, Mismatch, known_names, reader_of

JsonObject = dict[str, Any]
METADATA = "@metadata"
NESTING_MAX = 100

T = TypeVar("T")


def to_document(entity: object, *, identity_property: str, kept: JsonObject | None = None) -> Json:
    """The JSON object that stores an entity, without metadata and without its id.

    `kept` is the stored document it was read from; what its class does not know of it is kept.
    """
    plain = _to_plain(entity, kept, 0)
    if not isinstance(plain, dict):
        raise WrongType(f"a {type(entity).__name__} is not an entity: it has no fields to store")
    plain.pop(METADATA, None)
    if not isinstance(entity, dict):
        plain.pop(identity_property, None)
    return plain


def from_document(
    document: Mapping[str, Json], entity_type: type[T], *, document_id: str, identity_property: str
) -> T:
    """A new entity of that type from a stored document.

    Raises WrongType, naming the document and the field, if it does not fit.
    """
    body = {name: value for name, value in document.items() if name != METADATA}
    if entity_type is not dict and identity_property in known_names(entity_type):
        body[identity_property] = document_id
    try:
        entity: T = reader_of(entity_type)(body)
    except Mismatch as mismatch:
        raise WrongType(f"document {document_id}: {mismatch}") from None
    set_identity(entity, document_id, identity_property=identity_property)
    return entity


def from_json(value: Json, wanted: type[T], *, name: str) -> T:
    """A value of that type from a JSON value; `name` says in errors what it is."""
    try:
        read: T = reader_of(wanted)(value)
    except Mismatch as mismatch:
        raise WrongType(f"{name}: {mismatch}") from None
    return read


def to_json(value: object) -> Json:
    """The JSON value of any value an entity may hold."""
    return _to_plain(value, None, 0)


def canonical(plain: Json) -> bytes:
    """Bytes that differ exactly when two JSON values do: 1, 1.0 and true are three values."""
    try:
        return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise WrongType(f"this cannot be written as JSON: {error}") from error


def encode(plain: Json) -> bytes:
    """A JSON value as bytes. Raises WrongType for what JSON cannot say: an integer over 64 bits."""
    try:
        return orjson.dumps(plain)
    except TypeError as error:
        raise WrongType(f"this cannot be written as JSON: {error}") from error


def set_identity(entity: object, document_id: str, *, identity_property: str) -> None:
    """Tell an entity its id, if it has a place for it and can be changed."""
    if isinstance(entity, dict) or not hasattr(entity, identity_property):
        return
    try:
        setattr(entity, identity_property, document_id)
    except FrozenInstanceError:
        pass  # it was made with its id, or does without


def become(entity: Any, fresh: Any) -> None:
    """Make an entity equal to a fresh one of its kind, in place.

    Raises Misuse for one that cannot be changed.
    """
    if type(entity) is not type(fresh):
        raise Misuse(f"a {type(entity).__name__} cannot become a {type(fresh).__name__}")
    if isinstance(entity, dict):
        entity.clear()
        entity.update(fresh)
        return
    old, new = getattr(entity, "__dict__", {}), getattr(fresh, "__dict__", {})
    slots = [name for name in _slots_of(type(entity)) if hasattr(fresh, name)]
    try:
        for name in (*new, *slots):
            setattr(entity, name, getattr(fresh, name))
        for name in old.keys() - new.keys():
            delattr(entity, name)
    except (AttributeError, TypeError, ValueError) as error:  # frozen classes say it in many ways
        text = f"a {type(entity).__name__} cannot be changed in place: evict it and load it again"
        raise Misuse(f"{text} ({error})") from None


def _slots_of(kind: type) -> Iterator[str]:
    for each in kind.__mro__:
        names = vars(each).get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if name not in ("__dict__", "__weakref__"):
                yield name


def get_identity(entity: object, *, identity_property: str) -> str | None:
    """The id an entity carries itself, if any."""
    found = None if isinstance(entity, dict) else getattr(entity, identity_property, None)
    return found if isinstance(found, str) and found else None


# Writing.


def _to_plain(value: Any, kept: Json, depth: int) -> Json:
    if depth > NESTING_MAX:
        raise WrongType(f"nested deeper than {NESTING_MAX}: does a value contain itself?")
    kind = type(value)
    if kind in (str, int, float, bool, type(None)):
        return value
    if kind in _WRITERS:
        return _WRITERS[kind](value)
    if isinstance(value, Enum):
        return _to_plain(value.value, None, depth + 1)
    if isinstance(value, Mapping):
        return _mapping_to_plain(value, depth)
    if isinstance(value, set | frozenset):
        # In one order, so that an unchanged set is unchanged.
        return sorted((_to_plain(item, None, depth + 1) for item in value), key=canonical)
    if isinstance(value, list | tuple):
        return [_to_plain(item, None, depth + 1) for item in value]
    if isinstance(value, str | int | float):
        return next(base(value) for base in (str, int, float) if isinstance(value, base))
    for wider, write in _WRITERS.items():
        if isinstance(value, wider):
            return write(value)
    return _object_to_plain(value, kept, depth)


def _mapping_to_plain(value: Mapping[Any, Any], depth: int) -> JsonObject:
    plain = {}
    for name, item in value.items():
        if isinstance(name, Enum):
            name = name.value
        if not isinstance(name, str):
            raise WrongType(f"a key of a JSON object is a string, not {name!r}")
        plain[name] = _within(name, item, None, depth)
    return plain


def _object_to_plain(value: Any, kept: Json, depth: int) -> JsonObject:
    if isinstance(value, type) or not (is_dataclass(value) or hasattr(value, "__dict__")):
        raise WrongType(f"a {type(value).__name__} cannot be written as JSON: {value!r:.80}")
    stored = kept if isinstance(kept, dict) else {}
    if not is_dataclass(value):
        return {
            name: _within(name, item, stored.get(name), depth) for name, item in vars(value).items()
        }
    known = known_names(type(value))
    plain = {name: item for name, item in stored.items() if name not in known}
    for each in fields(value):
        item = getattr(value, each.name)
        plain[each.name] = _within(each.name, item, stored.get(each.name), depth)
    return plain


def _within(name: str, item: Any, kept: Json, depth: int) -> Json:
    try:
        return _to_plain(item, kept, depth + 1)
    except WrongType as error:
        if depth > 3:
            raise
        raise WrongType(f"in {name!r}: {error}") from None


def _write_datetime(moment: datetime) -> str:
    """Seven digits, as all clients write; UTC says so with a Z, a naive time stays naive."""
    zone = ""
    if moment.tzinfo is not None:
        moment, zone = moment.astimezone(UTC), "Z"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}0{zone}"


def _write_timedelta(span: timedelta) -> str:
    sign, span = ("-", -span) if span < timedelta(0) else ("", span)
    hours, rest = divmod(span.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    days = f"{span.days}." if span.days else ""
    fraction = f".{span.microseconds:06d}0" if span.microseconds else ""
    return f"{sign}{days}{hours:02d}:{minutes:02d}:{seconds:02d}{fraction}"


_WRITERS: Mapping[type, Callable[[Any], str]] = {
    datetime: _write_datetime,
    date: date.isoformat,
    timedelta: _write_timedelta,
    UUID: str,
    Decimal: str,
}
