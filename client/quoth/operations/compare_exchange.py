"""Compare-exchange values outside sessions: one value at a time, or many to read."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from quoth.commands import Reply, WireRequest
from quoth.compare_exchange import CompareExchangeValue
from quoth.operations.checks import check_name, check_names, check_number
from quoth.operations.kinds import DatabaseRead, DatabaseWrite
from quoth.serialization import METADATA, JsonObject, encode, from_json, to_json

T = TypeVar("T")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class CompareExchangeResult(Generic[T]):
    """Whether it was done, and what is there now: value and index.

    After a delete the value is the one removed. Index 0: the key has no value.
    """

    value: T | None
    index: int
    successful: bool


@dataclass(frozen=True, slots=True)
class PutCompareExchangeValueOperation(DatabaseWrite, Generic[T]):
    """Write a value if its index is still this one; index 0: only if the key has none.

        result = store.operations.send(PutCompareExchangeValueOperation("lock", "me", 0))
        if not result.successful:
            print("taken by", result.value)

    `metadata` may hold `@expires`, a time in UTC after which the value goes by itself.
    """

    key: str
    value: T
    index: int = 0
    metadata: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        check_name(self.key, "a compare-exchange key")
        check_number(self.index, "the index of a compare-exchange value")

    def to_request(self) -> WireRequest:
        body: JsonObject = {"Object": to_json(self.value)}
        if self.metadata:
            body[METADATA] = to_json(self.metadata)
        return WireRequest("PUT", "/cmpxchg", _key_and_index(self.key, self.index), encode(body))

    def read(self, reply: Reply) -> CompareExchangeResult[T]:
        # None tells nothing about the type of what another has written.
        kind = None if self.value is None else type(self.value)
        return _result(self.key, reply, kind)


@dataclass(frozen=True, slots=True, init=False)
class DeleteCompareExchangeValueOperation(DatabaseWrite, Generic[T]):
    """Remove a value if its index is still this one; `object_type` None tells it as plain JSON."""

    object_type: type[T] | None
    key: str
    index: int

    @overload
    def __init__(
        self: "DeleteCompareExchangeValueOperation[Any]", object_type: None, key: str, index: int
    ) -> None: ...
    @overload
    def __init__(self, object_type: type[T], key: str, index: int) -> None: ...

    def __init__(self, object_type: type[T] | None, key: str, index: int) -> None:
        check_name(key, "a compare-exchange key")
        check_number(index, "the index of a compare-exchange value")
        _fill(self, object_type=object_type, key=key, index=index)

    def to_request(self) -> WireRequest:
        return WireRequest("DELETE", "/cmpxchg", _key_and_index(self.key, self.index))

    def read(self, reply: Reply) -> CompareExchangeResult[T]:
        return _result(self.key, reply, self.object_type)


@dataclass(frozen=True, slots=True, init=False)
class GetCompareExchangeValueOperation(DatabaseRead, Generic[T]):
    """The value of a key, None if it has none. Without `object_type` it is plain JSON."""

    key: str
    object_type: type[T] | None

    @overload
    def __init__(
        self: "GetCompareExchangeValueOperation[Any]", key: str, object_type: None = None
    ) -> None: ...
    @overload
    def __init__(self, key: str, object_type: type[T]) -> None: ...

    def __init__(self, key: str, object_type: type[T] | None = None) -> None:
        check_name(key, "a compare-exchange key")
        _fill(self, key=key, object_type=object_type)

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/cmpxchg", (("key", self.key),))

    def read(self, reply: Reply) -> CompareExchangeValue[T] | None:
        if reply.is_missing:
            return None
        return _value(reply.json()["Results"][0], self.object_type)


@dataclass(frozen=True, slots=True, init=False)
class GetCompareExchangeValuesOperation(DatabaseRead, Generic[T]):
    """Many values by their keys; a key that has none is not in the answer. None: all, by pages.

    store.operations.send(GetCompareExchangeValuesOperation(["a", "b"]))
    store.operations.send(GetCompareExchangeValuesOperation.create_for_start_with("users/"))
    """

    keys: tuple[str, ...] | None
    object_type: type[T] | None
    page: tuple[tuple[str, str], ...]

    @overload
    def __init__(
        self: "GetCompareExchangeValuesOperation[Any]",
        keys: Collection[str] | None = None,
        object_type: None = None,
    ) -> None: ...
    @overload
    def __init__(self, keys: Collection[str] | None, object_type: type[T]) -> None: ...

    def __init__(
        self, keys: Collection[str] | None = None, object_type: type[T] | None = None
    ) -> None:
        named = None if keys is None else check_names(keys, "compare-exchange keys")
        _fill(self, keys=named, object_type=object_type, page=())

    @overload
    @staticmethod
    def create_for_start_with(
        start_with: str,
        start: int | None = None,
        page_size: int | None = None,
        object_type: None = None,
    ) -> "GetCompareExchangeValuesOperation[Any]": ...
    @overload
    @staticmethod
    def create_for_start_with(
        start_with: str,
        start: int | None = None,
        page_size: int | None = None,
        *,
        object_type: type[V],
    ) -> "GetCompareExchangeValuesOperation[V]": ...

    @staticmethod
    def create_for_start_with(
        start_with: str,
        start: int | None = None,
        page_size: int | None = None,
        object_type: type[Any] | None = None,
    ) -> "GetCompareExchangeValuesOperation[Any]":
        """Values whose keys begin so, in the order of their keys, page by page."""
        page: list[tuple[str, str]] = []
        if start_with:
            check_name(start_with, "the beginning of compare-exchange keys")
            page.append(("startsWith", start_with))
        for name, number in (("start", start), ("pageSize", page_size)):
            if number is not None:
                check_number(number, name)
                page.append((name, str(number)))
        found: GetCompareExchangeValuesOperation[Any] = GetCompareExchangeValuesOperation()
        _fill(found, object_type=object_type, page=tuple(page))
        return found

    def to_request(self) -> WireRequest:
        query = self.page if self.keys is None else tuple(("key", each) for each in self.keys)
        return WireRequest("GET", "/cmpxchg", query)

    def read(self, reply: Reply) -> dict[str, CompareExchangeValue[T]]:
        if reply.is_missing:
            return {}
        read = (_value(each, self.object_type) for each in reply.json()["Results"])
        return {each.key: each for each in read if each is not None}


def _fill(operation: object, **values: object) -> None:
    """Give a frozen value its fields while it is made."""
    for name, value in values.items():
        object.__setattr__(operation, name, value)


def _key_and_index(key: str, index: int) -> tuple[tuple[str, str], ...]:
    return (("key", key), ("index", str(index)))


def _value(wire: JsonObject, object_type: type[T] | None) -> CompareExchangeValue[T] | None:
    if wire["Value"] is None:
        return None
    key = wire["Key"]
    return CompareExchangeValue(key, wire["Index"], _typed(key, wire["Value"], object_type))


def _result(key: str, reply: Reply, object_type: type[T] | None) -> CompareExchangeResult[T]:
    wire = reply.json()
    value = None if wire["Value"] is None else _typed(key, wire["Value"], object_type)
    return CompareExchangeResult(value, wire["Index"], bool(wire["Successful"]))


def _typed(key: str, wire: JsonObject, object_type: type[T] | None) -> Any:
    plain = wire.get("Object")
    if object_type is None or plain is None:
        return plain
    return from_json(plain, object_type, name=f"compare-exchange value {key}")
