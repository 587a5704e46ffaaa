"""Several reads in one request: each is answered as if it had come by itself."""

from typing import Any

import pytest

from tests.unit.http.conftest import Answer, Node

MULTI_GET = "/databases/db/multi_get"


def part(query: str, url: str = "/databases/db/docs", **more: Any) -> dict[str, Any]:
    """A request within a multi-get, as the official Python client writes it."""
    return {"Url": url, "Query": query, "Method": None, "Headers": {}, "Content": None, **more}


async def ask(node: Node, *parts: object) -> Answer:
    return await node.ask("POST", MULTI_GET, {"Requests": parts})


async def results(node: Node, *parts: object) -> list[dict[str, Any]]:
    answer = await ask(node, *parts)
    assert answer.status == 200, answer.body
    told: list[dict[str, Any]] = answer.json["Results"]
    return told


async def test_each_part_is_answered_in_its_place(node: Node) -> None:
    vector = await node.put("users/1", n=1)
    await node.put("users/2", n=2)
    one, missing, both, prefix = await results(
        node,
        part("?&id=users%2F1"),
        part("?&id=users%2F9"),
        part("&id=users/2&id=users/1"),
        part("startsWith=users/&matches=&exclude=&start=0&pageSize=25&startAfter="),
    )
    assert (one["StatusCode"], one["Result"]["Results"][0]["n"]) == (200, 1)
    assert one["Headers"] == {"ETag": f'"{vector}"'}
    nothing = {"Results": [None], "Includes": {}}
    assert missing == {"StatusCode": 404, "Result": nothing, "Headers": {}}
    assert [document["n"] for document in both["Result"]["Results"]] == [2, 1]
    assert [document["n"] for document in prefix["Result"]["Results"]] == [1, 2]


async def test_what_a_client_has_is_not_sent_again(node: Node) -> None:
    vector = await node.put("users/1", n=1)
    headers = {"if-none-match": f'"{vector}"', "other": None}
    (same,) = await results(node, part("?id=users/1", Headers=headers))
    assert same == {"StatusCode": 304, "Result": None, "Headers": {}}
    await node.put("users/1", n=2)
    (changed,) = await results(node, part("?id=users/1", Headers=headers))
    assert changed["StatusCode"] == 200 and changed["Result"]["Results"][0]["n"] == 2


@pytest.mark.parametrize("content", [{"Ids": ["users/1"]}, '{"Ids":["users/1"]}'])
async def test_a_content_is_an_object_or_its_text(node: Node, content: object) -> None:
    await node.put("users/1", n=1)
    (found,) = await results(node, part("", Method="POST", Content=content))
    assert found["Result"]["Results"][0]["n"] == 1


async def test_values_agreed_by_the_cluster_are_parts_too(node: Node) -> None:
    await node.ask("PUT", "/databases/db/cmpxchg?key=lock&index=0", {"Object": "mine"})
    (found,) = await results(node, part("?key=lock", "/databases/DB/cmpxchg"))
    assert found["Result"]["Results"][0]["Value"] == {"Object": "mine"}


async def test_an_error_of_one_part_leaves_the_others(node: Node) -> None:
    await node.put("users/1")
    told = await results(
        node,
        part("?id=users/1&wrong=1"),
        part("?id=users/1"),
        part("", "/databases/db/nowhere"),
        part("", "/databases/other/docs"),
    )
    assert [one["StatusCode"] for one in told] == [400, 200, 400, 400]
    assert "wrong" in told[0]["Result"]["Message"]
    assert "no other" in told[3]["Result"]["Message"]


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("PUT", "/databases/db/docs"),
        ("DELETE", "/databases/db/docs"),
        ("POST", "/databases/db/bulk_docs"),
        ("POST", MULTI_GET),
        ("GET", "/databases/db/operations/next-operation-id"),
        ("GET", "/databases/db/hilo/next"),
        ("GET", "/databases/db/streams/docs"),
    ],
)
async def test_only_reads_are_parts(node: Node, method: str, url: str) -> None:
    before = node.log.proposals
    query = "?id=users/1" if url.endswith("db/docs") and method != "POST" else ""
    (told,) = await results(node, part(query, url, Method=method))
    assert told["StatusCode"] == 400
    assert "cannot be a part of a multi-get" in told["Result"]["Message"]
    assert node.log.proposals == before


async def test_the_whole_waits_for_a_current_read_once(node: Node) -> None:
    before = node.log.reads
    await results(node, *[part("?id=users/1")] * 20)
    assert node.log.reads == before + 1
    node.log.unreadable()
    assert (await ask(node, part("?id=users/1"))).status == 503


async def test_limits(node: Node) -> None:
    many = await ask(node, *[{"Url": "/"}] * 1_001)
    assert many.error == (
        400,
        "BadRequestException",
        "1001 requests are over the limit of 1000: send fewer at a time",
    )
    await node.put("big/1", text="x" * 20_000)
    two = await results(node, part("?id=big/1"), part("?id=big/1"))
    assert [one["StatusCode"] for one in two] == [200, 200]
    third = (await results(node, *[part("?id=big/1")] * 3))[2]
    assert third["StatusCode"] == 400 and "over the limit" in third["Result"]["Message"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Requests: an array was expected, not null"),
        ({"Requests": [1]}, "Requests[0]: an object was expected, not the number 1"),
        ({"Requests": [{}]}, "Requests[0].Url: a string with something in it was expected"),
        ({"Requests": [{"Url": "docs"}]}, "Requests[0].Url: a path was expected"),
        ({"Requests": [part("", Headers={"a": 1})]}, "Requests[0].Headers.a: a string"),
    ],
)
async def test_what_is_no_multi_get(node: Node, body: object, message: str) -> None:
    status, kind, told = (await node.ask("POST", MULTI_GET, body)).error
    assert (status, kind) == (400, "BadRequestException") and message in told


async def test_a_missing_database_is_told_as_ever(node: Node) -> None:
    answer = await node.ask("POST", "/databases/none/multi_get", {"Requests": []})
    assert (answer.status, answer.headers["Database-Missing"]) == (503, "none")
