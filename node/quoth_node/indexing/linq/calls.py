"""Calls: methods of values, functions of classes, and functions of the index.

A method is called on whatever is there when it runs, null included, so it becomes a function of the
runtime that looks at its target.
"""

from collections.abc import Callable, Sequence

from quoth_node.indexing.linq.expressions import Expressions, Js, quoted, refuse
from quoth_node.indexing.linq.scope import Scope
from quoth_node.indexing.linq.tree import Call, Expression, Literal, Member, Name, Query
from quoth_node.indexing.linq.vocabulary import (
    CLASSES,
    CLOCKS,
    CONSTANTS,
    ENUMERATIONS,
    FUNCTIONS,
    METHODS,
    MISSING,
    STATIC,
)

TEXTS = frozenset(
    "ToString ToLower ToLowerInvariant ToUpper ToUpperInvariant Trim TrimStart TrimEnd Substring "
    "Replace PadLeft PadRight Insert Remove".split()
)
TESTS = frozenset(
    "Any All Contains StartsWith EndsWith ContainsKey Equals IsNullOrEmpty IsNullOrWhiteSpace "
    "IsDigit IsLetter IsLetterOrDigit IsWhiteSpace".split()
)
COUNTS = frozenset("Count LongCount IndexOf LastIndexOf CompareTo ParseInt ParseLong".split())
KINDS = {
    **dict.fromkeys(TESTS, "bool"),
    **dict.fromkeys(COUNTS, "int"),
    **{"ParseDouble": "double", "ParseDecimal": "decimal"},
}
STATIC_KINDS = {
    **{"int.Parse": "int", "long.Parse": "int", "double.Parse": "double"},
    **{"decimal.Parse": "decimal", "Convert.ToInt16": "int", "Convert.ToInt32": "int"},
    **{"Convert.ToInt64": "int", "Convert.ToDouble": "double", "Convert.ToSingle": "double"},
    **{"Convert.ToDecimal": "decimal", "Convert.ToBoolean": "bool", "bool.Parse": "bool"},
    **{"Math.Sqrt": "double", "Math.Pow": "double", "string.Join": "string"},
    **{"string.Format": "string", "string.Concat": "string"},
}


def dotted(node: Expression) -> tuple[str, ...] | None:
    """`System.Math.Max` as its names; None if it is anything else."""
    names: list[str] = []
    while isinstance(node, Member):
        names.append(node.name)
        node = node.of
    return (node.text, *reversed(names)) if isinstance(node, Name) else None


