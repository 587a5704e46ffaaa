"""What official clients write, and what it says."""

import pytest

from quoth_node.rql import (
    Aggregate,
    AggregateKind,
    And,
    Between,
    Boost,
    Called,
    Comparison,
    Condition,
    DocumentId,
    Everything,
    Exact,
    Exists,
    FieldPath,
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
    Operator,
    Or,
    Ordering,
    OrderingKind,
    Page,
    Parameter,
    PathStep,
    Proximity,
    Random,
    RqlError,
    Score,
    Search,
    SelectFields,
    SelectItem,
    SelectScript,
    Source,
    SourceKind,
    Unsupported,
    parse,
)


def at(*names: str, alias: str | None = None) -> FieldPath:
    """A path; a name that ends in `[]` goes through an array."""
    steps = (PathStep(name.removesuffix("[]"), name.endswith("[]")) for name in names)
    return FieldPath(tuple(steps), alias)


def equal(name: str, parameter: str) -> Comparison:
    return Comparison(at(name), Operator.EQUAL, Parameter(parameter))


P0, P1 = Parameter("p0"), Parameter("p1")
NAME, AGE = at("name"), at("age")

SOURCES = {
    "from 'Users'": Source(SourceKind.COLLECTION, "Users"),
    "from Users": Source(SourceKind.COLLECTION, "Users"),
    "FROM Users AS u": Source(SourceKind.COLLECTION, "Users", "u"),
    "from Users u": Source(SourceKind.COLLECTION, "Users", "u"),
    "from index 'Users/ByName'": Source(SourceKind.INDEX, "Users/ByName"),
    "from '@all_docs'": Source(SourceKind.ALL_DOCUMENTS, "@all_docs"),
    "from @all_docs as d": Source(SourceKind.ALL_DOCUMENTS, "@all_docs", "d"),
    r"from 'Us\'ers'": Source(SourceKind.COLLECTION, "Us'ers"),
}
CONDITIONS: dict[str, Condition] = {
    "name = $p0": equal("name", "p0"),
    "name == $p0": equal("name", "p0"),
    "u.name = $p0": Comparison(at("name", alias="u"), Operator.EQUAL, P0),
    "name != $p0": Comparison(NAME, Operator.NOT_EQUAL, P0),
    "exact(name = $p0)": Exact(equal("name", "p0")),
    "name > $p0": Comparison(NAME, Operator.GREATER, P0),
    "name >= $p0": Comparison(NAME, Operator.GREATER_OR_EQUAL, P0),
    "name < $p0": Comparison(NAME, Operator.LESS, P0),
    "name <= $p0": Comparison(NAME, Operator.LESS_OR_EQUAL, P0),
    "5 < age": Comparison(AGE, Operator.GREATER, Literal(5)),
    "id() = $p0": Comparison(DocumentId(), Operator.EQUAL, P0),
    "id(u) = $p0": Comparison(DocumentId(), Operator.EQUAL, P0),
    "'first name' = $p0": Comparison(at("first name"), Operator.EQUAL, P0),
    "address.city = $p0": Comparison(at("address", "city"), Operator.EQUAL, P0),
    "tags[].name = $p1": Comparison(at("tags[]", "name"), Operator.EQUAL, P1),
    "@metadata.@x = 'a'": Comparison(at("@metadata", "@x"), Operator.EQUAL, Literal("a")),
    "order = null": Comparison(at("order"), Operator.EQUAL, Literal(None)),
    "name in ($p0)": In(NAME, (P0,)),
    "tags all in ($p0)": In(at("tags"), (P0,), is_all=True),
    "name not in ('a', 2)": Not(In(NAME, (Literal("a"), Literal(2)))),
    "true": Everything(),
    "exists(id())": Everything(),
    "age between $p0 and $p1 and true": And((Between(AGE, P0, P1), Everything())),
    "startsWith(name, $p0)": Match(Matching.STARTS_WITH, NAME, P0),
    "startsWith(id(), $p0)": Match(Matching.STARTS_WITH, DocumentId(), P0),
    "endsWith(name, $p0)": Match(Matching.ENDS_WITH, NAME, P0),
    "exists(name)": Exists(NAME),
    "regex(name, $p0)": Match(Matching.REGEX, NAME, P0),
    "lucene(name, $p0)": Match(Matching.LUCENE, NAME, P0),
    "exact(lucene(name, $p0))": Exact(Match(Matching.LUCENE, NAME, P0)),
    "search(name, $p0)": Search(NAME, P0),
    "search(name, $p0, and)": Search(NAME, P0, is_all=True),
    "boost(a = $p0, 2)": Boost(equal("a", "p0"), Literal(2)),
    "fuzzy(a = $p0, 0.5)": Fuzzy(equal("a", "p0"), Literal(0.5)),
    "proximity(search(a, $p0), 5)": Proximity(Search(at("a"), P0), Literal(5)),
    "a = $p0 or b = $p1 and c = $p2": Or(
        (equal("a", "p0"), And((equal("b", "p1"), equal("c", "p2"))))
    ),
    "(a = $p0 or b = $p1) and c = $p2": And(
        (Or((equal("a", "p0"), equal("b", "p1"))), equal("c", "p2"))
    ),
    "(a = $p0 and b = $p1) and c = $p2": And(
        (equal("a", "p0"), equal("b", "p1"), equal("c", "p2"))
    ),
    "NOT a = $p0 AND not not b = $p1": And((Not(equal("a", "p0")), equal("b", "p1"))),
    "intersect(a = $p0, b = $p1)": Intersect((equal("a", "p0"), equal("b", "p1"))),
}
ORDERS = {
    "name": Ordering(NAME),
    "name desc": Ordering(NAME, is_descending=True),
    "name ascending": Ordering(NAME),
    "age as long": Ordering(AGE, OrderingKind.LONG),
    "age as double desc": Ordering(AGE, OrderingKind.DOUBLE, is_descending=True),
    "age as alphaNumeric": Ordering(AGE, OrderingKind.ALPHANUMERIC),
    "score()": Ordering(Score()),
    "score() desc": Ordering(Score(), is_descending=True),
    "random()": Ordering(Random()),
    "random('abc')": Ordering(Random("abc")),
    "id()": Ordering(DocumentId()),
}
PAGES = {
    "limit $p0, $p1": Page(P0, P1),
    "limit 5": Page(take=Literal(5)),
    "limit 0,2": Page(Literal(0), Literal(2)),
    "limit 2 offset 5": Page(Literal(5), Literal(2)),
    "offset 5": Page(Literal(5)),
    "filter_limit 100": Page(scan=Literal(100)),
    "limit 1 filter_limit $p0": Page(take=Literal(1), scan=P0),
}
SELECTS = {
    "name": SelectFields((SelectItem(NAME),)),
    "name, age": SelectFields((SelectItem(NAME), SelectItem(AGE))),
    "distinct name": SelectFields((SelectItem(NAME),), is_distinct=True),
    "u.name as Name, age as 'The Age'": SelectFields(
        (SelectItem(at("name", alias="u"), "Name"), SelectItem(AGE, "The Age"))
    ),
    "id() as Id": SelectFields((SelectItem(DocumentId(), "Id"),)),
    "id(b)": SelectFields((SelectItem(DocumentId("b")),)),
    "u": SelectFields((SelectItem(FieldPath((), "u")),)),
    "b.name": SelectFields((SelectItem(at("name", alias="b")),)),
    "name, @metadata.@nested-object-types as __TYPES__": SelectFields(
        (SelectItem(NAME), SelectItem(at("@metadata", "@nested-object-types"), "__TYPES__"))
    ),
    "{ Name: u.name + '}' }": SelectScript("({ Name: u.name + '}' })"),
    "project(u, $p0)": SelectScript("project(u, $p0)"),
}
INCLUDES = {
    "boss": Include(IncludeKind.DOCUMENTS, at("boss")),
    "'lines[].product'": Include(IncludeKind.DOCUMENTS, at("lines[]", "product")),
    "u.boss": Include(IncludeKind.DOCUMENTS, at("boss", alias="u")),
    "cmpxchg('cx')": Include(IncludeKind.COMPARE_EXCHANGE, at("cx")),
    "timings()": Include(IncludeKind.TIMINGS),
    "explanations()": Include(IncludeKind.EXPLANATIONS),
    "explanations($p0)": Include(IncludeKind.EXPLANATIONS, P0),
}
FEATURES = {
    "order by custom(age, 'MySorter')": "custom sorters",
    "order by spatial.distance(coord, spatial.point($p0, $p1))": "spatial queries",
    "where spatial.within(coord, spatial.circle($p0, $p1, $p2))": "spatial queries",
    "where spatial.within(spatial.point(lat, lng), spatial.wkt($p0))": "spatial queries",
    "where moreLikeThis(id() = $p1, $p0)": "moreLikeThis queries",
    "where vector.search(emb, $p0)": "vector searches",
    "where name = cmpxchg('x')": "compare-exchange values in conditions",
    "include counters()": "counters",
    "include boss,counters('likes'),timings()": "counters",
    "include timeseries('hr', null,null)": "time series",
    "include highlight(name,128,2,$p0)": "highlightings",
    "include revisions($p0)": "revisions",
    "select facet(name, sum(total), avg(total))": "facets",
    "select facet(cost < $p0, cost >= $p1)": "facets",
    "select facet(id('facets/X'))": "facets",
    "select suggest(name, $p0, $p1)": "suggestions",
    "select timeseries(from HeartRate between $s and $e) as x": "time series",
    "select counter('likes')": "counters",
}


