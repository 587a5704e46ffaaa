"""Numbers are without a gap: each has a document, a holder outside, or a reason why it is void."""

from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth_cluster import numbered as quoth_numbered
from quoth_cluster.commands import (
    CheckDocument,
    ClusterTransaction,
    DeleteDatabases,
    PutCompareExchange,
    SaveBatch,
    SaveCheckedBatch,
    SaveNumbered,
    SerializableTransaction,
)
from quoth_cluster.machine import Machine
from quoth_cluster.outcomes import (
    BatchSaved,
    NumberedSaved,
    Refusal,
    Refused,
    TransactionSaved,
)
from quoth_cluster.sequence_commands import (
    DeleteSequence,
    NumberPlace,
    ReserveNumbers,
    SequenceUse,
    TakeNumbers,
    TendSequences,
)
from quoth_cluster.sequence_outcomes import SequenceDeleted, SequencesTended
from quoth_cluster.sequences import NumberState
from tests.unit.state import numbering
from tests.unit.state.numbering import HERE, holders, number_in, numbered, rows, taking, values
from tests.unit.state.story import (
    AT,
    DATABASE_ID,
    MAP_BYTES,
    STEADY,
    Story,
    create,
    delete,
    put,
)
from tests.unit.state.test_replay import fresh_folder

BODY = numbering.BODY
LAST = 2**63 - 1


def batch(*commands: object) -> SaveBatch:
    return SaveBatch("db", AT, "A", commands)  # type: ignore[arg-type]


def refusal(outcome: object) -> str:
    assert isinstance(outcome, Refused), outcome
    return outcome.refusal


def test_numbers_start_at_one_and_follow_each_other(story: Story) -> None:
    assert [values(story.run(numbered(f"invoices/{name}"))) for name in "abc"] == [[1], [2], [3]]
    assert [number_in(story, f"invoices/{name}") for name in "abc"] == [1, 2, 3]
    assert holders(story, "invoices") == [(1, "invoices/a"), (2, "invoices/b"), (3, "invoices/c")]
    assert [row.path for row in rows(story, "invoices")] == ["/Number"] * 3


def test_each_name_counts_for_itself_and_letters_matter(story: Story) -> None:
    for name in ("Invoices", "invoices", "x" * 512):
        assert values(story.run(numbered(f"d/{name[:9]}", name=name))) == [1]
    for name in ("", "x" * 513, "a\0b"):
        assert refusal(story.run(numbered("d/other", name=name))) == Refusal.INVALID


def test_numbers_are_part_of_ids(story: Story) -> None:
    for document_id, becomes in (
        ("invoices/{number}", "invoices/1"),
        ("i/{number:06}", "i/000002"),
    ):
        places = (NumberPlace(0), NumberPlace(0, "/Number"))
        command = SaveNumbered(batch(put(document_id, body=BODY)), (taking("invoices", *places),))
        outcome = story.run(command)
        assert isinstance(outcome, NumberedSaved) and isinstance(outcome.saved, BatchSaved)
        assert [result.document_id for result in outcome.saved.results] == [becomes]
    assert holders(story, "invoices") == [(1, "invoices/1"), (2, "i/000002")]
    assert number_in(story, "i/000002") == 2
    assert [row.path for row in rows(story, "invoices")] == ["/Number", "/Number"]


def test_only_in_an_id_is_a_place_too(story: Story) -> None:
    story.run(SaveNumbered(batch(put("i/{number}")), (taking("invoices", NumberPlace(0)),)))
    (row,) = rows(story, "invoices")
    assert (row.holder, row.path) == ("i/1", None)
    assert story.loaded("i/1").body == put("x").body


def test_a_document_that_is_named_by_its_number_is_new(story: Story) -> None:
    story.save(put("i/2"))
    command = SaveNumbered(batch(put("i/{number}")), (taking("invoices", NumberPlace(0)),))
    assert values(story.run(command)) == [1]
    before = story.dump()["db"]
    refused = story.run(command)
    assert refusal(refused) == Refusal.CHANGE_VECTOR and "'i/2' exists" in str(refused)
    agreed = SaveNumbered(
        ClusterTransaction("db", AT, "A", (put("i/{number}"),), ()),
        (taking("invoices", NumberPlace(0)),),
    )
    assert refusal(story.run(agreed)) == Refusal.CHANGE_VECTOR
    assert without_position(story.dump()["db"]) == without_position(before)
    story.save(delete("i/2"))
    assert values(story.run(command)) == [2]


