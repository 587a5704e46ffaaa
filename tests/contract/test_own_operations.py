"""Operations of our client against a real node: each is sent once, and what it did is looked at."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest

from quoth import (
    AbstractIndexCreationTask,
    AbstractJavaScriptIndexCreationTask,
    AbstractMultiMapIndexCreationTask,
    AddClusterNodeOperation,
    AddDatabaseNodeOperation,
    AsyncDocumentStore,
    BadRequest,
    BulkInsertAborted,
    BulkInsertOptions,
    BulkInsertProgress,
    ClientConfiguration,
    ConcurrencyError,
    CreateDatabaseOperation,
    DatabaseDoesNotExist,
    DatabaseLockMode,
    DatabaseRecord,
    DeleteByQueryOperation,
    DeleteCompareExchangeValueOperation,
    DeleteDatabaseOperation,
    DeleteIndexErrorsOperation,
    DeleteIndexOperation,
    DemoteClusterNodeOperation,
    DisableIndexOperation,
    DocumentStore,
    EnableIndexOperation,
    FateUnknown,
    FieldIndexing,
    FieldStorage,
    GetBuildNumberOperation,
    GetClientConfigurationOperation,
    GetClusterLogOperation,
    GetClusterTopologyOperation,
    GetCollectionStatisticsOperation,
    GetCompareExchangeValueOperation,
    GetCompareExchangeValuesOperation,
    GetDatabaseNamesOperation,
    GetDatabaseRecordOperation,
    GetDatabaseSettingsOperation,
    GetDatabasesOperation,
    GetDatabaseTopologyOperation,
    GetDetailedCollectionStatisticsOperation,
    GetDetailedStatisticsOperation,
    GetIdentitiesOperation,
    GetIndexErrorsOperation,
    GetIndexesOperation,
    GetIndexesStatisticsOperation,
    GetIndexingStatusOperation,
    GetIndexNamesOperation,
    GetIndexOperation,
    GetIndexStalenessOperation,
    GetIndexStatisticsOperation,
    GetJoinInfoOperation,
    GetLicenseStatusOperation,
    GetNextOperationIdCommand,
    GetNodeInfoOperation,
    GetOperationStateOperation,
    GetServerWideClientConfigurationOperation,
    GetServerWideOperationStateOperation,
    GetStatisticsOperation,
    GetTermsOperation,
    IndexCreation,
    IndexDefinition,
    IndexFieldOptions,
    IndexHasChangedOperation,
    IndexLockMode,
    IndexPriority,
    IndexQuery,
    IndexRunningStatus,
    IndexState,
    IndexType,
    JsonPatchDocument,
    JsonPatchOperation,
    KillServerOperationCommand,
    ModifyDatabaseTopologyOperation,
    NextIdentityForOperation,
    OperationCanceled,
    OperationStatus,
    PatchByQueryOperation,
    PatchOperation,
    PatchRequest,
    PatchStatus,
    PromoteClusterNodeOperation,
    PromoteDatabaseNodeOperation,
    PutClientConfigurationOperation,
    PutCompareExchangeValueOperation,
    PutDatabaseSettingsOperation,
    PutIndexesOperation,
    PutServerWideClientConfigurationOperation,
    QueryOperationOptions,
    RemoveClusterNodeOperation,
    ReorderDatabaseMembersOperation,
    ReplaceIndexOperation,
    ResetIndexOperation,
    SeedIdentityForOperation,
    SetDatabaseDynamicDistributionOperation,
    SetDatabasesLockOperation,
    SetIndexesLockOperation,
    SetIndexesPriorityOperation,
    StartIndexingOperation,
    StartIndexOperation,
    StopIndexingOperation,
    StopIndexOperation,
    ToggleDatabasesStateOperation,
    UpdateDatabaseOperation,
    UpdateUnusedDatabasesOperation,
)
from scripts.local_cluster import LocalCluster
from tests.client.entities import Company
from tests.contract.cutting_proxy import proxies

BY_NAME = "map('Companies', c => ({ name: c.name }))"


class Companies_ByName(AbstractIndexCreationTask):
    def __init__(self) -> None:
        super().__init__()
        self.map = "from c in docs.Companies select new { c.name }"
        self._index("name", FieldIndexing.SEARCH)
        self._store("name", FieldStorage.YES)


class Companies_Count(AbstractJavaScriptIndexCreationTask):
    def __init__(self) -> None:
        super().__init__()
        self.maps = ["map('Companies', c => ({ name: c.name, count: 1 }))"]
        self.reduce = (
            "groupBy(x => x.name).aggregate(g => ({"
            " name: g.key, count: g.values.reduce((sum, x) => sum + x.count, 0) }))"
        )
        self.fields = {"name": IndexFieldOptions(indexing=FieldIndexing.EXACT)}


class Everybody_ByName(AbstractMultiMapIndexCreationTask):
    def __init__(self) -> None:
        super().__init__()
        self._add_map("from c in docs.Companies select new { c.name }")
        self._add_map("from e in docs.Employees select new { e.name }")


@pytest.fixture
async def store(node_url: str, database: str) -> AsyncIterator[AsyncDocumentStore]:
    async with AsyncDocumentStore(node_url, database) as opened:
        yield opened


@pytest.fixture
def plain_store(node_url: str, database: str) -> Iterator[DocumentStore]:
    with DocumentStore(node_url, database) as opened:
        yield opened


async def companies(store: AsyncDocumentStore, count: int) -> None:
    async with store.bulk_insert() as bulk_insert:
        for number in range(count):
            await bulk_insert.store_as(Company(f"company {number}"), f"companies/{number}")


async def indexed(store: AsyncDocumentStore, name: str) -> None:
    """Every document so far is in the index: a save that waits for it says when."""
    async with store.open_session() as session:
        await session.store(Company("the last"), "companies/last")
        session.wait_for_indexes(name, throw_on_timeout=True)
        await session.save_changes()


def test_the_seed_of_identities_word_for_word(plain_store: DocumentStore) -> None:
    store = plain_store
    seed_identity_op = SeedIdentityForOperation("companies|", 23)
    seeded_value = store.maintenance.send(seed_identity_op)
    with store.open_session() as session:
        company = Company(name="RavenDB")
        session.store(company, "companies|")
        session.save_changes()
        assert (seeded_value, company.Id) == (23, "companies/24")
    seed_identity_op = SeedIdentityForOperation("companies|", 5, force_update=True)
    seeded_value = store.maintenance.send(seed_identity_op)
    with store.open_session() as session:
        company = Company(name="RavenDB")
        session.store(company, "companies|")
        session.save_changes()
        assert (seeded_value, company.Id) == (5, "companies/6")
    assert store.maintenance.send(NextIdentityForOperation("companies")) == 7
    assert store.maintenance.send(GetIdentitiesOperation()) == {"companies|": 7}


async def test_compare_exchange_values(store: AsyncDocumentStore) -> None:
    send = store.operations.send
    first = await send(PutCompareExchangeValueOperation("users/a", Company("a"), 0))
    assert first.successful and first.value == Company("a")
    taken = await send(PutCompareExchangeValueOperation("users/a", Company("b"), 0))
    assert not taken.successful and taken.value == Company("a") and taken.index == first.index
    far = {"@expires": "2090-01-01T00:00:00.0000000Z"}
    await send(PutCompareExchangeValueOperation("users/b", Company("b"), 0, far))
    item = await send(GetCompareExchangeValueOperation("users/a", Company))
    assert item is not None and (item.value, item.index) == (Company("a"), first.index)
    assert await send(GetCompareExchangeValueOperation("users/c")) is None
    both = await send(GetCompareExchangeValuesOperation(["users/a", "users/b", "users/c"], Company))
    assert sorted(both) == ["users/a", "users/b"]
    page = GetCompareExchangeValuesOperation.create_for_start_with
    assert list(await send(page("users/", 1, 5))) == ["users/b"]
    assert list(await send(page("other/"))) == []
    removed = await send(DeleteCompareExchangeValueOperation(Company, "users/a", first.index))
    assert removed.successful and removed.value == Company("a")


async def test_statistics(store: AsyncDocumentStore) -> None:
    await companies(store, 3)
    await store.maintenance.send(SeedIdentityForOperation("a|", 1))
    await store.operations.send(PutCompareExchangeValueOperation("a", 1, 0))
    send = store.maintenance.send
    found = await send(GetStatisticsOperation())
    assert found.count_of_documents == 3 and found.last_doc_etag > 0
    assert found.size_on_disk.size_in_bytes > 0 and not found.stale_indexes
    detailed = await send(GetDetailedStatisticsOperation())
    assert (detailed.count_of_identities, detailed.count_of_compare_exchange) == (1, 1)
    assert detailed.count_of_documents == 3
    assert (await send(GetCollectionStatisticsOperation())).collections == {"Companies": 3}
    details = await send(GetDetailedCollectionStatisticsOperation())
    assert details.collections["Companies"].count_of_documents == 3
    assert details.collections["Companies"].documents_size.size_in_bytes > 0


async def test_databases_come_change_and_go(store: AsyncDocumentStore) -> None:
    send, name = store.maintenance.server.send, f"{store.database}-made"
    made = await send(CreateDatabaseOperation(DatabaseRecord(name, settings={"A.B": "1"})))
    assert made.name == name and made.topology is not None and made.topology.members == ["A"]
    with pytest.raises(ConcurrencyError, match="already exists"):
        await send(CreateDatabaseOperation(name))
    assert name in await send(GetDatabaseNamesOperation())
    record = await send(GetDatabaseRecordOperation(name))
    assert record is not None and record.settings == {"A.B": "1"}
    record.settings["C.D"] = "2"
    await send(UpdateDatabaseOperation(record, record.etag))
    with pytest.raises(ConcurrencyError):
        await send(UpdateDatabaseOperation(record, record.etag))
    assert (await send(GetDatabaseSettingsOperation(name))).settings == {"A.B": "1", "C.D": "2"}
    await store.maintenance.send(PutDatabaseSettingsOperation(name, {"E.F": "3"}))
    found = await store.maintenance.send(GetDatabaseSettingsOperation(name))
    assert found.settings == {"E.F": "3"}
    for mode in (DatabaseLockMode.PREVENT_DELETES_ERROR, DatabaseLockMode.UNLOCK):
        await send(SetDatabasesLockOperation(name, mode))
        infos = {each.name: each for each in await send(GetDatabasesOperation())}
        assert infos[name].lock_mode is mode
        if mode is DatabaseLockMode.PREVENT_DELETES_ERROR:
            with pytest.raises(BadRequest):
                await send(DeleteDatabaseOperation(name, True))
    toggled = await send(ToggleDatabasesStateOperation(name, True))
    assert toggled.success and toggled.disabled
    many = ToggleDatabasesStateOperation.from_multiple_names([name, "none"], False)
    assert [each.success for each in await send(many)] == [True, False]
    await send(UpdateUnusedDatabasesOperation(name, ["a" * 22]))
    record = await send(GetDatabaseRecordOperation(name))
    assert record is not None and record.unused_database_ids == ["a" * 22]
    both = DeleteDatabaseOperation.Parameters([name, "none"], True)
    assert (await send(DeleteDatabaseOperation(parameters=both))).raft_command_index > 0
    assert (await send(DeleteDatabaseOperation(name, True))).raft_command_index == -1
    assert await send(GetDatabaseRecordOperation(name)) is None
    with pytest.raises(DatabaseDoesNotExist):
        await store.maintenance.for_database(name).send(GetStatisticsOperation())


async def test_where_databases_are(store: AsyncDocumentStore) -> None:
    send, name = store.maintenance.server.send, str(store.database)
    nodes = await send(GetDatabaseTopologyOperation(name))
    assert [each.cluster_tag for each in nodes.nodes] == ["A"] and nodes.etag > 0
    await send(ReorderDatabaseMembersOperation(name, ["A"], True))
    assert (await send(PromoteDatabaseNodeOperation(name, "A"))).name == name
    assert (await send(AddDatabaseNodeOperation(name, "A"))).name == name
    with pytest.raises(BadRequest, match="already exists on all the nodes"):
        await send(AddDatabaseNodeOperation(name))
    await send(SetDatabaseDynamicDistributionOperation(name, True))
    record = await send(GetDatabaseRecordOperation(name))
    assert record is not None and record.topology is not None
    assert record.topology.priority_order == ["A"] and record.topology.dynamic_nodes_distribution
    record.topology.dynamic_nodes_distribution = False
    await send(ModifyDatabaseTopologyOperation(name, record.topology))
    record = await send(GetDatabaseRecordOperation(name))
    assert record is not None and record.topology is not None
    assert not record.topology.dynamic_nodes_distribution


async def test_what_clients_are_told(store: AsyncDocumentStore) -> None:
    told = ClientConfiguration(max_number_of_requests_per_session=17)
    assert (await store.maintenance.send(GetClientConfigurationOperation())).etag >= 0
    await store.maintenance.send(PutClientConfigurationOperation(told))
    found = await store.maintenance.send(GetClientConfigurationOperation())
    assert found.configuration is not None
    assert found.configuration.max_number_of_requests_per_session == 17
    server = store.maintenance.server
    await server.send(PutServerWideClientConfigurationOperation(ClientConfiguration(disabled=True)))
    everywhere = await server.send(GetServerWideClientConfigurationOperation())
    assert everywhere is not None and everywhere.disabled


async def test_definitions_of_indexes(store: AsyncDocumentStore) -> None:
    send = store.maintenance.send
    definition = IndexDefinition("A/B", maps=[BY_NAME], priority=IndexPriority.LOW)
    (put,) = await send(PutIndexesOperation(definition))
    assert put.index == "A/B" and put.raft_command_index > 0
    assert await send(GetIndexNamesOperation()) == ["A/B"]
    assert not await send(IndexHasChangedOperation(definition))
    other = IndexDefinition("A/B", maps=[BY_NAME.replace("name:", "other:")])
    assert await send(IndexHasChangedOperation(other))
    await send(SetIndexesLockOperation(IndexLockMode.LOCKED_ERROR, "A/B"))
    await send(SetIndexesPriorityOperation(IndexPriority.HIGH, "A/B"))
    (found,) = await send(GetIndexesOperation())
    assert (found.lock_mode, found.priority) == (IndexLockMode.LOCKED_ERROR, IndexPriority.HIGH)
    assert found.type is IndexType.JAVA_SCRIPT_MAP and list(found.maps) == [BY_NAME]
    with pytest.raises(BadRequest):
        await send(PutIndexesOperation(other))
    await send(SetIndexesLockOperation(IndexLockMode.UNLOCK, "A/B"))
    await send(DisableIndexOperation("A/B"))
    one = await send(GetIndexOperation("A/B"))
    assert one is not None and one.state is IndexState.DISABLED
    await send(EnableIndexOperation("A/B", True))
    one = await send(GetIndexOperation("A/B"))
    assert one is not None and one.state is IndexState.NORMAL
    await send(DeleteIndexOperation("A/B"))
    await send(DeleteIndexOperation("A/B"))
    assert await send(GetIndexOperation("A/B")) is None
    with pytest.raises(BadRequest, match="A/C"):
        await send(PutIndexesOperation(definition, IndexDefinition("A/C", maps=["nonsense("])))
    assert await send(GetIndexNamesOperation()) == []


async def test_what_a_node_makes_of_its_indexes(store: AsyncDocumentStore) -> None:
    send = store.maintenance.send
    fails = (
        "map('Companies', c => {"
        " if (c.name == 'company 1') { throw 'no'; } return { n: c.name }; })"
    )
    await send(PutIndexesOperation(IndexDefinition("A/B", maps=[fails])))
    await companies(store, 3)
    await indexed(store, "A/B")
    told = await send(GetIndexStatisticsOperation("A/B"))
    assert (told.entries_count, told.errors_count, told.stale) == (3, 1, False)
    assert told.collections["Companies"].document_lag == 0
    assert [each.name for each in await send(GetIndexesStatisticsOperation())] == ["A/B"]
    (errors,) = await send(GetIndexErrorsOperation("A/B"))
    assert errors.errors[0].document == "companies/1"
    await send(DeleteIndexErrorsOperation(["A/B"]))
    (errors,) = await send(GetIndexErrorsOperation())
    assert errors.errors == []
    terms = await send(GetTermsOperation("A/B", "n", None, 2))
    assert terms == ["company 0", "company 2"]
    assert await send(GetTermsOperation("A/B", "n", terms[-1])) == ["the last"]
    assert not (await send(GetIndexStalenessOperation("A/B"))).is_stale
    await send(StopIndexOperation("A/B"))
    status = await send(GetIndexingStatusOperation())
    assert status.indexes[0].status is IndexRunningStatus.PAUSED
    await send(StartIndexOperation("A/B"))
    await send(StopIndexingOperation())
    await companies(store, 4)
    stale = await send(GetIndexStalenessOperation("A/B"))
    assert stale.is_stale and stale.staleness_reasons
    assert (await send(GetIndexingStatusOperation())).status is IndexRunningStatus.PAUSED
    await send(StartIndexingOperation())
    await send(ResetIndexOperation("A/B"))
    await send(PutIndexesOperation(IndexDefinition("A/B", maps=[BY_NAME])))
    await send(ReplaceIndexOperation("A/B"))
    await indexed(store, "A/B")
    assert len(await send(GetTermsOperation("A/B", "name"))) == 5


async def test_indexes_as_classes(store: AsyncDocumentStore) -> None:
    await companies(store, 2)
    assert [each.index for each in await Companies_ByName().execute(store)] == ["Companies/ByName"]
    await store.execute_index(Companies_Count())
    put = await IndexCreation.create_indexes([Companies_ByName(), Everybody_ByName()], store)
    assert [each.index for each in put] == ["Companies/ByName", "Everybody/ByName"]
    found = await store.maintenance.send(GetIndexOperation("Companies/ByName"))
    assert found is not None
    assert found.fields["name"].indexing is FieldIndexing.SEARCH
    assert found.fields["name"].storage is FieldStorage.YES
    types = {each.name: each.type for each in await store.maintenance.send(GetIndexesOperation())}
    assert types["Companies/Count"] is IndexType.JAVA_SCRIPT_MAP_REDUCE
    assert types["Everybody/ByName"] is IndexType.MAP
    await indexed(store, "Companies/ByName")
    terms = await store.maintenance.send(GetTermsOperation("Companies/ByName", "name"))
    assert {"company", "last"} <= set(terms)


def test_indexes_as_classes_of_a_synchronous_store(plain_store: DocumentStore) -> None:
    assert Companies_ByName().execute(plain_store)[0].index == "Companies/ByName"
    assert len(plain_store.execute_indexes([Companies_Count(), Everybody_ByName()])) == 2


async def test_patches(store: AsyncDocumentStore) -> None:
    await companies(store, 1)
    operations, key = store.operations, "companies/0"
    more = PatchRequest("this.name = args.name", {"name": "patched"})
    done = await operations.send(PatchOperation(key, None, more))
    assert done.status is PatchStatus.PATCHED
    assert done.modified_document is not None and done.modified_document["name"] == "patched"
    assert await operations.send_patch_operation(PatchOperation(key, None, more)) is (
        PatchStatus.NOT_MODIFIED
    )
    none = await operations.send(PatchOperation("companies/none", None, more))
    assert none.status is PatchStatus.DOCUMENT_DOES_NOT_EXIST
    created = await operations.send(PatchOperation("companies/new", None, more, more))
    assert created.status is PatchStatus.CREATED
    with pytest.raises(ConcurrencyError):
        await operations.send(PatchOperation(key, "A:999999-x", PatchRequest("this.n = 1")))
    skipped = PatchOperation(key, "A:999999-x", PatchRequest("this.n = 1"), None, True)
    assert (await operations.send(skipped)).status is PatchStatus.SKIPPED
    tried = PatchOperation(key, None, PatchRequest("this.n = 1; output('x')"), test=True)
    told = await operations.send(tried)
    assert told.original_document is not None and "n" not in told.original_document
    with pytest.raises(BadRequest):
        await operations.send(PatchOperation(key, None, PatchRequest("this is no script")))
    change = JsonPatchDocument().test("/name", "patched").replace("/name", "again")
    assert (await operations.send(JsonPatchOperation(key, change))).status is PatchStatus.PATCHED
    with pytest.raises(BadRequest):
        await operations.send(JsonPatchOperation(key, change))
    async with store.open_session() as session:
        company = await session.load(key, Company)
        assert company is not None and company.name == "again"


async def test_every_document_a_query_finds(store: AsyncDocumentStore) -> None:
    await companies(store, 200)
    query = IndexQuery(
        "from Companies where name != $but update { this.name = 'patched' }", {"but": "company 7"}
    )
    details = QueryOperationOptions(retrieve_details=True, stale_timeout=timedelta(seconds=15))
    operation = await store.operations.send_async(PatchByQueryOperation(query, details))
    seen = [each async for each in operation]
    assert (seen[-1].processed, seen[-1].total) == (199, 199)
    result = await operation.wait_for_completion(timeout_seconds=30)
    assert result.documents_processed == len(result.details) == 199
    state = await operation.fetch_operations_status()
    assert state.status is OperationStatus.COMPLETED
    send = store.maintenance.server.send
    everywhere = await send(GetServerWideOperationStateOperation(operation.operation_id))
    assert everywhere == state
    assert await store.maintenance.send(GetOperationStateOperation(1)) is None
    deletion = DeleteByQueryOperation("from Companies where name = 'patched'")
    deleting = await store.operations.send_async(deletion)
    assert (await deleting.wait_for_completion()).total == 199
    assert (await store.maintenance.send(GetStatisticsOperation())).count_of_documents == 1


def test_an_operation_is_watched_and_killed(plain_store: DocumentStore) -> None:
    with plain_store.bulk_insert() as bulk_insert:
        for number in range(200):
            bulk_insert.store_as(Company("x"), f"companies/{number}")
    slowly = QueryOperationOptions(max_ops_per_sec=10)
    deletion = DeleteByQueryOperation("from Companies", slowly)
    operation = plain_store.operations.send_async(deletion)
    with pytest.raises(OperationCanceled) as failure:
        for progress in operation:
            if progress.processed:
                operation.kill()
    told = failure.value
    assert 0 < told.processed < 200 and told.total == 200
    left = plain_store.maintenance.send(GetStatisticsOperation()).count_of_documents
    assert left == 200 - told.processed
    with pytest.raises(BadRequest, match="was not found"):
        plain_store.maintenance.server.send(KillServerOperationCommand(1))


async def test_an_operation_refused_before_it_did_anything(store: AsyncDocumentStore) -> None:
    await companies(store, 2)
    throwing = PatchByQueryOperation("from Companies update { throw 'no'; }")
    operation = await store.operations.send_async(throwing)
    with pytest.raises(BadRequest, match="no"):
        await operation.wait_for_completion()
    with pytest.raises(BadRequest):
        await store.operations.send_async(DeleteByQueryOperation("no query at all"))


async def test_a_bulk_insert_stores_everything(store: AsyncDocumentStore) -> None:
    seen: list[BulkInsertProgress] = []
    async with store.bulk_insert() as bulk_insert:
        bulk_insert.on_progress(seen.append)
        ids = [await bulk_insert.store(Company(f"company {number}")) for number in range(3_000)]
    assert len(set(ids)) == 3_000 and ids[0].startswith("companies/")
    assert seen[-1].documents_processed == 3_000 and len(seen) == 3
    statistics = await store.maintenance.send(GetCollectionStatisticsOperation())
    assert statistics.collections["Companies"] == 3_000
    async with store.open_session() as session:
        company = await session.load(ids[1_234], Company)
        assert company is not None and company.name == "company 1234"


async def test_a_bulk_insert_can_leave_alone_what_is_the_same(store: AsyncDocumentStore) -> None:
    await companies(store, 3)
    before = await store.maintenance.send(GetStatisticsOperation())
    options = BulkInsertOptions(use_compression=True, skip_overwrite_if_unchanged=True)
    async with store.bulk_insert(options=options) as bulk_insert:
        for number in range(3):
            await bulk_insert.store_as(Company(f"company {number}"), f"companies/{number}")
    after = await store.maintenance.send(GetStatisticsOperation())
    assert after.last_doc_etag == before.last_doc_etag


def test_a_bulk_insert_that_is_refused_says_what_is_stored(plain_store: DocumentStore) -> None:
    other: dict[str, Any] = {"@metadata": {"@collection": "Others"}}
    with pytest.raises(BulkInsertAborted) as failure:
        with plain_store.bulk_insert() as bulk_insert:
            for number in range(1_500):
                bulk_insert.store_as({"n": number}, f"companies/{number}")
            bulk_insert.store_as(other, "companies/0")
    told = failure.value
    stored = plain_store.maintenance.send(GetStatisticsOperation()).count_of_documents
    assert told.stored == stored == 1_000 and not told.unknown_ids
    assert len(told.not_stored_ids) == 501 and told.not_stored_ids[-1] == "companies/0"


def test_a_bulk_insert_into_no_database(node_url: str) -> None:
    with DocumentStore(node_url, "nowhere") as store:
        with pytest.raises(BulkInsertAborted) as failure:
            with store.bulk_insert() as bulk_insert:
                bulk_insert.store_as({"n": 1}, "a/1")
        assert failure.value.not_stored_ids == ("a/1",)
        assert isinstance(failure.value.__cause__, DatabaseDoesNotExist)


async def test_ids_of_operations(store: AsyncDocumentStore) -> None:
    first = await store.maintenance.send(GetNextOperationIdCommand())
    assert await store.maintenance.send(GetNextOperationIdCommand()) != first


async def test_the_cluster(shared_cluster: LocalCluster) -> None:
    async with AsyncDocumentStore(shared_cluster.urls) as store:
        send = store.maintenance.server.send
        assert (await send(GetBuildNumberOperation())).product_version
        cluster = await send(GetClusterTopologyOperation())
        assert sorted(cluster.topology.members) == ["A", "B", "C"]
        assert cluster.leader in cluster.topology.all_nodes
        assert (await send(GetNodeInfoOperation())).number_of_cores > 0
        log = await send(GetClusterLogOperation())
        assert [each.tag for each in log.members] == ["A", "B", "C"] and log.commit_index > 0
        assert len((await send(GetJoinInfoOperation())).members) == 3
        assert await send(GetLicenseStatusOperation())
        with pytest.raises(BadRequest, match="'Z' is not a member"):
            await send(RemoveClusterNodeOperation("Z"))
        with pytest.raises(BadRequest, match="'Z' is not a member"):
            await send(PromoteClusterNodeOperation("Z"))
        with pytest.raises(BadRequest, match="'Z' is not a member"):
            await send(DemoteClusterNodeOperation("Z"))
        url = shared_cluster.urls[0]
        with pytest.raises(BadRequest, match="A"):
            await send(AddClusterNodeOperation(url, "A", "127.0.0.1:1"))
        with pytest.raises(BadRequest, match="A node tag is"):
            await send(AddClusterNodeOperation(url, "lower", "127.0.0.1:1"))


async def test_any_node_tells_of_an_operation(
    shared_cluster: LocalCluster, cluster_database: str
) -> None:
    urls = shared_cluster.urls
    async with AsyncDocumentStore(urls, cluster_database) as store:
        await companies(store, 50)
        operation = await store.operations.send_async(DeleteByQueryOperation("from Companies"))
        assert (await operation.wait_for_completion(timeout_seconds=30)).total == 50
        command = GetOperationStateOperation(operation.operation_id)
        assert await store.maintenance.send(command) is not None


async def test_a_chunk_whose_answer_is_lost_is_asked_for(
    shared_cluster: LocalCluster, cluster_database: str
) -> None:
    with proxies(shared_cluster.urls) as between:
        async with AsyncDocumentStore(between.urls, cluster_database) as store:
            await store.maintenance.send(GetStatisticsOperation())
            between.cut_next("POST", "/bulk_insert")
            await companies(store, 10)
            assert len(between.sent("/bulk_insert")) == 1  # and never sent again
            assert [each for each in between.passed if "/operations/state" in each.target]
            found = await store.maintenance.send(GetCollectionStatisticsOperation())
            assert found.collections == {"Companies": 10}


async def test_a_number_whose_answer_is_lost_is_of_unknown_fate(
    shared_cluster: LocalCluster, cluster_database: str
) -> None:
    with proxies(shared_cluster.urls) as between:
        async with AsyncDocumentStore(between.urls, cluster_database) as store:
            await store.maintenance.send(GetStatisticsOperation())
            between.cut_next("POST", "/identity/next")
            with pytest.raises(FateUnknown, match="may have happened"):
                await store.maintenance.send(NextIdentityForOperation("a|"))
            assert len(between.sent("/identity/next")) == 1
            assert await store.maintenance.send(GetIdentitiesOperation()) == {"a|": 1}
