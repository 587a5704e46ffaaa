"""Databases are disabled, locked, changed and ordered over HTTP."""

from typing import Any

import pytest

from quoth_cluster.commands import ToggleDatabases, encode
from quoth_cluster.log import Change, Member, MembershipChange, Vote
from tests.unit.http.conftest import Answer, Node, put

ADMIN = "/admin/databases"
DB = "/databases/db"


async def record_of(node: Node, name: str = "db") -> Any:
    answer = await node.get(f"{ADMIN}?name={name}")
    assert answer.status == 200
    return answer.json


async def update(node: Node, record: object, etag: object) -> Answer:
    headers = {"ETag": f'"{etag}"'}
    return await node.ask("PUT", f"{ADMIN}?name=db", record, headers=headers)


async def create(node: Node, name: str, **record: object) -> Answer:
    return await node.ask("PUT", f"{ADMIN}?name={name}", {"DatabaseName": name, **record})


async def toggle(node: Node, state: str, *names: str) -> Any:
    answer = await node.ask("POST", f"{ADMIN}/{state}", {"DatabaseNames": names})
    assert answer.status == 200
    return answer.json["Status"]


async def lock(node: Node, mode: str, *names: str) -> Answer:
    return await node.ask("POST", f"{ADMIN}/set-lock", {"DatabaseNames": names, "Mode": mode})


async def drop(node: Node, *names: str, **more: object) -> Answer:
    return await node.ask("DELETE", ADMIN, {"DatabaseNames": names, "HardDelete": True, **more})


# Records


async def test_a_record_that_was_read_can_be_sent_back_changed(node: Node) -> None:
    record = await record_of(node)
    settings = {"Indexing.MapBatchSize": "64", "a": None}
    answer = await update(node, {**record, "Settings": settings}, record["Etag"])
    assert answer.status == 201 and answer.json["Name"] == "db"
    after = await record_of(node)
    assert after["Settings"] == settings and list(after["Settings"]) == list(settings)
    assert after["Etag"] == answer.json["RaftCommandIndex"] > record["Etag"]


async def test_a_record_that_was_changed_meanwhile_is_not_written_over(node: Node) -> None:
    record = await record_of(node)
    await update(node, {**record, "Settings": {"a": "first"}}, record["Etag"])
    late = await update(node, {**record, "Settings": {"a": "second"}}, record["Etag"])
    now = (await record_of(node))["Etag"]
    message = (
        f"Concurrency violation, the database db has etag {now} but was expecting {record['Etag']}"
    )
    assert late.error == (409, "ConcurrencyException", message)
    assert (await record_of(node))["Settings"] == {"a": "first"}


async def test_an_etag_of_a_database_that_is_not_there(node: Node) -> None:
    answer = await node.ask("PUT", f"{ADMIN}?name=none", {}, headers={"ETag": '"7"'})
    assert answer.error[:2] == (409, "ConcurrencyException")
    assert "does not exist, but had a non zero etag" in answer.error[2]
    created = await node.ask("PUT", f"{ADMIN}?name=none", {}, headers={"ETag": '"0"'})
    assert created.status == 201
    from_node_js = {"ETag": '"undefined"'}
    assert (await node.ask("PUT", f"{ADMIN}?name=other", {}, headers=from_node_js)).status == 201


@pytest.mark.parametrize("etag", ["x", "None", "1.5", "9" * 30])
async def test_an_etag_that_is_none_is_not_passed_over(node: Node, etag: str) -> None:
    before = await record_of(node)
    answer = await update(node, {**before, "Settings": {"a": "b"}}, etag)
    assert answer.error[:2] == (400, "ArgumentException")
    assert await record_of(node) == before


async def test_a_database_is_created_disabled_and_locked(node: Node) -> None:
    answer = await create(node, "x", Disabled=True, LockMode="PreventDeletesError")
    assert answer.status == 201
    record = await record_of(node, "x")
    assert (record["Disabled"], record["LockMode"]) == (True, "PreventDeletesError")
    infos = (await node.get("/databases")).json["Databases"]
    assert [(one["Name"], one["Disabled"]) for one in infos] == [("db", False), ("x", True)]


async def test_the_record_of_a_database_is_among_its_routes(node: Node) -> None:
    assert (await node.get(f"{DB}/admin/record")).json == await record_of(node)


