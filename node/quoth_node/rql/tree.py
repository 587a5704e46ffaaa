"""What an RQL text says, as values: nothing is looked up, planned or run here.

Its parts are in `operands` and `conditions`. What is not served yet is in the tree as
`Unsupported`, and once more in `Query.unsupported`, so that nobody plans a query that says more
than is understood.
"""

from dataclasses import dataclass, field
from enum import Enum

from quoth_node.rql.conditions import Condition
from quoth_node.rql.operands import (
    NOWHERE,
    Aggregate,
    DocumentId,
    FieldPath,
    Literal,
    Parameter,
    Position,
    Unsupported,
    Value,
)


class SourceKind(Enum):
    COLLECTION = "collection"
    INDEX = "index"
    ALL_DOCUMENTS = "@all_docs"


@dataclass(frozen=True, slots=True)
class Source:
    """`from Users as u`, `from index 'Users/ByName'`, `from @all_docs`."""

    kind: SourceKind
    name: str  # of the collection or index; "@all_docs"
    alias: str | None = None
    position: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Function:
    """`declare function name(a, b) { ... }`; `text` is JavaScript, without the word `declare`."""

    name: str
    text: str
    position: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class GroupKey:
    """A field of `group by`; `is_array`: `array(tags)`, the whole array is the key."""

    path: FieldPath
    is_array: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """`load u.boss as b`, or `u.friends as f[]`: documents by the ids in a path."""

    path: FieldPath
    alias: str
    is_array: bool = False


@dataclass(frozen=True, slots=True)
class Score:
    """`score()`: how well a result matches."""


@dataclass(frozen=True, slots=True)
class Random:
    """`random('seed')`; without a seed another order each time."""

    seed: str | None = None


class OrderingKind(Enum):
    """What an order compares. IMPLICIT, as STRING: folded terms as texts, 1000 before 5."""

    IMPLICIT = "implicit"
    STRING = "string"
    LONG = "long"
    DOUBLE = "double"
    ALPHANUMERIC = "alphaNumeric"


OrderBy = FieldPath | DocumentId | Aggregate | Score | Random | Unsupported


@dataclass(frozen=True, slots=True)
class Ordering:
    """`age as long desc`."""

    by: OrderBy
    kind: OrderingKind = OrderingKind.IMPLICIT
    is_descending: bool = False


Selected = FieldPath | DocumentId | Aggregate | Literal | Parameter | Score | Unsupported


@dataclass(frozen=True, slots=True)
class SelectItem:
    """`name as Name`; without `as`, the name of a result's property is that of the path."""

    what: Selected
    name: str | None = None


@dataclass(frozen=True, slots=True)
class SelectFields:
    """`select name, age as Years`, `select distinct name`."""

    items: tuple[SelectItem, ...]
    is_distinct: bool = False


@dataclass(frozen=True, slots=True)
class SelectScript:
    """`select { Name: u.name }` or `select project(u)`: a JavaScript expression, as text."""

    text: str
    is_distinct: bool = False
    position: Position = field(default=NOWHERE, compare=False)


Select = SelectFields | SelectScript


class IncludeKind(Enum):
    DOCUMENTS = "documents"
    COMPARE_EXCHANGE = "cmpxchg"
    EXPLANATIONS = "explanations"
    TIMINGS = "timings"


@dataclass(frozen=True, slots=True)
class Include:
    """`include boss`, `cmpxchg(path)`, `explanations($p0)`, `timings()`.

    Of documents and compare-exchange values `what` is a path that leads to ids or keys, or a
    parameter or literal that is one; of explanations the options, if any.
    """

    kind: IncludeKind
    what: FieldPath | Value | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """`limit skip, take`, `limit take offset skip`, `filter_limit n`; None: not said."""

    skip: Value | None = None
    take: Value | None = None
    scan: Value | None = None  # documents that `filter` may look at


@dataclass(frozen=True, slots=True)
class Update:
    """`update { ... }` of a patch by query: the JavaScript between the braces."""

    text: str
    position: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Query:
    """All that one text says."""

    source: Source
    functions: tuple[Function, ...] = ()
    group_by: tuple[GroupKey, ...] = ()
    where: Condition | None = None
    order_by: tuple[Ordering, ...] = ()
    loads: tuple[Load, ...] = ()
    filter: Condition | None = None
    select: Select | None = None
    includes: tuple[Include, ...] = ()
    page: Page = Page()
    update: Update | None = None
    unsupported: tuple[Unsupported, ...] = ()
