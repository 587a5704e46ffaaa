"""Loads by prefix, with includes, conditionally, and again."""

from dataclasses import dataclass
from typing import Any

import pytest

from quoth import (
    AsyncDocumentStore,
    DocumentStore,
    Misuse,
    NoSuchDocument,
    SessionOptions,
    TransactionMode,
    WrongType,
)
from tests.client.entities import Company, Employee
from tests.client.wire import Wire, document, put_result


@dataclass(frozen=True)
class Coin:
    """It cannot be changed."""

    name: str


async def test_a_prefix_gives_entities_in_order(wire: Wire, store: AsyncDocumentStore) -> None:
    some = [document("companies/1", name="One"), document("companies/2", name="Two")]
    wire.on("GET", "/docs", {"Results": some})
    async with store.open_session() as session:
        found = await session.load_starting_with(
            "companies/", Company, matches="1*|2", exclude="3", start_after="companies/0"
        )
        assert [each.name for each in found] == ["One", "Two"]
        assert await session.load("companies/2", Company) is found[1]
        assert session.number_of_requests == 1
    assert wire.asked[0].pairs == [
        ("startsWith", "companies/"),
        ("matches", "1*|2"),
        ("exclude", "3"),
        ("startAfter", "companies/0"),
        ("start", "0"),
        ("pageSize", "25"),
    ]


