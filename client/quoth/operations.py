"""What a store is asked for outside sessions: one frozen value each, with a typed result.

async with AsyncDocumentStore(url, "shop") as store:
    number = await store.send(NextIdentityFor("invoices|"))        # int
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from quoth.commands import Reply, WireRequest
from quoth.compare_exchange import CompareExchangeValue
from quoth.errors import Misuse
from quoth.reads import stored_value
from quoth.serialization import JsonObject, encode, to_json

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NextIdentityFor:
    """Take the next number of a series: `companies|` -> 24. A number is never given twice."""

    name: str
    is_read: ClassVar[bool] = False
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        return WireRequest("POST", "/identity/next", (("name", self.name),))

    def read(self, reply: Reply) -> int:
        return int(reply.json()["NewIdentityValue"])


@dataclass(frozen=True, slots=True)
class SeedIdentityFor:
    """Set the latest number of a series; a lower one only with `force_update`.

    The name may end in a pipe or not. The result is the latest number afterwards.
    """

    name: str
    value: int
    force_update: bool = False
    is_read: ClassVar[bool] = False
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        query = [("name", self.name), ("value", str(self.value))]
        if self.force_update:
            query.append(("force", "true"))
        return WireRequest("POST", "/identity/seed", tuple(query))

    def read(self, reply: Reply) -> int:
        return int(reply.json()["NewSeedValue"])


SeedIdentityForOperation = SeedIdentityFor  # as programs written for RavenDB know it


@dataclass(frozen=True, slots=True)
class GetIdentities:
    """The latest number of every series, by name with its pipe."""

    is_read: ClassVar[bool] = True
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/debug/identities")

    def read(self, reply: Reply) -> dict[str, int]:
        return {name: int(value) for name, value in reply.json().items()}


@dataclass(frozen=True, slots=True)
class CompareExchangeResult(Generic[T]):
    """Whether it was done, and what is there now: index and value.

    After a delete the value is the one removed. Index 0: the key has no value.
    """

    is_successful: bool
    index: int
    value: T | None


@dataclass(frozen=True, slots=True)
class PutCompareExchange(Generic[T]):
    """Write a value if its index is still this one; index 0: only if the key has none."""

    key: str
    value: T
    index: int = 0
    is_read: ClassVar[bool] = False
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        body = encode({"Object": to_json(self.value)})
        return WireRequest("PUT", "/cmpxchg", _key_and_index(self.key, self.index), body)

    def read(self, reply: Reply) -> CompareExchangeResult[Any]:
        return _result(self.key, reply)


@dataclass(frozen=True, slots=True)
class DeleteCompareExchange:
    """Remove a value if its index is still this one."""

    key: str
    index: int
    is_read: ClassVar[bool] = False
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        return WireRequest("DELETE", "/cmpxchg", _key_and_index(self.key, self.index))

    def read(self, reply: Reply) -> CompareExchangeResult[Any]:
        return _result(self.key, reply)


@dataclass(frozen=True, slots=True)
class GetCompareExchange:
    """The value of a key, None if it has none."""

    key: str
    is_read: ClassVar[bool] = True
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/cmpxchg", (("key", self.key),))

    def read(self, reply: Reply) -> CompareExchangeValue[Any] | None:
        if reply.is_missing:
            return None
        found = reply.json()["Results"][0]
        if found["Value"] is None:
            return None
        stored = stored_value(found["Key"], found)
        return CompareExchangeValue(stored.key, stored.index, stored.value)


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a database holds. `raw` is everything the server told."""

    documents: int
    tombstones: int
    indexes: int
    last_document_etag: int
    size_on_disk_bytes: int
    raw: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GetStatistics:
    """Counts and sizes of a database."""

    is_read: ClassVar[bool] = True
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/stats")

    def read(self, reply: Reply) -> Statistics:
        found = reply.json()
        return Statistics(
            documents=found["CountOfDocuments"],
            tombstones=found["CountOfTombstones"],
            indexes=found["CountOfIndexes"],
            last_document_etag=found["LastDocEtag"],
            size_on_disk_bytes=found["SizeOnDisk"]["SizeInBytes"],
            raw=found,
        )


@dataclass(frozen=True, slots=True)
class CreateDatabase:
    """Create a database on every node. A ConcurrencyError says that there is one of that name.

    The result is the log index of its creation.
    """

    name: str
    is_read: ClassVar[bool] = False
    is_for_database: ClassVar[bool] = False

    def to_request(self) -> WireRequest:
        body = encode({"DatabaseName": self.name})
        return WireRequest("PUT", "/admin/databases", (("name", self.name),), body)

    def read(self, reply: Reply) -> int:
        return int(reply.json()["RaftCommandIndex"])


@dataclass(frozen=True, slots=True, init=False)
class DeleteDatabases:
    """Delete databases with all their documents, on every node; missing ones are no error.

    `hard` deletes the files too, which is the only way quoth knows.
    """

    names: tuple[str, ...]
    hard: bool
    is_read: ClassVar[bool] = False
    is_for_database: ClassVar[bool] = False

    def __init__(self, *names: str, hard: bool = True) -> None:
        if not names:
            raise Misuse("name at least one database to delete")
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "hard", hard)

    def to_request(self) -> WireRequest:
        wire: JsonObject = {"DatabaseNames": self.names, "HardDelete": self.hard}
        return WireRequest("DELETE", "/admin/databases", (), encode(wire))

    def read(self, reply: Reply) -> None:
        return None


@dataclass(frozen=True, slots=True)
class GetDatabaseNames:
    """The names of all databases."""

    start: int = 0
    page_size: int = 1_024
    is_read: ClassVar[bool] = True
    is_for_database: ClassVar[bool] = False

    def to_request(self) -> WireRequest:
        page = (("start", str(self.start)), ("pageSize", str(self.page_size)))
        return WireRequest("GET", "/databases", (*page, ("namesOnly", "true")))

    def read(self, reply: Reply) -> list[str]:
        return [str(each) for each in reply.json()["Databases"]]


def _key_and_index(key: str, index: int) -> tuple[tuple[str, str], ...]:
    return (("key", key), ("index", str(index)))


def _result(key: str, reply: Reply) -> CompareExchangeResult[Any]:
    found = reply.json()
    stored = stored_value(key, found)
    return CompareExchangeResult(bool(found["Successful"]), stored.index, stored.value)
