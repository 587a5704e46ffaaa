"""A session loads, tracks, and saves the difference: every exchange as it is on the wire."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from quoth import (
    AsyncDocumentStore,
    BadRequest,
    ConcurrencyError,
    Conventions,
    Misuse,
    QuothError,
    ReplicationTimeout,
    SessionOptions,
    ShouldIgnoreEntityChanges,
    WrongType,
)
from tests.client.entities import Company, Employee
from tests.client.wire import URL, Wire, document, put_result


async def test_a_new_entity_is_stored_under_its_id(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.saved(put_result("companies/7"))
    async with store.open_session() as session:
        company = Company("Quoth", 3)
        assert await session.store(company, "companies/7") == "companies/7"
        assert company.Id == "companies/7"
        await session.save_changes()
        assert session.get_change_vector_for(company) == "A:2-x"
        assert session.get_metadata_for(company)["@last-modified"] == "2026-01-01T10:00:00.1234567Z"
        assert not session.has_changes()
    body = {"name": "Quoth", "employees": 3, "address": None, "tags": [], "founded": None}
    metadata = {
        "@collection": "Companies",
        "Raven-Python-Type": "tests.client.entities.Company",
    }
    assert wire.asked[0].json == {
        "Commands": [
            {
                "Id": "companies/7",
                "ChangeVector": None,
                "Document": {**body, "@metadata": metadata},
                "Type": "PUT",
            }
        ]
    }
    assert wire.asked[0].headers["Raven-Client-Version"]
    assert len(wire.asked[0].query["raft-request-id"]) == 36


async def test_an_entity_may_bring_its_id(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.saved(put_result("employees/1"))
    async with store.open_session() as session:
        await session.store(Employee("Alice", Id="employees/1"))
        await session.save_changes()
    assert wire.commands[0]["Id"] == "employees/1"


async def test_ids_are_counted_off_a_borrowed_range(wire: Wire, store: AsyncDocumentStore) -> None:
    lent = {"Prefix": "companies/", "LastSize": 2, "ServerTag": "A", "LastRangeAt": "2026-x"}
    wire.on("GET", "/hilo/next", {**lent, "Low": 1, "High": 2}, status=201)
    wire.on("GET", "/hilo/next", {**lent, "Low": 65, "High": 66}, status=201)
    async with store.open_session() as session:
        ids = [await session.store(Company("x")) for _ in range(3)]
    assert ids == ["companies/1-A", "companies/2-A", "companies/65-A"]
    first, second = wire.asked
    assert first.query["tag"] == "companies"
    assert (first.query["lastBatchSize"], first.query["lastMax"]) == ("0", "0")
    assert (second.query["lastBatchSize"], second.query["lastMax"]) == ("2", "2")
    assert second.query["lastRangeAt"] == "2026-x"
    wire.on("PUT", "/hilo/return", status=204)
    await store.close()
    assert (wire.asked[-1].query["end"], wire.asked[-1].query["last"]) == ("66", "65")


async def test_the_server_completes_open_ids(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.saved(
        put_result("companies/24"), put_result("companies/25"), put_result("companies/026-A")
    )
    async with store.open_session() as session:
        one, two, three = Company("one"), Company("two"), Company("three")
        await session.store(one, "companies|")
        await session.store(two, "companies|")
        await session.store(three, "companies/")
        assert one.Id is None
        await session.save_changes()
        assert [one.Id, two.Id, three.Id] == ["companies/24", "companies/25", "companies/026-A"]
        assert session.get_document_id(two) == "companies/25"
        assert await session.load("companies/24", Company) is one
    assert [each["Id"] for each in wire.commands] == ["companies|", "companies|", "companies/"]


async def test_a_document_is_loaded_once(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.loaded(document("companies/1", name="Quoth", employees=3))
    async with store.open_session() as session:
        company = await session.load("companies/1", Company)
        assert company == Company("Quoth", 3, Id="companies/1")
        assert await session.load("Companies/1", Company) is company
        assert not session.has_changes()
        await session.save_changes()
    assert wire.asked[0].pairs == [("id", "companies/1")]


async def test_a_missing_document_is_none_and_not_asked_for_again(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.on("GET", "/docs", status=404)
    async with store.open_session() as session:
        assert await session.load("companies/1", Company) is None
        assert await session.load("companies/1", Company) is None


async def test_many_are_loaded_at_once(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.loaded(document("companies/2", name="two"), None, document("companies/1", name="one"))
    async with store.open_session() as session:
        found = await session.load(["companies/1", "companies/9", "companies/2"], Company)
        assert list(found) == ["companies/1", "companies/9", "companies/2"]
        assert [each and each.name for each in found.values()] == ["one", None, "two"]
    assert [value for _, value in wire.asked[0].pairs] == [
        "companies/1",
        "companies/9",
        "companies/2",
    ]


async def test_many_long_ids_travel_in_a_body(wire: Wire, store: AsyncDocumentStore) -> None:
    ids = [f"companies/{number:0400}" for number in range(3)]
    wire.on("POST", "/docs", {"Results": [None, None, None], "Includes": {}})
    async with store.open_session() as session:
        assert await session.load(ids, Company) == dict.fromkeys(ids)
    assert wire.asked[0].json == {"Ids": ids}
    assert "raft-request-id" not in wire.asked[0].query


async def test_included_documents_need_no_request(wire: Wire, store: AsyncDocumentStore) -> None:
    address = document("addresses/1", collection="Addresses", city="Rome")
    wire.loaded(document("orders/1", address="addresses/1"), **{"addresses/1": address})
    async with store.open_session() as session:
        order = await session.load("orders/1", includes=["address"])
        assert order is not None
        assert await session.load(order["address"]) == {"city": "Rome"}
    assert wire.asked[0].pairs == [("include", "address"), ("id", "orders/1")]


async def test_only_what_changed_is_saved(wire: Wire, store: AsyncDocumentStore) -> None:
    one = document("companies/1", "A:1-x", name="one", vat=5)
    wire.loaded(one, document("companies/2", name="two"))
    wire.saved(put_result("companies/1", "A:3-x"))
    async with store.open_session() as session:
        found = await session.load(["companies/1", "companies/2"], Company)
        company = found["companies/1"]
        assert company is not None
        company.employees = 1
        assert session.has_changes()
        await session.save_changes()
        await session.save_changes()
        assert session.get_change_vector_for(company) == "A:3-x"
    (command,) = wire.commands
    assert command["OriginalChangeVector"] == "A:1-x"
    assert command["ChangeVector"] is None
    assert command["Document"]["vat"] == 5
    assert command["Document"]["@metadata"] == {"@collection": "Companies"}


async def test_a_failed_save_loses_nothing(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.on("POST", "/bulk_docs", {"Type": "x.BadRequestException", "Message": "no"}, status=400)
    wire.saved(put_result("companies/1"))
    async with store.open_session() as session:
        await session.store(Company("Quoth"), "companies/1")
        with pytest.raises(BadRequest, match="no"):
            await session.save_changes()
        assert session.has_changes()
        await session.save_changes()


async def test_metadata_of_ones_own_is_saved(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.loaded(document("companies/1", name="one"))
    wire.saved(put_result("companies/1"))
    async with store.open_session() as session:
        company = await session.load("companies/1", Company)
        session.get_metadata_for(company)["@expires"] = "2030-01-01T00:00:00.0000000Z"
        await session.save_changes()
        assert not session.has_changes()
    assert wire.commands[0]["Document"]["@metadata"]["@expires"].startswith("2030")


async def test_entities_and_ids_are_deleted(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.loaded(document("companies/1", "A:5-x", name="one"))
    deleted = [{"Type": "DELETE", "Id": each, "Deleted": True} for each in "12"]
    wire.saved(*deleted)
    async with store.open_session() as session:
        company = await session.load("companies/1", Company)
        session.delete(company)
        session.delete("companies/2")
        assert await session.load("companies/1", Company) is None
        await session.save_changes()
        assert await session.load("companies/2", Company) is None
        assert not session.has_changes()
    assert wire.commands == [
        {
            "Id": "companies/1",
            "ChangeVector": None,
            "Type": "DELETE",
            "OriginalChangeVector": "A:5-x",
        },
        {"Id": "companies/2", "ChangeVector": None, "Type": "DELETE"},
    ]


async def test_a_new_entity_that_is_deleted_is_never_sent(store: AsyncDocumentStore) -> None:
    async with store.open_session() as session:
        company = Company("x")
        await session.store(company, "companies/1")
        session.delete(company)
        await session.save_changes()


async def test_optimistic_concurrency_sends_what_was_seen(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.loaded(document("companies/1", "A:5-x", name="one"))
    wire.saved(put_result("companies/1"), put_result("companies/2"), put_result("companies/3"))
    async with store.open_session(optimistic_concurrency=True) as session:
        company = await session.load("companies/1", Company)
        assert company is not None
        company.name = "changed"
        await session.store(Company("new"), "companies/2")
        await session.store(Company("new"), "companies|")
        await session.save_changes()
    assert [each["ChangeVector"] for each in wire.commands] == ["A:5-x", "", None]


async def test_a_lost_race_tells_both_change_vectors(wire: Wire, store: AsyncDocumentStore) -> None:
    text = "Document companies/1 has change vector A:16-x, but Put was called with expecting new"
    body = {
        "Type": "Raven.Client.Exceptions.ConcurrencyException",
        "Message": text,
        "Id": "companies/1",
        "ExpectedChangeVector": "",
        "ActualChangeVector": "A:16-x",
    }
    wire.on("POST", "/bulk_docs", body, status=409)
    async with store.open_session() as session:
        await session.store(Company("x"), "companies/1", change_vector="")
        with pytest.raises(ConcurrencyError, match="expecting new") as caught:
            await session.save_changes()
    error = caught.value
    assert (error.document_id, error.expected_change_vector) == ("companies/1", "")
    assert error.actual_change_vector == "A:16-x"
    assert wire.commands[0]["ChangeVector"] == ""


async def test_ignored_entities_are_not_saved(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.loaded(document("companies/1", name="one"))
    async with store.open_session() as session:
        company = await session.load("companies/1", Company)
        assert company is not None
        session.ignore_changes_for(company)
        company.employees += 1
        assert not session.has_changes()
        await session.save_changes()
        assert await session.load("companies/1", Company) is company


class NoBobs(ShouldIgnoreEntityChanges):
    def check(self, session_operations: Any, entity: object, document_id: str) -> bool:
        return isinstance(entity, Employee) and entity.first_name == "Bob"


@pytest.mark.parametrize(
    "rule", [NoBobs, NoBobs(), lambda session, entity, key: entity.first_name == "Bob"]
)
async def test_conventions_decide_at_save_time_what_is_ignored(wire: Wire, rule: Any) -> None:
    conventions = Conventions()
    conventions.should_ignore_entity_changes = rule
    wire.saved(put_result("employees/1"))
    wire.saved(put_result("employees/2"))
    async with (
        AsyncDocumentStore(URL, "shop", conventions=conventions, transport=wire.transport) as store,
        store.open_session() as session,
    ):
        one, two = Employee("Alice", Id="employees/1"), Employee("Bob", Id="employees/2")
        await session.store(one)
        await session.store(two)
        await session.save_changes()
        assert [each["Id"] for each in wire.commands] == ["employees/1"]
        one.first_name, two.first_name = "Bob", "Alice"
        await session.save_changes()
        assert [each["Id"] for each in wire.commands] == ["employees/2"]
        with pytest.raises(Misuse, match="before the store is first used"):
            conventions.should_ignore_entity_changes = None


async def test_without_tracking_every_load_is_fresh(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.loaded(document("employees/1", first_name="Ann"))
    wire.loaded(document("employees/1", first_name="Ann"))
    async with store.open_session(SessionOptions(no_tracking=True)) as session:
        one = await session.load("employees/1", Employee)
        two = await session.load("employees/1", Employee)
        assert one is not None and two is not None and one is not two
        for attempt in (session.store(Employee()), session.save_changes()):
            with pytest.raises(Misuse, match="no_tracking=True"):
                await attempt
        with pytest.raises(Misuse, match="no_tracking=True"):
            session.delete("employees/1")
        with pytest.raises(Misuse, match="include"):
            await session.load("employees/1", Employee, includes=["boss"])


async def test_waiting_is_asked_for_with_the_save(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.saved(put_result("companies/1"))
    async with store.open_session() as session:
        await session.store(Company("x"), "companies/1")
        session.wait_for_replication(2, timeout_seconds=1.5, throw_on_timeout=False)
        session.wait_for_indexes("one", "two")
        await session.save_changes()
    query = wire.asked[0].query
    assert query["numberOfReplicasToWaitFor"] == "2"
    assert query["waitForReplicasTimeout"] == "00:00:01.5000000"
    assert query["throwOnTimeoutInWaitForReplicas"] == "false"
    assert (query["waitForIndexesTimeout"], query["waitForIndexThrow"]) == ("00:00:15", "false")
    names = [value for name, value in wire.asked[0].pairs if name == "waitForSpecificIndex"]
    assert names == ["one", "two"]
    assert wire.transport.requests[-1].timeout_seconds == 30 + 1.5 + 15


async def test_waiting_is_built_as_for_ravendb(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.saved(put_result("companies/1"))
    async with store.initialize().open_session() as session:
        await session.store(Company("x"), "companies/1")
        session.advanced.wait_for_replication_after_save_changes(
            lambda wait: wait.number_of_replicas(2).with_timeout(timedelta(seconds=5))
        )
        session.advanced.wait_for_indexes_after_save_changes(
            lambda wait: wait.wait_for_indexes("one", "two").throw_on_timeout(True)
        )
        await session.save_changes()
    query = wire.asked[0].query
    assert query["numberOfReplicasToWaitFor"] == "2"
    assert query["waitForReplicasTimeout"] == "00:00:05"
    assert query["throwOnTimeoutInWaitForReplicas"] == "true"
    assert query["waitForIndexThrow"] == "true"


async def test_a_save_that_is_not_seen_elsewhere_is_stored_all_the_same(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    message = "Could not verify that etag A:3-x was replicated to 2 servers in 00:00:15."
    kind = "Raven.Client.Exceptions.RavenTimeoutException"
    body = {"Type": kind, "Message": message, "FailImmediately": True}
    wire.on("POST", "/bulk_docs", body, status=500)
    async with store.open_session() as session:
        await session.store(Company("x"), "companies/1")
        session.wait_for_replication(majority=True)
        with pytest.raises(ReplicationTimeout, match="2 servers"):
            await session.save_changes()
    assert wire.asked[0].query["numberOfReplicasToWaitFor"] == "majority"


async def test_evict_and_clear_forget(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.loaded(document("companies/1", name="one"))
    wire.loaded(document("companies/1", name="one"))
    async with store.open_session() as session:
        company = await session.load("companies/1", Company)
        session.evict(company)
        assert await session.load("companies/1", Company) is not company
        await session.store(Company("x"), "companies/2")
        session.clear()
        assert not session.has_changes()


async def test_dictionaries_are_entities_too(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.saved(put_result("users/1"))
    async with store.open_session() as session:
        user = {"name": "Ann", "@metadata": {"@collection": "Users"}}
        await session.store(user, "users/1")
        await session.save_changes()
        assert await session.load("users/1") is user
        with pytest.raises(Misuse, match="give one"):
            await session.store({"name": "Bob"})
    metadata = wire.commands[0]["Document"]["@metadata"]
    assert metadata == {"@collection": "Users", "Raven-Python-Type": "builtins.dict"}


async def test_the_type_asked_for_is_checked(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.loaded(document("companies/1", name=5))
    async with store.open_session() as session:
        with pytest.raises(WrongType, match=r"companies/1.*'name'"):
            await session.load("companies/1", Company)
        company = await session.load("companies/1")
        assert company == {"name": 5}
        with pytest.raises(Misuse, match="already a dict"):
            await session.load("companies/1", Company)


async def test_mistakes_are_told_before_anything_is_sent(store: AsyncDocumentStore) -> None:
    async with store.open_session() as session:
        company = Company("x")
        await session.store(company, "companies/1")
        for attempt in (
            session.store(Company("y"), "Companies/1"),
            session.store(company, "companies/2"),
            session.store(Company("y"), ""),
            session.store(Company("y"), "x" * 513),
            session.load(["companies/1", ""], Company),
        ):
            with pytest.raises(Misuse):
                await attempt
        with pytest.raises(Misuse, match="unsaved changes"):
            session.delete("companies/1")
        with pytest.raises(Misuse, match="does not belong"):
            session.delete(Company("z"))
        with pytest.raises(Misuse, match="at least 1 replica"):
            session.wait_for_replication(0)


async def test_tasks_may_load_and_store_side_by_side(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.loaded(document("companies/1", name="one"))
    wire.loaded(document("companies/1", name="one"))
    async with store.open_session() as session:
        loads = [session.load("companies/1", Company) for _ in range(2)]
        one, again = await asyncio.gather(*loads)
        assert one is again


async def test_a_save_is_alone(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.saved(put_result("companies/1"))
    session = store.open_session()
    company = Company("x")
    await session.store(company, "companies/1")
    steps = session._core.save_changes(session)
    next(steps)
    for attempt in (session.clear, lambda: session.evict(company), lambda: session.delete("a/1")):
        with pytest.raises(Misuse, match="saving just now"):
            attempt()
    with pytest.raises(Misuse, match="saving just now"):
        await session.save_changes()
    steps.close()
    await session.save_changes()


async def test_a_store_needs_a_database_and_urls(wire: Wire) -> None:
    with pytest.raises(Misuse, match="http://"):
        AsyncDocumentStore("localhost:8080", "shop")
    store = AsyncDocumentStore(URL, transport=wire.transport)
    with pytest.raises(QuothError, match="no database"):
        store.open_session()
