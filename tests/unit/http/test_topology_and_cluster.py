"""Topologies, membership and statistics over HTTP."""

from dataclasses import replace

import pytest

from quoth_cluster.log import Change, Member, MembershipChange, Vote
from quoth_cluster.raft.door import Role
from tests.unit.http.conftest import Node, put

B = "url=http://127.0.0.1:8081&tag=B&peer=127.0.0.1:9081"
NODE = "/admin/cluster/node"


async def test_a_database_is_on_every_member_and_the_own_url_is_echoed(node: Node) -> None:
    await node.ask("PUT", f"{NODE}?{B}")
    target = "/topology?name=DB&first-topology-update&applicationIdentifier=e4704d73"
    answer = await node.get(target)
    nodes = answer.json["Nodes"]
    assert [(n["ClusterTag"], n["Url"], n["ServerRole"], n["Database"]) for n in nodes] == [
        ("A", node.url, "Member", "db"),
        ("B", "http://127.0.0.1:8081", "Member", "db"),
    ]
    assert answer.json["Etag"] == node.machine.members_command_index
    elsewhere = await node.get(target, Host="proxy.example:81")
    assert elsewhere.json["Nodes"][0]["Url"] == "http://proxy.example:81"


async def test_the_topology_of_a_missing_database_is_told_in_the_official_way(node: Node) -> None:
    answer = await node.get("/topology?name=nope")
    assert (answer.status, answer.headers["Database-Missing"]) == (503, "nope")
    assert answer.json == {"Type": "Error", "Message": "Database nope wasn't found"}


@pytest.mark.parametrize("name", ["a%0D%0Ax:1", "%C3%A9", ""])
async def test_a_topology_needs_a_name_that_is_one(node: Node, name: str) -> None:
    assert (await node.get(f"/topology?name={name}")).error[0] == 400


async def test_a_topology_is_told_without_a_leader(node: Node) -> None:
    node.log.unreadable()
    assert (await node.get("/topology?name=db")).status == 200
    assert (await node.get("/cluster/topology")).status == 200
    unsure = await node.get("/topology?name=nope")
    assert unsure.status == 503 and "Database-Missing" not in unsure.headers


async def test_the_topology_of_the_cluster(node: Node) -> None:
    await node.ask("PUT", f"{NODE}?{B}")
    told = (await node.get("/cluster/topology?first-topology-update")).json
    urls = {"A": node.url, "B": "http://127.0.0.1:8081"}
    assert told["Topology"]["Members"] == told["Topology"]["AllNodes"] == urls
    assert told["Topology"]["LastNodeId"] == "B"
    assert told["Etag"] == told["Topology"]["Etag"] == node.machine.members_command_index
    assert (told["Leader"], told["NodeTag"], told["CurrentState"]) == ("A", "A", "Leader")
    assert told["Status"]["B"]["Connected"] is True
    assert told["@metadata"]["WebUrl"] == node.url


async def test_an_old_topology_is_marked(node: Node) -> None:
    current = (await node.get("/topology?name=db")).json["Etag"]

    async def marked(target: str, etag: str) -> bool:
        answer = await node.get(target, Topology_Etag=etag)
        return "Refresh-Topology" in answer.headers

    stats = "/databases/db/stats"
    assert await marked(stats, f'"{current - 1}"')
    assert await marked(stats, "0")
    for etag in (f'"{current}"', f'"{current + 9}"', '"None"', "", "x"):
        assert not await marked(stats, etag)
    assert not await marked("/build/version", str(node.machine.members_command_index))
    await node.ask("PUT", f"{NODE}?{B}")
    assert await marked(stats, f'"{current}"')
    assert await marked("/build/version", '"1"')


async def test_a_node_joins_in_two_steps(node: Node) -> None:
    info = (await node.get("/admin/cluster/join-info")).json
    member = {"Tag": "A", "Url": "http://127.0.0.1:8080", "PeerAddress": "127.0.0.1:9080"}
    member |= {"Vote": "member", "Incarnation": ""}
    assert info == {
        "ClusterId": "9513e51b-9e6b-40a4-a15f-e68190912b34",
        "Leader": "A",
        "NodeTag": "A",
        "PeerAddress": "127.0.0.1:9080",
        "Members": [member],
    }
    joined = await node.ask("PUT", f"{NODE}?{B}")
    assert (joined.status, joined.body) == (204, b"")
    b = Member("B", "http://127.0.0.1:8081", "127.0.0.1:9081", Vote.PROMOTABLE)
    assert node.log.membership_changes == [MembershipChange(Change.ADD, b)]
    removed = await node.ask("DELETE", f"{NODE}?nodeTag=B")
    assert removed.status == 204
    b = replace(b, vote=Vote.MEMBER)
    assert node.log.membership_changes[1:] == [MembershipChange(Change.REMOVE, b)]


async def test_a_watcher_is_listed_apart_and_may_become_a_member(node: Node) -> None:
    assert (await node.ask("PUT", f"{NODE}?{B}&watcher=true")).status == 204
    told = (await node.get("/cluster/topology")).json["Topology"]
    assert list(told["Members"]) == ["A"] and list(told["Watchers"]) == ["B"]
    nodes = (await node.get("/topology?name=db")).json["Nodes"]
    assert [n["ClusterTag"] for n in nodes] == ["A", "B"], "it carries the databases all the same"
    assert (await node.ask("POST", "/admin/cluster/promote?nodeTag=B")).status == 204
    told = (await node.get("/cluster/topology")).json["Topology"]
    assert list(told["Members"]) == ["A", "B"] and not told["Watchers"]
    again = await node.ask("POST", "/admin/cluster/promote?nodeTag=B")
    assert again.error == (400, "InvalidOperationException", "node B votes already")
    assert (await node.ask("POST", "/admin/cluster/demote?nodeTag=B")).status == 204
    last = await node.ask("POST", "/admin/cluster/demote?nodeTag=A")
    assert last.error[:2] == (400, "InvalidOperationException")