def without_position(rows: dict[bytes, bytes]) -> dict[bytes, bytes]:
    return {key: value for key, value in rows.items() if key != b"P"}


def test_a_range_is_spread_over_documents(story: Story) -> None:
    commands = batch(*(put(f"i/{n}", body=BODY) for n in "abc"))
    places = [NumberPlace(at, "/Number", at) for at in range(3)]
    story.run(numbered("i/first"))
    assert values(story.run(SaveNumbered(commands, (taking("invoices", *places, count=3),)))) == [
        *(2, 3, 4)
    ]
    assert [number_in(story, f"i/{n}") for n in "abc"] == [2, 3, 4]
    assert holders(story, "invoices")[1:] == [(2, "i/a"), (3, "i/b"), (4, "i/c")]


def test_a_range_may_stand_in_one_document(story: Story) -> None:
    body = b'{"Lines":[{"No":0},{"No":0}],"All":null,"a/b":{"~":1}}'
    own = (NumberPlace(0, "/Lines/0/No", 0), NumberPlace(0, "/Lines/1/No", 1))
    everything = NumberPlace(0, "/All", None)
    odd = NumberPlace(0, "/a~1b/~0", 1)
    command = SaveNumbered(
        batch(put("order", body=body)), (taking("lines", *own, everything, odd, count=2),)
    )
    assert values(story.run(command)) == [1, 2]
    assert orjson.loads(story.loaded("order").body) == {
        "Lines": [{"No": 1}, {"No": 2}],
        "All": [1, 2],
        "a/b": {"~": 2},
    }
    assert [row.path for row in rows(story, "lines")] == ["/Lines/0/No", "/Lines/1/No"]
    story.run(SaveNumbered(batch(put("all", body=body)), (taking("lines", everything, count=3),)))
    row = rows(story, "lines")[-1]
    assert (row.ordinal, row.count, row.holder, row.is_array) == (3, 3, "all", True)


def test_several_sequences_and_several_takings_in_one_batch(story: Story) -> None:
    commands = batch(put("a", body=b'{"x":{}}'), put("b", body=b"{}"))
    command = SaveNumbered(
        commands,
        (
            taking("one", NumberPlace(0, "/x/n")),
            taking("two", NumberPlace(1, "/n")),
            taking("one", NumberPlace(1, "/m")),
        ),
    )
    assert values(story.run(command)) == [1, 1, 2]
    assert story.loaded("a").body == b'{"x":{"n":1}}'
    assert story.loaded("b").body == b'{"n":1,"m":2}'
    one, two = numbering.sequence(story, "one"), numbering.sequence(story, "two")
    assert one is not None and two is not None and one.number != two.number
    assert holders(story, "one") == [(1, "a"), (2, "b")]


def test_every_kind_of_transaction_takes_numbers(story: Story) -> None:
    story.save(put("read"))
    vector = story.loaded("read").change_vector
    documents = (put("i/a", body=BODY), put("i/b", body=b"{}"))
    places = taking("invoices", HERE)
    checked = SaveCheckedBatch("db", AT, "A", (CheckDocument("read", vector),), documents)
    assert values(story.run(SaveNumbered(checked, (places,)))) == [1]
    changes = (PutCompareExchange("k", 0, b"{}"),)
    agreed = ClusterTransaction("db", AT, "A", (put("i/c", body=BODY),), changes)
    outcome = story.run(SaveNumbered(agreed, (places,)))
    assert values(outcome) == [2]
    assert isinstance(outcome, NumberedSaved) and isinstance(outcome.saved, TransactionSaved)
    assert (number_in(story, "i/c"), number_in(story, "i/a")) == (2, 1)
    # Refused by a check, by an index: nothing was taken.
    story.save(put("read"))
    assert refusal(story.run(SaveNumbered(checked, (places,)))) == Refusal.CHANGE_VECTOR
    again = SaveNumbered(agreed, (places,))
    assert refusal(story.run(again)) == Refusal.CLUSTER_TRANSACTION
    assert values(story.run(numbered("i/d"))) == [3]


