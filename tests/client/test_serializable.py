"""Serializable sessions: what they send along, when they ask again, and when they run again."""

from typing import Any

import pytest

from quoth import (
    AsyncDocumentStore,
    AsyncSession,
    DocumentStore,
    FateUnknown,
    Misuse,
    SerializationConflict,
    Session,
    SessionOptions,
    TransactionMode,
    retry,
)
from quoth.batches import BatchResult, DeleteDocument, PutDocument, PutValue, SaveBatch
from quoth.commands import fold
from quoth.reads import GetDocuments, GetDocumentsStartingWith, LoadedDocuments
from quoth.serializable import Commit, Isolation, PinnedAnswer, ReadPinned, ReadSet
from quoth.steps import Steps, ask
from tests.client.entities import Company
from tests.client.wire import Wire, document, put_result

SERIALIZABLE = SessionOptions(isolation="serializable")
READ, COMMIT = "/serializable/read", "/serializable/commit"
NOTHING: dict[str, list[Any]] = {
    "Documents": [],
    "Values": [],
    "Prefixes": [],
    "Collections": [],
    "Keys": [],
}


def pin(index: int, etag: int = 5) -> dict[str, Any]:
    return {"Database": "db", "Index": index, "Etag": etag}


def read(wire: Wire, index: int, *answers: dict[str, Any], etag: int = 5, **found: Any) -> None:
    """The next request is a read; these are its answers, as of `index`."""
    body = {"IsMoved": False, "Pin": pin(index, etag), "Answers": answers}
    wire.on("POST", READ, {**body, "Read": {**NOTHING, **found}})


def read_document(
    wire: Wire, index: int, document_id: str, vector: str | None, **fields: Any
) -> None:
    """The next request is a load of one document; None: there is none."""
    found = None if vector is None else document(document_id, vector, **fields)
    answer = {"Results": [found], "Includes": {}}
    read(wire, index, answer, Documents=[[document_id, vector or ""]])


def committed(wire: Wire, index: int, *results: dict[str, Any], etag: int = 9) -> None:
    body = {"Results": results, "TransactionIndex": index, "Pin": pin(index, etag)}
    wire.on("POST", COMMIT, body, status=201)


def conflict(wire: Wire, path: str, *names: str) -> None:
    """The next request is refused over these documents."""
    violations = [{"Type": "Document", "Id": n, "Expected": 5, "Actual": 6} for n in names]
    body = {
        "Type": "Quoth.SerializationConflictException",
        "Message": "What was read has changed since",
        "ConcurrencyViolations": violations,
    }
    wire.on("POST", path, body, status=409)


