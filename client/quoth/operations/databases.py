"""Databases: created, changed, listed, deleted. They belong to the whole cluster."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta

from quoth.commands import Reply, WireRequest
from quoth.errors import Misuse
from quoth.operations.checks import (
    check_choice,
    check_kind,
    check_name,
    check_names,
    check_number,
)
from quoth.operations.kinds import ServerRead, ServerWrite, Silent
from quoth.operations.records import (
    DatabaseLockMode,
    DatabaseRecord,
    DatabaseRecordWithEtag,
    DatabaseTopology,
)
from quoth.serialization import encode, to_json
from quoth.shape import given, read_shape

WHAT = "the name of a database"
ADMIN = "/admin/databases"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabasePutResult:
    """A database that was created or changed, the log index of that, and where it is."""

    raft_command_index: int
    name: str
    topology: DatabaseTopology | None = None
    nodes_added_to: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CreateDatabaseOperation(ServerWrite):
    """Create a database. A ConcurrencyError says that there is one of that name.

        store.maintenance.server.send(CreateDatabaseOperation(DatabaseRecord("shop")))
        store.maintenance.server.send(CreateDatabaseOperation("shop"))

    A quoth cluster has every database on every node, whatever `replication_factor` says.
    """

    database_record: DatabaseRecord | str
    replication_factor: int = 1

    def __post_init__(self) -> None:
        check_number(self.replication_factor, "replication_factor", low=1)
        self._record.to_json()

    @property
    def _record(self) -> DatabaseRecord:
        if isinstance(self.database_record, str):
            return DatabaseRecord(self.database_record)
        check_kind(self.database_record, DatabaseRecord, "database_record")
        return self.database_record

    def to_request(self) -> WireRequest:
        record = self._record
        query = (
            ("name", record.database_name),
            ("replicationFactor", str(self.replication_factor)),
        )
        return WireRequest("PUT", ADMIN, query, encode(record.to_json()))

    def read(self, reply: Reply) -> DatabasePutResult:
        return read_shape(DatabasePutResult, reply.json())


@dataclass(frozen=True, slots=True)
class UpdateDatabaseOperation(ServerWrite):
    """Change a record, if it is still the one with this etag; else a ConcurrencyError.

    record = store.maintenance.server.send(GetDatabaseRecordOperation("shop"))
    record.settings["Raven.Setting"] = "1"
    store.maintenance.server.send(UpdateDatabaseOperation(record, record.etag))
    """

    database_record: DatabaseRecord
    etag: int

    def __post_init__(self) -> None:
        check_kind(self.database_record, DatabaseRecord, "database_record")
        check_number(self.etag, "etag", low=1)
        self.database_record.to_json()

    def to_request(self) -> WireRequest:
        record = self.database_record
        query = (("name", record.database_name),)
        body = encode(record.to_json())
        return WireRequest("PUT", ADMIN, query, body, headers={"ETag": f'"{self.etag}"'})

    def read(self, reply: Reply) -> DatabasePutResult:
        return read_shape(DatabasePutResult, reply.json())


@dataclass(frozen=True, slots=True)
class GetDatabaseRecordOperation(ServerRead):
    """The record of a database, None if there is none of that name."""

    database: str

    def __post_init__(self) -> None:
        check_name(self.database, WHAT)

    def to_request(self) -> WireRequest:
        return WireRequest("GET", ADMIN, (("name", self.database),))

    def read(self, reply: Reply) -> DatabaseRecordWithEtag | None:
        return None if reply.is_missing else read_shape(DatabaseRecordWithEtag, reply.json())


@dataclass(frozen=True, slots=True)
class GetDatabaseNamesOperation(ServerRead):
    """The names of databases, a page of them."""

    start: int = 0
    page_size: int = 1_024

    def __post_init__(self) -> None:
        check_number(self.start, "start")
        check_number(self.page_size, "page_size")

    def to_request(self) -> WireRequest:
        page = (("start", str(self.start)), ("pageSize", str(self.page_size)))
        return WireRequest("GET", "/databases", (*page, ("namesOnly", "true")))

    def read(self, reply: Reply) -> list[str]:
        return [str(each) for each in reply.json()["Databases"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseInfo:
    """One database in a list of them."""

    name: str
    disabled: bool = False
    is_encrypted: bool = False
    lock_mode: DatabaseLockMode = DatabaseLockMode.UNLOCK


@dataclass(frozen=True, slots=True)
class GetDatabasesOperation(ServerRead):
    """Databases with their state, a page of them."""

    start: int = 0
    page_size: int = 1_024

    def __post_init__(self) -> None:
        check_number(self.start, "start")
        check_number(self.page_size, "page_size")

    def to_request(self) -> WireRequest:
        page = (("start", str(self.start)), ("pageSize", str(self.page_size)))
        return WireRequest("GET", "/databases", page)

    def read(self, reply: Reply) -> list[DatabaseInfo]:
        return [read_shape(DatabaseInfo, each) for each in reply.json()["Databases"]]


@dataclass(frozen=True, slots=True)
class DeleteDatabaseParameters:
    """Several databases to delete at once."""

    database_names: Collection[str]
    hard_delete: bool = False
    from_nodes: Collection[str] | None = None
    time_to_wait_for_confirmation: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteDatabaseResult:
    """What became of a deletion. Index -1: there was nothing to delete.

    `pending_deletes` are the tags of nodes that have not deleted their files yet.
    """

    raft_command_index: int
    pending_deletes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DeleteDatabaseOperation(ServerWrite):
    """Delete a database with all its documents; a missing one is no error.

        store.maintenance.server.send(DeleteDatabaseOperation("shop", hard_delete=True))

    `hard_delete` deletes the files too; else each node keeps them. Several databases are named by
    `parameters=DeleteDatabaseOperation.Parameters(["a", "b"])`.
    """

    database_name: str | None = None
    hard_delete: bool = False
    from_node: str | None = None
    time_to_wait_for_confirmation: timedelta | None = None
    parameters: DeleteDatabaseParameters | None = None

    Parameters = DeleteDatabaseParameters

    def __post_init__(self) -> None:
        if (self.database_name is None) == (self.parameters is None):
            raise Misuse("name a database to delete, or give parameters that name several")
        check_names(self._wanted.database_names, "the names of databases")

    @property
    def _wanted(self) -> DeleteDatabaseParameters:
        if self.parameters is not None:
            return self.parameters
        assert self.database_name is not None, "checked when it was made"
        nodes = None if self.from_node is None else (self.from_node,)
        names = (self.database_name,)
        wait = self.time_to_wait_for_confirmation
        return DeleteDatabaseParameters(names, self.hard_delete, nodes, wait)

    def to_request(self) -> WireRequest:
        wanted = self._wanted
        wait = wanted.time_to_wait_for_confirmation
        body = given(
            {
                "DatabaseNames": list(wanted.database_names),
                "HardDelete": wanted.hard_delete,
                "FromNodes": None if wanted.from_nodes is None else list(wanted.from_nodes),
                "TimeToWaitForConfirmation": None if wait is None else to_json(wait),
            }
        )
        seconds = 0.0 if wait is None else wait.total_seconds()
        return WireRequest("DELETE", ADMIN, (), encode(body), seconds)

    def read(self, reply: Reply) -> DeleteDatabaseResult:
        return read_shape(DeleteDatabaseResult, reply.json())


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableDatabaseToggleResult:
    """What became of one database that was to be enabled or disabled."""

    disabled: bool
    name: str
    success: bool
    reason: str


@dataclass(frozen=True, slots=True)
class ToggleDatabasesStateOperation(ServerWrite):
    """Disable a database, so that it refuses every request; or enable it again."""

    database_name: str
    disable: bool

    def __post_init__(self) -> None:
        check_name(self.database_name, WHAT)

    def to_request(self) -> WireRequest:
        return _toggle([self.database_name], disable=self.disable)

    def read(self, reply: Reply) -> DisableDatabaseToggleResult:
        return read_shape(DisableDatabaseToggleResult, reply.json()["Status"][0])

    @classmethod
    def from_multiple_names(
        cls, database_names: Collection[str], disable: bool
    ) -> "ToggleManyDatabasesStateOperation":
        """The same for several databases; the result is a list."""
        return ToggleManyDatabasesStateOperation(database_names, disable)


@dataclass(frozen=True, slots=True)
class ToggleManyDatabasesStateOperation(ServerWrite):
    """Disable several databases, or enable them again."""

    database_names: Collection[str]
    disable: bool

    def __post_init__(self) -> None:
        check_names(self.database_names, "the names of databases")

    def to_request(self) -> WireRequest:
        return _toggle(list(self.database_names), disable=self.disable)

    def read(self, reply: Reply) -> list[DisableDatabaseToggleResult]:
        return [read_shape(DisableDatabaseToggleResult, each) for each in reply.json()["Status"]]


@dataclass(frozen=True, slots=True)
class SetDatabasesLockOperation(Silent, ServerWrite):
    """Whether a database may be deleted, or several: `(["a", "b"], mode)`."""

    database_name: str | Collection[str]
    mode: DatabaseLockMode

    def __post_init__(self) -> None:
        check_names(self._names, "the names of databases")
        check_choice(self.mode, DatabaseLockMode, "mode")

    @property
    def _names(self) -> Collection[str]:
        named = self.database_name
        return (named,) if isinstance(named, str) else named

    def to_request(self) -> WireRequest:
        mode = DatabaseLockMode(self.mode)
        body = encode({"DatabaseNames": list(self._names), "Mode": mode.value})
        return WireRequest("POST", f"{ADMIN}/set-lock", (), body)


def _toggle(names: list[str], *, disable: bool) -> WireRequest:
    verb = "disable" if disable else "enable"
    return WireRequest("POST", f"{ADMIN}/{verb}", (), encode({"DatabaseNames": names}))
