"""Queries against a real node: one story, told by both clients where both have the same names."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import ravendb
import requests
from ravendb.documents.indexes.abstract_index_creation_tasks import AbstractIndexCreationTask

import quoth

WAIT = timedelta(seconds=30)


@dataclass
class User:
    name: str = ""
    age: int = 0
    city: str | None = None
    boss: str | None = None
    tags: list[str] = field(default_factory=list)
    born: datetime | None = None
    about: str = ""
    Id: str | None = None


@dataclass
class Shown:
    Name: str = ""
    Years: int = 0


@dataclass
class Group:
    city: str | None = None
    count: int = 0
    total: int = 0


USERS = [
    User("Ann", 40, "Rome", None, ["a", "b"], datetime(1986, 1, 2, 3, 4, 5), "likes red wine"),
    User("Bo", 9, "Rome", "users/1", ["b"], datetime(2017, 1, 1), "likes white bread"),
    User("Cy", 10, "Oslo", "users/1", [], datetime(2016, 6, 1), "red bicycle and wine"),
    User("ann", 11, None, "users/2", ["c"], None, "nothing"),
]


class Users_Found(AbstractIndexCreationTask):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.map = "from u in docs.Users select new { u.name, u.age, u.city }"


class Users_Counted(AbstractIndexCreationTask):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.map = "from u in docs.Users select new { u.city, count = 1, total = u.age }"
        self._reduce = (
            "from r in results group r by r.city into g select new"
            " { city = g.Key, count = g.Sum(x => x.count), total = g.Sum(x => x.total) }"
        )


@dataclass(frozen=True)
class Client:
    """A client's store and names."""

    names: Any
    store: Any

    @property
    def is_ours(self) -> bool:
        return bool(self.names is quoth)

    def found(self, ask: Callable[[Any], Any], kind: Any = User) -> list[Any]:
        with self.store.open_session() as session:
            return list(ask(session.query(object_type=kind)))

    def names_of(self, ask: Callable[[Any], Any]) -> list[str]:
        return [user.name for user in self.found(ask)]


@pytest.fixture(params=["quoth", "ravendb"])
def client(request: pytest.FixtureRequest, node_url: str, database: str) -> Iterator[Client]:
    with ravendb.DocumentStore([node_url], database) as official:
        official.initialize()
        with official.open_session() as session:
            for number, user in enumerate(USERS, start=1):
                session.store(User(**vars(user)), f"users/{number}")
            session.save_changes()
        if request.param == "ravendb":
            yield Client(ravendb, official)
            return
        with quoth.DocumentStore(node_url, database) as store:
            yield Client(quoth, store)


@pytest.fixture
async def store(node_url: str, database: str) -> AsyncIterator[quoth.AsyncDocumentStore]:
    async with quoth.AsyncDocumentStore(node_url, database) as opened:
        async with opened.open_session() as session:
            for number, user in enumerate(USERS, start=1):
                await session.store(User(**vars(user)), f"users/{number}")
            await session.save_changes()
        yield opened


