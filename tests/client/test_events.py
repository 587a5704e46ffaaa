"""Programs watch saves, and take part in them."""

from typing import Any

import pytest

from quoth import (
    AfterSaveChangesEventArgs,
    AsyncDocumentStore,
    BeforeDeleteEventArgs,
    BeforeStoreEventArgs,
    DocumentStore,
    Misuse,
)
from tests.client.entities import Company, Employee
from tests.client.wire import Wire, document, put_result

DELETED = {"Type": "DELETE", "Id": "companies/2", "Deleted": True}


async def test_events_come_in_their_order(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.loaded(document("companies/1", name="One"), document("companies/2", name="Two"))
    wire.saved(put_result("companies/1"), DELETED)
    told: list[Any] = []
    async with store.open_session() as session:
        session.add_before_store(lambda event: told.append(("store", event.document_id)))
        session.add_after_save_changes(lambda event: told.append(("saved", event.document_id)))
        session.add_before_delete(lambda event: told.append(("delete", event.key, event.entity)))
        found = await session.load(["companies/1", "companies/2"], Company)
        one, two = found["companies/1"], found["companies/2"]
        assert one is not None
        one.name = "Uno"
        session.delete(two)
        await session.save_changes()
    assert told == [
        ("store", "companies/1"),
        ("delete", "companies/2", two),
        ("saved", "companies/1"),
    ]


async def test_what_a_handler_changes_is_saved(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.saved(put_result("companies/1"))

    def stamp(event: BeforeStoreEventArgs) -> None:
        event.entity.employees = 9
        event.document_metadata["stamped"] = True

    async with store.open_session() as session:
        session.add_before_store(stamp)
        await session.store(Company("One"), "companies/1")
        await session.save_changes()
        assert not session.has_changes()
    saved = wire.commands[0]["Document"]
    assert saved["employees"] == 9 and saved["@metadata"]["stamped"] is True


async def test_a_handler_that_raises_stops_the_save(store: AsyncDocumentStore) -> None:
    def refuse(event: BeforeDeleteEventArgs) -> None:
        raise PermissionError(f"not {event.key}")

    async with store.open_session() as session:
        session.add_before_delete(refuse)
        session.delete("companies/1")
        with pytest.raises(PermissionError, match="not companies/1"):
            await session.save_changes()
        assert session.has_changes()
        session.remove_before_delete(refuse)


async def test_looking_for_changes_tells_no_handler(store: AsyncDocumentStore) -> None:
    told: list[BeforeStoreEventArgs] = []
    async with store.open_session() as session:
        session.add_before_store(told.append)
        await session.store(Company("One"), "companies/1")
        assert session.has_changes() and session.what_changed()
    assert told == []


async def test_handlers_are_removed(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.saved(put_result("companies/1"))
    told: list[AfterSaveChangesEventArgs] = []
    async with store.open_session() as session:
        session.add_after_save_changes(told.append)
        session.remove_after_save_changes(told.append)
        await session.store(Company("One"), "companies/1")
        await session.save_changes()
    assert told == []


def test_what_a_handler_stores_is_saved_along(wire: Wire, plain_store: DocumentStore) -> None:
    wire.saved(put_result("companies/1"), put_result("notes/1"))
    told: list[str] = []
    with plain_store.open_session() as session:

        def note(event: BeforeStoreEventArgs) -> None:
            told.append(event.document_id)
            session.store(Employee("note"), f"notes/{len(told)}")

        session.add_before_store(note)
        session.store(Company("One"), "companies/1")
        session.save_changes()
        assert not session.has_changes()
    assert [each["Id"] for each in wire.commands] == ["companies/1", "notes/1"]
    assert told == ["companies/1"]


async def test_handlers_of_a_store_hold_for_all_its_sessions(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.saved(put_result("companies/1"))
    wire.saved(put_result("companies/2"))
    told: list[str] = []
    store.add_before_store(lambda event: told.append(f"store: {event.document_id}"))
    for number in (1, 2):
        async with store.open_session() as session:
            session.add_before_store(lambda event: told.append(f"session: {event.document_id}"))
            await session.store(Company("One"), f"companies/{number}")
            await session.save_changes()
    assert told == [
        "store: companies/1",
        "session: companies/1",
        "store: companies/2",
        "session: companies/2",
    ]


async def test_what_was_not_added_cannot_be_removed(store: AsyncDocumentStore) -> None:
    with pytest.raises(Misuse, match="not added"):
        store.remove_before_query(print)
    async with store.open_session() as session:
        with pytest.raises(Misuse, match="not added"):
            session.remove_before_store(print)
