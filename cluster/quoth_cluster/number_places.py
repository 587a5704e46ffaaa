"""Numbers written into documents: by JSON pointers into their bodies, and into their ids.

Pure, and total: whatever cannot be is said in words.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import Any

import orjson

PATH_BYTES_MAX = 1_024
BODY_BYTES_MAX = 4 * 1024 * 1024  # it is read and written anew while others wait
# As in `invoices/{number}`, or with zeros in front to six digits, `invoices/{number:06}`.
ID_PLACE = re.compile(r"\{number(?::0([1-9][0-9]?))?\}")
DIGITS_MAX = 40
ESCAPED = re.compile(r"~(?![01])")
ARRAY_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")

Value = int | list[int]


@dataclass(frozen=True, slots=True)
class Filling:
    """What is written where in one body."""

    path: str
    value: Value


class NoPlace(Exception):
    """A number cannot be written there; says why."""


def parts_of(path: str) -> list[str]:
    """The names and indexes that a JSON pointer (RFC 6901) is made of. Raises NoPlace."""
    if len(path.encode()) > PATH_BYTES_MAX:
        raise NoPlace(f"the path is over the limit of {PATH_BYTES_MAX} bytes")
    if not path.startswith("/") or ESCAPED.search(path):
        raise NoPlace(f"'{path}' is no JSON pointer, as in '/Number' or '/Lines/0/Number'")
    parts = [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
    if parts[0] == "@metadata":
        raise NoPlace("numbers are not written into the metadata of a document")
    return parts


def filled(body: bytes, fillings: Iterable[Filling]) -> bytes:
    """The body with all numbers in their places. Raises NoPlace."""
    if len(body) > BODY_BYTES_MAX:
        raise NoPlace(f"a document over {BODY_BYTES_MAX} bytes gets no numbers")
    document = _parsed(body)
    written = [(filling, parts_of(filling.path)) for filling in fillings]
    # One place within another, or the same one twice, would lose a number. In order each stands
    # directly before those within it.
    in_order = sorted(written, key=itemgetter(1))
    for (_, parts), (filling, later) in pairwise(in_order):
        if later[: len(parts)] == parts:
            raise NoPlace(f"something else is to stand at '{filling.path}', too")
    for filling, parts in written:
        _write(document, parts, filling)
    try:
        return orjson.dumps(document)
    except TypeError as error:
        raise NoPlace(f"its body cannot be kept: {error}") from error


def values_in(body: bytes, fillings: Iterable[Filling]) -> list[object]:
    """What stands at each place in a stored body now, None where nothing does.

    The paths must have been written to. A body may be stored that is not JSON but on its outside.
    """
    try:
        document = _parsed(body)
    except NoPlace:
        return []
    return [find(document, parts_of(filling.path)) for filling in fillings]


def value_in(body: bytes, path: str) -> object:
    """What stands at a path in a body, None where nothing does. Raises NoPlace."""
    return find(_parsed(body), parts_of(path))


def find(found: Any, parts: list[str]) -> Any:
    """What stands in a JSON value where the parts of a pointer lead, None where nothing does."""
    for part in parts:
        if isinstance(found, dict):
            found = found.get(part)
        elif isinstance(found, list) and ARRAY_INDEX.fullmatch(part) and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found


def is_whole(found: object) -> bool:
    """Whether it is a whole number, or an array of such: 1.0 and true are equal to 1, but none."""
    return all(type(one) is int for one in (found if isinstance(found, list) else [found]))


def has_place(document_id: str) -> bool:
    """Whether a number can be written into the id."""
    return len(ID_PLACE.findall(document_id)) == 1


def id_with(document_id: str, number: int) -> str:
    """The id with the number in its place. Raises NoPlace."""
    match = ID_PLACE.search(document_id)
    if match is None or not has_place(document_id):
        raise NoPlace("its id has one place for a number, as in 'invoices/{number}'")
    digits = int(match[1] or 1)
    if digits > DIGITS_MAX:
        raise NoPlace(f"a number in an id has {DIGITS_MAX} digits at most")
    return f"{document_id[: match.start()]}{number:0{digits}}{document_id[match.end() :]}"


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NoPlace(f"its body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise NoPlace("its body is not a JSON object")
    return document


def _write(document: dict[str, Any], parts: list[str], filling: Filling) -> None:
    parent = find(document, parts[:-1])
    name = parts[-1]
    if isinstance(parent, dict):
        parent[name] = filling.value
    elif isinstance(parent, list) and ARRAY_INDEX.fullmatch(name) and int(name) < len(parent):
        parent[int(name)] = filling.value
    else:
        raise NoPlace(f"there is nothing to hold a number at '{filling.path}'")