Story = Callable[[Any, Any], Any]
FOUND: dict[str, tuple[Story, list[str]]] = {
    "all": (lambda q, w: q, ["Ann", "Bo", "Cy", "ann"]),
    "equal": (lambda q, w: q.where_equals("name", "ANN"), ["Ann", "ann"]),
    "exactly equal": (lambda q, w: q.where_equals("name", "ann", True), ["ann"]),
    "null": (lambda q, w: q.where_equals("city", None), ["ann"]),
    "unequal": (lambda q, w: q.where_not_equals("name", "ann"), ["Bo", "Cy"]),
    "not null": (lambda q, w: q.where_not_none("city"), ["Ann", "Bo", "Cy"]),
    "any of fields": (lambda q, w: q.where(name="Bo", age=[10, 11]), ["Bo", "Cy", "ann"]),
    "in": (lambda q, w: q.where_in("age", [9, [10]]), ["Bo", "Cy"]),
    "any item": (lambda q, w: q.contains_any("tags", ["a", "c"]), ["Ann", "ann"]),
    "all items": (lambda q, w: q.contains_all("tags", ["a", "b"]), ["Ann"]),
    "between": (lambda q, w: q.where_between("age", 9, 11), ["Bo", "Cy", "ann"]),
    "greater": (lambda q, w: q.where_greater_than("age", 10), ["Ann", "ann"]),
    "not smaller": (lambda q, w: q.where_greater_than_or_equal("age", 11), ["Ann", "ann"]),
    "smaller": (lambda q, w: q.where_less_than("age", 10), ["Bo"]),
    "not greater": (lambda q, w: q.where_less_than_or_equal("age", 10), ["Bo", "Cy"]),
    "there": (lambda q, w: q.where_exists("city"), ["Ann", "Bo", "Cy", "ann"]),
    "begins": (lambda q, w: q.where_starts_with("name", "a"), ["Ann", "ann"]),
    "ends": (lambda q, w: q.where_ends_with("name", "o"), ["Bo"]),
    "expression": (lambda q, w: q.where_regex("name", "^[bc]"), ["Bo", "Cy"]),
    "lucene": (lambda q, w: q.where_lucene("name", "bo"), ["Bo"]),
    "search any": (lambda q, w: q.search("about", "red bread"), ["Ann", "Bo", "Cy"]),
    "search all": (
        lambda q, w: q.search("about", "red wine", w.SearchOperator.AND),
        ["Ann", "Cy"],
    ),
    "id": (lambda q, w: q.where_equals("Id", "users/2"), ["Bo"]),
    "ids": (lambda q, w: q.where_in("Id", ["users/3", "users/9"]), ["Cy"]),
    "id begins": (lambda q, w: q.where_starts_with("Id", "users/"), ["Ann", "Bo", "Cy", "ann"]),
    "time": (lambda q, w: q.where_equals("born", datetime(2017, 1, 1)), ["Bo"]),
    "times": (lambda q, w: q.where_less_than("born", datetime(2016, 12, 31)), ["Ann", "Cy"]),
    "or": (
        lambda q, w: q.where_equals("name", "Bo").or_else().where_equals("age", 10),
        ["Bo", "Cy"],
    ),
    "brackets": (
        lambda q, w: (
            q.open_subclause()
            .where_equals("name", "Bo")
            .or_else()
            .where_equals("age", 10)
            .close_subclause()
            .and_also()
            .where_equals("city", "Oslo")
        ),
        ["Cy"],
    ),
    "wrapped": (
        lambda q, w: (
            q.where_equals("name", "Bo")
            .or_else()
            .where_equals("age", 10)
            .and_also(True)
            .where_equals("city", "Rome")
        ),
        ["Bo"],
    ),
    "default operator": (
        lambda q, w: (
            q.using_default_operator(w.QueryOperator.OR)
            .where_equals("age", 9)
            .where_equals("age", 10)
        ),
        ["Bo", "Cy"],
    ),
    "not": (lambda q, w: q.not_().where_in("age", [9, 10]), ["Ann", "ann"]),
    "and not": (
        lambda q, w: q.where_equals("city", "Rome").not_().where_starts_with("name", "b"),
        ["Ann"],
    ),
    "not in brackets": (
        lambda q, w: q.not_().open_subclause().where_equals("age", 9).close_subclause(),
        ["Ann", "Cy", "ann"],
    ),
    "intersection": (
        lambda q, w: q.where_equals("city", "Rome").intersect().where_equals("age", 9),
        ["Bo"],
    ),
    "item of a list": (lambda q, w: q.where_equals("tags[]", "b"), ["Ann", "Bo"]),
}


@pytest.mark.parametrize("case", FOUND)
def test_each_condition_finds_what_it_says(client: Client, case: str) -> None:
    ask, expected = FOUND[case]
    found = client.names_of(lambda query: ask(query, client.names).wait_for_non_stale_results(WAIT))
    assert sorted(found) == sorted(expected)