async def test_settings_are_read_and_written(node: Node) -> None:
    target = f"{DB}/admin/configuration/settings"
    assert (await node.ask("PUT", target, {"b": "2", "a": "1"})).status == 204
    assert (await node.get(target)).json == {"Settings": {"b": "2", "a": "1"}}
    assert (await node.ask("PUT", target, {"a": 1})).error[:2] == (400, "BadRequestException")
    large = await node.ask("PUT", target, {"a": "x" * 70_000})
    assert large.error[0] == 400 and "65536 bytes" in large.error[2]
    assert (await record_of(node))["Settings"] == {"b": "2", "a": "1"}


# Disabled


async def test_a_disabled_database_answers_503_and_writes_nothing(node: Node) -> None:
    await node.put("users/1")
    (status,) = await toggle(node, "disable", "DB")
    assert (status["Name"], status["Success"], status["Disabled"]) == ("db", True, True)
    proposals = node.log.proposals
    asked = [
        ("GET", "docs?id=users%2F1", None),
        ("HEAD", "docs?id=a", None),
        ("POST", "bulk_docs", {"Commands": [put("users/2")]}),
        ("PUT", "docs?id=a", {}),
        ("DELETE", "docs?id=users/1", None),
        ("GET", "stats", None),
        ("GET", "collections/stats/detailed", None),
        ("GET", "hilo/next?tag=x", None),
        ("PUT", "hilo/return?tag=x&end=1&last=1", None),
        ("POST", "identity/next?name=x", None),
        ("GET", "cmpxchg", None),
        ("PUT", "cmpxchg?key=a&index=0", {"Object": 1}),
        ("GET", "configuration/client", None),
    ]
    for method, path, body in asked:
        answer = await node.ask(method, f"{DB}/{path}", body)
        assert answer.status == 503 and "Database-Missing" not in answer.headers, path
        if method != "HEAD":
            assert answer.error[1:] == ("DatabaseDisabledException", "db has been disabled")
    assert node.log.proposals == proposals
    assert (await node.get("/topology?name=db")).status == 200
    assert (await node.get(f"{DB}/admin/record")).json["Disabled"] is True
    await toggle(node, "enable", "db")
    assert (await node.get(f"{DB}/stats")).json["CountOfDocuments"] == 1


async def test_a_command_on_its_way_to_a_database_that_is_disabled_meanwhile(node: Node) -> None:
    propose = node.log.propose

    async def late(command: bytes, *, timeout_seconds: float) -> Any:
        disable = encode(ToggleDatabases(("db",), disabled=True))
        await propose(disable, timeout_seconds=timeout_seconds)
        return await propose(command, timeout_seconds=timeout_seconds)

    node.log.propose = late  # type: ignore[method-assign]
    answer = await node.bulk(put("users/1"))
    assert answer.error[:2] == (503, "DatabaseDisabledException")
    node.log.propose = propose  # type: ignore[method-assign]
    await toggle(node, "enable", "db")
    assert (await node.get(f"{DB}/docs?id=users/1")).status == 404


async def test_toggling_tells_of_every_database(node: Node) -> None:
    rows = await toggle(node, "enable", "none", "db")
    assert [(row["Name"], row["Success"], row["Reason"]) for row in rows] == [
        ("none", False, "database not found"),
        ("db", True, "Database already enabled"),
    ]


# Locks


async def test_a_locked_database_is_not_deleted(node: Node) -> None:
    await create(node, "two")
    assert (await lock(node, "PreventDeletesError", "DB")).status == 204
    refused = await drop(node, "two", "db")
    assert refused.error[:2] == (400, "InvalidOperationException")
    assert "cannot be deleted because of the set lock mode" in refused.error[2]
    assert (await lock(node, "PreventDeletesIgnore", "db")).status == 204
    assert (await record_of(node))["LockMode"] == "PreventDeletesIgnore"
    assert (await drop(node, "two", "db")).status == 200
    ignored = await drop(node, "db")
    assert ignored.json == {"RaftCommandIndex": -1, "PendingDeletes": []}
    await lock(node, "Unlock", "db")
    assert (await drop(node, "db", FromNodes=["A"])).json["RaftCommandIndex"] > 0
    assert (await node.get("/databases?namesOnly=true")).json == {"Databases": []}