class Calls:
    """Translates calls, and members of classes."""

    def __init__(self, query: Callable[[Query, Scope], Js]) -> None:
        self.expressions = Expressions(call=self.call, member=self.static_member, query=query)
        self.collections: list[str] = []  # that documents are loaded from
        self.fields: list[str] = []  # made by CreateField with a constant name

    def static_member(self, node: Member, scope: Scope) -> Js | None:
        """`int.MaxValue`, `FieldIndexing.Exact`; None for members of values."""
        names = dotted(node)
        if names is None or names[0] in scope.variables:
            return None
        owner, name = names[-2], names[-1]
        if owner in ENUMERATIONS:
            return Js(quoted(name), "string")
        class_ = CLASSES.get(owner)
        if class_ == "DateTime" and name in CLOCKS:
            text = f"{owner}.{name}: an index must give the same for the same documents"
            raise refuse(f"Cannot use {text}", node)
        if f"{class_}.{name}" in CONSTANTS:
            return Js(f"$c[{quoted(f'{class_}.{name}')}]")
        if names[0] == "this" or class_ is not None:
            raise refuse(f"'{'.'.join(names)}' is not known", node)
        return None

    def call(self, node: Call, scope: Scope) -> Js:
        """A call in JavaScript. Raises DefinitionRefused."""
        match node.of:
            case Name(text=name) | Member(of=Name(text="this"), name=name):
                return self._function(node, name, scope)
            case Member() as of:
                names = dotted(of)
                if names is not None and names[0] not in scope.variables:
                    owner = CLASSES.get(names[-2])
                    if owner is not None:
                        return self._static(node, owner, names[-1], scope)
                    if len(names) > 2 or names[0] not in ("docs", "results"):
                        text = "is not known; additional sources in C# cannot be run"
                        raise refuse(f"'{'.'.join(names[:-1])}' {text}", node)
                return self._method(node, of.name, of.of, node.arguments, scope)
            case _:
                raise refuse("only methods and functions can be called", node)

    # Methods

    def _method(
        self,
        node: Call,
        name: str,
        target: Expression,
        arguments: Sequence[Expression],
        scope: Scope,
    ) -> Js:
        self._check_known(node, name)
        if name not in METHODS:
            raise refuse(f"the method '{name}' is not supported", node)
        if len(arguments) not in METHODS[name]:
            raise refuse(f"'{name}' does not take {len(arguments)} arguments", node)
        self._check_group(node, name, target, arguments, scope)
        of = self.expressions.js(target, scope)
        given = [self.expressions.js(argument, scope) for argument in arguments]
        kind = KINDS.get(name, "string" if name in TEXTS else "")
        if name in ("Sum", "Average"):
            # As the official server does: the lambda's own cast decides, else it is a decimal.
            kind = given[0].kind if given and given[0].kind in ("int", "double") else "decimal"
            kind = "double" if name == "Average" and kind == "int" else kind
            name = f"{name}Double" if kind == "double" else name
        if name == "Boost":
            return of
        return Js(f"$m.{name}({', '.join([of.text, *(item.text for item in given)])})", kind)

    def _check_group(
        self,
        node: Call,
        name: str,
        target: Expression,
        arguments: Sequence[Expression],
        scope: Scope,
    ) -> None:
        """The result of a reduce is reduced again, so it cannot count its own input."""
        if not isinstance(target, Name) or arguments or name not in ("Count", "Average"):
            return
        variable = scope.variables.get(target.text)
        if variable is not None and variable.is_group:
            raise refuse(f"Reduce cannot contain {name}() methods in grouping.", node)

    # Functions

    def _static(self, node: Call, owner: str, name: str, scope: Scope) -> Js:
        arguments = node.arguments
        if owner == "Enumerable" and name in METHODS and arguments:
            return self._method(node, name, arguments[0], arguments[1:], scope)
        if name not in STATIC[owner] or len(arguments) not in STATIC[owner][name]:
            raise refuse(f"'{owner}.{name}' with {len(arguments)} arguments is not known", node)
        given = ", ".join(self.expressions.js(argument, scope).text for argument in arguments)
        kind = STATIC_KINDS.get(f"{owner}.{name}", "bool" if name in TESTS else "")
        text = f"$s[{quoted(f'{owner}.{name}')}]({given})"
        return Js(text, "date" if owner == "DateTime" and name != "Compare" else kind)

    def _function(self, node: Call, name: str, scope: Scope) -> Js:
        self._check_known(node, name)
        if name not in FUNCTIONS:
            raise refuse(f"the function '{name}' is not known", node)
        if len(node.arguments) not in FUNCTIONS[name]:
            raise refuse(f"'{name}' does not take {len(node.arguments)} arguments", node)
        if name == "LoadDocument":
            self._check_load(node)
        if name == "CreateField" and isinstance(node.arguments[0], Literal):
            self.fields.append(str(node.arguments[0].value))
        given = [self.expressions.js(argument, scope).text for argument in node.arguments]
        if name == "TryConvert":
            type_ = node.of.types if isinstance(node.of, Member | Name) else ()
            given.append(quoted(type_[0].text if type_ else "double"))
        return Js(f"$f.{name}({', '.join(given)})", KINDS.get(name, ""))

    def _check_load(self, node: Call) -> None:
        match node.arguments:
            case (_, Literal(kind="string", value=str(collection))):
                self.collections.append(collection)
            case _:
                text = "LoadDocument needs the name of a collection as its second argument"
                raise refuse(text, node)

    def _check_known(self, node: Call, name: str) -> None:
        if name in MISSING:
            raise refuse(MISSING[name], node)