async def test_the_first_read_pins_and_every_later_one_names_what_was_read(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    read_document(wire, 7, "companies/1", "A:1-x", name="One")
    read_document(wire, 7, "companies/2", None)
    async with store.open_session(SERIALIZABLE) as session:
        one = await session.load("companies/1", Company)
        assert one is not None and one.name == "One"
        assert await session.load("companies/2", Company) is None
        # What the session holds is asked for once.
        assert await session.load("companies/1", Company) is one
    first, second = (each.json for each in wire.asked)
    wanted = {"Type": "Documents", "Includes": [], "ValueIncludes": []}
    assert first == {"Reads": [{**wanted, "Ids": ["companies/1"]}], "Pin": None}
    assert second["Pin"] == pin(7)
    assert second["ReadSet"] == {**NOTHING, "Documents": [["companies/1", "A:1-x"]]}


async def test_a_save_carries_all_that_was_read_and_goes_on_from_its_own_state(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    read_document(wire, 7, "companies/1", "A:1-x", name="One")
    read_document(wire, 7, "Companies/2", None)
    committed(wire, 8, put_result("companies/1", "R:8"), put_result("companies/2", "R:9"))
    read_document(wire, 8, "companies/3", None)
    async with store.open_session(isolation="serializable") as session:
        one = await session.load("companies/1", Company)
        assert one is not None
        assert await session.load("Companies/2", Company) is None
        one.name = "Two"
        await session.store(Company("New"), "companies/2")
        await session.save_changes()
        await session.load("companies/3", Company)
    _, _, saved, after = (each.json for each in wire.asked)
    assert saved["Pin"] == pin(7)
    assert saved["ReadSet"]["Documents"] == [["companies/1", "A:1-x"], ["Companies/2", ""]]
    assert [each["Id"] for each in saved["Commands"]] == ["companies/1", "companies/2"]
    assert after["Pin"] == pin(8, 9)
    assert after["ReadSet"]["Documents"] == [["companies/1", "R:8"], ["companies/2", "R:9"]]


async def test_a_write_of_what_was_not_read_by_its_id_says_what_it_rests_on(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    results = [document(f"companies/{n}", f"A:{n}-x", name="x") for n in (1, 2)]
    read(wire, 7, {"Results": results}, Prefixes=["companies/"])
    committed(wire, 8, *(put_result(name) for name in ("companies/1", "companies/8", "c/9")),
              {"Id": "companies/2"}, {"Id": "companies/3"})  # fmt: skip
    async with store.open_session(SERIALIZABLE) as session:
        one, two = await session.load_starting_with("companies/", Company)
        one.name = "changed"
        session.delete(two)
        session.delete("companies/3")
        await session.store(Company("new"), "companies/8")
        await session.store(Company("made"), "c|")
        await session.save_changes()
    asked = wire.asked[-1].json["ReadSet"]
    expected = [["companies/1", "A:1-x"], ["companies/8", ""], ["companies/2", "A:2-x"]]
    assert asked == {**NOTHING, "Documents": expected, "Prefixes": ["companies/"]}


async def test_a_long_read_set_is_sent_only_if_a_node_needs_it(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    many = [f"companies/{number}" for number in range(65)]
    results = [document(name, "A:1-x", name="x") for name in many]
    answer = {"Results": results, "Includes": {}}
    read(wire, 7, answer, Documents=[[name, "A:1-x"] for name in many])
    read_document(wire, 7, "companies/old", "A:2-x", name="x")
    wire.on("POST", READ, {"IsMoved": True})
    read_document(wire, 9, "companies/new", "A:8-x", name="x")
    async with store.open_session(SERIALIZABLE) as session:
        await session.load(many, Company)
        await session.load("companies/old", Company)
        new = await session.load("companies/new", Company)
        assert new is not None
    old, moved, again = (each.json for each in wire.asked[1:])
    assert "ReadSet" not in old and "ReadSet" not in moved
    assert len(again["ReadSet"]["Documents"]) == 66 and again["Reads"] == moved["Reads"]


async def test_reads_that_wait_for_each_other_travel_together(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    first = {"Results": [document("companies/1", name="One")], "Includes": {}}
    second = {"Results": [None], "Includes": {}}
    read(wire, 7, first, second, Documents=[["companies/1", "A:1-x"], ["companies/2", ""]])
    async with store.open_session(SERIALIZABLE) as session:
        one = session.advanced.lazily.load("companies/1", Company)
        two = session.advanced.lazily.load("companies/2", Company)
        found: Company | None = await one.value
        assert found is not None and found.name == "One"
        assert (await two.value) is None


def test_tasks_that_read_side_by_side_end_with_one_state() -> None:
    """Both ask before either has an answer; the slower one is of another state, and asks again."""
    isolation = Isolation()

    def load(name: str) -> Steps[LoadedDocuments]:
        return isolation.carry(ask(GetDocuments((name,))))

    def answer(name: str, index: int) -> PinnedAnswer:
        found = LoadedDocuments({name: document(name)})
        return PinnedAnswer(pin(index), (found,), {**NOTHING, "Documents": [[name, "A:1-x"]]})

    first, second = load("a"), load("b")
    next(first), next(second)
    with pytest.raises(StopIteration):
        first.send(answer("a", 8))
    again = second.send(answer("b", 7))
    assert isinstance(again, ReadPinned) and again.pin == pin(8)
    assert again.reads == {**NOTHING, "Documents": [("a", "A:1-x")]}
    with pytest.raises(StopIteration) as done:
        second.send(answer("b", 8))
    assert "b" in done.value.value.by_id


async def test_values_and_their_ranges_are_read_and_counted_on(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    stored = {"Key": "slots/1", "Index": 4, "Value": {"Object": "x"}}
    read(wire, 7, {"Results": [stored]}, Keys=[["slots/", 1, 4]])
    told = [{"Type": "CompareExchangePUT", "Key": f"slots/{n}", "Index": 8} for n in (1, 2)]
    committed(wire, 8, *told)
    read(wire, 8, {"Results": [{"Key": "k", "Value": None, "Index": -1}]}, Values=[["k", 0]])
    async with store.open_session(SERIALIZABLE) as session:
        values = session.cluster_transaction
        slots = await values.get_compare_exchange_values_starting_with("slots/", object_type=str)
        slots["slots/1"].value = "y"
        values.create_compare_exchange_value("slots/2", "z")
        await session.save_changes()
        assert await values.get_compare_exchange_value("k") is None
    saved, after = wire.asked[1].json["ReadSet"], wire.asked[2].json["ReadSet"]
    assert saved["Keys"] == [["slots/", 1, 4]]
    assert saved["Values"] == [["slots/1", 4], ["slots/2", 0]]
    assert after["Keys"] == [["slots/", 2, 8]]
    assert after["Values"] == [["slots/1", 8], ["slots/2", 8]]


async def test_after_a_conflict_the_session_is_over_until_it_is_cleared(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    read_document(wire, 7, "companies/1", "A:1-x", name="One")
    conflict(wire, READ, "companies/1")
    async with store.open_session(SERIALIZABLE) as session:
        one = await session.load("companies/1", Company)
        assert one is not None
        with pytest.raises(SerializationConflict) as met:
            await session.load("companies/2", Company)
        assert [each.key for each in met.value.violations] == ["companies/1"]
        one.name = "changed"
        with pytest.raises(SerializationConflict):
            await session.save_changes()
        with pytest.raises(SerializationConflict):
            await session.load("companies/3", Company)
        session.clear()
        read_document(wire, 9, "companies/3", None)
        assert await session.load("companies/3", Company) is None
    assert wire.asked[-1].json["Pin"] is None


async def test_after_a_save_of_unknown_fate_the_session_is_in_doubt_until_it_is_cleared(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.on("POST", COMMIT, fails=FateUnknown("no answer"))
    async with store.open_session(SERIALIZABLE) as session:
        await session.store(Company("One"), "companies/1")
        with pytest.raises(FateUnknown):
            await session.save_changes()
        with pytest.raises(Misuse, match="may have been made"):
            await session.save_changes()
        with pytest.raises(Misuse, match="may have been made"):
            await session.load("companies/2", Company)
        session.clear()
        read_document(wire, 9, "companies/1", "A:3-x", name="One")
        assert await session.load("companies/1", Company) is not None


def test_what_was_written_twice_in_another_case_is_known_as_it_became_last() -> None:
    reads = ReadSet({"ZED/1": "A:1-x"}, {"K": 4}, keys={"k": (1, 4)})
    batch = SaveBatch(
        (PutDocument("Zed/1", {}, {}), DeleteDocument("zed/1"), PutValue("k", 1, 4))
    )
    told = ({"@id": "Zed/1", "@change-vector": "A:2-x"}, {"Id": "zed/1"}, {"Index": 9})
    reads.wrote(batch, BatchResult(told, 9))
    assert reads.documents == {"zed/1": ""}
    assert reads.values == {"k": 9} and reads.keys == {"k": (1, 9)}


async def test_a_conflict_over_what_was_never_read_says_that_it_had_to_be_new(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    conflict(wire, COMMIT, "companies/1")
    async with store.open_session(SERIALIZABLE) as session:
        await session.store(Company("One"), "companies/1")
        with pytest.raises(SerializationConflict, match="has not loaded 'companies/1'"):
            await session.save_changes()


async def test_a_save_that_was_never_sent_leaves_no_doubt(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    committed(wire, 8, put_result("companies/1"))
    async with store.open_session(SERIALIZABLE) as session:
        await session.store(Company("One"), "companies/1")
        session.advanced.max_number_of_requests_per_session = 0
        with pytest.raises(Misuse, match="its limit"):
            await session.save_changes()
        session.advanced.max_number_of_requests_per_session = 1
        await session.save_changes()


def test_a_read_that_is_under_way_keeps_a_save_waiting() -> None:
    """Its answer would be of a state from before the save, and the save had not checked it."""
    isolation = Isolation()
    reading = isolation.carry(ask(GetDocumentsStartingWith("companies/")))
    next(reading)
    batch = SaveBatch((PutDocument("users/1", {}, {}),))
    with pytest.raises(Misuse, match="reading just now"):
        next(isolation.carry(ask(batch)))
    reading.close()  # nobody waits for it any more
    saving = isolation.carry(ask(batch))
    assert isinstance(next(saving), Commit) and not isolation.has_saved


def test_a_conflict_of_a_read_from_before_a_clear_is_none_of_what_comes_after() -> None:
    isolation = Isolation()
    reading = isolation.carry(ask(GetDocuments(("a",))))
    next(reading)
    isolation.reset()
    with pytest.raises(SerializationConflict):
        reading.throw(SerializationConflict("changed"))
    isolation.check()


def test_names_are_compared_as_nodes_do_each_letter_by_itself() -> None:
    assert fold("ΟΔΟΣ") == "οδοσ" and fold("οδος") == "οδος"
    assert fold("ΟΔΟΣ/1").startswith(fold("ΟΔΟΣ"))
    assert fold("Users/1-A") == "users/1-a"


async def test_more_ranges_than_a_node_compares_are_told_before_the_save(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    async with store.open_session(SERIALIZABLE) as session:
        session.advanced.max_number_of_requests_per_session = 200
        for number in range(101):
            read(wire, 7, {"Results": []}, Prefixes=[f"{number}/"])
        for number in range(100):
            await session.load_starting_with(f"{number}/", Company)
        with pytest.raises(Misuse, match="100 prefixes"):
            await session.load_starting_with("100/", Company)


async def test_a_session_that_only_reads_sends_nothing_when_it_saves(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    read_document(wire, 7, "companies/1", "A:1-x", name="One")
    async with store.open_session(SERIALIZABLE) as session:
        await session.load("companies/1", Company)
        await session.save_changes()
    assert len(wire.asked) == 1


async def test_what_no_save_could_check_is_refused_and_not_sent(
    store: AsyncDocumentStore,
) -> None:
    async with store.open_session(SERIALIZABLE) as session:
        with pytest.raises(Misuse, match="no patches"):
            session.advanced.patch("companies/1", "name", "x")
        with pytest.raises(Misuse, match="cannot stream"):
            async for _ in session.advanced.stream(session.query(object_type=Company)):
                pass
    with pytest.raises(Misuse, match="isolation is"):
        SessionOptions(isolation="snapshot")  # type: ignore[arg-type]
    with pytest.raises(Misuse, match="optimistic"):
        SessionOptions(isolation="serializable", optimistic_concurrency=True)


async def test_a_function_runs_again_until_nobody_was_faster(
    wire: Wire, store: AsyncDocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(store, "_pause", pause)
    read_document(wire, 7, "companies/1", "A:1-x", name="One")
    conflict(wire, COMMIT, "companies/1")
    read_document(wire, 8, "companies/1", "A:2-x", name="Two")
    conflict(wire, READ, "companies/1")
    read_document(wire, 9, "companies/1", "A:3-x", name="Three")
    read_document(wire, 9, "companies/2", None)
    committed(wire, 10, put_result("companies/1"))
    runs = 0

    async def shout(session: AsyncSession) -> str:
        nonlocal runs
        runs += 1
        one = await session.load("companies/1", Company)
        assert one is not None
        if runs > 1:
            await session.load("companies/2", Company)
        one.name = one.name.upper()
        return one.name

    assert await retry(store, shout) == "THREE"
    assert (runs, pauses) == (3, [0.01, 0.02])
    assert wire.commands[0]["Document"]["name"] == "THREE"


async def test_the_last_conflict_tells_how_often_it_was_tried(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    for _ in range(2):
        conflict(wire, READ, "companies/1")
    with pytest.raises(SerializationConflict, match="after 2 attempts") as met:
        await store.retry(lambda session: session.load("companies/1", Company), attempts=2)
    assert met.value.attempts == 2
    assert [each.key for each in met.value.violations] == ["companies/1"]


async def test_a_function_is_not_run_again_when_that_could_do_it_twice(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    async def make(session: AsyncSession) -> None:
        await session.store(Company("One"), "companies/1")

    wire.on("POST", COMMIT, fails=FateUnknown("no answer"))
    with pytest.raises(FateUnknown):
        await store.retry(make)

    async def make_and_look(session: AsyncSession) -> None:
        await make(session)
        await session.save_changes()
        await session.load("companies/2", Company)

    committed(wire, 8, put_result("companies/1"))
    conflict(wire, READ, "companies/1")
    with pytest.raises(SerializationConflict):
        await store.retry(make_and_look)

    async def make_in_doubt_and_look(session: AsyncSession) -> None:
        await make(session)
        with pytest.raises(FateUnknown):
            await session.save_changes()
        session.clear()
        await session.load("companies/2", Company)

    wire.on("POST", COMMIT, fails=FateUnknown("no answer"))
    conflict(wire, READ, "companies/1")
    with pytest.raises(SerializationConflict):
        await store.retry(make_in_doubt_and_look)
    with pytest.raises(Misuse, match="at least 1"):
        await store.retry(make, attempts=0)


def test_a_synchronous_function_runs_again_as_well(wire: Wire, plain_store: DocumentStore) -> None:
    conflict(wire, READ, "companies/1")
    read_document(wire, 9, "companies/1", "A:3-x", name="One")

    def look(session: Session) -> str:
        one = session.load("companies/1", Company)
        assert one is not None
        return one.name

    assert retry(plain_store, look) == "One"


def test_a_serializable_session_writes_cluster_wide() -> None:
    options = SessionOptions(isolation="serializable")
    assert options.is_cluster_wide and options.transaction_mode is TransactionMode.SINGLE_NODE
