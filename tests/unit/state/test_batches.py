"""Single-node transactions: all or nothing, in order, and the words of optimistic concurrency."""

import pytest

from quoth_cluster import batch, documents
from quoth_cluster.commands import (
    DeleteDocument,
    NextIdentity,
    PutDocument,
    SaveBatch,
    TakeIndex,
)
from quoth_cluster.outcomes import (
    BatchSaved,
    DocumentDeleted,
    DocumentPut,
    IdentityValue,
    IndexTaken,
    Refusal,
    Refused,
)
from tests.unit.state.story import AT, DATABASE_ID, Story, delete, put

ABORTED = "Optimistic concurrency violation, transaction will be aborted."


def refused(outcome: object) -> Refused:
    assert isinstance(outcome, Refused), outcome
    return outcome


def test_a_batch_answers_each_command_in_order(story: Story) -> None:
    story.save(put("users/gone"))
    saved = story.save(
        put("users/1"),
        delete("users/gone"),
        delete("users/none"),
        put("orders/1", collection="Orders"),
    )
    assert saved == BatchSaved(
        (
            DocumentPut("users/1", "Users", f"A:2-{DATABASE_ID}", AT),
            DocumentDeleted("users/gone", True, None, AT),
            DocumentDeleted("users/none", False, None, AT),
            DocumentPut("orders/1", "Orders", f"A:4-{DATABASE_ID}", AT),
        ),
        last_etag=4,
        collections=("Orders", "Users"),
    )


def test_a_refused_command_takes_the_whole_batch_back(story: Story) -> None:
    story.save(put("users/0"))
    before = story.dump()["db"]
    outcome = story.save(
        put("users/1"),
        put("users|"),
        delete("users/0"),
        put("users/0", expected="A:1-other"),
    )
    assert refused(outcome).refusal == Refusal.CHANGE_VECTOR
    after = story.dump()["db"]
    assert {k: v for k, v in after.items() if k != b"P"} == {
        k: v for k, v in before.items() if k != b"P"
    }


def test_a_refused_batch_leaves_others_of_the_same_entry_alone(story: Story) -> None:
    def batch(*commands: PutDocument | DeleteDocument) -> SaveBatch:
        return SaveBatch("db", AT, "A", commands)

    first, second, third = story.run_all(
        batch(put("users/1")),
        batch(put("users/2"), put("users/1", expected="")),
        batch(put("users/3"), put("users/4")),
    )
    assert isinstance(first, BatchSaved) and isinstance(third, BatchSaved)
    assert refused(second).document_id == "users/1"
    assert [story.load(f"users/{n}") is not None for n in range(1, 5)] == [True, False, True, True]
    assert third.last_etag == 3


def test_a_command_sees_those_before_it(story: Story) -> None:
    saved = story.save(
        put("users/1", expected=""),
        put("users/1", expected=f"A:1-{DATABASE_ID}"),
        delete("users/1", expected=f"A:2-{DATABASE_ID}"),
        put("users/1", expected=""),
    )
    assert isinstance(saved, BatchSaved) and saved.last_etag == 4
    assert story.loaded("users/1").etag == 4


def test_a_stale_put_is_told_both_change_vectors(story: Story) -> None:
    story.save(put("users/0"))
    wrong = "A:1-AAAAAAAAAAAAAAAAAAAAAA"
    actual = f"A:1-{DATABASE_ID}"
    assert refused(story.save(put("users/0", expected=wrong))) == Refused(
        Refusal.CHANGE_VECTOR,
        f"Document users/0 has change vector {actual}, but Put was called with "
        f"change vector {wrong}. {ABORTED}",
        document_id="users/0",
        expected_change_vector=wrong,
        actual_change_vector=actual,
    )


def test_a_put_of_a_new_document_over_another_is_told_so(story: Story) -> None:
    story.save(put("users/0"))
    outcome = refused(story.save(put("users/0", expected="")))
    assert outcome.message == (
        f"Document users/0 has change vector A:1-{DATABASE_ID}, but Put was called with "
        f"expecting new document. {ABORTED}"
    )
    assert (outcome.expected_change_vector, outcome.actual_change_vector) == (
        "",
        f"A:1-{DATABASE_ID}",
    )


