"""QueryDraft: all that was asked for so far, and how it is written as RQL.

Writing changes nothing: the same draft may be asked for its results, then for their count.
"""

from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from quoth.errors import Misuse
from quoth.queries.choices import ProjectionBehavior
from quoth.queries.conditions import Conditions
from quoth.queries.fields import DOCUMENT_ID, field_of, include_of, quote
from quoth.queries.highlighting import Explanations, Highlightings
from quoth.queries.index_query import IndexQuery, QueryResult, QueryStatistics, QueryTimings
from quoth.queries.parameters import Parameters
from quoth.queries.projections import DeclareToken, FieldsToFetch, LoadToken
from quoth.queries.spatial import DynamicSpatialField
from quoth.serialization import JsonObject

NON_STALE_TIMEOUT = timedelta(seconds=15)


@dataclass(slots=True)
class Told:
    """What is to be told beside the results, and who wants to know."""

    statistics: QueryStatistics = field(default_factory=QueryStatistics)
    timings: QueryTimings | None = None
    explanations: Explanations | None = None
    explanations_text: str = ""
    highlightings: list[Highlightings] = field(default_factory=list)
    highlightings_texts: list[str] = field(default_factory=list)
    before: list[Callable[[IndexQuery], object]] = field(default_factory=list)
    after: list[Callable[[QueryResult], object]] = field(default_factory=list)
    after_streamed: list[Callable[[JsonObject], object]] = field(default_factory=list)

    def copy(self) -> "Told":
        """One that more can be asked of alone; who has asked so far is told by both."""
        made = copy(self)
        made.highlightings = list(self.highlightings)
        made.highlightings_texts = list(self.highlightings_texts)
        made.before, made.after = list(self.before), list(self.after)
        made.after_streamed = list(self.after_streamed)
        return made

    def update(self, result: QueryResult) -> None:
        """An answer came."""
        self.statistics.update(result)
        for each in self.highlightings:
            each.update(result)
        if self.explanations is not None:
            self.explanations.update(result)
        if self.timings is not None and result.timings is not None:
            self.timings.duration_in_ms = result.timings.duration_in_ms
            self.timings.timings = result.timings.timings
        for after in self.after:
            after(result)


@dataclass(slots=True, kw_only=True)
class QueryDraft:
    """A query on its way. Either `raw` is its text, or the rest makes one.

    identity_property: the field that stands for the id of a document.
    is_grouped: results are groups, which have no id.
    session: what handlers of events are told.
    """

    session: Any = None
    identity_property: str
    index_name: str | None = None
    collection_name: str | None = None
    is_grouped: bool = False
    raw: str | None = None
    from_alias: str | None = None
    declared: tuple[DeclareToken, ...] = ()
    loaded: tuple[LoadToken, ...] = ()
    parameters: Parameters = field(default_factory=Parameters)
    where: Conditions = field(default_factory=Conditions)
    group_by: list[str] = field(default_factory=list)
    order_by: list[str] = field(default_factory=list)
    selected: list[str | FieldsToFetch] = field(default_factory=list)
    is_distinct: bool = False
    includes: dict[str, None] = field(default_factory=dict)
    included_values: dict[str, None] = field(default_factory=dict)
    start: int | None = None
    page_size: int | None = None
    wait_timeout: timedelta | None = None
    is_untracked: bool = False
    disable_caching: bool = False
    tag: str | None = None
    projection_behavior: ProjectionBehavior | None = None
    told: Told = field(default_factory=Told)

    def copy(self) -> "QueryDraft":
        """One that can be changed alone."""
        made = copy(self)
        made.parameters, made.where = self.parameters.copy(), self.where.copy()
        made.group_by, made.order_by = list(self.group_by), list(self.order_by)
        made.selected, made.told = list(self.selected), self.told.copy()
        made.includes, made.included_values = dict(self.includes), dict(self.included_values)
        return made

    def page(self, *, start: int | None = None, page_size: int | None = None) -> "QueryDraft":
        """The same query for another page of results."""
        made = self.copy()
        made.start = self.start if start is None else start
        made.page_size = self.page_size if page_size is None else page_size
        return made

    def field(self, name: str) -> str:
        """A field as RQL has it; the identity property is the id of the document."""
        if not isinstance(name, str) or not name:
            raise Misuse(f"a field is named by a string like 'address.city', not {name!r:.80}")
        if name == self.identity_property and not self.is_grouped:
            return DOCUMENT_ID
        return field_of(name)

    def place(self, field: DynamicSpatialField, what: str) -> str:
        """A place made of fields. Raises Misuse for an index, which has places of its own."""
        if self.index_name is not None:
            raise Misuse(
                f"{what} of an index takes the name of a field that the index made, not a"
                f" {type(field).__name__}"
            )
        return field.to_field(self.field)

    def order_randomly(self, seed: str | None) -> None:
        if self.raw is not None:
            raise Misuse("a raw query says in its text how its results are ordered")
        self.disable_caching = True
        self.order_by.append(f"random({quote(seed)})" if seed else "random()")

    def index_query(self) -> IndexQuery:
        """The finished query. Raises Misuse if something was begun and not ended."""
        parameters = self.parameters.copy()
        text = self._text(parameters) if self.raw is None else self.raw
        return IndexQuery(
            text,
            parameters.as_json(),
            self.start,
            self.page_size,
            self.wait_timeout is not None,
            self.wait_timeout,
            self.disable_caching,
            self.projection_behavior,
            self.tag,
        )

    def _text(self, parameters: Parameters) -> str:
        self.where.check_complete()
        return "".join(
            (
                *map(str, self.declared),
                self._from(),
                _clause(" group by ", ", ", self.group_by),
                f" where {self.where}" if self.where else "",
                _clause(" order by ", ", ", self.order_by),
                _clause(" load ", ", ", map(str, self.loaded)),
                self._select(),
                _clause(" include ", ",", self._included()),
                self._limit(parameters),
            )
        )

    def _from(self) -> str:
        if self.collection_name is not None:
            source = quote(self.collection_name)
        else:
            assert self.index_name is not None, "a query is of a collection or of an index"
            source = f"index {quote(self.index_name)}"
        return f"from {source}" + (f" as {self.from_alias}" if self.from_alias else "")

    def _select(self) -> str:
        distinct = "distinct " if self.is_distinct else ""
        if not self.selected:
            return f" select {distinct}*" if distinct else ""
        return f" select {distinct}" + ", ".join(map(str, self.selected))

    def _included(self) -> list[str]:
        told = self.told
        found = [include_of(path) for path in self.includes]
        found += (f"cmpxchg({quote(path)})" for path in self.included_values)
        found += told.highlightings_texts
        if told.explanations is not None:
            found.append(told.explanations_text)
        if told.timings is not None:
            found.append("timings()")
        return found

    def _limit(self, parameters: Parameters) -> str:
        if not self.start and self.page_size is None:
            return ""
        start = parameters.add(self.start or 0)
        return f" limit {start}, {parameters.add(self.page_size)}"


def _clause(keyword: str, between: str, parts: Iterable[str]) -> str:
    text = between.join(parts)
    return keyword + text if text else ""
