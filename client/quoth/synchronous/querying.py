# Made from asynchronous/querying.py by `python -m scripts.twins`: change that one.
"""Querying: the methods of a session that begin a query."""

from typing import Any, TypeVar, overload

from quoth.core import SessionCore
from quoth.entities.kinds import check_type
from quoth.errors import Misuse
from quoth.operations.checks import check_text
from quoth.queries.draft import QueryDraft
from quoth.queries.sources import IndexTask, Query, draft_of
from quoth.synchronous.driving import Driver
from quoth.synchronous.query import DocumentQuery, RawDocumentQuery
from quoth.synchronous.streaming import Streaming

T = TypeVar("T")


class Querying(Streaming):
    """Queries of a session. Results are entities of it, like those that it loads.

    Without an `object_type` results are dictionaries, of any collection.
    """

    _core: SessionCore
    _drive: Driver

    @overload
    def query(self, source: Query | None = None) -> DocumentQuery[Any]: ...
    @overload
    def query(self, source: Query | None = None, *, object_type: type[T]) -> DocumentQuery[T]: ...
    @overload
    def query(self, source: Query | None, object_type: type[T]) -> DocumentQuery[T]: ...

    def query(
        self, source: Query | None = None, object_type: type[Any] | None = None
    ) -> DocumentQuery[Any]:
        """A query of the collection of a class, or of a source.

        for company in session.query(object_type=Company).where_equals("city", "Rome"):
            print(company.name)
        """
        if source is None:
            return self._query(object_type)
        if not isinstance(source, Query):
            how = "query(object_type=Company) or query(Query.from_index_name(...))"
            raise Misuse(f"a query is of a class or of a source: {how}, not {source!r:.80}")
        if source.index_type is not None:
            return self._query_of_task(source.index_type, object_type)
        return self._query(object_type, source.index_name, source.collection)

    @overload
    def query_collection(self, collection_name: str) -> DocumentQuery[Any]: ...
    @overload
    def query_collection(self, collection_name: str, object_type: type[T]) -> DocumentQuery[T]: ...

    def query_collection(
        self, collection_name: str, object_type: type[Any] | None = None
    ) -> DocumentQuery[Any]:
        """A query of a collection by its name."""
        return self._query(object_type, None, collection_name)

    @overload
    def query_index(self, index_name: str) -> DocumentQuery[Any]: ...
    @overload
    def query_index(self, index_name: str, object_type: type[T]) -> DocumentQuery[T]: ...

    def query_index(
        self, index_name: str, object_type: type[Any] | None = None
    ) -> DocumentQuery[Any]:
        """A query of an index by its name."""
        return self._query(object_type, index_name, None)

    @overload
    def query_index_type(self, index_type: type[IndexTask]) -> DocumentQuery[Any]: ...
    @overload
    def query_index_type(
        self, index_type: type[IndexTask], object_type: type[T]
    ) -> DocumentQuery[T]: ...

    def query_index_type(
        self, index_type: type[IndexTask], object_type: type[Any] | None = None
    ) -> DocumentQuery[Any]:
        """A query of the index that a class defines."""
        return self._query_of_task(index_type, object_type)

    @overload
    def document_query(
        self,
        index_name: str | None = None,
        collection_name: str | None = None,
        *,
        is_map_reduce: bool = False,
    ) -> DocumentQuery[Any]: ...
    @overload
    def document_query(
        self,
        index_name: str | None = None,
        collection_name: str | None = None,
        *,
        object_type: type[T],
        is_map_reduce: bool = False,
    ) -> DocumentQuery[T]: ...
    @overload
    def document_query(
        self,
        index_name: str | None,
        collection_name: str | None,
        object_type: type[T],
        is_map_reduce: bool = False,
    ) -> DocumentQuery[T]: ...

    def document_query(
        self,
        index_name: str | None = None,
        collection_name: str | None = None,
        object_type: type[Any] | None = None,
        is_map_reduce: bool = False,
    ) -> DocumentQuery[Any]:
        """A query of an index or a collection; without both of the collection of the class.

        Results of an index with `is_map_reduce` are groups, which have no id.
        """
        return self._query(object_type, index_name, collection_name, is_map_reduce=is_map_reduce)

    def document_query_from_index_type(
        self, index_type: type[IndexTask], object_type: type[T]
    ) -> DocumentQuery[T]:
        """A query of the index that a class defines."""
        return self._query_of_task(index_type, object_type)

    @overload
    def raw_query(self, query: str) -> RawDocumentQuery[Any]: ...
    @overload
    def raw_query(self, query: str, object_type: type[T]) -> RawDocumentQuery[T]: ...

    def raw_query(self, query: str, object_type: type[Any] | None = None) -> RawDocumentQuery[Any]:
        """A query in RQL. Give values by `add_parameter`, never by writing them into the text."""
        check_text(query, "a raw query")
        identity = self._core.conventions.get_identity_property_name(object_type or object)
        draft = QueryDraft(session=self, identity_property=identity or "", raw=query)
        return RawDocumentQuery(self._drive, draft, object_type or object)

    def _query(
        self,
        object_type: type[Any] | None,
        index_name: str | None = None,
        collection_name: str | None = None,
        *,
        is_map_reduce: bool = False,
    ) -> DocumentQuery[Any]:
        made_of = object if object_type is None else object_type
        check_type(made_of)
        draft = draft_of(
            self._core.conventions,
            made_of,
            index_name=index_name,
            collection_name=collection_name,
            is_map_reduce=is_map_reduce,
        )
        draft.session = self
        return DocumentQuery(self._drive, draft, made_of)

    def _query_of_task(
        self, index_type: type[IndexTask], object_type: type[Any] | None
    ) -> DocumentQuery[Any]:
        if not isinstance(index_type, type):
            raise Misuse(f"index_type is a class that defines an index, not {index_type!r:.80}")
        task = index_type()
        return self._query(object_type, task.index_name, is_map_reduce=task.is_map_reduce)
