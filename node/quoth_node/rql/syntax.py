"""What the grammar sees: words, calls and operators in their places, before anybody knows a name.

`parser` makes these, `meaning` turns them into the tree. A chain of `and` is one node, and two
`not` are none, so nothing here is nested deeper than the parentheses of the text.
"""

from dataclasses import dataclass

from quoth_node.rql.operands import Literal, Parameter, Position
from quoth_node.rql.tree import Page


@dataclass(frozen=True, slots=True)
class Path:
    """`a.b[].'c d'`, as it is written."""

    text: str
    position: Position


@dataclass(frozen=True, slots=True)
class Call:
    """`name(...)`, with where it begins and ends in the text."""

    name: str
    arguments: tuple["Node", ...]
    position: Position
    start: int
    opening: int  # where its parenthesis opens
    end: int


@dataclass(frozen=True, slots=True)
class Word:
    """`and` or `or` as an argument."""

    text: str
    position: Position


@dataclass(frozen=True, slots=True)
class Compared:
    left: "Node"
    operator: str
    right: "Node"
    position: Position


@dataclass(frozen=True, slots=True)
class Listed:
    """`a in (...)`, `a all in (...)`."""

    left: "Node"
    values: tuple["Node", ...]
    is_all: bool
    position: Position


@dataclass(frozen=True, slots=True)
class Ranged:
    left: "Node"
    low: "Node"
    high: "Node"
    position: Position


@dataclass(frozen=True, slots=True)
class Negated:
    inner: "Node"


@dataclass(frozen=True, slots=True)
class Joined:
    """Two or more with `and`, or with `or`."""

    is_or: bool
    nodes: tuple["Node", ...]


Node = Path | Call | Word | Literal | Parameter | Compared | Listed | Ranged | Negated | Joined


@dataclass(frozen=True, slots=True)
class Script:
    """JavaScript; `opening`: where its brace stands in the text."""

    opening: int
    position: Position


@dataclass(frozen=True, slots=True)
class Name:
    """A name that something is given: of a source, or `as x`."""

    text: str
    position: Position


@dataclass(frozen=True, slots=True)
class DeclaredFunction:
    name: Path
    parameters: tuple[str, ...]
    script: Script
    is_series: bool = False


@dataclass(frozen=True, slots=True)
class From:
    name: Name
    alias: Name | None
    is_index: bool


@dataclass(frozen=True, slots=True)
class Ordered:
    by: Node
    kind: Path | None
    is_descending: bool


@dataclass(frozen=True, slots=True)
class Named:
    """An operand `as` a name, of `group by`, `load` or `select`."""

    node: Node
    name: Name | None


@dataclass(frozen=True, slots=True)
class Selection:
    """Fields or one script."""

    is_distinct: bool
    fields: tuple[Named, ...] = ()
    script: Script | None = None


@dataclass(frozen=True, slots=True)
class Clauses:
    """A whole text in its parts."""

    functions: tuple[DeclaredFunction, ...]
    source: From
    group_by: tuple[Named, ...]
    where: Node | None
    order_by: tuple[Ordered, ...]
    loads: tuple[Named, ...]
    filter: Node | None
    update: Script | None
    selection: Selection | None
    includes: tuple[Node, ...]
    page: Page
