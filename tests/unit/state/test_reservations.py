"""Reserved numbers end with a holder, given back, or void with a reason; never with two holders."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth_cluster.commands import Command, SaveBatch
from quoth_cluster.outcomes import NumberedSaved, Refusal, Refused
from quoth_cluster.reservations import next_due
from quoth_cluster.sequence_commands import (
    ConfirmNumbers,
    DeleteSequence,
    IssueNumbers,
    ReleaseNumbers,
    ReserveNumbers,
    SequenceUse,
    TendSequences,
)
from quoth_cluster.sequence_outcomes import (
    NumbersConfirmed,
    NumbersIssued,
    NumbersReleased,
    NumbersReserved,
    SequencesTended,
)
from quoth_cluster.sequences import NumberState
from tests.unit.state import numbering
from tests.unit.state.numbering import number_in, numbered, rows, sequence, values
from tests.unit.state.story import AT, STEADY, Story, delete, put
from tests.unit.state.test_replay import fresh_folder

SECOND = 1_000_000
DAY = 24 * 60 * 60 * SECOND


def reserve(
    count: int = 1, *, seconds: int = 60, name: str = "invoices", request_id: str | None = None
) -> ReserveNumbers:
    use = SequenceUse(name)
    return ReserveNumbers("db", use, count, AT, AT + seconds * SECOND, "me", request_id)


def reserved(story: Story, count: int = 1, *, seconds: int = 60) -> NumbersReserved:
    outcome = story.run(reserve(count, seconds=seconds))
    assert isinstance(outcome, NumbersReserved), outcome
    return outcome


def confirm(token: int, holder: str = "row 7", *, path: str | None = None) -> ConfirmNumbers:
    is_document = path is not None
    return ConfirmNumbers("db", "invoices", token, AT, holder, is_document, path)


def release(token: int, reason: str = "it failed") -> ReleaseNumbers:
    return ReleaseNumbers("db", "invoices", token, AT, reason)


def refusal(outcome: object) -> str:
    assert isinstance(outcome, Refused), outcome
    return outcome.refusal


def states(story: Story) -> list[tuple[int, int, NumberState, str]]:
    return [(row.ordinal, row.count, row.state, row.holder) for row in rows(story, "invoices")]


def due(story: Story) -> int | None:
    database = story.machine.database("db")
    assert database is not None
    with database.read() as txn:
        return next_due(txn)


def test_issued_numbers_are_out_at_once(story: Story) -> None:
    outcome = story.run(IssueNumbers("db", SequenceUse("invoices", 5), 3, AT, "printer"))
    assert isinstance(outcome, NumbersIssued) and outcome.taken.values == (5, 6, 7)
    assert states(story) == [(1, 3, NumberState.OUTSIDE, "printer")]
    assert values(story.run(numbered("i/a"))) == [8]


def test_a_reservation_is_confirmed_for_somebody_outside(story: Story) -> None:
    first = reserved(story, 2)
    assert (first.taken.values, first.token) == ((1, 2), story.command_index)
    assert values(story.run(numbered("i/a"))) == [3]
    assert story.run(confirm(first.token)) == NumbersConfirmed(first.taken, was_void=False)
    assert states(story)[0] == (1, 2, NumberState.OUTSIDE, "row 7")
    for again in (confirm(first.token), release(first.token)):
        assert refusal(story.run(again)) == Refusal.NO_RESERVATION
    assert due(story) is None


def test_a_reservation_is_confirmed_for_a_document_that_holds_it(story: Story) -> None:
    token = reserved(story).token
    for document_id, path in (("i/none", "/Number"), ("i/a", "/Number"), ("i/a", "no pointer")):
        assert refusal(story.run(confirm(token, document_id, path=path))) == Refusal.NUMBER_PLACE
        story.save(put("i/a", body=b'{"Number":true,"N":1.0}'))
    story.save(put("i/a", body=b'{"Number":1}'))
    assert isinstance(story.run(confirm(token, "I/A", path="/Number")), NumbersConfirmed)
    assert states(story) == [(1, 1, NumberState.DOCUMENT, "i/a")]
    many = reserved(story, 2)
    wrong = confirm(many.token, "i/b", path="/Numbers")
    for numbers in (b"[3,2]", b"[2.0,3]", b"[2]"):
        story.save(put("i/b", body=b'{"Numbers":%b}' % numbers))
        assert refusal(story.run(wrong)) == Refusal.NUMBER_PLACE
    story.save(put("i/b", body=b'{"Numbers":[2,3]}'))
    assert isinstance(story.run(wrong), NumbersConfirmed)
    assert rows(story, "invoices")[-1].is_array


def test_a_document_with_a_long_id_holds_numbers_too(story: Story) -> None:
    """512 bytes are counted as the id is compared, where a capital sharp s has two, not three."""
    document_id = "\u1e9e" * 256
    story.save(put(document_id, body=b'{"N":1}'))
    first = confirm(reserved(story).token, document_id, path="/N")
    assert isinstance(story.run(first), NumbersConfirmed)
    assert states(story) == [(1, 1, NumberState.DOCUMENT, document_id)]
    token = reserved(story).token
    for no_id in ("", document_id + "x"):
        assert refusal(story.run(confirm(token, no_id, path="/N"))) == Refusal.INVALID


def test_what_is_released_at_the_end_is_given_back(story: Story) -> None:
    story.run(numbered("i/a"))
    token = reserved(story, 3).token
    outcome = story.run(release(token))
    assert isinstance(outcome, NumbersReleased) and outcome.given_back
    assert states(story) == [(1, 1, NumberState.DOCUMENT, "i/a")]
    assert values(story.run(numbered("i/b"))) == [2]


def test_what_is_released_before_the_end_is_void_with_a_reason(story: Story) -> None:
    first, second = reserved(story, 2), reserved(story)
    outcome = story.run(release(first.token, "the transaction was rolled back"))
    assert isinstance(outcome, NumbersReleased) and not outcome.given_back
    assert states(story)[0] == (1, 2, NumberState.VOID, "the transaction was rolled back")
    # What was told to be void stays so, also when it has become the end.
    story.run(release(second.token))
    assert reserved(story).taken.values == (3,)


def test_a_reservation_whose_time_is_over_is_void_and_never_given_back(story: Story) -> None:
    token = reserved(story, seconds=60).token
    at = AT + 60 * SECOND
    assert due(story) == at
    assert story.run(TendSequences("db", at - 1)) == SequencesTended(0, 0, more=False)
    assert story.run(TendSequences("db", at)) == SequencesTended(1, 0, more=False)
    assert story.run(TendSequences("db", at)) == SequencesTended(0, 0, more=False)
    ((_, _, state, reason),) = states(story)
    assert state is NumberState.VOID and "ended without a word; it was for 'me'" in reason
    assert reserved(story).taken.values == (2,)
    # Who comes late tells the truth: the number is nobody else's.
    late = story.run(confirm(token))
    assert isinstance(late, NumbersConfirmed) and late.was_void
    assert states(story)[0] == (1, 1, NumberState.OUTSIDE, "row 7")


def test_who_releases_late_leaves_the_reason(story: Story) -> None:
    token = reserved(story).token
    story.run(TendSequences("db", AT + DAY))
    outcome = story.run(release(token, "rolled back"))
    assert isinstance(outcome, NumbersReleased) and not outcome.given_back
    assert states(story) == [(1, 1, NumberState.VOID, "rolled back")]
    assert refusal(story.run(confirm(token))) == Refusal.NO_RESERVATION


def test_many_come_due_bit_by_bit(story: Story) -> None:
    for _ in range(1_001):
        reserved(story)
    assert story.run(TendSequences("db", AT + DAY)) == SequencesTended(1_000, 0, more=True)
    assert story.run(TendSequences("db", AT + DAY)) == SequencesTended(1, 0, more=False)


def test_a_repeated_reservation_is_the_same(story: Story) -> None:
    first = story.run(reserve(request_id="r"))
    assert story.run(reserve(request_id="r")) == first
    found = sequence(story, "invoices")
    assert found is not None and (found.taken, found.reserved) == (1, 1)


def test_tokens_of_another_sequence_or_of_nobody_are_refused(story: Story) -> None:
    assert refusal(story.run(confirm(1))) == Refusal.NO_SEQUENCE
    token = reserved(story).token
    story.run(reserve(name="other"))
    for wrong in (0, -1, 2**64 - 1, token + 1):
        assert refusal(story.run(confirm(wrong))) == Refusal.NO_RESERVATION
    story.run(DeleteSequence("db", "invoices"))
    other = reserved(story)
    assert refusal(story.run(confirm(token))) == Refusal.NO_RESERVATION
    story.run(TendSequences("db", AT + DAY))
    assert isinstance(story.run(confirm(other.token)), NumbersConfirmed)


@pytest.mark.parametrize("seconds", [0, -1, 7 * 24 * 60 * 60 + 1])
def test_how_long_a_reservation_lasts_is_limited(story: Story, seconds: int) -> None:
    assert refusal(story.run(reserve(seconds=seconds))) == Refusal.INVALID
    assert sequence(story, "invoices") is None


def test_texts_and_times_are_limited(story: Story) -> None:
    token = reserved(story).token
    for wrong in (
        IssueNumbers("db", SequenceUse("invoices"), 1, AT, "x" * 513),
        IssueNumbers("db", SequenceUse("invoices"), 1, -1),
        IssueNumbers("db", SequenceUse("invoices"), 10_001, AT),
        ReserveNumbers("db", SequenceUse("invoices"), 1, AT, 2**63, ""),
        confirm(token, "x" * 513),
        release(token, "x" * 513),
        ConfirmNumbers("db", "invoices", token, AT, "row", False, "/Number"),
        ConfirmNumbers("db", "", token, AT, "row"),
        DeleteSequence("db", ""),
        TendSequences("db", -1),
    ):
        assert refusal(story.run(wrong)) == Refusal.INVALID, wrong


# Against a model: a list of holders for each sequence.

NAMES = st.sampled_from(["invoices", "loop"])
COUNTS = st.integers(1, 3)
TIMES = st.integers(0, 5).map(lambda seconds: AT + seconds * SECOND)
STEPS = st.one_of(
    st.tuples(st.just("save"), NAMES, st.integers(0, 9)),
    st.tuples(st.just("fail"), NAMES, st.integers(0, 9)),
    st.tuples(st.just("issue"), NAMES, COUNTS),
    st.tuples(st.just("reserve"), NAMES, COUNTS, st.integers(1, 4)),
    st.tuples(st.just("confirm"), NAMES, st.integers(0, 3)),
    st.tuples(st.just("release"), NAMES, st.integers(0, 3)),
    st.tuples(st.just("tend"), st.integers(0, 5)),
    st.tuples(st.just("delete"), NAMES),
)


class Model:
    """What sequences are, told with lists: one entry for each number, who has it."""

    def __init__(self) -> None:
        self.holders: dict[str, list[str]] = {"invoices": [], "loop": []}
        self.open: dict[str, dict[int, tuple[int, int, int]]] = {"invoices": {}, "loop": {}}

    def number(self, name: str, ordinal: int) -> int:
        return ordinal if name == "invoices" else 5 + (ordinal - 1) % 3

    def take(self, name: str, count: int, holder: str) -> list[int]:
        first = len(self.holders[name]) + 1
        self.holders[name] += [holder] * count
        return [self.number(name, first + at) for at in range(count)]


@settings(STEADY, max_examples=60)
@given(steps=st.lists(STEPS, max_size=40))
def test_sequences_are_what_a_simple_model_says(steps: list[tuple[object, ...]]) -> None:
    with fresh_folder() as folder:
        story, model = Story(folder), Model()
        documents = 0
        for what, *given_ in steps:
            documents += 1
            carry_out(story, model, str(what), given_, documents)
        for name, expected in model.holders.items():
            found = [
                row.holder if row.state is not NumberState.VOID else "void"
                for row in rows(story, name)
                for _ in range(row.count)
            ]
            assert found == expected
            for row in rows(story, name):
                if row.state is NumberState.DOCUMENT:
                    assert number_in(story, row.holder) == model.number(name, row.ordinal)
        database = story.machine.database("db")
        assert database is not None
        with database.read() as txn:
            numbering.check(txn)
        story.machine.close()


def carry_out(story: Story, model: Model, what: str, given_: list[object], document: int) -> None:
    """One step, in the state and in the model; the answers agree."""
    if what == "tend":
        (seconds,) = given_
        at = AT + int(str(seconds)) * SECOND
        story.run(TendSequences("db", at))
        for name, known in model.open.items():
            for first, count, until in known.values():
                if until <= at and model.holders[name][first - 1] == "reserved":
                    model.holders[name][first - 1 : first - 1 + count] = ["void"] * count
        return
    name, rest = str(given_[0]), given_[1:]
    numbers = [int(str(one)) for one in rest]
    use = SequenceUse(name) if name == "invoices" else SequenceUse(name, 5, 8)
    saves = numbered(
        f"{name}/{document}", name=name, initial=use.initial_value, reset=use.reset_value
    )
    if what == "save":
        document_id = f"{name}/{document}"
        outcome = story.run(saves)
        assert isinstance(outcome, NumberedSaved)
        assert values(outcome) == model.take(name, 1, document_id)
    elif what == "fail":
        assert isinstance(saves.batch, SaveBatch)
        wrong = replace(saves.batch, commands=(*saves.batch.commands, delete("x" * 600)))
        assert isinstance(story.run(replace(saves, batch=wrong)), Refused)
    elif what == "issue":
        issued = story.run(IssueNumbers("db", use, numbers[0], AT, "outside"))
        assert isinstance(issued, NumbersIssued)
        assert list(issued.taken.values) == model.take(name, numbers[0], "outside")
    elif what == "reserve":
        until = AT + numbers[1] * SECOND
        outcome = story.run(ReserveNumbers("db", use, numbers[0], AT, until, "reserved"))
        assert isinstance(outcome, NumbersReserved)
        first = len(model.holders[name]) + 1
        assert list(outcome.taken.values) == model.take(name, numbers[0], "reserved")
        model.open[name][outcome.token] = (first, numbers[0], until)
    elif what == "delete":
        story.run(DeleteSequence("db", name))
        model.holders[name], model.open[name] = [], {}
    else:
        end_one(story, model, what, name, numbers[0])


def end_one(story: Story, model: Model, what: str, name: str, which: int) -> None:
    """Confirm or release the reservation made so many ago, if there is one."""
    tokens = list(model.open[name])
    command: Command
    token = tokens[which % len(tokens)] if tokens else 77
    if what == "confirm":
        command = ConfirmNumbers("db", name, token, AT, "confirmed")
    else:
        command = ReleaseNumbers("db", name, token, AT, "released")
    outcome = story.run(command)
    if not tokens:
        assert isinstance(outcome, Refused)
        return
    first, count, _ = model.open[name].pop(token)
    held = model.holders[name]
    was_reserved = held[first - 1] == "reserved"
    if what == "confirm":
        assert isinstance(outcome, NumbersConfirmed) and outcome.was_void is not was_reserved
        held[first - 1 : first - 1 + count] = ["confirmed"] * count
    else:
        assert isinstance(outcome, NumbersReleased)
        assert outcome.given_back == (was_reserved and len(held) == first + count - 1)
        held[first - 1 : first - 1 + count] = [] if outcome.given_back else ["void"] * count
