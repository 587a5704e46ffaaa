"""Changes that are told instead of made, as they are on the wire."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from quoth import (
    AsyncDocumentStore,
    DeleteDocument,
    Misuse,
    PatchDocument,
    PatchRequest,
    PutDocument,
    TransactionMode,
    WrongType,
)
from quoth.patching import JavaScriptArray
from tests.client.entities import Company
from tests.client.wire import Wire, document, put_result


def patched(document_id: str, **more: Any) -> dict[str, Any]:
    return {"Type": "PATCH", "Id": document_id, "PatchStatus": "Patched", **more}


def became(document_id: str, change_vector: str, **fields: Any) -> dict[str, Any]:
    """What a node tells of a document that came back: its own metadata stand beside it."""
    return patched(
        document_id,
        ModifiedDocument={**fields, "@metadata": {"@collection": "Companies"}},
        ChangeVector=change_vector,
        LastModified="2026-01-02T10:00:00.1234567Z",
    )


async def test_patches_of_one_document_are_one_script(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.saved(patched("users/1"))
    async with store.open_session() as session:
        session.advanced.patch("users/1", "address.city", "Berlin")
        session.advanced.increment("users/1", "logins", 2)
        session.advanced.patch_array(
            "users/1", "tags", lambda tags: tags.add("a", "b").remove_at(0)
        )
        session.advanced.patch_object(
            "users/1", "scores", lambda scores: scores.put("ann", 3).remove("bob")
        )
        assert session.has_changes()
        await session.save_changes()
        assert not session.has_changes()
        await session.save_changes()
    (command,) = wire.commands
    assert (command["Id"], command["Type"], command["ChangeVector"]) == ("users/1", "PATCH", None)
    assert command["Patch"] == {
        "Script": "this.address.city = args.val_0;\n"
        "this.logins = this.logins ? this.logins + args.val_1 : args.val_1;\n"
        "this.tags.push(args.val_2, args.val_3);\n"
        "this.tags.splice(args.val_4, 1);\n"
        "this.scores[args.val_5] = args.val_6;\n"
        "delete this.scores[args.val_7];",
        "Values": {
            "val_0": "Berlin",
            "val_1": 2,
            "val_2": "a",
            "val_3": "b",
            "val_4": 0,
            "val_5": "ann",
            "val_6": 3,
            "val_7": "bob",
        },
    }
    assert "ReturnDocument" not in command


async def test_a_loaded_entity_becomes_what_the_patch_made_of_it(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.loaded(document("companies/1", name="One", employees=1))
    wire.saved(became("companies/1", "A:9-x", name="One", employees=5))
    async with store.open_session() as session:
        company = await session.load("companies/1", Company)
        assert company is not None
        session.advanced.increment(company, "employees", 4)
        await session.save_changes()
        assert company.employees == 5
        assert session.get_change_vector_for(company) == "A:9-x"
        assert session.get_metadata_for(company)["@id"] == company.Id == "companies/1"
        moment = session.get_last_modified_for(company)
        assert moment is not None and moment.day == 2
        assert not session.has_changes()
    assert wire.commands[0]["ReturnDocument"] is True


async def test_a_missing_document_is_created_as_it_was_given(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.saved(patched("companies/1"))
    async with store.open_session() as session:
        session.advanced.add_or_increment("companies/1", Company("New", 1), "employees", 1)
        await session.save_changes()
    (command,) = wire.commands
    created = command["CreateIfMissing"]
    assert (created["name"], created["employees"]) == ("New", 1)
    assert created["@metadata"]["@collection"] == "Companies"


async def test_two_words_on_what_is_missing_are_refused(store: AsyncDocumentStore) -> None:
    async with store.open_session() as session:
        session.advanced.increment("companies/1", "employees", 1)
        with pytest.raises(Misuse, match="if it is missing"):
            session.advanced.add_or_patch("companies/1", Company("New"), "name", "x")


async def test_a_failed_save_keeps_its_patches(wire: Wire, store: AsyncDocumentStore) -> None:
    refused = {"Type": "BadRequestException", "Message": "no"}
    wire.on("POST", "/bulk_docs", refused, status=400)
    wire.saved(patched("users/1"))
    async with store.open_session() as session:
        session.advanced.patch("users/1", "name", "x")
        with pytest.raises(Exception, match="no"):
            await session.save_changes()
        assert session.has_changes()
        await session.save_changes()
    first, second = (each.json["Commands"] for each in wire.asked)
    assert first == second


@pytest.mark.parametrize(
    "path",
    ["", "a b", "a;b", "a.", "1a", "this.a = 1; delete b", "a[b]", "a['x\"]", "a\n", "__proto__ x"],
)
async def test_a_path_is_a_path_and_no_script(store: AsyncDocumentStore, path: str) -> None:
    async with store.open_session() as session:
        with pytest.raises(Misuse, match="a path is like"):
            session.advanced.patch("users/1", path, 1)
        assert not session.has_changes()


@pytest.mark.parametrize("path", ["a", "a.b", "a[0].b", "a['first name']", 'a["x"][3]', "$a._b"])
async def test_paths_reach_everything(wire: Wire, store: AsyncDocumentStore, path: str) -> None:
    wire.saved(patched("users/1"))
    async with store.open_session() as session:
        session.advanced.patch("users/1", path, 1)
        await session.save_changes()
    assert wire.commands[0]["Patch"]["Script"] == f"this.{path} = args.val_0;"


async def test_a_document_is_not_changed_and_patched_at_once(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.loaded(document("companies/1", name="One"))
    async with store.open_session() as session:
        company = await session.load("companies/1", Company)
        assert company is not None
        company.name = "Uno"
        session.advanced.increment(company, "employees", 1)
        with pytest.raises(Misuse, match="save one before the other"):
            await session.save_changes()


async def test_what_was_not_saved_cannot_be_patched(store: AsyncDocumentStore) -> None:
    async with store.open_session() as session:
        company = Company("New")
        await session.store(company, "companies/1")
        with pytest.raises(Misuse, match="has not been saved"):
            session.advanced.increment(company, "employees", 1)


async def test_cluster_transactions_have_no_patches(store: AsyncDocumentStore) -> None:
    async with store.open_session(transaction_mode=TransactionMode.CLUSTER_WIDE) as session:
        with pytest.raises(Misuse, match="no patches"):
            session.advanced.patch("users/1", "name", "x")


async def test_commands_are_deferred_behind_the_changes(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    deleted = {"Type": "DELETE", "Id": "b", "Deleted": True}
    wire.saved(put_result("companies/1"), put_result("a"), deleted, patched("c"))
    async with store.open_session() as session:
        session.advanced.defer(
            PutDocument("a", {"x": 1}, {"@collection": "Things"}),
            DeleteDocument("b"),
            PatchDocument("c", PatchRequest("this.n = args.n", {"n": 3})),
        )
        await session.store(Company("One"), "companies/1")
        await session.save_changes()
        assert not session.has_changes()
    assert [each["Id"] for each in wire.commands] == ["companies/1", "a", "b", "c"]


async def test_only_commands_are_deferred(store: AsyncDocumentStore) -> None:
    async with store.open_session() as session:
        with pytest.raises(Misuse, match="to defer"):
            session.advanced.defer("users/1")  # type: ignore[arg-type]


async def test_what_was_missing_is_there_after_a_patch_made_it(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.on("GET", "/docs", status=404)
    wire.saved(patched("companies/1", PatchStatus="Created"))
    wire.loaded(document("companies/1", name="One", employees=1))
    async with store.open_session() as session:
        assert await session.load("companies/1", Company) is None
        session.advanced.add_or_increment("companies/1", Company("One", 1), "employees", 1)
        await session.save_changes()
        found = await session.load("companies/1", Company)
        assert found is not None and found.employees == 1


async def test_what_was_included_is_read_again_after_a_patch(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    two = document("companies/2", name="Two", employees=2)
    wire.loaded(document("companies/1", name="One", owner="companies/2"), **{"companies/2": two})
    wire.saved(patched("companies/2"))
    wire.loaded(document("companies/2", name="Two", employees=3))
    async with store.open_session() as session:
        await session.load("companies/1", Company, includes="owner")
        session.advanced.increment("companies/2", "employees", 1)
        await session.save_changes()
        found = await session.load("companies/2", Company)
        assert found is not None and found.employees == 3


@dataclass(frozen=True)
class Coin:
    """It cannot be changed."""

    name: str
    cents: int = 0


@pytest.mark.parametrize("cents", [2, "two"])
async def test_a_save_that_was_done_does_not_fail_over_what_a_patch_made(
    wire: Wire, store: AsyncDocumentStore, cents: object
) -> None:
    """Or the patches after it would be sent, and done, once more."""
    wire.loaded(document("coins/1", name="cent", cents=1))
    wire.saved(became("coins/1", "A:2-x", name="cent", cents=cents), patched("coins/2"))
    wire.loaded(document("coins/1", "A:2-x", name="cent", cents=cents))
    async with store.open_session() as session:
        coin = await session.load("coins/1", Coin)
        session.advanced.increment(coin, "cents", 1)
        session.advanced.increment("coins/2", "cents", 1)
        await session.save_changes()
        assert not session.has_changes()
        if cents == 2:
            assert await session.load("coins/1", Coin) == Coin("cent", 2)
        else:
            with pytest.raises(WrongType, match=r"coins/1: field 'cents'"):
                await session.load("coins/1", Coin)


def adding(value: object) -> Callable[[JavaScriptArray], object]:
    return lambda array: array.add(value)


async def test_what_cannot_be_sent_is_refused_at_once(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.saved(patched("users/1"))
    tags = ["a"]
    async with store.open_session() as session:
        for bad in (object(), float("nan"), 1 << 70):
            with pytest.raises(WrongType):
                session.advanced.patch("users/1", "x", bad)
            with pytest.raises(WrongType):
                session.advanced.patch_array("users/1", "x", adding(bad))
        assert not session.has_changes()
        session.advanced.patch("users/1", "tags", tags)
        tags.append("later")
        await session.save_changes()
    assert list(wire.commands[0]["Patch"]["Values"].values()) == [["a"]]


async def test_what_a_deferred_command_deletes_is_gone(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.loaded(document("companies/1", name="One"))
    wire.saved({"Type": "DELETE", "Id": "companies/1", "Deleted": True})
    async with store.open_session() as session:
        await session.load("companies/1", Company)
        session.advanced.defer(DeleteDocument("companies/1"))
        await session.save_changes()
        assert await session.load("companies/1", Company) is None


async def test_a_document_is_not_changed_and_deferred_at_once(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.loaded(document("companies/1", name="One"))
    async with store.open_session() as session:
        company = await session.load("companies/1", Company)
        assert company is not None
        company.name = "Uno"
        session.advanced.defer(DeleteDocument("companies/1"))
        with pytest.raises(Misuse, match="save one before the other"):
            await session.save_changes()
