"""AsyncLoaderWithInclude: a load that says first what shall come along."""

from typing import Any, Self, TypeVar, overload

from quoth.asynchronous.driving import AsyncDriver
from quoth.including import IncludeBuilder

T = TypeVar("T")
Ids = list[str] | tuple[str, ...] | set[str] | frozenset[str]


class AsyncLoaderWithInclude:
    """`await session.include("customer").include("lines[].product").load("orders/1", Order)`"""

    def __init__(self, drive: AsyncDriver, builder: IncludeBuilder) -> None:
        self._drive = drive
        self._builder = builder

    def include(self, path: str) -> Self:
        """The documents whose ids this property holds come along too."""
        self._builder.include_documents(path)
        return self

    @overload
    async def load(self, id_or_ids: str, object_type: None = None) -> Any | None: ...
    @overload
    async def load(self, id_or_ids: str, object_type: type[T]) -> T | None: ...
    @overload
    async def load(self, id_or_ids: Ids, object_type: None = None) -> dict[str, Any]: ...
    @overload
    async def load(self, id_or_ids: Ids, object_type: type[T]) -> dict[str, T | None]: ...

    async def load(self, id_or_ids: str | Ids, object_type: type[Any] | None = None) -> Any:
        """As `session.load`."""
        core, includes, kind = self._drive.core, self._builder.includes, object_type or object
        if isinstance(id_or_ids, list | tuple | set | frozenset):
            return await self._drive(core.load_many(tuple(id_or_ids), kind, includes))
        return await self._drive(core.load_one(id_or_ids, kind, includes))
