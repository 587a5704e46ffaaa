"""What a program demands of a document when it is saved, and what becomes of a demand."""

import pytest

from quoth import AsyncDocumentStore, Misuse, TransactionMode, WrongType
from tests.client.entities import Company
from tests.client.wire import Wire, document, put_result


async def test_to_be_new_can_be_demanded_of_what_was_stored_already(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.saved(put_result("companies/1"))
    async with store.open_session() as session:
        company = Company("One")
        await session.store(company, "companies/1")
        await session.store(company, "companies/1", "")
        await session.store(company)
        await session.save_changes()
    assert wire.commands[0]["ChangeVector"] == ""


async def test_a_second_deletion_takes_no_demand_away(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.saved({"Type": "DELETE", "Id": "companies/1", "Deleted": True})
    async with store.open_session() as session:
        session.delete("companies/1", "A:1-x")
        session.delete("companies/1")
        await session.save_changes()
    assert wire.commands[0]["ChangeVector"] == "A:1-x"


async def test_what_is_ignored_may_be_deleted_by_its_id(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.loaded(document("companies/1", name="One"))
    wire.saved({"Type": "DELETE", "Id": "companies/1", "Deleted": True})
    async with store.open_session() as session:
        company = await session.load("companies/1", Company)
        assert company is not None
        session.ignore_changes_for(company)
        company.name = "Uno"
        session.delete("companies/1")
        await session.save_changes()
    assert [each["Type"] for each in wire.commands] == ["DELETE"]


async def test_a_cluster_wide_session_takes_no_demand_that_it_would_not_check(
    store: AsyncDocumentStore,
) -> None:
    async with store.open_session(transaction_mode=TransactionMode.CLUSTER_WIDE) as session:
        for change_vector in ("", "A:1-x"):
            with pytest.raises(Misuse, match="expects no change vectors"):
                await session.store(Company("One"), "companies/1", change_vector)
            with pytest.raises(Misuse, match="expects no change vectors"):
                session.delete("companies/1", change_vector)
        assert not session.has_changes()


@pytest.mark.parametrize("bad", [object(), 1 << 70, "half \ud800"])
async def test_of_many_documents_the_one_that_cannot_be_written_is_named(
    store: AsyncDocumentStore, bad: object
) -> None:
    async with store.open_session() as session:
        await session.store(Company("One"), "companies/1")
        await session.store(Company(bad), "companies/2")  # type: ignore[arg-type]
        with pytest.raises(WrongType, match="document companies/2: field 'name'"):
            await session.save_changes()
