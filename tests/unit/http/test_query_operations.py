"""Documents deleted and patched by what a query finds, while somebody asks how far it has come."""

import asyncio
from typing import Any

import pytest

from tests.unit.http.conftest import Answer, Node, put

QUERIES = "/databases/db/queries"


@pytest.fixture
async def users(node: Node) -> Node:
    """A node with 150 users and a company."""
    users = [put(f"users/{n}", "Users", n=n, boss="companies/1") for n in range(150)]
    answer = await node.bulk(*users, put("companies/1", "Companies", name="Acme"))
    assert answer.status == 201
    return node


async def ended(node: Node, begun: Answer) -> dict[str, Any]:
    """The end of an operation, asked for until it is there."""
    assert begun.status == 200, begun.body
    assert begun.json["OperationNodeTag"] == "A"
    target = f"/databases/db/operations/state?id={begun.json['OperationId']}"
    async with asyncio.timeout(20):
        state = {"Status": "InProgress"}
        while state["Status"] == "InProgress":
            state = (await node.get(target)).json
    return state


async def found(node: Node, text: str) -> list[Any]:
    return list((await node.ask("POST", QUERIES, {"Query": text})).json["Results"])


async def test_documents_are_deleted_by_a_query(users: Node) -> None:
    text = "from Users where startsWith(id(), 'users/1')"
    state = await ended(users, await users.ask("DELETE", QUERIES, {"Query": text}))
    assert (state["Status"], state["Result"]["Total"], state["Result"]["Query"]) == (
        *("Completed", 61),
        text,
    )
    assert state["Progress"]["Processed"] == state["Progress"]["Total"] == 61
    assert state["Result"]["$type"].startswith("Raven.Client.Documents.Operations.BulkOperation")
    assert len(await found(users, "from Users")) == 89
    detailed = await users.ask("DELETE", f"{QUERIES}?details=True", {"Query": "from Companies"})
    (detail,) = (await ended(users, detailed))["Result"]["Details"]
    assert (detail["Id"], detail["Deleted"]) == ("companies/1", True)


async def test_documents_are_patched_by_a_query(users: Node) -> None:
    text = """
    declare function more(n, by) { return n + by; }
    from Users as u load u.boss as b
    update { this.n = more(u.n, $by); u.boss = b.name + args.by; }
    """
    body = {"Query": {"Query": text, "QueryParameters": {"by": 5}}}
    state = await ended(users, await users.ask("PATCH", f"{QUERIES}?allowStale=True", body))
    assert (state["Status"], state["Result"]["DocumentsProcessed"]) == ("Completed", 150)
    documents = await found(users, "from Users")
    assert sorted(one["n"] for one in documents) == list(range(5, 155))
    assert {one["boss"] for one in documents} == {"Acme5"}


async def test_an_operation_tells_what_went_wrong(users: Node) -> None:
    body = {"Query": {"Query": "from Users update { if (this.n == 70) throw 'no'; this.n = -1; }"}}
    state = await ended(users, await users.ask("PATCH", QUERIES, body))
    assert state["Status"] == "Faulted"
    assert "the patch of 'users/70': no" in state["Result"]["Message"]
    changed = [one for one in await found(users, "from Users") if one["n"] == -1]
    assert len(changed) == state["Progress"]["Processed"] == 64, "whole batches, or nothing of them"


async def test_an_operation_is_no_faster_than_asked_and_can_be_killed(users: Node) -> None:
    begun = await users.ask("DELETE", f"{QUERIES}?maxOpsPerSec=1", {"Query": "from Users"})
    number = begun.json["OperationId"]
    killed = await users.ask("POST", f"/databases/db/operations/kill?id={number}")
    assert killed.status == 204
    state = await ended(users, begun)
    assert state["Status"] == "Canceled"
    assert len(await found(users, "from Users")) >= 148


async def test_what_cannot_be_changed_is_refused_at_once(users: Node) -> None:
    selected = await users.ask("DELETE", QUERIES, {"Query": "from Users select n"})
    assert selected.error[:2] == (400, "InvalidQueryException")
    update = await users.ask("DELETE", QUERIES, {"Query": "from Users update { }"})
    assert "sent with PATCH" in update.error[2]
    nothing = await users.ask("PATCH", QUERIES, {"Query": {"Query": "from Users"}})
    assert "ends with update" in nothing.error[2]
