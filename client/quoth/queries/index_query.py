"""IndexQuery: a finished query as a value; what a node is sent for it, and what is sent back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from quoth.commands import Reply, WireRequest
from quoth.errors import IndexDoesNotExist
from quoth.queries.choices import ProjectionBehavior
from quoth.serialization import JsonObject, encode, from_json, to_json

PAGE_SIZE_MAX = 2**31 - 1
NEW_INDEX_SECONDS = 30.0  # a node takes so long at most to make an index that a query needs


@dataclass(frozen=True, slots=True)
class IndexQuery:
    """A query, ready to be sent: RQL, its parameters as JSON, and how it is to be answered.

    `start` and `page_size` repeat what a `limit` in the text says; raw queries have them here only.
    """

    query: str
    query_parameters: JsonObject = field(default_factory=dict)
    start: int | None = None
    page_size: int | None = None
    wait_for_non_stale_results: bool = False
    wait_for_non_stale_results_timeout: timedelta | None = None
    disable_caching: bool = False
    projection_behavior: ProjectionBehavior | None = None
    tag: str | None = None

    def __str__(self) -> str:
        return self.query

    @property
    def wait_seconds(self) -> float:
        """How much longer the answer may take: for the index to be made, and to catch up."""
        asked = self.wait_for_non_stale_results_timeout
        waits = 0.0 if asked is None else asked.total_seconds()
        has_index = self.query.startswith("from index ")
        return waits if has_index else NEW_INDEX_SECONDS + waits

    def to_json(self) -> JsonObject:
        """The body of a request."""
        wire: JsonObject = {"Query": self.query, "QueryParameters": self.query_parameters}
        if self.page_size is not None:
            wire["PageSize"] = self.page_size
        if self.start:
            wire["Start"] = self.start
        if self.wait_for_non_stale_results:
            wire["WaitForNonStaleResults"] = True
        if self.wait_for_non_stale_results_timeout is not None:
            wire["WaitForNonStaleResultsTimeout"] = to_json(self.wait_for_non_stale_results_timeout)
        if self.disable_caching:
            wire["DisableCaching"] = True
        if self.projection_behavior not in (None, ProjectionBehavior.DEFAULT):
            wire["ProjectionBehavior"] = self.projection_behavior.value
        return wire


@dataclass(slots=True)
class QueryTimings:
    """What a node spent its time on, in milliseconds; filled in when the query was answered."""

    duration_in_ms: float | None = None
    timings: dict[str, "QueryTimings"] = field(default_factory=dict)

    @classmethod
    def from_json(cls, wire: Mapping[str, Any]) -> "QueryTimings":
        inner = (wire.get("Timings") or {}).items()
        return cls(wire.get("DurationInMs"), {name: cls.from_json(each) for name, each in inner})


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The whole answer to a query, before any entity is made of it.

    `total_results` counts what matches, on all pages. `compare_exchange_value_includes` has the
    values as the wire has them, by key.
    """

    results: Sequence[JsonObject]
    includes: Mapping[str, JsonObject | None]
    total_results: int
    is_stale: bool
    index_name: str | None = None
    index_timestamp: datetime | None = None
    last_query_time: datetime | None = None
    result_etag: int | None = None
    node_tag: str | None = None
    duration_in_ms: float | None = None
    skipped_results: int = 0
    long_total_results: int | None = None
    capped_max_results: int | None = None
    scanned_results: int | None = None
    included_paths: Sequence[str] = ()
    compare_exchange_value_includes: Mapping[str, JsonObject] = field(default_factory=dict)
    highlightings: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    explanations: Mapping[str, Sequence[str]] = field(default_factory=dict)
    timings: QueryTimings | None = None

    @classmethod
    def from_json(cls, wire: Mapping[str, Any]) -> "QueryResult":
        """Read the answer of a node."""
        timings = wire.get("Timings")
        return cls(
            results=wire["Results"],
            includes=wire.get("Includes") or {},
            total_results=wire["TotalResults"],
            is_stale=bool(wire.get("IsStale")),
            index_name=wire.get("IndexName"),
            index_timestamp=_time(wire, "IndexTimestamp"),
            last_query_time=_time(wire, "LastQueryTime"),
            result_etag=wire.get("ResultEtag"),
            node_tag=wire.get("NodeTag"),
            duration_in_ms=wire.get("DurationInMs"),
            skipped_results=wire.get("SkippedResults") or 0,
            long_total_results=wire.get("LongTotalResults"),
            capped_max_results=wire.get("CappedMaxResults"),
            scanned_results=wire.get("ScannedResults"),
            included_paths=wire.get("IncludedPaths") or (),
            compare_exchange_value_includes=wire.get("CompareExchangeValueIncludes") or {},
            highlightings=wire.get("Highlightings") or {},
            explanations=wire.get("Explanations") or {},
            timings=None if timings is None else QueryTimings.from_json(timings),
        )


@dataclass(slots=True)
class QueryStatistics:
    """How a query was answered; filled in when it was."""

    is_stale: bool = False
    duration_in_ms: float | None = None
    total_results: int = 0
    skipped_results: int = 0
    timestamp: datetime | None = None
    index_name: str | None = None
    index_timestamp: datetime | None = None
    last_query_time: datetime | None = None
    result_etag: int | None = None
    node_tag: str | None = None

    def update(self, result: QueryResult) -> None:
        """Tell of the newest answer."""
        self.is_stale = result.is_stale
        self.duration_in_ms = result.duration_in_ms
        self.total_results = result.total_results
        self.skipped_results = result.skipped_results
        self.timestamp = self.index_timestamp = result.index_timestamp
        self.index_name = result.index_name
        self.last_query_time = result.last_query_time
        self.result_etag = result.result_etag
        self.node_tag = result.node_tag


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Ask for the results of a query."""

    query: IndexQuery
    is_read: ClassVar[bool] = True
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        query = self.query
        tag = () if query.tag is None else (("tag", query.tag),)
        body = encode(query.to_json())
        return WireRequest("POST", "/queries", tag, body, query.wait_seconds)

    def read(self, reply: Reply) -> QueryResult:
        if reply.is_missing:
            raise IndexDoesNotExist(f"there is no such index: {self.query.query}")
        return QueryResult.from_json(reply.json())


def _time(wire: Mapping[str, Any], name: str) -> datetime | None:
    text = wire.get(name)
    return None if text is None else from_json(text, datetime, name=name)