ORDERED: dict[str, tuple[Story, list[str]]] = {
    "number": (lambda q, w: q.order_by("age", w.OrderingType.LONG), ["Bo", "Cy", "ann", "Ann"]),
    "downward": (
        lambda q, w: q.order_by_descending("age", w.OrderingType.FLOAT),
        ["Ann", "ann", "Cy", "Bo"],
    ),
    "alphanumeric": (
        lambda q, w: q.order_by("age", w.OrderingType.ALPHA_NUMERIC),
        ["Bo", "Cy", "ann", "Ann"],
    ),
    "two": (
        lambda q, w: q.order_by("name").add_order("age", False, w.OrderingType.LONG),
        ["ann", "Ann", "Bo", "Cy"],
    ),
    "score": (
        lambda q, w: (
            q.where_equals("name", "Cy")
            .boost(10)
            .or_else()
            .where_equals("name", "Bo")
            .order_by_score()
        ),
        ["Cy", "Bo"],
    ),
    "lowest score": (
        lambda q, w: (
            q.where_equals("name", "Bo")
            .boost(10)
            .or_else()
            .where_equals("name", "Cy")
            .order_by_score_descending()
        ),
        ["Cy", "Bo"],
    ),
    "page": (lambda q, w: q.order_by("age", w.OrderingType.LONG).skip(1).take(2), ["Cy", "ann"]),
}


@pytest.mark.parametrize("case", ORDERED)
def test_each_order_is_kept(client: Client, case: str) -> None:
    ask, expected = ORDERED[case]
    assert client.names_of(lambda query: ask(query, client.names)) == expected


def test_random_orders_have_every_result(client: Client) -> None:
    assert sorted(client.names_of(lambda q: q.random_ordering())) == ["Ann", "Bo", "Cy", "ann"]
    one, two = (client.names_of(lambda q: q.random_ordering("seed")) for _ in range(2))
    assert one == two


def test_fields_are_selected(client: Client) -> None:
    names = client.names
    assert client.found(lambda q: q.select_fields(str, "name").take(2)) == ["Ann", "Bo"]
    data = names.QueryData(["name", "age"], ["Name", "Years"])
    found = client.found(lambda q: q.select_fields_query_data(Shown, data).take(1))
    assert found == [Shown("Ann", 40)]
    found = client.found(lambda q: q.select_fields(User, "name", "Id").skip(1).take(1))
    assert (found[0].name, found[0].age, found[0].Id) == ("Bo", 0, "users/2")
    data = names.QueryData.custom_function("u", "{ Name: u.name + '!', Years: u.age * 2 }")
    found = client.found(lambda q: q.select_fields_query_data(Shown, data).take(1))
    assert found == [Shown("Ann!", 80)]
    found = client.found(lambda q: q.where_not_none("city").select_fields(str, "city").distinct())
    assert sorted(found) == ["Oslo", "Rome"]


def test_results_are_grouped(client: Client) -> None:
    names = client.names

    def by_city(query: Any) -> Any:
        total = names.GroupByField("age", "total")
        grouped = query.group_by("city").select_key("city").select_sum(total)
        return grouped.of_type(Group).order_by("city").wait_for_non_stale_results(WAIT)

    found = {each.city: each.total for each in client.found(by_city)}
    assert found == {"Rome": 49, "Oslo": 10, None: 11}
    counted = client.found(
        lambda q: q.group_by("city").select_key(None, "city").select_count().of_type(Group)
    )
    assert {each.city: each.count for each in counted} == {"Rome": 2, "Oslo": 1, None: 1}


