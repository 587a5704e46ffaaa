"""Cluster-wide sessions: documents and compare-exchange values, all or nothing."""

from dataclasses import dataclass
from typing import Any

import pytest

from quoth import (
    AsyncDocumentStore,
    ClusterTransactionConflict,
    CompareExchangeValue,
    Misuse,
    TransactionMode,
    Violation,
)
from quoth.asynchronous.session import AsyncSession
from tests.client.entities import Address, Company, Employee
from tests.client.wire import Wire, document, put_result

GUARDED = "RAFT:1-g,TRXN:80-t"


@dataclass
class Lease:
    owner: str
    seconds: int = 0


@pytest.fixture
def session(store: AsyncDocumentStore) -> AsyncSession:
    return store.open_session(transaction_mode=TransactionMode.CLUSTER_WIDE)


async def test_a_user_and_their_name_are_one_transaction(wire: Wire, session: AsyncSession) -> None:
    result = {"Type": "CompareExchangePUT", "Key": "usernames/John", "Index": 88}
    wire.saved(put_result("employees/1", GUARDED), result, index=88)
    user = Employee("John", Id="employees/1")
    await session.store(user)
    item = session.cluster_transaction.create_compare_exchange_value("usernames/John", user.Id)
    await session.save_changes()
    assert item.index == 88
    assert not session.has_changes()
    sent = wire.asked[0].json
    assert sent["TransactionMode"] == "ClusterWide"
    assert sent["Commands"][1] == {
        "Id": "usernames/John",
        "Document": {"Object": "employees/1"},
        "Index": 0,
        "Type": "CompareExchangePUT",
    }


async def test_later_requests_wait_for_the_transaction(wire: Wire, session: AsyncSession) -> None:
    wire.saved(put_result("employees/1", GUARDED), index=88)
    wire.on("GET", "/docs", status=404)
    await session.store(Employee("John"), "employees/1")
    await session.save_changes()
    await session.load("employees/2", Employee)
    assert "Known-Raft-Index" not in wire.asked[0].headers
    assert wire.asked[1].headers["Known-Raft-Index"] == "88"


async def test_an_update_is_checked_by_what_was_seen(wire: Wire, session: AsyncSession) -> None:
    wire.loaded(document("companies/1", GUARDED, name="one"))
    wire.saved(put_result("companies/1", "RAFT:2-g,TRXN:90-t"), index=90)
    company = await session.load("companies/1", Company)
    assert company is not None
    company.name = "two"
    await session.save_changes()
    assert wire.commands[0]["OriginalChangeVector"] == GUARDED
    assert wire.commands[0]["ChangeVector"] is None


async def test_a_conflict_names_everything_in_the_way(wire: Wire, session: AsyncSession) -> None:
    body = {
        "Type": "Raven.Client.Exceptions.ClusterTransactionConcurrencyException",
        "Message": "Failed to execute cluster transaction due to the following issues: ...",
        "Id": None,
        "ConcurrencyViolations": [
            {"Type": "CompareExchange", "Id": "usernames/John", "Expected": 0, "Actual": 55},
            {"Type": "Document", "Id": "rvn-atomic/users/1", "Expected": 3, "Actual": -1},
        ],
    }
    wire.on("POST", "/bulk_docs", body, status=409)
    session.cluster_transaction.create_compare_exchange_value("usernames/John", "users/1")
    with pytest.raises(ClusterTransactionConflict, match="following issues") as caught:
        await session.save_changes()
    assert caught.value.violations == (
        Violation("CompareExchange", "usernames/John", 0, 55),
        Violation("Document", "rvn-atomic/users/1", 3, -1),
    )
    assert session.has_changes()


async def test_a_value_that_was_read_is_written_if_it_changes(
    wire: Wire, session: AsyncSession
) -> None:
    found = [{"Key": "lock", "Value": {"Object": {"owner": "me"}}, "Index": 55}]
    wire.on("GET", "/cmpxchg", {"Results": found})
    wire.saved({"Type": "CompareExchangePUT", "Key": "lock", "Index": 60}, index=60)
    values = session.cluster_transaction
    item = await values.get_compare_exchange_value("lock", Lease)
    assert item is not None and item.value == Lease("me")
    assert await session.cluster_transaction.get_compare_exchange_value("LOCK", Lease) is item
    assert not session.has_changes()
    item.value.seconds = 9
    await session.save_changes()
    assert item.index == 60
    (command,) = wire.commands
    assert (command["Index"], command["Document"]["Object"]["seconds"]) == (55, 9)
    assert not session.has_changes()


async def test_a_missing_value_is_none_and_may_be_created(
    wire: Wire, session: AsyncSession
) -> None:
    wire.on("GET", "/cmpxchg", status=404)
    values = session.cluster_transaction
    assert await values.get_compare_exchange_value("lock") is None
    assert await values.get_compare_exchange_value("lock") is None
    values.create_compare_exchange_value("lock", 1)
    with pytest.raises(Misuse, match="already works with"):
        values.create_compare_exchange_value("Lock", 2)


