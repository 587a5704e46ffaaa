"""Expressions of C# as expressions of JavaScript.

A missing member is undefined and a null is null, all the way: the one makes no term in an index,
the other does. Operators and members that JavaScript has differently are functions of the runtime.
Kinds are what is known of a value beforehand: it decides how C# divides, adds and compares.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from quoth_node.indexing.linq.scope import Scope, Variable
from quoth_node.indexing.linq.tree import (
    Binary,
    Call,
    Cast,
    Conditional,
    Expression,
    Index,
    Interpolated,
    IsNull,
    IsType,
    Lambda,
    Literal,
    Member,
    Name,
    NewArray,
    NewInstance,
    NewObject,
    Node,
    Query,
    Unary,
)
from quoth_node.indexing.linq.vocabulary import INHERITED, NUMBERS, PROPERTIES
from quoth_node.indexing.refusal import DefinitionRefused

COMPARISONS = {"<": "$lt", "<=": "$le", ">": "$gt", ">=": "$ge"}
ARITHMETIC = {"-": "$sub", "*": "$mul", "%": "$mod"}
WHOLE = ("int", "long", "short", "byte", "uint", "ulong", "ushort", "sbyte", "Int32", "Int64")
REAL = ("double", "float", "Double", "Single")
DATES = ("DateTime", "DateTimeOffset")
DEEP_DOUBLE = 2**53


@dataclass(frozen=True, slots=True)
class Js:
    """An expression of JavaScript, safe to stand in any other one."""

    text: str
    kind: str = ""  # 'int', 'double', 'decimal', 'bool', 'string', 'date', 'null' or unknown

    @property
    def test(self) -> str:
        """Where C# wants a bool: null and missing are not true."""
        return self.text if self.kind == "bool" else f"({self.text} === true)"


def quoted(text: str) -> str:
    """A string in JavaScript."""
    return json.dumps(text)


def refuse(message: str, node: Node) -> DefinitionRefused:
    """An error at a node."""
    return DefinitionRefused(message, node.at.line, node.at.column)


