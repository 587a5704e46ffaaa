"""Records of databases: what the cluster keeps of each, and where its nodes are."""

from dataclasses import dataclass, field
from enum import Enum

from quoth.errors import Misuse
from quoth.operations.checks import check_name
from quoth.operations.configuration import ClientConfiguration
from quoth.serialization import JsonObject
from quoth.shape import given, write_shape


class DatabaseLockMode(Enum):
    """Whether a database may be deleted; PREVENT_DELETES_IGNORE passes a deletion over."""

    UNLOCK = "Unlock"
    PREVENT_DELETES_IGNORE = "PreventDeletesIgnore"
    PREVENT_DELETES_ERROR = "PreventDeletesError"


@dataclass(kw_only=True)
class DatabaseTopology:
    """The tags of the nodes that carry a database, the preferred first."""

    members: list[str] = field(default_factory=list)
    promotables: list[str] = field(default_factory=list)
    rehabs: list[str] = field(default_factory=list)
    replication_factor: int = 1
    dynamic_nodes_distribution: bool = False
    priority_order: list[str] = field(default_factory=list)

    @property
    def all_nodes(self) -> list[str]:
        """Every node that carries the database, or will."""
        return [*self.members, *self.promotables, *self.rehabs]


@dataclass
class DatabaseRecord:
    """What the cluster keeps of a database. What it does not support must stay empty."""

    database_name: str
    disabled: bool = False
    settings: dict[str, str | None] = field(default_factory=dict)
    lock_mode: DatabaseLockMode = DatabaseLockMode.UNLOCK
    client: ClientConfiguration | None = None
    unused_database_ids: list[str] = field(default_factory=list)
    topology: DatabaseTopology | None = None

    def to_json(self) -> JsonObject:
        """The record on the wire. Raises Misuse if it has no name."""
        check_name(self.database_name, "the name of a database")
        if isinstance(self.unused_database_ids, str):
            raise Misuse("unused_database_ids is a list of ids, not a text")
        return given(
            {
                "DatabaseName": self.database_name,
                "Disabled": self.disabled,
                "Settings": dict(self.settings),
                "LockMode": self.lock_mode.value,
                "Client": write_shape(self.client),
                "UnusedDatabaseIds": list(self.unused_database_ids) or None,
                "Topology": write_shape(self.topology),
            }
        )


@dataclass
class DatabaseRecordWithEtag(DatabaseRecord):
    """A record as it was read. `etag` tells when it was changed last."""

    etag: int = 0
