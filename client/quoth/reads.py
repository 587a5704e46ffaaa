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
    """Stored documents by the ids that were asked for (folded), and what came along.

    `values` are compare-exchange values by their keys (folded), None where a key has none.
    """

    by_id: Mapping[str, JsonObject]
    includes: Mapping[str, JsonObject] = field(default_factory=dict)
    values: Mapping[str, "StoredValue | None"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GetDocuments:
    """Load documents by id, and what they name: documents, compare-exchange values."""

    ids: tuple[str, ...]
    includes: tuple[str, ...] = ()
    value_includes: tuple[str, ...] = ()
    is_read: ClassVar[bool] = True
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        included = tuple(("include", path) for path in self.includes)
        included += tuple(("cmpxchg", path) for path in self.value_includes)
        if sum(map(len, self.ids)) >= URL_IDS_CHARACTERS_MAX:
            body = encode({"Ids": self.ids})
            return WireRequest("POST", "/docs", included, body)
        return WireRequest("GET", "/docs", included + tuple(("id", each) for each in self.ids))

    def read(self, reply: Reply) -> LoadedDocuments:
        if reply.is_missing:
            return LoadedDocuments({})
        found = reply.json()
        documents = [each for each in found["Results"] if each is not None]
        by_id = {fold(each["@metadata"]["@id"]): each for each in documents}
        return LoadedDocuments(by_id, included_documents(found), included_values(found))


@dataclass(frozen=True, slots=True)
class GetDocumentsStartingWith:
    """Load documents by the beginning of their ids, in the order of their ids.

    `matches` and `exclude` are about the rest of the id: alternatives after `|`, with `*` and `?`.
    """

    prefix: str
    matches: str | None = None
    exclude: str | None = None
    start: int = 0
    page_size: int = 25
    start_after: str | None = None
    is_read: ClassVar[bool] = True
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        query = [("startsWith", self.prefix)]
        names = ("matches", "exclude", "startAfter")
        named = zip(names, (self.matches, self.exclude, self.start_after), strict=True)
        query += [(name, value) for name, value in named if value]
        query += [("start", str(self.start)), ("pageSize", str(self.page_size))]
        return WireRequest("GET", "/docs", tuple(query))

    def read(self, reply: Reply) -> list[JsonObject]:
        return [] if reply.is_missing else list(reply.json()["Results"])


@dataclass(frozen=True, slots=True)
class HeadDocument:
    """The change vector of a document, None if there is none: without its content."""

    document_id: str
    is_read: ClassVar[bool] = True
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        return WireRequest("HEAD", "/docs", (("id", self.document_id),))

    def read(self, reply: Reply) -> str | None:
        return None if reply.is_missing else reply.headers["etag"].strip('"')


@dataclass(frozen=True, slots=True)
class GetIfChanged:
    """A document unless it still has this change vector.

    The result is whether it has changed, and the document as it is now, None if it is gone.
    """

    document_id: str
    change_vector: str
    is_read: ClassVar[bool] = True
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        headers = {"If-None-Match": f'"{self.change_vector}"'}
        return WireRequest("GET", "/docs", (("id", self.document_id),), headers=headers)

    def read(self, reply: Reply) -> tuple[bool, JsonObject | None]:
        if reply.status == 304:
            return False, None
        if reply.is_missing:
            return True, None
        return True, reply.json()["Results"][0]


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


@dataclass(frozen=True, slots=True)
class GetValuesStartingWith:
    """Read compare-exchange values by the beginning of their keys, in the order of their keys."""

    prefix: str
    start: int = 0
    page_size: int = 25
    is_read: ClassVar[bool] = True
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        page = (("start", str(self.start)), ("pageSize", str(self.page_size)))
        return WireRequest("GET", "/cmpxchg", (("startsWith", self.prefix), *page))

    def read(self, reply: Reply) -> dict[str, StoredValue]:
        if reply.is_missing:
            return {}
        found = [each for each in reply.json()["Results"] if each["Value"] is not None]
        return {fold(each["Key"]): stored_value(each["Key"], each) for each in found}


def included_documents(answer: JsonObject) -> dict[str, JsonObject]:
    """The documents that came along with an answer, by their folded ids."""
    found = answer.get("Includes") or {}
    return {fold(name): each for name, each in found.items() if each is not None}


def included_values(answer: JsonObject) -> dict[str, StoredValue | None]:
    """The compare-exchange values that came along, by their folded keys; None: the key has none."""
    found = answer.get("CompareExchangeValueIncludes") or {}
    return {
        fold(key): stored_value(key, each) if each.get("Value") is not None else None
        for key, each in found.items()
    }


def stored_value(key: str, wire: JsonObject) -> StoredValue:
    """The value of a wire object with `Index` and `Value`."""
    return StoredValue(key, wire["Index"], (wire["Value"] or {}).get("Object"))
