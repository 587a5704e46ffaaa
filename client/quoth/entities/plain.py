"""JSON values in Python, and their bytes."""

from typing import Any

import orjson

from quoth.entities.numbers import MARK_BYTES
from quoth.errors import Misuse, WrongType

Json = Any  # a JSON value; no type says it better without a cast at every step
JsonObject = dict[str, Any]
METADATA = "@metadata"


def canonical(plain: Json) -> bytes:
    """Bytes that differ exactly when two JSON values do: 1, 1.0 and true are three values."""
    return _dumped(plain, orjson.OPT_SORT_KEYS)


def encode(plain: Json) -> bytes:
    """A JSON value as bytes, to be sent. Raises WrongType for what JSON cannot say: an integer over
    64 bits; and Misuse for the text of a number that is not known yet.
    """
    body = _dumped(plain, None)
    if MARK_BYTES in body:
        raise Misuse(
            "a number of a sequence stands where it cannot be, before it is known: it can be a"
            " field of an entity that is saved in the number's own session, or a part of the id,"
            " and no part of other texts, of metadata, patches or parameters"
        )
    return body


def copied(plain: Json) -> Json:
    """The same JSON value, sharing nothing that can be changed."""
    kind = type(plain)
    if kind is dict:
        return {name: copied(item) for name, item in plain.items()}
    if kind is list:
        return [copied(item) for item in plain]
    return plain


def _dumped(plain: Json, option: int | None) -> bytes:
    try:
        return orjson.dumps(plain, option=option)
    except TypeError as error:
        place, culprit = _unwritable(plain, "")
        why = str(error)
        if type(culprit) is int:
            bits = culprit.bit_length() + (culprit < 0)
            why = f"an integer of {bits} bits, 64 at most: store it as a string"
        where = f"field {place!r}: " if place else ""
        raise WrongType(f"{where}this cannot be written as JSON: {why}") from error


def _unwritable(plain: Json, place: str) -> tuple[str, Json]:
    """Where the first value stands that has no JSON, and the value."""
    inner: list[tuple[str, Json]] = []
    if isinstance(plain, dict):
        inner = [(f"{place}.{name}" if place else str(name), each) for name, each in plain.items()]
    elif isinstance(plain, list):
        inner = [(f"{place}[{index}]", each) for index, each in enumerate(plain)]
    for name, each in inner:
        try:
            orjson.dumps(each)
        except TypeError:
            return _unwritable(each, name)
    return place, plain
