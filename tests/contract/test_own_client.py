"""Our client against our HTTP room: one process, a real machine, a plain log."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from ravendb import DocumentStore as OfficialStore

from quoth import (
    AsyncDocumentStore,
    BadRequest,
    ClusterTransactionConflict,
    ConcurrencyError,
    CreateDatabaseOperation,
    DatabaseDoesNotExist,
    DeleteCompareExchangeValueOperation,
    DeleteDatabaseOperation,
    DocumentStore,
    FateUnknown,
    GetCompareExchangeValueOperation,
    GetDatabaseNamesOperation,
    GetIdentitiesOperation,
    GetStatisticsOperation,
    IndexDefinition,
    NextIdentityForOperation,
    NotSent,
    PutCompareExchangeValueOperation,
    PutIndexesOperation,
    ReplicationTimeout,
    SeedIdentityForOperation,
    TransactionMode,
)
from quoth_cluster.clock import SeededChance, SystemClock
from quoth_cluster.errors import FateUnknown as FateUnknownThere
from quoth_cluster.errors import NotProposed
from quoth_cluster.machine import Machine
from quoth_node.database.background import open_background
from quoth_node.database.operations import Operations
from quoth_node.http import HttpConfig, Services, make_runner
from quoth_node.patching import Patches
from quoth_node.querying.covered import Covering
from quoth_node.querying.scripts import Projecting
from quoth_node.scripting import ScriptProcesses
from tests.client.entities import Address, Company, Employee
from tests.unit.http.indexing import building
from tests.unit.http.plain_log import PlainLog

CLUSTER_WIDE = TransactionMode.CLUSTER_WIDE


@dataclass(frozen=True)
class Node:
    """Node A of a cluster of one, listening."""

    url: str
    log: PlainLog


@asynccontextmanager
async def listening(folder: Path) -> AsyncIterator[Node]:
    machine = Machine.open(folder)
    log = PlainLog(machine)
    log.found()
    clock, chance, scripts = SystemClock(), SeededChance(7), ScriptProcesses()
    async with open_background() as background, building(folder, machine, log, clock) as live:
        services = Services(
            raft=log,
            machine=machine,
            patches=Patches(log, machine, scripts, clock=clock, chance=chance, node_tag="A"),
            clock=clock,
            chance=chance,
            node_tag="A",
            server_id="0efcfa05-2cca-4587-acac-0335fc4cc9d4",
            peer_address="127.0.0.1:9080",
            operations=Operations(log),
            background=background,
            projecting=Projecting(scripts, clock, chance, "A"),
            indexes=live,
            live=live,
            covering=Covering(log, machine, live, "A"),
            config=HttpConfig(),
        )
        runner = make_runner(services)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield Node(f"http://127.0.0.1:{runner.addresses[0][1]}", log)
        finally:
            await runner.cleanup()
    await scripts.close()
    machine.close()


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with listening(tmp_path / "A") as node:
        yield node


@pytest.fixture
async def store(node: Node) -> AsyncIterator[AsyncDocumentStore]:
    async with AsyncDocumentStore(node.url, "shop") as store:
        await store.send(CreateDatabaseOperation("shop"))
        yield store


async def test_entities_are_stored_and_come_back(store: AsyncDocumentStore) -> None:
    company = Company("Quoth", 3, Address("Rome"), ["a", "b"])
    async with store.open_session() as session:
        assert await session.store(company) == "companies/1-A"
        await session.store({"city": "Rome"}, "addresses/1")
        await session.save_changes()
    async with store.open_session() as session:
        found = await session.load("companies/1-A", Company)
        assert found == company
        assert found is not None
        assert session.get_metadata_for(found)["@collection"] == "Companies"
        assert await session.load("addresses/1") == {"city": "Rome"}
        assert await session.load("companies/9", Company) is None
        many = await session.load(["companies/1-A", "companies/8"], Company)
        assert many == {"companies/1-A": found, "companies/8": None}
        ids = [f"companies/{number:0400}" for number in range(5)]
        assert await session.load(ids) == dict.fromkeys(ids)


async def test_changes_and_deletions_are_saved(store: AsyncDocumentStore) -> None:
    async with store.open_session() as session:
        await session.store(Company("one"), "companies/1")
        await session.store(Company("two"), "companies/2")
        await session.save_changes()
        one = await session.load("companies/1", Company)
        assert one is not None
        one.employees = 5
        session.delete("companies/2")
        await session.save_changes()
        before = session.get_change_vector_for(one)
        session.get_metadata_for(one)["note"] = "mine"
        await session.save_changes()
        assert session.get_change_vector_for(one) != before
    async with store.open_session() as session:
        again = await session.load(["companies/1", "companies/2"], Company)
        assert again == {"companies/1": one, "companies/2": None}
        assert session.get_metadata_for(again["companies/1"])["note"] == "mine"


async def test_includes_come_along(store: AsyncDocumentStore, node: Node) -> None:
    async with store.open_session() as session:
        await session.store({"address": "addresses/1"}, "orders/1")
        await session.store({"city": "Rome"}, "addresses/1")
        await session.save_changes()
    async with store.open_session() as session:
        order = await session.load("orders/1", includes=["address"])
        assert order is not None
        reads = node.log.reads
        assert await session.load(order["address"]) == {"city": "Rome"}
        assert node.log.reads == reads


async def test_identities_count_on(store: AsyncDocumentStore) -> None:
    assert await store.send(SeedIdentityForOperation("companies|", 23)) == 23
    async with store.open_session() as session:
        company = Company("RavenDB")
        await session.store(company, "companies|")
        await session.save_changes()
        assert company.Id == "companies/24"
        assert await session.load("companies/24", Company) is company
    assert await store.send(SeedIdentityForOperation("companies", 5)) == 24
    assert await store.send(SeedIdentityForOperation("companies|", 5, force_update=True)) == 5
    async with store.open_session() as session:
        one, two = Company("one"), Company("two")
        await session.store(one, "companies|")
        await session.store(two, "companies|")
        await session.save_changes()
        assert (one.Id, two.Id) == ("companies/6", "companies/7")
        numbered = Company("three")
        await session.store(numbered, "companies/")
        await session.save_changes()
        assert numbered.Id is not None and numbered.Id.endswith("-A")
    assert await store.send(NextIdentityForOperation("companies|")) == 8
    assert await store.send(GetIdentitiesOperation()) == {"companies|": 8}


async def test_optimistic_concurrency(store: AsyncDocumentStore) -> None:
    async with store.open_session() as session:
        await session.store(Company("one"), "companies/1")
        await session.save_changes()
    async with store.open_session(optimistic_concurrency=True) as session:
        mine = await session.load("companies/1", Company)
        async with store.open_session() as other:
            theirs = await other.load("companies/1", Company)
            assert mine is not None and theirs is not None
            theirs.name = "theirs"
            await other.save_changes()
        mine.name = "mine"
        with pytest.raises(ConcurrencyError, match="Put was called with change vector") as caught:
            await session.save_changes()
        assert caught.value.document_id == "companies/1"
        session.clear()
        await session.store(Company("again"), "companies/1")
        with pytest.raises(ConcurrencyError, match="expecting new document"):
            await session.save_changes()
        session.clear()
        await session.store(Company("new"), "companies/2")
        await session.save_changes()


async def test_a_name_is_reserved_once(store: AsyncDocumentStore) -> None:
    async with store.open_session(transaction_mode=CLUSTER_WIDE) as session:
        user = Employee("John")
        await session.store(user, "employees/1")
        values = session.cluster_transaction
        item = values.create_compare_exchange_value("usernames/John", user.Id)
        await session.save_changes()
        assert item.index > 0
        assert await session.load("employees/2", Employee) is None
    async with store.open_session(transaction_mode=CLUSTER_WIDE) as session:
        await session.store(Employee("John"), "employees/2")
        session.cluster_transaction.create_compare_exchange_value("usernames/John", "employees/2")
        with pytest.raises(ClusterTransactionConflict, match="usernames/John") as caught:
            await session.save_changes()
        (violation,) = caught.value.violations
        assert (violation.key, violation.expected_index) == ("usernames/John", 0)
        assert violation.actual_index == item.index
    async with store.open_session() as session:
        assert await session.load("employees/2", Employee) is None


async def test_cluster_wide_updates_are_guarded(store: AsyncDocumentStore) -> None:
    async with store.open_session(transaction_mode=CLUSTER_WIDE) as session:
        await session.store(Company("one"), "companies/1")
        await session.save_changes()
        one = await session.load("companies/1", Company)
        async with store.open_session(transaction_mode=CLUSTER_WIDE) as other:
            two = await other.load("companies/1", Company)
            assert one is not None and two is not None
            two.name = "two"
            await other.save_changes()
            two.name = "three"
            await other.save_changes()
        one.name = "lost"
        with pytest.raises(ClusterTransactionConflict) as caught:
            await session.save_changes()
        assert caught.value.violations[0].key == "rvn-atomic/companies/1"
    async with store.open_session(transaction_mode=CLUSTER_WIDE) as session:
        found = await session.load("companies/1", Company)
        assert found is not None and found.name == "three"
        session.delete(found)
        await session.save_changes()
    async with store.open_session(transaction_mode=CLUSTER_WIDE) as session:
        await session.store(Company("again"), "companies/1")
        await session.save_changes()


async def test_both_kinds_of_session_share_a_document(store: AsyncDocumentStore) -> None:
    async with store.open_session(transaction_mode=CLUSTER_WIDE) as session:
        await session.store(Company("one"), "companies/1")
        await session.save_changes()
    async with store.open_session() as session:
        company = await session.load("companies/1", Company)
        assert company is not None
        for name in ("two", "three"):
            company.name = name
            await session.save_changes()
    async with store.open_session(transaction_mode=CLUSTER_WIDE) as session:
        company = await session.load("companies/1", Company)
        assert company is not None and company.name == "three"
        company.name = "four"
        await session.save_changes()
        five = Company("five")
        await session.store(five, "firms|")
        await session.save_changes()
        assert five.Id == "firms/1"


async def test_values_are_read_changed_and_removed(store: AsyncDocumentStore) -> None:
    async with store.open_session(transaction_mode=CLUSTER_WIDE) as session:
        values = session.cluster_transaction
        assert await values.get_compare_exchange_value("address", Address) is None
        created = values.create_compare_exchange_value("address", Address("Rome"))
        await session.save_changes()
        created.value.street = "Via Appia"
        await session.save_changes()
    async with store.open_session(transaction_mode=CLUSTER_WIDE) as session:
        values = session.cluster_transaction
        item = await values.get_compare_exchange_value("address", Address)
        assert item is not None
        assert (item.value, item.index) == (Address("Rome", "Via Appia"), created.index)
        values.delete_compare_exchange_value(item)
        await session.save_changes()
    assert await store.send(GetCompareExchangeValueOperation("address")) is None


async def test_compare_exchange_operations(store: AsyncDocumentStore) -> None:
    first = await store.send(PutCompareExchangeValueOperation("a", {"n": 1}))
    assert first.successful and first.value == {"n": 1}
    lost = await store.send(PutCompareExchangeValueOperation("a", {"n": 2}))
    assert not lost.successful and (lost.index, lost.value) == (first.index, {"n": 1})
    item = await store.send(GetCompareExchangeValueOperation("a"))
    assert item is not None and (item.index, item.value) == (first.index, {"n": 1})
    too_late = DeleteCompareExchangeValueOperation(None, "a", 1_000_000)
    assert not (await store.send(too_late)).successful
    removed = await store.send(DeleteCompareExchangeValueOperation(None, "a", item.index))
    assert removed.successful and removed.value == {"n": 1}
    assert await store.send(GetCompareExchangeValueOperation("a")) is None


async def test_waiting_for_replication(store: AsyncDocumentStore, node: Node) -> None:
    async with store.open_session() as session:
        await session.store(Company("one"), "companies/1")
        session.wait_for_replication(2, timeout_seconds=0.2)
        session.wait_for_indexes()
        with pytest.raises(ReplicationTimeout, match="2 servers"):
            await session.save_changes()
        session.wait_for_replication(2, timeout_seconds=0.2, throw_on_timeout=False)
        await session.save_changes()
        node.log.applied_elsewhere = 2
        session.wait_for_replication(2)
        await session.store(Company("two"), "companies/2")
        await session.save_changes()


async def test_failures_say_what_they_are(store: AsyncDocumentStore, node: Node) -> None:
    async with store.open_session() as session:
        await session.store(Company("one"), "companies/1")
        node.log.propose_fails = FateUnknownThere("leadership was lost")
        with pytest.raises(FateUnknown, match="may have happened"):
            await session.save_changes()
        node.log.propose_fails = NotProposed("no leader")
        loop = asyncio.get_running_loop()
        elected = loop.call_later(0.3, setattr, node.log, "propose_fails", None)
        await session.save_changes()
        assert elected.when() <= loop.time()
    with pytest.raises(BadRequest, match="index 'x'"):
        await store.send(PutIndexesOperation(IndexDefinition("x", maps=["no map at all"])))


async def test_databases_come_and_go(store: AsyncDocumentStore) -> None:
    with pytest.raises(ConcurrencyError, match="already exists"):
        await store.send(CreateDatabaseOperation("shop"))
    with pytest.raises(BadRequest):
        await store.send(CreateDatabaseOperation("no/such name"))
    await store.send(CreateDatabaseOperation("other"))
    assert await store.send(GetDatabaseNamesOperation()) == ["other", "shop"]
    assert (await store.send(GetStatisticsOperation(), database="other")).count_of_documents == 0
    both = DeleteDatabaseOperation.Parameters(["other", "missing"], hard_delete=True)
    assert (await store.send(DeleteDatabaseOperation(parameters=both))).raft_command_index > 0
    for name in ("other", "another"):
        with pytest.raises(DatabaseDoesNotExist, match=name):
            await store.send(GetStatisticsOperation(), database=name)
    async with store.open_session("other") as session:
        await session.store(Company("x"), "companies/1")
        with pytest.raises(DatabaseDoesNotExist):
            await session.save_changes()


async def test_a_closed_node_is_told_at_once(tmp_path: Path) -> None:
    async with listening(tmp_path / "A") as node:
        store = AsyncDocumentStore(node.url, "shop")
        await store.send(CreateDatabaseOperation("shop"))
    with pytest.raises((NotSent, FateUnknown)):
        await store.send(CreateDatabaseOperation("other"))
    with pytest.raises(NotSent):
        await store.send(GetStatisticsOperation())
    await store.close()


async def test_the_synchronous_store_does_the_same(node: Node) -> None:
    def program() -> None:
        with DocumentStore(node.url, "shop") as store:
            store.send(CreateDatabaseOperation("shop"))
            with store.open_session() as session:
                session.store(Company("one"))
                session.save_changes()
            with store.open_session(no_tracking=True) as session:
                one = session.load("companies/1-A", Company)
                two = session.load("companies/1-A", Company)
                assert one == two and one is not two

    await asyncio.to_thread(program)


async def test_the_official_client_reads_what_ours_writes_and_the_other_way_round(
    node: Node, store: AsyncDocumentStore
) -> None:
    async with store.open_session() as session:
        await session.store(Employee("Ann"), "employees/1")
        await session.save_changes()

    def official() -> str:
        with OfficialStore(node.url, "shop") as theirs:
            theirs.initialize()
            with theirs.open_session() as session:
                found = session.load("employees/1")  # finds the class by what the document says
                assert (type(found), found.first_name, found.Id) == (Employee, "Ann", "employees/1")
                found.first_name = "Bob"
                session.store(Employee("Carl"), "employees/2")
                session.save_changes()
                return str(session.advanced.get_metadata_for(found)["@collection"])

    assert await asyncio.to_thread(official) == "Employees"
    async with store.open_session() as session:
        both = await session.load(["employees/1", "employees/2"], Employee)
        assert [each and each.first_name for each in both.values()] == ["Bob", "Carl"]
        carl = both["employees/2"]
        assert session.get_metadata_for(carl)["@collection"] == "Employees"
        assert not session.has_changes()


async def test_unused_ids_are_given_back(node: Node) -> None:
    for expected in ("companies/1-A", "companies/2-A"):
        async with AsyncDocumentStore(node.url, "shop") as store:
            if expected == "companies/1-A":
                await store.send(CreateDatabaseOperation("shop"))
            async with store.open_session() as session:
                assert await session.store(Company("x")) == expected
