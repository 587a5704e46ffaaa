"""Readers of single values: strings, numbers, dates, enumerations."""

from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum, Flag
from pathlib import Path, PosixPath, PurePath, PurePosixPath
from typing import Any
from uuid import UUID

from quoth.entities.mismatch import expected
from quoth.entities.moments import read_date, read_datetime, read_time, read_timedelta
from quoth.entities.plain import Json, canonical, copied
from quoth.entities.writing import ADDRESSES, write

Reader = Callable[[Json], Any]


def _read_str(value: Json) -> str:
    if type(value) is str:
        return value
    raise expected("a string", value)


def _read_bool(value: Json) -> bool:
    if type(value) is bool:
        return value
    raise expected("true or false", value)


def _read_int(value: Json) -> int:
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)  # JSON has one kind of number, and JavaScript writes 7.0
    raise expected("an integer", value)


def _read_float(value: Json) -> float:
    if type(value) in (float, int):
        return float(value)
    raise expected("a number", value)


def _read_none(value: Json) -> None:
    if value is not None:
        raise expected("null", value)


def _read_decimal(value: Json) -> Decimal:
    if type(value) in (int, float):
        return Decimal(str(value))
    if type(value) is str:
        try:
            found = Decimal(value)
        except InvalidOperation:
            found = Decimal("NaN")
        if found.is_finite():
            return found
    raise expected("a decimal number", value)


def _read_bytes(value: Json) -> bytes:
    if type(value) is str:
        try:
            return b64decode(value, validate=True)
        except ValueError:
            pass
    raise expected("bytes in base64", value)


def _parsed_by(parse: Callable[[str], Any], what: str) -> Reader:
    def read(value: Json) -> Any:
        if type(value) is str:
            try:
                return parse(value)
            except ValueError:
                pass
        raise expected(what, value)

    return read


def text_reader(make: Callable[[str], Any], what: str) -> Reader:
    """Reads a string, which cannot be wrong, as something else."""

    def read(value: Json) -> Any:
        if type(value) is str:
            return make(value)
        raise expected(what, value)

    return read


SCALARS: Mapping[Any, Reader] = {
    Any: copied,
    object: copied,
    str: _read_str,
    bool: _read_bool,
    int: _read_int,
    float: _read_float,
    None: _read_none,
    type(None): _read_none,
    datetime: read_datetime,
    date: read_date,
    time: read_time,
    timedelta: read_timedelta,
    UUID: _parsed_by(UUID, "a UUID"),
    **{kind: _parsed_by(kind, "an IP address") for kind in ADDRESSES},
    Decimal: _read_decimal,
    bytes: _read_bytes,
    bytearray: lambda value: bytearray(_read_bytes(value)),
    **{kind: text_reader(kind, "a path") for kind in (Path, PosixPath, PurePath, PurePosixPath)},
}


def literal_reader(values: tuple[Any, ...]) -> Reader:
    """Reads one of these values."""
    by_bytes = {canonical(write(each)): each for each in values}

    def read(value: Json) -> Any:
        found = by_bytes.get(canonical(value), by_bytes)
        if found is by_bytes:
            raise expected("one of " + ", ".join(map(repr, values)), value)
        return found

    return read


def enum_reader(wanted: type[Enum]) -> Reader:
    """Reads a member by its value. Flags may be combined, and whole numbers may end in .0."""
    members = {canonical(write(each)): each for each in wanted}

    def read(value: Json) -> Any:
        if type(value) is float and value.is_integer():
            value = int(value)
        found = members.get(canonical(value))
        if found is not None:
            return found
        if issubclass(wanted, Flag) and type(value) is not int:
            raise expected(f"a value of {wanted.__name__}", value)
        try:
            return wanted(value)  # combined flags, and what `_missing_` takes
        except (ValueError, TypeError):
            raise expected(f"a value of {wanted.__name__}", value) from None

    return read