async def test_values_are_updated_and_deleted(wire: Wire, session: AsyncSession) -> None:
    put = {"Type": "CompareExchangePUT", "Key": "a", "Index": 70}
    removed = {"Type": "CompareExchangeDELETE", "Key": "b", "Index": 70}
    wire.saved(put, removed, index=70)
    values = session.cluster_transaction
    item = CompareExchangeValue("a", 5, "new")
    values.update_compare_exchange_value(item)
    values.delete_compare_exchange_value("b", 6)
    created = values.create_compare_exchange_value("c", 1)
    values.delete_compare_exchange_value(created)
    await session.save_changes()
    assert item.index == 70
    assert [(each["Type"], each["Id"], each["Index"]) for each in wire.commands] == [
        ("CompareExchangePUT", "a", 5),
        ("CompareExchangeDELETE", "b", 6),
    ]
    with pytest.raises(Misuse, match="tell the index"):
        values.delete_compare_exchange_value("b")


async def test_only_cluster_wide_sessions_have_values(store: AsyncDocumentStore) -> None:
    with pytest.raises(Misuse, match="CLUSTER_WIDE"):
        store.open_session().cluster_transaction.create_compare_exchange_value("a", 1)
    with pytest.raises(Misuse, match="optimistic"):
        store.open_session(
            transaction_mode=TransactionMode.CLUSTER_WIDE, optimistic_concurrency=True
        )


async def test_documents_are_not_numbered_by_node(session: AsyncSession) -> None:
    with pytest.raises(Misuse, match=r"companies\|"):
        await session.store(Company("x"), "companies/")


async def test_a_typed_value_keeps_what_its_type_does_not_know(
    wire: Wire, session: AsyncSession
) -> None:
    item = {"Key": "rates", "Index": 5, "Value": {"Object": {"city": "Rome", "vat": 7}}}
    wire.on("GET", "/cmpxchg", {"Results": [item]})
    for index in (9, 10):
        results = [{"Type": "CompareExchangePUT", "Key": "rates", "Index": index}]
        wire.saved(*results, index=index)
    value = await session.cluster_transaction.get_compare_exchange_value("rates", Address)
    assert value is not None
    assert not session.has_changes()
    for city in ("Oslo", "Bern"):
        value.value.city = city
        await session.save_changes()
        assert wire.commands[0]["Document"]["Object"] == {"city": city, "vat": 7}
        assert not session.has_changes()


async def test_a_change_stays_one_when_the_value_is_read_as_a_type(
    wire: Wire, session: AsyncSession
) -> None:
    stored = {"Key": "k", "Index": 5, "Value": {"Object": {"owner": "ann", "colour": "red"}}}
    wire.on("GET", "/cmpxchg", {"Results": [stored]})
    wire.saved({"Type": "CompareExchangePUT", "Key": "k", "Index": 9}, index=9)
    transaction = session.cluster_transaction
    plain = await transaction.get_compare_exchange_value("k")
    assert plain is not None
    plain.value["owner"] = "bea"
    lease = await transaction.get_compare_exchange_value("k", Lease)
    assert lease is not None and lease.value == Lease("bea")
    await session.save_changes()
    assert wire.commands[0]["Document"]["Object"] == {"owner": "bea", "colour": "red"}
    assert not session.has_changes()


async def test_what_a_class_does_not_know_of_a_value_survives_another_class(
    wire: Wire, session: AsyncSession
) -> None:
    stored = {"Key": "k", "Index": 5, "Value": {"Object": {"city": "Rome", "owner": "ann", "n": 1}}}
    wire.on("GET", "/cmpxchg", {"Results": [stored]})
    wire.saved({"Type": "CompareExchangePUT", "Key": "k", "Index": 9}, index=9)
    transaction = session.cluster_transaction
    await transaction.get_compare_exchange_value("k", Address)
    lease = await transaction.get_compare_exchange_value("k", Lease)
    assert lease is not None and lease.value == Lease("ann") and not session.has_changes()
    lease.value.owner = "bea"
    await session.save_changes()
    assert wire.commands[0]["Document"]["Object"] == {"city": "Rome", "owner": "bea", "n": 1}


async def test_a_value_read_twice_is_one_object(wire: Wire, session: AsyncSession) -> None:
    wire.on("GET", "/cmpxchg", {"Results": [{"Key": "k", "Index": 5, "Value": {"Object": [1]}}]})
    transaction = session.cluster_transaction
    first = await transaction.get_compare_exchange_value("k", list[int])
    assert first is not None
    numbers = first.value
    second = await transaction.get_compare_exchange_value("k", list[int])
    assert second is not None and second.value is numbers
    numbers.append(2)
    assert session.has_changes()


@pytest.mark.parametrize("key", ["", None, 7, "k\ud800", "k" * 513])
async def test_a_key_is_text_of_some_length(session: AsyncSession, key: Any) -> None:
    transaction = session.cluster_transaction
    with pytest.raises(Misuse):
        await transaction.get_compare_exchange_value(key)
    with pytest.raises(Misuse):
        transaction.create_compare_exchange_value(key, 1)
    with pytest.raises(Misuse):
        transaction.delete_compare_exchange_value(key, 1)
    assert not session.has_changes()
