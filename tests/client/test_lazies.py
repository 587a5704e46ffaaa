"""Reads that wait travel together, and each gets its own answer."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from quoth import AsyncDocumentStore, BadRequest, DocumentStore, Misuse, TransactionMode, WrongType
from tests.client.entities import Company, Employee
from tests.client.wire import Wire, document


def answers(*parts: tuple[int, Any]) -> dict[str, Any]:
    """The answer of a multi-get."""
    return {
        "Results": [{"StatusCode": status, "Result": body, "Headers": {}} for status, body in parts]
    }


def found(*documents: Any, **includes: Any) -> tuple[int, Any]:
    return 200, {"Results": list(documents), "Includes": includes}


MISSING: tuple[int, Any] = (404, {"Results": [None], "Includes": {}})


async def test_all_that_waits_is_one_request(wire: Wire, store: AsyncDocumentStore) -> None:
    company = document("companies/1", name="One")
    employee = document("employees/1", first_name="Ann")
    wire.on("POST", "/multi_get", answers(found(company), found(employee), MISSING))
    async with store.open_session() as session:
        lazily = session.advanced.lazily
        one = lazily.load("companies/1", Company)
        ann = lazily.load("employees/1", Employee)
        none = lazily.load("companies/2", Company)
        assert not one.is_value_created
        loaded = await one.value
        assert loaded is not None and loaded.name == "One"
        assert ann.is_value_created and none.is_value_created
        assert (await none.value) is None
        assert session.number_of_requests == 1
        assert await session.load("employees/1", Employee) is await ann.value
    sent = wire.asked[0].json["Requests"]
    assert [each["Url"] for each in sent] == ["/databases/shop/docs"] * 3
    assert [each["Query"] for each in sent] == [
        "?id=companies%2F1",
        "?id=employees%2F1",
        "?id=companies%2F2",
    ]


async def test_one_that_waits_alone_is_asked_as_ever(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.loaded(document("companies/1", name="One"))
    async with store.open_session() as session:
        lazy = session.advanced.lazily.load("companies/1", Company)
        company = await lazy.value
        assert company is not None and company.name == "One"


async def test_what_is_known_already_asks_nobody(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.loaded(document("companies/1", name="One"))
    async with store.open_session() as session:
        company = await session.load("companies/1", Company)
        lazy = session.advanced.lazily.load("companies/1", Company)
        assert await lazy.value is company


async def test_tasks_may_wait_for_them_side_by_side(wire: Wire, store: AsyncDocumentStore) -> None:
    one, two = document("companies/1", name="One"), document("companies/2", name="Two")
    wire.on("POST", "/multi_get", answers(found(one), found(two)))
    async with store.open_session() as session:
        lazily = session.advanced.lazily
        wanted = [lazily.load(f"companies/{number}", Company) for number in (1, 2)]
        loaded = await asyncio.gather(*(each.value for each in wanted))
        assert [each.name for each in loaded if each] == ["One", "Two"]


async def test_the_error_of_one_is_not_that_of_the_others(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    good, bad = document("companies/1", name="One"), document("companies/2", name=7)
    refused = (400, {"Type": "BadRequestException", "Message": "no"})
    wire.on("POST", "/multi_get", answers(found(good), found(bad), refused))
    async with store.open_session() as session:
        lazily = session.advanced.lazily
        first, second, third = (lazily.load(f"companies/{each}", Company) for each in (1, 2, 3))
        company = await first.value
        assert company is not None and company.name == "One"
        for _ in range(2):
            with pytest.raises(WrongType, match="companies/2"):
                await second.value
        with pytest.raises(BadRequest):
            await third.value


async def test_a_callback_is_told(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.loaded(document("companies/1", name="One"))
    told: list[Any] = []
    async with store.open_session() as session:
        session.advanced.lazily.load("companies/1", Company, told.append)
        await session.advanced.eagerly.execute_all_pending_lazy_operations()
        assert [each.name for each in told] == ["One"]
        await session.advanced.eagerly.execute_all_pending_lazy_operations()
        assert session.number_of_requests == 1


async def test_a_failed_request_is_told_to_each(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.on("POST", "/multi_get", {"Type": "BadRequestException", "Message": "no"}, status=400)
    async with store.open_session() as session:
        lazily = session.advanced.lazily
        first, second = lazily.load("companies/1", Company), lazily.load("companies/2", Company)
        with pytest.raises(BadRequest):
            await first.value
        with pytest.raises(BadRequest):
            await second.value


async def test_lazy_loads_include_and_take_prefixes(wire: Wire, store: AsyncDocumentStore) -> None:
    order = document("orders/1", boss="employees/1")
    boss = document("employees/1", first_name="Ann")
    page = (200, {"Results": [document("companies/1", name="One")]})
    wire.on("POST", "/multi_get", answers(found(order, **{"employees/1": boss}), page))
    async with store.open_session() as session:
        lazily = session.advanced.lazily
        first = lazily.include("boss").load("orders/1")
        some = lazily.load_starting_with("companies/", Company)
        assert (await first.value or {})["boss"] == "employees/1"
        assert [each.name for each in await some.value] == ["One"]
        employee = await session.load("employees/1", Employee)
        assert employee is not None and employee.first_name == "Ann"
        assert session.number_of_requests == 1


async def test_values_are_read_lazily_too(wire: Wire, store: AsyncDocumentStore) -> None:
    one = (200, {"Results": [{"Key": "one", "Index": 3, "Value": {"Object": 1}}]})
    none = (200, {"Results": [{"Key": "none", "Index": -1, "Value": None}]})
    wire.on("POST", "/multi_get", answers(one, none))
    async with store.open_session(transaction_mode=TransactionMode.CLUSTER_WIDE) as session:
        lazily = session.advanced.cluster_transaction.lazily
        first = lazily.get_compare_exchange_value("one", int)
        second = lazily.get_compare_exchange_value("none", int)
        value = await first.value
        assert value is not None and (value.value, value.index) == (1, 3)
        assert await second.value is None


def test_the_synchronous_value_is_there_at_once(wire: Wire, plain_store: DocumentStore) -> None:
    one, two = document("companies/1", name="One"), document("companies/2", name="Two")
    wire.on("POST", "/multi_get", answers(found(one), found(two)))
    with plain_store.open_session() as session:
        wanted = [session.advanced.lazily.load(f"companies/{number}", Company) for number in (1, 2)]
        assert [each.value.name for each in wanted if each.value] == ["One", "Two"]


async def test_what_cannot_be_an_id_is_refused_when_it_is_read(store: AsyncDocumentStore) -> None:
    async with store.open_session() as session:
        lazy = session.advanced.lazily.load("", Company)
        with pytest.raises(Misuse, match="document id"):
            await lazy.value


async def test_queries_that_wait_together_have_the_time_of_all(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    answered = {"Results": [], "TotalResults": 0, "IsStale": False}
    wire.on("POST", "/multi_get", answers((200, answered), (200, answered), MISSING))
    async with store.open_session() as session:
        query = session.query(object_type=Company)
        query.wait_for_non_stale_results(timedelta(seconds=20)).lazily()
        session.query(object_type=Employee).wait_for_non_stale_results().lazily()
        await session.advanced.lazily.load("companies/1", Company).value
    assert wire.transport.requests[-1].timeout_seconds == 30 + (30 + 20) + (30 + 15)


async def test_a_class_that_fails_to_be_made_is_not_the_error_of_the_others(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    one, two = document("companies/1", name="One"), document("companies/2", name="Two")
    wire.on("POST", "/multi_get", answers(found(one), found(two)))
    async with store.open_session() as session:
        bad = session.lazily.load("companies/1", Moody)
        good = session.lazily.load("companies/2", Company)
        company = await good.value
        assert company is not None and company.name == "Two"
        with pytest.raises(WrongType, match="RuntimeError: not today"):
            await bad.value


class Moody:
    def __init__(self, name: str) -> None:
        raise RuntimeError("not today")