def test_an_index_is_queried(client: Client, node_url: str, database: str) -> None:
    with ravendb.DocumentStore([node_url], database) as official:
        official.initialize()
        Users_Found().execute(official)
        Users_Counted().execute(official)
    with client.store.open_session() as session:
        query = session.query_index("Users/Found", User).where_equals("city", "rome")
        found = list(query.wait_for_non_stale_results(WAIT).order_by("name"))
        assert [user.name for user in found] == ["Ann", "Bo"]
        assert session.advanced.is_loaded("users/1")
        query = session.query_index_type(Users_Counted, Group).where_equals("city", "Rome")
        group = query.wait_for_non_stale_results(WAIT).single()
        assert (group.city, group.count, group.total) == ("Rome", 2, 49)
        query = session.advanced.document_query_from_index_type(Users_Found, User)
        assert query.count() == 4
        missing = session.query_index("Nope", User)
        with pytest.raises(Exception, match="Nope"):
            list(missing)


def test_results_are_entities_of_the_session(client: Client) -> None:
    with client.store.open_session() as session:
        bo = session.query(object_type=User).where_equals("name", "Bo").single()
        assert session.load("users/2", User) is bo
        bo.age = 99
        session.save_changes()
    assert client.found(lambda q: q.where_equals("Id", "users/2"))[0].age == 99
    with client.store.open_session() as session:
        cy = session.query(object_type=User).no_tracking().where_equals("name", "Cy").first()
        cy.age = 98
        assert not session.advanced.has_changes()


def test_what_is_included_needs_no_request(client: Client) -> None:
    with client.store.open_session() as session:
        found = list(session.query(object_type=User).include("boss").where_equals("name", "Cy"))
        asked = session.advanced.number_of_requests
        assert session.load(found[0].boss, User).name == "Ann"
        assert session.advanced.number_of_requests == asked
    with client.store.open_session() as session:
        query = session.query(object_type=User).include(lambda b: b.include_documents("boss"))
        query.where_equals("name", "Cy").single()
        assert session.advanced.is_loaded("users/1")


def test_an_answer_tells_about_itself(client: Client) -> None:
    told: list[Any] = []
    explained: list[Any] = []
    asked: list[Any] = []
    with client.store.open_session() as session:
        query = (
            session.query(object_type=User)
            .statistics(told.append)
            .timings(told.append)
            .include_explanations(None, explained.append)
            .add_before_query_executed_listener(asked.append)
            .add_after_query_executed_listener(asked.append)
            .where_equals("name", "Bo")
            .wait_for_non_stale_results(WAIT)
            .take(1)
        )
        list(query)
    assert (told[0].total_results, told[0].is_stale) == (1, False)
    assert told[0].index_name.startswith("Auto/Users/By")
    assert told[1].duration_in_ms is not None
    assert list(explained[0].explanations) == ["users/2"]
    assert asked[0].query.startswith("from 'Users' where name = $p0")
    assert asked[1].total_results == 1


def test_raw_queries(client: Client) -> None:
    with client.store.open_session() as session:
        raw = session.advanced.raw_query("from Users where age > $age order by age as long", User)
        found = list(raw.add_parameter("age", 9).skip(1).take(1).wait_for_non_stale_results(WAIT))
        assert [user.name for user in found] == ["ann"]
        raw = session.advanced.raw_query("from Users where name = 'Bo' select name as Name", Shown)
        assert raw.first() == Shown("Bo")
        lines = (
            "declare function older(u) { return u.age + $years }\n"
            "from Users as u load u.boss as b where u.name = 'Cy'\n"
            "select { Name: b.name, Years: older(u) }"
        )
        raw = session.advanced.raw_query(lines.replace("load u.boss as b where u.name = 'Cy'",
            "where u.name = 'Cy' load u.boss as b"), Shown)  # fmt: skip
        assert raw.add_parameter("years", 5).single() == Shown("Ann", 15)


def test_lazy_queries_travel_together(client: Client) -> None:
    seen: list[Any] = []
    with client.store.open_session() as session:
        everybody = session.query(object_type=User).lazily(seen.append)
        count = session.query(object_type=User).where_equals("name", "Ann").count_lazily()
        one = session.advanced.lazily.load(["users/2"], User)
        session.advanced.eagerly.execute_all_pending_lazy_operations()
        assert session.advanced.number_of_requests == 1
        assert len(everybody.value) == 4 and len(seen) == 1
        assert count.value == 2
        assert one.value["users/2"].name == "Bo"


