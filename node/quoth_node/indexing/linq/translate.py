"""Maps and reduces in C# to functions of JavaScript."""

from dataclasses import dataclass

from quoth_node.indexing.linq.calls import Calls
from quoth_node.indexing.linq.expressions import Js, quoted, refuse
from quoth_node.indexing.linq.flow import Flow, Root, beginning, inner_query
from quoth_node.indexing.linq.parser import MISSING_NEW, parse
from quoth_node.indexing.linq.scope import Scope
from quoth_node.indexing.linq.tree import (
    Call,
    Cast,
    Expression,
    Literal,
    Member,
    Name,
    NewObject,
    Query,
)


@dataclass(frozen=True, slots=True)
class TranslatedMap:
    """A map: `function` takes a document, and gives an array of objects with `fields`."""

    collection: str  # '' for all documents
    function: str
    fields: tuple[str, ...]  # those that CreateField makes are not among them
    has_dynamic_fields: bool
    references: tuple[str, ...]  # collections that documents are loaded from


@dataclass(frozen=True, slots=True)
class TranslatedReduce:
    """A reduce: `function` takes all results of one key, and gives an array of results."""

    function: str
    fields: tuple[str, ...]
    group_by: tuple[str, ...]


class _Translation:
    """One definition: its calls, and the queries within it."""

    def __init__(self) -> None:
        self.calls = Calls(self._inner)
        self.scope = Scope()

    def _inner(self, query: Query, scope: Scope) -> Js:
        return inner_query(self.calls, query, scope)


def translate_map(text: str) -> TranslatedMap:
    """From `from u in docs.Users select new { u.Name }`. Raises DefinitionRefused."""
    tree = parse(text)
    translation = _Translation()
    flow = Flow(translation.calls, Root("docs", is_reduce=False, variable="$doc"))
    _, current = flow.statements(tree, translation.scope)
    result = _result(current.node, tree)
    function = f"($doc) => {{\n{flow.finished(current)}\n}}"
    if flow.group_by is not None or flow.collection is None:
        raise refuse("a map has to begin with docs or docs.Collection", tree)
    names = _names(result)
    dynamic = "$f.CreateField(" in function
    return TranslatedMap(
        flow.collection,
        function,
        tuple(name for name in names if not (dynamic and name == "_")),
        dynamic,
        tuple(dict.fromkeys(translation.calls.collections)),
    )


def translate_reduce(text: str) -> TranslatedReduce:
    """From `from r in results group r by r.Name into g select ...`. Raises DefinitionRefused."""
    tree = parse(text)
    translation = _Translation()
    root = Root(beginning(tree) or "results", is_reduce=True, variable="$results")
    flow = Flow(translation.calls, root)
    _, current = flow.statements(tree, translation.scope)
    names = _names(_result(current.node, tree))
    function = f"($results) => {{\n{flow.finished(current)}\n}}"
    if flow.group_by is None:
        raise refuse("a reduce has to group its results", tree)
    if translation.calls.collections:
        raise refuse("a reduce cannot load documents", tree)
    return TranslatedReduce(function, names, flow.group_by)


def _result(node: Expression, tree: Expression) -> NewObject:
    """The object that is selected, whatever stands around it."""
    match node:
        case NewObject():
            return node
        case Call(of=Member(of=of, name="Boost")):
            return _result(of, tree)
        case Cast(operand=operand):
            return _result(operand, tree)
        case Name() if "<" in node.text:
            raise refuse(MISSING_NEW, tree)
        case _:
            raise refuse(MISSING_NEW, node)


def _names(result: NewObject) -> tuple[str, ...]:
    names = []
    for entry in result.entries:
        match entry.name:
            case str(name) | Literal(kind="string", value=str(name)):
                if name in names:
                    raise refuse(f"the field {quoted(name)} is there twice", entry)
                names.append(name)
            case _:
                raise refuse("the name of a field is a constant", entry)
    return tuple(names)
