"""Reads that wait until one of them is needed, and then travel together."""

from collections.abc import Callable
from typing import Any, Self, TypeVar, overload

from quoth.asynchronous.driving import AsyncDriver, AsyncLazy
from quoth.compare_exchange import CompareExchangeValue
from quoth.including import IncludeBuilder
from quoth.loading import ConditionalLoadResult
from quoth.reads import GetDocumentsStartingWith
from quoth.type_variables import E

T = TypeVar("T")
Ids = list[str] | tuple[str, ...] | set[str] | frozenset[str]
OnEval = Callable[[Any], object]


class AsyncLazily:
    """What `session.load` and its kin do, later.

    `on_eval` is called with what was read, as soon as it is there.
    """

    def __init__(self, drive: AsyncDriver, builder: IncludeBuilder | None = None) -> None:
        self._drive = drive
        self._builder = builder or IncludeBuilder()

    def include(self, path: str) -> Self:
        """The documents whose ids this property holds come along with the next load."""
        builder = IncludeBuilder()
        for each in (*self._builder.includes.documents, path):
            builder.include_documents(each)
        return type(self)(self._drive, builder)

    @overload
    def load(
        self, ids: str, object_type: None = None, on_eval: OnEval | None = None
    ) -> AsyncLazy[Any | None]: ...
    @overload
    def load(
        self, ids: str, object_type: type[T], on_eval: OnEval | None = None
    ) -> AsyncLazy[T | None]: ...
    @overload
    def load(
        self, ids: Ids, object_type: None = None, on_eval: OnEval | None = None
    ) -> AsyncLazy[dict[str, Any]]: ...
    @overload
    def load(
        self, ids: Ids, object_type: type[T], on_eval: OnEval | None = None
    ) -> AsyncLazy[dict[str, T | None]]: ...

    def load(
        self,
        ids: str | Ids,
        object_type: type[Any] | None = None,
        on_eval: OnEval | None = None,
    ) -> AsyncLazy[Any]:
        """One entity by its id, or a dictionary of many by their ids; see `session.load`."""
        core, includes, kind = self._drive.core, self._builder.includes, object_type or object
        if isinstance(ids, list | tuple | set | frozenset):
            many = core.load_many(tuple(ids), kind, includes)
            return self._drive.lazily(many, on_eval)
        return self._drive.lazily(core.load_one(ids, kind, includes), on_eval)

    def load_starting_with(
        self,
        id_prefix: str,
        object_type: type[E] | None = None,
        matches: str | None = None,
        start: int = 0,
        page_size: int = 25,
        exclude: str | None = None,
        start_after: str | None = None,
    ) -> AsyncLazy[list[E]]:
        """Entities whose ids begin so; see `session.advanced.load_starting_with`."""
        kind: Any = object_type or object
        wanted = GetDocumentsStartingWith(
            id_prefix, matches, exclude, start, page_size, start_after
        )
        return self._drive.lazily(self._drive.core.load_starting_with(wanted, kind))

    def conditional_load(
        self,
        key: str,
        change_vector: str,
        object_type: type[E] | None = None,
    ) -> AsyncLazy[ConditionalLoadResult[E]]:
        """An entity, unless its document still has this change vector."""
        kind: Any = object_type or object
        steps = self._drive.core.conditional_load(key, change_vector, kind)
        return self._drive.lazily(steps)


class AsyncEagerly:
    """Reads all that waits, now."""

    def __init__(self, drive: AsyncDriver) -> None:
        self._drive = drive

    async def execute_all_pending_lazy_operations(self) -> None:
        """One request for everything that was asked for lazily."""
        await self._drive.run_lazies()


class AsyncLazyClusterTransaction:
    """Compare-exchange values, read later."""

    def __init__(self, drive: AsyncDriver) -> None:
        self._drive = drive

    def get_compare_exchange_value(
        self,
        key: str,
        object_type: type[E] | None = None,
        on_eval: OnEval | None = None,
    ) -> AsyncLazy[CompareExchangeValue[E] | None]:
        """The value of a key, None if it has none."""
        return self._drive.lazily(self._drive.core.get_value(key, object_type), on_eval)

    def get_compare_exchange_values(
        self,
        keys: list[str] | tuple[str, ...],
        object_type: type[E] | None = None,
        on_eval: OnEval | None = None,
    ) -> AsyncLazy[dict[str, CompareExchangeValue[E] | None]]:
        """The values of keys, None where a key has none."""
        return self._drive.lazily(self._drive.core.get_values(keys, object_type), on_eval)