async def test_a_membership_that_is_not_possible_is_told(node: Node) -> None:
    await node.ask("PUT", f"{NODE}?{B}")
    again = await node.ask("PUT", f"{NODE}?{B}")
    assert again.error == (400, "InvalidOperationException", "node B is a member already, at http://127.0.0.1:8081")
    stranger = await node.ask("DELETE", f"{NODE}?nodeTag=C")
    assert stranger.error[:2] == (400, "InvalidOperationException")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "url=http://127.0.0.1:8081&tag=B",
        "url=http://127.0.0.1:8081&tag=b&peer=127.0.0.1:9081",
        "url=http://127.0.0.1:8081&tag=ABCDE&peer=127.0.0.1:9081",
        "url=ftp://127.0.0.1:8081&tag=B&peer=127.0.0.1:9081",
        "url=http://127.0.0.1:99999&tag=B&peer=127.0.0.1:9081",
        "url=http://127.0.0.1:8081/x&tag=B&peer=127.0.0.1:9081",
        "url=nonsense&tag=B&peer=127.0.0.1:9081",
        "url=http://127.0.0.1:8081&tag=B&peer=9081",
        "url=http://127.0.0.1:8081&tag=B&peer=127.0.0.1:9081&watcher=perhaps",
    ],
)
async def test_a_member_must_be_described_whole(node: Node, query: str) -> None:
    answer = await node.ask("PUT", f"{NODE}?{query}")
    assert answer.error[0] == 400
    assert node.log.membership_changes == []


async def test_a_passive_node_serves_only_what_is_its_own(node: Node) -> None:
    node.log.role = Role.PASSIVE
    for method, target in [
        ("GET", "/databases/db/docs?id=a"),
        ("POST", "/databases/db/bulk_docs"),
        ("GET", "/databases"),
        ("GET", "/topology?name=db"),
        ("PUT", "/admin/databases?name=x"),
    ]:
        answer = await node.ask(method, target)
        assert answer.error[:2] == (503, "NodeIsPassiveException"), target
        assert "Database-Missing" not in answer.headers
    assert (await node.get("/cluster/topology")).json["CurrentState"] == "Passive"
    for target in ("/build/version", "/cluster/node-info", "/license/status", "/admin/cluster/log"):
        assert (await node.get(target)).status == 200
    assert (await node.get("/setup/alive")).status == 204
    info = (await node.get("/admin/cluster/join-info")).json
    assert info["PeerAddress"] == "127.0.0.1:9080", "it says where it can be reached, to be added"


async def test_what_a_node_says_of_itself(node: Node) -> None:
    version = (await node.get("/build/version")).json
    assert version["ProductVersion"] == "7.2" and version["BuildVersion"] == 72
    info = (await node.get("/cluster/node-info")).json
    assert info["NodeTag"] == "A" and info["CurrentState"] == "Leader"
    assert info["ServerId"] == "0efcfa05-2cca-4587-acac-0335fc4cc9d4"
    assert info["NumberOfCores"] >= 1
    await node.ask("PUT", f"{NODE}?{B}")
    log = (await node.get("/admin/cluster/log")).json
    assert (log["Role"], log["Leader"], log["Term"]) == ("Leader", "A", 1)
    assert log["LastLogIndex"] == log["CommitIndex"] == log["AppliedIndex"] == node.log.log_index
    assert [peer["Tag"] for peer in log["Peers"]] == ["B"]
    assert {member["Tag"] for member in log["Members"]} == {"A", "B"}


async def test_statistics_count_one_snapshot(node: Node) -> None:
    await node.bulk(put("users/1"), put("users/2"), put("a", collection="Others"))
    await node.ask("DELETE", "/databases/db/docs?id=users/2")
    await node.ask("POST", "/databases/db/identity/next?name=x")
    await node.ask("PUT", "/databases/db/cmpxchg?key=k&index=0", {"Object": 1})
    stats = (await node.get("/databases/db/stats?wait-for-indexing")).json
    assert stats["CountOfDocuments"] == 2 and stats["CountOfTombstones"] == 1
    assert stats["LastDocEtag"] == 3 and stats["LastDatabaseEtag"] == 4
    assert stats["Indexes"] == [] and stats["CountOfIndexes"] == 0
    assert stats["SizeOnDisk"]["SizeInBytes"] > 0 and stats["SizeOnDisk"]["HumaneSize"]
    assert stats["DatabaseChangeVector"] == f"A:4-{stats['DatabaseId']}"
    assert "CountOfIdentities" not in stats
    detailed = (await node.get("/databases/db/stats/detailed")).json
    assert detailed["CountOfIdentities"] == 1 and detailed["CountOfCompareExchange"] == 1
    assert detailed["CountOfCompareExchangeTombstones"] == 0
    collections = (await node.get("/databases/db/collections/stats")).json
    assert collections["Collections"] == {"Users": 1, "Others": 1}
    assert collections["CountOfDocuments"] == 2
    assert (await node.get("/databases/db/stats?failure=check")).status == 200
