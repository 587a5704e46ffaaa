"""Words, calls and operators of `where` and `filter` -> conditions.

Recursion goes as deep as the parentheses of the text, which are limited.
"""

from collections.abc import Callable

from quoth_node.rql.conditions import (
    And,
    Between,
    Boost,
    Called,
    Comparison,
    Condition,
    Everything,
    Exact,
    Exists,
    Fuzzy,
    In,
    Intersect,
    Match,
    Matching,
    Not,
    Nothing,
    Operator,
    Or,
    Proximity,
    Search,
)
from quoth_node.rql.errors import RqlError
from quoth_node.rql.operands import FieldPath, Literal, Parameter, Unsupported, Value
from quoth_node.rql.scope import Scope, arity, position_of, unexpected, value_of
from quoth_node.rql.syntax import (
    Call,
    Compared,
    Joined,
    Listed,
    Negated,
    Node,
    Path,
    Ranged,
    Word,
)

OPERATORS = {operator.value: operator for operator in Operator} | {
    "==": Operator.EQUAL,
    "<>": Operator.NOT_EQUAL,
}
TURNED = {
    Operator.LESS: Operator.GREATER,
    Operator.LESS_OR_EQUAL: Operator.GREATER_OR_EQUAL,
    Operator.GREATER: Operator.LESS,
    Operator.GREATER_OR_EQUAL: Operator.LESS_OR_EQUAL,
}
MATCHING = {kind.value.lower(): kind for kind in Matching}


def condition_of(scope: Scope, node: Node, *, is_filter: bool = False) -> Condition:
    """What a node demands of a document. In a filter, fields may be compared with fields."""
    match node:
        case Joined(is_or, nodes):
            return joined(is_or, [condition_of(scope, one, is_filter=is_filter) for one in nodes])
        case Negated(inner):
            return negated(condition_of(scope, inner, is_filter=is_filter))
        case Compared():
            return _comparison(scope, node, is_filter=is_filter)
        case Listed():
            values = tuple(map(value_of, node.values))
            return In(scope.operand(node.left), values, node.is_all, node.position)
        case Ranged():
            low, high = value_of(node.low), value_of(node.high)
            return Between(scope.operand(node.left), low, high, node.position)
        case Call():
            return _call(scope, node, is_filter=is_filter)
        case Literal(value=True):
            return Everything()
        case Literal(value=False):
            return Nothing()
    raise unexpected(node, "a condition")


def joined(is_or: bool, conditions: list[Condition]) -> Condition:
    """All of them, or one of them; what is of the same kind is taken apart."""
    cls = Or if is_or else And
    flat: list[Condition] = []
    for condition in conditions:
        flat += condition.conditions if isinstance(condition, cls) else [condition]
    return cls(tuple(flat))


def negated(condition: Condition) -> Condition:
    return condition.condition if isinstance(condition, Not) else Not(condition)


def _comparison(scope: Scope, node: Compared, *, is_filter: bool) -> Condition:
    operator, left, right = OPERATORS[node.operator], node.left, node.right
    for side in (left, right):
        if isinstance(side, Call) and (missing := scope.missing_feature(side)) is not None:
            return missing
    if isinstance(right, Path | Call) and _is_value(left):
        left, right, operator = right, left, TURNED.get(operator, operator)
    if isinstance(right, Call) and right.name.lower() == "cmpxchg":
        return scope.refuse("compare-exchange values in conditions", right.position)
    value: Value | FieldPath
    if isinstance(right, Path) and is_filter:
        value = scope.path(right)
    else:
        value = value_of(right)
    return Comparison(scope.operand(left), operator, value, node.position)


def _is_value(node: Node) -> bool:
    return isinstance(node, Literal | Parameter)


def _call(scope: Scope, call: Call, *, is_filter: bool) -> Condition:
    name = call.name.lower()
    if (missing := scope.missing_feature(call)) is not None:
        return missing
    if name in MATCHING:
        arity(call, 2, 2)
        operand, value = scope.operand(call.arguments[0]), value_of(call.arguments[1])
        return Match(MATCHING[name], operand, value, call.position)
    if is_filter and call.name in scope.functions:
        return Called(scope.text[call.start : call.end], call.position)
    if (make := CALLS.get(name)) is None:
        raise RqlError.at(call.position, f"There is no function {call.name} for conditions")
    return make(scope, call, is_filter)


def _exists(scope: Scope, call: Call, is_filter: bool) -> Condition:
    arity(call, 1, 1)
    (argument,) = call.arguments
    if isinstance(argument, Call) and argument.name.lower() == "id":
        return Everything()
    return Exists(scope.path(argument), call.position)


def _search(scope: Scope, call: Call, is_filter: bool) -> Condition:
    arity(call, 2, 3)
    path, value = scope.path(call.arguments[0]), value_of(call.arguments[1])
    word = call.arguments[2] if len(call.arguments) > 2 else None
    if word is not None and not isinstance(word, Word):
        raise unexpected(word, "and, or")
    return Search(path, value, word is not None and word.text == "and", call.position)


def _exact(scope: Scope, call: Call, is_filter: bool) -> Condition:
    arity(call, 1, 1)
    return Exact(condition_of(scope, call.arguments[0], is_filter=is_filter))


def _boost(scope: Scope, call: Call, is_filter: bool) -> Condition:
    arity(call, 2, 2)
    inner = condition_of(scope, call.arguments[0], is_filter=is_filter)
    return Boost(inner, value_of(call.arguments[1]))


def _fuzzy(scope: Scope, call: Call, is_filter: bool) -> Condition:
    arity(call, 2, 2)
    inner = condition_of(scope, call.arguments[0], is_filter=is_filter)
    if isinstance(inner, Unsupported):
        return inner
    if not isinstance(inner, Comparison) or inner.operator is not Operator.EQUAL:
        raise RqlError.at(position_of(call.arguments[0]), "fuzzy() takes a comparison with =")
    return Fuzzy(inner, value_of(call.arguments[1]))


def _proximity(scope: Scope, call: Call, is_filter: bool) -> Condition:
    arity(call, 2, 2)
    inner = condition_of(scope, call.arguments[0], is_filter=is_filter)
    if isinstance(inner, Unsupported):
        return inner
    if not isinstance(inner, Search):
        raise RqlError.at(position_of(call.arguments[0]), "proximity() takes a search()")
    return Proximity(inner, value_of(call.arguments[1]))


def _intersect(scope: Scope, call: Call, is_filter: bool) -> Condition:
    arity(call, 2, 1_000)
    inner = (condition_of(scope, one, is_filter=is_filter) for one in call.arguments)
    return Intersect(tuple(inner))


CALLS: dict[str, Callable[[Scope, Call, bool], Condition]] = {
    "exists": _exists,
    "search": _search,
    "exact": _exact,
    "boost": _boost,
    "fuzzy": _fuzzy,
    "proximity": _proximity,
    "intersect": _intersect,
}
