"""The query string, read the way the official clients write it.

They leave `&` in front, double the `?`, name a parameter `?raft-request-id`, send bare words as
debug tags and Python's `b'...'` as a name. All of that is read for what it means; a value that
means nothing is an error that names its parameter.
"""

import re
from collections.abc import Iterable
from urllib.parse import unquote

from quoth_node.http.errors import BadArgument, BadRequest

INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
TIMESPAN = re.compile(
    r"(?:([0-9]{1,8})\.)?([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(?:\.([0-9]{1,7}))?)?"
)
BYTES_REPR = re.compile(r"b'(.*)'|b\"(.*)\"", re.DOTALL)
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
BOOLEANS = {"true": True, "false": False}
QUOTED_CHARACTERS_MAX = 100

# Sent by official clients on many routes, and without meaning here, or with one on every route.
TOLERATED = frozenset(
    {
        "applicationidentifier",
        "consistency",
        "first-topology-update",
        "handle-unsuccessful-response",
        "loadhash",
        "nodetag",
        "queryhash",
        "raft-request-id",
        "refresh-topology-header",
        "timer-callback",
    }
)


class Query:
    """The parameters of one request by lower-cased name, each with its values in order."""

    def __init__(self, raw: str) -> None:
        self._values: dict[str, list[str]] = {}
        self._bare: set[str] = set()  # names that never had a '='
        for part in raw.lstrip("?&").split("&"):
            name, equals, value = part.partition("=")
            name = decode(name).strip().lstrip("?").lower()
            if not name:
                continue
            if not equals and name not in self._values:
                self._bare.add(name)
            else:
                self._bare.discard(name)
            self._values.setdefault(name, []).append(decode(value) if value else "")

    def check(self, known: frozenset[str], *, tags: bool = False) -> None:
        """Raise BadRequest for a parameter that is neither known nor tolerated.

        With `tags`, bare words are debug tags and may be anything.
        """
        for name in self._values:
            if name in known or name in TOLERATED or (tags and name in self._bare):
                continue
            expected = ", ".join(sorted(known)) or "none"
            raise BadRequest(
                f"Unknown query parameter '{shortened(name)}'; this route knows: {expected}"
            )

    def every(self, name: str) -> list[str]:
        """All values of a parameter; none if it is absent."""
        return self._values.get(name.lower(), [])

    def one(self, name: str) -> str | None:
        """The first value of a parameter; None if it is absent."""
        values = self._values.get(name.lower())
        return values[0] if values else None

    def required(self, name: str) -> str:
        """A value that must be there and not be empty."""
        value = self.one(name)
        if not value:
            raise BadArgument(f"Query string {name} is mandatory, but wasn't specified.")
        return value

    def integer(
        self, name: str, default: int | None = None, *, low: int = INT64_MIN, high: int = INT64_MAX
    ) -> int:
        """A whole number; without `default` it must be there. An empty value counts as absent."""
        text = self.one(name)
        if not text:
            if default is None:
                raise BadArgument(f"Query string {name} is mandatory, but wasn't specified.")
            return default
        if INTEGER.fullmatch(text) is None:
            raise BadArgument(cannot_parse(name, "int", text))
        number = int(text)
        if not low <= number <= high:
            raise BadArgument(f"Query string '{name}' must be from {low} to {high}, not {number}")
        return number

    def boolean(self, name: str, default: bool = False) -> bool:
        """`true` or `false`, in any case."""
        text = self.one(name)
        if not text:
            return default
        value = BOOLEANS.get(text.lower())
        if value is None:
            raise BadArgument(cannot_parse(name, "bool", text))
        return value

    def timespan(self, name: str, *, high: float) -> float | None:
        """Seconds of a time span like `00:00:15` or `1.02:00:00.5`; None if it is absent."""
        text = self.one(name)
        if text is None:
            return None
        match = TIMESPAN.fullmatch(text)
        if match is None:
            raise BadArgument(cannot_parse(name, "timespan", text))
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[:4])
        if hours > 23 or minutes > 59 or seconds > 59:
            raise BadArgument(cannot_parse(name, "timespan", text))
        fraction = int((match[5] or "0").ljust(7, "0")) / 10_000_000
        total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds + fraction
        if total > high:
            raise BadArgument(f"Query string '{name}' must not be over {format_timespan(high)}")
        return total


def decode(text: str) -> str:
    """Percent-decode one name or value; `+` is a space.

    Raises BadRequest if the bytes are not UTF-8, or hold a NUL.
    """
    try:
        decoded = unquote(text.replace("+", " "), errors="strict")
        decoded.encode()  # what came as raw bytes may hide lone surrogates
    except UnicodeError as error:
        raise BadRequest("The URL holds percent-encoded bytes that are not UTF-8") from error
    if "\0" in decoded:
        raise BadRequest("The URL holds a NUL character")
    return decoded


def unwrapped(values: Iterable[str]) -> tuple[str, ...]:
    """Names as they were meant, where Python wrote the repr of its bytes: `b'Users/ByName'`."""
    matches = ((value, BYTES_REPR.fullmatch(value)) for value in values)
    return tuple((match[1] or match[2] or "") if match else value for value, match in matches)


def format_timespan(seconds: float) -> str:
    """`00:00:15`, with days and a fraction only where there are some."""
    ticks = round(seconds * 10_000_000)
    whole, fraction = divmod(ticks, 10_000_000)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    text = f"{hours:02}:{minutes:02}:{rest:02}"
    text = f"{days}.{text}" if days else text
    return f"{text}.{fraction:07}" if fraction else text


def shortened(text: str) -> str:
    """`text`, cut to what a message may quote."""
    return text if len(text) <= QUOTED_CHARACTERS_MAX else f"{text[:QUOTED_CHARACTERS_MAX]}..."


def cannot_parse(name: str, kind: str, text: str) -> str:
    return f"Could not parse query string '{name}' as {kind} val {shortened(text)}"
