"""Expressions against a model in Python: operators, nulls and what is missing.

A generated expression is a text of C# and a function of a document; an index has several of them as
its fields.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.indexing.definitions import compiled, document, entries

Value = object


class Missing:
    """What is not there; null is None."""


MISSING = Missing()
Work = Callable[[dict[str, Value]], Value]


@dataclass(frozen=True, slots=True)
class Expression:
    """The same in both languages."""

    text: str
    work: Work


def is_absent(value: Value) -> bool:
    return value is None or value is MISSING


def field(name: str) -> Expression:
    return Expression(f"u.{name}", lambda body: body.get(name, MISSING))


def constant(value: int | str | None) -> Expression:
    text = "null" if value is None else f'"{value}"' if isinstance(value, str) else str(value)
    return Expression(f"({text})" if text.startswith("-") else text, lambda body: value)


# Whole numbers


def calculate(sign: str, left: Expression, right: Expression) -> Expression:
    def work(body: dict[str, Value]) -> Value:
        one, other = left.work(body), right.work(body)
        if is_absent(one):
            return one
        if is_absent(other):
            return other
        assert isinstance(one, int) and isinstance(other, int)
        match sign:
            case "+":
                return one + other
            case "-":
                return one - other
            case "*":
                return one * other
            case _:
                whole = abs(one) // abs(other) * (1 if (one < 0) == (other < 0) else -1)
                return whole if sign == "/" else one - whole * other

    return Expression(f"({left.text} {sign} {right.text})", work)


def otherwise(left: Expression, right: Expression) -> Expression:
    def work(body: dict[str, Value]) -> Value:
        value = left.work(body)
        return right.work(body) if is_absent(value) else value

    return Expression(f"({left.text} ?? {right.text})", work)


def choose(test: Expression, yes: Expression, no: Expression) -> Expression:
    return Expression(
        f"({test.text} ? {yes.text} : {no.text})",
        lambda body: yes.work(body) if test.work(body) is True else no.work(body),
    )


def length(text: Expression) -> Expression:
    def work(body: dict[str, Value]) -> Value:
        value = text.work(body)
        return len(value) if isinstance(value, str) else value

    return Expression(f"{text.text}.Length", work)


# Texts


def join(left: Expression, right: Expression) -> Expression:
    def work(body: dict[str, Value]) -> Value:
        one, other = left.work(body), right.work(body)
        return "".join("" if is_absent(part) else str(part) for part in (one, other))

    return Expression(f'({left.text} + "" + {right.text})', work)


def upper(text: Expression) -> Expression:
    def work(body: dict[str, Value]) -> Value:
        value = text.work(body)
        return value.upper() if isinstance(value, str) else value

    return Expression(f"{text.text}.ToUpper()", work)


# Truth


def compare(sign: str, left: Expression, right: Expression) -> Expression:
    def work(body: dict[str, Value]) -> Value:
        one, other = left.work(body), right.work(body)
        if sign in ("==", "!="):
            same = is_absent(one) and is_absent(other) if is_absent(one) else one == other
            return same == (sign == "==")
        if is_absent(one) or is_absent(other):
            return False
        assert isinstance(one, int) and isinstance(other, int)
        return {"<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}[sign]

    return Expression(f"({left.text} {sign} {right.text})", work)


def both(sign: str, left: Expression, right: Expression) -> Expression:
    def work(body: dict[str, Value]) -> Value:
        one, other = left.work(body) is True, right.work(body) is True
        return one and other if sign == "&&" else one or other

    return Expression(f"({left.text} {sign} {right.text})", work)


def negate(test: Expression) -> Expression:
    return Expression(f"(!{test.text})", lambda body: test.work(body) is not True)


LEAF_NUMBERS = st.one_of(st.sampled_from("abc").map(field), st.integers(-2, 2).map(constant))
LEAF_TEXTS = st.one_of(st.sampled_from("st").map(field), st.sampled_from(["", "Xy"]).map(constant))
DIVISORS = st.sampled_from([-3, 2, 7]).map(constant)


@st.composite
def numbers(draw: st.DrawFn, depth: int = 2) -> Expression:
    if depth == 0:
        return draw(LEAF_NUMBERS)
    below = numbers(depth=depth - 1)
    kinds = [
        st.builds(calculate, st.sampled_from("+-*"), below, below),
        st.builds(calculate, st.sampled_from("/%"), below, DIVISORS),
        st.builds(otherwise, below, below),
        st.builds(choose, conditions(depth=depth - 1), below, below),
        st.builds(length, texts(depth=depth - 1)),
    ]
    return draw(draw(st.sampled_from(kinds)))


@st.composite
def texts(draw: st.DrawFn, depth: int = 2) -> Expression:
    if depth == 0:
        return draw(LEAF_TEXTS)
    below = texts(depth=depth - 1)
    kinds = [
        st.builds(join, below, st.one_of(below, numbers(depth=depth - 1))),
        st.builds(otherwise, below, below),
        st.builds(choose, conditions(depth=depth - 1), below, below),
        st.builds(upper, below),
    ]
    return draw(draw(st.sampled_from(kinds)))


@st.composite
def conditions(draw: st.DrawFn, depth: int = 2) -> Expression:
    if depth == 0:
        return draw(st.sampled_from("pq").map(field))
    below = conditions(depth=depth - 1)
    number, text = numbers(depth=depth - 1), texts(depth=depth - 1)
    nothing = st.just(constant(None))
    kinds = [
        st.builds(compare, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), number, number),
        st.builds(compare, st.sampled_from(["==", "!="]), text, st.one_of(text, nothing)),
        st.builds(both, st.sampled_from(["&&", "||"]), below, below),
        st.builds(negate, below),
    ]
    return draw(draw(st.sampled_from(kinds)))


BODIES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys("abc", st.one_of(st.none(), st.integers(-2, 2))),
        **dict.fromkeys("st", st.one_of(st.none(), st.sampled_from(["", "Xy", "zeta"]))),
        **dict.fromkeys("pq", st.one_of(st.none(), st.booleans())),
    },
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.one_of(conditions(), conditions(), numbers(), texts()), min_size=1, max_size=12),
    st.lists(BODIES, min_size=1, max_size=6),
)
def test_expressions_give_what_the_model_gives(
    expressions: list[Expression], bodies: list[dict[str, Value]]
) -> None:
    members = ", ".join(f"F{at} = {one.text}" for at, one in enumerate(expressions))
    mapper = compiled(f"from u in docs.Users select new {{ {members} }}")
    users = [document(f"users/{at}", body) for at, body in enumerate(bodies)]
    expected = [
        {
            f"F{at}": value
            for at, one in enumerate(expressions)
            if (value := one.work(body)) is not MISSING
        }
        for body in bodies
    ]
    assert entries(mapper, *users) == expected


@settings(max_examples=60, deadline=None)
@given(conditions(), st.lists(BODIES, max_size=8))
def test_both_ways_of_writing_a_map_let_the_same_documents_through(
    test: Expression, bodies: list[dict[str, Value]]
) -> None:
    users = [document(f"users/{at}", body) for at, body in enumerate(bodies)]
    expected = [body.get("a", MISSING) for body in bodies if test.work(body) is True]
    for text in (
        f"from u in docs.Users where {test.text} select new {{ u.a, n = 1 }}",
        f"docs.Users.Where(u => {test.text}).Select(x => new {{ x.a, n = 1 }})",
        f"docs.Users.Select(u => new {{ u, ok = {test.text} }}).Where(y => y.ok)"
        ".Select(y => new { y.u.a, n = 1 })",
    ):
        found = entries(compiled(text), *users)
        assert [entry.get("a", MISSING) for entry in found] == expected
