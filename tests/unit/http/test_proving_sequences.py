"""`quoth sequence verify` proves what is right, and finds whatever is planted."""

from collections.abc import Callable, Iterable

import pytest

from quoth_cluster import sequences
from quoth_cluster.store import keys
from quoth_node import cli_sequences
from quoth_node.errors import NotDone
from quoth_node.proving import sequences as proving
from quoth_node.proving.asking import Asking, asking
from quoth_node.proving.sequences import Held, Proof, Wrong
from tests.unit.http.conftest import Node, delete, put
from tests.unit.http.test_sequences import ask, in_id, place, take

Plant = Callable[[Node], None]


async def proven(node: Node, name: str = "invoices") -> tuple[Proof, list[Held], list[str]]:
    """The proof, who holds what, and what is wrong."""
    held, wrong = [], []
    async with asking(node.url, "db") as door:
        proof = Proof(door, name)
        async for told in proof.tell():
            if isinstance(told, Held):
                held.append(told)
            elif isinstance(told, Wrong):
                wrong.append(told.what)
    assert proof.wrong == len(wrong)
    return proof, held, wrong


@pytest.fixture
async def filled(node: Node, monkeypatch: pytest.MonkeyPatch) -> Node:
    """Numbers 1 to 12 of `invoices`, in every way, on several pages."""
    monkeypatch.setattr(proving, "ROWS_AT_ONCE", 3)
    monkeypatch.setattr(proving, "DOCUMENTS_AT_ONCE", 2)
    monkeypatch.setattr(proving, "VALUES_AT_ONCE", 2)
    for _ in range(4):
        answer = await node.bulk(
            put("invoices/{number}", "Invoices"), take("invoices", in_id(), place())
        )
        assert answer.status == 201
    await node.bulk(put("orders/x", "Orders"), take("invoices", place(All=True), Count=3))
    await ask(node, "take", Name="invoices", Holder="printer")
    lost = await ask(node, "reserve", Name="invoices")
    await node.transact(put("Invoices/last", "Invoices"), take("invoices", place()))
    await ask(node, "release", Name="invoices", Token=lost["Token"], Reason="rolled back")
    last = await ask(node, "reserve", Name="invoices", Count=2)
    await node.put("plain", Number=0)
    await ask(node, "confirm", Name="invoices", Token=last["Token"], Document="plain")
    return node


async def test_what_is_right_is_proven(filled: Node) -> None:
    proof, held, wrong = await proven(filled)
    assert wrong == []
    assert [one.number for one in held] == list(range(1, 13))
    assert [(one.state, one.holder, one.path) for one in held[3:]] == [
        ("Document", "invoices/4", "/Number"),
        *[("Document", "orders/x", "/Number")] * 3,
        ("Outside", "printer", None),
        ("Void", "rolled back", None),
        ("Document", "Invoices/last", "/Number"),
        *[("Document", "plain", None)] * 2,
    ]
    assert (proof.first, proof.last, proof.total) == (1, 12, 12)


async def save(node: Node, document_id: str, collection: str, **properties: object) -> None:
    answer = await node.bulk(put(document_id, collection, **properties))
    assert answer.status == 201, answer.body


async def test_a_document_that_is_gone_is_a_gap(filled: Node) -> None:
    await filled.bulk(delete("invoices/2"))
    _, _, (wrong,) = await proven(filled)
    assert wrong == "number 2 is held by invoices/2, and there is no such document"


async def test_another_number_in_a_document_is_found(filled: Node) -> None:
    await save(filled, "invoices/2", "Invoices", Number=3)
    await save(filled, "invoices/4", "Invoices", Number=True)
    _, _, wrong = await proven(filled)
    assert wrong == [
        "number 2 is held by invoices/2, where 3 stands at /Number",
        "number 4 is held by invoices/4, where True stands at /Number",
        "invoices/2 holds 3 at /Number, which is not its (document: invoices/3)",
    ]


async def test_a_number_out_of_place_in_an_array_is_found(filled: Node) -> None:
    await save(filled, "orders/x", "Orders", Number=[5, 7, 6])
    _, _, (wrong,) = await proven(filled)
    assert "numbers [5, 6, 7] is held by orders/x, where [5, 7, 6] stands" in wrong


@pytest.mark.parametrize(
    ("document_id", "number", "words"),
    [
        ("invoices/copy", 2, "invoices/copy holds 2 at /Number, which is not its"),
        ("a", 8, "a holds 8 at /Number, which is not its (outside: printer)"),
        ("z", 9, "z holds 9 at /Number, which is not its (void: rolled back)"),
        ("z", 13, "z holds 13 at /Number, which nobody took"),
    ],
)
async def test_a_duplicate_is_found(
    filled: Node, document_id: str, number: int, words: str
) -> None:
    await save(filled, document_id, "Invoices", Number=number)
    _, _, (wrong,) = await proven(filled)
    assert wrong.startswith(words)