def test_a_put_over_a_missing_document_is_told_so(story: Story) -> None:
    outcome = refused(story.save(put("users/0", expected="A:7-x")))
    assert outcome.message == (
        "Document users/0 does not exist, but Put was called with change vector: A:7-x. " + ABORTED
    )
    assert outcome.actual_change_vector is None


def test_a_stale_delete_quotes_the_change_vector(story: Story) -> None:
    story.save(put("users/0"))
    outcome = refused(story.save(delete("users/0", expected="A:1-AAAAAAAAAAAAAAAAAAAAAA")))
    assert outcome.message == (
        f"Document users/0 has change vector A:1-{DATABASE_ID}, but Delete was called with "
        f"change vector 'A:1-AAAAAAAAAAAAAAAAAAAAAA'. {ABORTED}"
    )
    missing = refused(story.save(delete("users/none", expected="A:1-x")))
    assert missing.message == (
        "Document users/none does not exist, but Delete was called with change vector 'A:1-x'. "
        + ABORTED
    )


def test_change_vectors_are_compared_as_they_are_written(story: Story) -> None:
    story.save(put("users/0"))
    lower = f"a:1-{DATABASE_ID}"
    assert refused(story.save(put("users/0", expected=lower))).refusal == Refusal.CHANGE_VECTOR


def test_a_collection_has_a_name_of_bounded_length(story: Story) -> None:
    assert isinstance(story.save(put("users/1", collection="é" * 256)), BatchSaved)
    outcome = refused(story.save(put("users/2", collection="é" * 256 + "x")))
    assert outcome.refusal is Refusal.INVALID and "512 bytes" in outcome.message


def test_a_document_stays_in_its_collection(story: Story) -> None:
    story.save(put("users/0"))
    outcome = refused(story.save(put("users/0", collection="People")))
    assert outcome.refusal == Refusal.COLLECTION
    assert outcome.message == (
        "Changing 'users/0' from 'Users' to 'People' via update is not supported.\n"
        "Delete it and recreate the document users/0."
    )
    assert isinstance(story.save(put("users/0", collection="users")), BatchSaved)
    moved = story.save(delete("users/0"), put("users/0", collection="People"))
    assert isinstance(moved, BatchSaved) and moved.collections == ("People", "users")


def test_an_id_that_ends_with_a_slash_takes_the_etag(story: Story) -> None:
    saved = story.save(put("users/1"), put("users/"), put("users/"))
    assert isinstance(saved, BatchSaved)
    assert [result.document_id for result in saved.results] == [
        "users/1",
        "users/0000000000000000002-A",
        "users/0000000000000000003-A",
    ]


def test_an_id_that_ends_with_a_pipe_takes_the_identity(story: Story) -> None:
    saved = story.save(put("Users|"), put("users|"), put("users|", expected=""))
    assert isinstance(saved, BatchSaved)
    assert [result.document_id for result in saved.results] == ["Users/1", "users/2", "users/3"]
    outcome = refused(story.save(put("users|", expected="A:1-x")))
    assert outcome.refusal == Refusal.INVALID
    again = story.save(put("users|"))
    assert isinstance(again, BatchSaved) and again.results[0].document_id == "users/4"


def test_a_refused_put_takes_no_identity(story: Story) -> None:
    story.save(put("users/1", collection="People"))
    assert refused(story.save(put("users|"))).refusal == Refusal.COLLECTION
    assert refused(story.save(put("users|", expected=""))).refusal == Refusal.CHANGE_VECTOR
    assert story.run(NextIdentity("db", "users|")) == IdentityValue(1)


@pytest.mark.parametrize(
    "command",
    [
        put(""),
        put("x" * 513),
        put("|"),
        put("a", body=b"[]"),
        put("a", metadata=b"null"),
        put("a", body=b"{"),
        delete(""),
        delete("x" * 513),
        delete("", prefixed=True),
    ],
)
def test_what_makes_no_sense_is_refused(
    story: Story, command: PutDocument | DeleteDocument
) -> None:
    assert refused(story.save(command)).refusal == Refusal.INVALID
    assert story.dump()["db"].keys() <= {b"F", b"P"}