async def test_a_soft_delete_leaves_nothing_to_a_database_of_the_same_name(node: Node) -> None:
    await node.put("users/1")
    assert (await drop(node, "db", HardDelete=False)).status == 200
    await create(node, "db")
    assert (await node.get(f"{DB}/docs?id=users/1")).status == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "told"),
    [
        ("POST", "/set-lock", {"DatabaseNames": ["none"], "Mode": "Unlock"}, 503),
        ("POST", "/set-lock", {"DatabaseNames": ["db"], "Mode": "Locked"}, 400),
        ("POST", "/set-lock", {"DatabaseNames": ["db"]}, 400),
        ("POST", "/set-lock", {"DatabaseNames": [], "Mode": "Unlock"}, 400),
        ("POST", "/disable", {"DatabaseNames": "db"}, 400),
        ("POST", "/disable", {"DatabaseNames": ["a/b"]}, 400),
        ("POST", "/disable", None, 400),
        ("POST", "/reorder?name=db", {"MembersOrder": []}, 400),
        ("POST", "/reorder?name=db", {"MembersOrder": ["A", "B"]}, 400),
        ("POST", "/reorder?name=none", {"MembersOrder": ["A"]}, 503),
        ("POST", "/topology/modify?name=db", {"Members": ["A", "B"]}, 400),
        ("POST", "/unused-ids?name=db", {}, 400),
        ("POST", "/unused-ids?name=db", {"DatabaseIds": ["a, b"]}, 400),
        ("POST", "/dynamic-node-distribution?name=db", None, 400),
        ("POST", "/dynamic-node-distribution?name=db&enabled=maybe", None, 400),
        ("PUT", "/node?name=db", None, 400),
        ("PUT", "/node?name=db&node=Z", None, 400),
        ("POST", "/promote?name=db&node=Z", None, 400),
        ("DELETE", "", {"DatabaseNames": ["db"], "FromNodes": ["A", "B"]}, 400),
    ],
)
async def test_what_cannot_be_is_refused_in_words(
    node: Node, method: str, path: str, body: object, told: int
) -> None:
    before = await record_of(node)
    answer = await node.ask(method, ADMIN + path, body)
    assert answer.error[0] == told and len(answer.error[2]) > 20
    assert await record_of(node) == before


async def test_a_database_that_cannot_be_locked_is_named_as_missing(node: Node) -> None:
    answer = await lock(node, "Unlock", "db", "none")
    assert answer.error[:2] == (503, "DatabaseDoesNotExistException")
    assert answer.headers["Database-Missing"] == "none"


async def test_a_database_that_is_deleted_while_it_is_changed_is_missing(node: Node) -> None:
    database = node.machine.database("db")
    await drop(node, "db")
    known = node.machine.database
    node.machine.database = lambda name: database  # type: ignore[method-assign]
    answer = await node.ask("PUT", f"{DB}/admin/configuration/settings", {"a": "b"})
    node.machine.database = known  # type: ignore[method-assign]
    assert answer.error[:2] == (503, "DatabaseDoesNotExistException")
    assert answer.headers["Database-Missing"] == "db"


# Nodes


async def with_members(node: Node, *tags: str) -> None:
    for tag in tags:
        member = Member(tag, f"http://{tag}:1", f"{tag}:1", Vote.PROMOTABLE)
        change = MembershipChange(Change.ADD, member)
        await node.log.change_membership(change, timeout_seconds=1)


async def nodes_of(node: Node) -> list[str]:
    answer = await node.get("/topology?name=db")
    return [one["ClusterTag"] for one in answer.json["Nodes"]]


async def test_clients_prefer_nodes_in_the_order_that_was_set(node: Node) -> None:
    await with_members(node, "B", "C")
    known = {"Topology-Etag": f'"{(await node.get("/topology?name=db")).json["Etag"]}"'}
    order = {"MembersOrder": ["C", "A", "B"], "Fixed": True}
    assert (await node.ask("POST", f"{ADMIN}/reorder?name=db", order)).status == 204
    assert await nodes_of(node) == ["C", "A", "B"]
    topology = (await record_of(node))["Topology"]
    assert topology["Members"] == topology["PriorityOrder"] == ["C", "A", "B"]
    answer = await node.ask("GET", f"{DB}/docs?id=a", headers=known)
    assert "Refresh-Topology" in answer.headers
    await with_members(node, "D")
    assert await nodes_of(node) == ["C", "A", "B", "D"]


async def test_a_topology_of_the_same_nodes_is_another_order(node: Node) -> None:
    await with_members(node, "B")
    topology = {**(await record_of(node))["Topology"], "Members": ["B", "A"]}
    answer = await node.ask("POST", f"{ADMIN}/topology/modify?name=db", topology)
    assert (await record_of(node))["Etag"] == answer.json["RaftCommandIndex"]
    assert await nodes_of(node) == ["B", "A"]


