"""Facets: how many results have which values, and what their numbers come to."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Self

from quoth.errors import Misuse
from quoth.queries.fields import alias_of, field_of, quote, written
from quoth.queries.index_query import PAGE_SIZE_MAX
from quoth.queries.parameters import limit
from quoth.serialization import JsonObject

AddParameter = Callable[[object], str]
# Keywords that a facet must quote too; `written` knows the others.
_MORE_KEYWORDS = frozenset({"update"})


class FacetAggregation(Enum):
    """What the numbers of a facet come to."""

    NONE = "None"
    MAX = "Max"
    MIN = "Min"
    AVERAGE = "Average"
    SUM = "Sum"


_METHODS = {
    FacetAggregation.MAX: "max",
    FacetAggregation.MIN: "min",
    FacetAggregation.AVERAGE: "avg",
    FacetAggregation.SUM: "sum",
}


class FacetTermSortMode(Enum):
    """The order of the values of a facet."""

    VALUE_ASC = "ValueAsc"
    VALUE_DESC = "ValueDesc"
    COUNT_ASC = "CountAsc"
    COUNT_DESC = "CountDesc"


@dataclass(slots=True)
class FacetOptions:
    """Which values of a facet are told, and in which order."""

    page_size: int = PAGE_SIZE_MAX
    start: int | None = None
    term_sort_mode: FacetTermSortMode = FacetTermSortMode.VALUE_ASC
    include_remaining_terms: bool = False

    def to_json(self) -> JsonObject:
        """How the wire writes it."""
        return {
            "PageSize": self.page_size,
            "Start": self.start or 0,
            "TermSortMode": self.term_sort_mode.value,
            "IncludeRemainingTerms": self.include_remaining_terms,
        }


@dataclass(frozen=True, slots=True)
class FacetAggregationField:
    """A field whose numbers are taken together, and what they are called then."""

    name: str
    display_name: str | None = None


@dataclass(slots=True, kw_only=True)
class FacetBase:
    """What every facet has."""

    display_field_name: str | None = None
    options: FacetOptions | None = None
    aggregations: dict[FacetAggregation, Iterable[FacetAggregationField]] = field(
        default_factory=dict
    )

    def text(self, add_parameter: AddParameter) -> str:
        """How RQL says it."""
        options = [] if self.options is None else [add_parameter(self.options)]
        arguments = [*self._source(add_parameter), *self._aggregated(), *options]
        alias = "" if self.display_field_name is None else field_of(self.display_field_name)
        named = f" as {alias}" if alias.strip() and [alias] != self._source_names() else ""
        return f"facet({', '.join(arguments)}){named}"

    def _source(self, add_parameter: AddParameter) -> Iterable[str]:
        return ()

    def _source_names(self) -> list[str]:
        return []

    def _aggregated(self) -> Iterable[str]:
        for kind, taken in self.aggregations.items():
            for each in taken:
                method = _METHODS.get(kind)
                if method is None:
                    raise Misuse(f"a facet has no aggregation {kind}")
                name = "" if not each.display_name else f" as {alias_of(each.display_name)}"
                yield f"{method}({field_of(each.name)}){name}"


@dataclass(slots=True)
class Facet(FacetBase):
    """How many results have which value of a field; None: all results together."""

    field_name: str | None = None

    def _source(self, add_parameter: AddParameter) -> Iterable[str]:
        return self._source_names()

    def _source_names(self) -> list[str]:
        if self.field_name is None:
            return []
        is_keyword = self.field_name in _MORE_KEYWORDS
        return [quote(self.field_name) if is_keyword else written(field_of(self.field_name))]


@dataclass(slots=True)
class RangeFacet(FacetBase):
    """How many results lie in which range; ranges as RQL: `cost < 10`, `cost >= 10`."""

    ranges: list[str] = field(default_factory=list)

    def _source(self, add_parameter: AddParameter) -> Iterable[str]:
        return self.ranges


@dataclass(frozen=True, slots=True)
class _Bound:
    sign: str
    value: Any


@dataclass(frozen=True, slots=True)
class RangeBuilder:
    """A range: `RangeBuilder.for_path("cost").is_greater_than(1).is_less_than(5)`."""

    path: str
    greater: _Bound | None = None
    less: _Bound | None = None

    @classmethod
    def for_path(cls, path: str) -> "RangeBuilder":
        """A range of the values of a field."""
        return cls(path)

    def is_less_than(self, value: object) -> "RangeBuilder":
        """Values smaller than this."""
        return self._below(_Bound("<", value))

    def is_less_than_or_equal_to(self, value: object) -> "RangeBuilder":
        """This value and smaller ones."""
        return self._below(_Bound("<=", value))

    def is_greater_than(self, value: object) -> "RangeBuilder":
        """Values greater than this."""
        return self._above(_Bound(">", value))

    def is_greater_than_or_equal_to(self, value: object) -> "RangeBuilder":
        """This value and greater ones."""
        return self._above(_Bound(">=", value))

    def _below(self, bound: _Bound) -> "RangeBuilder":
        if self.less is not None:
            raise Misuse("the range has an upper limit already")
        return replace(self, less=bound)

    def _above(self, bound: _Bound) -> "RangeBuilder":
        if self.greater is not None:
            raise Misuse("the range has a lower limit already")
        return replace(self, greater=bound)

    def text(self, add_parameter: AddParameter) -> str:
        """How RQL says it."""
        if self.less is None and self.greater is None:
            raise Misuse("a range needs a limit: is_less_than() or is_greater_than()")
        # The upper limit comes first among the parameters, and last in the text.
        limits = [
            f"{field_of(self.path)} {bound.sign} {add_parameter(limit(bound.value))}"
            for bound in (self.less, self.greater)
            if bound is not None
        ]
        return " and ".join(reversed(limits))


@dataclass(slots=True)
class GenericRangeFacet(FacetBase):
    """How many results lie in which range, of a RangeBuilder each."""

    ranges: list[RangeBuilder] = field(default_factory=list)

    def _source(self, add_parameter: AddParameter) -> Iterable[str]:
        return [each.text(add_parameter) for each in self.ranges]


class FacetBuilder:
    """What `aggregate_by` hands to its builder.

    query.aggregate_by(lambda facet: facet.by_field("brand").sum_on("cost"))
    """

    def __init__(self) -> None:
        self._made: Facet | GenericRangeFacet | None = None

    @property
    def facet(self) -> FacetBase:
        """What was built."""
        if self._made is None:
            raise Misuse("say what to count: by_field(), by_ranges() or all_results()")
        return self._made

    def by_field(self, field_name: str) -> Self:
        """Count the values of a field."""
        self._made = Facet(field_name)
        return self

    def all_results(self) -> Self:
        """Take all results together."""
        self._made = Facet()
        return self

    def by_ranges(self, range_: RangeBuilder, *ranges: RangeBuilder) -> Self:
        """Count what lies in each range."""
        self._made = GenericRangeFacet([range_, *ranges])
        return self

    def with_display_name(self, display_name: str) -> Self:
        """What the facet is called in the answer."""
        self.facet.display_field_name = display_name
        return self

    def with_options(self, options: FacetOptions) -> Self:
        """Which values are told, and in which order."""
        self.facet.options = options
        return self

    def sum_on(self, path: str, display_name: str | None = None) -> Self:
        """The sum of a field."""
        return self._aggregate(FacetAggregation.SUM, path, display_name)

    def min_on(self, path: str, display_name: str | None = None) -> Self:
        """The smallest value of a field."""
        return self._aggregate(FacetAggregation.MIN, path, display_name)

    def max_on(self, path: str, display_name: str | None = None) -> Self:
        """The greatest value of a field."""
        return self._aggregate(FacetAggregation.MAX, path, display_name)

    def average_on(self, path: str, display_name: str | None = None) -> Self:
        """The average of a field."""
        return self._aggregate(FacetAggregation.AVERAGE, path, display_name)

    def _aggregate(self, kind: FacetAggregation, path: str, display_name: str | None) -> Self:
        taken = self.facet.aggregations
        taken[kind] = [*taken.get(kind, ()), FacetAggregationField(path, display_name)]
        return self


@dataclass(frozen=True, slots=True)
class FacetValue:
    """One value or range of a facet; `name` is what its aggregation is called."""

    name: str | None
    range_: str
    count_: int
    sum_: float | None = None
    max_: float | None = None
    min_: float | None = None
    average_: float | None = None


@dataclass(frozen=True, slots=True)
class FacetResult:
    """One facet, as it was counted."""

    name: str
    values: Sequence[FacetValue] = ()
    remaining_terms: Sequence[str] = ()
    remaining_terms_count: int = 0
    remaining_hits: int = 0

    @classmethod
    def from_json(cls, wire: Mapping[str, Any]) -> "FacetResult":
        """Read the result of a node."""
        values = [
            FacetValue(
                each.get("Name"),
                each["Range"],
                each["Count"],
                each.get("Sum"),
                each.get("Max"),
                each.get("Min"),
                each.get("Average"),
            )
            for each in wire.get("Values") or ()
        ]
        return cls(
            wire["Name"],
            values,
            wire.get("RemainingTerms") or (),
            wire.get("RemainingTermsCount") or 0,
            wire.get("RemainingHits") or 0,
        )