async def test_a_duplicate_that_is_written_as_a_fraction_is_found(filled: Node) -> None:
    await save(filled, "invoices/copy", "Invoices", Number=2.0)
    await save(filled, "orders/x", "Orders", Number=[5, 6.0, 7])
    _, _, wrong = await proven(filled)
    assert wrong == [
        "numbers [5, 6, 7] is held by orders/x, where [5, 6.0, 7] stands at /Number",
        "invoices/copy holds 2 at /Number, which is not its (document: invoices/2)",
    ]


async def test_numbers_of_another_sequence_are_no_duplicates(filled: Node) -> None:
    """As invoices of several shops, or years, with a sequence each."""
    for name in ("a", "z", "z"):
        document = put(f"invoices/{name}-{{number}}", "Invoices")
        await filled.bulk(document, take(name, in_id(), place(), ResetValue=100))
    await save(filled, "invoices/other", "Invoices", Number=14)
    await ask(filled, "take", Name="far", InitialValue=14)
    await ask(filled, "take", Name="none")
    await filled.ask("DELETE", "/databases/db/quoth/sequences?name=none")
    assert (await proven(filled, "z"))[2][-1:] == [
        "invoices/other holds 14 at /Number, which nobody took"
    ]
    await filled.bulk(delete("invoices/other"))
    assert [(await proven(filled, name))[2] for name in ("invoices", "a", "z")] == [[], [], []]
    await save(filled, "invoices/a-2", "Invoices", Number=2)
    assert len((await proven(filled, "a"))[2]) == 1


async def test_a_number_that_is_reserved_may_stand_before_it_is_confirmed(filled: Node) -> None:
    reserved = await ask(filled, "reserve", Name="invoices")
    await save(filled, "invoices/late", "Invoices", Number=13)
    proof, _, wrong = await proven(filled)
    assert (wrong, proof.counts["Reserved"]) == ([], 1)
    await ask(filled, "release", Name="invoices", Token=reserved["Token"], Reason="forgotten")
    _, _, (what,) = await proven(filled)
    assert what == "invoices/late holds 13 at /Number, which nobody took"


