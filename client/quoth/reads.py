"""What a session reads: documents by id and by prefix, and compare-exchange values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from quoth.commands import Reply, WireRequest, fold
from quoth.serialization import JsonObject, encode

# Longer lists of ids travel in a body: some proxies cut URLs.
URL_IDS_CHARACTERS_MAX = 1_024


@dataclass(frozen=True, slots=True)
class LoadedDocuments:
    """Stored documents by the ids that were asked for (folded), and what came along."""

    by_id: Mapping[str, JsonObject]
    includes: Mapping[str, JsonObject]


@dataclass(frozen=True, slots=True)
class GetDocuments:
    """Load documents by id."""

    ids: tuple[str, ...]
    includes: tuple[str, ...] = ()
    is_read: ClassVar[bool] = True
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        included = tuple(("include", path) for path in self.includes)
        if sum(map(len, self.ids)) >= URL_IDS_CHARACTERS_MAX:
            body = encode({"Ids": self.ids})
            return WireRequest("POST", "/docs", included, body)
        return WireRequest("GET", "/docs", included + tuple(("id", each) for each in self.ids))

    def read(self, reply: Reply) -> LoadedDocuments:
        if reply.is_missing:
            return LoadedDocuments({}, {})
        found = reply.json()
        documents = [each for each in found["Results"] if each is not None]
        by_id = {fold(each["@metadata"]["@id"]): each for each in documents}
        includes = {fold(name): each for name, each in (found.get("Includes") or {}).items()}
        return LoadedDocuments(by_id, includes)


@dataclass(frozen=True, slots=True)
class StoredValue:
    """A compare-exchange value as the server holds it."""

    key: str
    index: int
    value: Any = field(compare=False)


@dataclass(frozen=True, slots=True)
class GetValues:
    """Read compare-exchange values by key; a key that has none is left out of the answer."""

    keys: tuple[str, ...]
    is_read: ClassVar[bool] = True
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/cmpxchg", tuple(("key", each) for each in self.keys))

    def read(self, reply: Reply) -> dict[str, StoredValue]:
        if reply.is_missing:
            return {}
        found = [each for each in reply.json()["Results"] if each["Value"] is not None]
        return {fold(each["Key"]): stored_value(each["Key"], each) for each in found}


def stored_value(key: str, wire: JsonObject) -> StoredValue:
    """The value of a wire object with `Index` and `Value`."""
    return StoredValue(key, wire["Index"], (wire["Value"] or {}).get("Object"))