def test_a_serializable_transaction_takes_numbers_if_what_it_read_stands(story: Story) -> None:
    story.save(put("read"))
    etag = story.loaded("read").etag
    reads = (CheckDocument("read", story.loaded("read").change_vector),)
    command = SaveNumbered(
        SerializableTransaction(
            *("db", AT, "A", DATABASE_ID, etag, reads, (put("i/{number}", body=BODY),), ())
        ),
        (taking("invoices", NumberPlace(0), HERE),),
    )
    assert values(story.run(command)) == [1]
    assert values(story.run(command)) == [2]
    story.save(put("read"))
    assert refusal(story.run(command)) == Refusal.SERIALIZATION
    assert values(story.run(numbered("i/d"))) == [3]


def test_what_is_refused_takes_no_number(story: Story) -> None:
    story.run(numbered("i/a"))
    before = story.dump()["db"]
    for wrong in (
        batch(put("i/b", body=BODY), put("i/a", expected="")),
        batch(put("i/b", body=BODY), put("x" * 600)),
        batch(put("i/b", body=BODY), put("users/", expected="x")),
        batch(put("i/b", body=BODY, expected="A:7-x")),
        batch(put("i/b", body=b"no JSON")),
        batch(put("i/b", body=b"[1]")),
    ):
        story_refuses(story, SaveNumbered(wrong, (taking("invoices", HERE),)))
        story_refuses(story, SaveNumbered(wrong, (taking("new", HERE),)))
    assert without_position(story.dump()["db"]) == without_position(before)
    assert values(story.run(numbered("i/b"))) == [2]


def story_refuses(story: Story, command: SaveNumbered) -> None:
    assert isinstance(story.run(command), Refused)


@pytest.mark.parametrize(
    "places",
    [
        (),
        (NumberPlace(1, "/Number"),),
        (NumberPlace(-1, "/Number"),),
        (NumberPlace(0, "Number"),),
        (NumberPlace(0, "/@metadata/x"),),
        (NumberPlace(0, "/Number/x"),),
        (NumberPlace(0, "/list/2"),),
        (NumberPlace(0, "/list/01"),),
        (NumberPlace(0, "/a~2b"),),
        (NumberPlace(0, "/" + "x" * 1_024),),
        (NumberPlace(0, "/Number", 1),),
        (NumberPlace(0, "/Number", -1),),
        (NumberPlace(0),),
        (NumberPlace(0, None, None),),
        (NumberPlace(0, "/a"), NumberPlace(0, "/a/b")),
        (NumberPlace(0, "/object/b"), NumberPlace(0, "/object")),
    ],
)
def test_a_place_that_is_none_is_refused(story: Story, places: tuple[NumberPlace, ...]) -> None:
    body = b'{"Number":1,"list":[1,2],"object":{}}'
    command = SaveNumbered(
        batch(put("i/a", body=body)), (TakeNumbers.of(SequenceUse("n"), 1, places),)
    )
    outcome = story.run(command)
    assert refusal(outcome) == Refusal.NUMBER_PLACE, outcome
    assert story.load("i/a") is None and numbering.sequence(story, "n") is None


def test_a_number_of_a_range_without_a_place_is_refused(story: Story) -> None:
    command = SaveNumbered(batch(put("i/a", body=b"{}")), (taking("n", HERE, count=2),))
    assert refusal(story.run(command)) == Refusal.NUMBER_PLACE


def test_how_much_one_batch_takes_is_limited(story: Story) -> None:
    everything = NumberPlace(0, "/Number", None)
    for count in (0, -1, 10_001, 2**64 - 1):
        command = SaveNumbered(
            batch(put("i/a", body=BODY)), (taking("n", everything, count=count),)
        )
        assert refusal(story.run(command)) == Refusal.INVALID
    for number in (0, 1_001):
        takings = (taking("n", everything),) * number
        command = SaveNumbered(batch(put("i/a", body=BODY)), takings)
        assert refusal(story.run(command)) == Refusal.INVALID
    command = SaveNumbered(batch(put("i/a", body=BODY)), (taking("n", everything, count=10_000),))
    assert values(story.run(command)) == list(range(1, 10_001))


@pytest.mark.parametrize(
    "other",
    [
        delete("i/a"),
        delete("I/", prefixed=True),
        put("I/A"),
        put("i/a", body=b'{"Number":7}'),
    ],
)
def test_nothing_later_in_the_batch_touches_a_document_with_a_number(
    story: Story, other: object
) -> None:
    command = SaveNumbered(batch(put("i/a", body=BODY), other), (taking("invoices", HERE),))
    assert refusal(story.run(command)) in (Refusal.NUMBER_PLACE, Refusal.COLLECTION)
    assert story.load("i/a") is None and numbering.sequence(story, "invoices") is None
    # What came before is of no matter: the number is in what stands at the end.
    before = SaveNumbered(
        batch(other, put("i/a", body=BODY)), (taking("invoices", NumberPlace(1, "/Number")),)
    )
    assert values(story.run(before)) == [1]
    assert number_in(story, "i/a") == 1


