"""The methods of a query that say which results are wanted."""

from collections.abc import Callable, Collection
from math import inf
from typing import Any, Self, cast

from quoth.errors import Misuse
from quoth.operations.checks import check_number
from quoth.queries.choices import QueryOperator, SearchOperator, SpatialRelation, SpatialUnits
from quoth.queries.conditions import Close, Condition, Conditions
from quoth.queries.draft import QueryDraft
from quoth.queries.fields import written
from quoth.queries.methods import MethodCall
from quoth.queries.more_like_this import MoreLikeThisBase, MoreLikeThisBuilder
from quoth.queries.parameters import is_collection, limit, several
from quoth.queries.spatial import (
    DISTANCE_ERROR_PCT,
    DynamicSpatialField,
    SpatialCriteria,
    SpatialCriteriaFactory,
)

_FACTORY = SpatialCriteriaFactory()


class Filtering:
    """Conditions, one after the other. Each method changes the query and returns it.

    Between two conditions with nothing said stands `and`, which binds closer than `or`.
    """

    _draft: QueryDraft

    # Comparing.

    def where(self, exact: bool = False, **kwargs: object) -> Self:
        """Any of these fields is equal to its value, or to one of a collection of values.

        query.where(name="Ann", city=["Rome", "Oslo"])
        """
        for place, (field_name, value) in enumerate(kwargs.items()):
            if place:
                self.or_else()
            if is_collection(value):
                self.where_in(field_name, cast(Collection[object], value), exact)
            else:
                self.where_equals(field_name, value, exact)
        return self

    def where_equals(
        self, field_name: str, value_or_method: object, exact: bool | None = None
    ) -> Self:
        """A field has this value. Strings are alike whatever their case, unless `exact`.

        A Decimal is equal to those that are written as it is: 10 is not 10.00.
        """
        return self._equality(field_name, value_or_method, exact, is_equal=True)

    def where_not_equals(
        self, field_name: str, value_or_method: object, exact: bool | None = None
    ) -> Self:
        """A field has another value than this."""
        return self._equality(field_name, value_or_method, exact, is_equal=False)

    def where_not_none(self, field_name: str) -> Self:
        """A field has a value other than null."""
        return self.where_not_equals(field_name, None)

    def where_in(self, field_name: str, values: Collection[Any], exact: bool | None = None) -> Self:
        """A field has one of these values."""
        field = self._draft.field(field_name)
        text = f"{written(field)} in ({self._parameter(several(values, 'where_in()'))})"
        return self._add(Condition(text, exact=bool(exact)), field)

    def contains_any(self, field_name: str, values: Collection[Any]) -> Self:
        """A list has at least one of these items."""
        return self.where_in(field_name, several(values, "contains_any()"))

    def contains_all(self, field_name: str, values: Collection[Any]) -> Self:
        """A list has all of these items."""
        found, field = several(values, "contains_all()"), self._draft.field(field_name)
        if not found:
            self._draft.where.add_true(field)
            return self
        return self._add(Condition(f"{written(field)} all in ({self._parameter(found)})"), field)

    def where_between(
        self, field_name: str, start: object, end: object, exact: bool | None = False
    ) -> Self:
        """A field has a value from `start` to `end`, both included; None: no limit there.

        What is stored as text is compared as text, here and in the conditions below: times and
        dates of one form are in order (all with a time zone, or all without), a timedelta only
        among those of less than a day, a Decimal never, so that it raises Misuse.
        """
        field = self._draft.field(field_name)
        low = self._parameter("*" if start is None else limit(start))
        high = self._parameter("NULL" if end is None else limit(end))
        text = f"{written(field)} between {low} and {high}"
        return self._add(Condition(text, exact=bool(exact)), field)

    def where_greater_than(
        self, field_name: str, value: object, exact: bool | None = False
    ) -> Self:
        """A field has a greater value than this."""
        return self._comparison(field_name, ">", value, exact, none="*")

    def where_greater_than_or_equal(
        self, field_name: str, value: object, exact: bool | None = False
    ) -> Self:
        """A field has this value or a greater one."""
        return self._comparison(field_name, ">=", value, exact, none="*")

    def where_less_than(self, field_name: str, value: object, exact: bool | None = False) -> Self:
        """A field has a smaller value than this."""
        return self._comparison(field_name, "<", value, exact, none="NULL")

    def where_less_than_or_equal(
        self, field_name: str, value: object, exact: bool | None = False
    ) -> Self:
        """A field has this value or a smaller one."""
        return self._comparison(field_name, "<=", value, exact, none="NULL")

    def where_exists(self, field_name: str) -> Self:
        """Documents have this field, be it null."""
        return self._add(Condition(f"exists({written(self._draft.field(field_name))})"), None)

    # Text.

    def where_starts_with(self, field_name: str, value: str, exact: bool | None = None) -> Self:
        """A field begins with this."""
        return self._method("startsWith", field_name, value, exact)

    def where_ends_with(self, field_name: str, value: str, exact: bool | None = None) -> Self:
        """A field ends with this."""
        return self._method("endsWith", field_name, value, exact)

    def where_regex(self, field_name: str, pattern: str) -> Self:
        """A regular expression is found in a field."""
        return self._method("regex", field_name, pattern, None)

    def where_lucene(self, field_name: str, where_clause: str, exact: bool = False) -> Self:
        """A field fits a clause in the language of Lucene: `"ann* OR bo"`."""
        return self._method("lucene", field_name, where_clause, exact)

    def search(
        self, field_name: str, search_terms: str, operator: SearchOperator | None = None
    ) -> Self:
        """Words are found in a text: any of them, or all with `SearchOperator.AND`.

        With an operator given, the next condition is joined by `or` if nothing is said.
        """
        field = self._draft.field(field_name)
        every = ", and" if operator is SearchOperator.AND else ""
        text = f"search({written(field)}, {self._parameter(search_terms)}{every})"
        condition = Condition(text, is_search=True, joins_by_or=operator is not None)
        return self._add(condition, field)

    # Joining.

    def and_also(self, wrap_previous_query_clauses: bool = False) -> Self:
        """Both what was said and what comes; all that was said in brackets, if asked for."""
        self._draft.where.and_also(wrap=wrap_previous_query_clauses)
        return self

    def or_else(self) -> Self:
        """What was said or what comes."""
        self._draft.where.or_else()
        return self

    def not_(self) -> Self:
        """The next condition must not hold."""
        return self.negate_next()

    def negate_next(self) -> Self:
        """The next condition must not hold; said twice, it must again."""
        self._draft.where.is_negated = not self._draft.where.is_negated
        return self

    def open_subclause(self) -> Self:
        """An opening bracket."""
        self._draft.where.open()
        return self

    def close_subclause(self) -> Self:
        """A closing bracket."""
        self._draft.where.close()
        return self

    def intersect(self) -> Self:
        """Results that meet what was said and what comes, each perhaps by another entry."""
        self._draft.where.intersect()
        return self

    def using_default_operator(self, query_operator: QueryOperator) -> Self:
        """What joins two conditions with nothing said between them; before the first one."""
        if self._draft.where:
            raise Misuse("using_default_operator() comes before the first condition")
        self._draft.where.default_operator = query_operator
        return self

    # Weighing.

    def boost(self, boost: float) -> Self:
        """Let the last condition, or bracket, count so much more for the score."""
        if not _is_number(boost) or boost < 0:
            raise Misuse(f"a boost is a number that is not negative: {boost!r:.80}")
        last = self._draft.where.last
        if boost == 1:
            return self
        if isinstance(last, Condition):
            self._draft.where.change_last(boost=boost)
        elif isinstance(last, Close):
            self._draft.where.boost_bracket(self._parameter(boost))
        else:
            raise Misuse("boost() comes right after a condition")
        return self

    def fuzzy(self, fuzzy: float) -> Self:
        """Let the last `where_equals` find words that are alike: 1 as they are, 0 any."""
        last = self._draft.where.last
        if not isinstance(last, Condition) or not last.is_equality:
            raise Misuse("fuzzy() comes right after where_equals()")
        if not _is_number(fuzzy) or not 0 <= fuzzy <= 1:
            raise Misuse(f"fuzzy() takes a number from 0 to 1, not {fuzzy!r:.80}")
        self._draft.where.change_last(fuzzy=fuzzy)
        return self

    def proximity(self, proximity: int) -> Self:
        """Let the last `search` find only terms with at most so many words between them."""
        last = self._draft.where.last
        if not isinstance(last, Condition) or not last.is_search:
            raise Misuse("proximity() comes right after search()")
        check_number(proximity, "what proximity() takes", low=1)
        self._draft.where.change_last(proximity=proximity)
        return self

    # Places and likeness.

    def spatial(
        self,
        field_name_or_field: str | DynamicSpatialField,
        clause: Callable[[SpatialCriteriaFactory], SpatialCriteria],
    ) -> Self:
        """A place has something to do with a shape; a PointField is made of two fields."""
        criteria = clause(_FACTORY)
        if isinstance(field_name_or_field, str):
            field = self._draft.field(field_name_or_field)
        else:
            field = self._draft.place(field_name_or_field, "spatial()")
        return self._add(Condition(criteria.text(field, self._parameter)), None)

    def within_radius_of(
        self,
        field_name: str,
        radius: float,
        latitude: float,
        longitude: float,
        radius_units: SpatialUnits | None = None,
        distance_error_pct: float = DISTANCE_ERROR_PCT,
    ) -> Self:
        """A place lies within a circle; latitude and longitude in degrees."""
        criteria = _FACTORY.within_radius(
            radius, latitude, longitude, radius_units, distance_error_pct
        )
        field = self._draft.field(field_name)
        return self._add(Condition(criteria.text(field, self._parameter)), field)

    def relates_to_shape(
        self,
        field_name: str,
        shape_wkt: str,
        relation: SpatialRelation,
        units: SpatialUnits | None = None,
        distance_error_pct: float = DISTANCE_ERROR_PCT,
    ) -> Self:
        """A place has this to do with a shape in well-known text."""
        criteria = _FACTORY.relates_to_shape(shape_wkt, relation, units, distance_error_pct)
        field = self._draft.field(field_name)
        return self._add(Condition(criteria.text(field, self._parameter)), field)

    def more_like_this(
        self,
        more_like_this_or_builder: MoreLikeThisBase
        | Callable[["MoreLikeThisBuilder[Self]"], object],
    ) -> Self:
        """Documents whose text is like that of another one."""
        wanted = more_like_this_or_builder
        if not isinstance(wanted, MoreLikeThisBase):
            builder: MoreLikeThisBuilder[Self] = MoreLikeThisBuilder()
            wanted(builder)
            wanted = builder.more_like_this
        options = ""
        if wanted.options is not None:
            options = f", {self._parameter(wanted.options)}"
        if wanted.document_json is not None:
            like = self._parameter(wanted.document_json)
        else:
            like = self._aside(wanted.for_document_query)
        return self._add(Condition(f"moreLikeThis({like}{options})"), None)

    # Within.

    def _aside(self, ask: Callable[[Any], object] | None) -> str:
        """Conditions that are said of another document, with the parameters of this query."""
        around, self._draft.where = self._draft.where, Conditions()
        try:
            if ask is not None:
                ask(self)
            self._draft.where.check_complete()
            return str(self._draft.where)
        finally:
            self._draft.where = around

    def _parameter(self, value: object) -> str:
        return self._draft.parameters.add(value)

    def _add(self, condition: Condition, field: str | None) -> Self:
        self._draft.where.add(condition, field)
        return self

    def _value(self, value: object) -> str:
        if isinstance(value, MethodCall):
            return value.text(self._parameter)
        return self._parameter(value)

    def _equality(
        self, field_name: str, value: object, exact: bool | None, *, is_equal: bool
    ) -> Self:
        field = written(self._draft.field(field_name))
        where = self._draft.where
        where.add_equality(field, self._value(value), is_equal=is_equal, exact=bool(exact))
        return self

    def _comparison(
        self, field_name: str, sign: str, value: object, exact: bool | None, *, none: str
    ) -> Self:
        field = self._draft.field(field_name)
        text = f"{written(field)} {sign} {self._value(none if value is None else limit(value))}"
        return self._add(Condition(text, exact=bool(exact)), field)

    def _method(self, name: str, field_name: str, value: str, exact: bool | None) -> Self:
        field = self._draft.field(field_name)
        text = f"{name}({written(field)}, {self._parameter(value)})"
        return self._add(Condition(text, exact=bool(exact)), field)


def _is_number(value: object) -> bool:
    """Whether RQL has a word for it; the others would be read as names."""
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and value not in (inf, -inf) and value == value
