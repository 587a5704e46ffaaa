"""Queries in, and their results out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from quoth_cluster.clock import to_wire
from quoth_node.http.errors import BadArgument, BadRequest
from quoth_node.http.query import TIMESPAN, shortened
from quoth_node.http.wire import bodies
from quoth_node.http.wire.parsing import parse
from quoth_node.http.wire.replies import Lines, Results
from quoth_node.querying.projecting import Behavior

PAGE_SIZE_MAX = 2**31 - 1
WAIT_SECONDS = 15.0  # for a query that waits, and says not for how long
WAIT_SECONDS_MAX = 600.0
NO_TIME = "0001-01-01T00:00:00.0000000"
MILLIS = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexQuery:
    """A query as clients send it."""

    text: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    start: int = 0
    size: int = PAGE_SIZE_MAX
    wait_seconds: float | None = None  # None: results may be stale
    behavior: Behavior = Behavior.DEFAULT


def read_query(body: bytes | bytearray) -> IndexQuery:
    """The query of `POST /queries`."""
    return query_of(bodies.an_object(parse(body), "The body"), "The body")


def read_patch_query(body: bytes | bytearray) -> IndexQuery:
    """The query of `PATCH /queries`, which stands in a property of its own."""
    fields = bodies.an_object(parse(body), "The body")
    return query_of(bodies.an_object(fields.get("Query"), "The body.Query"), "The body.Query")


def query_of(fields: Mapping[str, Any], where: str) -> IndexQuery:
    """The query that an object describes; unknown properties are for other servers."""
    named = dict(fields)
    text = bodies.text(named, "Query", where, required=True)
    assert text is not None, "it is required"
    parameters = named.get("QueryParameters")
    waits = bodies.boolean(named, "WaitForNonStaleResults", where)
    seconds = timespan(named.get("WaitForNonStaleResultsTimeout"), f"{where}.WaitFor...Timeout")
    return IndexQuery(
        text=text,
        parameters=bodies.an_object(parameters or {}, f"{where}.QueryParameters"),
        start=_count(named.get("Start"), f"{where}.Start", 0),
        size=_count(named.get("PageSize"), f"{where}.PageSize", PAGE_SIZE_MAX),
        wait_seconds=(WAIT_SECONDS if seconds is None else seconds) if waits else None,
        behavior=_behavior(named, where),
    )


def _behavior(fields: dict[str, Any], where: str) -> Behavior:
    value = bodies.text(fields, "ProjectionBehavior", where) or Behavior.DEFAULT.value
    if value not in {behavior.value for behavior in Behavior}:
        raise BadRequest(f"{where}.ProjectionBehavior is not one: '{shortened(value)}'")
    return Behavior(value)


def timespan(value: object, where: str) -> float | None:
    """Seconds of `00:00:15`, or of a number of milliseconds."""
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return min(max(float(value) / MILLIS, 0.0), WAIT_SECONDS_MAX)
    match = TIMESPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise BadArgument(f"{where}: a time span was expected, not {bodies.described(value)}")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[:4])
    return min(((days * 24 + hours) * 60 + minutes) * 60.0 + seconds, WAIT_SECONDS_MAX)


def _count(value: object, where: str, default: int) -> int:
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 2**63:
        raise BadRequest(f"{where}: a whole number was expected, not {bodies.described(value)}")
    return min(value, PAGE_SIZE_MAX)


def parameters_of(text: str | None) -> Mapping[str, Any]:
    """The parameters of `GET /queries`, JSON in the query string."""
    if not text:
        return {}
    return bodies.an_object(parse(text.encode()), f"parameters '{shortened(text)}'")


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultHead:
    """What is told of a query beside its results."""

    index_name: str
    total: int
    etag: int
    node_tag: str
    is_stale: bool = False
    skipped: int = 0
    scanned: int = 0
    capped: int | None = None  # of a page that the query itself limits
    milliseconds: int = 0
    indexed_at: int | None = None  # microseconds; None: there is no index
    asked_at: int | None = None
    included_paths: tuple[str, ...] = ()
    definition_index: int | None = None
    created_index: int | None = None
    explanations: Mapping[str, Any] | None = None
    timings: Mapping[str, Any] | None = None

    def fields(self) -> dict[str, Any]:
        """The properties of the answer, but for results and includes."""
        told: dict[str, Any] = {
            "TotalResults": self.total,
            "ScannedResults": self.scanned,
            "SkippedResults": self.skipped,
            "DurationInMs": self.milliseconds,
            "IncludedPaths": self.included_paths or None,
            "IndexName": self.index_name,
            "IndexTimestamp": _time(self.indexed_at),
            "LastQueryTime": _time(self.asked_at),
            "IsStale": self.is_stale,
            "ResultEtag": self.etag,
            "NodeTag": self.node_tag,
        }
        optional = {
            "CappedMaxResults": self.capped,
            "IndexDefinitionRaftIndex": self.definition_index,
            "AutoIndexCreationRaftIndex": self.created_index,
            "Explanations": self.explanations,
            "Timings": self.timings,  # never null: the official Python client fails on it
        }
        return told | {name: value for name, value in optional.items() if value is not None}

    def statistics(self) -> dict[str, Any]:
        """What a stream begins with."""
        return {
            "ResultEtag": self.etag,
            "IsStale": self.is_stale,
            "IndexName": self.index_name,
            "TotalResults": self.total,
            "IndexTimestamp": _time(self.indexed_at),
        }


def results(
    head: ResultHead,
    found: Iterable[bytes],
    includes: Mapping[str, bytes],
    compare_exchange_includes: bytes | None,
) -> bytes:
    """The answer to a query."""
    parts = [orjson.dumps(head.fields())[:-1], b',"Results":[']
    for result in found:
        parts += [result, b","]
    if parts[-1] == b",":
        parts.pop()
    parts.append(b'],"Includes":{')
    for number, (name, json) in enumerate(includes.items()):
        parts += [b"," if number else b"", orjson.dumps(name), b":", json]
    parts.append(b"}")
    if compare_exchange_includes is not None:
        parts += [b',"CompareExchangeValueIncludes":', compare_exchange_includes]
    parts.append(b"}")
    return b"".join(parts)


class QueryLines(Lines):
    """A stream of a query: its statistics first, then each result as `{"Item":...}`."""

    def __init__(self, head: ResultHead) -> None:
        self.start = orjson.dumps({"Stats": head.statistics()}) + b"\n"

    def joined(self, items: Iterable[bytes], *, is_first: bool) -> bytes:
        return b"".join(b'{"Item":%b}\n' % item for item in items)


class QueryResults(Results):
    """A stream of a query as one object."""

    def __init__(self, head: ResultHead) -> None:
        self.start = orjson.dumps(head.statistics())[:-1] + b',"Results":['


def operation_begun(operation_id: int, node_tag: str) -> bytes:
    """The answer to a query that changes documents."""
    return orjson.dumps({"OperationId": operation_id, "OperationNodeTag": node_tag})


def _time(at_micros: int | None) -> str:
    return NO_TIME if at_micros is None else to_wire(at_micros)
