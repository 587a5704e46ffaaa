"""A whole map or reduce as one function of JavaScript: loops within loops, no arrays in between.

Both ways of writing it come to the same: `docs.C.Where(a).SelectMany(b, c)` and
`from x in docs.C where a from y in b select c` are loops over what each step makes of the last.

    a source    for (const x of $each(...)) {        what is selected     $out.push(...)
    where       if (...) {                           group, orderby       rows first, then a loop
    let         const y = ...;                                            over them
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from quoth_node.indexing.linq.calls import Calls
from quoth_node.indexing.linq.expressions import Js, refuse
from quoth_node.indexing.linq.scope import Scope, Variable
from quoth_node.indexing.linq.tree import (
    Call,
    Cast,
    Clause,
    Expression,
    From,
    Group,
    Index,
    Into,
    Lambda,
    Let,
    Literal,
    Member,
    Name,
    NewObject,
    OrderBy,
    Query,
    Where,
)
from quoth_node.indexing.linq.vocabulary import MISSING

PASSED_OVER = ("ToList", "ToArray", "AsEnumerable", "Boost")  # nothing changes for a loop
ORDERED = (
    "OrderBy calls are not valid during map or reduce phase, but the following was found: "
    "orderby. Order the query, not the index"
)


@dataclass(frozen=True, slots=True)
class Root:
    """What a definition goes over: one document, or all results of a reduce."""

    name: str  # 'docs'; of a reduce anything
    is_reduce: bool
    variable: str  # in JavaScript


@dataclass(slots=True)
class Body:
    """The lines so far, and how many of their braces are open."""

    lines: list[str] = field(default_factory=list)
    braces: int = 0

    def open(self, line: str) -> None:
        self.lines.append(line + " {")
        self.braces += 1

    def close(self) -> None:
        self.lines.append("}" * self.braces)
        self.braces = 0


@dataclass(frozen=True, slots=True)
class Current:
    """What the last step made: an expression not yet evaluated, in its scope."""

    node: Expression
    scope: Scope


class Flow:
    """Writes one function; what it learns on the way is in its attributes."""

    def __init__(self, calls: Calls, root: Root | None) -> None:
        self._calls = calls
        self._root = root
        self._body = Body()
        self._outer = Scope()
        self.collection: str | None = None
        self.group_by: tuple[str, ...] | None = None

    def statements(self, node: Expression, scope: Scope) -> tuple[list[str], Current]:
        """Everything but what is done with the last step's values."""
        self._outer = scope
        current = self._run(node, scope)
        return self._body.lines, current

    def finished(self, current: Current) -> str:
        """The statements, with the last values put out."""
        value = self._calls.expressions.js(current.node, current.scope).text
        self._body.lines.append(f"$out.push({value});")
        self._body.close()
        return "\n".join(["const $out = [];", *self._body.lines, "return $out;"])

    # Steps

    def _run(self, node: Expression, scope: Scope) -> Current:
        match node:
            case Query():
                return self._run_query(node, scope)
            case Call(of=Member(of=target, name=name), arguments=arguments):
                if name in PASSED_OVER and self._is_flow(target):
                    return self._run(target, scope)
                step = self._step(name, arguments)
                if step and (self._is_flow(target) or not self._root):
                    return self._run_step(node, name, arguments, self._run(target, scope))
        return self._run_source(node, scope, "x")

    def _is_flow(self, node: Expression) -> bool:
        """Whether a chain of methods begins at the documents or the results."""
        return self._root is not None and beginning(node) == self._root.name

    def _step(self, name: str, arguments: Sequence[Expression]) -> bool:
        lambdas = bool(arguments) and all(
            isinstance(argument, Lambda) and len(argument.parameters) <= 2 for argument in arguments
        )
        single = lambdas and isinstance(arguments[0], Lambda) and len(arguments[0].parameters) == 1
        counts = {"Select": (1,), "Where": (1,), "SelectMany": (1, 2), "GroupBy": (1, 2)}
        return single and len(arguments) in counts.get(name, ())

    def _run_step(
        self, node: Call, name: str, arguments: Sequence[Expression], current: Current
    ) -> Current:
        first, *others = arguments
        assert isinstance(first, Lambda), "seen by _step"
        parameter = first.parameters[0]
        scope = self._bind(parameter, current)
        if name == "Select":
            return Current(first.body, scope)
        if name == "Where":
            self._body.open(f"if ({self._js(first.body, scope).test})")
            return Current(Name(parameter, at=first.at), scope)
        if name == "SelectMany":
            return self._select_many(first, others, scope)
        element: Expression = Name(parameter, at=first.at)
        if others:
            assert isinstance(others[0], Lambda), "seen by _step"
            scope = scope.plus(others[0].parameters[0], scope.variables[parameter])
            element = others[0].body
        group = Group(element, first.body, "<g>", at=first.at)
        return Current(Name("<g>", at=node.at), self._group(group, scope))

    def _select_many(self, first: Lambda, others: Sequence[Expression], scope: Scope) -> Current:
        match first.body:
            case Call(of=Member()) if self._is_plain(first.body):
                inner = self._inner(first.body, scope)
            case Query() if self._is_plain(first.body):
                inner = self._run_query(first.body, scope)
            case _:
                inner = self._run_source(first.body, scope, "x")
        if not others:
            return inner
        assert isinstance(others[0], Lambda), "seen by _step"
        if len(others[0].parameters) != 2:
            raise refuse("the second lambda of SelectMany takes two arguments", others[0])
        outer, item = others[0].parameters
        inner_scope = self._bind(item, inner)
        renamed = scope.variables[first.parameters[0]]
        return Current(others[0].body, inner_scope.plus(outer, renamed))

    def _is_plain(self, node: Expression) -> bool:
        """Whether it can go on in the same loops: without rows, nothing is put before them."""
        match node:
            case Query(clauses=clauses):
                return not any(isinstance(clause, Group | OrderBy) for clause in clauses)
            case Call(of=Member(name=name), arguments=arguments):
                return name != "GroupBy" and self._step(name, arguments)
            case _:
                return False

    def _inner(self, node: Call, scope: Scope) -> Current:
        """A chain of methods inside of SelectMany goes on in the same loops."""
        assert isinstance(node.of, Member), "matched by the caller"
        target = node.of.of
        match target:
            case Call(of=Member()) if self._is_plain(target):
                current = self._inner(target, scope)
            case _:
                current = self._run_source(target, scope, "x")
        return self._run_step(node, node.of.name, node.arguments, current)

    def _run_query(self, query: Query, scope: Scope) -> Current:
        # Each variable in scope is known by its clause; the value is one expression of them.
        for number, clause in enumerate(query.clauses):
            scope = self._run_clause(clause, scope, is_first=number == 0)
        if query.value is not None:
            return Current(query.value, scope)
        return Current(Name("<g>", at=query.at), scope)

    def _run_clause(self, clause: Clause, scope: Scope, *, is_first: bool) -> Scope:
        match clause:
            case From(name=name, source=source):
                if is_first and (self._root is None or self._is_flow(source)):
                    return self._bind(name, self._run(source, scope))
                return self._bind(name, self._run_source(source, scope, name))
            case Let(name=name, value=value):
                return self._bind(name, Current(value, scope))
            case Where(test=test):
                self._body.open(f"if ({self._js(test, scope).test})")
                return scope
            case OrderBy():
                return self._order(clause, scope)
            case Group():
                return self._group(clause, scope)
            case Into(value=value, name=name):
                return self._bind(name, Current(value, scope))

    # What steps are made of

    def _js(self, node: Expression, scope: Scope) -> Js:
        return self._calls.expressions.js(node, scope)

    def _bind(self, name: str, current: Current) -> Scope:
        """A variable with the value of the last step; evaluated here, unless it is a variable."""
        match current.node:
            case Name(text=known) if known in current.scope.variables:
                return current.scope.plus(name, current.scope.variables[known])
        value = self._js(current.node, current.scope)
        is_object = isinstance(current.node, NewObject)
        variable = Variable(current.scope.fresh(name), value.kind, is_object=is_object)
        self._body.lines.append(f"const {variable.text} = {value.text};")
        return current.scope.plus(name, variable)

    def _run_source(self, node: Expression, scope: Scope, name: str) -> Current:
        if self._root is not None and self.collection is None:
            return self._run_root(node, scope)
        fresh = scope.fresh(name)
        self._body.open(f"for (const {fresh} of $each({self._js(node, scope).text}))")
        hidden = f"<{fresh}>"  # nothing that a definition could name
        return Current(Name(hidden, at=node.at), scope.plus(hidden, Variable(fresh)))

    def _run_root(self, node: Expression, scope: Scope) -> Current:
        assert self._root is not None, "asked for where there is one"
        self.collection = self._collection(node)
        if self._root.is_reduce:
            fresh = scope.fresh("result")
            self._body.open(f"for (const {fresh} of {self._root.variable})")
            scope = scope.plus("<root>", Variable(fresh, is_object=True))
            return Current(Name("<root>", at=node.at), scope)
        variable = Variable(self._root.variable, is_object=True)
        return Current(Name("<root>", at=node.at), scope.plus("<root>", variable))

    def _collection(self, node: Expression) -> str:
        """The name of the collection; '' for all documents, and for results."""
        assert self._root is not None, "asked for where there is one"
        match node:
            case Name(text=name) if self._root.is_reduce or name == "docs":
                return ""
            case Member(of=Name(text="docs"), name=name) if not self._root.is_reduce:
                return name
            case Index(of=Name(text="docs"), key=Literal(kind="string", value=str(name))):
                return name
            case Call(of=Member(of=Name(text="docs"), name=name)) if name in MISSING:
                raise refuse(MISSING[name], node)
        if beginning(node) in ("timeSeries", "counters"):
            raise refuse("time series and counters are not supported", node)
        what = "results" if self._root.is_reduce else "docs or docs.Collection"
        raise refuse(f"the definition has to begin with {what}", node)

    def _rows(self, row: str, scope: Scope) -> str:
        """Everything so far into an array."""
        rows = scope.fresh("rows")
        self._body.lines.insert(0, f"const {rows} = [];")
        self._body.lines.append(f"{rows}.push({row});")
        self._body.close()
        return rows

    def _order(self, clause: OrderBy, scope: Scope) -> Scope:
        if self._root is not None:
            raise refuse(ORDERED, clause)
        keys = ", ".join(self._js(key, scope).text for key, _ in clause.keys)
        names = {variable.text: None for variable in scope.variables.values()}
        rows = self._rows(f"[[{keys}], [{', '.join(names)}]]", scope)
        fresh = {name: scope.fresh("y") for name in names}
        descends = ", ".join("true" if descending else "false" for _, descending in clause.keys)
        self._body.open(
            f"for (const [{', '.join(fresh.values())}] of $ordered({rows}, [{descends}]))"
        )
        renamed = {
            name: replace(variable, text=fresh[variable.text], is_group=False)
            for name, variable in scope.variables.items()
        }
        return Scope(renamed, scope.numbers)

    def _group(self, group: Group, scope: Scope) -> Scope:
        if self._root is not None and not self._root.is_reduce:
            raise refuse("a map has one document at a time: it cannot group them", group)
        is_reduce = self._root is not None and self.group_by is None
        if is_reduce:
            self.group_by = _key_fields(group.key, scope)
        key, element = self._js(group.key, scope).text, self._js(group.element, scope).text
        rows = self._rows(f"[{key}, {element}]", scope)
        fresh = scope.fresh("g")
        self._body.open(f"for (const {fresh} of $groups({rows}))")
        # What was before the group is gone; what is around the query stays.
        variable = Variable(fresh, is_object=True, is_group=is_reduce)
        return Scope(self._outer.variables, scope.numbers).plus(group.name or "<g>", variable)


def beginning(node: Expression) -> str | None:
    """The first name of all: `docs`, or what a reduce calls its results."""
    while True:
        match node:
            case Query(clauses=(From(source=source), *_)):
                node = source
            case Call(of=of) | Member(of=of) | Index(of=of):
                node = of
            case Name(text=text):
                return text
            case _:
                return None


def _key_fields(key: Expression, scope: Scope) -> tuple[str, ...]:
    """The fields of the results that make the key: of `new { r.A, B = r.C }` A and C."""
    match key:
        case Cast(operand=operand):
            return _key_fields(operand, scope)
        case NewObject(entries=entries):
            names = [name for entry in entries for name in _key_fields(entry.value, scope)]
            return tuple(dict.fromkeys(names))
        case Member(of=Name(text=name), name=field_) if name in scope.variables:
            return (field_,)
        case Literal():
            return ()
        case _:
            raise refuse("results are grouped by their fields, nothing else", key)


def inner_query(calls: Calls, query: Query, scope: Scope) -> Js:
    """A query within an expression, as an array."""
    flow = Flow(calls, None)
    _, current = flow.statements(query, scope)
    return Js(f"(() => {{ {flow.finished(current)} }})()")
