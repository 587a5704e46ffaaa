"""Saving batches and cluster transactions over HTTP, and waiting after them."""

import asyncio
import re

import pytest

from quoth_cluster.errors import NotReadable
from tests.unit.http.conftest import Node, delete, put

BULK = "/databases/db/bulk_docs"
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
STAMP = "2027-01-15T08:00:00.0000000Z"


async def test_results_answer_commands_one_by_one(node: Node) -> None:
    await node.put("users/old")
    answer = await node.bulk(
        put("users/1"), delete("users/old"), delete("users/none"), put("orders|")
    )
    assert answer.status == 201
    first, second, third, fourth = answer.json["Results"]
    vector = first.pop("@change-vector")
    assert vector.startswith("A:2-")
    assert first == {
        "Type": "PUT",
        "@id": "users/1",
        "@collection": "Users",
        "@last-modified": STAMP,
    }
    assert second == {"Id": "users/old", "Type": "DELETE", "Deleted": True, "ChangeVector": None}
    assert third == {"Id": "users/none", "Type": "DELETE", "Deleted": False}
    assert fourth["@id"] == "orders/1"
    assert "TransactionIndex" not in answer.json


async def test_a_document_without_an_id_gets_one_of_the_server(node: Node) -> None:
    answer = await node.bulk(put(None), put(""))
    names = [result["@id"] for result in answer.json["Results"]]
    assert all(GUID.fullmatch(name) for name in names) and len(set(names)) == 2


async def test_a_batch_is_saved_whole_or_not_at_all(node: Node) -> None:
    await node.put("users/1", n=1)
    failed = await node.bulk(put("users/2"), {**put("users/1"), "ChangeVector": ""})
    status, kind, message = failed.error
    assert (status, kind) == (409, "ConcurrencyException")
    assert "expecting new document" in message
    assert failed.json["Url"] == BULK
    assert failed.json["ExpectedChangeVector"] == ""
    assert (await node.get("/databases/db/docs?id=users/2")).status == 404


async def test_a_prefix_is_deleted(node: Node) -> None:
    for n in range(3):
        await node.put(f"logs/{n}")
    answer = await node.bulk(delete("logs/", IdPrefixed=True))
    assert answer.json["Results"][0]["Deleted"] is True
    assert (await node.get("/databases/db/docs?startsWith=logs/")).json == {"Results": []}


async def test_the_collection_of_a_document_stays(node: Node) -> None:
    await node.put("users/1")
    status, kind, _ = (await node.bulk(put("users/1", collection="Others"))).error
    assert (status, kind) == (400, "InvalidOperationException")


async def test_a_cluster_transaction_tells_its_index(node: Node) -> None:
    reserve = {"Id": "names/x", "Document": {"Object": 1}, "Index": 0, "Type": "CompareExchangePUT"}
    answer = await node.transact(reserve, put("users/1"), delete("users/none"))
    index = answer.json["TransactionIndex"]
    document, gone, value = answer.json["Results"]
    assert answer.status == 201 and index > 0
    assert document["@change-vector"].startswith("RAFT:1-")
    assert f",TRXN:{index}-" in document["@change-vector"]
    assert document.items() >= {"Type": "PUT", "@id": "users/1", "@last-modified": STAMP}.items()
    assert gone.items() >= {"Type": "DELETE", "Id": "users/none"}.items()
    assert value == {"Type": "CompareExchangePUT", "Key": "names/x", "Index": index}


async def test_a_violated_cluster_transaction_lists_every_violation(node: Node) -> None:
    reserve = {"Id": "names/x", "Document": {"Object": 1}, "Index": 0, "Type": "CompareExchangePUT"}
    index = (await node.transact(reserve)).json["TransactionIndex"]
    failed = await node.transact(reserve, put("users/1"))
    status, kind, message = failed.error
    assert (status, kind) == (409, "ClusterTransactionConcurrencyException")
    assert message == (
        "Failed to execute cluster transaction due to the following issues: Concurrency check "
        f"failed for putting the key 'names/x'. Requested index: 0, actual index: {index}"
    )
    assert failed.json["ConcurrencyViolations"] == [
        {"Type": "CompareExchange", "Id": "names/x", "Expected": 0, "Actual": index}
    ]
    assert failed.json["Id"] is None
    assert (await node.get("/databases/db/docs?id=users/1")).status == 404


