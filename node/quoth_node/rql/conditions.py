"""What a document must be like: the tree of `where` and `filter`."""

from dataclasses import dataclass, field
from enum import Enum

from quoth_node.rql.operands import (
    NOWHERE,
    FieldPath,
    Operand,
    Position,
    Unsupported,
    Value,
)


class Operator(Enum):
    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="


@dataclass(frozen=True, slots=True)
class Everything:
    """`true`, or `exists(id())`: every document."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """`false`: no document."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`name = $p0`; the other way round (`5 < age`) it is turned around."""

    operand: Operand
    operator: Operator
    value: Value | FieldPath  # a path only in `filter`
    position: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class In:
    """`name in ($p0, 'b')`, `tags all in ($p0)`; a parameter may be a value or an array of some."""

    operand: Operand
    values: tuple[Value, ...]
    is_all: bool = False
    position: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Between:
    """`age between 1 and $p0`, both ends included; the text `*` or null leaves an end open."""

    operand: Operand
    low: Value
    high: Value
    position: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Exists:
    """`exists(name)`: the document has the field, be it null."""

    path: FieldPath
    position: Position = field(default=NOWHERE, compare=False)


class Matching(Enum):
    """How a text is compared with a field."""

    STARTS_WITH = "startsWith"
    ENDS_WITH = "endsWith"
    REGEX = "regex"
    LUCENE = "lucene"


@dataclass(frozen=True, slots=True)
class Match:
    """`startsWith(name, 'a')` and its like."""

    kind: Matching
    operand: Operand
    value: Value
    position: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Search:
    """`search(name, 'some words', and)`: the words of a text, any or all of them."""

    operand: FieldPath
    value: Value
    is_all: bool = False
    position: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more; none of them is an `And` itself."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of two or more; none of them is an `Or` itself."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    condition: "Condition"


@dataclass(frozen=True, slots=True)
class Exact:
    """`exact(name = 'A')`: terms as they are, not folded to lower case."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class Boost:
    """`boost(name = 'a', 2)`: counts so many times as much for the score."""

    condition: "Condition"
    factor: Value


@dataclass(frozen=True, slots=True)
class Fuzzy:
    """`fuzzy(name = 'a', 0.5)`: terms at least so alike, from 0 to 1."""

    condition: Comparison
    similarity: Value


@dataclass(frozen=True, slots=True)
class Proximity:
    """`proximity(search(text, 'a b'), 5)`: the words, with so many others between at most."""

    condition: Search
    distance: Value


@dataclass(frozen=True, slots=True)
class Intersect:
    """`intersect(a = 1, b = 2)`: documents that have an entry for each of them."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Called:
    """`check(u, $p0)`: a declared function is asked; only in a filter. `text` is JavaScript."""

    text: str
    position: Position = field(default=NOWHERE, compare=False)


Condition = (
    Everything
    | Nothing
    | Comparison
    | In
    | Between
    | Exists
    | Match
    | Search
    | And
    | Or
    | Not
    | Exact
    | Boost
    | Fuzzy
    | Proximity
    | Intersect
    | Called
    | Unsupported
)
