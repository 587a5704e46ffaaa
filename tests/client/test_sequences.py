"""Sequences outside sessions: numbers taken at once and for a while, and the journal."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from quoth import (
    AsyncDocumentStore,
    BadRequest,
    DocumentStore,
    FateUnknown,
    HeldNumbers,
    Misuse,
    NotSent,
    NumberState,
    QuothError,
    ReplicationTimeout,
    SequenceInfo,
)
from tests.client.wire import Wire

ROUTE = "/quoth/sequences"
AT = "2027-01-15T08:00:00.0000000Z"
MOMENT = datetime(2027, 1, 15, 8, tzinfo=UTC)


def numbers(*values: int, **more: Any) -> dict[str, Any]:
    told = {"Name": "i", "Numbers": list(values), "InitialValue": 1, "ResetValue": None}
    return {**told, "TransactionIndex": 5, **more}


def reserved(wire: Wire, *values: int) -> None:
    wire.on("POST", f"{ROUTE}/reserve", numbers(*values, Token=24, Until=AT))


def refused(kind: str) -> dict[str, Any]:
    return {"Type": f"Quoth.Exceptions.{kind}", "Message": "no"}


def info(name: str, last: int | None) -> dict[str, Any]:
    told = {"Name": name, "LastValue": last, "InitialValue": 1, "ResetValue": None}
    return {**told, "Taken": last or 0, "Reserved": 0, "Void": 0}


def row(number: int, state: str, **more: Any) -> dict[str, Any]:
    return {"Ordinal": number, "Number": number, "Count": 1, "State": state, "At": AT, **more}


async def test_numbers_are_taken_as_with_django_sequences(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    sequences = store.sequences
    for values in ((1,), (1_000,), (2, 3), (9, 3)):
        wire.on("POST", f"{ROUTE}/take", numbers(*values))
    assert await sequences.get_next_value() == 1
    assert await sequences.get_next_value("i", 1_000, reset_value=2_000, nowait=True) == 1_000
    assert await sequences.get_next_values(2, "i", holder="me") == range(2, 4)
    assert await sequences.get_next_values(2, "i") == [9, 3]
    assert [each.json for each in wire.asked] == [
        {"Name": "default", "Count": 1, "Holder": ""},
        {"Name": "i", "Count": 1, "Holder": "", "InitialValue": 1_000, "ResetValue": 2_000},
        {"Name": "i", "Count": 2, "Holder": "me"},
        {"Name": "i", "Count": 2, "Holder": ""},
    ]
    assert all(each.query["raft-request-id"] for each in wire.asked)


async def test_a_sequence_is_read_and_deleted(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.on("GET", ROUTE, info("i", 7))
    wire.on("GET", ROUTE, refused("SequenceDoesNotExistException"), status=404)
    wire.on("GET", ROUTE, {"Type": "X.Other", "Message": "no"}, status=400)
    wire.on("DELETE", ROUTE, {"Name": "i", "Found": True})
    assert await store.sequences.get_last_value("i") == 7
    assert await store.sequences.get_last_value("i") is None
    with pytest.raises(BadRequest):
        await store.sequences.get_last_value("i")
    assert await store.sequences.delete("i")
    assert wire.asked[-1].query["name"] == "i"


async def test_a_sequence_is_an_iterator(wire: Wire, store: AsyncDocumentStore) -> None:
    sequence = store.sequences.Sequence("i", 4)
    for value in (4, 5, 6, 7, 8):
        wire.on("POST", f"{ROUTE}/take", numbers(value))
    found = []
    async for number in sequence:
        found.append(number)
        if number == 6:
            break
    assert found == [4, 5, 6]
    assert await sequence.get_next_value(nowait=True) == 7
    assert await sequence.get_next_values(1) == range(8, 9)
    assert {each.json["InitialValue"] for each in wire.asked} == {4}


def test_the_synchronous_one_is_an_iterator_too(wire: Wire, plain_store: DocumentStore) -> None:
    for value in (1, 2):
        wire.on("POST", f"{ROUTE}/take", numbers(value))
    sequence = plain_store.sequences.Sequence("i")
    assert [next(sequence), next(iter(sequence))] == [1, 2]


async def test_a_block_that_ends_well_confirms(wire: Wire, store: AsyncDocumentStore) -> None:
    for _ in range(3):
        reserved(wire, 7, 8)
        wire.on("POST", f"{ROUTE}/confirm", numbers(7, 8, WasVoid=False))
    async with store.sequences.reserve("i", 2, holder="ledger", lease_seconds=5) as reservation:
        assert (reservation.value, reservation.values) == (7, range(7, 9))
        assert (reservation.token, reservation.until) == (24, MOMENT)
    async with store.sequences.reserve("i", 2) as reservation:
        reservation.document_id, reservation.path = "ledger/1", "/Numbers"
    async with store.sequences.reserve("i", 2) as reservation:
        told = await reservation.confirm(holder="row 7")
        assert not told.was_void and not reservation.is_open
    assert wire.asked[0].json == {"Name": "i", "Count": 2, "Holder": "ledger", "LeaseSeconds": 5}
    token = {"Name": "i", "Token": 24}
    assert [each.json for each in wire.asked[1::2]] == [
        {**token, "Holder": "ledger"},
        {**token, "Document": "ledger/1", "Path": "/Numbers"},
        {**token, "Holder": "row 7"},
    ]


async def test_a_block_that_fails_releases(wire: Wire, store: AsyncDocumentStore) -> None:
    for _ in range(2):
        reserved(wire, 7)
    wire.on("POST", f"{ROUTE}/release", numbers(7, GivenBack=True))
    with pytest.raises(ValueError, match="too much"):
        async with store.sequences.reserve("i"):
            raise await _within(store, ValueError("too much"))
    assert wire.asked[2].json == {"Name": "i", "Token": 24, "Reason": "ValueError: too much"}


async def _within(store: AsyncDocumentStore, error: Exception) -> Exception:
    """The same error, after another reservation has been made and left open."""
    reservation = store.sequences.reserve("i")
    await reservation.begin()
    assert reservation.is_open
    return error


async def test_what_failed_is_told_if_the_release_fails_too(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    reserved(wire, 7)
    wire.on("POST", f"{ROUTE}/release", refused("ReservationEndedException"), status=410)
    with pytest.raises(ValueError, match="xxx") as raised:
        async with store.sequences.reserve("i"):
            raise ValueError("x" * 600)
    assert "could not be released" in raised.value.__notes__[0]
    assert len(wire.asked[-1].json["Reason"]) == 512


def _chained(first: BaseException, *others: tuple[Exception, BaseException | None]) -> Exception:
    """The last of some errors, each raised while the one before was handled, by a cause or not."""
    last: BaseException = first
    for error, cause in others:
        try:
            try:
                raise last
            except BaseException:
                raise error from cause
        except Exception as raised:
            last = raised
    assert isinstance(last, Exception)
    return last


WRAPPED, UNKNOWN = ValueError("wrapped"), FateUnknown("nobody knows")


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(FateUnknown("?"), id="unknown"),
        pytest.param(ReplicationTimeout("stored, and not seen elsewhere"), id="stored"),
        pytest.param(_chained(UNKNOWN, (WRAPPED, UNKNOWN)), id="caused by it"),
        pytest.param(_chained(UNKNOWN, (ValueError("x"), KeyError("y"))), id="while handling it"),
        pytest.param(
            _chained(UNKNOWN, (OSError("no"), None), (NotSent("asked again"), OSError("no"))),
            id="asked again in vain",
        ),
        pytest.param(TimeoutError("of a ledger"), id="another's time-out"),
        pytest.param(_chained(ConnectionResetError("of a ledger"), (ValueError("z"), None)),
                     id="another's connection"),
        pytest.param(asyncio.CancelledError(), id="cancelled"),
        pytest.param(KeyboardInterrupt(), id="interrupted"),
        pytest.param(ExceptionGroup("several", [ValueError("x"), FateUnknown("?")]), id="a group"),
        pytest.param(_chained(UNKNOWN, (ExceptionGroup("g", [ValueError("x")]), None)),
                     id="a group after it"),
    ],
)  # fmt: skip
async def test_what_may_have_happened_keeps_its_number(
    wire: Wire, plain_store: DocumentStore, error: BaseException
) -> None:
    reserved(wire, 7)
    wire.on("POST", f"{ROUTE}/confirm", numbers(7, WasVoid=True))
    reservation = plain_store.sequences.reserve("i")
    with pytest.raises(type(error)):
        with reservation:
            raise error
    assert reservation.is_open and reservation.confirm(holder="found out later").was_void


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(_chained(TimeoutError("connect"), (NotSent("nobody"), None)), id="not sent"),
        pytest.param(ConnectionRefusedError("of a ledger"), id="refused"),
    ],
)  # fmt: skip
def test_what_certainly_did_not_happen_gives_its_number_back(
    wire: Wire, plain_store: DocumentStore, error: Exception
) -> None:
    reserved(wire, 7)
    wire.on("POST", f"{ROUTE}/release", numbers(7, GivenBack=True))
    with pytest.raises(type(error)), plain_store.sequences.reserve("i"):
        raise error
    assert wire.asked[-1].json["Reason"].startswith(type(error).__name__)


async def test_a_reservation_is_used_in_order(wire: Wire, store: AsyncDocumentStore) -> None:
    reserved(wire, 7)
    wire.on("POST", f"{ROUTE}/confirm", fails=FateUnknown("cut"))
    wire.on("POST", f"{ROUTE}/confirm", refused("ReservationEndedException"), status=410)
    wire.on("POST", f"{ROUTE}/release", numbers(7, GivenBack=False))
    reservation = store.sequences.reserve("i")
    for early in (reservation.confirm(), reservation.release("x")):
        with pytest.raises(Misuse, match="begin"):
            await early
    with pytest.raises(Misuse, match="begin"):
        _ = reservation.value
    await reservation.begin()
    with pytest.raises(Misuse, match="already"):
        await reservation.begin()
    for wrong in ({"holder": "a", "document_id": "b"}, {"holder": "a", "path": "/b"}):
        with pytest.raises(Misuse):
            await reservation.confirm(**wrong)
    with pytest.raises(Misuse, match="JSON pointer"):
        await reservation.confirm(document_id="b", path="b")
    with pytest.raises(Misuse, match="reason"):
        await reservation.release("")
    with pytest.raises(FateUnknown):
        await reservation.confirm()
    with pytest.raises(BadRequest) as raised:
        await reservation.confirm()
    assert raised.value.kind == "ReservationEndedException"
    assert not (await reservation.release("why not")).given_back
    with pytest.raises(Misuse, match="already"):
        await reservation.release("again")


async def test_the_journal_comes_page_by_page(wire: Wire, store: AsyncDocumentStore) -> None:
    first = [
        row(1, "Document", Holder="i/1", Path="/n", All=True),
        row(2, "Void", Reason="rolled back"),
    ]
    second = [row(3, "Reserved", Holder="me", Token=9, Until=AT), row(4, "Outside", Holder="x")]
    for _ in range(2):
        wire.on("GET", f"{ROUTE}/holders", {**info("i", 4), "Results": first, "NextStart": 3})
        wire.on("GET", f"{ROUTE}/holders", {**info("i", 4), "Results": second, "NextStart": None})
    found = [each async for each in store.sequences.holders("i", page_size=2)]
    document, void, open_one, outside = found
    assert (document.holder, document.path, document.is_array) == ("i/1", "/n", True)
    assert (open_one.state, open_one.token, open_one.until) == (NumberState.RESERVED, 9, MOMENT)
    assert (outside.state, outside.holder) == (NumberState.OUTSIDE, "x")
    assert [each async for each in store.sequences.voided("i")] == [void]
    assert void == HeldNumbers(2, 1, NumberState.VOID, MOMENT, 2, reason="rolled back")
    assert [each.query["start"] for each in wire.asked] == ["1", "3"] * 2
    answer = {**info("i", 4), "Results": [second[1], None], "NextStart": None}
    wire.on("GET", f"{ROUTE}/holders", answer)
    assert await store.sequences.holders_of("i", [4, 9, 4]) == {4: outside, 9: None}
    assert [value for name, value in wire.asked[-1].pairs if name == "value"] == ["4", "9"]
    assert await store.sequences.holders_of("i", []) == {}


async def test_all_sequences_come_page_by_page(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.on("GET", ROUTE, {"Results": [info("a", 1), info("b", None)], "NextAfter": "b"})
    wire.on("GET", ROUTE, {"Results": [info("c", 3)], "NextAfter": None})
    found = [each async for each in store.sequences.list()]
    assert [each.name for each in found] == ["a", "b", "c"]
    assert found[1] == SequenceInfo("b", None, 1, None, 0, 0, 0)
    assert wire.asked[1].query["startAfter"] == "b"


@pytest.mark.parametrize("kind", ["SequenceParametersException", "SequenceEndedException"])
async def test_a_refusal_is_told_by_its_kind(
    wire: Wire, store: AsyncDocumentStore, kind: str
) -> None:
    wire.on("POST", f"{ROUTE}/take", refused(kind), status=400)
    with pytest.raises(BadRequest) as raised:
        await store.sequences.get_next_value("i", 5)
    assert raised.value.kind == kind


async def test_what_makes_no_sense_is_told_and_not_sent(store: AsyncDocumentStore) -> None:
    sequences = store.sequences
    wrong: list[Any] = [
        lambda: sequences.get_next_value(""),
        lambda: sequences.get_next_value("i", "1"),  # type: ignore[arg-type]
        lambda: sequences.get_next_value("i", 5, 5),
        lambda: sequences.get_next_value("i", holder="x" * 513),
        lambda: sequences.get_next_value("i", 10**5_000),
        lambda: sequences.get_next_value("i", holder="\ud800"),
        lambda: sequences.Sequence("\ud800"),
        lambda: sequences.get_next_values(0),
        lambda: sequences.delete(""),
        lambda: sequences.holders_of("i", range(1_025)),
        lambda: sequences.Sequence("a\0"),
        lambda: sequences.reserve("i", lease_seconds=0),
        lambda: sequences.reserve("i", lease_seconds=604_801),
        lambda: sequences.reserve("i", lease_seconds=True),
        lambda: sequences.reserve("i", count=10_001),
    ]
    for call in wrong:
        with pytest.raises(Misuse):
            await call()
    assert issubclass(Misuse, QuothError)
