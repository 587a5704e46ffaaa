"""Streams: results one by one, as the lines of an answer come. Pure.

    {"Stats": {...}}        first, of a query
    {"Item": {...}}         a document or a projection, each

The session keeps none of them, so that a stream may be longer than memory.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

import orjson

from quoth.commands import Reply, WireRequest
from quoth.core import SessionCore
from quoth.errors import BadRequest, FateUnknown, IndexDoesNotExist, Misuse, QuothError
from quoth.operations.checks import check_letters, check_number
from quoth.queries.draft import QueryDraft
from quoth.queries.index_query import PAGE_SIZE_MAX, IndexQuery
from quoth.queries.running import entity_of
from quoth.serialization import METADATA, JsonObject, encode, from_json

T = TypeVar("T")
AS_LINES = ("format", "jsonl")


@dataclass(frozen=True, slots=True)
class StreamResult(Generic[T]):
    """One result of a stream. Groups have no key and no change vector."""

    key: str | None
    change_vector: str | None
    metadata: JsonObject
    document: T


@dataclass(frozen=True, slots=True)
class StreamQueryStatistics:
    """What is known of the results of a query before the first one comes."""

    index_name: str
    is_stale: bool
    index_timestamp: datetime
    total_results: int
    result_etag: int


@dataclass(frozen=True, slots=True)
class StreamQuery:
    """Ask for the results of a query, line by line."""

    query: IndexQuery
    is_read: ClassVar[bool] = True
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        body = encode(self.query.to_json())
        waits = self.query.wait_seconds
        return WireRequest("POST", "/streams/queries", (AS_LINES,), body, waits)

    def read(self, reply: Reply) -> list[bytes]:
        return reply.body.splitlines()


@dataclass(frozen=True, slots=True)
class StreamDocuments:
    """Ask for documents whose ids begin so, in the order of their ids, line by line."""

    starts_with: str
    matches: str | None = None
    start: int = 0
    page_size: int = PAGE_SIZE_MAX
    start_after: str | None = None
    is_read: ClassVar[bool] = True
    is_for_database: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.starts_with, str):
            raise Misuse(f"starts_with is the beginning of ids, not {self.starts_with!r:.80}")
        for told in (self.starts_with, self.matches, self.start_after):
            check_letters(told or "", "what ids are like")
        check_number(self.start, "start")
        check_number(self.page_size, "page_size")

    def to_request(self) -> WireRequest:
        query = [("startsWith", self.starts_with)]
        if self.matches is not None:
            query.append(("matches", self.matches))
        if self.start_after is not None:
            query.append(("startAfter", self.start_after))
        if self.start:
            query.append(("start", str(self.start)))
        if self.page_size != PAGE_SIZE_MAX:
            query.append(("pageSize", str(self.page_size)))
        return WireRequest("GET", "/streams/docs", (*query, AS_LINES))

    def read(self, reply: Reply) -> list[bytes]:
        return reply.body.splitlines()


def stream_of(draft: QueryDraft) -> StreamQuery:
    """A query as a stream. Raises Misuse for what a stream cannot do."""
    if draft.wait_timeout is not None:
        raise Misuse("a stream does not wait for an index: leave out wait_for_non_stale_results()")
    if draft.includes or draft.included_values:
        raise Misuse("a stream sends nothing but results: leave out include()")
    query = draft.index_query()
    for before in draft.told.before:
        before(query)
    return StreamQuery(query)


def refused(command: StreamQuery, error: BadRequest) -> QuothError:
    """Why a stream was not begun: an index that is not there has no answer to be read."""
    if error.status == 404 and not error.kind:
        return IndexDoesNotExist(f"there is no such index: {command.query}")
    return error


def item_of(line: bytes) -> JsonObject:
    """The document of a line. Raises FateUnknown if the stream ends before its end."""
    wire = _parsed(line)
    found = wire.get("Item", wire)
    if not isinstance(found, dict) or METADATA not in found:
        raise FateUnknown(f"a line of the stream is no document: {line[:80]!r}")
    return found


def result_of(core: SessionCore, document: JsonObject, object_type: type[T]) -> StreamResult[T]:
    """A document as a result; nothing keeps it. Raises WrongType if it does not fit."""
    metadata = document[METADATA]
    entity = entity_of(core, document, object_type, is_tracked=False)
    return StreamResult(metadata.get("@id"), metadata.get("@change-vector"), metadata, entity)


def statistics_of(line: bytes) -> StreamQueryStatistics:
    """The first line of a query's stream."""
    wire = _parsed(line)
    try:
        stats: JsonObject = wire["Stats"]
        return StreamQueryStatistics(
            stats["IndexName"],
            stats["IsStale"],
            from_json(stats["IndexTimestamp"], datetime, name="IndexTimestamp"),
            stats["TotalResults"],
            stats["ResultEtag"],
        )
    except (TypeError, KeyError) as error:
        what = f"a stream begins with its statistics, not with {line[:80]!r}"
        raise FateUnknown(what) from error


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise FateUnknown(f"a line of the stream is no JSON: {line[:80]!r}") from error
    if not isinstance(found, dict):
        raise FateUnknown(f"a line of the stream is no JSON object: {line[:80]!r}")
    if "Error" in found and METADATA not in found:
        message = found.get("Message") or found["Error"]
        raise FateUnknown(f"the stream ends early: {message}")
    return found
