"""AsyncClusterTransaction: compare-exchange values in a cluster-wide session."""

from collections.abc import Sequence
from typing import Any, TypeVar, overload

from quoth.asynchronous.driving import AsyncDriver
from quoth.asynchronous.lazily import AsyncLazyClusterTransaction
from quoth.compare_exchange import CompareExchangeValue
from quoth.reads import GetValuesStartingWith
from quoth.type_variables import E

T = TypeVar("T")


class AsyncClusterTransaction:
    """Compare-exchange values, read now and written together with the session's documents."""

    def __init__(self, drive: AsyncDriver) -> None:
        self._core = drive.core
        self._drive = drive

    @property
    def lazily(self) -> AsyncLazyClusterTransaction:
        """Reads that wait and travel together."""
        return AsyncLazyClusterTransaction(self._drive)

    @overload
    async def get_compare_exchange_value(
        self, key: str, object_type: None = None
    ) -> CompareExchangeValue[Any] | None: ...
    @overload
    async def get_compare_exchange_value(
        self, key: str, object_type: type[T]
    ) -> CompareExchangeValue[T] | None: ...

    async def get_compare_exchange_value(
        self, key: str, object_type: type[Any] | None = None
    ) -> CompareExchangeValue[Any] | None:
        """The value of a key, None if it has none. Assign to `.value` and save to change it."""
        return await self._drive(self._core.get_value(key, object_type))

    async def get_compare_exchange_values(
        self, keys: Sequence[str], object_type: type[E] | None = None
    ) -> dict[str, CompareExchangeValue[E] | None]:
        """The values of keys by their keys, None where a key has none."""
        return await self._drive(self._core.get_values(keys, object_type))

    async def get_compare_exchange_values_starting_with(
        self,
        starts_with: str,
        start: int = 0,
        page_size: int = 25,
        object_type: type[E] | None = None,
    ) -> dict[str, CompareExchangeValue[E]]:
        """The values whose keys begin so, by their keys, in the order of the keys."""
        wanted = GetValuesStartingWith(starts_with, start, page_size)
        return await self._drive(self._core.get_values_starting_with(wanted, object_type))

    def create_compare_exchange_value(self, key: str, item: T) -> CompareExchangeValue[T]:
        """Reserve a key; the save is refused if it has a value by then."""
        return self._core.changeable_values().create(key, item)

    def update_compare_exchange_value(self, item: CompareExchangeValue[T]) -> None:
        """Write a value that was read elsewhere; the save is refused if it has changed since."""
        self._core.changeable_values().update(item)

    def delete_compare_exchange_value(
        self, item_or_key: CompareExchangeValue[Any] | str, index: int | None = None
    ) -> None:
        """Remove a value that was read, or the value of a key if it has this index."""
        self._core.delete_value(item_or_key, index)

    def clear(self) -> None:
        """Forget all values and their pending changes."""
        self._core.changeable_values().clear()
