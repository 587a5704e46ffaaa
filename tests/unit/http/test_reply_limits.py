"""No reply is over its limit (50,000 bytes here), and none is built beyond it."""

import pytest

from quoth_cluster.documents import StoredDocument, load
from quoth_cluster.store.environment import ReadTxn
from quoth_node.http import loading
from quoth_node.http.documents import LOADED_HERE_MAX
from tests.unit.http.conftest import Node

DOCS = "/databases/db/docs"
VALUES = "/databases/db/cmpxchg"
OVER = "The reply is over the limit of 50000 bytes: "


async def test_a_document_named_often_is_read_once(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    await node.put("a/1", n=1)
    reads: list[str] = []

    def counted(txn: ReadTxn, name: str) -> StoredDocument | None:
        reads.append(name)
        return load(txn, name)

    monkeypatch.setattr(loading, "load", counted)
    names = ["a/1", "A/1", "none", "NONE"] * LOADED_HERE_MAX
    answer = await node.ask("POST", DOCS, {"Ids": names})
    assert [result and result["n"] for result in answer.json["Results"]] == [
        1,
        1,
        None,
        None,
    ] * LOADED_HERE_MAX
    assert reads == ["a/1", "none"]


@pytest.mark.parametrize("count", [3, 100, 10_000])
async def test_a_load_over_the_limit_asks_for_fewer_documents(node: Node, count: int) -> None:
    await node.put("big/1", text="x" * 20_000)
    told = (400, "BadRequestException", f"{OVER}ask for fewer documents at a time")
    assert (await node.ask("POST", DOCS, {"Ids": ["big/1"] * count})).error == told
    short = "&id=big/1" * min(count, 300)
    assert (await node.get(f"{DOCS}?{short}")).error == told
    two = await node.ask("POST", DOCS, {"Ids": ["big/1"] * 2})
    assert (two.status, len(two.json["Results"])) == (200, 2)


async def test_metadata_are_measured_as_what_they_are(node: Node) -> None:
    for n in range(3):
        await node.put(f"big/{n}", text="x" * 20_000)
    target = f"{DOCS}?id=big/0&id=big/1&id=big/2&metadataOnly=true"
    assert (await node.get(target)).status == 200
    assert (await node.get(f"{DOCS}?startsWith=big/&metadataOnly=true")).status == 200


async def test_ids_over_their_number_are_told(node: Node) -> None:
    answer = await node.ask("POST", DOCS, {"Ids": ["a"] * 10_001})
    message = "10001 ids are over the limit of 10000: send fewer at a time"
    assert answer.error == (400, "BadRequestException", message)


async def test_includes_count(node: Node) -> None:
    for n in range(3):
        await node.put(f"big/{n}", text="x" * 20_000)
    await node.put("a", refs=["big/0", "big/1", "BIG/0"], all=["big/0", "big/1", "big/2"])
    two = await node.get(f"{DOCS}?id=a&include=refs")
    assert set(two.json["Includes"]) == {"big/0", "big/1"}
    over = await node.get(f"{DOCS}?id=a&include=all")
    assert over.error == (400, "BadRequestException", f"{OVER}ask for fewer documents at a time")
    paths = await node.get(f"{DOCS}?id=a{'&include=refs' * 101}")
    assert paths.error[0] == 400 and "101 include paths" in paths.error[2]


async def test_names_to_include_are_counted(node: Node) -> None:
    await node.put("a", refs=list(range(10_001)))
    answer = await node.get(f"{DOCS}?id=a&include=refs")
    assert answer.error[0] == 400 and "Over 10000 documents or values" in answer.error[2]


async def test_values_count(node: Node) -> None:
    for n in range(3):
        target = f"{VALUES}?key=k/{n}&index=0"
        assert (await node.ask("PUT", target, {"Object": "x" * 20_000})).status == 200
    over = await node.get(f"{VALUES}?startsWith=k/")
    assert over.error == (400, "BadRequestException", f"{OVER}ask with a smaller pageSize")
    assert len((await node.get(f"{VALUES}?startsWith=k/&pageSize=2")).json["Results"]) == 2
    twice = (await node.get(f"{VALUES}?key=k/1&key=k/1")).json["Results"]
    assert [value["Key"] for value in twice] == ["k/1", "k/1"]
    often = await node.get(f"{VALUES}?{'&key=k/1' * 300}")
    assert often.error == (400, "BadRequestException", f"{OVER}ask for fewer keys at a time")
    await node.put("a", refs=["k/0", "k/1", "k/2"])
    included = await node.get(f"{DOCS}?id=a&cmpxchg=refs")
    assert included.error[:2] == (400, "BadRequestException")


async def test_identities_count(node: Node) -> None:
    for n in range(400):
        await node.ask("POST", f"/databases/db/identity/seed?name=i{n}&value=5")
    answer = await node.get("/databases/db/debug/identities")
    assert answer.error == (400, "BadRequestException", f"{OVER}there are too many to list")
