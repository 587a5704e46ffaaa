"""Operations outside sessions: what is sent for them, and what their answers become."""

from typing import Any

import pytest

from quoth import (
    AsyncDocumentStore,
    BadRequest,
    CompareExchangeResult,
    CompareExchangeValue,
    ConcurrencyError,
    CreateDatabaseOperation,
    DatabaseDoesNotExist,
    DatabaseLockMode,
    DatabaseRecord,
    DeleteByQueryOperation,
    DeleteCompareExchangeValueOperation,
    DeleteDatabaseOperation,
    DocumentStore,
    FateUnknown,
    GetBuildNumberOperation,
    GetClusterTopologyOperation,
    GetCompareExchangeValueOperation,
    GetCompareExchangeValuesOperation,
    GetDatabaseNamesOperation,
    GetDatabaseRecordOperation,
    GetIdentitiesOperation,
    GetIndexOperation,
    GetIndexStatisticsOperation,
    GetStatisticsOperation,
    IndexDefinition,
    IndexFieldOptions,
    IndexRunningStatus,
    IndexType,
    JsonPatchDocument,
    JsonPatchOperation,
    Misuse,
    NextIdentityForOperation,
    PatchByQueryOperation,
    PatchOperation,
    PatchRequest,
    PatchStatus,
    PutCompareExchangeValueOperation,
    PutIndexesOperation,
    QueryOperationOptions,
    ReorderDatabaseMembersOperation,
    SeedIdentityForOperation,
    SetIndexesLockOperation,
    UpdateDatabaseOperation,
    WrongType,
)
from tests.client.entities import Address
from tests.client.wire import Wire