def test_a_time_nobody_can_show_is_refused(story: Story) -> None:
    for at_micros in (-1, 253_402_300_800_000_000):
        outcome = story.run(SaveBatch("db", at_micros, "A", (put("users/1"),)))
        assert refused(outcome).refusal == Refusal.INVALID
    last = story.run(SaveBatch("db", 253_402_300_799_999_999, "A", (put("users/1"),)))
    assert isinstance(last, BatchSaved)
    assert b"9999-12-31T23:59:59.9999990Z" in story.loaded("users/1").to_json()


def test_an_empty_batch_changes_nothing(story: Story) -> None:
    assert story.save() == BatchSaved((), last_etag=0)


def test_what_is_stored_just_so_is_kept_if_so_asked(story: Story) -> None:
    def keep(*commands: PutDocument) -> BatchSaved:
        saved = story.run(SaveBatch("db", AT + 7, "B", commands, keep_equal=True))
        assert isinstance(saved, BatchSaved)
        return saved

    story.save(put("users/1"), put("users/2"))
    before = story.dump()["db"]
    same = keep(put("USERS/1"), put("users/2"))
    first, second = (story.loaded(f"users/{n}") for n in (1, 2))
    assert same.results == (
        DocumentPut("users/1", "Users", first.change_vector, AT),
        DocumentPut("users/2", "Users", second.change_vector, AT),
    )
    assert (same.last_etag, same.collections) == (2, ())
    after = story.dump()["db"]
    assert {key for key in after if after[key] != before.get(key)} == {b"P"}, "only the position"
    for changed in (
        put("users/1", body=b'{"name":"y"}'),
        put("users/1", body=b'{"name":"y"}', metadata=b'{"@collection":"Users","x":1}'),
        put("users/3"),
    ):
        assert keep(changed).last_etag == story.loaded(changed.document_id).etag > 2


def test_a_document_kept_is_checked_all_the_same(story: Story) -> None:
    story.save(put("users/1"))
    stale = put("users/1", expected="")
    outcome = story.run(SaveBatch("db", AT, "A", (stale,), keep_equal=True))
    assert refused(outcome).refusal == Refusal.CHANGE_VECTOR


def test_an_index_that_is_taken_is_nobody_elses(story: Story) -> None:
    before, indexes = story.dump(), []
    for _ in range(3):
        assert story.run_all(TakeIndex(), TakeIndex()) == [IndexTaken(), IndexTaken()]
        indexes += [story.command_index - 1, story.command_index]
    assert len(set(indexes)) == 6
    assert story.dump() == before


def test_a_prefix_deletes_no_more_than_one_transaction_may(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "CHANGES_MAX", 600)
    story.save(*(put(f"users/{number}") for number in range(601)))
    outcome = refused(story.save(delete("users/", prefixed=True)))
    assert outcome.refusal is Refusal.INVALID and "delete them by query" in outcome.message
    refused(story.save(delete("users/1", prefixed=True), delete("users/", prefixed=True)))
    database = story.machine.database("db")
    assert database is not None
    with database.read() as txn:
        assert (documents.count(txn), documents.tombstone_count(txn)) == (601, 0)
    story.save(delete("users/600"))
    assert isinstance(story.save(delete("users/", prefixed=True)), BatchSaved)


def test_a_prefix_deletes_all_that_begins_with_it(story: Story) -> None:
    many = [put(f"users/{number}") for number in range(600)]
    story.save(*many, put("user"), put("orders/1", collection="Orders"))
    outcome = story.save(delete("Users/", prefixed=True), delete("users/", prefixed=True))
    assert isinstance(outcome, BatchSaved)
    assert outcome.results == (
        DocumentDeleted("Users/", True, None, AT),
        DocumentDeleted("users/", False, None, AT),
    )
    database = story.machine.database("db")
    assert database is not None
    with database.read() as txn:
        assert [found.document_id for found in documents.oldest_first(txn)] == ["user", "orders/1"]
        assert (documents.count(txn), documents.tombstone_count(txn)) == (2, 600)
