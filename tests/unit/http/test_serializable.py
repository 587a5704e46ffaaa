"""Reads of one state and commits that rest on them, over HTTP."""

from typing import Any

import pytest

from quoth_node.http import serializable as route
from quoth_node.http.wire import serializable as wire
from tests.unit.http.conftest import Answer, Node, delete, put

READ = "/databases/db/serializable/read"
COMMIT = "/databases/db/serializable/commit"


def documents(*ids: str, **more: Any) -> dict[str, Any]:
    return {"Type": "Documents", "Ids": ids, **more}


async def ask(node: Node, *reads: object, **more: object) -> Answer:
    return await node.ask("POST", READ, {"Reads": reads, **more})


async def read(node: Node, *reads: object, **more: object) -> Any:
    answer = await ask(node, *reads, **more)
    assert answer.status == 200, answer.body
    return answer.json


async def commit(node: Node, *commands: object, **more: object) -> Answer:
    return await node.ask("POST", COMMIT, {"Commands": commands, **more})


async def test_a_read_tells_its_state_and_what_was_read(node: Node) -> None:
    vector = await node.put("users/1", boss="users/2", key="k")
    boss = await node.put("users/2")
    index = (await node.ask("PUT", "/databases/db/cmpxchg?key=k&index=0", {"Object": 7})).json[
        "Index"
    ]
    told = await read(
        node,
        documents("users/1", "users/9", Includes=["boss"], ValueIncludes=["key"]),
        {"Type": "Values", "Keys": ["K", "none"]},
        {"Type": "Prefix", "StartsWith": "users/", "PageSize": 1},
        {"Type": "Keys", "StartsWith": ""},
    )
    assert told["Pin"]["Index"] == index and told["Pin"]["Etag"] == 2
    assert told["Read"] == {
        "Documents": [["users/9", ""], ["users/1", vector], ["users/2", boss]],
        "Values": [["k", index], ["K", index], ["none", 0]],
        "Prefixes": ["users/"],
        "Collections": [],
        "Keys": [["", 1, index]],
    }
    loaded, values, page, keys = told["Answers"]
    assert [one and one["boss"] for one in loaded["Results"]] == ["users/2", None]
    assert list(loaded["Includes"]) == ["users/2"]
    assert list(loaded["CompareExchangeValueIncludes"]) == ["k"]
    assert [one["Index"] for one in values["Results"]] == [index, -1]
    assert [one["@metadata"]["@id"] for one in page["Results"]] == ["users/1"]
    assert [one["Key"] for one in keys["Results"]] == ["k"]


async def test_what_has_stood_since_the_pin_is_given_as_of_the_pin(node: Node) -> None:
    for name in ("users/1", "users/2"):
        await node.put(name)
    first = await read(node, documents("users/1"))
    await node.put("users/1", changed=True)
    await node.put("orders/1")
    for wanted in (documents("users/2"), {"Type": "Prefix", "StartsWith": "clients/"}):
        later = await read(node, wanted, Pin=first["Pin"])
        assert later["Pin"] == first["Pin"] and not later["IsMoved"]


@pytest.mark.parametrize(
    "wanted",
    [
        documents("users/2"),
        documents("users/none"),
        {"Type": "Prefix", "StartsWith": "users/"},
        {"Type": "Values", "Keys": ["k"]},
        {"Type": "Values", "Keys": ["none"]},
        {"Type": "Keys", "StartsWith": "any"},
        {"Type": "Query", "Query": {"Query": "from Users"}},
        {"Type": "Query", "Query": {"Query": "from Users where n = 1"}},
    ],
)
async def test_what_may_have_changed_is_given_only_if_all_that_was_read_stands(
    node: Node, wanted: dict[str, Any]
) -> None:
    await node.put("users/1")
    await node.put("users/2")
    first = await read(node, documents("users/1"))
    await node.put("users/2", n=1)
    await node.ask("PUT", "/databases/db/cmpxchg?key=k&index=0", {"Object": 7})
    assert await read(node, wanted, Pin=first["Pin"]) == {"IsMoved": True}
    moved = await read(node, wanted, Pin=first["Pin"], ReadSet=first["Read"])
    assert moved["Pin"]["Etag"] == 3 and moved["Pin"]["Index"] > first["Pin"]["Index"]
    await node.put("users/1", n=1)
    answer = await ask(node, wanted, Pin=first["Pin"], ReadSet=first["Read"])
    assert answer.error[:2] == (409, "SerializationConflictException")
    assert answer.json["ConcurrencyViolations"] == [
        {"Type": "Document", "Id": "users/1", "Expected": 2, "Actual": 4}
    ]