def test_a_document_that_is_named_by_its_number_is_not_put_before(story: Story) -> None:
    commands = (put("i/1"), put("i/{number}"))
    for inner in (batch(*commands), ClusterTransaction("db", AT, "A", commands, ())):
        command = SaveNumbered(inner, (taking("invoices", NumberPlace(1)),))
        assert refusal(story.run(command)) in (Refusal.NUMBER_PLACE, Refusal.CHANGE_VECTOR)
    assert story.load("i/1") is None


def test_a_document_does_not_lose_a_number_to_another(story: Story) -> None:
    assert values(story.run(numbered("i/a"))) == [1]
    refused = story.run(numbered("I/A"))
    assert refusal(refused) == Refusal.NUMBER_PLACE and "holds the number 1" in str(refused)
    # Another sequence, another place, and a number that is not its own are no loss.
    elsewhere = SaveNumbered(
        batch(put("i/a", body=b'{"Number":1}', collection="Invoices")),
        (taking("invoices", NumberPlace(0, "/Other")),),
    )
    assert values(story.run(elsewhere)) == [2]
    story.save(put("i/b", body=b'{"Number":1}', collection="Invoices"))
    assert values(story.run(numbered("i/b"))) == [3]


@pytest.mark.parametrize("cluster_wide", [False, True])
def test_a_document_does_not_lose_a_number_to_one_that_an_identity_names(
    story: Story, cluster_wide: bool
) -> None:
    story.save(put("i|"))
    assert values(story.run(numbered("I/2"))) == [1]
    by_identity = (put("other|"), put("i|", body=BODY, collection="Invoices"))
    save = ClusterTransaction("db", AT, "A", by_identity, ()) if cluster_wide else None
    there = NumberPlace(1, "/Number")
    command = SaveNumbered(save or batch(*by_identity), (taking("invoices", there),))
    refused = story.run(command)
    assert refusal(refused) == Refusal.NUMBER_PLACE and "'i/2' holds the number 1" in str(refused)
    assert number_in(story, "i/2") == 1
    story.save(put("i|", body=b"{}", collection="Invoices"))
    assert values(story.run(command)) == [2]
    assert holders(story, "invoices")[-1] == (2, "i/3")


def test_an_id_is_made_in_one_way(story: Story) -> None:
    command = SaveNumbered(batch(put("i/{number}|")), (taking("invoices", NumberPlace(0)),))
    assert refusal(story.run(command)) == Refusal.NUMBER_PLACE


def test_two_numbers_in_one_place_are_refused_even_if_they_are_equal(story: Story) -> None:
    """Each must be somebody's, also that of another sequence which happens to be as far."""
    everything = NumberPlace(0, "/A", None)
    for one, other in (
        (HERE, HERE),
        (everything, NumberPlace(0, "/A/0")),
        (NumberPlace(0, "/A/0"), everything),
    ):
        save = batch(put("d", body=b'{"Number":null,"A":[0]}'))
        refused = story.run(SaveNumbered(save, (taking("one", one), taking("other", other))))
        assert refusal(refused) == Refusal.NUMBER_PLACE, refused
    assert story.load("d") is None


def test_arrays_of_all_numbers_are_limited_by_what_they_hold(story: Story) -> None:
    """Else a short request would make a document of gigabytes."""
    places = [NumberPlace(0, f"/{at}", None) for at in range(3)]
    for count, is_refused in ((10_000, True), (6_666, False)):
        outcome = story.run(
            SaveNumbered(batch(put("d")), (taking("invoices", *places, count=count),))
        )
        assert isinstance(outcome, Refused) == is_refused, outcome


def test_what_is_read_of_documents_that_get_numbers_is_limited(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quoth_numbered, "BYTES_READ_MAX", 3_000)
    large = b'{"Number":"%b"}' % (b"x" * 1_000)
    story.save(*(put(f"d/{n}", body=large) for n in range(3)))
    for count, refused_for in ((2, None), (3, Refusal.INVALID)):
        puts = [put(f"d/{n}", body=BODY) for n in range(count)]
        places = [NumberPlace(at, "/Number", at) for at in range(count)]
        save = SaveNumbered(batch(*puts), (taking("invoices", *places, count=count),))
        outcome = story.run(save)
        assert getattr(outcome, "refusal", None) == refused_for
        story.save(*(put(f"d/{n}", body=large) for n in range(3)))


