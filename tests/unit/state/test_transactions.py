"""Cluster transactions: indexes and atomic guards are all checked before anything is written."""

from quoth_cluster.commands import DeleteCompareExchange, PutCompareExchange
from quoth_cluster.outcomes import (
    BatchSaved,
    CompareExchangeChanged,
    DocumentDeleted,
    DocumentPut,
    Refusal,
    Refused,
    TransactionSaved,
    Violation,
)
from tests.unit.state.story import (
    AT,
    DATABASE_ID,
    TOPOLOGY_ID,
    TRANSACTION_ID,
    Story,
    delete,
    put,
    transaction,
)

BECAUSE = "Failed to execute cluster transaction due to the following issues: "


def refused(outcome: object) -> Refused:
    assert isinstance(outcome, Refused), outcome
    return outcome


def saved(outcome: object) -> TransactionSaved:
    assert isinstance(outcome, TransactionSaved), outcome
    return outcome


def raft(number: int, command_index: int) -> str:
    return f"RAFT:{number}-{TOPOLOGY_ID},TRXN:{command_index}-{TRANSACTION_ID}"


def test_documents_and_values_are_saved_together(story: Story) -> None:
    story.agree(put("users/old"))
    outcome = story.agree(
        PutCompareExchange("usernames/John", 0, b'{"Object":"users/1"}'),
        put("users/1"),
        delete("users/old"),
        DeleteCompareExchange("usernames/none", 0),
    )
    index = story.command_index
    assert outcome == TransactionSaved(
        (
            DocumentPut("users/1", "Users", raft(2, index), AT),
            DocumentDeleted("users/old", True, raft(3, index), AT),
        ),
        (
            CompareExchangeChanged("usernames/John", deleted=False),
            CompareExchangeChanged("usernames/none", deleted=True),
        ),
        last_etag=3,
        command_index=index,
        collections=("Users",),
    )
    value = story.value("USERNAMES/john")
    assert value is not None and (value.key, value.index) == ("usernames/John", index)
    document = story.loaded("users/1")
    assert (document.flags, document.change_vector) == ("FromClusterTransaction", raft(2, index))


def test_a_taken_key_refuses_everything(story: Story) -> None:
    story.agree(PutCompareExchange("usernames/ayende", 0, b'{"Object":{"v":1}}'))
    taken_at = story.command_index
    before = {k: v for k, v in story.dump()["db"].items() if k != b"P"}
    outcome = refused(
        story.agree(
            put("users/1"), put("users|"), PutCompareExchange("usernames/ayende", 0, b"{}")
        )
    )
    assert outcome == Refused(
        Refusal.CLUSTER_TRANSACTION,
        BECAUSE + "Concurrency check failed for putting the key 'usernames/ayende'. "
        f"Requested index: 0, actual index: {taken_at}",
        violations=(Violation("CompareExchange", "usernames/ayende", 0, taken_at),),
    )
    assert {k: v for k, v in story.dump()["db"].items() if k != b"P"} == before


def test_a_stale_delete_and_a_missing_key_are_both_told(story: Story) -> None:
    story.agree(PutCompareExchange("usernames/ayende", 0, b"{}"))
    taken_at = story.command_index
    outcome = refused(
        story.agree(
            DeleteCompareExchange("usernames/ayende", 1), DeleteCompareExchange("usernames/nope", 5)
        )
    )
    assert outcome.message == (
        BECAUSE + "Concurrency check failed for deleting the key 'usernames/ayende'. "
        f"Requested index: 1, actual index: {taken_at}\n"
        "Concurrency check failed for deleting the key 'usernames/nope'. "
        "Requested index: 5, actual index: -1"
    )
    assert outcome.violations == (
        Violation("CompareExchange", "usernames/ayende", 1, taken_at),
        Violation("CompareExchange", "usernames/nope", 5, -1),
    )


def test_a_guarded_document_is_not_overwritten_unread(story: Story) -> None:
    story.agree(put("users/cw"))
    guard = story.value("rvn-atomic/users/cw")
    assert guard is not None and guard.value == b'{"Object":{"Id":"users/cw"}}'
    assert guard.index == story.command_index
    outcome = refused(story.agree(put("users/cw")))
    assert outcome.message == (
        BECAUSE + "Guard compare exchange value 'rvn-atomic/users/cw' index does not match the "
        "transaction index's 0 change vector on users/cw\n"
        "Concurrency check failed for putting the key 'rvn-atomic/users/cw'. "
        f"Requested index: 0, actual index: {guard.index}"
    )
    assert outcome.violations == (Violation("Document", "rvn-atomic/users/cw", 0, guard.index),)