def test_counts_and_single_results(client: Client) -> None:
    with client.store.open_session() as session:
        assert session.query(object_type=User).count() == 4
        assert session.query(object_type=User).where_equals("name", "Ann").count() == 2
        assert session.query(object_type=User).order_by("name").first().name.lower() == "ann"
        refused = quoth.UnexpectedResults if client.is_ours else Exception
        with pytest.raises(refused):
            session.query(object_type=User).single()
        with pytest.raises(refused):
            session.query(object_type=User).where_equals("name", "Nobody").first()


def test_streams(client: Client) -> None:
    with client.store.open_session() as session:
        told: list[Any] = []
        query = session.query(object_type=User).where_greater_than("age", 9)
        list(query.wait_for_non_stale_results(WAIT))
        query = session.query(object_type=User).where_greater_than("age", 9)
        stream = session.advanced.stream_with_statistics(query, told.append)
        found = {each.key: each.document.name for each in stream}
        assert found == {"users/1": "Ann", "users/3": "Cy", "users/4": "ann"}
        assert told[0].total_results == 3
        raw = session.advanced.raw_query("from Users select name as Name", Shown)
        assert next(each.document.Name for each in session.advanced.stream(raw)) == "Ann"
        stream = session.advanced.stream_starting_with("users/", object_type=User)
        assert [each.document.age for each in stream] == [40, 9, 10, 11]


UNSUPPORTED: dict[str, Story] = {
    "highlightings": lambda q, w: q.search("about", "red").highlight("about", 9, 1, lambda h: None),
    "spatial": lambda q, w: q.spatial(w.PointField("a", "b"), lambda f: f.within_radius(1, 2, 3)),
    "distance": lambda q, w: q.order_by_distance(w.PointField("a", "b"), 1, 2),
    "moreLikeThis": lambda q, w: q.more_like_this(
        lambda m: m.using_document(lambda d: d.where_equals("id()", "users/1"))
    ),
    "facets": lambda q, w: q.aggregate_by(lambda f: f.by_field("name")).execute(),
    "suggestions": lambda q, w: q.suggest_using(lambda s: s.by_field("name", "an")).execute(),
    "custom sorters": lambda q, w: q.order_by("name", "Mine"),
}


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_what_the_node_has_not_is_refused_by_name(client: Client, case: str) -> None:
    refused = quoth.BadRequest if client.is_ours else Exception
    with pytest.raises(refused, match="not supported yet"):
        client.found(lambda query: UNSUPPORTED[case](query, client.names))


async def test_an_asynchronous_session_queries(store: quoth.AsyncDocumentStore) -> None:
    async with store.open_session() as session:
        query = session.query(object_type=User).order_by("age", quoth.OrderingType.LONG)
        names = [user.name async for user in query.wait_for_non_stale_results(WAIT)]
        assert names == ["Bo", "Cy", "ann", "Ann"]
        assert (await query.first()).name == "Bo"
        assert await query.count() == 4 and await query.any()
        nobody = session.query(object_type=User).where_equals("name", "Nobody")
        assert await nobody.first_or_none() is None and not await nobody.any()
        with pytest.raises(quoth.NoResult):
            await nobody.single()
        result = await query.get_query_result()
        assert result.total_results == 4 and result.results[0]["name"] == "Bo"
        lazy, count = query.lazily(), query.count_lazily()
        assert len(await lazy.value) == 4 and await count.value == 4
        exactly = session.query(object_type=User).where_in("name", ["ann"], True)
        assert [user.Id async for user in exactly] == ["users/4"]
        found = await session.query(object_type=User).select_fields(str, "name").to_list()
        assert sorted(found) == ["Ann", "Bo", "Cy", "ann"]


