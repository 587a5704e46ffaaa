"""Any tree that is printed is parsed to itself; any other text is parsed or refused, and soon."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth_node.rql import (
    Aggregate,
    AggregateKind,
    And,
    Between,
    Boost,
    Comparison,
    DocumentId,
    Everything,
    Exact,
    Exists,
    FieldPath,
    Function,
    Fuzzy,
    GroupKey,
    In,
    Include,
    IncludeKind,
    Intersect,
    Literal,
    Load,
    Match,
    Matching,
    Not,
    Nothing,
    Operator,
    Or,
    Ordering,
    OrderingKind,
    Page,
    Parameter,
    PathStep,
    Proximity,
    Query,
    Random,
    RqlError,
    Score,
    Search,
    SelectFields,
    SelectItem,
    SelectScript,
    Source,
    SourceKind,
    Update,
    parse,
)
from tests.unit.rql.printing import printed

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
STEPS = TEXTS.filter(lambda text: text != "")
NAMES = st.from_regex(r"[a-z@_][a-z0-9_]{0,6}", fullmatch=True).filter(
    lambda name: name not in ("true", "false", "null", "not", "distinct", "index", "and", "or")
)
LITERALS = st.builds(
    Literal,
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
)
VALUES = LITERALS | st.builds(Parameter, NAMES.filter(lambda name: "@" not in name))


@st.composite
def paths(draw: st.DrawFn, alias: str | None = None) -> FieldPath:
    first = draw(NAMES.filter(lambda name: name not in ("src", "ld")))
    rest = draw(st.lists(st.builds(PathStep, STEPS, st.booleans()), max_size=2))
    chosen = draw(st.sampled_from([None, alias])) if alias else None
    return FieldPath((PathStep(first, draw(st.booleans())), *rest), chosen)


def conditions(alias: str | None, operands: st.SearchStrategy[object]) -> st.SearchStrategy:
    fields = paths(alias)
    compared = st.builds(Comparison, operands, st.sampled_from(Operator), VALUES)
    equal = st.builds(Comparison, fields, st.just(Operator.EQUAL), VALUES)
    searched = st.builds(Search, fields, VALUES, st.booleans())
    leaves = st.one_of(
        st.sampled_from([Everything(), Nothing()]),
        compared,
        st.builds(In, operands, st.lists(VALUES, max_size=3).map(tuple), st.booleans()),
        st.builds(Between, operands, VALUES, VALUES),
        st.builds(Exists, fields),
        st.builds(Match, st.sampled_from(Matching), operands, VALUES),
        searched,
        st.builds(Fuzzy, equal, VALUES),
        st.builds(Proximity, searched, VALUES),
    )

    def grown(inner: st.SearchStrategy) -> st.SearchStrategy:
        several = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.one_of(
            st.builds(And, several).filter(lambda c: not any_is(And, c.conditions)),
            st.builds(Or, several).filter(lambda c: not any_is(Or, c.conditions)),
            st.builds(Not, inner.filter(lambda c: not isinstance(c, Not))),
            st.builds(Exact, inner),
            st.builds(Boost, inner, VALUES),
            st.builds(Intersect, several),
        )

    return st.recursive(leaves, grown, max_leaves=6)


def any_is(cls: type, found: tuple[object, ...]) -> bool:
    return any(isinstance(one, cls) for one in found)


SCRIPTS = st.sampled_from(["{ Name: src.n }", "{ a: '}', b: `${ {c: 1}.c }`, d: /[}]/ }", "{}"])


@st.composite
def queries(draw: st.DrawFn) -> Query:
    alias = draw(st.sampled_from([None, "src"]))
    keys = draw(st.lists(st.builds(GroupKey, paths(alias), st.booleans()), max_size=2))
    aggregates = st.one_of(
        st.just(Aggregate(AggregateKind.COUNT)),
        st.just(Aggregate(AggregateKind.KEY)),
        st.builds(Aggregate, st.just(AggregateKind.SUM), paths(alias)),
    )
    operands: st.SearchStrategy[Any] = paths(alias) | st.just(DocumentId())
    operands = st.one_of(operands, aggregates) if keys else operands
    loads = draw(st.lists(st.builds(Load, paths(alias), st.just("ld"), st.booleans()), max_size=1))
    whole = FieldPath((), alias) if alias else DocumentId()
    loaded = [DocumentId("ld"), FieldPath((PathStep("x"),), "ld")] if loads else []
    selected = operands | st.sampled_from([Score(), Literal(5), whole, *loaded])
    orders = operands | st.just(Score()) | st.builds(Random, st.none() | TEXTS)
    where = st.none() | conditions(alias, operands)
    name = st.none() | STEPS
    fields = st.lists(st.builds(SelectItem, selected, name), min_size=1, max_size=3).map(tuple)
    scripts = st.builds(SelectScript, SCRIPTS.map(lambda text: f"({text})"), st.booleans())
    update = draw(st.none() | st.just(Update(" this.a = '}'; ")))
    includes = st.one_of(
        st.builds(Include, st.just(IncludeKind.DOCUMENTS), paths(alias)),
        st.builds(Include, st.just(IncludeKind.COMPARE_EXCHANGE), paths(alias)),
        st.just(Include(IncludeKind.TIMINGS)),
        st.builds(Include, st.just(IncludeKind.EXPLANATIONS), st.none() | VALUES),
    )
    kind = st.sampled_from([SourceKind.COLLECTION, SourceKind.INDEX])
    source = st.builds(
        Source, kind, STEPS.filter(lambda t: t.lower() != "@all_docs"), st.just(alias)
    )
    return Query(
        source=draw(source | st.just(Source(SourceKind.ALL_DOCUMENTS, "@all_docs", alias))),
        functions=draw(st.sampled_from([(), (Function("f", "function f(a, b) { return '}'; }"),)])),
        group_by=tuple(keys),
        where=draw(where),
        order_by=draw(
            st.lists(
                st.builds(Ordering, orders, st.sampled_from(OrderingKind), st.booleans()),
                max_size=2,
            ).map(tuple)
        ),
        loads=tuple(loads),
        filter=draw(where),
        select=None
        if update
        else draw(st.none() | st.builds(SelectFields, fields, st.booleans()) | scripts),
        includes=draw(st.lists(includes, max_size=2).map(tuple)),
        page=draw(st.builds(Page, *[st.none() | VALUES] * 3)),
        update=update,
    )


@given(queries())
@settings(max_examples=300, deadline=None)
def test_a_printed_tree_is_parsed_to_itself(query: Query) -> None:
    assert parse(printed(query)) == query


PIECES = [
    *("from", "index", "where", "order", "by", "group", "load", "select", "include", "limit"),
    *("declare function f", "update", "filter", "distinct", "as", "and", "or", "not", "in", "all"),
    *("between", "(", ")", "{", "}", "[", "]", "'", '"', "`", "${", "/", "//", "/*", "*/", "\\"),
    *("=", "!=", "<", "$p", "id()", "exists", "search", "facet", "Users", "a.b[]", "'x'", "1.5"),
    *(",", ".", "\n", "\0", "é", "null", "timeseries(from"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join) | st.text(max_size=60))
@settings(max_examples=500, deadline=None)
def test_any_text_is_a_query_or_an_error_with_a_place(text: str) -> None:
    try:
        parse(text)
    except RqlError as error:
        assert 1 <= error.line <= text.count("\n") + 1
        assert 1 <= error.column <= len(text) + 1


LONG = {
    "values": "from a where b in (" + ",".join(["'x'"] * 40_000) + ")",
    "joined": "from a where " + " or ".join(["b = 1"] * 20_000),
    "negations": "from a where " + "not " * 50_000 + "b = 1",
    "opened": "from a where " + "(" * 200_000,
    "objects": "from a select " + "{" * 200_000,
    "templates": "from a select {" + "`${" * 80_000,
    "one-name": "from a where " + "a" * 200_000 + "'",
    "classes": "from a select { " + "/a[/" * 60_000,
    "comments": "from a /*" + "/*" * 100_000,
    "steps": "from a where " + "b." * 100_000 + "c = 1",
}


@pytest.mark.parametrize("name", LONG)
def test_the_longest_texts_take_little_time(name: str) -> None:
    began = time.process_time()
    try:
        parse(LONG[name])
    except RqlError:
        pass
    assert time.process_time() - began < 5.0