def test_a_guarded_document_is_overwritten_by_its_reader(story: Story) -> None:
    first = saved(story.agree(put("users/cw"))).documents[0].change_vector
    second = saved(story.agree(put("users/cw", original=first))).documents[0].change_vector
    # The vector that was loaded counts before the one that was expected.
    third = story.agree(put("users/cw", original=second, expected=first))
    assert isinstance(third, TransactionSaved)
    fourth = saved(story.agree(put("users/cw", expected=story.loaded("users/cw").change_vector)))
    assert fourth.documents[0].change_vector == raft(4, story.command_index)
    assert refused(story.agree(put("users/cw", original=second))).violations


def test_two_readers_of_one_version_in_one_entry(story: Story) -> None:
    read = saved(story.agree(put("users/cw"))).documents[0].change_vector
    first, second, third = story.run_all(
        transaction(put("users/cw", original=read)),
        transaction(put("users/cw", original=read)),
        transaction(put("users/other")),
    )
    index = saved(first).command_index
    assert refused(second).violations[0].actual_index == index
    assert saved(third).command_index == index + 2
    guard = story.value("rvn-atomic/users/cw")
    assert guard is not None and guard.index == index


def test_a_guard_follows_delete_and_recreate(story: Story) -> None:
    read = saved(story.agree(put("users/1"))).documents[0].change_vector
    stale = story.agree(delete("users/1", original="TRXN:1-" + TRANSACTION_ID))
    assert "for deleting the key 'rvn-atomic/users/1'" in refused(stale).message
    gone = saved(story.agree(delete("users/1", original=read)))
    assert gone.documents == (
        DocumentDeleted("users/1", True, raft(2, story.command_index), AT),
    )
    assert story.value("rvn-atomic/users/1") is None
    # Whoever read it before it was deleted does not bring it back.
    back = refused(story.agree(put("users/1", original=read)))
    assert back.violations[0].actual_index == -1
    assert isinstance(story.agree(put("users/1")), TransactionSaved)


def test_a_delete_that_read_nothing_takes_the_guard_as_it_is(story: Story) -> None:
    story.agree(put("users/1"))
    outcome = saved(story.agree(delete("users/1"), delete("users/none")))
    index = story.command_index
    assert outcome.documents == (
        DocumentDeleted("users/1", True, raft(2, index), AT),
        DocumentDeleted("users/none", False, raft(3, index), AT),
    )
    assert story.value("rvn-atomic/users/1") is None and story.load("users/1") is None
    both = saved(story.agree(put("users/2"), delete("users/2")))
    assert both.command_index == story.command_index
    assert story.value("rvn-atomic/users/2") is None and story.load("users/2") is None


def test_a_delete_by_a_reader_of_an_unguarded_version_is_refused(story: Story) -> None:
    story.agree(put("users/1"))
    outcome = refused(story.agree(delete("users/1", original=f"A:1-{DATABASE_ID}")))
    assert outcome.violations == (
        Violation("Document", "rvn-atomic/users/1", 0, story.command_index - 1),
    )


def test_without_guards_nothing_is_guarded(story: Story) -> None:
    outcome = saved(story.agree(put("users/noatomic"), guards=False))
    assert outcome.documents[0].change_vector == f"RAFT:1-{TOPOLOGY_ID}"
    assert story.value("rvn-atomic/users/noatomic") is None
    assert isinstance(story.agree(put("users/noatomic"), guards=False), TransactionSaved)
    guarded = saved(story.agree(put("users/guarded"))).command_index
    story.agree(put("users/guarded"), guards=False)
    guard = story.value("rvn-atomic/users/guarded")
    assert guard is not None and guard.index == guarded


def test_a_write_without_guards_carries_the_guard_on(story: Story) -> None:
    guarded = saved(story.agree(put("users/1"))).command_index
    unguarded = saved(story.agree(put("users/1"), guards=False)).documents[0].change_vector
    assert unguarded == raft(2, guarded), "or its reader could never prove the guard"
    assert isinstance(story.agree(put("users/1", original=unguarded)), TransactionSaved)


def test_a_guard_expires_with_its_document(story: Story) -> None:
    expires = b'{"@collection":"Users","@expires":"2030-01-01T00:00:00.0000000Z"}'
    story.agree(
        put("users/1", metadata=expires),
        put("users/2", metadata=b'{"inner":{"@expires":"no"}}'),
        put("users/3", metadata=b'{"@expires":5}'),
    )
    guards = [story.value(f"rvn-atomic/users/{number}") for number in (1, 2, 3)]
    assert [guard.value for guard in guards if guard] == [
        b'{"Object":{"Id":"users/1"},"@metadata":{"@expires":"2030-01-01T00:00:00.0000000Z"}}',
        b'{"Object":{"Id":"users/2"}}',
        b'{"Object":{"Id":"users/3"}}',
    ]


