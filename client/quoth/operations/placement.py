"""Where databases are: on which nodes of the cluster, and which of them clients prefer.

A quoth cluster has every database on every node. What asks for that succeeds, what asks for
anything else is refused in words (BadRequest).
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from quoth.commands import Reply, WireRequest
from quoth.operations.checks import check_kind, check_name, check_names, flag
from quoth.operations.databases import ADMIN, WHAT, DatabasePutResult
from quoth.operations.kinds import ServerRead, ServerWrite, Silent
from quoth.operations.records import DatabaseTopology
from quoth.serialization import encode
from quoth.shape import read_shape, write_shape


@dataclass(frozen=True, slots=True)
class AddDatabaseNodeOperation(ServerWrite):
    """Put a database on one node more."""

    database_name: str
    node: str | None = None

    def __post_init__(self) -> None:
        check_name(self.database_name, WHAT)

    def to_request(self) -> WireRequest:
        query = [("name", self.database_name)]
        if self.node:
            query.append(("node", self.node))
        return WireRequest("PUT", f"{ADMIN}/node", tuple(query))

    def read(self, reply: Reply) -> DatabasePutResult:
        return read_shape(DatabasePutResult, reply.json())


@dataclass(frozen=True, slots=True)
class PromoteDatabaseNodeOperation(ServerWrite):
    """Let a node that still catches up count for a database at once."""

    database_name: str
    node: str

    def __post_init__(self) -> None:
        check_name(self.database_name, WHAT)
        check_name(self.node, "the tag of a node")

    def to_request(self) -> WireRequest:
        query = (("name", self.database_name), ("node", self.node))
        return WireRequest("POST", f"{ADMIN}/promote", query)

    def read(self, reply: Reply) -> DatabasePutResult:
        return read_shape(DatabasePutResult, reply.json())


@dataclass(frozen=True, slots=True)
class ReorderDatabaseMembersOperation(Silent, ServerWrite):
    """Which nodes clients prefer, by their tags; `fixed` keeps that order when nodes fail."""

    database: str
    order: Collection[str]
    fixed: bool = False

    def __post_init__(self) -> None:
        check_name(self.database, WHAT)
        check_names(self.order, "the tags of nodes")

    def to_request(self) -> WireRequest:
        body = encode({"MembersOrder": list(self.order), "Fixed": self.fixed})
        return WireRequest("POST", f"{ADMIN}/reorder", (("name", self.database),), body)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyDatabaseTopologyResult:
    """The log index of a change of a topology."""

    raft_command_index: int


@dataclass(frozen=True, slots=True)
class ModifyDatabaseTopologyOperation(ServerWrite):
    """Give a database this topology."""

    database_name: str
    database_topology: DatabaseTopology

    def __post_init__(self) -> None:
        check_name(self.database_name, WHAT)
        check_kind(self.database_topology, DatabaseTopology, "database_topology")

    def to_request(self) -> WireRequest:
        query = (("name", self.database_name),)
        body = encode(write_shape(self.database_topology))
        return WireRequest("POST", f"{ADMIN}/topology/modify", query, body)

    def read(self, reply: Reply) -> ModifyDatabaseTopologyResult:
        return read_shape(ModifyDatabaseTopologyResult, reply.json())


@dataclass(frozen=True, slots=True)
class SetDatabaseDynamicDistributionOperation(Silent, ServerWrite):
    """Whether the cluster may move a database to other nodes by itself."""

    database_name: str
    allow_dynamic_distribution: bool

    def __post_init__(self) -> None:
        check_name(self.database_name, WHAT)

    def to_request(self) -> WireRequest:
        enabled = flag(self.allow_dynamic_distribution)
        query = (("name", self.database_name), ("enabled", enabled))
        return WireRequest("POST", f"{ADMIN}/dynamic-node-distribution", query)


@dataclass(frozen=True, slots=True)
class UpdateUnusedDatabasesOperation(Silent, ServerWrite):
    """The ids of databases that are no more, to be left out of change vectors."""

    database: str
    unused_database_ids: Collection[str]
    validate: bool = False

    def __post_init__(self) -> None:
        check_name(self.database, WHAT)
        if self.unused_database_ids:
            check_names(self.unused_database_ids, "the ids of databases")

    def to_request(self) -> WireRequest:
        query = [("name", self.database)]
        if self.validate:
            query.append(("validate", "true"))
        body = encode({"DatabaseIds": list(self.unused_database_ids)})
        return WireRequest("POST", f"{ADMIN}/unused-ids", tuple(query), body)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseNode:
    """A node that carries a database, and where it can be reached."""

    url: str
    cluster_tag: str
    server_role: str = "Member"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseNodes:
    """The nodes that carry a database, the preferred first. `etag` grows with each change."""

    nodes: list[DatabaseNode]
    etag: int
    promotables: list[DatabaseNode] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class GetDatabaseTopologyOperation(ServerRead):
    """Where a database can be reached, as the node that is asked knows it."""

    database_name: str

    def __post_init__(self) -> None:
        check_name(self.database_name, WHAT)

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/topology", (("name", self.database_name),))

    def read(self, reply: Reply) -> DatabaseNodes:
        return read_shape(DatabaseNodes, reply.json())
