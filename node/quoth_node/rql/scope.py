"""What names mean in one query: its source, what it loads, and what is missing yet."""

from dataclasses import dataclass, field

from quoth_node.rql.errors import RqlError
from quoth_node.rql.literals import steps_of
from quoth_node.rql.operands import (
    Aggregate,
    AggregateKind,
    DocumentId,
    FieldPath,
    Literal,
    Operand,
    Parameter,
    Position,
    Unsupported,
    Value,
)
from quoth_node.rql.syntax import Call, Node, Path

AGGREGATES = {kind.value: kind for kind in AggregateKind}
# By the name of the call in lower case; all of a family by what stands before the dot.
FEATURES = {
    "counter": "counters",
    "counterraw": "counters",
    "counters": "counters",
    "custom": "custom sorters",
    "facet": "facets",
    "highlight": "highlightings",
    "morelikethis": "moreLikeThis queries",
    "revisions": "revisions",
    "spatial": "spatial queries",
    "suggest": "suggestions",
    "timeseries": "time series",
    "vector": "vector searches",
}


@dataclass(slots=True)
class Scope:
    """The names of one query, and what of it is not supported, in the order it is met."""

    alias: str | None
    loaded: frozenset[str]
    is_grouped: bool
    functions: frozenset[str]
    text: str
    keys: dict[str, FieldPath] = field(default_factory=dict)  # of groups, by the names they have
    unsupported: list[Unsupported] = field(default_factory=list)

    def missing_feature(self, call: Call) -> Unsupported | None:
        """What this call would need, if this server does not have it."""
        feature = FEATURES.get(call.name.partition(".")[0].lower())
        return None if feature is None else self.refuse(feature, call.position)

    def refuse(self, feature: str, position: Position) -> Unsupported:
        """Note that the query needs something that is not there."""
        refused = Unsupported(feature, position)
        self.unsupported.append(refused)
        return refused

    def path(self, node: Node, *, whole: bool = False) -> FieldPath:
        """A path into documents; with `whole`, an alias alone is a whole document."""
        match node:
            case Literal(value=str(text)):
                return FieldPath(steps_of(text), is_quoted=True, position=node.position)
            case Path():
                return self._path(node, whole=whole)
        raise unexpected(node, "a field")

    def _path(self, node: Path, *, whole: bool) -> FieldPath:
        steps = steps_of(node.text)
        first = steps[0]
        named = first.name == self.alias or first.name in self.loaded
        if named and (whole or len(steps) > 1):
            return FieldPath(steps[1:], first.name, position=node.position)
        if len(steps) == 1 and (key := self.keys.get(first.name)) is not None:
            return key
        return FieldPath(steps, position=node.position)

    def operand(self, node: Node) -> Operand:
        """What can be compared: a field, an id, an aggregate of a group."""
        return self.path(node) if not isinstance(node, Call) else self.computed(node)

    def computed(self, call: Call) -> DocumentId | Aggregate:
        """`id()`, `count()`, `sum(path)`, `key()`."""
        name = call.name.lower()
        if name == "id":
            return self._document_id(call)
        if name in AGGREGATES:
            return self._aggregate(call, AGGREGATES[name])
        raise RqlError.at(call.position, f"There is no function {call.name} in this place")

    def _document_id(self, call: Call) -> DocumentId:
        arity(call, 0, 1)
        if not call.arguments:
            return DocumentId(position=call.position)
        path = self.path(call.arguments[0], whole=True)
        if path.alias is None or path.steps:
            raise RqlError.at(call.position, "id() takes the name of a document, or nothing")
        alias = None if path.alias == self.alias else path.alias
        return DocumentId(alias, position=call.position)

    def _aggregate(self, call: Call, kind: AggregateKind) -> Aggregate:
        if not self.is_grouped:
            raise RqlError.at(call.position, f"{call.name}() stands only in a query with group by")
        arity(call, *((1, 1) if kind is AggregateKind.SUM else (0, 1)))
        # count(x) counts what count() does.
        has_path = call.arguments and kind is not AggregateKind.COUNT
        path = self.path(call.arguments[0]) if has_path else None
        return Aggregate(kind, path, position=call.position)


def value_of(node: Node) -> Value:
    """A literal or a parameter."""
    if isinstance(node, Literal | Parameter):
        return node
    raise unexpected(node, "a value or a parameter")


def arity(call: Call, low: int, high: int) -> None:
    """Raise RqlError unless the call has `low` to `high` arguments."""
    count = len(call.arguments)
    if not low <= count <= high:
        many = str(low) if low == high else f"{low} to {high}"
        raise RqlError.at(call.position, f"{call.name}() takes {many} arguments, not {count}")


def unexpected(node: Node, expected: str) -> RqlError:
    """That something else was expected where `node` is."""
    return RqlError.at(position_of(node), f"Expected {expected}")


def position_of(node: Node) -> Position:
    """Where a node stands; of what is joined, its first."""
    while not hasattr(node, "position"):
        node = node.nodes[0] if hasattr(node, "nodes") else node.inner
    return node.position