async def test_an_asynchronous_session_streams(store: quoth.AsyncDocumentStore) -> None:
    async with store.open_session() as session:
        stream = session.advanced.stream(session.query(object_type=User))
        assert [each.document.name async for each in stream] == ["Ann", "Bo", "Cy", "ann"]
        with pytest.raises(quoth.IndexDoesNotExist):
            await session.query_index("Nope", User).to_list()
        with pytest.raises(quoth.IndexDoesNotExist):
            await anext(aiter(session.advanced.stream(session.query_index("Nope"))))


@dataclass
class Job:
    took: timedelta = timedelta()
    begun: datetime | None = None
    cost: Decimal = Decimal(0)


async def test_values_are_found_as_they_are_stored(store: quoth.AsyncDocumentStore) -> None:
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    async with store.open_session() as session:
        await session.store(Job(timedelta(hours=1), begun, Decimal("1.5")), "jobs/1")
        await session.store(Job(timedelta(hours=3), begun + timedelta(days=9)), "jobs/2")
        await session.save_changes()
    async with store.open_session() as session:

        def jobs() -> quoth.AsyncDocumentQuery[Job]:
            return session.query(object_type=Job).wait_for_non_stale_results(WAIT)

        first, second = [job async for job in jobs()]
        assert await jobs().where_equals("took", timedelta(hours=1)).single() is first
        assert await jobs().where_greater_than("took", timedelta(hours=2)).single() is second
        assert await jobs().where_equals("begun", begun).single() is first
        assert await jobs().where_between("begun", begun, begun + WAIT).single() is first
        assert await jobs().where_in("cost", [Decimal("1.5")]).single() is first


async def test_values_come_along_with_results(store: quoth.AsyncDocumentStore) -> None:
    await store.send(quoth.PutCompareExchangeValueOperation("users/1", {"n": 1}, 0))
    options = quoth.SessionOptions(transaction_mode=quoth.TransactionMode.CLUSTER_WIDE)
    async with store.open_session(options) as session:
        query = session.query(object_type=User).where_equals("name", "Bo")
        await query.include(lambda also: also.include_compare_exchange_value("boss")).to_list()
        asked = session.advanced.number_of_requests
        found = await session.cluster_transaction.get_compare_exchange_value("users/1")
        assert found is not None and found.value == {"n": 1}
        assert session.advanced.number_of_requests == asked


def test_an_index_that_cannot_catch_up_is_told(node_url: str, database: str) -> None:
    base = f"{node_url}/databases/{database}"
    definition = {"Name": "Slow", "Maps": ["from u in docs.Users select new { u.name }"]}
    put = requests.put(f"{base}/admin/indexes", json={"Indexes": [definition]}, timeout=30)
    assert put.status_code == 201, put.text
    stopped = requests.post(f"{base}/admin/indexes/stop", params={"name": "Slow"}, timeout=30)
    assert stopped.status_code < 300, stopped.text
    with quoth.DocumentStore(node_url, database) as store, store.open_session() as session:
        session.store(User("Ann"), "users/1")
        session.save_changes()
        query = session.query_index("Slow", User)
        with pytest.raises(quoth.StaleResults, match="Slow had not caught up"):
            query.wait_for_non_stale_results(timedelta(milliseconds=50)).to_list()


@pytest.mark.parametrize(
    "name",
    ["not", "TRUE", "null", "and", "distinct", "Order", "a b", "it's", "1st", "名", "x)or(true"],
)
async def test_a_field_is_found_whatever_its_name(
    store: quoth.AsyncDocumentStore, name: str
) -> None:
    async with store.open_session() as session:
        await session.store({name: 7, "@metadata": {"@collection": "Odd"}}, "odd/1")
        await session.store({"other": 7, "@metadata": {"@collection": "Odd"}}, "odd/2")
        await session.save_changes()
    async with store.open_session() as session:

        def odd() -> quoth.AsyncDocumentQuery[Any]:
            return session.query_collection("Odd").wait_for_non_stale_results()

        assert await odd().where_equals(name, 7).count() == 1
        assert await odd().where_exists(name).count() == 1
        selected = odd().where_exists(name).order_by(name).select_fields(dict, name)
        assert await selected.to_list() == [{name: 7}]
