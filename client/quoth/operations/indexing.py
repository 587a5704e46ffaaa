"""What a node makes of its indexes: whether they run, how far they are, what went wrong.

These are about the node that answers, and that is the one the store prefers.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from quoth.commands import Reply, WireRequest
from quoth.indexes.definitions import (
    IndexLockMode,
    IndexPriority,
    IndexRunningStatus,
    IndexState,
    IndexType,
)
from quoth.operations.checks import check_name, check_names, check_number
from quoth.operations.kinds import DatabaseRead, DatabaseWrite, Silent
from quoth.shape import called, read_shape


@dataclass(frozen=True, slots=True)
class StopIndexingOperation(Silent, DatabaseWrite):
    """Let all indexes of this node rest, until they are started or the node is."""

    def to_request(self) -> WireRequest:
        return WireRequest("POST", "/admin/indexes/stop")


@dataclass(frozen=True, slots=True)
class StartIndexingOperation(Silent, DatabaseWrite):
    """Let all indexes of this node go on."""

    def to_request(self) -> WireRequest:
        return WireRequest("POST", "/admin/indexes/start")


@dataclass(frozen=True, slots=True)
class _OfIndex(Silent, DatabaseWrite):
    index_name: str

    def __post_init__(self) -> None:
        check_name(self.index_name, "the name of an index")

    def _request(self, method: str, path: str) -> WireRequest:
        return WireRequest(method, path, (("name", self.index_name),))


@dataclass(frozen=True, slots=True)
class StopIndexOperation(_OfIndex):
    """Let one index of this node rest, until it is started or the node is."""

    def to_request(self) -> WireRequest:
        return self._request("POST", "/admin/indexes/stop")


@dataclass(frozen=True, slots=True)
class StartIndexOperation(_OfIndex):
    """Let one index of this node go on."""

    def to_request(self) -> WireRequest:
        return self._request("POST", "/admin/indexes/start")


@dataclass(frozen=True, slots=True)
class ResetIndexOperation(_OfIndex):
    """Build an index anew on this node, from all its documents."""

    def to_request(self) -> WireRequest:
        return self._request("RESET", "/indexes")


@dataclass(frozen=True, slots=True)
class ReplaceIndexOperation(_OfIndex):
    """Let a changed definition take its place on this node now, before it has read everything."""

    def to_request(self) -> WireRequest:
        return self._request("POST", "/indexes/replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexStatus:
    """What one index does just now."""

    name: str
    status: IndexRunningStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexingStatus:
    """What the indexes of a node do just now; `status` is of all of them."""

    status: IndexRunningStatus
    indexes: list[IndexStatus] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class GetIndexingStatusOperation(DatabaseRead):
    """What each index of this node does just now."""

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/indexes/status")

    def read(self, reply: Reply) -> IndexingStatus:
        return read_shape(IndexingStatus, reply.json())


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionStats:
    """How far an index has read one collection; a lag is how many changes it has not read."""

    last_processed_document_etag: int
    last_processed_tombstone_etag: int
    document_lag: int
    tombstone_lag: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexStats:
    """How one index of this node stands."""

    name: str
    type: IndexType
    status: IndexRunningStatus
    stale: bool = field(metadata=called("IsStale"))
    state: IndexState | None = None
    priority: IndexPriority | None = None
    lock_mode: IndexLockMode | None = None
    entries_count: int = 0
    errors_count: int = 0
    map_attempts: int = 0
    map_successes: int = 0
    map_errors: int = 0
    reduce_attempts: int | None = None
    reduce_successes: int | None = None
    reduce_errors: int | None = None
    max_number_of_outputs_per_document: int = 0
    collections: dict[str, CollectionStats] = field(default_factory=dict)
    created_timestamp: datetime | None = None
    last_indexing_time: datetime | None = None
    last_querying_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class GetIndexesStatisticsOperation(DatabaseRead):
    """How each index of this node stands."""

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/indexes/stats")

    def read(self, reply: Reply) -> list[IndexStats]:
        return [read_shape(IndexStats, each) for each in reply.json()["Results"]]


@dataclass(frozen=True, slots=True)
class GetIndexStatisticsOperation(DatabaseRead):
    """How one index of this node stands."""

    name: str

    def __post_init__(self) -> None:
        check_name(self.name, "the name of an index")

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/indexes/stats", (("name", self.name),))

    def read(self, reply: Reply) -> IndexStats:
        return read_shape(IndexStats, reply.json()["Results"][0])


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexStaleness:
    """Whether an index has not read all changes yet, and what it lacks."""

    is_stale: bool
    staleness_reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class GetIndexStalenessOperation(DatabaseRead):
    """Whether an index of this node has not read all changes yet."""

    index_name: str

    def __post_init__(self) -> None:
        check_name(self.index_name, "the name of an index")

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/indexes/staleness", (("name", self.index_name),))

    def read(self, reply: Reply) -> IndexStaleness:
        return read_shape(IndexStaleness, reply.json())


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexingError:
    """Something an index could not do, with the document it was about."""

    error: str
    timestamp: datetime
    document: str | None = None
    action: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexErrors:
    """What went wrong in one index."""

    name: str
    errors: list[IndexingError]


@dataclass(frozen=True, slots=True, init=False)
class GetIndexErrorsOperation(DatabaseRead):
    """What went wrong in these indexes of this node; in all of them without a name."""

    index_names: tuple[str, ...]

    def __init__(self, *index_names: str) -> None:
        for each in index_names:
            check_name(each, "the name of an index")
        object.__setattr__(self, "index_names", index_names)

    def to_request(self) -> WireRequest:
        query = tuple(("name", each) for each in self.index_names)
        return WireRequest("GET", "/indexes/errors", query)

    def read(self, reply: Reply) -> list[IndexErrors]:
        return [read_shape(IndexErrors, each) for each in reply.json()["Results"]]


@dataclass(frozen=True, slots=True)
class DeleteIndexErrorsOperation(Silent, DatabaseWrite):
    """Forget what went wrong in these indexes of this node; in all of them without a name."""

    index_names: Collection[str] | None = None

    def __post_init__(self) -> None:
        if self.index_names is not None:
            check_names(self.index_names, "index_names")

    def to_request(self) -> WireRequest:
        query = tuple(("name", each) for each in self.index_names or ())
        return WireRequest("DELETE", "/indexes/errors", query)


@dataclass(frozen=True, slots=True)
class GetTermsOperation(DatabaseRead):
    """The terms of a field of an index, in order; those after `from_value`."""

    index_name: str
    field: str
    from_value: str | None = None
    page_size: int | None = None

    def __post_init__(self) -> None:
        check_name(self.index_name, "the name of an index")
        check_name(self.field, "the name of a field")
        if self.page_size is not None:
            check_number(self.page_size, "page_size", low=1)

    def to_request(self) -> WireRequest:
        query = [("name", self.index_name), ("field", self.field)]
        query.append(("fromValue", self.from_value or ""))
        if self.page_size is not None:
            query.append(("pageSize", str(self.page_size)))
        return WireRequest("GET", "/indexes/terms", tuple(query))

    def read(self, reply: Reply) -> list[str]:
        return [str(each) for each in reply.json()["Terms"]]
