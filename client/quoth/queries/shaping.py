"""The methods of a query that say how results come: order, pages, company, and what is told."""

from collections.abc import Callable
from typing import Self

from quoth.errors import Misuse
from quoth.including import IncludeBuilder, includes_of
from quoth.queries.choices import NullsOrdering, OrderingType
from quoth.queries.draft import QueryDraft
from quoth.queries.fields import field_of, quote, written
from quoth.queries.highlighting import (
    ExplanationOptions,
    Explanations,
    HighlightingOptions,
    Highlightings,
)
from quoth.queries.spatial import DynamicSpatialField


class Shaping:
    """Everything about results but which ones. Each method changes the query and returns it."""

    _draft: QueryDraft

    # Order.

    def order_by(
        self,
        field: str,
        sorter_name_or_ordering_type: str | OrderingType = OrderingType.STRING,
        nulls: NullsOrdering = NullsOrdering.DEFAULT,
    ) -> Self:
        """Smaller values first; said again, it orders what was equal so far."""
        return self._order(field, sorter_name_or_ordering_type, nulls, is_descending=False)

    def order_by_descending(
        self,
        field: str,
        sorter_name_or_ordering_type: str | OrderingType = OrderingType.STRING,
        nulls: NullsOrdering = NullsOrdering.DEFAULT,
    ) -> Self:
        """Greater values first."""
        return self._order(field, sorter_name_or_ordering_type, nulls, is_descending=True)

    def add_order(
        self,
        field_name: str,
        descending: bool,
        ordering: OrderingType = OrderingType.STRING,
        nulls: NullsOrdering = NullsOrdering.DEFAULT,
    ) -> Self:
        """`order_by` or `order_by_descending`."""
        return self._order(field_name, ordering, nulls, is_descending=descending)

    def order_by_score(self) -> Self:
        """Results that fit best first."""
        self._draft.order_by.append("score()")
        return self

    def order_by_score_descending(self) -> Self:
        """Results that fit least first: the other way round than `order_by_score`."""
        self._draft.order_by.append("score() desc")
        return self

    def random_ordering(self, seed: str | None = None) -> Self:
        """Any order; the same one for the same seed."""
        self._draft.order_randomly(seed)
        return self

    def order_by_distance(
        self,
        field_or_field_name: str | DynamicSpatialField,
        latitude: float,
        longitude: float,
        round_factor: float = 0.0,
        nulls: NullsOrdering = NullsOrdering.DEFAULT,
    ) -> Self:
        """The nearest to a point first; distances that differ by less than the factor are alike."""
        field, factor = self._place(field_or_field_name, round_factor)
        return self._order_by_distance(field, factor, (latitude, longitude), nulls.value)

    def order_by_distance_descending(
        self,
        field_or_field_name: str | DynamicSpatialField,
        latitude: float,
        longitude: float,
        round_factor: float = 0.0,
        nulls: NullsOrdering = NullsOrdering.DEFAULT,
    ) -> Self:
        """The farthest from a point first."""
        field, factor = self._place(field_or_field_name, round_factor)
        return self._order_by_distance(field, factor, (latitude, longitude), " desc" + nulls.value)

    def order_by_distance_wkt(
        self,
        field_or_field_name: str | DynamicSpatialField,
        shape_wkt: str,
        nulls: NullsOrdering = NullsOrdering.DEFAULT,
    ) -> Self:
        """The nearest to a shape in well-known text first."""
        field, factor = self._place(field_or_field_name, 0)
        return self._order_by_distance(field, factor, (shape_wkt,), nulls.value)

    def order_by_distance_descending_wkt(
        self,
        field_or_field_name: str | DynamicSpatialField,
        shape_wkt: str,
        nulls: NullsOrdering = NullsOrdering.DEFAULT,
    ) -> Self:
        """The farthest from a shape in well-known text first."""
        field, factor = self._place(field_or_field_name, 0)
        return self._order_by_distance(field, factor, (shape_wkt,), " desc" + nulls.value)

    # What comes along.

    def distinct(self) -> Self:
        """Each result once."""
        if self._draft.is_distinct:
            raise Misuse("the query is distinct already")
        self._draft.is_distinct = True
        return self

    def include(
        self, path_or_include_builder_callback: str | Callable[[IncludeBuilder], object]
    ) -> Self:
        """Documents that the results name come along, and need no request later.

        query.include("boss")
        query.include(lambda also: also.include_compare_exchange_value("licence"))
        """
        also = includes_of(path_or_include_builder_callback)
        self._draft.includes |= dict.fromkeys(also.documents)
        self._draft.included_values |= dict.fromkeys(also.values)
        return self

    def highlight(
        self,
        field_name: str,
        fragment_length: int,
        fragment_count: int,
        highlightings_callback: Callable[[Highlightings], object],
        options: HighlightingOptions | None = None,
    ) -> Self:
        """Tell where in a text the words of a search were found.

        The callback is given Highlightings at once; they are filled in with the answer.
        """
        told = Highlightings(field_name)
        highlightings_callback(told)
        parameter = "" if options is None else f",{self._draft.parameters.add(options)}"
        field = written(field_of(field_name))
        self._draft.told.highlightings.append(told)
        self._draft.told.highlightings_texts.append(
            f"highlight({field},{fragment_length},{fragment_count}{parameter})"
        )
        return self

    def include_explanations(
        self,
        options: ExplanationOptions | None = None,
        explanations_callback: Callable[[Explanations], object] | None = None,
    ) -> Self:
        """Tell where the score of each result comes from.

        The callback is given Explanations at once; they are filled in with the answer.
        """
        told = self._draft.told
        if told.explanations is not None:
            raise Misuse("explanations are asked for already")
        parameter = "" if options is None else self._draft.parameters.add(options)
        told.explanations_text = f"explanations({parameter})"
        told.explanations = Explanations()
        if explanations_callback is not None:
            explanations_callback(told.explanations)
        return self

    # Within.

    def _order(
        self,
        field: str,
        sorter: str | OrderingType,
        nulls: NullsOrdering,
        *,
        is_descending: bool,
    ) -> Self:
        text = written(self._draft.field(field))
        if isinstance(sorter, OrderingType):
            text += sorter.value
        elif sorter and not sorter.isspace():
            text = f"custom({text}, {quote(sorter)})"
        else:
            raise Misuse("the name of a sorter must not be empty")
        self._draft.order_by.append(text + (" desc" if is_descending else "") + nulls.value)
        return self

    def _place(self, field: str | DynamicSpatialField, round_factor: float) -> tuple[str, float]:
        if isinstance(field, str):
            return self._draft.field(field), round_factor
        return self._draft.place(field, "order_by_distance()"), field.round_factor

    def _order_by_distance(
        self, field: str, factor: float, shape: tuple[object, ...], ending: str
    ) -> Self:
        add = self._draft.parameters.add
        rounded = f", {add(factor)}" if factor else ""
        method = "spatial.point" if len(shape) == 2 else "spatial.wkt"
        place = f"{method}({', '.join(add(each) for each in shape)})"
        self._draft.order_by.append(f"spatial.distance({field}, {place}{rounded}){ending}")
        return self
