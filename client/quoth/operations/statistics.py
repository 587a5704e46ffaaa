"""Statistics: what a database holds, counted. Attribute names are those of RavenDB's clients."""

from dataclasses import dataclass, field
from datetime import datetime

from quoth.commands import Reply, WireRequest
from quoth.indexes.definitions import IndexLockMode, IndexPriority, IndexState, IndexType
from quoth.operations.kinds import DatabaseRead
from quoth.shape import called, read_shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A number of bytes, for programs and for people."""

    size_in_bytes: int = 0
    humane_size: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexInformation:
    """One index among the statistics of a database."""

    name: str
    stale: bool = field(default=False, metadata=called("IsStale"))
    state: IndexState = IndexState.NORMAL
    lock_mode: IndexLockMode | None = None
    priority: IndexPriority | None = None
    type: IndexType = IndexType.NONE
    last_indexing_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseStatistics:
    """What a database holds. Sizes are of the node that answered."""

    last_doc_etag: int = 0
    last_database_etag: int = 0
    count_of_indexes: int = 0
    count_of_documents: int = 0
    count_of_tombstones: int = 0
    indexes: list[IndexInformation] = field(default_factory=list)
    database_change_vector: str = ""
    database_id: str = ""
    is_64_bit: bool = True
    pager: str = ""
    last_indexing_time: datetime | None = None
    size_on_disk: Size = field(default_factory=Size)
    temp_buffers_size_on_disk: Size = field(default_factory=Size)

    @property
    def stale_indexes(self) -> list[IndexInformation]:
        """The indexes that have not read all changes yet."""
        return [each for each in self.indexes if each.stale]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailedDatabaseStatistics(DatabaseStatistics):
    """The same, with what the cluster agrees on."""

    count_of_identities: int = 0
    count_of_compare_exchange: int = 0
    count_of_compare_exchange_tombstones: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionStatistics:
    """How many documents each collection has, by its name."""

    count_of_documents: int
    count_of_conflicts: int = 0
    collections: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionDetails:
    """What the documents of one collection take."""

    name: str
    count_of_documents: int
    size: Size
    documents_size: Size
    tombstones_size: Size
    revisions_size: Size


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailedCollectionStatistics:
    """What the documents of each collection take, by its name."""

    count_of_documents: int
    count_of_conflicts: int = 0
    collections: dict[str, CollectionDetails] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GetStatisticsOperation(DatabaseRead):
    """Counts and sizes of a database."""

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/stats")

    def read(self, reply: Reply) -> DatabaseStatistics:
        return read_shape(DatabaseStatistics, reply.json())


@dataclass(frozen=True, slots=True)
class GetDetailedStatisticsOperation(DatabaseRead):
    """Counts and sizes of a database, with identities and compare-exchange values."""

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/stats/detailed")

    def read(self, reply: Reply) -> DetailedDatabaseStatistics:
        return read_shape(DetailedDatabaseStatistics, reply.json())


@dataclass(frozen=True, slots=True)
class GetCollectionStatisticsOperation(DatabaseRead):
    """How many documents each collection has."""

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/collections/stats")

    def read(self, reply: Reply) -> CollectionStatistics:
        return read_shape(CollectionStatistics, reply.json())


@dataclass(frozen=True, slots=True)
class GetDetailedCollectionStatisticsOperation(DatabaseRead):
    """How many documents each collection has, and what they take."""

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/collections/stats/detailed")

    def read(self, reply: Reply) -> DetailedCollectionStatistics:
        return read_shape(DetailedCollectionStatistics, reply.json())
