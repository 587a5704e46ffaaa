"""What an index definition in C# says, as a tree of frozen values.

Every node knows the place where it begins, for what is refused about it later.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a definition; both begin at 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Anything in the tree."""

    at: Place = field(default=Place(1, 1), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TypeName(Node):
    """`decimal?` is ('decimal', True); of `List<string>[]` only 'List' is kept."""

    text: str
    is_nullable: bool = False


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A variable, a class, a function, or `this`."""

    text: str
    types: tuple[TypeName, ...] = ()


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A constant. The kind of a number is 'int', 'double' or 'decimal'."""

    kind: str  # also 'null', 'bool', 'string'
    value: bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Hole(Node):
    """What stands in braces in an interpolated string: `{value:format}`."""

    value: "Expression"
    format: str


@dataclass(frozen=True, slots=True)
class Interpolated(Node):
    """`$"a {b} c"`."""

    parts: tuple["str | Hole", ...]


@dataclass(frozen=True, slots=True)
class Member(Node):
    """`of.name` or `of?.name`, which are the same here."""

    of: "Expression"
    name: str
    types: tuple[TypeName, ...] = ()


@dataclass(frozen=True, slots=True)
class Index(Node):
    """`of[key]`."""

    of: "Expression"
    key: "Expression"


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`of(arguments)`; `of` is a Name or a Member."""

    of: "Expression"
    arguments: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`!operand`, `-operand`, `+operand`."""

    sign: str
    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """`left sign right`."""

    sign: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    """`test ? yes : no`."""

    test: "Expression"
    yes: "Expression"
    no: "Expression"


@dataclass(frozen=True, slots=True)
class Cast(Node):
    """`(type)operand`."""

    type: TypeName
    operand: "Expression"


@dataclass(frozen=True, slots=True)
class IsNull(Node):
    """`operand is null`; `is not null` if negated."""

    operand: "Expression"
    is_negated: bool


@dataclass(frozen=True, slots=True)
class IsType(Node):
    """`operand is type`."""

    operand: "Expression"
    type: TypeName


@dataclass(frozen=True, slots=True)
class Lambda(Node):
    """`(parameters) => body`."""

    parameters: tuple[str, ...]
    body: "Expression"


@dataclass(frozen=True, slots=True)
class Entry(Node):
    """`name = value` of an object; of a dictionary the name is an expression."""

    name: "str | Expression"
    value: "Expression"


@dataclass(frozen=True, slots=True)
class NewObject(Node):
    """`new { a, b.C, d = e }`, or with a type and an initializer."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class NewArray(Node):
    """`new [] { a, b }`, `new string[] { a, b }`."""

    elements: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class NewInstance(Node):
    """`new DateTime(2012, 1, 1)`."""

    type: TypeName
    arguments: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class From(Node):
    """`from name in source`."""

    name: str
    source: "Expression"


@dataclass(frozen=True, slots=True)
class Let(Node):
    """`let name = value`."""

    name: str
    value: "Expression"


@dataclass(frozen=True, slots=True)
class Where(Node):
    """`where test`."""

    test: "Expression"


@dataclass(frozen=True, slots=True)
class OrderBy(Node):
    """`orderby key, other descending`."""

    keys: tuple[tuple["Expression", bool], ...]  # with whether it descends


@dataclass(frozen=True, slots=True)
class Group(Node):
    """`group element by key into name`; without a name it ends its query."""

    element: "Expression"
    key: "Expression"
    name: str | None


@dataclass(frozen=True, slots=True)
class Into(Node):
    """`select value into name`, in the middle of a query."""

    value: "Expression"
    name: str


@dataclass(frozen=True, slots=True)
class Query(Node):
    """A query; it selects `value`, or the groups of its last clause if that is None."""

    clauses: tuple["Clause", ...]
    value: "Expression | None"


Clause = From | Let | Where | OrderBy | Group | Into
Expression = (
    Name
    | Literal
    | Interpolated
    | Member
    | Index
    | Call
    | Unary
    | Binary
    | Conditional
    | Cast
    | IsNull
    | IsType
    | Lambda
    | NewObject
    | NewArray
    | NewInstance
    | Query
)


def nodes_in(value: object) -> Iterator[Node]:
    """The nodes right below a node."""
    if isinstance(value, Node):
        for one in fields(value):
            if one.name != "at":
                yield from _nodes(getattr(value, one.name))


def _nodes(value: object) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes(item)


def deepest(root: Node, limit: int) -> Node | None:
    """The first node found more than `limit` levels below `root`; None if there is none."""
    waiting = [(root, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > limit:
            return node
        waiting.extend((below, depth + 1) for below in nodes_in(node))
    return None
