"""Definitions of indexes over HTTP, and what is told of them."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.unit.http.conftest import Answer, Node

PUT = "/databases/db/admin/indexes"
INDEXES = "/databases/db/indexes"
BY_NAME = {"Name": "N", "Maps": ["from u in docs.Users select new { u.name }"]}
WAITING = "?waitForIndexesTimeout=00:00:15&waitForIndexThrow=true"


async def define(node: Node, *definitions: object) -> Answer:
    return await node.ask("PUT", PUT, {"Indexes": definitions})


async def put_name(node: Node, name: str) -> None:
    document = {"name": name, "@metadata": {"@collection": "Users"}}
    command = {"Id": f"users/{name}", "ChangeVector": None, "Document": document, "Type": "PUT"}
    answer = await node.bulk(command, query=WAITING)
    assert answer.status == 201, answer.body


async def rows(node: Node, path: str) -> list[Any]:
    answer = await node.get(f"{INDEXES}{path}")
    assert answer.status == 200, answer.body
    return list(answer.json["Results"])


async def test_what_was_defined_is_told(node: Node) -> None:
    definition = {
        **BY_NAME,
        "Priority": "High",
        "LockMode": "LockedIgnore",
        "State": None,
        "Fields": {
            "name": {"Indexing": "Search", "Storage": "Yes", "Analyzer": "StandardAnalyzer"}
        },
        "Configuration": {"Indexing.MapTimeoutInSec": "30"},
        "AdditionalSources": None,
        "AdditionalAssemblies": [],
        "DeploymentMode": "Parallel",
    }
    answer = await define(node, definition)
    assert answer.status == 201
    assert answer.json == {"Results": [{"Index": "N", "RaftCommandIndex": node.log.log_index}]}
    assert b"Error" not in answer.body, "the official client looks for that word"
    (row,) = await rows(node, "?name=n")
    for key in ("Maps", "Priority", "LockMode", "Configuration", "AdditionalAssemblies"):
        assert row[key] == definition[key], key
    given = {key: value for key, value in row["Fields"]["name"].items() if value is not None}
    assert {"name": given} == definition["Fields"] and "TermVector" in row["Fields"]["name"]
    assert (row["Type"], row["State"], row["Reduce"]) == ("Map", "Normal", None)
    assert await rows(node, "?namesOnly=true") == ["N"]
    assert await rows(node, "?start=1") == []


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        ({**BY_NAME, "Name": ""}, 400, "name"),
        ({**BY_NAME, "Name": "x" * 481}, 400, "480 bytes"),
        ({**BY_NAME, "Name": "auto/x"}, 400, "Auto/"),
        ({**BY_NAME, "Maps": []}, 400, "no maps"),
        ({**BY_NAME, "Maps": [5]}, 400, "texts"),
        ({**BY_NAME, "Priority": "Highest"}, 400, "Priority is one of"),
        ({**BY_NAME, "LockMode": "Locked"}, 400, "LockMode is one of"),
        ({**BY_NAME, "State": "Odd"}, 400, "State is one of"),
        ({**BY_NAME, "Fields": []}, 400, "Fields is a JSON object"),
        ({**BY_NAME, "Fields": {"a": 5}}, 400, "object of objects"),
        ({**BY_NAME, "Fields": {"a": {"Analyzer": "Odd"}}}, 400, "Cannot find analyzer type"),
        ({**BY_NAME, "Fields": {"a": {"Spatial": {"Type": "Geography"}}}}, 500, "spatial"),
        ({**BY_NAME, "AdditionalAssemblies": [{"PackageName": "x"}]}, 400, "AdditionalAssemblies"),
        ({**BY_NAME, "OutputReduceToCollection": "Sums"}, 400, "OutputReduceToCollection"),
        ({**BY_NAME, "SourceType": "TimeSeries"}, 400, "time series"),
        ({**BY_NAME, "Maps": ["from u in docs.Users selec u"]}, 500, "Failed to compile index 'N'"),
        (5, 400, "JSON object"),
    ],
)
async def test_what_cannot_be_an_index_is_refused(
    node: Node, sent: object, status: int, said: str
) -> None:
    before = node.log.proposals
    answer = await define(node, {"Name": "Good", "Maps": BY_NAME["Maps"]}, sent)
    assert answer.error[0] == status and said in answer.error[2]
    if "bytes" not in said and "Auto/" not in said:
        assert node.log.proposals == before, "all that compile, or none"
        assert await rows(node, "") == []


async def test_another_order_is_no_other_definition(node: Node) -> None:
    maps = ["from o in docs.Others select new { o.name }", BY_NAME["Maps"][0]]
    fields = {"name": {"Indexing": "Exact"}}
    await define(node, {"Name": "N", "Maps": maps, "Fields": fields})
    same = {
        "Name": "N",
        "Maps": maps[::-1],
        "Fields": {"name": {"Indexing": "Exact", "Spatial": None}},
    }
    assert (await node.ask("POST", f"{INDEXES}/has-changed", same)).json == {"Changed": False}


async def test_what_is_not_there_is_told(node: Node) -> None:
    for method, path, body in (
        ("GET", f"{INDEXES}?name=x", None),
        ("DELETE", f"{INDEXES}?name=x", None),
        ("GET", f"{INDEXES}/stats?name=x", None),
        ("POST", f"{INDEXES}/set-lock", {"IndexNames": ["x"], "Mode": "Unlock"}),
        ("POST", f"{INDEXES}/set-priority", {"IndexNames": ["x"], "Priority": "Low"}),
        ("POST", f"{PUT}/enable?name=x", None),
        ("POST", f"{PUT}/stop?name=x", None),
        ("POST", f"{INDEXES}/replace?name=x", None),
        ("GET", f"{INDEXES}/staleness?name=x", None),
        ("GET", f"{INDEXES}/terms?name=x&field=y", None),
        ("GET", f"{INDEXES}/errors?name=x", None),
        ("RESET", f"{INDEXES}?name=x", None),
    ):
        answer = await node.ask(method, path, body)
        assert answer.status == 404, (method, path, answer.body)


async def test_a_locked_index_is_not_changed(node: Node) -> None:
    await define(node, {**BY_NAME, "LockMode": "LockedError"})
    other = {**BY_NAME, "Maps": ["from u in docs.Users select new { u.age }"]}
    refused = await define(node, other)
    assert refused.error[:2] == (400, "IndexAlreadyExistException")
    assert (await node.ask("POST", f"{INDEXES}/has-changed", other)).json == {"Changed": True}
    assert (await node.ask("POST", f"{INDEXES}/has-changed", BY_NAME)).json == {"Changed": False}
    body = {"IndexNames": ["N"], "Mode": "Unlock"}
    assert (await node.ask("POST", f"{INDEXES}/set-lock", body)).status == 204
    assert (await define(node, other)).status == 201
    assert (await node.ask("POST", f"{INDEXES}/has-changed", other)).json == {"Changed": False}


async def test_staleness_has_reasons(node: Node) -> None:
    await define(node, BY_NAME)
    await put_name(node, "ann")
    told = (await node.get(f"{INDEXES}/staleness?name=N")).json
    assert told == {"IsStale": False, "StalenessReasons": []}
    assert (await node.ask("POST", f"{PUT}/stop")).status == 204
    await node.put("users/2", name="bob")
    told = (await node.get(f"{INDEXES}/staleness?name=N")).json
    assert told["IsStale"] and len(told["StalenessReasons"]) == 2
    status = (await node.get(f"{INDEXES}/status")).json
    assert status == {"Status": "Paused", "Indexes": [{"Name": "N", "Status": "Paused"}]}
    statistics = (await node.get("/databases/db/stats")).json
    assert [row["IsStale"] for row in statistics["Indexes"]] == [True]


async def test_an_index_is_reset(node: Node) -> None:
    await define(node, BY_NAME)
    await put_name(node, "ann")
    assert (await node.ask("RESET", f"{INDEXES}?name=N")).status == 204
    await put_name(node, "bob")
    terms = (await node.get(f"{INDEXES}/terms?name=N&field=name")).json["Terms"]
    assert terms == ["ann", "bob"]
    (told,) = await rows(node, "/stats?name=N")
    assert told["MapAttempts"] == 2


async def test_a_method_no_parser_knows_is_told_from_a_body(node: Node) -> None:
    """Requests and bodies as they may come on one connection, in pieces of any size."""
    await define(node, BY_NAME)
    parts = urlsplit(node.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    reset = b"RESET /databases/db/indexes?name=N HTTP/1.1\r\nHost: x\r\n\r\n"
    text = b"RESET /this is no request"
    document = b'{"name":"%b"}' % text
    head = b"PUT /databases/db/docs?id=d/1 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    for pieces in (
        (reset,),
        (head % len(document), document[:9], document[9:]),
        (reset,),
    ):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.005)  # apart on the wire
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith((b"HTTP/1.1 204", b"HTTP/1.1 201")), answer
        if b"Content-Length" in answer and b" 201 " in answer:
            length = int(answer.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
    writer.close()
    stored = await node.get("/databases/db/docs?id=d/1")
    assert stored.json["Results"][0]["name"] == text.decode()


async def test_a_reset_has_a_path_of_its_own(node: Node) -> None:
    answer = await node.ask("RESET", "/databases/db/docs?id=x")
    assert answer.error[0] == 400 and "RESET" in answer.error[2]


async def test_pages_of_entries_hold_each_document_once(node: Node) -> None:
    """Also for who adds what was skipped to where the next page starts."""
    maps = ["from u in docs.Users from one in u.list select new { one }"]
    await define(node, {"Name": "Fan", "Maps": maps})
    for number in range(7):
        await node.put(f"users/{number}", list=["a", "b", "c"])
    found: list[str] = []
    page = skipped = 0
    while page == 0 or len(found) == 2 * page:
        text = f"from index 'Fan' where one in ('a', 'b', 'c') limit {2 * page + skipped}, 2"
        sent = {"Query": text, "WaitForNonStaleResults": True}
        answer = (await node.ask("POST", "/databases/db/queries", sent)).json
        found += [one["@metadata"]["@id"] for one in answer["Results"]]
        skipped += answer["SkippedResults"]
        page += 1
    assert (sorted(found), skipped) == ([f"users/{number}" for number in range(7)], 14)
