"""Clauses as the grammar sees them -> the tree, where every name has its meaning."""

from collections.abc import Mapping

from quoth_node.rql.errors import RqlError
from quoth_node.rql.operands import FieldPath, Literal, Parameter
from quoth_node.rql.predicates import condition_of
from quoth_node.rql.scope import Scope, arity, unexpected, value_of
from quoth_node.rql.syntax import (
    Call,
    Clauses,
    DeclaredFunction,
    From,
    Named,
    Node,
    Ordered,
    Path,
    Selection,
)
from quoth_node.rql.tree import (
    Function,
    GroupKey,
    Include,
    IncludeKind,
    Load,
    OrderBy,
    Ordering,
    OrderingKind,
    Query,
    Random,
    Score,
    Select,
    Selected,
    SelectFields,
    SelectItem,
    SelectScript,
    Source,
    SourceKind,
    Update,
)

ALL_DOCUMENTS = "@all_docs"
ORDERING_KINDS = {kind.value.lower(): kind for kind in OrderingKind if kind.value != "implicit"}


def meaning_of(clauses: Clauses, *, text: str, scripts: Mapping[int, str]) -> Query:
    """The tree of a text. `scripts` has the JavaScript by where its brace opens.

    Raises RqlError.
    """
    source = _source(clauses.source)
    scope = Scope(
        alias=source.alias,
        loaded=frozenset(_alias_of(load) for load in clauses.loads),
        is_grouped=bool(clauses.group_by),
        functions=frozenset(one.name.text for one in clauses.functions if not one.is_series),
        text=text,
    )
    functions = tuple(
        _function(scope, one, scripts) for one in clauses.functions if not one.is_series
    )
    for declared in clauses.functions:
        if declared.is_series:
            scope.refuse("time series", declared.name.position)
    keys = tuple(_group_key(scope, one) for one in clauses.group_by)
    update = clauses.update
    if update is not None and clauses.selection is not None:
        raise RqlError.at(update.position, "A query has select or update, not both")
    return Query(
        source=source,
        functions=functions,
        group_by=keys,
        where=None if clauses.where is None else condition_of(scope, clauses.where),
        order_by=tuple(_ordering(scope, one) for one in clauses.order_by),
        loads=tuple(_load(scope, one) for one in clauses.loads),
        filter=None
        if clauses.filter is None
        else condition_of(scope, clauses.filter, is_filter=True),
        select=_select(scope, clauses.selection, scripts),
        includes=tuple(found for node in clauses.includes if (found := _include(scope, node))),
        page=clauses.page,
        update=None if update is None else Update(scripts[update.opening], update.position),
        unsupported=tuple(scope.unsupported),
    )


def _source(source: From) -> Source:
    name, alias = source.name, source.alias
    kind = SourceKind.INDEX if source.is_index else SourceKind.COLLECTION
    if not source.is_index and name.text.lower() == ALL_DOCUMENTS:
        kind = SourceKind.ALL_DOCUMENTS
    if not name.text:
        raise RqlError.at(name.position, "Expected the name of a collection or an index")
    text = ALL_DOCUMENTS if kind is SourceKind.ALL_DOCUMENTS else name.text
    return Source(kind, text, alias.text if alias else None, name.position)


def _function(scope: Scope, one: DeclaredFunction, scripts: Mapping[int, str]) -> Function:
    body = scripts[one.script.opening]
    text = f"function {one.name.text}({', '.join(one.parameters)}) {{{body}}}"
    return Function(one.name.text, text, one.name.position)


def _group_key(scope: Scope, grouped: Named) -> GroupKey:
    node = grouped.node
    is_array = isinstance(node, Call)
    if isinstance(node, Call):
        if node.name.lower() != "array":
            raise RqlError.at(node.position, f"There is no function {node.name} for group by")
        arity(node, 1, 1)
        node = node.arguments[0]
    key = GroupKey(scope.path(node), is_array)
    if grouped.name is not None:
        scope.keys[grouped.name.text] = key.path
    return key