async def test_a_commit_writes_and_tells_the_state_it_left(node: Node) -> None:
    await node.put("users/1")
    seen = await read(node, documents("users/1", "users/2"))
    value = {"Type": "CompareExchangePUT", "Id": "k", "Index": 0, "Document": {"Object": 1}}
    answer = await commit(
        node,
        put("users/2"),
        delete("users/1"),
        value,
        Pin=seen["Pin"],
        ReadSet=seen["Read"],
    )
    assert answer.status == 201
    told = answer.json
    assert [one["Type"] for one in told["Results"]] == ["PUT", "DELETE", "CompareExchangePUT"]
    now = await read(node, documents("users/2"))
    assert now["Pin"] == told["Pin"] and told["Pin"]["Index"] == told["TransactionIndex"]
    assert now["Read"]["Documents"] == [["users/2", told["Results"][0]["@change-vector"]]]


async def test_a_commit_over_what_has_changed_writes_nothing(node: Node) -> None:
    await node.put("users/1")
    seen = await read(node, documents("users/1"), {"Type": "Prefix", "StartsWith": "o"})
    await node.put("users/1")
    await node.put("orders/1")
    answer = await commit(node, put("users/2"), Pin=seen["Pin"], ReadSet=seen["Read"])
    status, kind, message = answer.error
    assert (status, kind) == (409, "SerializationConflictException")
    assert message.startswith("What was read has changed since: Document 'users/1', Prefix 'o'.")
    kinds = [one["Type"] for one in answer.json["ConcurrencyViolations"]]
    assert kinds == ["Document", "Prefix"]
    assert (await node.get("/databases/db/docs?id=users/2")).status == 404


async def test_the_change_vectors_of_its_commands_are_checked_as_well(node: Node) -> None:
    vector = await node.put("users/1", name="there")
    for other in ("", "A:1-other"):
        for command in (put("users/1"), delete("users/1")):
            answer = await commit(node, {**command, "ChangeVector": other})
            assert answer.error[0] == 409 and "'users/1'" in answer.error[2]
    commands = {**put("users/1"), "ChangeVector": vector}, {**put("made|"), "ChangeVector": ""}
    assert (await commit(node, *commands)).status == 201


async def test_a_query_is_read_with_its_collection_or_with_all_documents(node: Node) -> None:
    await node.put("users/1", n=1, boss="orders/1")
    await node.bulk(put("orders/1", "Orders"))

    async def collections(text: str) -> Any:
        told = await read(node, {"Type": "Query", "Query": {"Query": text}})
        assert told["Answers"][0]["IsStale"] is False
        assert len(told["Answers"][0]["Results"]) == 1
        return told["Read"]["Collections"]

    assert await collections("from Users") == ["Users"]
    assert await collections("from Users where n = 1") == ["Users"]
    assert await collections("from Users as u where u.n = 1 include u.boss") == [""]
    assert await collections("from @all_docs where n = 1") == [""]


@pytest.mark.parametrize(
    "text",
    [
        "from Users as u select { x: cmpxchg('k') }",
        "from Users as u select { x: u.n }",
        "from Users where n = cmpxchg('k')",
        "from Users include cmpxchg(key)",
    ],
)
async def test_a_query_that_rests_on_more_than_documents_is_refused(node: Node, text: str) -> None:
    answer = await ask(node, {"Type": "Query", "Query": {"Query": text}})
    assert answer.error[0] == 400


async def test_a_pin_of_another_database_of_that_name_is_no_state_of_this_one(
    node: Node,
) -> None:
    seen = await read(node, documents("users/1"))
    await node.ask("DELETE", "/admin/databases", {"DatabaseNames": ["db"], "HardDelete": True})
    await node.ask("PUT", "/admin/databases?name=db", {"DatabaseName": "db"})
    pinned = {"Pin": seen["Pin"]}
    assert await read(node, documents("users/1"), **pinned) == {"IsMoved": True}
    for answer in (
        await ask(node, documents("users/1"), **pinned, ReadSet=seen["Read"]),
        await commit(node, put("users/1"), **pinned, ReadSet=seen["Read"]),
    ):
        assert answer.json["ConcurrencyViolations"][0]["Type"] == "Database"


