"""AsyncSession: the asynchronous shell over the core. It carries commands and decides nothing."""

from types import TracebackType
from typing import Any, Self, TypeVar, overload

from quoth.asynchronous.advanced import AsyncAdvanced
from quoth.asynchronous.driving import AsyncDriver, AsyncExecute
from quoth.asynchronous.including import AsyncLoaderWithInclude
from quoth.asynchronous.querying import AsyncQuerying
from quoth.core import SessionCore
from quoth.including import Include, IncludeBuilder, includes_of

T = TypeVar("T")
Ids = list[str] | tuple[str, ...] | set[str] | frozenset[str]


class AsyncSession(AsyncQuerying, AsyncAdvanced):
    """A unit of work: entities by identity, and their changes saved together.

        async with store.open_session() as session:
            company = await session.load("companies/1-A", Company)
            company.name = "Quoth & Sons"
            await session.save_changes()

    Leaving the block saves nothing by itself. Tasks may load and store side by side in one
    session; while one saves, the others must leave it alone.
    """

    def __init__(self, core: SessionCore, execute: AsyncExecute) -> None:
        self._core = core
        self._drive = AsyncDriver(core, execute)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget everything, changes that were not saved among it; the session ends here."""
        self._core.close()

    @property
    def advanced(self) -> Self:
        """The session itself: here for programs that know RavenDB's clients."""
        return self

    @overload
    async def load(
        self, key_or_keys: str | None, object_type: None = None, includes: Include = None
    ) -> Any | None: ...
    @overload
    async def load(
        self, key_or_keys: str | None, object_type: type[T], includes: Include = None
    ) -> T | None: ...
    @overload
    async def load(
        self, key_or_keys: Ids, object_type: None = None, includes: Include = None
    ) -> dict[str, Any]: ...
    @overload
    async def load(
        self, key_or_keys: Ids, object_type: type[T], includes: Include = None
    ) -> dict[str, T | None]: ...

    async def load(
        self,
        key_or_keys: str | Ids | None,
        object_type: type[Any] | None = None,
        includes: Include = None,
    ) -> Any:
        """One entity by its id, None if there is none; or a dictionary of many by their ids.

        A second load of the same id gives the same entity without asking the server, and for None
        nobody is asked: `load(order.customer)` is None where there is no customer. `includes` names
        properties that hold ids, one, several, or by `lambda b: b.include_documents("boss")`; those
        documents come along and need no request later. Without `object_type` an entity is a
        dictionary, or of the class its document names if that was given to `conventions.register`.

        Raises WrongType if a document does not fit `object_type`.
        """
        if key_or_keys is None:
            return None
        wanted, kind = includes_of(includes), object_type or object
        if isinstance(key_or_keys, list | tuple | set | frozenset):
            return await self._drive(self._core.load_many(tuple(key_or_keys), kind, wanted))
        return await self._drive(self._core.load_one(key_or_keys, kind, wanted))

    def include(self, path: str) -> "AsyncLoaderWithInclude":
        """Begin a load with what shall come along: `session.include("boss").load(...)`."""
        return AsyncLoaderWithInclude(self._drive, IncludeBuilder().include_documents(path))

    async def store(
        self, entity: object, key: str | None = None, change_vector: str | None = None
    ) -> str:
        """Take a new entity in, to be written by `save_changes`; returns its id.

        Without an id one like `companies/1-A` is made. `companies|` takes the cluster's next
        identity and `companies/` a number of the server's, both known after saving.
        `change_vector=""` demands that there is no such document yet.
        """
        return await self._drive(self._core.store(entity, key, change_vector))

    def delete(self, key_or_entity: object, expected_change_vector: str | None = None) -> None:
        """Delete an entity of this session, or a document by its id, with `save_changes`."""
        self._core.delete(key_or_entity, expected_change_vector)

    async def save_changes(self) -> None:
        """Write all changes, or none of them.

        Raises ConcurrencyError if another was first, FateUnknown if nobody can tell whether it
        was done, ReplicationTimeout if it was done but not seen elsewhere in time.
        """
        await self._drive(self._core.save_changes(self))
