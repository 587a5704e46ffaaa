"""Queries of an asynchronous session: what was asked for, and the methods that ask for it."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Generic, Self, TypeVar

from quoth.asynchronous.driving import AsyncDriver, AsyncLazy
from quoth.core import SessionCore
from quoth.errors import Misuse
from quoth.queries import running
from quoth.queries.carrying import Carrying
from quoth.queries.choices import ProjectionBehavior
from quoth.queries.draft import QueryDraft
from quoth.queries.facets import FacetBase, FacetBuilder, FacetResult
from quoth.queries.fields import quote
from quoth.queries.filtering import Filtering
from quoth.queries.groups import Grouping
from quoth.queries.index_query import QueryResult
from quoth.queries.projections import FieldsToFetch, QueryData, fields_of
from quoth.queries.shaping import Shaping
from quoth.queries.suggestions import SuggestionBase, SuggestionBuilder, SuggestionResult

T = TypeVar("T")
P = TypeVar("P")


class AsyncRunning(Carrying, Generic[T]):
    """The methods that ask for results. None of them changes the query: it may be asked again."""

    def __init__(self, drive: AsyncDriver, draft: QueryDraft, object_type: type[T]) -> None:
        self._drive = drive
        self._draft = draft
        self._object_type = object_type

    @property
    def query_class(self) -> type[T]:
        """What results are made into."""
        return self._object_type

    async def __aiter__(self) -> AsyncIterator[T]:
        found = deque(await self.to_list())
        while found:  # lets go of each as soon as it is handed over
            yield found.popleft()

    async def to_list(self) -> list[T]:
        """All results, or one page of them after `take`.

        Raises WrongType if one does not fit the type, StaleResults as
        `wait_for_non_stale_results` says, IndexDoesNotExist.
        """
        return await self._drive(running.results(self._core, self._draft, self._object_type))

    async def first(self) -> T:
        """The first result. Raises NoResult if there is none."""
        return await self._drive(running.first(self._core, self._draft, self._object_type))

    async def first_or_none(self) -> T | None:
        """The first result, None if there is none."""
        return await self._drive(running.first_or_none(self._core, self._draft, self._object_type))

    async def single(self) -> T:
        """The only result. Raises NoResult if there is none, ManyResults if there are more."""
        return await self._drive(running.single(self._core, self._draft, self._object_type))

    async def single_or_none(self) -> T | None:
        """The only result, None if there is none. Raises ManyResults if there are more."""
        return await self._drive(running.single_or_none(self._core, self._draft, self._object_type))

    async def count(self) -> int:
        """How many results there are on all pages."""
        return await self._drive(running.count(self._core, self._draft))

    async def any(self) -> bool:
        """Whether there is a result."""
        return await self._drive(running.is_there_any(self._core, self._draft))

    async def get_query_result(self) -> QueryResult:
        """The whole answer of the server; no entity is made of it."""
        return await self._drive(running.answer(self._core, self._draft))

    def lazily(self, on_eval: Callable[[list[T]], object] | None = None) -> AsyncLazy[list[T]]:
        """All results, later: they travel together with whatever else the session reads lazily."""
        steps = running.results(self._core, self._draft.copy(), self._object_type)
        return self._drive.lazily(steps, on_eval)

    def count_lazily(self) -> AsyncLazy[int]:
        """How many results there are, later."""
        return self._drive.lazily(running.count(self._core, self._draft.copy()))

    @property
    def _core(self) -> SessionCore:
        return self._drive.core


class AsyncDocumentQuery(Filtering, Shaping, Grouping, AsyncRunning[T]):
    """A query of a collection or an index.

        query = session.query(object_type=Company).where_equals("city", "Rome").order_by("name")
        async for company in query:
            print(company.name)

    Methods that say what is wanted change the query and return it; nothing is sent before results
    are asked for.
    """

    def select_fields(
        self,
        projection_class: type[P],
        *fields: str,
        projection_behavior: ProjectionBehavior = ProjectionBehavior.DEFAULT,
    ) -> "AsyncDocumentQuery[P]":
        """Results of another type, made of these fields; without any, of all that it has.

        `select_fields(str, "name")` gives the values of one field.
        """
        data = QueryData(fields or fields_of(projection_class))
        data.projection_behavior = projection_behavior
        return self.select_fields_query_data(projection_class, data)

    def select_fields_query_data(
        self, projection_class: type[P], query_data: QueryData
    ) -> "AsyncDocumentQuery[P]":
        """Results of another type, made of fields under other names, or by a function."""
        draft = self._draft.copy()
        identity = None if draft.is_grouped else draft.identity_property
        selected = FieldsToFetch.of(query_data, identity_property=identity)
        kept = [each for each in draft.selected if not isinstance(each, FieldsToFetch)]
        draft.selected = [*kept, selected]
        draft.from_alias = query_data.from_alias
        draft.declared = tuple(query_data.declare_tokens or ())
        draft.loaded = tuple(query_data.load_tokens or ())
        draft.projection_behavior = query_data.projection_behavior or draft.projection_behavior
        return AsyncDocumentQuery(self._drive, draft, projection_class)

    def of_type(self, t_result_class: type[P]) -> "AsyncDocumentQuery[P]":
        """The same results, made into another type."""
        return AsyncDocumentQuery(self._drive, self._draft.copy(), t_result_class)

    def aggregate_by(
        self, builder_or_facet: FacetBase | Callable[[FacetBuilder], object]
    ) -> "AsyncAggregationDocumentQuery":
        """Count the results by the values, or the ranges, of a field."""
        return self._aggregated().and_aggregate_by(builder_or_facet)

    def aggregate_by_facets(self, facets: Sequence[FacetBase]) -> "AsyncAggregationDocumentQuery":
        """Count the results in several ways at once."""
        found = self._aggregated()
        for each in facets:
            found.and_aggregate_by(each)
        return found

    def aggregate_using(self, facet_setup_document_id: str) -> "AsyncAggregationDocumentQuery":
        """Count the results in the ways that a document of facets says."""
        if not facet_setup_document_id or facet_setup_document_id.isspace():
            raise Misuse("the id of the document with the facets must not be empty")
        found = self._aggregated()
        found._draft.selected.append(f"facet(id({quote(facet_setup_document_id)}))")
        return found

    def suggest_using(
        self, suggestion_or_builder: SuggestionBase | Callable[[SuggestionBuilder], object]
    ) -> "AsyncSuggestionDocumentQuery":
        """Words of an index that are like a word that was meant."""
        draft = self._draft
        if draft.where or draft.selected or draft.order_by:
            raise Misuse("suggestions are not asked for together with conditions, fields or order")
        found = AsyncSuggestionDocumentQuery(self._drive, draft.copy())
        return found.and_suggest_using(suggestion_or_builder)

    def _aggregated(self) -> "AsyncAggregationDocumentQuery":
        if self._draft.selected:
            raise Misuse("a query selects fields or counts by facets, not both")
        return AsyncAggregationDocumentQuery(self._drive, self._draft.copy())


class AsyncRawDocumentQuery(AsyncRunning[T]):
    """A query in RQL, as it was written.

    session.advanced.raw_query("from Companies where city = $city", Company)
        .add_parameter("city", "Rome")
    """

    def projection(self, projection_behavior: ProjectionBehavior) -> Self:
        """Where selected fields are taken from."""
        self._draft.projection_behavior = projection_behavior
        return self

    async def execute_aggregation(self) -> dict[str, FacetResult]:
        """The facets that the text selects, by their names."""
        return await self._drive(running.facets(self._core, self._draft))


class AsyncAggregationDocumentQuery:
    """A query whose results are counted."""

    def __init__(self, drive: AsyncDriver, draft: QueryDraft) -> None:
        self._drive = drive
        self._draft = draft

    def __str__(self) -> str:
        return str(self._draft.index_query())

    def and_aggregate_by(
        self, builder_or_facet: FacetBase | Callable[[FacetBuilder], object]
    ) -> Self:
        """Count by one more field."""
        facet = builder_or_facet
        if not isinstance(facet, FacetBase):
            builder = FacetBuilder()
            facet(builder)
            facet = builder.facet
        self._draft.selected.append(facet.text(self._draft.parameters.add))
        return self

    async def execute(self) -> dict[str, FacetResult]:
        """The counts, by the names of the facets."""
        return await self._drive(running.facets(self._drive.core, self._draft))

    def execute_lazy(
        self, on_eval: Callable[[dict[str, FacetResult]], object] | None = None
    ) -> AsyncLazy[dict[str, FacetResult]]:
        """The counts, later."""
        return self._drive.lazily(running.facets(self._drive.core, self._draft.copy()), on_eval)


class AsyncSuggestionDocumentQuery:
    """A query for words that are like others."""

    def __init__(self, drive: AsyncDriver, draft: QueryDraft) -> None:
        self._drive = drive
        self._draft = draft
        self._fields: set[str] = set()

    def __str__(self) -> str:
        return str(self._draft.index_query())

    def and_suggest_using(
        self, suggestion_or_builder: SuggestionBase | Callable[[SuggestionBuilder], object]
    ) -> Self:
        """Words of one more field."""
        suggestion = suggestion_or_builder
        if not isinstance(suggestion, SuggestionBase):
            builder = SuggestionBuilder()
            suggestion(builder)
            suggestion = builder.suggestion
        if suggestion.field in self._fields:
            raise Misuse(f"words of {suggestion.field!r} are asked for already")
        self._fields.add(suggestion.field)
        self._draft.selected.append(suggestion.text(self._draft.parameters.add))
        return self

    async def execute(self) -> dict[str, SuggestionResult]:
        """The words, by the names of the fields."""
        return await self._drive(running.suggestions(self._drive.core, self._draft))

    def execute_lazy(
        self, on_eval: Callable[[dict[str, SuggestionResult]], object] | None = None
    ) -> AsyncLazy[dict[str, SuggestionResult]]:
        """The words, later."""
        return self._drive.lazily(
            running.suggestions(self._drive.core, self._draft.copy()), on_eval
        )
