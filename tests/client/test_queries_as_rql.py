"""Queries are written as the official client writes them: text and parameters, side by side."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
import ravendb
from ravendb.documents.conventions import DocumentConventions
from ravendb.documents.queries.facets import builders as official_facets
from ravendb.documents.queries.facets import definitions as official_facet_kinds
from ravendb.documents.queries.facets import misc as official_facet_options
from ravendb.documents.queries.more_like_this import MoreLikeThisOptions
from ravendb.documents.queries.spatial import PointField, WktField
from ravendb.documents.queries.suggestions import SuggestionOptions
from ravendb.documents.session.query import DocumentQuery as OfficialQuery
from ravendb.extensions.json_extensions import JsonExtensions
from ravendb.tools.utils import Utils

import quoth
from quoth.core import SessionCore
from quoth.events import Events
from quoth.hilo import HiLo
from quoth.queries import more_like_this as our_likeness


class Size(Enum):
    SMALL = "small"


@dataclass
class User:
    name: str = ""
    age: int = 0
    Id: str | None = None


class OfficialSession:
    """As much of a session as a query is written with."""

    no_tracking = False

    def __init__(self) -> None:
        self.conventions = DocumentConventions()
        self.advanced = self
        self.request_executor = None


@dataclass(frozen=True)
class Words:
    """The names that both clients have, so that one story is told with each."""

    of: Any
    PointField: Any
    WktField: Any
    RangeBuilder: Any
    Facet: Any
    RangeFacet: Any
    FacetOptions: Any
    MoreLikeThisOptions: Any
    SuggestionOptions: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.of, name)


OFFICIAL = Words(
    ravendb,
    PointField,
    WktField,
    official_facets.RangeBuilder,
    official_facet_kinds.Facet,
    official_facet_kinds.RangeFacet,
    official_facet_options.FacetOptions,
    MoreLikeThisOptions,
    SuggestionOptions,
)
OURS = Words(
    quoth,
    quoth.PointField,
    quoth.WktField,
    quoth.RangeBuilder,
    quoth.Facet,
    quoth.RangeFacet,
    quoth.FacetOptions,
    our_likeness.MoreLikeThisOptions,
    quoth.SuggestionOptions,
)
Story = Callable[[Any, Any], Any]
WHEN = datetime(2026, 1, 2, 3, 4, 5, 678)


def ours(story: Story, **source: Any) -> dict[str, Any]:
    """What our client would send."""
    core = SessionCore(quoth.SessionOptions(database="shop"), quoth.Conventions(), HiLo(), Events())
    session = quoth.Session(core, None)  # type: ignore[arg-type]
    query = session.document_query(**source) if source else session.query(object_type=User)
    built = story(query, OURS)
    draft = built._draft
    return json.loads(json.dumps(draft.index_query().to_json()))  # type: ignore[no-any-return]


def theirs(story: Story, **source: Any) -> dict[str, Any]:
    """What the official client would send."""
    index, collection = source.get("index_name"), source.get("collection_name")
    if not source:
        collection = "Users"
    kind = source.get("object_type", User)
    session: Any = OfficialSession()
    query = OfficialQuery(kind, session, index, collection, source.get("is_map_reduce", False))
    built: Any = story(query, OFFICIAL)
    source_query: Any = getattr(built, "_AggregationDocumentQuery__source", built)
    source_query = getattr(source_query, "_SuggestionDocumentQuery__source", source_query)
    wire = JsonExtensions.write_index_query(session.conventions, source_query.index_query)
    return json.loads(json.dumps(wire, default=Utils.json_default))  # type: ignore[no-any-return]


EQUAL: list[Story] = [
    lambda q, w: q,
    # Comparing.
    lambda q, w: q.where_equals("name", "Ann"),
    lambda q, w: q.where_equals("name", "Ann", True),
    lambda q, w: q.where_equals("name", None),
    lambda q, w: q.where_equals("name", ""),
    lambda q, w: q.where_equals("Id", "users/1"),
    lambda q, w: q.where_equals("id()", "users/1"),
    lambda q, w: q.where_equals("first name", "Ann"),
    lambda q, w: q.where_equals("address.city", "Rome"),
    lambda q, w: q.where_equals("tags[].name", "a"),
    lambda q, w: q.where_equals("order", 1),
    lambda q, w: q.where_equals("1st", 1),
    lambda q, w: q.where_equals("@metadata.@collection", "Users"),
    lambda q, w: q.where_equals("born", WHEN),
    lambda q, w: q.where_equals("size", Size.SMALL),
    lambda q, w: q.where_equals("rate", 1.5),
    lambda q, w: q.where_equals("left", True),
    lambda q, w: q.where_not_equals("name", "Ann"),
    lambda q, w: q.where_not_equals("name", "Ann", True),
    lambda q, w: q.where_not_none("name"),
    lambda q, w: q.where(name="Ann", age=[1, 2]),
    lambda q, w: q.where(True, name="Ann"),
    lambda q, w: q.where_in("name", ["Ann", "Bo"]),
    lambda q, w: q.where_in("name", ["Ann", ["Bo", "Cy"]]),
    lambda q, w: q.contains_any("tags", ["a", "b"]),
    lambda q, w: q.contains_all("tags", ["a", "b"]),
    lambda q, w: q.contains_all("tags", []),
    lambda q, w: q.where_between("age", 1, 9),
    lambda q, w: q.where_between("age", None, None),
    lambda q, w: q.where_between("name", "a", "b", True),
    lambda q, w: q.where_greater_than("age", 1),
    lambda q, w: q.where_greater_than("age", None),
    lambda q, w: q.where_greater_than_or_equal("age", 1),
    lambda q, w: q.where_less_than("age", None),
    lambda q, w: q.where_less_than_or_equal("age", 1, True),
    lambda q, w: q.where_exists("age"),
    lambda q, w: q.where_less_than("due", w.RavenDocumentQuery.now()),
    lambda q, w: q.where_less_than("due", w.RavenDocumentQuery.now("-1d")),
    lambda q, w: q.where_equals("due", w.RavenDocumentQuery.today()),
    lambda q, w: q.where_not_equals("key", w.RavenDocumentQuery.cmp_xchg("k")),
    # Text.
    lambda q, w: q.where_starts_with("name", "A"),
    lambda q, w: q.where_starts_with("name", "A", True),
    lambda q, w: q.where_ends_with("name", "n"),
    lambda q, w: q.where_regex("name", "^a"),
    lambda q, w: q.where_lucene("name", "ann* OR bo"),
    lambda q, w: q.where_lucene("name", "ann", True),
    lambda q, w: q.search("name", "ann bo"),
    lambda q, w: q.search("name", "ann bo", w.SearchOperator.AND),
    lambda q, w: q.search("name", "ann", w.SearchOperator.OR).where_equals("age", 1),
    lambda q, w: q.search("name", "ann").where_equals("age", 1),
    # Joining.
    lambda q, w: q.where_equals("a", 1).or_else().where_equals("b", 2).where_equals("c", 3),
    lambda q, w: (
        q.open_subclause()
        .where_equals("a", 1)
        .or_else()
        .where_equals("b", 2)
        .close_subclause()
        .and_also()
        .where_equals("c", 3)
    ),
    lambda q, w: q.where_equals("a", 1).and_also(True).where_equals("b", 2),
    lambda q, w: q.and_also().where_equals("a", 1),
    lambda q, w: q.or_else().where_equals("a", 1),
    lambda q, w: (
        q.using_default_operator(w.QueryOperator.OR).where_equals("a", 1).where_equals("b", 2)
    ),
    lambda q, w: q.not_().where_equals("a", 1),
    lambda q, w: q.not_().where_in("a", [1]),
    lambda q, w: q.where_equals("b", 2).not_().where_starts_with("a", "x"),
    lambda q, w: q.not_().where_exists("a"),
    lambda q, w: q.not_().open_subclause().where_equals("a", 1).close_subclause(),
    lambda q, w: q.negate_next().negate_next().where_in("a", [1]),
    lambda q, w: q.not_().contains_all("a", []),
    lambda q, w: q.where_equals("a", 1).intersect().where_equals("b", 2).order_by("a"),
    # Weighing.
    lambda q, w: q.where_equals("a", 1).boost(2),
    lambda q, w: q.where_equals("a", 1).boost(1),
    lambda q, w: q.where_equals("a", 1).fuzzy(0.5),
    lambda q, w: q.search("a", "x y").proximity(5).boost(1.5),
    lambda q, w: (
        q.open_subclause().where_equals("a", 1).where_equals("b", 2).close_subclause().boost(3)
    ),
    # Places.
    lambda q, w: q.spatial("at", lambda f: f.within_radius(5, 1.5, 2)),
    lambda q, w: q.spatial("at", lambda f: f.within_radius(5, 1, 2, w.SpatialUnits.MILES)),
    lambda q, w: q.spatial("at", lambda f: f.within("POINT(1 2)", None, 0.1)),
    lambda q, w: q.spatial("at", lambda f: f.contains("POINT(1 2)", w.SpatialUnits.KILOMETERS)),
    lambda q, w: q.spatial("at", lambda f: f.disjoint("POINT(1 2)")),
    lambda q, w: q.spatial("at", lambda f: f.intersects("POINT(1 2)")),
    lambda q, w: q.spatial(w.PointField("lat", "long side"), lambda f: f.within("X")),
    lambda q, w: q.not_().spatial(w.WktField("shape"), lambda f: f.within("X")),
    lambda q, w: q.within_radius_of("at", 5, 1, 2),
    lambda q, w: q.not_().within_radius_of("at", 5, 1, 2, w.SpatialUnits.KILOMETERS, 0.5),
    lambda q, w: q.relates_to_shape("at", "X", w.SpatialRelation.CONTAINS),
    lambda q, w: q.relates_to_shape("at", "X", w.SpatialRelation.WITHIN, w.SpatialUnits.MILES),
    lambda q, w: q.order_by_distance("at", 1, 2),
    lambda q, w: q.order_by_distance("at", 1, 2, 10),
    lambda q, w: q.order_by_distance(w.PointField("lat", "lng").round_to(5), 1, 2),
    lambda q, w: q.order_by_distance_descending(w.PointField("lat", "lng"), 1, 2),
    lambda q, w: q.order_by_distance_wkt(w.WktField("shape"), "X"),
    lambda q, w: q.order_by_distance_descending_wkt(w.WktField("shape").round_to(2), "X"),
    # Order and pages.
    lambda q, w: q.order_by("name").order_by_descending("age", w.OrderingType.LONG),
    lambda q, w: q.order_by("a", w.OrderingType.FLOAT).order_by("b", w.OrderingType.ALPHA_NUMERIC),
    lambda q, w: q.order_by("name", "MySorter").order_by_descending("Id", "Other"),
    lambda q, w: q.order_by("name", w.OrderingType.STRING, w.NullsOrdering.LAST),
    lambda q, w: q.order_by_descending("name", nulls=w.NullsOrdering.FIRST),
    lambda q, w: q.add_order("name", True).add_order("group", False, w.OrderingType.LONG),
    lambda q, w: q.order_by_score().order_by_score_descending(),
    lambda q, w: q.random_ordering(),
    lambda q, w: q.random_ordering("abc"),
    lambda q, w: q.skip(2).take(5),
    lambda q, w: q.skip(2),
    lambda q, w: q.take(0),
    lambda q, w: q.where_equals("a", 1).take(3),
    # Groups.
    lambda q, w: q.group_by("name").select_key().select_count(),
    lambda q, w: q.group_by("name").select_key("name", "N").select_count(None),
    lambda q, w: q.group_by("name", "age").select_key("name").select_sum(w.GroupByField("cost")),
    lambda q, w: q.group_by("a").select_sum(w.GroupByField("b", "B"), w.GroupByField("c", "C")),
    lambda q, w: q.group_by(w.GroupBy.array("tags")).select_key(None, "tags").select_count("n"),
    lambda q, w: q.group_by("Id").select_count().where_equals("Id", 1).order_by("count"),
    # What is selected.
    lambda q, w: q.select_fields(User),
    lambda q, w: q.select_fields(User, "name", "Id"),
    lambda q, w: q.select_fields(str, "name"),
    lambda q, w: q.where_equals("a", 1).select_fields(User, "name").distinct().take(2),
    lambda q, w: q.distinct().select_fields(User, "name", "order"),
    lambda q, w: q.select_fields(User, "name").select_fields(User, "age"),
    lambda q, w: q.select_fields(
        User, "name", projection_behavior=w.ProjectionBehavior.FROM_DOCUMENT
    ),
    lambda q, w: q.select_fields_query_data(User, w.QueryData(["a", "b.c"], ["A", "B"])),
    lambda q, w: q.select_fields_query_data(
        User, w.QueryData.custom_function("u", "{ Name: u.name }")
    ),
    lambda q, w: q.of_type(User).where_equals("name", 1),
    # What comes along.
    lambda q, w: q.include("boss"),
    lambda q, w: q.include("first boss"),
    lambda q, w: q.include(lambda b: b.include_documents("boss")),
    lambda q, w: q.include(lambda b: b.include_compare_exchange_value("key")),
    lambda q, w: q.highlight("name", 128, 2, lambda h: None),
    lambda q, w: q.highlight("name", 128, 2, lambda h: None, w.HighlightingOptions("g", ["<"])),
    lambda q, w: q.include_explanations(None, lambda e: None),
    lambda q, w: q.include_explanations(w.ExplanationOptions("g"), lambda e: None),
    lambda q, w: q.include("boss").timings(lambda t: None),
    # Alike.
    lambda q, w: q.more_like_this(
        lambda m: m.using_document(lambda d: d.where_equals("id()", "u/1")).with_options(
            w.MoreLikeThisOptions(minimum_term_frequency=1, fields=["body"])
        )
    ),
    lambda q, w: q.where_equals("a", 1).more_like_this(lambda m: m.using_document('{"a":1}')),
    # Facets.
    lambda q, w: q.aggregate_by(lambda f: f.by_field("name")),
    lambda q, w: q.where_equals("a", 1).aggregate_by(lambda f: f.by_field("name").sum_on("age")),
    lambda q, w: q.aggregate_by(lambda f: f.by_field("update").average_on("age", "years")),
    lambda q, w: q.aggregate_by(lambda f: f.all_results().max_on("age").min_on("age")),
    lambda q, w: q.aggregate_by(lambda f: f.by_field("name").with_display_name("N")),
    lambda q, w: q.aggregate_by(
        lambda f: f.by_ranges(
            w.RangeBuilder.for_path("age").is_less_than(5),
            w.RangeBuilder.for_path("age").is_greater_than_or_equal_to(5).is_less_than(9),
        )
    ).and_aggregate_by(lambda f: f.by_field("name").with_options(w.FacetOptions())),
    lambda q, w: q.aggregate_by_facets([w.Facet("name"), w.Facet("age")]),
    lambda q, w: q.aggregate_using("facets/1"),
    # Words.
    lambda q, w: q.suggest_using(lambda s: s.by_field("name", "oern")),
    lambda q, w: q.suggest_using(
        lambda s: (
            s.by_field("name", ["a", "b"])
            .with_display_name("N")
            .with_options(w.SuggestionOptions(accuracy=0.4))
        )
    ).and_suggest_using(lambda s: s.by_field("city", "rmoe")),
    # How it is asked.
    lambda q, w: q.add_parameter("$x", WHEN).no_caching().no_tracking(),
    lambda q, w: q.add_parameter("x", timedelta(days=1, seconds=1)),
    lambda q, w: q.wait_for_non_stale_results(),
    lambda q, w: q.wait_for_non_stale_results(timedelta(minutes=1)),
]


@pytest.mark.parametrize("story", EQUAL, ids=range(len(EQUAL)))
def test_both_clients_write_the_same(story: Story) -> None:
    assert ours(story) == theirs(story)


@pytest.mark.parametrize(
    "source",
    [
        {"index_name": "Users/ByName", "object_type": User},
        {"index_name": "Users/Counted", "object_type": User, "is_map_reduce": True},
        {"collection_name": "Us'ers", "object_type": User},
        {"collection_name": "@all_docs", "object_type": dict},
    ],
)
def test_both_clients_name_the_same_source(source: dict[str, Any]) -> None:
    def by_id(query: Any, words: Any) -> Any:
        return query.where_equals("Id", "users/1")

    assert ours(by_id, **source) == theirs(by_id, **source)


# Where the official client's text would be refused, or would find something else.
BETTER: list[tuple[Story, str, dict[str, Any]]] = [
    # It forgets `exact`.
    (
        lambda q, w: q.where_in("name", ["Ann"], True),
        "from 'Users' where exact(name in ($p0))",
        {"p0": ["Ann"]},
    ),
    # It forgets the operator after `true`, and after moreLikeThis all that follows is part of it.
    (
        lambda q, w: q.contains_all("tags", []).where_equals("a", 1),
        "from 'Users' where true and a = $p0",
        {"p0": 1},
    ),
    (
        lambda q, w: q.more_like_this(
            lambda m: m.using_document(lambda d: d.where_equals("id()", "u/1"))
        ).where_equals("a", 1),
        "from 'Users' where moreLikeThis(id() = $p0) and a = $p1",
        {"p0": "u/1", "p1": 1},
    ),
    # It fails with a TypeError.
    (
        lambda q, w: q.not_().where_not_equals("a", 1),
        "from 'Users' where a = $p0",
        {"p0": 1},
    ),
    # It gives the wrong bracket the weight.
    (
        lambda q, w: (
            q.open_subclause()
            .where_equals("a", 1)
            .or_else()
            .open_subclause()
            .where_equals("b", 2)
            .close_subclause()
            .close_subclause()
            .boost(2)
        ),
        "from 'Users' where boost(a = $p0 or (b = $p1), $p2)",
        {"p0": 1, "p1": 2, "p2": 2},
    ),
    # It sends a rounding of null, or the name of a parameter as one.
    (
        lambda q, w: q.order_by_distance_wkt("at", "X"),
        "from 'Users' order by spatial.distance(at, spatial.wkt($p0))",
        {"p0": "X"},
    ),
    (
        lambda q, w: q.order_by_distance_descending("at", 1, 2, 10),
        "from 'Users' order by spatial.distance(at, spatial.point($p1, $p2), $p0) desc",
        {"p0": 10, "p1": 1, "p2": 2},
    ),
    # It forgets `distinct`.
    (lambda q, w: q.distinct(), "from 'Users' select distinct *", {}),
    # It does not quote these.
    (
        lambda q, w: q.where_equals("o'brien", 1),
        "from 'Users' where 'o\\'brien' = $p0",
        {"p0": 1},
    ),
    (
        lambda q, w: q.select_fields(User, "first name"),
        "from 'Users' select 'first name'",
        {},
    ),
    (
        lambda q, w: q.select_fields_query_data(User, w.QueryData(["a"], ["order"])),
        "from 'Users' select a as 'order'",
        {},
    ),
    (
        lambda q, w: q.where_equals("a' or 'b", 1),
        "from 'Users' where 'a\\' or \\'b' = $p0",
        {"p0": 1},
    ),
    # It writes `declare timeseries`.
    (
        lambda q, w: q.select_fields_query_data(
            User,
            w.QueryData(
                ["f(u, b)"],
                from_alias="u",
                declare_tokens=[w.DeclareToken.create_function("f", "return 1", "u, b")],
                load_tokens=[w.LoadToken.create("u.boss", "b")],
                is_custom_function=True,
            ),
        ),
        "declare function f(u, b) {\nreturn 1\n}\nfrom 'Users' as u load u.boss as b"
        " select f(u, b)",
        {},
    ),
    # Its facets take sums in no certain order.
    (
        lambda q, w: q.aggregate_by(lambda f: f.by_field("name").sum_on("a").sum_on("b", "c d")),
        "from 'Users' select facet(name, sum(a), sum(b) as 'c d')",
        {},
    ),
    # It asks for a number of ticks, and stores a string.
    (
        lambda q, w: q.where_greater_than("took", timedelta(hours=1)),
        "from 'Users' where took > $p0",
        {"p0": "01:00:00"},
    ),
    # It leaves out the zone of a time.
    (
        lambda q, w: q.where_equals("at", WHEN.replace(tzinfo=UTC)),
        "from 'Users' where at = $p0",
        {"p0": "2026-01-02T03:04:05.0006780Z"},
    ),
    # A name never ends the call it stands in, nor is one taken for a condition or a value.
    (
        lambda q, w: q.where_exists("a)or(true"),
        "from 'Users' where exists('a)or(true')",
        {},
    ),
    (
        lambda q, w: q.where_equals("Not", 1).order_by("null").select_fields(User, "true"),
        "from 'Users' where 'Not' = $p0 order by 'null' select 'true'",
        {"p0": 1},
    ),
    (
        lambda q, w: q.group_by("distinct").select_count("or"),
        "from 'Users' group by 'distinct' select count() as 'or'",
        {},
    ),
    (
        lambda q, w: q.aggregate_by(lambda f: f.by_field("a").sum_on("b), max(c")),
        "from 'Users' select facet(a, sum('b), max(c'))",
        {},
    ),
    (
        lambda q, w: q.aggregate_by(
            lambda f: f.by_ranges(w.RangeBuilder.for_path("a < 1 or b").is_less_than(2))
        ),
        "from 'Users' select facet('a < 1 or b' < $p0)",
        {"p0": 2},
    ),
    (
        lambda q, w: q.search("a", "x").highlight("a,1,1), highlight(b", 9, 1, lambda h: None),
        "from 'Users' where search(a, $p0) include highlight('a,1,1), highlight(b',9,1)",
        {"p0": "x"},
    ),
    (
        lambda q, w: q.where_equals("cost", Decimal("1.50")),
        "from 'Users' where cost = $p0",
        {"p0": "1.50"},
    ),
]


@pytest.mark.parametrize(("story", "text", "parameters"), BETTER, ids=range(len(BETTER)))
def test_some_of_what_the_official_client_writes_is_no_model(
    story: Story, text: str, parameters: dict[str, Any]
) -> None:
    found = ours(story)
    assert (found["Query"], found["QueryParameters"]) == (text, parameters)
    try:
        assert theirs(story) != found
    except (TypeError, ValueError, AttributeError, RuntimeError):
        pass  # it cannot be asked that at all


WRONG: list[tuple[Callable[[Any], Any], str]] = [
    (lambda q: q.where_equals("a", 1).and_also().or_else(), "not after another operator"),
    (lambda q: q.open_subclause().or_else(), "not after open_subclause"),
    (lambda q: str(q.open_subclause().where_equals("a", 1)), "call close_subclause"),
    (lambda q: q.close_subclause(), "call open_subclause"),
    (lambda q: q.open_subclause().close_subclause(), "must not end before a condition"),
    (lambda q: str(q.where_equals("a", 1).or_else()), "must follow after 'or'"),
    (lambda q: str(q.not_()), "must be followed by a condition"),
    (lambda q: q.intersect(), "comes after a condition"),
    (lambda q: q.boost(2), "right after a condition"),
    (lambda q: q.where_equals("a", 1).boost(-1), "not negative"),
    (lambda q: q.where_exists("a").fuzzy(0.5), "right after where_equals"),
    (lambda q: q.where_equals("a", 1).fuzzy(2), "from 0 to 1"),
    (lambda q: q.where_equals("a", 1).proximity(2), "right after search"),
    (lambda q: q.search("a", "b c").proximity(0), "from 1"),
    (
        lambda q: q.where_equals("a", 1).using_default_operator(quoth.QueryOperator.OR),
        "before the first condition",
    ),
    (lambda q: q.order_by("a", " "), "sorter must not be empty"),
    (lambda q: q.where_equals("a", 1).boost(float("nan")), "a number that is not negative"),
    (lambda q: q.where_equals("a", 1).boost("2"), "a number that is not negative: '2'"),
    (lambda q: q.where_equals("a", 1).fuzzy(True), "from 0 to 1, not True"),
    (lambda q: q.search("a", "b c").proximity(1.5), "a whole number, not 1.5"),
    (lambda q: q.where_in("a", "Rome"), r"a collection of values, as in \['a', 'b'\], not 'Rome'"),
    (lambda q: q.where_in("a", None), "a collection of values"),
    (lambda q: q.where_greater_than("cost", Decimal("9.5")), "a Decimal is stored as text"),
    (lambda q: q.where_between("cost", 1, Decimal(2)), "cannot end at Decimal.'2'."),
    (lambda q: q.contains_any("a", "Rome"), "contains_any.. takes a collection"),
    (lambda q: q.contains_all("a", "Rome"), "contains_all.. takes a collection"),
    (lambda q: q.skip(-1), "from 0"),
    (lambda q: q.take(None), "what take.. takes is a whole number, not None"),
    (lambda q: q.take("5"), "a whole number, not '5'"),
    (lambda q: q.take(-1), "from 0"),
    (lambda q: q.add_parameter("x", 1).add_parameter("$x", 2), "already has a parameter 'x'"),
    (lambda q: q.distinct().distinct(), "distinct already"),
    (lambda q: q.include_explanations().include_explanations(), "asked for already"),
    (lambda q: q.with_tag(" "), "a text with something in it"),
    (lambda q: q.with_tag("\ud800"), "the tag of a query cannot be sent: surrogates"),
    (lambda q: q.add_parameter(5, 1), "a parameter is named by a text like 'city', not 5"),
    (lambda q: q.add_parameter("$", 1), "a parameter is named by a text"),
    (lambda q: q.wait_for_non_stale_results(timedelta(0)), "more than no time"),
    (lambda q: q.wait_for_non_stale_results(timedelta.max), "at most a day"),
    (lambda q: q.wait_for_non_stale_results(5), "wait_timeout is a timedelta, not 5"),
    (lambda q: q.where_equals("", 1), "a field is named by a string"),
    (lambda q: q.order_by(None), "a field is named by a string"),
    (lambda q: q.select_fields(dict), "name those to select"),
    (lambda q: q.select_fields(str), "name those to select"),
    (
        lambda q: q.select_fields_query_data(User, quoth.QueryData(["a", "b"], ["A"])),
        "2 fields have 1 names",
    ),
    (lambda q: q.select_fields(User, "name").aggregate_by(lambda f: None), "not both"),
    (lambda q: q.aggregate_by(lambda f: None), "say what to count"),
    (lambda q: q.aggregate_using(" "), "must not be empty"),
    (lambda q: q.where_equals("a", 1).suggest_using(lambda s: None), "not asked for together"),
    (lambda q: q.suggest_using(lambda s: s.by_field("a", [])), "which words were meant"),
    (
        lambda q: q.suggest_using(lambda s: s.by_field("a", "b")).and_suggest_using(
            lambda s: s.by_field("a", "c")
        ),
        "asked for already",
    ),
    (lambda q: q.more_like_this(lambda m: None), "say what is to be like"),
    (
        lambda q: q.aggregate_by(lambda f: f.by_ranges(quoth.RangeBuilder.for_path("a"))),
        "needs a limit",
    ),
    (lambda q: quoth.RangeBuilder("a").is_less_than(1).is_less_than(2), "upper limit already"),
]


@pytest.mark.parametrize(("story", "why"), WRONG, ids=range(len(WRONG)))
def test_what_makes_no_query_is_refused_at_once(story: Callable[[Any], Any], why: str) -> None:
    with pytest.raises(quoth.Misuse, match=why):
        ours(lambda query, words: story(query))


def test_an_index_has_places_and_groups_of_its_own() -> None:
    def near(query: Any, words: Any) -> Any:
        return query.order_by_distance(words.PointField("lat", "lng"), 1, 2)

    with pytest.raises(quoth.Misuse, match="name of a field that the index made"):
        ours(near, index_name="Users/ByName")
    with pytest.raises(quoth.Misuse, match="let the index reduce"):
        ours(lambda query, words: query.group_by("a"), index_name="Users/ByName")
    with pytest.raises(quoth.Misuse, match="name one of them"):
        ours(lambda query, words: query, index_name="A", collection_name="B")
    with pytest.raises(quoth.Misuse, match="name of the index is a text"):
        ours(lambda query, words: query, index_name=" ")


def test_writing_a_query_changes_nothing() -> None:
    def twice(query: Any, words: Any) -> Any:
        query.where_equals("a", 1).take(2)
        assert str(query) == str(query) == "from 'Users' where a = $p0 limit $p1, $p2"
        names = query.select_fields(str, "name")
        assert "select" not in str(query)
        names.where_equals("b", 2)
        assert "b = " not in str(query)
        return query

    assert ours(twice)["QueryParameters"] == {"p0": 1, "p1": 0, "p2": 2}


def test_a_value_is_taken_as_it_is_when_it_is_given() -> None:
    def change(query: Any, words: Any) -> Any:
        names = ["Ann"]
        query.where_equals("names", {"all": names})
        names.append("Bo")
        return query

    assert ours(change)["QueryParameters"] == {"p0": {"all": ["Ann"]}}


def test_parameters_of_the_user_keep_their_names() -> None:
    def mix(query: Any, words: Any) -> Any:
        return query.add_parameter("p1", "mine").where_equals("a", 1)

    found = ours(mix)
    assert found["Query"] == "from 'Users' where a = $p2"
    assert found["QueryParameters"] == {"p1": "mine", "p2": 1}