def test_the_first_value_is_that_of_who_comes_first(story: Story) -> None:
    assert values(story.run(numbered("i/a", initial=1000))) == [1000]
    assert values(story.run(numbered("i/b"))) == [1001]
    assert values(story.run(numbered("i/c", initial=1000))) == [1002]
    refused = story.run(numbered("i/d", initial=1))
    assert refusal(refused) == Refusal.SEQUENCE_PARAMETERS
    assert "initial value 1000" in str(refused)
    assert refusal(story.run(numbered("i/d", reset=2000))) == Refusal.SEQUENCE_PARAMETERS
    no_reset = TakeNumbers.of(SequenceUse("invoices", never_resets=True), 1, (HERE,))
    assert values(story.run(SaveNumbered(batch(put("i/e", body=BODY)), (no_reset,)))) == [1003]


def test_at_its_reset_value_a_sequence_begins_anew(story: Story) -> None:
    taken = [
        values(story.run(numbered(f"i/{at}", initial=3, reset=6, name="loop")))[0]
        for at in range(7)
    ]
    assert taken == [3, 4, 5, 3, 4, 5, 3]
    assert values(story.run(numbered("i/7", name="loop"))) == [4]
    everything = NumberPlace(0, "/Number", None)
    command = SaveNumbered(batch(put("i/8", body=BODY)), (taking("loop", everything, count=4),))
    assert values(story.run(command)) == [5, 3, 4, 5]
    no_reset = TakeNumbers.of(SequenceUse("loop", never_resets=True), 1, (HERE,))
    refused = story.run(SaveNumbered(batch(put("i/9", body=BODY)), (no_reset,)))
    assert refusal(refused) == Refusal.SEQUENCE_PARAMETERS
    refused = story.run(numbered("i/0", name="loop"))  # it holds 3, of an earlier round
    assert values(refused) == [3]


def test_what_is_stored_need_not_be_json_but_on_its_outside(story: Story) -> None:
    story.save(put("i/a", body=b"{not json}", collection="Invoices"))
    assert values(story.run(numbered("i/a"))) == [1]


@pytest.mark.parametrize(
    ("initial", "reset"),
    [(1, 1), (5, 3), (None, 1), (2**63, None), (1, 2**63), (-(2**63), -(2**63))],
)
def test_parameters_that_make_no_sense_are_refused(
    story: Story, initial: int | None, reset: int | None
) -> None:
    refused = story.run(numbered("i/a", initial=initial, reset=reset))
    assert refusal(refused) == Refusal.INVALID and numbering.sequence(story, "invoices") is None


def test_the_numbers_end_where_64_bits_end(story: Story) -> None:
    assert values(story.run(numbered("i/a", initial=LAST - 1))) == [LAST - 1]
    everything = NumberPlace(0, "/Number", None)
    two = SaveNumbered(batch(put("i/b", body=BODY)), (taking("invoices", everything, count=2),))
    refused = story.run(two)
    assert refusal(refused) == Refusal.SEQUENCE_ENDED and "1 numbers left" in str(refused)
    assert values(story.run(numbered("i/b"))) == [LAST]
    assert refusal(story.run(numbered("i/c"))) == Refusal.SEQUENCE_ENDED
    lowest = numbered("i/d", name="low", initial=-(2**63), reset=-(2**63) + 2)
    assert values(story.run(lowest)) == [-(2**63)]
    assert number_in(story, "i/d") == -(2**63)


def test_a_repeated_request_gets_the_same_numbers(story: Story) -> None:
    first = story.run(numbered("i/a", request_id="r"))
    assert values(first) == [1]
    for _ in range(4):
        assert story.run(numbered("i/a", request_id="r")) == first
    assert values(story.run(numbered("i/b", request_id="s"))) == [2]
    refused = story.run(numbered("i/a", initial=7, request_id="t"))
    assert isinstance(refused, Refused)
    assert story.run(numbered("i/c", request_id="t")) == refused  # it, too, is answered once
    assert holders(story, "invoices") == [(1, "i/a"), (2, "i/b")]


