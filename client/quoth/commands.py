"""One frozen value per request: how it is written, and how its answer is read.

A command knows no node and no database; the executor adds both. What a session reads is in
`reads.py`, what it saves in `batches.py`, what a store is asked for in `operations`; JSON names of
the wire stand nowhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, TypeVar

import orjson

from quoth.errors import FateUnknown, Misuse, QuothError
from quoth.serialization import JsonObject

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A request without a node. `path` starts below the database, or the server if it has none."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    wait_seconds: float = 0.0  # how much longer the server may take, because it was asked to wait
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer. `status` 404 is one: nothing is there; and 304: nothing has changed.

    `parsed` is the body when it came inside another answer. Header names are lower-case.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    parsed: JsonObject | None = None

    @property
    def is_missing(self) -> bool:
        return self.status == 404

    def json(self) -> JsonObject:
        if self.parsed is not None:
            return self.parsed
        try:
            found = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise FateUnknown(f"the answer is not JSON: {error}: {self.body[:80]!r}") from None
        if not isinstance(found, dict):
            raise FateUnknown(f"the answer is not a JSON object: {self.body[:80]!r}")
        return found


class Command(Protocol[T_co]):
    """What the executor carries.

    is_read: it changes nothing, so that any number of nodes may be asked.
    is_for_database: it belongs to a database; else to the cluster.
    """

    is_read: ClassVar[bool]
    is_for_database: ClassVar[bool]

    def to_request(self) -> WireRequest: ...

    def read(self, reply: Reply) -> T_co: ...


@dataclass(frozen=True, slots=True)
class HiLoRange:
    """Numbers lent to this client: no other makes the ids `prefix` + number + `-` + `node_tag`."""

    prefix: str
    low: int
    high: int
    size: int
    node_tag: str
    last_range_at: str


@dataclass(frozen=True, slots=True)
class TakeHiLoRange:
    """Borrow the next range of numbers for ids; tells what the last one was like."""

    tag: str
    last: HiLoRange | None = None
    is_read: ClassVar[bool] = False
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        last = self.last
        query = (
            ("tag", self.tag),
            ("lastBatchSize", str(last.size if last else 0)),
            ("lastRangeAt", last.last_range_at if last else ""),
            ("identityPartsSeparator", "/"),
            ("lastMax", str(last.high if last else 0)),
        )
        return WireRequest("GET", "/hilo/next", query)

    def read(self, reply: Reply) -> HiLoRange:
        found = reply.json()
        return HiLoRange(
            prefix=found["Prefix"],
            low=found["Low"],
            high=found["High"],
            size=found["LastSize"],
            node_tag=found["ServerTag"],
            last_range_at=found["LastRangeAt"],
        )


@dataclass(frozen=True, slots=True)
class ReturnHiLoRange:
    """Give back the numbers after `last` of a range that ended at `end`."""

    tag: str
    end: int
    last: int
    is_read: ClassVar[bool] = False
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        query = (("tag", self.tag), ("end", str(self.end)), ("last", str(self.last)))
        return WireRequest("PUT", "/hilo/return", query)

    def read(self, reply: Reply) -> None:
        return None


def bytes_of(name: str) -> int:
    """How long an id or a key is. Raises Misuse for half a character, which nothing can store."""
    try:
        return len(name.encode())
    except UnicodeEncodeError as error:
        raise Misuse(f"{name!r:.80} is no text: {error.reason}") from None


def fold(name: str) -> str:
    """Ids and keys that differ only in case are the same.

    Each character by itself, as nodes do it: of `Σ` it does not matter what stands behind it.
    """
    return name.lower() if name.isascii() else "".join(map(str.lower, name))


def read_reply(command: Command[T_co], reply: Reply) -> T_co:
    """Read an answer; one that lacks what it must have is as good as none."""
    try:
        return command.read(reply)
    except QuothError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        what = f"{type(error).__name__} {error}"
        raise FateUnknown(f"the answer has another shape: {what}: {reply.body[:80]!r}") from error
