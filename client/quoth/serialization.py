"""Entities to JSON and back: the door of `quoth.entities` that the rest of the client uses.

Entities are dataclasses, classes of attrs, models of pydantic, structs of msgspec, plain classes
(what is in their attributes), dictionaries and TypedDicts. Writing looks at the values; reading
goes by the annotations of the class asked for:

    JSON            Python
    string          str, datetime, date, time, timedelta, UUID, Decimal, Path, bytes (base64), Enum
    number          int, float, Enum, Flag
    array           list, tuple, named tuple, set, frozenset, deque
    object          all kinds of entities, dict, Mapping, defaultdict; keys that have one text

A Decimal keeps every digit as text, which has its price: to the database it is no number, so it is
in no range and in no sum. Amounts to be queried are integers, of cents for instance.

An annotation that cannot be evaluated is read as Any: under `from __future__ import annotations`
one that names a class inside a function, or one that is imported for type checkers only.

What does not fit is a WrongType that names the place. Fields of a stored document that its class
does not know are kept and written back, and so is the form of every value that has not changed: a
save never drops what it does not understand (`entities/origins.py`).
"""

from collections.abc import Mapping
from typing import Any, TypeVar, get_origin

from quoth.entities.becoming import become
from quoth.entities.identity import get_identity, identity_property_of, set_identity
from quoth.entities.kinds import layout_of
from quoth.entities.mismatch import Mismatch
from quoth.entities.origins import Origins
from quoth.entities.plain import METADATA, Json, JsonObject, canonical, encode
from quoth.entities.reading import reader_of
from quoth.entities.writing import Trace, write
from quoth.errors import WrongType

__all__ = [
    "METADATA",
    "Json",
    "JsonObject",
    "Origins",
    "Trace",
    "become",
    "canonical",
    "encode",
    "field_names",
    "from_document",
    "from_json",
    "get_identity",
    "identity_property_of",
    "is_frozen",
    "is_instance",
    "origins_of",
    "set_identity",
    "to_document",
    "to_json",
    "value_origins",
]

T = TypeVar("T")


def to_document(
    entity: object, *, identity_property: str | None, origins: Origins | None = None
) -> JsonObject:
    """The JSON object that stores an entity, without metadata and without its id.

    `origins` is what `origins_of` answered when it was read: with it, what its class does not know
    is kept, and what has not changed keeps its form. Raises WrongType, naming the field, for what
    has no JSON.
    """
    if origins is None:
        return _written(entity, identity_property, None)
    trace: Trace = {}
    plain = _written(entity, identity_property, trace)
    found: JsonObject = origins.restored(plain, trace)
    return found


def origins_of(
    entity: object, plain: JsonObject, stored: JsonObject, *, identity_property: str | None
) -> Origins | None:
    """What must be remembered of the document that an entity was just read from, or saved as.

    `plain` is what `to_document` makes of it. None if the entity holds all of the document.
    """
    if canonical(plain) == canonical(stored):
        return None
    trace: Trace = {}
    origins = Origins()
    origins.remember(_written(entity, identity_property, trace), stored, trace)
    return origins


def from_document(
    document: Mapping[str, Json],
    entity_type: type[T],
    *,
    document_id: str,
    identity_property: str | None,
) -> T:
    """A new entity of that type from a stored document, with which it shares nothing.

    Raises WrongType, naming the document and the field, if it does not fit.
    """
    body = {name: value for name, value in document.items() if name != METADATA}
    is_in = False
    if identity_property is not None and not _is_dictionary(entity_type):
        slot = layout_of(entity_type).slot_of(identity_property)
        is_in = slot is not None
        if slot is not None:
            for each in slot.other_names:
                body.pop(each, None)
            body[slot.name] = document_id
            if slot.parameter is not None and slot.parameter in slot.other_names:
                body[slot.parameter] = body.pop(slot.name)
    entity: T = from_json(body, entity_type, name=f"document {document_id}")
    if not is_in:
        set_identity(entity, document_id, identity_property=identity_property)
    return entity


def from_json(value: Json, wanted: type[T], *, name: str) -> T:
    """A value of that type from a JSON value; `name` says in errors what it is."""
    try:
        read: T = reader_of(wanted)(value)
    except Mismatch as mismatch:
        raise WrongType(f"{name}: {mismatch}") from mismatch.__cause__
    except RecursionError:
        raise WrongType(f"{name} is nested too deep to be read") from None
    return read


def to_json(value: object, origins: Origins | None = None) -> Json:
    """The JSON value of any value an entity may hold. Raises WrongType for what has none.

    `origins` is what `value_origins` answered when it was read.
    """
    if origins is None:
        return _plain(value, None)
    trace: Trace = {}
    return origins.restored(_plain(value, trace), trace)


def value_origins(value: object, plain: Json, stored: Json) -> Origins | None:
    """The same as `origins_of`, for a value that need not be an entity."""
    if canonical(plain) == canonical(stored):
        return None
    trace: Trace = {}
    origins = Origins()
    origins.remember(_plain(value, trace), stored, trace)
    return origins


def field_names(kind: Any) -> frozenset[str]:
    """The names of the fields that documents of a class have, as far as the class says them."""
    return frozenset(each.name for each in layout_of(kind).slots)


def is_frozen(entity: object) -> bool:
    """Whether the class of an entity says that it cannot be changed."""
    return not isinstance(entity, Mapping) and layout_of(type(entity)).is_frozen


def is_instance(entity: object, wanted: Any) -> bool:
    """Whether an entity is of a type, which may be generic or a TypedDict."""
    kind = get_origin(wanted) or wanted
    return isinstance(entity, dict if _is_dictionary(kind) else kind)


def _is_dictionary(kind: Any) -> bool:
    kind = get_origin(kind) or kind
    return isinstance(kind, type) and issubclass(kind, dict)


def _written(entity: object, identity_property: str | None, trace: Trace | None) -> JsonObject:
    plain = _plain(entity, trace)
    if type(plain) is not dict:
        raise WrongType(f"a {type(entity).__name__} is not an entity: it has no fields to store")
    plain.pop(METADATA, None)
    if identity_property is not None and not isinstance(entity, Mapping):
        slot = layout_of(type(entity)).slot_of(identity_property)
        plain.pop(identity_property if slot is None else slot.name, None)
    return plain


def _plain(value: object, trace: Trace | None) -> Json:
    try:
        return write(value, trace)
    except Mismatch as mismatch:
        raise WrongType(str(mismatch)) from mismatch.__cause__