async def test_what_is_to_be_deleted_is_not_found_by_its_prefix(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    some = [document("companies/1", name="One"), document("companies/2", name="Two")]
    wire.on("GET", "/docs", {"Results": some})
    async with store.open_session() as session:
        session.delete("companies/1")
        found = await session.load_starting_with("companies/", Company)
        assert [each.name for each in found] == ["Two"]


async def test_an_unsaved_change_survives_a_load_by_prefix(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.loaded(document("companies/1", name="One"))
    wire.on("GET", "/docs", {"Results": [document("companies/1", "A:9-x", name="Theirs")]})
    async with store.open_session() as session:
        company = await session.load("companies/1", Company)
        assert company is not None
        company.name = "Mine"
        assert await session.load_starting_with("companies/", Company) == [company]
        assert company.name == "Mine" and session.has_changed(company)


async def test_includes_are_named_by_a_builder(wire: Wire, store: AsyncDocumentStore) -> None:
    order = document("orders/1", boss="employees/1", limit="limits/1")
    boss = document("employees/1", first_name="Ann")
    values = {"limits/1": {"Key": "limits/1", "Index": 5, "Value": {"Object": 7}}}
    answer = {
        "Results": [order],
        "Includes": {"employees/1": boss},
        "CompareExchangeValueIncludes": values,
    }
    wire.on("GET", "/docs", answer)
    async with store.open_session(transaction_mode=TransactionMode.CLUSTER_WIDE) as session:
        await session.load(
            "orders/1",
            includes=lambda builder: builder.include_documents(
                "boss"
            ).include_compare_exchange_value("limit"),
        )
        employee = await session.load("employees/1", Employee)
        assert employee is not None and employee.first_name == "Ann"
        limit = await session.cluster_transaction.get_compare_exchange_value("limits/1", int)
        assert limit is not None and (limit.value, limit.index) == (7, 5)
        assert session.number_of_requests == 1
    assert wire.asked[0].pairs == [("include", "boss"), ("cmpxchg", "limit"), ("id", "orders/1")]


async def test_values_are_included_in_cluster_wide_sessions_only(store: AsyncDocumentStore) -> None:
    async with store.open_session() as session:
        with pytest.raises(Misuse, match="cluster-wide"):
            await session.load(
                "orders/1", includes=lambda builder: builder.include_compare_exchange_value("x")
            )


async def test_an_include_chain_ends_in_a_load(wire: Wire, store: AsyncDocumentStore) -> None:
    order = document("orders/1", boss="employees/1")
    boss = document("employees/1", first_name="Ann")
    wire.loaded(order, **{"employees/1": boss})
    async with store.open_session() as session:
        found = await session.include("boss").include("other").load(["orders/1"])
        assert found["orders/1"] is not None
        assert await session.load("employees/1", Employee) is not None
        assert session.number_of_requests == 1


async def test_existence_asks_only_when_it_must(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.on("HEAD", "/docs", None, headers={"etag": '"A:1-x"'})
    wire.on("HEAD", "/docs", None, status=404)
    wire.loaded(document("companies/1", name="One"))
    async with store.open_session() as session:
        assert await session.exists("companies/1")
        assert not await session.exists("companies/2")
        await session.load("companies/1", Company)
        assert await session.exists("companies/1")
        session.delete("companies/1")
        assert not await session.exists("companies/1")
        assert session.number_of_requests == 3


async def test_a_conditional_load_tells_three_things(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.on("GET", "/docs", None, status=304)
    wire.on("GET", "/docs", {"Results": [document("companies/2", "A:5-x", name="Two")]})
    wire.on("GET", "/docs", None, status=404)
    async with store.open_session() as session:
        same = await session.conditional_load("companies/1", "A:1-x", Company)
        assert (same.entity, same.change_vector) == (None, "A:1-x")
        other = await session.conditional_load("companies/2", "A:1-x", Company)
        assert other.entity is not None and other.change_vector == "A:5-x"
        assert await session.load("companies/2", Company) is other.entity
        gone = await session.conditional_load("companies/3", "A:1-x", Company)
        assert (gone.entity, gone.change_vector) == (None, None)
        with pytest.raises(Misuse, match="change vector"):
            await session.conditional_load("companies/4", "", Company)
    assert wire.asked[0].headers["If-None-Match"] == '"A:1-x"'


async def test_a_refreshed_entity_is_the_same_object(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.loaded(document("companies/1", name="One", extra=1))
    wire.loaded(document("companies/1", "A:2-x", name="Two", extra=2))
    async with store.open_session() as session:
        company = await session.load("companies/1", Company)
        assert company is not None
        company.name = "changed"
        assert await session.refresh(company) is company
        assert company.name == "Two"
        assert session.get_change_vector_for(company) == "A:2-x"
        assert not session.has_changes()


async def test_what_is_gone_cannot_be_refreshed(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.loaded(document("companies/1", name="One"))
    wire.on("GET", "/docs", None, status=404)
    async with store.open_session() as session:
        company = await session.load("companies/1", Company)
        with pytest.raises(NoSuchDocument, match="companies/1"):
            await session.refresh(company)


async def test_a_frozen_entity_says_that_it_cannot_be_refreshed(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.loaded(document("coins/1", name="One", collection="Coins"))
    wire.loaded(document("coins/1", name="Two", collection="Coins"))
    async with store.open_session() as session:
        coin = await session.load("coins/1", Coin)
        with pytest.raises(Misuse, match="evict it"):
            await session.refresh(coin)
        assert coin == Coin("One")


@pytest.mark.parametrize("wrong", [5, b"companies/1", "", "x" * 513, 1.5, object()])
async def test_what_cannot_be_an_id_is_refused(store: AsyncDocumentStore, wrong: Any) -> None:
    async with store.open_session() as session:
        with pytest.raises(Misuse, match="document id"):
            await session.load(wrong, Company)
        with pytest.raises(Misuse, match="document id"):
            await session.load([wrong], Company)
        with pytest.raises(Misuse, match="document id"):
            await session.exists(wrong)


@pytest.mark.parametrize("wrong", [None, 5, "text", ["a"], Company])
async def test_what_cannot_be_an_entity_is_refused(store: AsyncDocumentStore, wrong: Any) -> None:
    async with store.open_session() as session:
        with pytest.raises(Misuse):
            await session.store(wrong, "companies/1")
        assert not session.has_changes()


async def test_a_document_of_another_shape_leaves_the_session_as_it_was(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.on("GET", "/docs", {"Results": [document("companies/1", name=7)]})
    async with store.open_session() as session:
        with pytest.raises(WrongType, match="companies/1"):
            await session.load_starting_with("companies/", Company)
        assert not session.has_changes()


async def test_without_tracking_every_read_is_new(wire: Wire, store: AsyncDocumentStore) -> None:
    for _ in range(2):
        wire.on("GET", "/docs", {"Results": [document("companies/1", name="One")]})
    async with store.open_session(SessionOptions(no_tracking=True)) as session:
        first = await session.load_starting_with("companies/", Company)
        second = await session.load_starting_with("companies/", Company)
        assert first == second and first[0] is not second[0]


async def test_a_session_has_a_limit_of_requests_that_it_can_raise(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    for number in range(3):
        wire.loaded(document(f"companies/{number}", name="One"))
    async with store.open_session() as session:
        session.max_number_of_requests_per_session = 2
        await session.load("companies/0", Company)
        await session.load("companies/1", Company)
        with pytest.raises(Misuse, match="limit"):
            await session.load("companies/2", Company)
        session.max_number_of_requests_per_session = 3
        await session.load("companies/2", Company)
        assert session.number_of_requests == 3


def test_the_synchronous_session_has_it_all(wire: Wire, plain_store: DocumentStore) -> None:
    wire.loaded(document("companies/1", name="One"))
    wire.loaded(document("companies/1", name="Two"))
    with plain_store.open_session() as session:
        company = session.load("companies/1", Company)
        assert company is not None
        assert session.refresh(company).name == "Two"
        assert session.get_last_modified_for(company) is not None


# What the session did itself, it knows better than what it read before.


def deleted(document_id: str) -> dict[str, Any]:
    return {"Type": "DELETE", "Id": document_id, "Deleted": True}


async def test_what_was_included_and_then_deleted_is_gone(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    ann = document("employees/1", first_name="Ann")
    wire.loaded(document("companies/1", name="One", owner="employees/1"), **{"employees/1": ann})
    wire.saved(deleted("employees/1"))
    async with store.open_session() as session:
        await session.load("companies/1", Company, includes="owner")
        session.delete("employees/1")
        await session.save_changes()
        assert await session.load("employees/1", Employee) is None
        assert not await session.exists("employees/1")


async def test_what_was_evicted_is_not_what_was_included_once(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    old = document("companies/2", name="Old")
    wire.loaded(document("companies/1", name="One", owner="companies/2"), **{"companies/2": old})
    wire.saved(put_result("companies/2"))
    wire.loaded(document("companies/2", name="Newest"))
    async with store.open_session() as session:
        await session.load("companies/1", Company, includes="owner")
        ours = Company("New")
        await session.store(ours, "companies/2")
        await session.save_changes()
        session.evict(ours)
        found = await session.load("companies/2", Company)
        assert found is not None and found.name == "Newest"


async def test_what_came_after_all_exists(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.on("GET", "/docs", status=404)
    ann = document("employees/1", first_name="Ann")
    wire.loaded(document("companies/1", name="One", owner="employees/1"), **{"employees/1": ann})
    async with store.open_session() as session:
        assert await session.load("employees/1", Employee) is None
        await session.load("companies/1", Company, includes="owner")
        assert await session.exists("employees/1")


async def test_half_a_character_is_no_id(store: AsyncDocumentStore) -> None:
    half = "companies/\ud800"
    async with store.open_session() as session:
        for ask in (
            lambda: session.load(half, Company),
            lambda: session.store(Company("One"), half),
            lambda: session.exists(half),
            lambda: session.load_starting_with(half, Company),
        ):
            with pytest.raises(Misuse, match="is no text"):
                await ask()
        with pytest.raises(Misuse, match="is no text"):
            session.delete(half)
        assert not session.has_changes()


class Strict:
    """It reads itself, and looks for what it needs."""

    def __init__(self, number: int) -> None:
        self.number = number

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "Strict":
        return cls(found["number"])


async def test_what_a_class_has_against_a_document_is_a_wrong_type(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.loaded(document("things/1", name="no number"))
    async with store.open_session() as session:
        with pytest.raises(WrongType, match=r"things/1: .*KeyError: 'number'"):
            await session.load("things/1", Strict)
