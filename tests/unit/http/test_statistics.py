"""What a database holds, as statistics tell it: every number is counted, none is made up."""

from typing import Any

from tests.unit.http.conftest import Node, delete, put

DB = "/databases/db"


async def statistics(node: Node, path: str) -> Any:
    answer = await node.get(f"{DB}/{path}")
    assert answer.status == 200
    return answer.json


async def fill(node: Node) -> None:
    await node.bulk(put("users/1", name="x"), put("users/2"), put("orders/1", "Orders"))
    await node.bulk(put("gone/1", "Gone"))
    await node.bulk(delete("gone/1"), delete("users/2"))
    await node.ask("POST", f"{DB}/identity/next?name=bills")
    await node.ask("PUT", f"{DB}/cmpxchg?key=k&index=0", {"Object": 1})
    await node.transact(put("guarded/1", "Guarded"))


async def test_a_database_is_counted(node: Node) -> None:
    await fill(node)
    found = await statistics(node, "stats")
    assert (found["CountOfDocuments"], found["CountOfTombstones"]) == (3, 2)
    assert found["LastDocEtag"] == found["LastDatabaseEtag"] == 7
    assert found["SizeOnDisk"]["SizeInBytes"] > 0 and found["SizeOnDisk"]["HumaneSize"]
    assert found["TempBuffersSizeOnDisk"]["SizeInBytes"] == 0
    assert "CountOfIdentities" not in found
    detailed = await statistics(node, "stats/detailed")
    assert {key: detailed[key] for key in found if key != "@metadata"} == {
        key: value for key, value in found.items() if key != "@metadata"
    }
    assert detailed["CountOfIdentities"] == 1
    assert detailed["CountOfCompareExchange"] == 2, "an atomic guard is a value as any other"
    assert detailed["CountOfCompareExchangeTombstones"] == 0


async def test_values_that_are_deleted_are_not_counted(node: Node) -> None:
    put_answer = await node.ask("PUT", f"{DB}/cmpxchg?key=k&index=0", {"Object": 1})
    await node.ask("DELETE", f"{DB}/cmpxchg?key=k&index={put_answer.json['Index']}")
    detailed = await statistics(node, "stats/detailed")
    assert detailed["CountOfCompareExchange"] == 0
    assert detailed["CountOfCompareExchangeTombstones"] == 0


async def test_collections_are_counted_and_measured(node: Node) -> None:
    await fill(node)
    plain = await statistics(node, "collections/stats")
    assert plain["Collections"] == {"Users": 1, "Orders": 1, "Guarded": 1}
    detailed = await statistics(node, "collections/stats/detailed")
    assert (detailed["CountOfDocuments"], detailed["CountOfConflicts"]) == (3, 0)
    users = detailed["Collections"]["Users"]
    assert (users["Name"], users["CountOfDocuments"]) == ("Users", 1)
    content = len('{"name":"x"}') + len('{"@collection":"Users"}')
    assert users["DocumentsSize"] == {"SizeInBytes": content, "HumaneSize": f"{content} Bytes"}
    tombstones = users["TombstonesSize"]["SizeInBytes"]
    assert tombstones > 0 and users["Size"]["SizeInBytes"] == content + tombstones
    gone = detailed["Collections"]["Gone"]
    assert gone["CountOfDocuments"] == gone["DocumentsSize"]["SizeInBytes"] == 0
    assert gone["TombstonesSize"]["SizeInBytes"] > 0


async def test_a_document_counts_as_it_is_now(node: Node) -> None:
    for name in ("x" * 100, "short", "x" * 50):
        await node.put("users/1", name=name)
    detailed = await statistics(node, "collections/stats/detailed")
    size = detailed["Collections"]["Users"]["DocumentsSize"]["SizeInBytes"]
    assert size == len('{"name":""}') + 50 + len('{"@collection":"Users"}')