def _ordering(scope: Scope, one: Ordered) -> Ordering:
    kind = OrderingKind.IMPLICIT
    if one.kind is not None:
        found = ORDERING_KINDS.get(one.kind.text.lower())
        if found is None:
            expected = ", ".join(kind.value for kind in ORDERING_KINDS.values())
            raise RqlError.at(one.kind.position, f"Expected {expected} but got: {one.kind.text}")
        kind = found
    return Ordering(_order_by(scope, one.by), kind, one.is_descending)


def _order_by(scope: Scope, node: Node) -> OrderBy:
    if not isinstance(node, Call):
        return scope.path(node)
    if (missing := scope.missing_feature(node)) is not None:
        return missing
    match node.name.lower(), node.arguments:
        case "score", ():
            return Score()
        case "random", ():
            return Random()
        case "random", (Literal(value=str(seed)),):
            return Random(seed)
        case "random", (Path(text=seed),):
            return Random(seed)
    return scope.computed(node)


def _alias_of(load: Named) -> str:
    assert load.name is not None, "the grammar wants one"
    return load.name.text.removesuffix("[]")


def _load(scope: Scope, one: Named) -> Load:
    assert one.name is not None, "the grammar wants one"
    path = scope.path(one.node)
    return Load(path, _alias_of(one), is_array=one.name.text.endswith("[]"))


def _select(
    scope: Scope, selection: Selection | None, scripts: Mapping[int, str]
) -> Select | None:
    if selection is None:
        return None
    if (script := selection.script) is not None:
        # In parentheses it is an object, not a block.
        inside = f"({{{scripts[script.opening]}}})"
        return SelectScript(inside, selection.is_distinct, script.position)
    match selection.fields:
        case (Named(node=Call() as call, name=None),) if call.name in scope.functions:
            called = scope.text[call.start : call.end]
            return SelectScript(called, selection.is_distinct, call.position)
    items = tuple(_select_item(scope, field) for field in selection.fields)
    return SelectFields(items, selection.is_distinct)


def _select_item(scope: Scope, field: Named) -> SelectItem:
    name = field.name.text if field.name else None
    if name is None and isinstance(field.node, Path) and field.node.text in scope.keys:
        name = field.node.text  # a group goes by the name it was given
    return SelectItem(_selected(scope, field.node), name)


def _selected(scope: Scope, node: Node) -> Selected:
    match node:
        case Path():
            return scope.path(node, whole=True)
        case Literal(value=str()):
            return scope.path(node)
        case Literal() | Parameter():
            return node
        case Call():
            if (missing := scope.missing_feature(node)) is not None:
                return missing
            if node.name.lower() == "score" and not node.arguments:
                return Score()
            if node.name.lower() == "cmpxchg":
                return scope.refuse("compare-exchange values in projections", node.position)
            return scope.computed(node)
    raise unexpected(node, "a field")


def _include(scope: Scope, node: Node) -> Include | None:
    """What to send along; nothing for what is not supported, which is noted."""
    if not isinstance(node, Call):
        return Include(IncludeKind.DOCUMENTS, _named(scope, node))
    if scope.missing_feature(node) is not None:
        return None
    match node.name.lower():
        case "timings":
            arity(node, 0, 0)
            return Include(IncludeKind.TIMINGS)
        case "explanations":
            arity(node, 0, 1)
            what = value_of(node.arguments[0]) if node.arguments else None
            return Include(IncludeKind.EXPLANATIONS, what)
        case "cmpxchg":
            arity(node, 1, 1)
            return Include(IncludeKind.COMPARE_EXCHANGE, _named(scope, node.arguments[0]))
    raise RqlError.at(node.position, f"There is no function {node.name} for include")


def _named(scope: Scope, node: Node) -> FieldPath | Literal | Parameter:
    """A path to names. A string is one, too: clients quote what they include."""
    return node if isinstance(node, Parameter) else scope.path(node)