async def test_a_database_is_on_every_node_already(node: Node) -> None:
    await with_members(node, "B")
    for method, path in (("PUT", "node"), ("POST", "promote")):
        answer = await node.ask(method, f"{ADMIN}/{path}?name=db&node=B")
        assert answer.status == 200 and answer.json["Topology"]["Members"] == ["A", "B"]


async def test_what_has_no_effect_here_is_kept(node: Node) -> None:
    distribute = f"{ADMIN}/dynamic-node-distribution?name=db&enabled=True"
    assert (await node.ask("POST", distribute)).status == 204
    ids = {"DatabaseIds": ["UwSrJxnBKEyy1t80ndJZBA"]}
    assert (await node.ask("POST", f"{ADMIN}/unused-ids?name=db", ids)).status == 204
    record = await record_of(node)
    assert record["Topology"]["DynamicNodesDistribution"] is True
    assert record["UnusedDatabaseIds"] == ids["DatabaseIds"]


# What clients are told

CONFIGURATION = {
    "Disabled": False,
    "IdentityPartsSeparator": "-",
    "MaxNumberOfRequestsPerSession": 50,
    "LoadBalancerContextSeed": None,
    "ReadBalanceBehavior": "RoundRobin",
    "LoadBalanceBehavior": "None",
}


async def put_configuration(node: Node, prefix: str = "", **changes: object) -> int:
    target = f"{prefix}/admin/configuration/client"
    answer = await node.ask("PUT", target, {**CONFIGURATION, "Etag": 99, **changes})
    assert answer.status == 201
    index: int = answer.json["RaftCommandIndex"]
    return index


async def told(node: Node, query: str = "") -> tuple[int, Any]:
    answer = await node.get(f"{DB}/configuration/client{query}")
    return answer.json["Etag"], answer.json["Configuration"]


async def test_clients_are_told_by_their_database_or_else_by_the_server(node: Node) -> None:
    assert await told(node) == (0, None)
    assert (await node.get("/configuration/client")).status == 404
    server = await put_configuration(node)
    assert (await node.get("/configuration/client")).json == {**CONFIGURATION, "Etag": server}
    assert await told(node) == (server, {**CONFIGURATION, "Etag": server})
    assert await told(node, "?inherit=false") == (server, None)
    own = await put_configuration(node, DB, MaxNumberOfRequestsPerSession=7)
    etag, configuration = await told(node)
    assert (etag, configuration["MaxNumberOfRequestsPerSession"]) == (own, 7)
    assert (await record_of(node))["Client"]["Etag"] == own
    off = await put_configuration(node, DB, Disabled=True)
    assert await told(node) == (off, {**CONFIGURATION, "Etag": off})


async def test_a_client_is_told_that_what_it_knows_is_old(node: Node) -> None:
    async def is_told(etag: str) -> bool:
        answer = await node.get(f"{DB}/docs?id=a", Client_Configuration_Etag=etag)
        return "Refresh-Client-Configuration" in answer.headers

    assert not await is_told('"None"') and not await is_told("0"), "there is none to fetch"
    etag = await put_configuration(node, DB)
    assert await is_told('"None"') and await is_told("0") and await is_told(f'"{etag - 1}"')
    assert not await is_told(f'"{etag}"') and not await is_told(str(etag))
    silent = await node.get(f"{DB}/docs?id=a")
    assert "Refresh-Client-Configuration" not in silent.headers


async def test_ids_are_made_with_the_separator_that_clients_are_told(node: Node) -> None:
    await put_configuration(node, DB)
    saved = await node.bulk(put("users|"))
    assert saved.json["Results"][0]["@id"] == "users-1"


@pytest.mark.parametrize(
    "changes",
    [
        {"IdentityPartsSeparator": "|"},
        {"IdentityPartsSeparator": "ab"},
        {"IdentityPartsSeparator": "a"},
        {"IdentityPartsSeparator": 5},
        {"ReadBalanceBehavior": "Best"},
        {"MaxNumberOfRequestsPerSession": "many"},
        {"Disabled": "no"},
        {"Something": 1},
    ],
)
async def test_a_configuration_no_client_understands_is_refused(
    node: Node, changes: dict[str, object]
) -> None:
    for target in (f"{DB}/admin/configuration/client", "/admin/configuration/client"):
        answer = await node.ask("PUT", target, {**CONFIGURATION, **changes})
        assert answer.error[0] == 400
    assert await told(node) == (0, None)