@pytest.mark.parametrize("text", SOURCES)
def test_a_query_is_from_a_source(text: str) -> None:
    assert parse(text).source == SOURCES[text]


@pytest.mark.parametrize("text", CONDITIONS)
def test_a_condition_says(text: str) -> None:
    assert parse(f"from 'Users' as u where {text}").where == CONDITIONS[text]


@pytest.mark.parametrize("text", ORDERS)
def test_an_order_says(text: str) -> None:
    found = parse(f"from 'Users' order by {text}, x").order_by
    assert found == (ORDERS[text], Ordering(at("x")))


@pytest.mark.parametrize("text", PAGES)
def test_a_page_says(text: str) -> None:
    assert parse(f"from 'Users' {text}").page == PAGES[text]


@pytest.mark.parametrize("text", SELECTS)
def test_a_selection_says(text: str) -> None:
    declared = "declare function project(u, p) { return {}; }"
    query = parse(f"{declared} from 'Users' as u load u.boss as b select {text}")
    assert query.select == SELECTS[text]


@pytest.mark.parametrize("text", INCLUDES)
def test_an_include_says(text: str) -> None:
    assert parse(f"from 'Users' as u include {text}").includes == (INCLUDES[text],)


@pytest.mark.parametrize("text", FEATURES)
def test_what_is_not_supported_has_a_name_and_a_place(text: str) -> None:
    unsupported = parse(f"from 'Users' {text}").unsupported
    assert unsupported == (Unsupported(FEATURES[text]),)
    assert unsupported[0].position.column > len("from 'Users' ")