@pytest.mark.parametrize("change", ["delete", "renumber"])
async def test_what_is_changed_meanwhile_is_not_wrong(
    filled: Node, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """A document was read, and goes before its number is asked for."""
    reserved = await ask(filled, "reserve", Name="invoices")
    await save(filled, "invoices/late", "Invoices", Number=13)
    holders_of = Asking.holders_of

    async def overtaken(self: Asking, name: str, values: Iterable[int]) -> object:
        values = list(values)
        if 13 in values:
            if change == "renumber":
                await save(filled, "invoices/late", "Invoices", Number=None)
            else:
                await filled.bulk(delete("invoices/late"))
            token = {"Name": "invoices", "Token": reserved["Token"], "Reason": "rolled back"}
            await filled.ask("POST", "/databases/db/quoth/sequences/release", token)
        return await holders_of(self, name, values)

    monkeypatch.setattr(Asking, "holders_of", overtaken)
    assert (await proven(filled))[2] == []


async def test_long_names_and_numbers_fit_into_the_questions(node: Node) -> None:
    name = "\u00e4" * 256
    initial = -(2**63)
    commands = [put(f"i/{at}", "I") for at in range(300)]
    places = [place(at, Index=at) for at in range(300)]
    await node.bulk(*commands, take(name, *places, Count=300, InitialValue=initial))
    proof, _, wrong = await proven(node, name)
    assert (wrong, proof.total) == ([], 300)


async def test_what_is_no_number_of_it_is_no_duplicate(filled: Node) -> None:
    await save(filled, "invoices/draft", "Invoices", Number=0)
    await save(filled, "invoices/text", "Invoices", Number="2")
    await save(filled, "invoices/true", "Invoices", Number=True)
    await save(filled, "other", "Others", Number=2)
    assert (await proven(filled))[2] == []


def change_rows(node: Node, change: Callable[[int, dict[int, bytes]], None]) -> None:
    """Plant something in the state itself."""
    database = node.machine.database("db")
    assert database is not None
    with database.environment.write() as txn:
        found = sequences.get(txn, "invoices")
        assert found is not None
        stored = dict(txn.scan(keys.of_numbers(keys.NUMBERS, found.number)))
        rows = {keys.numbers_of(key)[1]: value for key, value in stored.items()}
        change(found.number, rows)
        for key in stored:
            txn.delete(key)
        for ordinal, value in rows.items():
            txn.put(keys.of_numbers(keys.NUMBERS, found.number, ordinal), value)


async def test_a_gap_in_the_state_is_found(filled: Node) -> None:
    change_rows(filled, lambda _, rows: rows.pop(2))  # type: ignore[arg-type]
    _, _, wrong = await proven_by_rows(filled)
    assert "nobody holds number 2" in wrong


async def test_a_gap_at_the_end_of_the_state_is_found(filled: Node) -> None:
    change_rows(filled, lambda _, rows: rows.pop(11))  # type: ignore[arg-type]
    _, _, wrong = await proven_by_rows(filled)
    assert wrong == ["nobody holds numbers 11 to 12"]


async def test_two_who_hold_the_same_are_found(filled: Node) -> None:
    def twice(_: int, rows: dict[int, bytes]) -> None:
        rows[6] = rows[4]  # within 5 to 7

    change_rows(filled, twice)
    _, _, wrong = await proven_by_rows(filled)
    assert "number 6 has two holders, one is invoices/4" in wrong[0]


async def proven_by_rows(node: Node) -> tuple[Proof, list[Held], list[str]]:
    """The proof by the rows, on one page: a node stops at a gap that a page would begin in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proving, "ROWS_AT_ONCE", 1_000)
        patch.setattr(Proof, "_loops", lambda self: True)
        return await proven(node)


async def test_a_sequence_that_has_begun_anew_is_proven_by_its_holders(node: Node) -> None:
    for number in range(5):
        document = put(f"i/{number}", "I")
        await node.bulk(document, take("loop", place(), InitialValue=1, ResetValue=4))
    proof, held, wrong = await proven(node, "loop")
    assert ([one.number for one in held], wrong) == ([1, 2, 3, 1, 2], [])
    assert len(proof.notes) == 1
    await save(node, "i/3", "I", Number=2)
    assert len((await proven(node, "loop"))[2]) == 1


async def test_the_command_line_ends_well_only_if_it_is_proven(
    filled: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    async def verify(*, quiet: bool = False, allow: bool = False, as_json: bool = False) -> str:
        await cli_sequences._verify(filled.url, "db", "invoices", quiet, allow, as_json)
        told = capsys.readouterr()
        assert "is proven: 12 numbers, 1 to 12: 10 in documents, 1 outside, 1 void" in told.err
        return told.out

    lines = (await verify()).splitlines()
    assert lines[0] == "1\tdocument\tinvoices/1\t/Number" and len(lines) == 12
    assert lines[8] == "9\tvoid\trolled back"
    assert await verify(quiet=True) == ""
    assert '"Number": 1' in (await verify(as_json=True)).splitlines()[0]
    await ask(filled, "reserve", Name="invoices")
    with pytest.raises(NotDone, match="1 numbers are still reserved"):
        await verify()
    await cli_sequences._verify(filled.url, "db", "invoices", True, True, False)
    await filled.bulk(delete("invoices/2"))
    with pytest.raises(NotDone, match="not proven: 1 wrong"):
        await cli_sequences._verify(filled.url, "db", "invoices", True, True, False)
    assert "wrong\tnumber 2" in capsys.readouterr().out
    with pytest.raises(NotDone, match="no sequence 'none'"):
        await cli_sequences._verify(filled.url, "db", "none", True, True, False)
    with pytest.raises(NotDone, match="does not exist"):
        await cli_sequences._verify(filled.url, "nowhere", "none", True, True, False)


async def test_the_command_line_lists_sequences(
    filled: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    await ask(filled, "take", Name="loop", InitialValue=1, ResetValue=4)
    await cli_sequences._list(filled.url, "db", as_json=False)
    assert capsys.readouterr().out.splitlines()[1:] == [
        "invoices\t12\t12\t0\t1\t1\t-",
        "loop\t1\t1\t0\t0\t1\t4",
    ]
    await cli_sequences._list(filled.url, "db", as_json=True)
    assert '"LastValue": 12' in capsys.readouterr().out


async def test_what_others_have_named_stays_in_its_line(
    node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "x\n2\tdocument\t\x1b[2Jinvoices/2"
    await ask(node, "take", Name="a\tb\x1b", Holder=hostile, InitialValue=-1, ResetValue=0)
    await cli_sequences._verify(node.url, "db", "a\tb\x1b", False, False, False)
    assert capsys.readouterr().out == "-1\toutside\tx\\n2\\tdocument\\t\\x1b[2Jinvoices/2\n"
    await cli_sequences._list(node.url, "db", as_json=False)
    assert capsys.readouterr().out.splitlines()[1:] == ["a\\tb\\x1b\t-1\t1\t0\t0\t-1\t0"]