async def test_a_state_that_is_not_here_yet_is_waited_for(node: Node) -> None:
    seen = await read(node, documents("users/1"))
    later = {**seen["Pin"], "Index": seen["Pin"]["Index"] + 5}
    answer = await ask(node, documents("users/1"), Pin=later)
    assert answer.error[:2] == (503, "NoLeaderException")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Reads: an array was expected"),
        ({"Reads": []}, "Reads is empty"),
        ({"Reads": [documents("a")] * 1_001}, "1001 reads are over the limit of 1000"),
        ({"Reads": [{"Type": "Counters"}]}, "Reads[0].Type is Documents"),
        ({"Reads": [documents()]}, "Ids is empty"),
        ({"Reads": [{"Type": "Values", "Keys": [1]}]}, "Keys[0]: a string was expected"),
        ({"Reads": [{"Type": "Prefix", "StartsWith": "a", "Start": -1}]}, "Start: a whole"),
        ({"Reads": [documents("x" * 600)]}, "over the limit of 512"),
        (
            {"Reads": [{"Type": "Query", "Query": {"Query": "from A"}}, documents("a")]},
            "a query comes alone",
        ),
        ({"Reads": [documents("a")], "Pin": {"Database": "x", "Index": -1}}, "Pin.Index"),
        ({"Reads": [documents("a")], "Pin": {"Index": 1, "Etag": 1}}, "Pin.Database"),
        ({"Reads": [documents("a")], "ReadSet": {"Documents": [["a"]]}}, "ReadSet.Documents[0]"),
        ({"Reads": [documents("a")], "ReadSet": {"Documents": [["a", 1]]}}, "[0][1]"),
        ({"Reads": [documents("a")], "ReadSet": {"Values": [["a", "b"]]}}, "[0][1]"),
        ({"Reads": [documents("a")], "ReadSet": {"Keys": [["a", 1]]}}, "ReadSet.Keys[0]"),
        ({"Reads": [documents("a")], "ReadSet": []}, "ReadSet: an object"),
        ({"Reads": [documents("a")], "ReadSet": {"Documents": [["a", "x" * 513]]}}, "[0][1]"),
        ({"Reads": [documents("a")], "ReadSet": {"Collections": ["x" * 513]}}, "Collections"),
        (
            {"Reads": [documents("a")], "Pin": {"Database": "x" * 513, "Index": 1, "Etag": 1}},
            "Pin.Database",
        ),
        ({"Reads": [{"Type": "Keys", "StartsWith": "k" * 449}]}, "448 bytes"),
    ],
)
async def test_a_read_that_makes_no_sense_is_refused_by_name(
    node: Node, body: dict[str, Any], message: str
) -> None:
    answer = await node.ask("POST", READ, body)
    assert answer.error[0] == 400 and message in answer.error[2]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"Commands": []}, "holds no commands"),
        ({"Commands": [{"Type": "PATCH", "Id": "a"}]}, "PATCH is not for cluster"),
        ({"Commands": [put("a")], "ReadSet": {"Prefixes": [None]}}, "Prefixes[0]"),
        ({"Commands": [put("a")], "Pin": 7}, "Pin: an object"),
        (
            {"Commands": [put("a")], "ReadSet": {"Prefixes": [str(n) for n in range(101)]}},
            "100 prefixes",
        ),
    ],
)
async def test_a_commit_that_makes_no_sense_is_refused_and_writes_nothing(
    node: Node, body: dict[str, Any], message: str
) -> None:
    answer = await node.ask("POST", COMMIT, body)
    assert answer.error[0] == 400 and message in answer.error[2]
    assert (await node.get("/databases/db/docs?id=a")).status == 404


async def test_no_request_reads_more_than_one_session_may(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read is told again with its change vectors, and held in memory for that."""
    monkeypatch.setattr(route, "CHECKS_MAX", 3)
    assert (await ask(node, documents("a", "b"), documents("c"))).status == 200
    answer = await ask(node, documents("a", "b"), documents("a", "b"))
    assert answer.error[0] == 400 and "things that are read" in answer.error[2]
    for kind in ("Prefix", "Keys"):
        answer = await ask(node, *[{"Type": kind, "StartsWith": "a"}] * 101)
        assert answer.error[0] == 400 and "101 prefixes" in answer.error[2]


async def test_more_than_one_session_may_read_is_refused(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "CHECKS_MAX", 3)
    found = [["a", ""], ["b", ""], ["c", ""]]
    assert (await ask(node, documents("a"), ReadSet={"Documents": found * 2})).status == 200
    answer = await ask(node, documents("a"), ReadSet={"Documents": found, "Prefixes": ["d"]})
    assert answer.error[0] == 400 and "4 things that were read" in answer.error[2]
