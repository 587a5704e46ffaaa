# Made from asynchronous/including.py by `python -m scripts.twins`: change that one.
"""LoaderWithInclude: a load that says first what shall come along."""

from typing import Any, Self, TypeVar, overload

from quoth.including import IncludeBuilder
from quoth.synchronous.driving import Driver

T = TypeVar("T")
Ids = list[str] | tuple[str, ...] | set[str] | frozenset[str]


class LoaderWithInclude:
    """`session.include("customer").include("lines[].product").load("orders/1", Order)`"""

    def __init__(self, drive: Driver, builder: IncludeBuilder) -> None:
        self._drive = drive
        self._builder = builder

    def include(self, path: str) -> Self:
        """The documents whose ids this property holds come along too."""
        self._builder.include_documents(path)
        return self

    @overload
    def load(self, id_or_ids: str, object_type: None = None) -> Any | None: ...
    @overload
    def load(self, id_or_ids: str, object_type: type[T]) -> T | None: ...
    @overload
    def load(self, id_or_ids: Ids, object_type: None = None) -> dict[str, Any]: ...
    @overload
    def load(self, id_or_ids: Ids, object_type: type[T]) -> dict[str, T | None]: ...

    def load(self, id_or_ids: str | Ids, object_type: type[Any] | None = None) -> Any:
        """As `session.load`."""
        core, includes, kind = self._drive.core, self._builder.includes, object_type or object
        if isinstance(id_or_ids, list | tuple | set | frozenset):
            return self._drive(core.load_many(tuple(id_or_ids), kind, includes))
        return self._drive(core.load_one(id_or_ids, kind, includes))
