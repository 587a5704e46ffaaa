# Made from asynchronous/query.py by `python -m scripts.twins`: change that one.
"""Queries of a synchronous session: what was asked for, and the methods that ask for it."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Self, TypeVar

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
from quoth.synchronous.driving import Driver, Lazy

T = TypeVar("T")
P = TypeVar("P")


class Running(Carrying, Generic[T]):
    """The methods that ask for results. None of them changes the query: it may be asked again."""

    def __init__(self, drive: Driver, draft: QueryDraft, object_type: type[T]) -> None:
        self._drive = drive
        self._draft = draft
        self._object_type = object_type

    @property
    def query_class(self) -> type[T]:
        """What results are made into."""
        return self._object_type

    def __iter__(self) -> Iterator[T]:
        found = deque(self.to_list())
        while found:  # lets go of each as soon as it is handed over
            yield found.popleft()

    def to_list(self) -> list[T]:
        """All results, or one page of them after `take`.

        Raises WrongType if one does not fit the type, StaleResults as
        `wait_for_non_stale_results` says, IndexDoesNotExist.
        """
        return self._drive(running.results(self._core, self._draft, self._object_type))

    def first(self) -> T:
        """The first result. Raises NoResult if there is none."""
        return self._drive(running.first(self._core, self._draft, self._object_type))

    def first_or_none(self) -> T | None:
        """The first result, None if there is none."""
        return self._drive(running.first_or_none(self._core, self._draft, self._object_type))

    def single(self) -> T:
        """The only result. Raises NoResult if there is none, ManyResults if there are more."""
        return self._drive(running.single(self._core, self._draft, self._object_type))

    def single_or_none(self) -> T | None:
        """The only result, None if there is none. Raises ManyResults if there are more."""
        return self._drive(running.single_or_none(self._core, self._draft, self._object_type))

    def count(self) -> int:
        """How many results there are on all pages."""
        return self._drive(running.count(self._core, self._draft))

    def any(self) -> bool:
        """Whether there is a result."""
        return self._drive(running.is_there_any(self._core, self._draft))

    def get_query_result(self) -> QueryResult:
        """The whole answer of the server; no entity is made of it."""
        return self._drive(running.answer(self._core, self._draft))

    def lazily(self, on_eval: Callable[[list[T]], object] | None = None) -> Lazy[list[T]]:
        """All results, later: they travel together with whatever else the session reads lazily."""
        steps = running.results(self._core, self._draft.copy(), self._object_type)
        return self._drive.lazily(steps, on_eval)

    def count_lazily(self) -> Lazy[int]:
        """How many results there are, later."""
        return self._drive.lazily(running.count(self._core, self._draft.copy()))

    @property
    def _core(self) -> SessionCore:
        return self._drive.core


class DocumentQuery(Filtering, Shaping, Grouping, Running[T]):
    """A query of a collection or an index.

        query = session.query(object_type=Company).where_equals("city", "Rome").order_by("name")
        for company in query:
            print(company.name)

    Methods that say what is wanted change the query and return it; nothing is sent before results
    are asked for.
    """

    def select_fields(
        self,
        projection_class: type[P],
        *fields: str,
        projection_behavior: ProjectionBehavior = ProjectionBehavior.DEFAULT,
    ) -> "DocumentQuery[P]":
        """Results of another type, made of these fields; without any, of all that it has.

        `select_fields(str, "name")` gives the values of one field.
        """
        data = QueryData(fields or fields_of(projection_class))
        data.projection_behavior = projection_behavior
        return self.select_fields_query_data(projection_class, data)

    def select_fields_query_data(
        self, projection_class: type[P], query_data: QueryData
    ) -> "DocumentQuery[P]":
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
        return DocumentQuery(self._drive, draft, projection_class)

    def of_type(self, t_result_class: type[P]) -> "DocumentQuery[P]":
        """The same results, made into another type."""
        return DocumentQuery(self._drive, self._draft.copy(), t_result_class)

    def aggregate_by(
        self, builder_or_facet: FacetBase | Callable[[FacetBuilder], object]
    ) -> "AggregationDocumentQuery":
        """Count the results by the values, or the ranges, of a field."""
        return self._aggregated().and_aggregate_by(builder_or_facet)

    def aggregate_by_facets(self, facets: Sequence[FacetBase]) -> "AggregationDocumentQuery":
        """Count the results in several ways at once."""
        found = self._aggregated()
        for each in facets:
            found.and_aggregate_by(each)
        return found

    def aggregate_using(self, facet_setup_document_id: str) -> "AggregationDocumentQuery":
        """Count the results in the ways that a document of facets says."""
        if not facet_setup_document_id or facet_setup_document_id.isspace():
            raise Misuse("the id of the document with the facets must not be empty")
        found = self._aggregated()
        found._draft.selected.append(f"facet(id({quote(facet_setup_document_id)}))")
        return found

    def suggest_using(
        self, suggestion_or_builder: SuggestionBase | Callable[[SuggestionBuilder], object]
    ) -> "SuggestionDocumentQuery":
        """Words of an index that are like a word that was meant."""
        draft = self._draft
        if draft.where or draft.selected or draft.order_by:
            raise Misuse("suggestions are not asked for together with conditions, fields or order")
        found = SuggestionDocumentQuery(self._drive, draft.copy())
        return found.and_suggest_using(suggestion_or_builder)

    def _aggregated(self) -> "AggregationDocumentQuery":
        if self._draft.selected:
            raise Misuse("a query selects fields or counts by facets, not both")
        return AggregationDocumentQuery(self._drive, self._draft.copy())


class RawDocumentQuery(Running[T]):
    """A query in RQL, as it was written.

    session.advanced.raw_query("from Companies where city = $city", Company)
        .add_parameter("city", "Rome")
    """

    def projection(self, projection_behavior: ProjectionBehavior) -> Self:
        """Where selected fields are taken from."""
        self._draft.projection_behavior = projection_behavior
        return self

    def execute_aggregation(self) -> dict[str, FacetResult]:
        """The facets that the text selects, by their names."""
        return self._drive(running.facets(self._core, self._draft))


class AggregationDocumentQuery:
    """A query whose results are counted."""

    def __init__(self, drive: Driver, draft: QueryDraft) -> None:
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

    def execute(self) -> dict[str, FacetResult]:
        """The counts, by the names of the facets."""
        return self._drive(running.facets(self._drive.core, self._draft))

    def execute_lazy(
        self, on_eval: Callable[[dict[str, FacetResult]], object] | None = None
    ) -> Lazy[dict[str, FacetResult]]:
        """The counts, later."""
        return self._drive.lazily(running.facets(self._drive.core, self._draft.copy()), on_eval)


class SuggestionDocumentQuery:
    """A query for words that are like others."""

    def __init__(self, drive: Driver, draft: QueryDraft) -> None:
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

    def execute(self) -> dict[str, SuggestionResult]:
        """The words, by the names of the fields."""
        return self._drive(running.suggestions(self._drive.core, self._draft))

    def execute_lazy(
        self, on_eval: Callable[[dict[str, SuggestionResult]], object] | None = None
    ) -> Lazy[dict[str, SuggestionResult]]:
        """The words, later."""
        return self._drive.lazily(
            running.suggestions(self._drive.core, self._draft.copy()), on_eval
        )