async def test_a_loaded_document_can_be_updated_cluster_wide(node: Node) -> None:
    await node.transact(put("users/1", n=1))
    loaded = (await node.get("/databases/db/docs?id=users/1")).json["Results"][0]
    assert loaded["@metadata"]["@flags"] == "FromClusterTransaction"
    command = {"Id": "users/1", "ChangeVector": None, "Document": {**loaded, "n": 2}, "Type": "PUT"}
    assert (await node.transact(command)).status == 201
    stale = await node.transact(command)
    assert stale.status == 409
    assert stale.json["ConcurrencyViolations"][0]["Id"] == "rvn-atomic/users/1"
    blind = await node.transact(put("users/1", n=3))
    assert blind.status == 409


async def test_guards_can_be_left_out(node: Node) -> None:
    await node.transact(put("users/1"), query="?&disableAtomicDocumentWrites=true")
    again = await node.transact(put("users/1"), query="?disableAtomicDocumentWrites=True")
    assert again.status == 201
    assert "TRXN" not in again.json["Results"][0]["@change-vector"]


async def test_who_does_not_know_guards_gets_none(node: Node) -> None:
    node.headers = {}
    await node.transact(put("users/1"))
    assert (await node.get("/databases/db/cmpxchg")).json == {"Results": []}


async def test_guards_are_not_for_users_to_change(node: Node) -> None:
    command = {
        "Id": "rvn-atomic/users/1",
        "Document": {"Object": 1},
        "Index": 0,
        "Type": "CompareExchangePUT",
    }
    status, kind, message = (await node.transact(command)).error
    assert (status, kind) == (400, "CompareExchangeInvalidKeyException")
    assert "atomic guard" in message


async def test_a_request_id_makes_a_retry_safe(node: Node) -> None:
    first = await node.transact(put("users|"), query="?raft-request-id=one")
    second = await node.transact(put("users|"), query="?raft-request-id=one")
    assert first.json == second.json
    other = await node.transact(put("users|"), query="?raft-request-id=two")
    assert other.json["Results"][0]["@id"] != first.json["Results"][0]["@id"]


async def test_a_request_id_belongs_to_one_request(node: Node) -> None:
    once = "raft-request-id=one"
    await node.bulk(put("users/1"), put("users/2"), query=f"?{once}")
    for method, target, body in [
        ("POST", f"/databases/db/identity/next?name=x&{once}", None),
        ("PUT", f"/databases/db/docs?id=users/3&{once}", {}),
        ("PUT", f"/databases/db/cmpxchg?key=k&index=0&{once}", {"Object": 1}),
    ]:
        answer = await node.ask(method, target, body)
        assert answer.error[:2] == (400, "BadRequestException"), target
        assert "used" in answer.error[2] and "before" in answer.error[2]
    assert (await node.get("/databases/db/docs?id=users/3")).status == 404


# Waiting


async def test_waiting_for_indexes_returns_at_once(node: Node) -> None:
    query = (
        "??&waitForIndexesTimeout=00:00:15&waitForIndexThrow=true"
        "&waitForSpecificIndex=b'Users/ByName'&waitForSpecificIndex=Nope"
    )
    assert (await node.bulk(put("users/1"), query=query)).status == 201


async def test_enough_replicas_are_a_plain_answer(node: Node) -> None:
    node.log.applied_elsewhere = 2
    query = "??&waitForReplicasTimeout=00:00:03&numberOfReplicasToWaitFor=2"
    assert (await node.bulk(put("users/1"), query=query)).status == 201


