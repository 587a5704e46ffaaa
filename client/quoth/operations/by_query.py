"""Every document that a query finds, deleted or patched: operations that go on by themselves.

operation = store.operations.send_async(DeleteByQueryOperation("from Orders where old = true"))
for progress in operation:
    print(progress.processed, "of", progress.total)
"""

from dataclasses import dataclass
from datetime import timedelta

from quoth.commands import Reply, WireRequest
from quoth.errors import Misuse
from quoth.operations.checks import check_kind, check_number, check_text, flag
from quoth.operations.kinds import DatabaseWrite, GoesOn
from quoth.operations.running import OperationIdResult
from quoth.queries.index_query import IndexQuery
from quoth.serialization import JsonObject, encode, to_json
from quoth.shape import read_shape


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
        if self.stale_timeout is not None:
            check_kind(self.stale_timeout, timedelta, "stale_timeout")
            if self.stale_timeout < timedelta(0):
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
class DeleteByQueryOperation(GoesOn, DatabaseWrite):
    """Delete every document that a query finds."""

    query_to_delete: str | IndexQuery
    options: QueryOperationOptions | None = None

    def __post_init__(self) -> None:
        _check(self.query_to_delete, self.options)

    def to_request(self) -> WireRequest:
        body = encode(_wire(self.query_to_delete))
        return WireRequest("DELETE", "/queries", _options(self.options), body)

    def read(self, reply: Reply) -> OperationIdResult:
        return read_shape(OperationIdResult, reply.json())


@dataclass(frozen=True, slots=True)
class PatchByQueryOperation(GoesOn, DatabaseWrite):
    """Run the script of a query on every document it finds: `from A update { this.b = 1 }`."""

    query_to_update: str | IndexQuery
    options: QueryOperationOptions | None = None

    def __post_init__(self) -> None:
        _check(self.query_to_update, self.options)

    def to_request(self) -> WireRequest:
        body = encode({"Query": _wire(self.query_to_update)})
        return WireRequest("PATCH", "/queries", _options(self.options), body)

    def read(self, reply: Reply) -> OperationIdResult:
        return read_shape(OperationIdResult, reply.json())


def _check(query: object, options: object) -> None:
    check_text(query.query if isinstance(query, IndexQuery) else query, "a query")
    if options is not None:
        check_kind(options, QueryOperationOptions, "options")


def _wire(query: str | IndexQuery) -> JsonObject:
    return {"Query": query} if isinstance(query, str) else query.to_json()


def _options(options: QueryOperationOptions | None) -> tuple[tuple[str, str], ...]:
    return (options or QueryOperationOptions()).to_query()
