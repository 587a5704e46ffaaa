"""Queries of a session, against a cluster on paper: what is asked, and what becomes of answers."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

import orjson
import pytest

from quoth import (
    AsyncDocumentStore,
    DocumentQuery,
    DocumentStore,
    Explanations,
    FateUnknown,
    Highlightings,
    IndexDoesNotExist,
    IndexQuery,
    Lazy,
    ManyResults,
    Misuse,
    NoResult,
    Query,
    QueryResult,
    QueryStatistics,
    QueryTimings,
    RawDocumentQuery,
    SessionOptions,
    StaleResults,
    StreamQueryStatistics,
    TransactionMode,
    WrongType,
)
from quoth.events import BeforeQueryEventArgs
from tests.client.entities import Company
from tests.client.wire import Wire, document

QUOTH = document("companies/1", name="Quoth", employees=3)
NEVERMORE = document("companies/2", name="Nevermore", employees=5)


def answered(wire: Wire, *results: dict[str, Any], **more: Any) -> None:
    """The next request is a query; these are its results."""
    total = more.pop("total", len(results))
    wire.on("POST", "/queries", {"Results": results, "TotalResults": total, **more})


def projected(document_id: str, **fields: Any) -> dict[str, Any]:
    return {**fields, "@metadata": {"@id": document_id, "@projection": True}}


def grouped(**fields: Any) -> dict[str, Any]:
    return {**fields, "@metadata": {}}


@dataclass
class Card:
    name: str = ""
    city: str | None = None


async def test_results_are_entities_of_the_session(store: AsyncDocumentStore, wire: Wire) -> None:
    answered(wire, QUOTH, NEVERMORE)
    async with store.open_session() as session:
        query = session.query(object_type=Company).where_greater_than("employees", 1)
        found = [company async for company in query.order_by("name")]
        assert found[0] == Company("Quoth", 3, Id="companies/1")
        assert await session.load("companies/1", Company) is found[0]
        assert wire.asked[-1].json == {
            "Query": "from 'Companies' where employees > $p0 order by name",
            "QueryParameters": {"p0": 1},
        }
        found[1].employees = 6
        wire.saved({"Type": "PUT", "@id": "companies/2", "@change-vector": "A:9-x"})
        await session.save_changes()
        assert wire.commands[0]["Document"]["employees"] == 6


def test_a_synchronous_query_is_iterated(plain_store: DocumentStore, wire: Wire) -> None:
    answered(wire, QUOTH, NEVERMORE)
    answered(wire, QUOTH, NEVERMORE)
    with plain_store.open_session() as session:
        query = session.query(object_type=Company)
        assert [company.name for company in query] == ["Quoth", "Nevermore"]
        assert len(list(query)) == 2


async def test_what_the_session_has_already_wins(store: AsyncDocumentStore, wire: Wire) -> None:
    wire.loaded(QUOTH)
    answered(wire, document("COMPANIES/1", "A:8-x", name="Other"))
    async with store.open_session() as session:
        company = await session.load("companies/1", Company)
        assert company is not None
        company.name = "Changed"
        assert await session.query(object_type=Company).first() is company
        assert company.name == "Changed"


async def test_a_query_can_be_asked_again_and_for_other_things(
    store: AsyncDocumentStore, wire: Wire
) -> None:
    async with store.open_session() as session:
        query = session.query(object_type=Company).skip(2)
        answered(wire, QUOTH)
        assert (await query.first()).name == "Quoth"
        assert wire.asked[-1].json["PageSize"] == 1 and wire.asked[-1].json["Start"] == 2
        answered(wire, QUOTH, NEVERMORE, total=7)
        assert len(await query.to_list()) == 2
        assert "PageSize" not in wire.asked[-1].json
        answered(wire, total=7)
        assert await query.count() == 7
        assert wire.asked[-1].json["PageSize"] == 0
        answered(wire, total=5_000_000_000, LongTotalResults=5_000_000_001)
        assert await query.count() == 5_000_000_001
        answered(wire, QUOTH)
        assert await query.any()
        answered(wire)
        assert not await query.any()


async def test_one_result_is_one_result(store: AsyncDocumentStore, wire: Wire) -> None:
    async with store.open_session() as session:
        query = session.query(object_type=Company).where_equals("name", "x")
        answered(wire)
        with pytest.raises(NoResult, match="from 'Companies' where name = "):
            await query.first()
        answered(wire)
        assert await query.first_or_none() is None
        answered(wire)
        with pytest.raises(NoResult):
            await query.single()
        answered(wire)
        assert await query.single_or_none() is None
        answered(wire, QUOTH, NEVERMORE)
        with pytest.raises(ManyResults, match="more than one"):
            await query.single()
        assert wire.asked[-1].json["PageSize"] == 2
        answered(wire, QUOTH)
        assert (await query.single()).name == "Quoth"


async def test_sources_of_queries(store: AsyncDocumentStore, wire: Wire) -> None:
    class Counted:
        index_name = "Companies/Counted"
        is_map_reduce = True

    async with store.open_session() as session:
        advanced = session.advanced
        texts = {
            str(session.query()): "from '@all_docs'",
            str(session.query(Query.from_collection_name("A"))): "from 'A'",
            str(session.query(Query.from_index_name("A/B"), Company)): "from index 'A/B'",
            str(session.query(Query.from_index_type(Counted))): "from index 'Companies/Counted'",
            str(session.query_collection("C", Company)): "from 'C'",
            str(session.query_index("C/D")): "from index 'C/D'",
            str(session.query_index_type(Counted, Company).where_equals("Id", 1)): (
                "from index 'Companies/Counted' where Id = $p0"
            ),
            str(advanced.document_query(object_type=Company)): "from 'Companies'",
            str(advanced.document_query("E/F", None, Company)): "from index 'E/F'",
            str(advanced.document_query_from_index_type(Counted, Company).take(1)): (
                "from index 'Companies/Counted' limit $p0, $p1"
            ),
        }
        assert list(texts) == list(texts.values())
        answered(wire, document("a/1", collection="As", x=1))
        assert await session.query().first() == {"x": 1}


async def test_a_raw_query_is_sent_as_it_is(store: AsyncDocumentStore, wire: Wire) -> None:
    async with store.open_session() as session:
        answered(wire, QUOTH)
        query = session.advanced.raw_query("from Companies where name = $name", Company)
        query = query.add_parameter("$name", "Quoth").skip(1).take(2).no_caching().with_tag("t")
        assert (await query.single()).Id == "companies/1"
        assert wire.asked[-1].query == {"tag": "t"}
        assert wire.asked[-1].json == {
            "Query": "from Companies where name = $name",
            "QueryParameters": {"name": "Quoth"},
            "Start": 1,
            "PageSize": 2,
            "DisableCaching": True,
        }


async def test_selected_fields_are_values_or_objects_and_never_kept(
    store: AsyncDocumentStore, wire: Wire
) -> None:
    async with store.open_session() as session:
        query = session.query(object_type=Company)
        answered(wire, projected("companies/1", name="Quoth"), projected("companies/2", name="N"))
        assert await query.select_fields(str, "name").to_list() == ["Quoth", "N"]
        answered(wire, projected("companies/1", name="Quoth", city=None))
        assert await query.select_fields(Card).to_list() == [Card("Quoth")]
        assert wire.asked[-1].json["Query"] == "from 'Companies' select city, name"
        answered(wire, projected("companies/1", founded="2026-01-02T03:04:05.0000000Z"))
        found = await query.select_fields(datetime, "founded").single()
        assert found == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        answered(wire, projected("companies/1", Id="other/1", name="x"))
        company = await query.select_fields(Company, "boss", "name").single()
        assert company.Id == "other/1", "what was selected, not the id of the document"
        assert not session.advanced.is_loaded("companies/1")
        assert not session.has_changes()
        answered(wire, projected("companies/1", name=7))
        with pytest.raises(WrongType, match=r"result of document companies/1.*string"):
            await query.select_fields(str, "name").to_list()
        answered(wire, projected("companies/1", name="a", city="b"))
        with pytest.raises(WrongType, match="2 fields"):
            await query.select_fields(str, "name", "city").to_list()
        answered(wire, QUOTH)
        with pytest.raises(WrongType, match="select_fields"):
            await session.advanced.raw_query("from Companies", str).to_list()


async def test_groups_have_no_id(store: AsyncDocumentStore, wire: Wire) -> None:
    @dataclass
    class Group:
        city: str
        count: int

    async with store.open_session() as session:
        answered(wire, grouped(city="Rome", count=2))
        query = session.query(object_type=Company).group_by("city").select_key().select_count()
        assert await query.of_type(Group).to_list() == [Group("Rome", 2)]


async def test_without_tracking_nothing_is_kept(store: AsyncDocumentStore, wire: Wire) -> None:
    async with store.open_session() as session:
        answered(wire, QUOTH)
        one = await session.query(object_type=Company).no_tracking().first()
        answered(wire, QUOTH)
        assert await session.query(object_type=Company).no_tracking().first() is not one
        assert not session.advanced.is_loaded("companies/1")
        with pytest.raises(Misuse, match="cannot include"):
            await session.query(object_type=Company).include("boss").no_tracking().first()
    async with store.open_session(SessionOptions(no_tracking=True)) as session:
        answered(wire, QUOTH)
        assert (await session.query(object_type=Company).first()).name == "Quoth"
        assert not session.advanced.is_loaded("companies/1")


async def test_what_comes_along_needs_no_request(store: AsyncDocumentStore, wire: Wire) -> None:
    answered(wire, QUOTH, Includes={"people/1": document("People/1", name="x"), "people/2": None})
    async with store.open_session() as session:
        await session.query(object_type=Company).include("boss").to_list()
        assert await session.load("people/1") == {"name": "x"}
        assert await session.load("people/2") is None


async def test_values_come_along_in_a_cluster_wide_session(
    store: AsyncDocumentStore, wire: Wire
) -> None:
    there = {"Key": "k/1", "Index": 7, "Value": {"Object": 3}}
    values = {"k/1": there, "k/2": {"Key": "k/2", "Index": -1, "Value": None}}
    answered(wire, QUOTH, CompareExchangeValueIncludes=values)
    options = SessionOptions(transaction_mode=TransactionMode.CLUSTER_WIDE)
    async with store.open_session(options) as session:
        query = session.query(object_type=Company)
        await query.include(lambda also: also.include_compare_exchange_value("key")).to_list()
        assert wire.asked[-1].json["Query"] == "from 'Companies' include cmpxchg('key')"
        found = await session.cluster_transaction.get_compare_exchange_value("k/1", int)
        assert found is not None and (found.value, found.index) == (3, 7)
        assert await session.cluster_transaction.get_compare_exchange_value("k/2", int) is None
    async with store.open_session() as session:
        query = session.query(object_type=Company)
        with pytest.raises(Misuse, match="needs a cluster-wide session"):
            await query.include(lambda also: also.include_compare_exchange_value("key")).to_list()


async def test_an_answer_tells_about_itself(store: AsyncDocumentStore, wire: Wire) -> None:
    told: list[Any] = []
    async with store.open_session() as session:
        query = (
            session.query(object_type=Company)
            .statistics(told.append)
            .timings(told.append)
            .include_explanations(None, told.append)
            .highlight("name", 20, 1, told.append)
            .add_before_query_executed_listener(told.append)
            .add_after_query_executed_listener(told.append)
        )
        answered(
            wire,
            QUOTH,
            total=9,
            IsStale=True,
            IndexName="Auto/Companies/Byname",
            IndexTimestamp="2026-01-02T03:04:05.1234567Z",
            DurationInMs=4,
            ResultEtag=12,
            NodeTag="A",
            SkippedResults=1,
            Explanations={"companies/1": ["because"]},
            Highlightings={"name": {"companies/1": ["<b>Quoth</b>"]}},
            Timings={"DurationInMs": 3, "Timings": {"Query": {"DurationInMs": 2}}},
        )
        await query.to_list()
    statistics, timings, explanations, highlightings, before, after = told
    assert isinstance(statistics, QueryStatistics) and isinstance(timings, QueryTimings)
    assert (statistics.total_results, statistics.is_stale) == (9, True)
    assert (statistics.index_name, statistics.node_tag) == ("Auto/Companies/Byname", "A")
    assert statistics.index_timestamp == datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)
    assert (statistics.duration_in_ms, statistics.result_etag) == (4, 12)
    assert timings.timings["Query"].duration_in_ms == 2
    assert isinstance(explanations, Explanations) and isinstance(highlightings, Highlightings)
    assert explanations.explanations == {"companies/1": ["because"]}
    assert highlightings.get_fragments("companies/1") == ["<b>Quoth</b>"]
    assert highlightings.result_indents == {"companies/1"}
    assert isinstance(before, IndexQuery) and before.query.startswith("from 'Companies' include")
    assert isinstance(after, QueryResult) and after.total_results == 9


async def test_an_index_that_stays_behind_is_told(store: AsyncDocumentStore, wire: Wire) -> None:
    async with store.open_session() as session:
        query = session.query_index("A/B", Company)
        answered(wire, QUOTH, IsStale=True)
        assert len(await query.to_list()) == 1
        answered(wire, QUOTH, IsStale=True, IndexName="A/B")
        with pytest.raises(StaleResults, match="A/B had not caught up after 2 s"):
            await query.wait_for_non_stale_results(timedelta(seconds=2)).to_list()
        assert wire.asked[-1].json["WaitForNonStaleResultsTimeout"] == "00:00:02"
        assert wire.transport.requests[-1].timeout_seconds == 32
        wire.on("POST", "/queries", status=404)
        with pytest.raises(IndexDoesNotExist, match="from index 'A/B'"):
            await query.to_list()


async def test_handlers_of_the_session_may_change_a_query(
    store: AsyncDocumentStore, wire: Wire
) -> None:
    seen: list[Any] = []

    def change(event: BeforeQueryEventArgs) -> None:
        seen.append(event.session)
        event.query_customization.wait_for_non_stale_results().no_tracking().random_ordering("s")

    async with store.open_session() as session:
        session.advanced.add_before_query(change)
        answered(wire, QUOTH)
        query = session.query(object_type=Company)
        await query.first()
        assert seen == [session]
        assert wire.asked[-1].json["WaitForNonStaleResults"] is True
        assert "order by random('s')" in wire.asked[-1].json["Query"]
        assert not session.advanced.is_loaded("companies/1")
        assert str(query) == "from 'Companies'"
        with pytest.raises(Misuse, match="says in its text"):
            await session.advanced.raw_query("from Companies", Company).first()


async def test_lazy_queries_travel_together(store: AsyncDocumentStore, wire: Wire) -> None:
    told: list[Any] = []
    async with store.open_session() as session:
        query = session.query(object_type=Company).where_equals("name", "Quoth")
        companies = query.lazily(told.append)
        query.where_equals("employees", 3)
        count = session.query(object_type=Company).count_lazily()
        one, nine = {"Results": [QUOTH], "TotalResults": 1}, {"Results": [], "TotalResults": 9}
        results = [{"StatusCode": 200, "Result": each, "Headers": {}} for each in (one, nine)]
        wire.on("POST", "/multi_get", {"Results": results})
        assert [company.name for company in await companies.value] == ["Quoth"]
        assert await count.value == 9
        assert told == [await companies.value]
        first = wire.asked[-1].json["Requests"][0]
        assert (first["Url"], first["Method"]) == ("/databases/shop/queries", "POST")
        assert first["Content"]["Query"] == "from 'Companies' where name = $p0"


async def test_facets_and_suggestions(store: AsyncDocumentStore, wire: Wire) -> None:
    async with store.open_session() as session:
        query = session.query(object_type=Company)
        value = {"Name": "total", "Range": "rome", "Count": 2, "Sum": 8.5}
        answered(wire, {"Name": "city", "Values": [value], "RemainingHits": 1})
        counted = query.aggregate_by(lambda f: f.by_field("city").sum_on("employees", "total"))
        facet = (await counted.execute())["city"]
        assert (facet.values[0].range_, facet.values[0].count_) == ("rome", 2)
        assert (facet.values[0].sum_, facet.values[0].max_, facet.remaining_hits) == (8.5, None, 1)
        answered(wire, {"Name": "name", "Suggestions": ["quoth"]})
        words = await query.suggest_using(lambda s: s.by_field("name", "quot")).execute()
        assert words["name"].suggestions == ["quoth"]
        later = counted.execute_lazy()
        again = query.suggest_using(lambda s: s.by_field("name", "quot")).execute_lazy()
        results = [
            {"Results": [{"Name": "city", "Values": [value]}], "TotalResults": 1},
            {"Results": [{"Name": "name", "Suggestions": ["quoth"]}], "TotalResults": 1},
        ]
        parts = [{"StatusCode": 200, "Result": each, "Headers": {}} for each in results]
        wire.on("POST", "/multi_get", {"Results": parts})
        assert (await later.value)["city"].values == facet.values
        assert await again.value == words
        answered(wire, {"Name": "city", "Values": None})
        raw = session.advanced.raw_query("from Companies select facet(city)")
        assert (await raw.execute_aggregation())["city"].values == []


STATS = {
    "IndexName": "collection/Companies",
    "IsStale": False,
    "TotalResults": 2,
    "ResultEtag": 5,
    "IndexTimestamp": "2026-01-02T03:04:05.0000000Z",
}


def lines(*each: dict[str, Any]) -> bytes:
    return b"".join(orjson.dumps(one) + b"\n" for one in each)


async def test_a_stream_gives_results_one_by_one_and_keeps_none(
    store: AsyncDocumentStore, wire: Wire
) -> None:
    told: list[StreamQueryStatistics] = []
    seen: list[dict[str, Any]] = []
    body = lines({"Stats": STATS}, {"Item": QUOTH}, {"Item": NEVERMORE})
    async with store.open_session() as session:
        query = session.query(object_type=Company).where_equals("employees", 3)
        query.add_after_stream_executed_listener(seen.append)
        wire.on("POST", "/streams/queries", body)
        stream = session.advanced.stream_with_statistics(query, told.append)
        found = [each async for each in stream]
        assert [(each.key, each.document.name) for each in found] == [
            ("companies/1", "Quoth"),
            ("companies/2", "Nevermore"),
        ]
        assert found[0].change_vector == "A:1-x"
        assert found[0].metadata["@collection"] == "Companies"
        assert (told[0].total_results, told[0].index_name) == (2, "collection/Companies")
        assert seen == [QUOTH, NEVERMORE]
        assert wire.asked[-1].query == {"format": "jsonl"}
        assert wire.asked[-1].json["QueryParameters"] == {"p0": 3}
        assert not session.advanced.is_loaded("companies/1")
        assert session.advanced.number_of_requests == 1


def test_who_stops_reading_a_stream_lets_go_of_it(plain_store: DocumentStore, wire: Wire) -> None:
    body = lines({"Stats": STATS}, {"Item": QUOTH}, {"Item": NEVERMORE})
    with plain_store.open_session() as session:
        wire.on("POST", "/streams/queries", body)
        for result in session.advanced.stream(session.query(object_type=Company)):
            assert result.document.name == "Quoth"
            assert wire.transport.streams_open == 1
            break
        assert wire.transport.streams_open == 0


async def test_documents_stream_by_the_beginning_of_their_ids(
    store: AsyncDocumentStore, wire: Wire
) -> None:
    async with store.open_session() as session:
        wire.on("GET", "/streams/docs", lines(QUOTH, NEVERMORE))
        stream = session.advanced.stream_starting_with(
            "companies/", "*", 1, 7, "companies/0", object_type=Company
        )
        assert [each.document.employees async for each in stream] == [3, 5]
        assert wire.asked[-1].pairs == [
            ("startsWith", "companies/"),
            ("matches", "*"),
            ("startAfter", "companies/0"),
            ("start", "1"),
            ("pageSize", "7"),
            ("format", "jsonl"),
        ]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (lines({"Stats": STATS}, {"Error": "x", "Message": "too slow"}), "ends early: too slow"),
        (lines({"Item": QUOTH}), "begins with its statistics"),
        (lines({"Stats": {}}), "begins with its statistics"),
        (lines({"Stats": STATS}, {"Item": {"name": "x"}}), "is no document"),
        (lines({"Stats": STATS}) + b'{"Item":{"na', "is no JSON"),
        (b"[]\n", "is no JSON object"),
        (b"", "ended before it began"),
    ],
)
async def test_a_stream_that_breaks_off_says_so(
    store: AsyncDocumentStore, wire: Wire, body: bytes, why: str
) -> None:
    async with store.open_session() as session:
        wire.on("POST", "/streams/queries", body)
        with pytest.raises(FateUnknown, match=why):
            async for _ in session.advanced.stream(session.query(object_type=Company)):
                pass
        assert wire.transport.streams_open == 0


async def test_what_a_stream_cannot_do_is_refused(store: AsyncDocumentStore, wire: Wire) -> None:
    async with store.open_session() as session:
        waiting = session.query(object_type=Company).wait_for_non_stale_results()
        with pytest.raises(Misuse, match="does not wait"):
            await anext(aiter(session.advanced.stream(waiting)))
        including = session.query(object_type=Company).include("boss")
        with pytest.raises(Misuse, match="nothing but results"):
            await anext(aiter(session.advanced.stream(including)))
        with pytest.raises(Misuse, match="start is a number from 0"):
            await anext(aiter(session.advanced.stream_starting_with("a/", start=-1)))
        with pytest.raises(Misuse, match="beginning of ids"):
            await anext(aiter(session.advanced.stream_starting_with(None)))  # type: ignore[call-overload]
        with pytest.raises(Misuse, match="what ids are like cannot be sent: surrogates"):
            await anext(aiter(session.advanced.stream_starting_with("\ud800")))
        with pytest.raises(Misuse, match="of a query of this session, not of 'from Companies'"):
            await anext(aiter(session.advanced.stream("from Companies")))  # type: ignore[arg-type]
        wire.on("POST", "/streams/queries", status=404)
        with pytest.raises(IndexDoesNotExist, match="from index 'A/B'"):
            await anext(aiter(session.advanced.stream(session.query_index("A/B"))))


def test_types_of_results_are_known_to_checkers(plain_store: DocumentStore) -> None:
    with plain_store.open_session() as session:
        query = session.query(object_type=Company)
        assert_type(query, DocumentQuery[Company])
        assert_type(query.where_equals("name", "x").order_by("name"), DocumentQuery[Company])
        assert_type(query.select_fields(Card), DocumentQuery[Card])
        assert_type(query.group_by("city").select_count(), DocumentQuery[Company])
        assert_type(session.query(), DocumentQuery[Any])
        assert_type(session.query_index("A/B", Company), DocumentQuery[Company])
        assert_type(session.document_query(object_type=Card), DocumentQuery[Card])
        assert_type(session.raw_query("from A", Card), RawDocumentQuery[Card])
        assert_type(query.lazily(), Lazy[list[Company]])


async def test_a_query_has_the_time_that_a_node_takes_for_a_new_index(
    store: AsyncDocumentStore, wire: Wire
) -> None:
    async with store.open_session() as session:
        answered(wire)
        await session.query(object_type=Company).where_equals("name", "x").to_list()
        assert wire.transport.requests[-1].timeout_seconds == 60
        answered(wire)
        await session.query_index("A/B", Company).to_list()
        assert wire.transport.requests[-1].timeout_seconds == 30


async def test_what_is_no_text_is_no_query(wire: Wire, store: AsyncDocumentStore) -> None:
    async with store.open_session() as session:
        for text in ("", " ", None):
            with pytest.raises(Misuse, match="a raw query is a text"):
                session.advanced.raw_query(text)  # type: ignore[arg-type]
        with pytest.raises(Misuse, match="the name of the collection is a text"):
            session.query_collection(5)  # type: ignore[call-overload]
        with pytest.raises(Misuse, match="a class that defines an index, not 'A/B'"):
            session.query_index_type("A/B")  # type: ignore[call-overload]
    assert not wire.asked
