"""Databases over HTTP: created, looked up, listed, deleted, missed."""

import pytest

from tests.unit.http.conftest import Node, delete, put

ADMIN = "/admin/databases"


async def test_a_database_is_created_on_every_member(bare_node: Node) -> None:
    target = f"{ADMIN}?name=golden&replicationFactor=1&?raft-request-id=098997e5"
    answer = await bare_node.ask("PUT", target, {"DatabaseName": "golden", "Settings": {}})
    assert answer.status == 201
    created = answer.json
    assert created["Name"] == "golden" and created["NodesAddedTo"] == [bare_node.url]
    topology = created["Topology"]
    assert topology["Members"] == ["A"] and topology["ReplicationFactor"] == 1
    assert topology["Stamp"]["Index"] == created["RaftCommandIndex"] > 0
    assert len(topology["DatabaseTopologyIdBase64"]) == 22
    again = await bare_node.ask("PUT", target, {"DatabaseName": "golden"})
    assert again.json["RaftCommandIndex"] == created["RaftCommandIndex"], "the same request id"


async def test_a_database_exists_only_once(node: Node) -> None:
    answer = await node.ask("PUT", f"{ADMIN}?name=DB", {"DatabaseName": "DB"})
    assert answer.error[:2] == (409, "ConcurrencyException")
    assert answer.error[2] == "Database 'DB' already exists!"


async def test_the_record_holds_what_clients_read(node: Node) -> None:
    record = (await node.get(f"{ADMIN}?name=db")).json
    assert record["DatabaseName"] == "db" and record["LockMode"] == "Unlock"
    assert record["AutoIndexes"] == {} and record["PeriodicBackups"] == []
    assert record["Settings"] == {} and record["Etag"] > 0
    assert record["Topology"]["Members"] == ["A"]


async def test_settings_are_kept(bare_node: Node) -> None:
    await bare_node.ask("PUT", f"{ADMIN}?name=x", {"DatabaseName": "x", "Settings": {"a": "b"}})
    assert (await bare_node.get(f"{ADMIN}?name=x")).json["Settings"] == {"a": "b"}


async def test_a_missing_record_is_404(node: Node) -> None:
    answer = await node.get(f"{ADMIN}?name=none")
    assert (answer.status, answer.body) == (404, b"")
    assert answer.headers["Database-Missing"] == "none"


async def test_databases_are_listed_by_name(node: Node) -> None:
    await node.ask("PUT", f"{ADMIN}?name=Alpha", {})
    names = await node.get("/databases?start=0&pageSize=20&namesOnly=true")
    assert names.json == {"Databases": ["Alpha", "db"]}
    page = await node.get("/databases?start=1&pageSize=20&namesOnly=True")
    assert page.json == {"Databases": ["db"]}
    infos = await node.get("/databases")
    assert [info["Name"] for info in infos.json["Databases"]] == ["Alpha", "db"]


async def test_databases_are_deleted_if_they_exist(node: Node) -> None:
    body = {
        "DatabaseNames": ["db"],
        "HardDelete": True,
        "FromNodes": None,
        "TimeToWaitForConfirmation": None,
    }
    gone = await node.ask("DELETE", f"{ADMIN}?raft-request-id=8c4", body)
    assert gone.status == 200 and gone.json["PendingDeletes"] == []
    assert gone.json["RaftCommandIndex"] > 0
    missing = await node.ask("DELETE", ADMIN, {**body, "DatabaseNames": ["none"]})
    assert missing.json == {"RaftCommandIndex": -1, "PendingDeletes": []}
    assert (await node.get("/databases?namesOnly=true")).json == {"Databases": []}


HOSTILE = [
    *("", "a%20b", "a%2Fb", "..", "x" * 129, "%C3%A9", "a%0D%0Ab", "a%5Cb", "..%2F..%2Fetc", "C:"),
    *("NUL", "nul.txt", "Com1", "LPT9.x", ".a", "a.", "a..b", "%EF%BC%8E%EF%BC%8E", "a%E2%80%8Bb"),
]


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_name_must_be_able_to_name_a_database(bare_node: Node, name: str) -> None:
    answer = await bare_node.ask("PUT", f"{ADMIN}?name={name}", {})
    assert answer.error[:2] == (400, "BadRequestException")
    assert "cannot name a database" in answer.error[2]


async def test_url_and_body_must_name_the_same_database(bare_node: Node) -> None:
    answer = await bare_node.ask("PUT", f"{ADMIN}?name=a", {"DatabaseName": "b"})
    assert answer.error == (400, "BadRequestException", "The URL names 'a', the body 'b'")


@pytest.mark.parametrize("factor", ["x", "-1", "1001"])
async def test_a_replication_factor_is_a_number(bare_node: Node, factor: str) -> None:
    answer = await bare_node.ask("PUT", f"{ADMIN}?name=a&replicationFactor={factor}", {})
    assert answer.error[:2] == (400, "ArgumentException")


async def test_a_database_is_found_in_any_case(node: Node) -> None:
    await node.put("users/1")
    assert (await node.get("/databases/DB/docs?id=users/1")).status == 200
    assert (await node.ask("POST", "/Databases/Db/Identity/Next?Name=x")).status == 200


async def test_every_route_of_a_missing_database_says_so(node: Node) -> None:
    proposals = node.log.proposals
    asked = [
        ("GET", "docs?id=a%2F1", None),
        ("GET", "docs?startsWith=a", None),
        ("HEAD", "docs?id=a", None),
        ("POST", "bulk_docs", {"Commands": [put("users/1")]}),
        ("POST", "bulk_docs", {"Commands": [delete("a")], "TransactionMode": "ClusterWide"}),
        ("PUT", "docs?id=a", {}),
        ("DELETE", "docs?id=a", None),
        ("GET", "stats", None),
        ("GET", "stats/detailed", None),
        ("GET", "collections/stats", None),
        ("GET", "hilo/next?tag=x", None),
        ("PUT", "hilo/return?tag=x&end=1&last=1", None),
        ("POST", "identity/next?name=x", None),
        ("POST", "identity/seed?name=x&value=1", None),
        ("GET", "debug/identities", None),
        ("GET", "cmpxchg", None),
        ("PUT", "cmpxchg?key=a&index=0", {"Object": 1}),
        ("DELETE", "cmpxchg?key=a&index=0", None),
        ("GET", "configuration/client", None),
    ]
    for method, path, body in asked:
        answer = await node.ask(method, f"/databases/no_such_db/{path}", body)
        assert answer.headers["Database-Missing"] == "no_such_db", path
        assert answer.status == 503
        if method != "HEAD":
            assert answer.error[1:] == (
                "DatabaseDoesNotExistException",
                "Database 'no_such_db' does not exist.",
            )
    assert node.log.proposals == proposals, "a missing database costs no log entry"


async def test_a_database_that_is_deleted_meanwhile_is_missing(node: Node) -> None:
    database = node.machine.database("db")
    assert database is not None
    await node.ask("DELETE", ADMIN, {"DatabaseNames": ["db"], "HardDelete": True})
    node.machine.database = lambda name: database  # type: ignore[method-assign]
    answer = await node.bulk(put("users/1"))
    assert answer.error[:2] == (503, "DatabaseDoesNotExistException")
    assert answer.headers["Database-Missing"] == "db"


async def test_a_database_that_is_gone_at_once_was_created_all_the_same(bare_node: Node) -> None:
    bare_node.machine.database = lambda name: None  # type: ignore[method-assign]
    answer = await bare_node.ask("PUT", f"{ADMIN}?name=x", {})
    assert (answer.status, answer.json["Name"]) == (201, "x")