class Expressions:
    """Translates; calls and queries are translated by others, which it is given."""

    def __init__(
        self,
        *,
        call: Callable[[Call, Scope], Js],
        member: Callable[[Member, Scope], Js | None],
        query: Callable[[Query, Scope], Js],
    ) -> None:
        self._call = call
        self._static = member
        self._query = query

    def js(self, node: Expression, scope: Scope) -> Js:
        """The expression in JavaScript. Raises DefinitionRefused."""
        match node:
            case Name():
                return self._name(node, scope)
            case Literal():
                return _literal(node)
            case Interpolated():
                return self._interpolated(node, scope)
            case Member():
                return self._member(node, scope)
            case Index():
                return self._index(node, scope)
            case Call():
                return self._call(node, scope)
            case Unary():
                return self._unary(node, scope)
            case Binary():
                return self._binary(node, scope)
            case Conditional():
                test, yes, no = (self.js(part, scope) for part in (node.test, node.yes, node.no))
                kind = yes.kind if yes.kind == no.kind else ""
                return Js(f"({test.test} ? {yes.text} : {no.text})", kind)
            case Cast():
                return self._cast(node, scope)
            case IsNull():
                sign = "!=" if node.is_negated else "=="
                return Js(f"({self.js(node.operand, scope).text} {sign} null)", "bool")
            case IsType():
                operand = self.js(node.operand, scope).text
                return Js(f"$is({operand}, {quoted(node.type.text)})", "bool")
            case Lambda():
                return self._lambda(node, scope)
            case NewObject():
                return self.object(node, scope)
            case NewArray():
                return Js(f"[{', '.join(self.js(item, scope).text for item in node.elements)}]")
            case NewInstance():
                return self._instance(node, scope)
            case Query():
                return self._query(node, scope)

    def object(self, node: NewObject, scope: Scope) -> Js:
        """An object with the names of its members."""
        members = []
        for entry in node.entries:
            value = self.js(entry.value, scope).text
            if isinstance(entry.name, str):
                name = quoted(entry.name)
                members.append(f"{f'[{name}]' if entry.name == '__proto__' else name}: {value}")
            else:
                members.append(f"[$key({self.js(entry.name, scope).text})]: {value}")
        return Js("({" + ", ".join(members) + "})")

    # Variables and members

    def _name(self, node: Name, scope: Scope) -> Js:
        variable = scope.variables.get(node.text)
        if variable is None:
            raise refuse(f"'{node.text}' is not known here", node)
        return Js(variable.text, variable.kind)

    def _member(self, node: Member, scope: Scope) -> Js:
        static = self._static(node, scope)
        if static is not None:
            return static
        of = self.js(node.of, scope)
        if node.name in PROPERTIES:
            return Js(f"$p.{node.name}({of.text})", "int" if node.name in NUMBERS else "")
        if node.name in INHERITED:
            return Js(f"$own({of.text}, {quoted(node.name)})")
        if isinstance(node.of, Name) and scope.variables[node.of.text].is_object:
            return Js(f"{of.text}[{quoted(node.name)}]")
        return Js(f"$get({of.text}, {quoted(node.name)})")

    def _index(self, node: Index, scope: Scope) -> Js:
        return Js(f"$at({self.js(node.of, scope).text}, {self.js(node.key, scope).text})")

    def _lambda(self, node: Lambda, scope: Scope) -> Js:
        names = []
        for parameter in node.parameters:
            names.append(scope.fresh(parameter))
            scope = scope.plus(parameter, Variable(names[-1]))
        body = self.js(node.body, scope)
        return Js(f"(({', '.join(names)}) => {body.text})", body.kind)

    # Operators

    def _unary(self, node: Unary, scope: Scope) -> Js:
        operand = self.js(node.operand, scope)
        if node.sign == "!":
            return Js(f"(!{operand.test})", "bool")
        if node.sign == "+":
            return operand
        return Js(f"$neg({operand.text})", operand.kind)

    def _binary(self, node: Binary, scope: Scope) -> Js:
        left, right = self.js(node.left, scope), self.js(node.right, scope)
        sign = node.sign
        if sign in ("&&", "||"):
            return Js(f"({left.test} {sign} {right.test})", "bool")
        if sign in ("&", "|", "^"):
            return Js(f"$bits({quoted(sign)}, {left.text}, {right.text})")
        if sign == "??":
            return Js(
                f"({left.text} ?? {right.text})", left.kind if left.kind == right.kind else ""
            )
        if sign in ("==", "!="):
            return _equality(sign, left, right)
        if sign in COMPARISONS:
            return Js(f"{COMPARISONS[sign]}({left.text}, {right.text})", "bool")
        if sign == "+" and "string" in (left.kind, right.kind):
            return Js(f"$join({left.text}, {right.text})", "string")
        return _calculation(sign, left, right)

    def _cast(self, node: Cast, scope: Scope) -> Js:
        operand = self.js(node.operand, scope)
        name = node.type.text.removeprefix("System.")
        nullable = "true" if node.type.is_nullable else "false"
        if name in WHOLE:
            return Js(f"$int({operand.text}, {nullable})", "int")
        if name in REAL:
            return Js(f"$real({operand.text}, {nullable})", "double")
        if name in ("decimal", "Decimal"):
            return Js(f"$decimal({operand.text}, {nullable})", "decimal")
        if name in ("bool", "Boolean"):
            return operand if node.type.is_nullable else Js(operand.test, "bool")
        if name in DATES:
            return Js(f"$date({operand.text})", "date")
        if name == "TimeSpan":
            return Js(f"$span({operand.text})")
        if name in ("string", "String"):
            return Js(operand.text, "string")
        return operand  # to a class of the client, an array, an interface: nothing changes

    # Values

    def _interpolated(self, node: Interpolated, scope: Scope) -> Js:
        parts = ['""']
        for part in node.parts:
            if isinstance(part, str):
                parts.append(quoted(part))
            else:
                parts.append(f"$text({self.js(part.value, scope).text}, {quoted(part.format)})")
        return Js(f"({' + '.join(parts)})", "string")

    def _instance(self, node: NewInstance, scope: Scope) -> Js:
        name = node.type.text.rpartition(".")[2]
        given = [self.js(argument, scope).text for argument in node.arguments]
        if name in DATES and len(given) in (3, 6, 7, 8):
            return Js(f"$newDate({', '.join(given)})", "date")
        if name in DATES and len(given) == 1:
            return Js(f"$dateOfTicks({given[0]})", "date")
        if name == "TimeSpan" and 1 <= len(given) <= 5:
            return Js(f"$newSpan({', '.join(given)})")
        if name in ("List", "HashSet") and len(given) <= 1:
            return Js(f"$list({', '.join(given)})")
        if name == "Dictionary" and not given:
            return Js("({})")
        raise refuse(f"'new {node.type.text}(...)' is not supported", node)


def _literal(node: Literal) -> Js:
    if node.kind == "int" and abs(node.value) > DEEP_DOUBLE:  # type: ignore[arg-type]
        return Js(f"$whole({quoted(str(node.value))})", "int")
    return Js(json.dumps(node.value), node.kind)


def _equality(sign: str, left: Js, right: Js) -> Js:
    if "null" in (left.kind, right.kind):
        return Js(f"({left.text} {sign} {right.text})", "bool")
    texts = (left.text, right.text)
    if left.kind == right.kind == "string" and any(text.startswith('"') for text in texts):
        return Js(f"({left.text} {sign}= {right.text})", "bool")
    return Js(f"{'' if sign == '==' else '!'}$eq({left.text}, {right.text})", "bool")


def _calculation(sign: str, left: Js, right: Js) -> Js:
    kinds = (left.kind, right.kind)
    kind = next((kind for kind in ("decimal", "double") if kind in kinds), "")
    if not kind and kinds == ("int", "int"):
        kind = "int"
    operands = f"{left.text}, {right.text}"
    if sign == "/":
        # Two whole numbers divide to a whole one, which only shows when they are at hand.
        name = {"decimal": "$divDecimal", "double": "$divDouble"}.get(kind, "$div")
        return Js(f"{name}({operands})", kind)
    if sign == "+":
        text = f"$add({operands})"
    else:
        text = f"{ARITHMETIC[sign]}({operands})"
    return Js(f"$digits({text})" if kind == "decimal" else text, kind)
