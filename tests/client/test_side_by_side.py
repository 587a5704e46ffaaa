"""Tasks that work in one session at once: nobody gets another's trouble, and nothing is lost."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from quoth import AsyncDocumentStore, Misuse, TransactionMode
from quoth.asynchronous.driving import AsyncExecute
from quoth.asynchronous.session import AsyncSession
from quoth.commands import Command
from tests.client.entities import Company
from tests.client.test_lazies import answers, found
from tests.client.wire import Wire, document, put_result

VALUE_SAVED = {"Type": "CompareExchangePUT", "Key": "k", "Index": 9}


class Held:
    """What carries a session's commands, stopped after each answer until it is let go."""

    def __init__(self, carry: AsyncExecute) -> None:
        self._carry = carry
        self.has_answer = asyncio.Event()
        self.may_go_on = asyncio.Event()

    async def __call__(self, command: Command[Any], known_raft_index: int | None) -> Any:
        answer = await self._carry(command, known_raft_index)
        self.has_answer.set()
        await self.may_go_on.wait()
        return answer

    async def open(self, command: Command[Any], known_raft_index: int | None) -> Any:
        return await self._carry.open(command, known_raft_index)


@contextmanager
def held(session: AsyncSession) -> Iterator[Held]:
    """A session whose next command waits for the test; those after the block do not."""
    drive: Any = session._drive
    carry = drive._execute
    drive._execute = holding = Held(carry)
    try:
        yield holding
    finally:
        drive._execute = carry


@pytest.fixture
def cluster_wide(store: AsyncDocumentStore) -> AsyncSession:
    return store.open_session(transaction_mode=TransactionMode.CLUSTER_WIDE)


