"""Operations outside sessions: how each is written, and what its answer becomes."""

import pytest

from quoth import (
    AsyncDocumentStore,
    CompareExchangeResult,
    ConcurrencyError,
    CreateDatabase,
    DatabaseDoesNotExist,
    DeleteCompareExchange,
    DeleteDatabases,
    FateUnknown,
    GetCompareExchange,
    GetDatabaseNames,
    GetIdentities,
    GetStatistics,
    Misuse,
    NextIdentityFor,
    PutCompareExchange,
    SeedIdentityFor,
    SeedIdentityForOperation,
)
from tests.client.wire import Wire


async def test_identities(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.on("POST", "/identity/seed", {"NewSeedValue": 23})
    wire.on("POST", "/identity/seed", {"NewSeedValue": 5})
    wire.on("POST", "/identity/next", {"NewIdentityValue": 6})
    wire.on("GET", "/debug/identities", {"companies|": 6})
    assert await store.send(SeedIdentityFor("companies|", 23)) == 23
    assert await store.maintenance.send(SeedIdentityForOperation("companies", 5, True)) == 5
    assert await store.send(NextIdentityFor("companies|")) == 6
    assert await store.send(GetIdentities()) == {"companies|": 6}
    seed, forced, following, _ = wire.asked
    assert (seed.query["name"], seed.query["value"]) == ("companies|", "23")
    assert "force" not in seed.query and forced.query["force"] == "true"
    assert following.query["name"] == "companies|"


async def test_compare_exchange(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.on("PUT", "/cmpxchg", {"Index": 7, "Value": {"Object": [1]}, "Successful": True})
    wire.on("PUT", "/cmpxchg", {"Index": 0, "Value": None, "Successful": False})
    wire.on("GET", "/cmpxchg", {"Results": [{"Key": "a", "Value": {"Object": 1}, "Index": 7}]})
    wire.on("GET", "/cmpxchg", status=404)
    wire.on("DELETE", "/cmpxchg", {"Index": 9, "Value": {"Object": 1}, "Successful": True})
    done = await store.send(PutCompareExchange("a", [1], 0))
    assert done == CompareExchangeResult(True, 7, [1])
    lost = await store.send(PutCompareExchange("a", None, 5))
    assert lost == CompareExchangeResult(False, 0, None)
    item = await store.send(GetCompareExchange("a"))
    assert item is not None and (item.key, item.index, item.value) == ("a", 7, 1)
    assert await store.send(GetCompareExchange("b")) is None
    assert (await store.send(DeleteCompareExchange("a", 7))).is_successful
    assert wire.asked[0].json == {"Object": [1]}
    assert wire.asked[-1].query["index"] == "7"


async def test_databases(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.on("PUT", "/admin/databases", {"RaftCommandIndex": 9, "Name": "x"}, status=201)
    message = {"Type": "x.ConcurrencyException", "Message": "Database 'x' already exists!"}
    wire.on("PUT", "/admin/databases", message, status=409)
    wire.on("GET", "/databases", {"Databases": ["shop", "x"]})
    wire.on("DELETE", "/admin/databases", {"RaftCommandIndex": 10, "PendingDeletes": []})
    assert await store.send(CreateDatabase("x")) == 9
    with pytest.raises(ConcurrencyError, match="already exists"):
        await store.send(CreateDatabase("x"))
    assert await store.send(GetDatabaseNames()) == ["shop", "x"]
    await store.send(DeleteDatabases("x"))
    assert wire.asked[0].json == {"DatabaseName": "x"}
    assert wire.asked[-1].json == {"DatabaseNames": ["x"], "HardDelete": True}
    with pytest.raises(Misuse, match="at least one"):
        DeleteDatabases()


async def test_statistics(wire: Wire, store: AsyncDocumentStore) -> None:
    body = {
        "CountOfDocuments": 3,
        "CountOfTombstones": 1,
        "CountOfIndexes": 0,
        "LastDocEtag": 5,
        "SizeOnDisk": {"SizeInBytes": 4096, "HumaneSize": "4 KBytes"},
    }
    wire.on("GET", "/stats", body)
    found = await store.send(GetStatistics())
    assert (found.documents, found.tombstones, found.size_on_disk_bytes) == (3, 1, 4096)
    assert found.raw["LastDocEtag"] == 5


async def test_a_missing_database_is_told_at_once(wire: Wire, store: AsyncDocumentStore) -> None:
    body = {"Type": "Error", "Message": "Database shop wasn't found"}
    wire.on("GET", "/stats", body, status=503, headers={"Database-Missing": "shop"})
    with pytest.raises(DatabaseDoesNotExist, match="shop"):
        await store.send(GetStatistics())


@pytest.mark.parametrize("body", [None, [], {"Other": 1}, {"NewIdentityValue": None}])
async def test_an_answer_of_another_shape_is_no_answer(
    wire: Wire, store: AsyncDocumentStore, body: object
) -> None:
    wire.on("POST", "/identity/next", body)
    with pytest.raises(FateUnknown, match="the answer"):
        await store.send(NextIdentityFor("a|"))
