"""Every document that a query finds, deleted or patched: operations that go on by themselves.

operation = store.operations.send_async(DeleteByQueryOperation("from Orders where old = true"))
for progress in operation:
    print(progress.processed, "of", progress.total)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from quoth.commands import Reply, WireRequest
from quoth.errors import Misuse
from quoth.operations.checks import check_kind, check_number, check_text, flag
from quoth.operations.kinds import DatabaseWrite
from quoth.operations.running import OperationIdResult
from quoth.serialization import JsonObject, encode, to_json
from quoth.shape import given, read_shape


@dataclass(frozen=True, slots=True)
class IndexQuery:
    """A query in RQL with its parameters: `from Orders where Total > $least`, `{"least": 10}`."""

    query: str
    query_parameters: Mapping[str, Any] = field(default_factory=dict)
    wait_for_non_stale_results: bool = False
    wait_for_non_stale_results_timeout: timedelta | None = None

    def __post_init__(self) -> None:
        check_text(self.query, "a query")

    def to_json(self) -> JsonObject:
        """The query on the wire. Raises WrongType for parameters that JSON has no word for."""
        wait = self.wait_for_non_stale_results_timeout
        return given(
            {
                "Query": self.query,
                "QueryParameters": to_json(self.query_parameters) or None,
                "WaitForNonStaleResults": self.wait_for_non_stale_results or None,
                "WaitForNonStaleResultsTimeout": None if wait is None else to_json(wait),
            }
        )


@dataclass(frozen=True, slots=True)
class QueryOperationOptions:
    """How documents are changed that a query finds.

    allow_stale: False refuses it if the index has not read all changes; `stale_timeout` waits so
        long for that.
    max_ops_per_sec: no more documents a second than this.
    retrieve_details: the result lists every document.
    """

    allow_stale: bool = True
    stale_timeout: timedelta | None = None
    max_ops_per_sec: int | None = None
    retrieve_details: bool = False

    def __post_init__(self) -> None:
        if self.max_ops_per_sec is not None:
            check_number(self.max_ops_per_sec, "max_ops_per_sec", low=1)
        if self.stale_timeout is not None and self.stale_timeout < timedelta(0):
            raise Misuse(f"stale_timeout is not negative: {self.stale_timeout}")

    def to_query(self) -> tuple[tuple[str, str], ...]:
        """How the wire says it."""
        query = [("allowStale", flag(self.allow_stale))]
        if self.max_ops_per_sec is not None:
            query.append(("maxOpsPerSec", str(self.max_ops_per_sec)))
        query.append(("details", flag(self.retrieve_details)))
        if self.stale_timeout is not None:
            query.append(("staleTimeout", to_json(self.stale_timeout)))
        return tuple(query)


@dataclass(frozen=True, slots=True)
class DeleteByQueryOperation(DatabaseWrite):
    """Delete every document that a query finds."""

    query_to_delete: str | IndexQuery
    options: QueryOperationOptions | None = None

    def __post_init__(self) -> None:
        _check(self.query_to_delete, self.options)

    def to_request(self) -> WireRequest:
        body = encode(_query(self.query_to_delete).to_json())
        return WireRequest("DELETE", "/queries", _options(self.options), body)

    def read(self, reply: Reply) -> OperationIdResult:
        return read_shape(OperationIdResult, reply.json())


@dataclass(frozen=True, slots=True)
class PatchByQueryOperation(DatabaseWrite):
    """Run the script of a query on every document it finds: `from A update { this.b = 1 }`."""

    query_to_update: str | IndexQuery
    options: QueryOperationOptions | None = None

    def __post_init__(self) -> None:
        _check(self.query_to_update, self.options)

    def to_request(self) -> WireRequest:
        body = encode({"Query": _query(self.query_to_update).to_json()})
        return WireRequest("PATCH", "/queries", _options(self.options), body)

    def read(self, reply: Reply) -> OperationIdResult:
        return read_shape(OperationIdResult, reply.json())


def _check(query: str | IndexQuery, options: QueryOperationOptions | None) -> None:
    if not isinstance(query, IndexQuery):
        check_text(query, "a query")
    if options is not None:
        check_kind(options, QueryOperationOptions, "options")


def _query(query: str | IndexQuery) -> IndexQuery:
    return IndexQuery(query) if isinstance(query, str) else query


def _options(options: QueryOperationOptions | None) -> tuple[tuple[str, str], ...]:
    return (options or QueryOperationOptions()).to_query()
