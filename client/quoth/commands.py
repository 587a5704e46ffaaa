"""One frozen value per request: how it is written, and how its answer is read.

A command knows no node and no database; the executor adds both. What a session sends is here, what
a store is asked for is in `operations.py`. JSON names of the wire stand in these two files only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeVar

import orjson

from quoth.errors import FateUnknown, QuothError
from quoth.options import IndexWait, ReplicationWait, TransactionMode
from quoth.serialization import JsonObject, encode

# Longer lists of ids travel in a body: some proxies cut URLs.
URL_IDS_CHARACTERS_MAX = 1_024

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A request without a node. `path` starts below the database, or the server if it has none."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    wait_seconds: float = 0.0  # how much longer the server may take, because it was asked to wait


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
class LoadedDocuments:
    """Stored documents by the ids that were asked for (folded), and what came along."""

    by_id: Mapping[str, JsonObject]
    includes: Mapping[str, JsonObject]


@dataclass(frozen=True, slots=True)
class GetDocuments:
    """Load documents by id."""

    ids: tuple[str, ...]
    includes: tuple[str, ...] = ()
    is_read: ClassVar[bool] = True
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        included = tuple(("include", path) for path in self.includes)
        if sum(map(len, self.ids)) >= URL_IDS_CHARACTERS_MAX:
            body = encode({"Ids": self.ids})
            return WireRequest("POST", "/docs", included, body)
        return WireRequest("GET", "/docs", included + tuple(("id", each) for each in self.ids))

    def read(self, reply: Reply) -> LoadedDocuments:
        if reply.is_missing:
            return LoadedDocuments({}, {})
        found = reply.json()
        documents = [each for each in found["Results"] if each is not None]
        by_id = {fold(each["@metadata"]["@id"]): each for each in documents}
        includes = {fold(name): each for name, each in (found.get("Includes") or {}).items()}
        return LoadedDocuments(by_id, includes)


@dataclass(frozen=True, slots=True)
class PutDocument:
    """Store a document. `change_vector` None: no check; "": it must be new; else: still this one.

    `original_change_vector` is what the session saw: a cluster transaction is checked by it.
    """

    document_id: str
    body: JsonObject
    metadata: JsonObject
    change_vector: str | None = None
    original_change_vector: str | None = None

    def to_wire(self) -> JsonObject:
        wire: JsonObject = {
            "Id": self.document_id,
            "ChangeVector": self.change_vector,
            "Document": {**self.body, "@metadata": self.metadata},
            "Type": "PUT",
        }
        if self.original_change_vector is not None:
            wire["OriginalChangeVector"] = self.original_change_vector
        return wire


@dataclass(frozen=True, slots=True)
class DeleteDocument:
    """Delete a document; it is no error if there is none. Change vectors as in PutDocument."""

    document_id: str
    change_vector: str | None = None
    original_change_vector: str | None = None

    def to_wire(self) -> JsonObject:
        wire: JsonObject = {
            "Id": self.document_id,
            "ChangeVector": self.change_vector,
            "Type": "DELETE",
        }
        if self.original_change_vector is not None:
            wire["OriginalChangeVector"] = self.original_change_vector
        return wire


@dataclass(frozen=True, slots=True)
class PutValue:
    """Write a compare-exchange value inside a cluster transaction; index 0: it must be new."""

    key: str
    value: Any
    index: int

    def to_wire(self) -> JsonObject:
        document = {"Object": self.value}
        return {
            "Id": self.key,
            "Document": document,
            "Index": self.index,
            "Type": "CompareExchangePUT",
        }


@dataclass(frozen=True, slots=True)
class DeleteValue:
    """Remove a compare-exchange value inside a cluster transaction."""

    key: str
    index: int

    def to_wire(self) -> JsonObject:
        return {"Id": self.key, "Index": self.index, "Type": "CompareExchangeDELETE"}


BatchCommand = PutDocument | DeleteDocument | PutValue | DeleteValue


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What the server made of a batch, one result per command in order.

    `transaction_index` is the index of a cluster transaction, None for a single-node batch.
    """

    results: tuple[JsonObject, ...]
    transaction_index: int | None


@dataclass(frozen=True, slots=True)
class SaveBatch:
    """All or nothing: the changes of a session.

    Document commands come before compare-exchange commands: the server answers in that order.
    """

    commands: tuple[BatchCommand, ...]
    mode: TransactionMode = TransactionMode.SINGLE_NODE
    replication: ReplicationWait | None = None
    indexes: IndexWait | None = None
    is_read: ClassVar[bool] = False
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        wire: JsonObject = {"Commands": [each.to_wire() for each in self.commands]}
        if self.mode is TransactionMode.CLUSTER_WIDE:
            wire["TransactionMode"] = self.mode.value
        query: list[tuple[str, str]] = []
        wait_seconds = 0.0
        if self.replication is not None:
            query += self.replication.query().items()
            wait_seconds += self.replication.timeout_seconds
        if self.indexes is not None:
            query += self.indexes.query().items()
            query += (("waitForSpecificIndex", name) for name in self.indexes.names)
            wait_seconds += self.indexes.timeout_seconds
        body = encode(wire)
        return WireRequest("POST", "/bulk_docs", tuple(query), body, wait_seconds)

    def read(self, reply: Reply) -> BatchResult:
        found = reply.json()
        results = tuple(found["Results"])
        if len(results) != len(self.commands):
            raise FateUnknown(f"{len(self.commands)} commands were sent, {len(results)} answered")
        return BatchResult(results, found.get("TransactionIndex"))


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


@dataclass(frozen=True, slots=True)
class StoredValue:
    """A compare-exchange value as the server holds it."""

    key: str
    index: int
    value: Any = field(compare=False)


@dataclass(frozen=True, slots=True)
class GetValues:
    """Read compare-exchange values by key; a key that has none is left out of the answer."""

    keys: tuple[str, ...]
    is_read: ClassVar[bool] = True
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/cmpxchg", tuple(("key", each) for each in self.keys))

    def read(self, reply: Reply) -> dict[str, StoredValue]:
        if reply.is_missing:
            return {}
        found = [each for each in reply.json()["Results"] if each["Value"] is not None]
        return {fold(each["Key"]): stored_value(each["Key"], each) for each in found}


def stored_value(key: str, wire: JsonObject) -> StoredValue:
    """The value of a wire object with `Index` and `Value`."""
    return StoredValue(key, wire["Index"], (wire["Value"] or {}).get("Object"))


def fold(name: str) -> str:
    """Ids and keys that differ only in case are the same."""
    return name.lower()


def read_reply(command: Command[T_co], reply: Reply) -> T_co:
    """Read an answer; one that lacks what it must have is as good as none."""
    try:
        return command.read(reply)
    except QuothError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        what = f"{type(error).__name__} {error}"
        raise FateUnknown(f"the answer has another shape: {what}: {reply.body[:80]!r}") from error
