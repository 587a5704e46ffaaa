"""Numbers of sequences in sessions: asked for, put into entities and ids, taken by the save."""

import copy
import pickle
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import attrs
import msgspec
import pydantic
import pytest

from quoth import (
    AsyncDocumentStore,
    ConcurrencyError,
    DocumentStore,
    FateUnknown,
    Misuse,
    NotSent,
    PutDocument,
    ReplicationTimeout,
    SequenceNumber,
    SessionOptions,
    TransactionMode,
)
from tests.client.wire import Wire, document, put_result

CLUSTER_WIDE = TransactionMode.CLUSTER_WIDE


@dataclass
class Invoice:
    number: int = 0
    lines: Any = None
    Id: str | None = None


def taken(sequence: str, *numbers: int) -> dict[str, Any]:
    """What a node answers to a command that takes numbers."""
    return {"Type": "QuothTakeNumbers", "Sequence": sequence, "Numbers": list(numbers)}


def failed(wire: Wire, status: int, kind: str) -> None:
    body = {"Type": f"X.{kind}", "Message": "no"}
    wire.on("POST", "/bulk_docs", body, status=status)


async def test_a_number_goes_into_fields_and_id(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.saved(put_result("invoices/000042"), taken("invoices", 42))
    async with store.open_session() as session:
        number = session.advanced.sequences.next_value("invoices")
        invoice = Invoice(number, [{"of": number}, (number, 1)])
        await session.store(invoice, f"invoices/{number:06}")
        assert session.has_changes() and session.has_changed(invoice)
        assert list(session.what_changed().values()) == [session.what_changed_for(invoice)]
        await session.save_changes()
        assert invoice == Invoice(42, [{"of": 42}, (42, 1)], "invoices/000042")
        assert type(invoice.number) is int
        assert (number.value, int(number), str(number), f"{number:04}") == (42, 42, "42", "0042")
        assert number + 1 == 43 and number < 43 and not session.has_changes()
        assert (-number, abs(number), divmod(number, 10), number**2, round(number)) == (
            *(-42, 42, (4, 2), 1764, 42),
        )
        assert (divmod(100, number), 100 % number, 100 // number, 84 / number, 2**number) == (
            *((2, 16), 16, 2, 2.0, 2**42),
        )
        assert await session.load("invoices/000042", Invoice) is invoice
    put, take = wire.commands
    assert put["Id"] == "invoices/{number:06}"
    assert {name: put["Document"][name] for name in ("number", "lines")} == {
        "number": None,
        "lines": [{"of": None}, [None, 1]],
    }
    assert take == {
        "Type": "QuothTakeNumbers",
        "Sequence": "invoices",
        "Count": 1,
        "Places": [
            {"Command": 0, "Path": "/number", "Index": 0},
            {"Command": 0, "Path": "/lines/0/of", "Index": 0},
            {"Command": 0, "Path": "/lines/1/0", "Index": 0},
            {"Command": 0, "InId": True, "Index": 0},
        ],
    }


async def test_several_numbers_go_where_they_are_put(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.saved(
        *(put_result("a"), put_result("b"), {"Type": "DELETE", "Id": "c"}),
        *(taken("x", 7, 8, 9), taken("y", 5, 6), taken("x", 10, 11)),
        index=3,
    )
    async with store.open_session(transaction_mode=CLUSTER_WIDE) as session:
        sequences = session.advanced.sequences
        whole = sequences.next_values(3, "x", initial_value=7, reset_value=100)
        first, second = sequences.next_values(2, "y")
        both = sequences.next_values(2, "x")
        one, other = Invoice(second, whole), Invoice(first, {"a/b~": both, "again": both[1]})
        await session.store(one, "a")
        await session.store(other, "b")
        session.delete("c")
        await session.save_changes()
        assert (one.number, one.lines) == (6, [7, 8, 9])
        assert (other.number, other.lines) == (5, {"a/b~": [10, 11], "again": 11})
        assert not session.has_changes()
    assert [each.get("Places") for each in wire.commands[3:]] == [
        [{"Command": 0, "Path": "/lines", "All": True}],
        [
            {"Command": 0, "Path": "/number", "Index": 1},
            {"Command": 1, "Path": "/number", "Index": 0},
        ],
        [
            {"Command": 1, "Path": "/lines/a~1b~0/0", "Index": 0},
            {"Command": 1, "Path": "/lines/a~1b~0/1", "Index": 1},
            {"Command": 1, "Path": "/lines/again", "Index": 1},
        ],
    ]
    assert (wire.commands[3]["InitialValue"], wire.commands[3]["ResetValue"]) == (7, 100)


async def test_a_loaded_document_gets_a_number_and_keeps_what_its_class_does_not_know(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.loaded(document("i/1", number=0, lines=None, unknown=[1, {"a": 7.0}]))
    wire.saved(put_result("i/1"), taken("i", 3))
    wire.saved(put_result("i/1"))
    async with store.open_session() as session:
        invoice = await session.load("i/1", Invoice)
        assert invoice is not None
        invoice.number = number = session.advanced.sequences.next_value("i")
        (change,) = session.what_changed()["i/1"]
        assert (change.field_name, change.field_new_value) == ("number", number)
        await session.save_changes()
        assert invoice.number == 3 and not session.has_changes()
        assert wire.commands[0]["Document"]["unknown"] == [1, {"a": 7.0}]
        invoice.lines = 1
        await session.save_changes()
    saved = wire.commands[0]["Document"]
    assert (saved["number"], saved["lines"], saved["unknown"]) == (3, 1, [1, {"a": 7.0}])


@dataclass(frozen=True)
class Frozen:
    number: int


@dataclass(slots=True)
class Slotted:
    number: int


@attrs.define
class Attrs:
    number: int = attrs.field(validator=attrs.validators.le(10), default=0)


@attrs.frozen
class FrozenAttrs:
    number: int


class Struct(msgspec.Struct):
    number: int


class FrozenStruct(msgspec.Struct, frozen=True, rename="upper"):
    number: int


class Pair(NamedTuple):
    number: int
    other: int = 0


class Plain:
    def __init__(self, number: int) -> None:
        self._number = number

    @property
    def number(self) -> int:
        return self._number


class Model(pydantic.BaseModel):
    number: int = 0
    inner: list[Frozen] = []


class OpenModel(pydantic.BaseModel, extra="allow"):
    pass


class FrozenModel(pydantic.BaseModel, frozen=True):
    number: int


def model(number: Any) -> Model:
    made = Model()
    made.number = number
    made.inner = [Frozen(number)]
    return made


def open_model(number: Any) -> Any:
    made: Any = OpenModel()
    made.number = number
    return made


KINDS: dict[str, Callable[[Any], Any]] = {
    "frozen": Frozen,
    "slots": Slotted,
    "frozen attrs": FrozenAttrs,
    "struct": Struct,
    "frozen struct": FrozenStruct,
    "plain": Plain,
    "model": model,
    "open model": open_model,
    "frozen model": lambda number: FrozenModel.model_construct(number=number),
    "dictionary": lambda number: {"number": number},
}


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
async def test_every_kind_of_entity_gets_its_number(
    wire: Wire, store: AsyncDocumentStore, make: Callable[[Any], Any]
) -> None:
    wire.saved(put_result("a"), taken("s", 9))
    async with store.open_session() as session:
        entity = make(session.advanced.sequences.next_value("s"))
        await session.store(entity, "a")
        await session.save_changes()
        number = entity["number"] if isinstance(entity, dict) else entity.number
        assert number == 9 and type(number) is int
        assert not session.has_changes()
        if isinstance(entity, Model):
            assert entity.inner == [Frozen(9)]


async def test_a_value_inside_is_changed_or_replaced(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.saved(put_result("a"), taken("s", 9))
    async with store.open_session() as session:
        number = session.advanced.sequences.next_value("s")
        checked = Attrs()
        object.__setattr__(checked, "number", number)
        entity = Invoice(0, [Pair(number), deque([number]), (Frozen(number), checked)])
        await session.store(entity, "a")
        await session.save_changes()
        assert entity.lines == [Pair(9), deque([9]), (Frozen(9), Attrs(9))]
        assert type(entity.lines[0]) is Pair and not session.has_changes()


async def test_one_tuple_in_several_places_is_replaced_in_each(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.saved(put_result("a"), taken("s", 9))
    async with store.open_session() as session:
        pair: Any = (session.advanced.sequences.next_value("s"), 1)
        entity = Invoice(0, [pair, {"again": pair}, pair])
        await session.store(entity, "a")
        await session.save_changes()
        assert entity.lines == [(9, 1), {"again": (9, 1)}, (9, 1)]


@dataclass
class Tags:
    tags: Any = field(default_factory=set)


async def test_what_could_not_get_its_number_is_told_before_anything_is_sent(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    class Own:
        def __init__(self, make: Callable[[], dict[str, Any]]) -> None:
            self.make = make

        def to_json(self) -> dict[str, Any]:
            return self.make()

    async with store.open_session() as session:
        number = session.advanced.sequences.next_value("s")
        await session.store(Invoice(number), "b")
        for entity, words in (
            (Tags({number}), "use a list"),
            (Own(lambda: {"n": number}), "does not hold"),
            (Tags(f"Invoice {number}"), "no part of other texts"),
            (Tags({f"{number}": 1}), "no part of other texts"),
        ):
            await session.store(entity, "a")
            with pytest.raises(Misuse, match=words):
                await session.save_changes()
            session.advanced.evict(entity)
        session.advanced.defer(PutDocument("c", {"n": f"{number}"}, {}))
        with pytest.raises(Misuse, match="where it cannot be"):
            await session.save_changes()
        for ask in (session.load(f"i/{number}"), session.advanced.exists(f"i/{number}")):
            with pytest.raises(Misuse, match="not known before the save"):
                await ask
        with pytest.raises(Misuse, match="not known before the save"):
            session.delete(f"i/{number}")


async def test_a_number_that_is_nowhere_is_told(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.saved(put_result("a"))
    async with store.open_session() as session:
        sequences = session.advanced.sequences
        first, second = sequences.next_values(2, "s")
        await session.store(Invoice(first), "a")
        with pytest.raises(Misuse, match=r"'s' \[1\].* is in no entity"):
            await session.save_changes()
        sequences.discard(second)
        with pytest.raises(Misuse, match="another session, or was forgotten"):
            await session.save_changes()
        with pytest.raises(Misuse, match="another session, or was forgotten"):
            sequences.discard(second)
        session.clear()
        await session.store(Invoice(5), "a")
        await session.save_changes()
    assert len(wire.commands) == 1


async def test_a_number_belongs_to_its_session(wire: Wire, store: AsyncDocumentStore) -> None:
    async with store.open_session() as session, store.open_session() as other:
        number = session.advanced.sequences.next_value("s")
        await other.store(Invoice(number), "a")
        with pytest.raises(Misuse, match="another session"):
            await other.save_changes()
        with pytest.raises(Misuse, match="another session"):
            await other.store(Invoice(), f"i/{number}")
    async with store.open_session() as session:
        one, two = session.advanced.sequences.next_values(2, "s")
        for wrong in (f"i/{one}/{two}", f"i/{one}/{{number}}", f"i/{one}"[:-1]):
            with pytest.raises(Misuse, match="number"):
                await session.store(Invoice(), wrong)
    async with store.open_session(SessionOptions(no_tracking=True)) as session:
        with pytest.raises(Misuse, match="no_tracking"):
            session.advanced.sequences.next_value()


async def test_a_failed_save_has_taken_nothing_and_can_be_made_again(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    failed(wire, 409, "ConcurrencyException")
    wire.on("POST", "/bulk_docs", fails=NotSent("nobody is there"))
    wire.saved(put_result("i/1"), taken("s", 1))
    async with store.open_session() as session:
        number = session.advanced.sequences.next_value("s")
        invoice = Invoice(number)
        await session.store(invoice, number.in_id("i/"))
        with pytest.raises(ConcurrencyError):
            await session.save_changes()
        sent = wire.commands
        with pytest.raises(NotSent):
            await session.save_changes()
        assert not number.is_known and invoice.number is number
        await session.save_changes()
        assert (invoice.number, invoice.Id, wire.commands) == (1, "i/1", sent)


@pytest.mark.parametrize(
    ("kind", "message", "error"),
    [
        ("OutOfMemoryException", "who knows", FateUnknown),
        ("RavenTimeoutException", "Could not verify that it is elsewhere", ReplicationTimeout),
    ],
)
async def test_a_save_of_unknown_fate_is_not_made_again(
    wire: Wire, store: AsyncDocumentStore, kind: str, message: str, error: type[Exception]
) -> None:
    body = {"Type": f"X.{kind}", "Message": message}
    wire.on("POST", "/bulk_docs", body, status=500)
    async with store.open_session() as session:
        await session.store(Invoice(session.advanced.sequences.next_value("s")), "a")
        with pytest.raises(error):
            await session.save_changes()
        with pytest.raises(Misuse, match="may have taken numbers"):
            await session.save_changes()
        session.clear()
        await session.save_changes()
    assert len(wire.asked) == 1


async def test_an_answer_with_other_numbers_is_none(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.saved(put_result("a"), taken("s", 1, 2))
    async with store.open_session() as session:
        await session.store(Invoice(session.advanced.sequences.next_value("s")), "a")
        with pytest.raises(FateUnknown, match="other numbers"):
            await session.save_changes()


def test_before_the_save_a_number_is_nothing_but_itself(plain_store: DocumentStore) -> None:
    with plain_store.open_session() as session:
        number = session.advanced.sequences.next_value("invoices")
        other = session.advanced.sequences.next_value("invoices")
        assert isinstance(number, SequenceNumber) and number.sequence_name == "invoices"
        assert repr(number) == "<SequenceNumber of 'invoices', known after save_changes>"
        assert number == number and number != other and number
        assert copy.deepcopy(number) is number and copy.copy(number) is number
        uses: list[Callable[[], object]] = [
            *(lambda: int(number), lambda: number + 1, lambda: 1 + number, lambda: number < 2),
            *(lambda: [1][number], lambda: number.value, lambda: f"{number:x}"),
            *(lambda: float(number), lambda: sorted([number, other])),
            *(lambda: -number, lambda: abs(number), lambda: divmod(number, 2)),
            *(lambda: number**2, lambda: round(number), lambda: 10 % number, lambda: 10 / number),
            *(
                lambda: pickle.dumps(number),
                lambda: f"{number:041}",
                lambda: number.in_id("", digits=0),
            ),
        ]
        for use in uses:
            with pytest.raises(Misuse):
                use()


@pytest.mark.parametrize(
    "arguments",
    [
        ("",), ("x" * 513,), ("a\0",), ("s", "1"), ("s", 1, 1), ("s", 2**63), ("s", True),
    ],
)  # fmt: skip
def test_what_cannot_be_a_sequence_is_told_when_it_is_asked(
    plain_store: DocumentStore, arguments: tuple[Any, ...]
) -> None:
    with plain_store.open_session() as session:
        with pytest.raises(Misuse):
            session.advanced.sequences.next_value(*arguments)
        for size in (0, 10_001, "1", True):
            with pytest.raises(Misuse):
                session.advanced.sequences.next_values(size)  # type: ignore[arg-type]
        assert not session.has_changes()
        session.save_changes()


async def test_a_serializable_session_takes_numbers_with_its_commit(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    results = [put_result("i/1"), taken("s", 1)]
    body = {"Results": results, "TransactionIndex": 4, "Pin": {"Etag": 4}}
    wire.on("POST", "/serializable/commit", body, status=201)
    async with store.open_session(isolation="serializable") as session:
        number = session.advanced.sequences.next_value("s")
        invoice = Invoice(number)
        await session.store(invoice, f"i/{number}")
        await session.save_changes()
        assert (invoice.number, invoice.Id) == (1, "i/1")
    sent = wire.asked[0].json
    assert [each["Type"] for each in sent["Commands"]] == ["PUT", "QuothTakeNumbers"]
    assert sent["ReadSet"]["Documents"] == []


@dataclass(frozen=True)
class Sealed:
    number: Any
    Id: str | None = None


async def test_an_entity_may_bring_an_id_with_a_number(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    wire.saved(put_result("i/0007"), put_result("j/8"), taken("s", 7), taken("s", 8))
    async with store.open_session() as session:
        first, second = (session.advanced.sequences.next_value("s") for _ in range(2))
        invoice = Invoice(first, Id=first.in_id("i/", digits=4))
        await session.store(invoice)
        with pytest.raises(Misuse, match="cannot be changed"):
            await session.store(Sealed(second, f"j/{second}"))
        sealed = Sealed(second)
        await session.store(sealed, f"j/{second}")
        await session.save_changes()
        assert (invoice, sealed) == (Invoice(7, Id="i/0007"), Sealed(8))
        assert session.advanced.get_document_id(sealed) == "j/8"
    assert [each["Id"] for each in wire.commands[:2]] == ["i/{number:04}", "j/{number}"]


async def test_other_ways_to_write_refuse_numbers(store: AsyncDocumentStore) -> None:
    async with store.open_session(transaction_mode=CLUSTER_WIDE) as session:
        number = session.advanced.sequences.next_value("s")
        await session.store({"n": number}, "a")
        session.advanced.cluster_transaction.create_compare_exchange_value("k", number)
        with pytest.raises(Misuse, match="where it cannot be"):
            await session.save_changes()
        for entity, key in ((Invoice(number), "b"), (Invoice(), f"b/{number}")):
            with pytest.raises(Misuse, match="number"):
                async with store.bulk_insert() as bulk_insert:
                    await bulk_insert.store(entity, key=key)
