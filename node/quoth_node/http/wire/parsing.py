"""JSON text -> values, with bounds on what it takes.

While JSON is parsed, no other thread runs, and this node's part in elections waits: so whatever
would take long is refused first. Everything else here works in slices, between which others run.
"""

import re
from collections.abc import Iterator
from typing import Any

import orjson

from quoth_node.http.errors import BadBody, OverLimit
from quoth_node.http.query import INT64_MIN, shortened

UINT64_MAX = 2**64 - 1
SLICE_BYTES = 32_768

# What takes time is the number of values. Objects and arrays take the most.
PARTS_MAX = {
    b":": ("properties", 1_000_000),
    b"{": ("objects", 250_000),
    b"[": ("arrays", 250_000),
    b",": ("values", 2_000_000),
}
FEWEST_PARTS_MAX = min(limit for _, limit in PARTS_MAX.values())

DEPTH_MAX = 128
CONTAINERS = frozenset({dict, list})

DIGITS_AS_ZERO = bytes.maketrans(b"123456789", b"0" * 9)
LONG_RUN = b"0" * 19
# A whole number that may be over 64 bits, wherever it stands: also within a string.
LONG_NUMBER = re.compile(rb"(?<![0-9.eE+-])(-?[0-9]{19,}+)(?![.eE])")
NO_NUMBER = re.compile(rb"[^0-9.eE+-]")
NUMBER_BYTES_MAX = 4_096  # a slice does not cut shorter ones
QUOTE = ord('"')
# Possessive, so that a long string costs no memory of its own.
WITHIN_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)


def parse(body: bytes | bytearray) -> object:
    """The JSON value in `body`.

    Raises BadBody, also where a number or the nesting could not be kept as it is, and OverLimit.
    """
    if not body:
        raise BadBody("The body is empty: JSON was expected")
    check_parts(body)
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadBody(f"The body is not JSON: {error}") from error
    check_numbers(body)
    check_shape(body, value)
    return value


def check_shape(body: bytes | bytearray, value: object) -> None:
    """Raise BadBody where objects and arrays are nested too deep, or a property is named twice.

    `value` must be what parsing made of `body`. It keeps the last of the properties that have the
    same name, so there are fewer of them than colons.
    """
    properties, depth = measured(value)
    if depth > DEPTH_MAX:
        raise BadBody(f"The JSON is nested too deep: {DEPTH_MAX} levels are read")
    if body.count(b":") == properties:
        return
    if sum(piece.count(b":") for piece in outside_strings(body)) != properties:
        raise BadBody("An object in the body has two properties of the same name")


def measured(value: object) -> tuple[int, int]:
    """How many properties all objects in a parsed value have, and how many levels there are."""
    properties = depth = 0
    level: list[Any] = [value] if value.__class__ in CONTAINERS else []
    while level:
        depth += 1
        below: list[Any] = []
        for found in level:
            items = found
            if found.__class__ is dict:
                properties += len(found)
                items = found.values()
            below += [item for item in items if item.__class__ in CONTAINERS]
        level = below
    return properties, depth


def check_parts(body: bytes | bytearray) -> None:
    """Raise OverLimit for a body of so many values that parsing it would take long."""
    if len(body) <= FEWEST_PARTS_MAX:
        return
    if all(body.count(sign) <= limit for sign, (_, limit) in PARTS_MAX.items()):
        return
    # Text may be full of commas: only those outside of strings count.
    counts = dict.fromkeys(PARTS_MAX, 0)
    for piece in outside_strings(body):
        for sign, (kind, limit) in PARTS_MAX.items():
            counts[sign] += piece.count(sign)
            if counts[sign] > limit:
                raise OverLimit(f"The body holds over {limit} {kind}: send it in parts")


def outside_strings(body: bytes | bytearray) -> Iterator[bytes]:
    """The text of a JSON body without its strings, slice by slice."""
    within, cut = False, b""
    for start in range(0, len(body), SLICE_BYTES):
        text = (cut + body[start : start + SLICE_BYTES]).replace(b"\\\\", b"")
        cut = b"\\" if text.endswith(b"\\") else b""  # what it escapes is in the next slice
        parts = text.replace(b'\\"', b"").split(b'"')
        yield b" ".join(parts[within::2])
        within ^= len(parts) % 2 == 0


def check_numbers(body: bytes | bytearray) -> None:
    """Raise BadBody for a whole number that 64 bits cannot hold: parsing made a float of it.

    The body must be JSON.
    """
    at = 0  # behind the last string looked at
    for match in long_numbers(body):
        if match.start() < at or fits(match):
            continue
        while (quote := body.find(b'"', at, match.start())) >= 0:
            at = end_of_string(body, quote + 1)
        if match.start() >= at:
            raise BadBody(
                f"The whole number {shortened(match[1][:100].decode())} does not fit into "
                "64 bits; send it as a string"
            )


def long_numbers(body: bytes | bytearray) -> Iterator[re.Match[bytes]]:
    """Numbers of so many digits that they may not fit, in strings, too."""
    start = 0
    while start < len(body):
        end = start + SLICE_BYTES
        behind = NO_NUMBER.search(body, end, end + NUMBER_BYTES_MAX)
        end = behind.start() if behind else end + NUMBER_BYTES_MAX
        # The expression is slow, and most text holds no such run of digits.
        if LONG_RUN in body[start:end].translate(DIGITS_AS_ZERO):
            yield from LONG_NUMBER.finditer(body, start, end)
        start = end


def end_of_string(body: bytes | bytearray, at: int) -> int:
    """Where the string ends whose first character is at `at`."""
    while body[at] != QUOTE:
        match = WITHIN_STRING.match(body, at, at + SLICE_BYTES)
        assert match is not None and match.end() > at, "a string of JSON goes on"
        at = match.end()
    return at + 1


def fits(match: re.Match[bytes]) -> bool:
    return match.end() - match.start() <= 20 and INT64_MIN <= int(match[1]) <= UINT64_MAX