def test_groups_have_keys_and_sums() -> None:
    query = parse("from Users group by name, age select name as 'N', sum(age) as total, count()")
    assert query.group_by == (GroupKey(NAME), GroupKey(AGE))
    assert query.select == SelectFields(
        (
            SelectItem(NAME, "N"),
            SelectItem(Aggregate(AggregateKind.SUM, AGE), "total"),
            SelectItem(Aggregate(AggregateKind.COUNT)),
        )
    )
    named = parse("from Users group by address.city as c, array(tags) as t select c, t as Tags")
    assert named.select == SelectFields(
        (SelectItem(at("address", "city"), "c"), SelectItem(at("tags"), "Tags"))
    )
    arrays = parse("from Users group by Array(tags), lines[].product select key()")
    assert arrays.group_by == (GroupKey(at("tags"), True), GroupKey(at("lines[]", "product")))


def test_documents_are_loaded_by_one_id_or_by_several() -> None:
    query = parse("from Users as u load u.boss as b, u.friends as f[]")
    assert query.loads == (
        Load(at("boss", alias="u"), "b"),
        Load(at("friends", alias="u"), "f", is_array=True),
    )


def test_scripts_are_taken_as_they_are() -> None:
    body = " /* } */ return a / 2 + '}' + `${ {b: '`'}.b }}` + /[/}]}/.source; // }\n"
    query = parse(f"declare function f(a, b) {{{body}}} from Users update {{{body}}}")
    assert [function.text for function in query.functions] == [f"function f(a, b) {{{body}}}"]
    assert query.update is not None and query.update.text == body
    assert query.source.position.line == 2, "a blanked script keeps its lines"


def test_a_filter_may_compare_fields() -> None:
    query = parse("from Users where a = 1 filter name = age filter_limit 5")
    assert query.filter == Comparison(NAME, Operator.EQUAL, AGE)


def test_a_filter_may_ask_declared_functions() -> None:
    query = parse("declare function f(u, x) { } from Users as u filter not f(u, $p0) and true")
    assert query.filter == And((Not(Called("f(u, $p0)")), Everything()))
    with pytest.raises(RqlError, match="There is no function f for conditions"):
        parse("declare function f(u) { } from Users as u where f(u)")