def test_a_deleted_sequence_begins_anew_and_its_rows_go_bit_by_bit(story: Story) -> None:
    everything = NumberPlace(0, "/Number", None)
    places = [NumberPlace(0, f"/n{at}", at) for at in range(10_000)]
    for document_id in ("i/a", "i/b"):
        story.run(
            SaveNumbered(
                batch(put(document_id, body=BODY)), (taking("invoices", *places, count=10_000),)
            )
        )
    assert len(rows(story, "invoices")) == 20_000
    assert story.run(DeleteSequence("db", "invoices")) == SequenceDeleted("invoices", found=True)
    assert story.run(DeleteSequence("db", "invoices")) == SequenceDeleted("invoices", found=False)
    assert numbering.sequence(story, "invoices") is None
    command = SaveNumbered(batch(put("i/c", body=BODY)), (taking("invoices", everything),))
    assert values(story.run(command)) == [1]
    assert [row.holder for row in rows(story, "invoices")] == ["i/c"]
    tend = TendSequences("db", AT)
    assert story.run(tend) == SequencesTended(0, 10_000, more=True)
    assert story.run(tend) == SequencesTended(0, 10_000, more=False)
    assert story.run(tend) == SequencesTended(0, 0, more=False)
    assert [row.state for row in rows(story, "invoices")] == [NumberState.DOCUMENT]
    assert sum(key[:1] == b"h" for key in story.dump()["db"]) == 1


def test_a_replay_after_a_restart_takes_no_number_twice(story: Story) -> None:
    story.machine.checkpoint()
    position = story.machine.position
    for name in "abc":
        story.run(numbered(f"i/{name}", request_id=name))
    story.run(ReserveNumbers("db", SequenceUse("invoices"), 2, AT, AT + 10**6))
    before = story.dump()["db"]
    story.machine.close()
    story.machine = Machine.open(story.folder, map_bytes=MAP_BYTES)
    assert story.machine.position == position, "nothing of it is durable by itself"
    story.machine.apply([one for one in story.log if one.log_index > position.log_index])
    assert story.dump()["db"] == before
    assert values(story.run(numbered("i/a", request_id="a"))) == [1]
    assert values(story.run(numbered("i/d"))) == [6]


def test_a_copy_of_the_state_goes_on_with_its_sequences(story: Story, tmp_path: Path) -> None:
    story.run(numbered("i/a", request_id="r"))
    frozen = story.machine.freeze()
    frozen.copy_to(tmp_path / "copy")
    frozen.release()
    other = Story(tmp_path / "other")
    other.machine.install(tmp_path / "copy")
    other.log = list(story.log)
    assert holders(other, "invoices") == [(1, "i/a")]
    assert values(other.run(numbered("i/a", request_id="r"))) == [1]
    assert values(other.run(numbered("i/b"))) == [2]
    other.machine.close()


def test_a_deleted_database_takes_its_sequences_along(story: Story) -> None:
    story.run(numbered("i/a"))
    story.run(DeleteDatabases(("db",), hard=True))
    story.run(create("db"))
    assert numbering.sequence(story, "invoices") is None
    assert values(story.run(numbered("i/a"))) == [1]


@settings(STEADY, max_examples=200)
@given(
    st.lists(
        st.builds(
            NumberPlace,
            st.integers(-1, 3),
            st.none() | st.text("/~01na", max_size=6),
            st.none() | st.integers(-1, 3),
        ),
        max_size=4,
    ),
    st.integers(-1, 4),
    st.sampled_from([b"{}", b'{"n":{"a":[0,1]}}', b"{", b"[]", b"{1}", b'{"0":1e999,"1":NaN}']),
    st.sampled_from(["i/a", "i/{number}", "i/{number:099}", "{number}{number}", "", "i|", "i/"]),
)
def test_whatever_is_asked_is_done_or_refused(
    places: list[NumberPlace], count: int, body: bytes, document_id: str
) -> None:
    with fresh_folder() as folder:
        story = Story(folder)
        taking = TakeNumbers.of(SequenceUse("invoices"), count, places)
        command = SaveNumbered(batch(put(document_id, body=body), put("i/b", body=BODY)), (taking,))
        before = without_position(story.dump()["db"])
        outcome = story.run(command)
        if isinstance(outcome, Refused):
            assert without_position(story.dump()["db"]) == before
        else:
            assert values(outcome) == list(range(1, count + 1))
        database = story.machine.database("db")
        assert database is not None
        with database.read() as txn:
            numbering.check(txn)
        story.machine.close()