async def test_identities(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.on("POST", "/identity/seed", {"NewSeedValue": 23})
    wire.on("POST", "/identity/seed", {"NewSeedValue": 5})
    wire.on("POST", "/identity/next", {"NewIdentityValue": 6})
    wire.on("GET", "/debug/identities", {"companies|": 6})
    assert await store.send(SeedIdentityForOperation("companies|", 23)) == 23
    assert await store.maintenance.send(SeedIdentityForOperation("companies", 5, True)) == 5
    assert await store.maintenance.send(NextIdentityForOperation("companies|")) == 6
    assert await store.maintenance.send(GetIdentitiesOperation()) == {"companies|": 6}
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
    send = store.operations.send
    expiring = {"@expires": "2030-01-01T00:00:00.0000000Z"}
    done = await send(PutCompareExchangeValueOperation("a", [1], 0, expiring))
    assert done == CompareExchangeResult([1], 7, True)
    lost = await send(PutCompareExchangeValueOperation("a", None, 5))
    assert lost == CompareExchangeResult(None, 0, False)
    item = await send(GetCompareExchangeValueOperation("a", int))
    assert item is not None and (item.key, item.index, item.value) == ("a", 7, 1)
    assert await send(GetCompareExchangeValueOperation("b")) is None
    removed = await send(DeleteCompareExchangeValueOperation(int, "a", 7))
    assert removed == CompareExchangeResult(1, 9, True)
    assert wire.asked[0].json == {"Object": [1], "@metadata": expiring}
    assert wire.asked[-1].query["index"] == "7"


async def test_compare_exchange_values_are_typed(wire: Wire, store: AsyncDocumentStore) -> None:
    rome = {"Object": {"city": "Rome", "street": "Via Appia"}}
    rows = [
        {"Key": "a", "Value": rome, "Index": 7},
        {"Key": "b", "Value": None, "Index": -1},
    ]
    wire.on("GET", "/cmpxchg", {"Results": rows})
    wire.on("GET", "/cmpxchg", {"Results": rows[:1]})
    wire.on("GET", "/cmpxchg", {"Results": [{"Key": "a", "Value": {"Object": 1}, "Index": 7}]})
    send = store.operations.send
    found = await send(GetCompareExchangeValuesOperation(["a", "b"], Address))
    assert list(found) == ["a"]
    assert found["a"].value == Address("Rome", "Via Appia")
    of_a = GetCompareExchangeValuesOperation.create_for_start_with("a", 2, 10, object_type=Address)
    by_prefix: dict[str, CompareExchangeValue[Address]] = await send(of_a)
    assert by_prefix["a"].value.city == "Rome"
    with pytest.raises(WrongType, match="compare-exchange value a"):
        await send(GetCompareExchangeValueOperation("a", Address))
    many, prefix, _ = wire.asked
    assert many.pairs == [("key", "a"), ("key", "b")]
    assert prefix.query == {"startsWith": "a", "start": "2", "pageSize": "10"}


async def test_databases(wire: Wire, store: AsyncDocumentStore) -> None:
    topology = {"Members": ["A"], "Promotables": [], "Rehabs": [], "ReplicationFactor": 1}
    made = {"RaftCommandIndex": 9, "Name": "x", "Topology": topology, "NodesAddedTo": ["http://a"]}
    wire.on("PUT", "/admin/databases", made, status=201)
    message = {"Type": "x.ConcurrencyException", "Message": "Database 'x' already exists!"}
    wire.on("PUT", "/admin/databases", message, status=409)
    wire.on("GET", "/databases", {"Databases": ["shop", "x"]})
    wire.on("DELETE", "/admin/databases", {"RaftCommandIndex": 10, "PendingDeletes": []})
    send = store.maintenance.server.send
    result = await send(CreateDatabaseOperation(DatabaseRecord("x", settings={"a": "b"})))
    assert (result.raft_command_index, result.name) == (9, "x")
    assert result.topology is not None and result.topology.all_nodes == ["A"]
    with pytest.raises(ConcurrencyError, match="already exists"):
        await send(CreateDatabaseOperation("x"))
    assert await send(GetDatabaseNamesOperation()) == ["shop", "x"]
    assert (await send(DeleteDatabaseOperation("x", True))).raft_command_index == 10
    created = wire.asked[0]
    assert created.path == "/admin/databases" and created.query["name"] == "x"
    assert created.json["Settings"] == {"a": "b"}
    assert wire.asked[-1].json == {"DatabaseNames": ["x"], "HardDelete": True}


async def test_a_record_is_read_changed_and_written(wire: Wire, store: AsyncDocumentStore) -> None:
    told = {
        "DatabaseName": "shop",
        "Etag": 12,
        "LockMode": "PreventDeletesError",
        "Settings": {"a": "b"},
        "Revisions": None,
    }
    wire.on("GET", "/admin/databases", told)
    wire.on("GET", "/admin/databases", status=404)
    wire.on("PUT", "/admin/databases", {"RaftCommandIndex": 13, "Name": "shop"}, status=201)
    send = store.maintenance.server.send
    record = await send(GetDatabaseRecordOperation("shop"))
    assert record is not None and record.etag == 12
    assert record.lock_mode is DatabaseLockMode.PREVENT_DELETES_ERROR
    assert await send(GetDatabaseRecordOperation("none")) is None
    record.settings["c"] = "d"
    await send(UpdateDatabaseOperation(record, record.etag))
    last = wire.asked[-1]
    assert last.headers["ETag"] == '"12"'
    assert last.json["Settings"] == {"a": "b", "c": "d"}
    assert last.json["LockMode"] == "PreventDeletesError"


async def test_statistics(wire: Wire, store: AsyncDocumentStore) -> None:
    index = {
        "Name": "Auto/A",
        "IsStale": True,
        "LockMode": "Unlock",
        "Priority": "Normal",
        "State": "Normal",
        "Type": "AutoMap",
        "LastIndexingTime": None,
        "SourceType": "Documents",
    }
    body = {
        "CountOfDocuments": 3,
        "CountOfTombstones": 1,
        "CountOfIndexes": 1,
        "LastDocEtag": 5,
        "SizeOnDisk": {"SizeInBytes": 4096, "HumaneSize": "4 KBytes"},
        "Indexes": [index],
        "Is64Bit": True,
        "NobodyKnowsThis": {},
    }
    wire.on("GET", "/stats", body)
    found = await store.maintenance.send(GetStatisticsOperation())
    assert (found.count_of_documents, found.count_of_tombstones) == (3, 1)
    assert (found.last_doc_etag, found.size_on_disk.size_in_bytes) == (5, 4096)
    (stale,) = found.stale_indexes
    assert (stale.name, stale.type) == ("Auto/A", IndexType.AUTO_MAP)


async def test_indexes(wire: Wire, store: AsyncDocumentStore) -> None:
    definition = {
        "Name": "A/B",
        "Maps": ["map('A', a => a)"],
        "Type": "JavaScriptMap",
        "Fields": {"x": {"Indexing": "Search", "Storage": None, "Spatial": None}},
        "Configuration": {"Indexing.Static.SearchEngineType": "Corax"},
        "LockMode": "LockedError",
    }
    wire.on("GET", "/indexes", {"Results": [definition]})
    wire.on("GET", "/indexes", status=404)
    stats = {
        "Name": "A/B",
        "Type": "Map",
        "Status": "Running",
        "IsStale": False,
        "EntriesCount": 4,
        "LastIndexingTime": "2026-01-01T10:00:00.1234567Z",
        "Collections": {},
    }
    wire.on("GET", "/indexes/stats", {"Results": [stats]})
    send = store.maintenance.send
    found = await send(GetIndexOperation("A/B"))
    assert found is not None and list(found.maps) == definition["Maps"]
    assert found.fields["x"] == IndexFieldOptions(indexing=found.fields["x"].indexing)
    assert found.to_json()["Configuration"] == definition["Configuration"]
    assert found.to_json()["Fields"] == {"x": {"Indexing": "Search"}}
    assert await send(GetIndexOperation("none")) is None
    told = await send(GetIndexStatisticsOperation("A/B"))
    assert (told.entries_count, told.status) == (4, IndexRunningStatus.RUNNING)
    assert told.last_indexing_time is not None and told.last_indexing_time.year == 2026


async def test_patches(wire: Wire, store: AsyncDocumentStore) -> None:
    patched = {"Status": "Patched", "ModifiedDocument": {"n": 2}, "ChangeVector": "A:2-x"}
    wire.on("PATCH", "/docs", patched)
    wire.on("PATCH", "/docs", status=304)
    wire.on("PATCH", "/docs", status=404)
    wire.on("PATCH", "/json-patch", patched)
    wire.on("PATCH", "/json-patch", status=404)
    operations = store.operations
    request = PatchRequest("this.n += args.n", {"n": 1})
    done = await operations.send(PatchOperation("a/1", "A:1-x", request, PatchRequest("x = 1")))
    assert done.status is PatchStatus.PATCHED
    assert (done.modified_document, done.change_vector) == ({"n": 2}, "A:2-x")
    same = await operations.send_patch_operation(PatchOperation("a/1", None, request))
    assert same is PatchStatus.NOT_MODIFIED
    none = await operations.send(PatchOperation("a/1", None, request, None, True, test=True))
    assert none.status is PatchStatus.DOCUMENT_DOES_NOT_EXIST
    change = JsonPatchDocument().replace("/n", 2).move("/a", "/b").add("/tags/-", "x")
    assert (await operations.send(JsonPatchOperation("a/1", change))).status is PatchStatus.PATCHED
    missing = await operations.send(JsonPatchOperation("a/2", change))
    assert missing.status is PatchStatus.DOCUMENT_DOES_NOT_EXIST
    first, second, third, fourth, _ = wire.asked
    assert first.headers["If-Match"] == '"A:1-x"' and "If-Match" not in second.headers
    assert first.json["Patch"] == {"Script": "this.n += args.n", "Values": {"n": 1}}
    assert first.json["PatchIfMissing"]["Script"] == "x = 1"
    assert third.query["skipPatchIfChangeVectorMismatch"] == third.query["test"] == "true"
    assert fourth.json["Operations"][1] == {"op": "move", "from": "/a", "path": "/b"}


async def test_the_cluster(wire: Wire, store: AsyncDocumentStore) -> None:
    build = {"ProductVersion": "7.2", "BuildVersion": 72, "CommitHash": "c", "FullVersion": "7.2.0"}
    wire.on("GET", "/build/version", build)
    assert (await store.maintenance.server.send(GetBuildNumberOperation())).build_version == 72


async def test_a_missing_database_is_told_at_once(wire: Wire, store: AsyncDocumentStore) -> None:
    body = {"Type": "Error", "Message": "Database shop wasn't found"}
    wire.on("GET", "/stats", body, status=503, headers={"Database-Missing": "shop"})
    with pytest.raises(DatabaseDoesNotExist, match="shop"):
        await store.maintenance.send(GetStatisticsOperation())


@pytest.mark.parametrize("body", [None, [], {"Other": 1}, {"NewIdentityValue": None}])
async def test_an_answer_of_another_shape_is_no_answer(
    wire: Wire, store: AsyncDocumentStore, body: object
) -> None:
    wire.on("POST", "/identity/next", body)
    with pytest.raises(FateUnknown, match="the answer"):
        await store.maintenance.send(NextIdentityForOperation("a|"))


@pytest.mark.parametrize(
    "body",
    [
        {"Results": [{"Name": "A/B"}]},
        {"Results": [{"Name": "A/B", "Type": "Map", "Status": "Flying", "IsStale": False}]},
        {"Results": []},
    ],
)
async def test_an_answer_with_unknown_words_is_no_answer(
    wire: Wire, store: AsyncDocumentStore, body: object
) -> None:
    wire.on("GET", "/indexes/stats", body)
    with pytest.raises(FateUnknown, match="another shape"):
        await store.maintenance.send(GetIndexStatisticsOperation("A/B"))


async def test_each_operation_goes_where_it_belongs(store: AsyncDocumentStore) -> None:
    maintenance = store.maintenance
    with pytest.raises(Misuse, match=r"maintenance\.server\.send"):
        await maintenance.send(CreateDatabaseOperation("x"))
    with pytest.raises(Misuse, match=r"maintenance\.server\.send"):
        await store.operations.send(GetClusterTopologyOperation())
    with pytest.raises(Misuse, match=r"store\.maintenance\.send"):
        await maintenance.server.send(GetStatisticsOperation())
    with pytest.raises(Misuse, match="a value such as"):
        await maintenance.send(GetStatisticsOperation)  # type: ignore[arg-type]
    with pytest.raises(Misuse, match="name of a database"):
        maintenance.for_database(" ")


def test_another_database_is_asked(wire: Wire, plain_store: DocumentStore) -> None:
    wire.on("GET", "/databases/other/debug/identities", {"a|": 1})
    other = plain_store.maintenance.for_database("other")
    assert other.send(GetIdentitiesOperation()) == {"a|": 1}


BAD: list[tuple[Any, str]] = [
    (lambda: NextIdentityForOperation("\ud800"), "name of an identity cannot be sent: surrogates"),
    (lambda: SeedIdentityForOperation("", 1), "name of an identity"),
    (lambda: SeedIdentityForOperation("a|", -1), "from 0"),
    (lambda: SeedIdentityForOperation("a|", True), "whole number"),
    (lambda: SeedIdentityForOperation("a|", "5"), "whole number"),  # type: ignore[arg-type]
    (lambda: NextIdentityForOperation(5), "name of an identity"),  # type: ignore[arg-type]
    (lambda: PutCompareExchangeValueOperation("k", 1, -1), "index"),
    (lambda: GetCompareExchangeValueOperation("k" * 600), "512 bytes"),
    (lambda: GetCompareExchangeValuesOperation("abc"), "a list of names"),
    (lambda: GetCompareExchangeValuesOperation([]), "at least one"),
    (lambda: CreateDatabaseOperation(""), "name of a database"),
    (lambda: CreateDatabaseOperation(5), "DatabaseRecord"),  # type: ignore[arg-type]
    (lambda: DeleteDatabaseOperation(), "name a database"),
    (lambda: UpdateDatabaseOperation(DatabaseRecord("x"), 0), "etag"),
    (lambda: ReorderDatabaseMembersOperation("x", "AB"), "a list of names"),
    (lambda: PutIndexesOperation(), "at least one"),
    (lambda: PutIndexesOperation(IndexDefinition("x")), "no map"),
    (lambda: PutIndexesOperation(IndexDefinition(maps=["m"])), "a name"),
    (lambda: PutIndexesOperation(IndexDefinition("x", maps=[" "])), "a map of an index"),
    (
        lambda: PutIndexesOperation(IndexDefinition("x", maps=["m"], fields={"a": "b"})),  # type: ignore[dict-item]
        "needs IndexFieldOptions",
    ),
    (lambda: SetIndexesLockOperation("Shut", "x"), "IndexLockMode"),  # type: ignore[arg-type]
    (lambda: PatchOperation("a/1", None, PatchRequest(" ")), "script of patch"),
    (lambda: PatchOperation("a/1", None, "this.x = 1"), "PatchRequest"),  # type: ignore[arg-type]
    (lambda: JsonPatchOperation("a/1", JsonPatchDocument()), "no operations"),
    (lambda: JsonPatchDocument().add("name", 1), "JSON pointer"),
    (lambda: DeleteByQueryOperation(""), "a query"),
    (lambda: PatchByQueryOperation(5), "a query"),  # type: ignore[arg-type]
    (lambda: QueryOperationOptions(max_ops_per_sec=0), "from 1"),
]


@pytest.mark.parametrize(("make", "why"), BAD, ids=[why for _, why in BAD])
def test_bad_input_is_told_before_anything_is_sent(make: Any, why: str) -> None:
    with pytest.raises(Misuse, match=why):
        make()


async def test_a_refusal_says_why(wire: Wire, store: AsyncDocumentStore) -> None:
    body = {"Type": "x.InvalidOperationException", "Message": "Node 'Z' is not a part of it"}
    wire.on("POST", "/admin/databases/reorder", body, status=400)
    with pytest.raises(BadRequest, match="Node 'Z'"):
        await store.send(ReorderDatabaseMembersOperation("shop", ["Z"]))
