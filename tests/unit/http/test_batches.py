"""Several saves in one request: each is a transaction of its own, answered in its place."""

import asyncio
import json
from typing import Any

import pytest

from quoth_cluster.errors import FateUnknown, NotProposed
from quoth_node.http.batches import BATCHES_MAX
from tests.unit.http.conftest import Answer, Node, delete, put

BATCHES = "/databases/db/quoth/batches"


def line(*commands: object, query: str = "", **more: object) -> bytes:
    return query.encode() + b" " + json.dumps({"Commands": commands, **more}).encode()


async def ask(node: Node, *lines: bytes) -> Answer:
    return await node.ask("POST", BATCHES, b"\n".join(lines))


async def results(node: Node, *lines: bytes) -> list[dict[str, Any]]:
    answer = await ask(node, *lines)
    assert answer.status == 200, answer.body
    told: list[dict[str, Any]] = answer.json["Results"]
    assert len(told) == len(lines)
    return told


async def test_each_is_saved_and_answered_in_its_place(node: Node) -> None:
    await node.put("users/old")
    first, second = await results(
        node, line(put("users/1", n=1), delete("users/old")), line(put("users/2"), put("users/3"))
    )
    assert (first["StatusCode"], second["StatusCode"]) == (201, 201)
    assert [each["Type"] for each in first["Result"]["Results"]] == ["PUT", "DELETE"]
    assert [each["@id"] for each in second["Result"]["Results"]] == ["users/2", "users/3"]
    found = await node.get("/databases/db/docs?id=users/1&id=users/old&id=users/3")
    assert [each and each["@metadata"]["@id"] for each in found.json["Results"]] == [
        *("users/1", None, "users/3")
    ]


async def test_one_that_is_refused_fails_no_other(node: Node) -> None:
    await node.put("users/1")
    new = {**put("users/1"), "ChangeVector": ""}
    good, late, bad, other = await results(
        node,
        line(put("users/2")),
        line(put("users/3"), new),
        b"raft-request-id=" + b"x" * 200 + line(put("users/4")),
        b" {",
    )
    assert [good["StatusCode"], late["StatusCode"]] == [201, 409]
    assert late["Result"]["Type"].endswith("ConcurrencyException")
    assert [bad["StatusCode"], other["StatusCode"]] == [400, 400]
    assert "raft-request-id" in bad["Result"]["Message"]
    found = await node.get("/databases/db/docs?id=users/2&id=users/3&id=users/4")
    assert [each is not None for each in found.json["Results"]] == [True, False, False]


async def test_each_has_a_request_id_of_its_own(node: Node) -> None:
    one = line(put("users|"), query="raft-request-id=one")
    two = line(put("users|"), query="raft-request-id=two")
    first = await results(node, one, two)
    again = await results(node, two, one)
    assert [each["Result"] for each in again] == [first[1]["Result"], first[0]["Result"]]
    ids = {each["Result"]["Results"][0]["@id"] for each in first}
    assert ids == {"users/1", "users/2"}


async def test_cluster_transactions_come_along(node: Node) -> None:
    value = {"Id": "a", "Document": {"Object": 1}, "Index": 0, "Type": "CompareExchangePUT"}
    won, lost, plain = await results(
        node,
        line(value, put("users/1"), TransactionMode="ClusterWide"),
        line(value, TransactionMode="ClusterWide"),
        line(put("users/2")),
    )
    assert [won["StatusCode"], lost["StatusCode"], plain["StatusCode"]] == [201, 409, 201]
    assert won["Result"]["TransactionIndex"] > 0
    guard = await node.get("/databases/db/cmpxchg?key=rvn-atomic/users/1")
    assert guard.status == 200, "the client is one that knows of guards"


async def test_they_wait_side_by_side(node: Node) -> None:
    node.log.hold = asyncio.Event()
    asked = asyncio.ensure_future(results(node, *[line(put("users|"))] * 3))
    await node.log.held.wait()
    while node.log.proposals < 3:
        await asyncio.wait_for(asyncio.sleep(0), 5)
    node.log.hold.set()
    assert {each["StatusCode"] for each in await asked} == {201}


@pytest.mark.parametrize(
    ("failure", "status"), [(NotProposed("no leader"), 503), (FateUnknown("lost"), 500)]
)
async def test_what_the_log_says_is_told_for_each(node: Node, failure: Any, status: int) -> None:
    node.log.propose_fails = failure
    alone = await node.bulk(put("users/1"))
    assert alone.status == status
    told = await results(node, line(put("users/1")), line(put("users/2")))
    assert [each["StatusCode"] for each in told] == [status, status]
    assert told[0]["Result"]["Type"] == alone.json["Type"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "holds no batches"),
        (b"\n\n", "holds no batches"),
        (b'{"Commands":[]}', "Line 0: a query string"),
        (b"raft-request-id=a", "Line 0: a query string"),
        (line(put("users/1")) + b'\n{"Commands": []}', "Line 1: a query string"),
    ],
)
async def test_what_is_no_list_of_batches(node: Node, body: bytes, message: str) -> None:
    before = node.log.proposals
    status, kind, told = (await node.ask("POST", BATCHES, body)).error
    assert (status, kind) == (400, "BadRequestException") and message in told
    assert node.log.proposals == before, "nothing was written"


async def test_there_is_a_limit(node: Node) -> None:
    before = node.log.proposals
    lines = [b" {}"] * (BATCHES_MAX + 1)
    status, _, told = (await ask(node, *lines)).error
    assert status == 400 and f"over the limit of {BATCHES_MAX}" in told
    assert node.log.proposals == before


async def test_a_missing_database_is_told_for_each(node: Node) -> None:
    body = b"\n".join([line(put("users/1"))] * 2)
    answer = await node.ask("POST", "/databases/none/quoth/batches", body)
    assert [each["StatusCode"] for each in answer.json["Results"]] == [503, 503]
    assert answer.json["Results"][0]["Headers"] == {"Database-Missing": "none"}


async def test_it_is_no_part_of_a_multi_get(node: Node) -> None:
    asked = {"Url": BATCHES, "Method": "POST", "Content": "x"}
    answer = await node.ask("POST", "/databases/db/multi_get", {"Requests": [asked]})
    assert answer.json["Results"][0]["StatusCode"] == 400