async def test_a_majority_of_one_node_is_that_node(node: Node) -> None:
    query = "??&waitForReplicasTimeout=00:00:03&numberOfReplicasToWaitFor=majority"
    assert (await node.bulk(put("users/1"), query=query)).status == 201


@pytest.mark.parametrize(("number", "wanted"), [("9", 9), ("None", 1), ("", 1)])
async def test_too_few_replicas_are_told_and_the_write_stays(
    node: Node, number: str, wanted: int
) -> None:
    query = f"??&waitForReplicasTimeout=00:00:03&numberOfReplicasToWaitFor={number}"
    answer = await node.bulk(put("users/1"), query=query)
    status, kind, message = answer.error
    assert (status, kind) == (500, "RavenTimeoutException"), "another status is sent again"
    assert answer.json["FailImmediately"] is True
    loaded = await node.get("/databases/db/docs?id=users/1")
    assert loaded.status == 200
    vector = loaded.headers["ETag"].strip('"')
    assert message == (
        f"Could not verify that the change vector '{vector}' was replicated to {wanted} servers "
        "in 00:00:03. So far, it only replicated to 0"
    )


async def test_too_few_replicas_may_be_no_error(node: Node) -> None:
    query = (
        "??&waitForReplicasTimeout=00:00:03&throwOnTimeoutInWaitForReplicas=false"
        "&numberOfReplicasToWaitFor=9"
    )
    assert (await node.bulk(put("users/1"), query=query)).status == 201


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "waitForIndexesTimeout=zzz",
            "Could not parse query string 'waitForIndexesTimeout' as timespan val zzz",
        ),
        (
            "waitForReplicasTimeout=00:00:02&numberOfReplicasToWaitFor=abc",
            "Could not parse query string 'numberOfReplicasToWaitFor' as int val abc",
        ),
        (
            "waitForReplicasTimeout=00:00:02&numberOfReplicasToWaitFor=-1",
            "Query string 'numberOfReplicasToWaitFor' must be from 0 to 2147483647, not -1",
        ),
        (
            "waitForReplicasTimeout=9.00:00:00",
            "Query string 'waitForReplicasTimeout' must not be over 1.00:00:00",
        ),
        (
            "waitForIndexesTimeout=00:00:01&waitForIndexThrow=maybe",
            "Could not parse query string 'waitForIndexThrow' as bool val maybe",
        ),
    ],
)
async def test_a_wish_that_makes_no_sense_writes_nothing(
    node: Node, query: str, message: str
) -> None:
    answer = await node.bulk(put("users/1"), query=f"?{query}")
    assert answer.error == (400, "ArgumentException", message)
    assert (await node.get("/databases/db/docs?id=users/1")).status == 404


async def test_a_client_that_goes_away_does_not_cut_a_write(node: Node) -> None:
    node.log.hold = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        request = tasks.create_task(node.bulk(put("users/1")))
        await node.log.held.wait()
        request.cancel()
    hold, node.log.hold = node.log.hold, None
    assert (await node.get("/databases/db/docs?id=users/1")).status == 404
    hold.set()
    await node.log.applied.wait()
    assert (await node.get("/databases/db/docs?id=users/1")).status == 200


async def test_a_wait_that_breaks_is_never_told_as_a_save_that_failed(node: Node) -> None:
    async def broken(log_index: int, count: int, *, timeout_seconds: float) -> int:
        raise NotReadable("the links are down")

    node.log.wait_for_replicas = broken  # type: ignore[method-assign]
    query = "?waitForReplicasTimeout=00:00:03&numberOfReplicasToWaitFor=1"
    assert (await node.bulk(put("users/1"), query=query)).error[:2] == (
        500,
        "RavenTimeoutException",
    )
    patient = f"{query}&throwOnTimeoutInWaitForReplicas=false"
    assert (await node.bulk(put("users/2"), query=patient)).status == 201
    assert (await node.get("/databases/db/docs?id=users/1")).status == 200
