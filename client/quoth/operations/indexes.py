"""Definitions of indexes, which the whole cluster agrees on: put, read, locked, deleted."""

from dataclasses import dataclass, field

from quoth.commands import Reply, WireRequest
from quoth.errors import Misuse
from quoth.indexes.definitions import (
    IndexDefinition,
    IndexLockMode,
    IndexPriority,
    read_definition,
)
from quoth.operations.checks import (
    check_choice,
    check_kind,
    check_name,
    check_names,
    check_number,
    flag,
)
from quoth.operations.kinds import DatabaseRead, DatabaseWrite, Silent
from quoth.serialization import encode
from quoth.shape import called, read_shape

PAGE_SIZE = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class PutIndexResult:
    """An index that was put, and the log index of that."""

    index: str = field(metadata=called("Index"))
    raft_command_index: int


@dataclass(frozen=True, slots=True, init=False)
class PutIndexesOperation(DatabaseWrite):
    """Define indexes: all of them, or none if one cannot be built (BadRequest says why)."""

    indexes_to_add: tuple[IndexDefinition, ...]

    def __init__(self, *indexes_to_add: IndexDefinition) -> None:
        if not indexes_to_add:
            raise Misuse("give at least one index definition")
        for each in indexes_to_add:
            check_kind(each, IndexDefinition, "what is to be put")
            each.to_json()
        object.__setattr__(self, "indexes_to_add", indexes_to_add)

    def to_request(self) -> WireRequest:
        body = encode({"Indexes": [each.to_json() for each in self.indexes_to_add]})
        return WireRequest("PUT", "/admin/indexes", (), body)

    def read(self, reply: Reply) -> list[PutIndexResult]:
        return [read_shape(PutIndexResult, each) for each in reply.json()["Results"]]


@dataclass(frozen=True, slots=True)
class GetIndexNamesOperation(DatabaseRead):
    """The names of indexes, a page of them."""

    start: int = 0
    page_size: int = PAGE_SIZE

    def __post_init__(self) -> None:
        _check_page(self.start, self.page_size)

    def to_request(self) -> WireRequest:
        query = (*_page(self.start, self.page_size), ("namesOnly", "true"))
        return WireRequest("GET", "/indexes", query)

    def read(self, reply: Reply) -> list[str]:
        return [str(each) for each in reply.json()["Results"]]


@dataclass(frozen=True, slots=True)
class GetIndexesOperation(DatabaseRead):
    """Definitions of indexes, a page of them."""

    start: int = 0
    page_size: int = PAGE_SIZE

    def __post_init__(self) -> None:
        _check_page(self.start, self.page_size)

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/indexes", _page(self.start, self.page_size))

    def read(self, reply: Reply) -> list[IndexDefinition]:
        return [read_definition(each) for each in reply.json()["Results"]]


@dataclass(frozen=True, slots=True)
class GetIndexOperation(DatabaseRead):
    """The definition of one index, None if there is none of that name."""

    index_name: str

    def __post_init__(self) -> None:
        check_name(self.index_name, "the name of an index")

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/indexes", (("name", self.index_name),))

    def read(self, reply: Reply) -> IndexDefinition | None:
        return None if reply.is_missing else read_definition(reply.json()["Results"][0])


@dataclass(frozen=True, slots=True)
class IndexHasChangedOperation(DatabaseRead):
    """Whether a definition is another than the one that stands under its name."""

    index: IndexDefinition

    def __post_init__(self) -> None:
        check_kind(self.index, IndexDefinition, "what is to be compared")
        self.index.to_json()

    def to_request(self) -> WireRequest:
        return WireRequest("POST", "/indexes/has-changed", (), encode(self.index.to_json()))

    def read(self, reply: Reply) -> bool:
        return bool(reply.json()["Changed"])


@dataclass(frozen=True, slots=True)
class DeleteIndexOperation(Silent, DatabaseWrite):
    """Delete an index on every node; it is no error if there is none."""

    index_name: str

    def __post_init__(self) -> None:
        check_name(self.index_name, "the name of an index")

    def to_request(self) -> WireRequest:
        return WireRequest("DELETE", "/indexes", (("name", self.index_name),))


@dataclass(frozen=True, slots=True)
class EnableIndexOperation(Silent, DatabaseWrite):
    """Let an index that was disabled follow its documents again.

    A quoth node does so on every node, with `cluster_wide` or without.
    """

    index_name: str
    cluster_wide: bool = False

    def __post_init__(self) -> None:
        check_name(self.index_name, "the name of an index")

    def to_request(self) -> WireRequest:
        query = (("name", self.index_name), ("clusterWide", flag(self.cluster_wide)))
        return WireRequest("POST", "/admin/indexes/enable", query)


@dataclass(frozen=True, slots=True)
class DisableIndexOperation(Silent, DatabaseWrite):
    """Let an index rest until it is enabled; queries see it as it is.

    A quoth node does so on every node, with `cluster_wide` or without.
    """

    index_name: str
    cluster_wide: bool = False

    def __post_init__(self) -> None:
        check_name(self.index_name, "the name of an index")

    def to_request(self) -> WireRequest:
        query = (("name", self.index_name), ("clusterWide", flag(self.cluster_wide)))
        return WireRequest("POST", "/admin/indexes/disable", query)


@dataclass(frozen=True, slots=True, init=False)
class SetIndexesLockOperation(Silent, DatabaseWrite):
    """Whether these indexes may be defined anew."""

    mode: IndexLockMode
    index_names: tuple[str, ...]

    def __init__(self, mode: IndexLockMode, *index_names: str) -> None:
        object.__setattr__(self, "mode", check_choice(mode, IndexLockMode, "mode"))
        object.__setattr__(self, "index_names", check_names(index_names, "index_names"))

    def to_request(self) -> WireRequest:
        body = encode({"IndexNames": self.index_names, "Mode": self.mode.value})
        return WireRequest("POST", "/indexes/set-lock", (), body)


@dataclass(frozen=True, slots=True, init=False)
class SetIndexesPriorityOperation(Silent, DatabaseWrite):
    """Which indexes go first when several have something to do."""

    priority: IndexPriority
    index_names: tuple[str, ...]

    def __init__(self, priority: IndexPriority, *index_names: str) -> None:
        object.__setattr__(self, "priority", check_choice(priority, IndexPriority, "priority"))
        object.__setattr__(self, "index_names", check_names(index_names, "index_names"))

    def to_request(self) -> WireRequest:
        body = encode({"IndexNames": self.index_names, "Priority": self.priority.value})
        return WireRequest("POST", "/indexes/set-priority", (), body)


def _check_page(start: int, page_size: int) -> None:
    check_number(start, "start")
    check_number(page_size, "page_size")


def _page(start: int, page_size: int) -> tuple[tuple[str, str], ...]:
    return (("start", str(start)), ("pageSize", str(page_size)))
