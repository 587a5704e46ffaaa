"""Queries that an index answers, as far as it has read; here it is a plain one."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from quoth_cluster.machine import Machine
from tests.unit.http.conftest import CONFIG, Answer, Node, StoppedClock, running_node, with_database
from tests.unit.http.plain_indexes import PlainIndex, PlainIndexes

QUERIES = "/databases/db/queries"
WAITS = {"WaitForNonStaleResults": True, "WaitForNonStaleResultsTimeout": "00:00:15"}


@dataclass
class Indexed:
    """A node with one automatic index, and one of orders."""

    node: Node
    automatic: PlainIndex
    orders: PlainIndex

    async def ask(self, text: str, **more: Any) -> Answer:
        return await self.node.ask("POST", QUERIES, {"Query": text, **more})

    async def ids(self, text: str, **more: Any) -> list[str]:
        answer = await self.ask(text, **more)
        assert answer.status == 200, answer.body
        return [one["@metadata"]["@id"] for one in answer.json["Results"]]


@pytest.fixture
async def indexed(tmp_path: Path, clock: StoppedClock) -> AsyncIterator[Indexed]:
    made: list[PlainIndexes] = []

    def make(machine: Machine) -> PlainIndexes:
        orders = PlainIndex(machine, "Orders/Totals", reduced=[{"Company": "c/1", "Total": 5}])
        automatic = PlainIndex(machine, "Auto/Users/Byname")
        made.append(PlainIndexes(automatic, {"Orders/Totals": orders}))
        return made[0]

    async with running_node(tmp_path, clock, CONFIG, make) as bare:
        node = await with_database(bare)
        for number, name in enumerate(["Ann", "Bo", "Cy", "bo"], start=1):
            await node.put(f"users/{number}", name=name, boss="users/1")
        yield Indexed(node, made[0].automatic, made[0].named["Orders/Totals"])


async def test_an_index_tells_which_it_is_and_how_old(indexed: Indexed) -> None:
    indexed.automatic.read_all()
    told = (await indexed.ask("from Users where name = 'bo' limit 1, 5")).json
    assert [one["@metadata"]["@id"] for one in told["Results"]] == ["users/4"]
    assert (told["IndexName"], told["IsStale"]) == ("Auto/Users/Byname", False)
    assert (told["TotalResults"], told["CappedMaxResults"]) == (2, 1)
    assert told["IndexDefinitionRaftIndex"] == 77
    assert "AutoIndexCreationRaftIndex" not in told
    assert told["IndexTimestamp"] == told["LastQueryTime"] == "2027-01-15T08:00:00.0000000Z"
    (question,) = indexed.automatic.asked
    assert (question.start, question.size) == (1, 5)


async def test_what_is_old_is_told_so_or_waited_for(indexed: Indexed) -> None:
    stale = (await indexed.ask("from Users where name = 'bo'")).json
    assert (stale["IsStale"], stale["Results"]) == (True, [])
    fresh = (await indexed.ask("from Users where name = 'bo'", **WAITS)).json
    assert (fresh["IsStale"], len(fresh["Results"])) == (False, 2)
    await indexed.node.put("users/5", name="Bo")
    indexed.automatic.reads_when_waited_for = False
    late = (await indexed.ask("from Users where name = 'bo'", **WAITS)).json
    assert (late["IsStale"], len(late["Results"])) == (True, 2)


async def test_an_index_that_was_made_for_a_query_is_waited_for(indexed: Indexed) -> None:
    indexed.automatic.created_index = 77
    told = (await indexed.ask("from Users where name = 'bo'")).json
    assert (told["IsStale"], told["TotalResults"]) == (False, 2)
    assert told["AutoIndexCreationRaftIndex"] == 77


async def test_what_was_deleted_since_is_no_result(indexed: Indexed) -> None:
    indexed.automatic.read_all()
    held = indexed.automatic._hits

    def hits_then_delete(question: Any) -> Any:
        found = held(question)
        return [*found, type(found[0])("users/gone")]

    indexed.automatic._hits = hits_then_delete  # type: ignore[method-assign]
    assert await indexed.ids("from Users where name = 'bo'") == ["users/2", "users/4"]


async def test_scores_and_explanations_are_told_where_they_are(indexed: Indexed) -> None:
    indexed.automatic.read_all()
    indexed.automatic.has_scores = True
    text = "from Users where name = 'ann' include explanations()"
    told = (await indexed.ask(text)).json
    assert told["Results"][0]["@metadata"]["@index-score"] == 0.5
    assert told["Explanations"] == {"users/1": ["because"]}
    assert "Explanations" not in (await indexed.ask("from Users where name = 'ann'")).json


async def test_results_of_a_reduce_have_no_document(indexed: Indexed) -> None:
    told = (await indexed.ask("from index 'Orders/Totals'")).json
    assert told["Results"] == [{"Company": "c/1", "Total": 5, "@metadata": {}}]
    projected = (await indexed.ask("from index 'Orders/Totals' as o select o.Total as t")).json
    assert projected["Results"] == [{"t": 5, "@metadata": {"@projection": True}}]
    made = (await indexed.ask("from index 'Orders/Totals' as o select { d: o.Total * 2 }")).json
    assert made["Results"] == [{"d": 10, "@metadata": {"@projection": True}}]


async def test_fields_come_from_the_index_or_the_document_as_it_is_wanted(indexed: Indexed) -> None:
    indexed.automatic.read_all()
    indexed.automatic.stored = {"name": "stored"}
    text = "from Users where name = 'ann' select name, boss"
    for behavior, expected in {
        "Default": {"name": "stored", "boss": "users/1"},
        "FromIndex": {"name": "stored", "boss": None},
        "FromDocument": {"name": "Ann", "boss": "users/1"},
        "FromDocumentOrThrow": {"name": "Ann", "boss": "users/1"},
    }.items():
        (result,) = (await indexed.ask(text, ProjectionBehavior=behavior)).json["Results"]
        del result["@metadata"]
        assert result == expected, behavior
    refused = await indexed.ask(text, ProjectionBehavior="FromIndexOrThrow")
    assert "has not stored the field 'boss'" in refused.error[2]
    unknown = await indexed.ask(text, ProjectionBehavior="FromSomewhere")
    assert unknown.error[:2] == (400, "BadRequestException")


async def test_groups_are_projected_by_the_names_they_are_given(indexed: Indexed) -> None:
    indexed.automatic.reduced = [{"name": "bo", "Count": 2, "age": 12}]
    text = "from Users group by name select key() as k, name, count() as n, sum(age) as years"
    told = (await indexed.ask(text)).json
    assert told["Results"][0] == {
        **{"k": "bo", "name": "bo", "n": 2, "years": 12},
        "@metadata": {"@projection": True},
    }


async def test_a_filter_pages_what_the_index_found(indexed: Indexed) -> None:
    indexed.automatic.read_all()
    text = "from Users where boss = 'users/1' filter name = 'bo' limit 1, 1"
    assert await indexed.ids(text) == ["users/4"]
    (question,) = indexed.automatic.asked
    assert (question.start, question.size) == (0, None), "the filter must see all"


async def test_documents_are_changed_only_by_an_index_that_has_read_all(indexed: Indexed) -> None:
    query = {"Query": "from Users where name = 'bo'"}
    states = []
    for options in ("", "?staleTimeout=00:00:05"):
        begun = (await indexed.node.ask("DELETE", QUERIES + options, query)).json
        state = {"Status": "InProgress"}
        while state["Status"] == "InProgress":
            target = f"/databases/db/operations/state?id={begun['OperationId']}"
            state = (await indexed.node.get(target)).json
        states.append(state["Status"])
    assert states == ["Faulted", "Completed"]
    assert await indexed.ids("from Users") == ["users/1", "users/3"]


async def test_the_etag_changes_with_what_the_index_has_read(indexed: Indexed) -> None:
    text = "from Users where name = 'bo'"
    stale = (await indexed.ask(text)).headers["ETag"]
    indexed.automatic.read_all()
    headers = {"If-None-Match": f'"{stale}"'}
    fresh = await indexed.node.ask("POST", QUERIES, {"Query": text}, headers=headers)
    assert (fresh.status, len(fresh.json["Results"])) == (200, 2)
    headers = {"If-None-Match": f'"{fresh.headers["ETag"]}"'}
    again = await indexed.node.ask("POST", QUERIES, {"Query": text}, headers=headers)
    assert again.status == 304
    shuffled = await indexed.ask("from Users where name = 'bo' order by random()")
    assert "ETag" not in shuffled.headers


async def test_a_lazy_query_is_part_of_a_multi_get(indexed: Indexed) -> None:
    content = {"Query": "from Users where id() = 'users/1'"}
    parts = [
        {"Url": "/databases/db/queries", "Query": "?", "Method": "POST", "Content": content},
        {"Url": "/databases/db/queries", "Query": "?", "Method": "POST", "Content": {"Query": "x"}},
    ]
    answer = await indexed.node.ask("POST", "/databases/db/multi_get", {"Requests": parts})
    first, second = answer.json["Results"]
    assert first["Result"]["Results"][0]["name"] == "Ann"
    assert second["StatusCode"] == 400