def test_an_identity_is_taken_and_its_document_guarded(story: Story) -> None:
    outcome = saved(story.agree(put("users|"), put("users|")))
    assert [result.document_id for result in outcome.documents] == ["users/1", "users/2"]
    assert story.value("rvn-atomic/users/2") is not None


def test_ids_from_etags_and_prefixes_are_not_for_cluster_transactions(story: Story) -> None:
    assert refused(story.agree(put("users/"))).refusal == Refusal.INVALID
    assert refused(story.agree(delete("users/", prefixed=True))).refusal == Refusal.INVALID
    assert refused(story.agree(delete(""))).refusal == Refusal.INVALID
    assert refused(story.agree(put("x" * 513))).refusal == Refusal.INVALID
    assert refused(story.agree(PutCompareExchange("x" * 513, 0, b"{}"))).refusal == Refusal.INVALID
    assert refused(story.agree(PutCompareExchange("x", 0, b"1"))).refusal == Refusal.INVALID


def test_guards_are_not_for_users(story: Story) -> None:
    outcome = refused(story.agree(PutCompareExchange("Rvn-Atomic/users/1", 0, b"{}")))
    assert (outcome.refusal, outcome.message) == (
        Refusal.GUARD_KEY,
        "You cannot manipulate the atomic guard 'Rvn-Atomic/users/1'",
    )


def test_a_collection_change_takes_the_whole_transaction_back(story: Story) -> None:
    story.save(put("users/1"))
    outcome = refused(
        story.agree(
            PutCompareExchange("a", 0, b"{}"), put("new/1"), put("users/1", collection="People")
        )
    )
    assert outcome.refusal == Refusal.COLLECTION
    assert story.load("new/1") is None and story.value("a") is None


# Single-node writes beside guards


def test_a_single_node_write_carries_the_guard_on(story: Story) -> None:
    story.agree(put("users/1"))
    guarded = story.command_index
    written = story.save(put("users/1"))
    vector = f"A:2-{DATABASE_ID}, TRXN:{guarded}-{TRANSACTION_ID}"
    assert isinstance(written, BatchSaved)
    assert isinstance(written.results[0], DocumentPut)
    assert written.results[0].change_vector == vector
    assert story.loaded("users/1").flags is None
    # So one who reads it now may write it in a cluster transaction.
    assert isinstance(story.agree(put("users/1", original=vector)), TransactionSaved)


def test_a_single_node_write_by_a_reader_of_another_guard_is_refused(story: Story) -> None:
    read = saved(story.agree(put("users/1"))).documents[0].change_vector
    first = story.command_index
    story.agree(put("users/1", original=read))
    second = story.command_index
    for verb, command in (
        ("PUT", put("users/1", original=read)),
        ("DELETE", delete("users/1", original=read)),
    ):
        outcome = refused(story.save(command))
        assert outcome.refusal == Refusal.ATOMIC_GUARD
        assert outcome.document_id == "users/1"
        assert outcome.message == (
            f"Cannot {verb} document 'users/1' because its change vector's cluster transaction "
            f"index is set to {first} but the compare exchange guard ('rvn-atomic/users/1') "
            f"is set to {second}"
        )
    story.agree(delete("users/1"))
    outcome = refused(story.save(put("users/1", original=read)))
    assert outcome.message.endswith("guard ('rvn-atomic/users/1') is missing")


def test_a_single_node_write_that_proves_nothing_is_not_checked(story: Story) -> None:
    read = saved(story.agree(put("users/1"))).documents[0].change_vector
    other = f"A:1-{DATABASE_ID}, TRXN:99-AAAAAAAAAAAAAAAAAAAAAA"
    for original in (None, "", other, f"TRXN:x-{TRANSACTION_ID}", "TRXN:" + "9" * 5000, read):
        assert isinstance(story.save(put("users/1", original=original)), BatchSaved)


def test_a_guard_outlives_a_single_node_delete(story: Story) -> None:
    story.agree(put("users/1"))
    guarded = story.command_index
    story.save(delete("users/1"))
    written = story.save(put("users/1"))
    assert isinstance(written, BatchSaved)
    assert f"TRXN:{guarded}-" in story.loaded("users/1").change_vector
    assert refused(story.agree(put("users/1"))).violations[0].actual_index == guarded