async def test_two_tasks_that_store_one_entity_get_one_id(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    for low in (1, 33):
        lent = {"Prefix": "companies/", "Low": low, "High": low + 31, "LastSize": 32}
        wire.on("GET", "/hilo/next", {**lent, "ServerTag": "A", "LastRangeAt": ""})
    wire.saved(put_result("companies/1-A"))
    async with store.open_session() as session:
        company = Company("One")
        first, second = await asyncio.gather(session.store(company), session.store(company))
        assert first == second == session.get_document_id(company)
        await session.save_changes()
        assert [each["Id"] for each in wire.commands] == [first]
    wire.on("PUT", "/hilo/return")  # when the store closes


async def test_what_was_evicted_during_a_load_is_loaded_again(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.loaded(document("companies/1", name="One"))
    wire.loaded(document("companies/2", name="Two"))
    wire.loaded(document("companies/1", name="Uno"))
    async with store.open_session() as session:
        one = await session.load("companies/1", Company)
        with held(session) as holding:
            both = asyncio.create_task(session.load(["companies/1", "companies/2"], Company))
            await holding.has_answer.wait()
            session.evict(one)
            holding.may_go_on.set()
            loaded = await both
    assert [each.name for each in loaded.values() if each] == ["Uno", "Two"]


async def test_a_refresh_does_not_undo_a_save(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.loaded(document("companies/1", name="One"))
    wire.saved(put_result("companies/1"))
    async with store.open_session() as session:
        company = await session.load("companies/1", Company)
        assert company is not None
        company.name = "Uno"
        with held(session) as holding:
            save = asyncio.create_task(session.save_changes())
            await holding.has_answer.wait()
            with pytest.raises(Misuse, match="is saving just now"):
                await session.refresh(company)
            holding.may_go_on.set()
            await save
        assert company.name == "Uno" and not session.has_changes()


async def test_a_refresh_that_a_save_overtook_asks_again(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.loaded(document("companies/1", name="One"))
    wire.loaded(document("companies/1", name="One"))
    wire.saved(put_result("companies/1", "A:2-x"))
    wire.loaded(document("companies/1", "A:2-x", name="Uno"))
    async with store.open_session() as session:
        company = await session.load("companies/1", Company)
        assert company is not None
        with held(session) as holding:
            refresh = asyncio.create_task(session.refresh(company))
            await holding.has_answer.wait()
        company.name = "Uno"
        await session.save_changes()
        holding.may_go_on.set()
        await refresh
        assert company.name == "Uno" and not session.has_changes()


async def test_looking_for_changes_during_a_save_hides_none(
    wire: Wire, cluster_wide: AsyncSession
) -> None:
    wire.saved(VALUE_SAVED, index=9)
    item = cluster_wide.cluster_transaction.create_compare_exchange_value("k", [1])
    with held(cluster_wide) as holding:
        save = asyncio.create_task(cluster_wide.save_changes())
        await holding.has_answer.wait()
        item.value.append(2)
        assert cluster_wide.has_changes()
        holding.may_go_on.set()
        await save
    assert cluster_wide.has_changes()


async def test_values_are_left_alone_during_a_save(wire: Wire, cluster_wide: AsyncSession) -> None:
    wire.saved(VALUE_SAVED, index=9)
    transaction = cluster_wide.cluster_transaction
    item = transaction.create_compare_exchange_value("k", [1])
    with held(cluster_wide) as holding:
        save = asyncio.create_task(cluster_wide.save_changes())
        await holding.has_answer.wait()
        for meddle in (
            transaction.clear,
            lambda: transaction.delete_compare_exchange_value(item),
            lambda: transaction.update_compare_exchange_value(item),
            lambda: transaction.create_compare_exchange_value("other", 1),
        ):
            with pytest.raises(Misuse, match="is saving just now"):
                meddle()
        holding.may_go_on.set()
        await save
    assert item.index == 9 and not cluster_wide.has_changes()


async def test_a_session_may_be_closed_during_a_save(
    wire: Wire, cluster_wide: AsyncSession
) -> None:
    wire.saved(VALUE_SAVED, index=9)
    cluster_wide.cluster_transaction.create_compare_exchange_value("k", [1])
    with held(cluster_wide) as holding:
        save = asyncio.create_task(cluster_wide.save_changes())
        await holding.has_answer.wait()
        cluster_wide.close()
        holding.may_go_on.set()
        await save
    assert not cluster_wide.has_changes()


async def test_values_that_were_cleared_during_a_read_are_read_again(
    wire: Wire, cluster_wide: AsyncSession
) -> None:
    def value(key: str, index: int) -> dict[str, Any]:
        return {"Key": key, "Index": index, "Value": {"Object": index}}

    wire.on("GET", "/cmpxchg", {"Results": [value("a", 1)]})
    wire.on("GET", "/cmpxchg", {"Results": [value("b", 2)]})
    wire.on("GET", "/cmpxchg", {"Results": [value("a", 3)]})
    transaction = cluster_wide.cluster_transaction
    await transaction.get_compare_exchange_value("a")
    with held(cluster_wide) as holding:
        both = asyncio.create_task(transaction.get_compare_exchange_values(["a", "b"]))
        await holding.has_answer.wait()
        transaction.clear()
        holding.may_go_on.set()
        values = await both
    assert {key: each.value for key, each in values.items() if each} == {"a": 3, "b": 2}


async def test_a_task_that_gives_up_takes_no_other_lazy_read_along(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    one, two = document("companies/1", name="One"), document("companies/2", name="Two")
    for _ in range(2):
        wire.on("POST", "/multi_get", answers(found(one), found(two)))
    async with store.open_session() as session:
        lazies = [session.lazily.load(f"companies/{number}", Company) for number in (1, 2)]

        async def read(place: int) -> Company | None:
            return await lazies[place].value

        with held(session) as holding:
            impatient, patient = (asyncio.create_task(read(place)) for place in (0, 1))
            await holding.has_answer.wait()
            impatient.cancel()
            holding.may_go_on.set()
            loaded = await patient
        assert impatient.cancelled()
        assert loaded is not None and loaded.name == "Two"
        again = await lazies[0].value
        assert again is not None and again.name == "One"
