"""Serializable transactions: written while all that was read still stands, else refused whole."""

from collections.abc import Iterator
from typing import Any

import pytest

from quoth_cluster import serializable
from quoth_cluster.commands import (
    ChangeCompareExchange,
    CheckCollection,
    CheckCompareExchange,
    CheckDocument,
    CheckKeys,
    CheckPrefix,
    DeleteCompareExchange,
    DeleteDatabases,
    DeleteDocument,
    PutCompareExchange,
    PutDocument,
    ReadCheck,
    SaveBatch,
    SeedIdentity,
    SerializableTransaction,
    decode,
    encode,
)
from quoth_cluster.documents import changed_since, fold_id, last_etag
from quoth_cluster.outcomes import (
    CompareExchangeAnswer,
    Refusal,
    Refused,
    TransactionSaved,
    Violation,
)
from quoth_cluster.store.environment import ReadTxn
from tests.unit.state.story import (
    AT,
    DATABASE_ID,
    TRANSACTION_ID,
    Story,
    create,
    delete,
    put,
)

Write = PutDocument | DeleteDocument | PutCompareExchange | DeleteCompareExchange


def save_over(story: Story, *checks: ReadCheck, writes: tuple[Write, ...], **more: Any) -> object:
    """Save a serializable transaction that rests on `checks`."""
    return story.run(transaction_over(*checks, writes=writes, **more))


def transaction_over(
    *checks: ReadCheck, writes: tuple[Write, ...], since: int = 0, **more: Any
) -> SerializableTransaction:
    documents = tuple(w for w in writes if isinstance(w, PutDocument | DeleteDocument))
    values = tuple(w for w in writes if isinstance(w, PutCompareExchange | DeleteCompareExchange))
    named = {"database_id": DATABASE_ID, **more}
    return SerializableTransaction(
        "db",
        AT,
        "A",
        since_etag=since,
        checks=checks,
        documents=documents,
        compare_exchange=values,
        **named,
    )


def etag(story: Story) -> int:
    """Of the last change, as a session pins it."""
    database = story.machine.database("db")
    assert database is not None
    with database.read() as txn:
        return last_etag(txn)


def as_read(story: Story, document_id: str) -> CheckDocument:
    """The check of a document as it stands."""
    found = story.load(document_id)
    return CheckDocument(document_id, found.change_vector if found is not None else "")


def refusal(outcome: object) -> Refused:
    assert isinstance(outcome, Refused), outcome
    assert outcome.refusal == Refusal.SERIALIZATION
    return outcome


def put_value(story: Story, key: str, index: int = 0) -> int:
    """Set a value by itself; its index."""
    change = PutCompareExchange(key, index, b'{"Object":1}')
    answer = story.run(ChangeCompareExchange("db", change))
    assert isinstance(answer, CompareExchangeAnswer) and answer.successful
    return answer.index


def test_it_is_saved_while_everything_stands_as_it_was_read(story: Story) -> None:
    story.save(put("users/1"))
    index = put_value(story, "limit")
    checks = (
        as_read(story, "users/1"),
        as_read(story, "users/none"),
        CheckCompareExchange("LIMIT", index),
        CheckCompareExchange("none", 0),
        CheckPrefix("orders/"),
        CheckCollection("Orders"),
    )
    writes = (put("users/2"), PutCompareExchange("limit", index, b'{"Object":2}'))
    saved = save_over(story, *checks, writes=writes, since=etag(story))
    assert isinstance(saved, TransactionSaved)
    assert (saved.command_index, saved.last_etag) == (story.command_index, etag(story))
    value = story.value("limit")
    assert value is not None and value.value == b'{"Object":2}'


def test_a_document_that_changed_came_or_went_is_named_and_nothing_is_written(
    story: Story,
) -> None:
    for name in ("users/1", "users/2"):
        story.save(put(name))
    checks = [as_read(story, f"users/{number}") for number in (1, 2, 3)]
    since = etag(story)
    story.save(put("users/1"))
    story.save(delete("users/2"))
    story.save(put("users/3"))
    writes = (put("users/9"), PutCompareExchange("k", 0, b"{}"))
    refused = refusal(save_over(story, *checks, writes=writes, since=since))
    assert refused.violations == (
        Violation("Document", "users/1", since, 3),
        Violation("Document", "users/2", since, -1),
        Violation("Document", "users/3", since, 5),
    )
    assert "Document 'users/1'" in refused.message
    assert story.load("users/9") is None and story.value("k") is None


def test_a_value_that_changed_came_or_went_is_named(story: Story) -> None:
    first, second = put_value(story, "one"), put_value(story, "two")
    read = (("one", first), ("two", second), ("three", 0))
    checks = tuple(CheckCompareExchange(key, index) for key, index in read)
    changed = put_value(story, "one", first)
    story.run(ChangeCompareExchange("db", DeleteCompareExchange("two", second)))
    came = put_value(story, "three")
    refused = refusal(save_over(story, *checks, writes=(put("users/1"),)))
    assert refused.violations == (
        Violation("CompareExchange", "one", first, changed),
        Violation("CompareExchange", "two", second, -1),
        Violation("CompareExchange", "three", 0, came),
    )


def test_what_came_and_went_again_is_missing_as_it_was_read(story: Story) -> None:
    check = as_read(story, "users/1")
    story.save(put("users/1"))
    story.save(delete("users/1"))
    assert isinstance(save_over(story, check, writes=(put("users/2"),)), TransactionSaved)


@pytest.mark.parametrize(
    "change",
    [
        put("users/new"),
        put("users/1"),
        delete("users/1"),
        put("USERS/new"),
        put("users/" + "x" * 490),
    ],
)
def test_a_prefix_is_read_with_all_that_comes_changes_and_goes_in_it(
    story: Story, change: PutDocument | DeleteDocument
) -> None:
    story.save(put("users/1"), put("orders/1"))
    since, check = etag(story), CheckPrefix("Users/")
    story.save(put("orders/2"), delete("orders/1"))
    writes = (put("audits/1"),)
    assert isinstance(save_over(story, check, writes=writes, since=since), TransactionSaved)
    since = etag(story)
    story.save(change)
    refused = refusal(save_over(story, check, writes=writes, since=since))
    assert refused.violations == (Violation("Prefix", "Users/", since, since + 1),)


def test_a_prefix_that_is_longer_than_a_key_is_compared_whole(story: Story) -> None:
    prefix = "x" * 460
    since = etag(story)
    story.save(put(prefix[:-1] + "y"))
    check = CheckPrefix(prefix)
    assert isinstance(save_over(story, check, writes=(put("a"),), since=since), TransactionSaved)
    story.save(put(prefix + "y"))
    refusal(save_over(story, check, writes=(put("a"),), since=since))


def test_a_collection_is_read_with_all_that_comes_changes_and_goes_in_it(story: Story) -> None:
    story.save(put("users/1"), put("orders/1", collection="Orders"))
    users, every = CheckCollection("USERS"), CheckCollection("")
    since = etag(story)
    story.save(delete("orders/1"))
    writes = (PutCompareExchange("k", 0, b"{}"),)
    refused = refusal(save_over(story, every, writes=writes, since=since))
    assert refused.violations == (Violation("Collection", "", since, since + 1),)
    assert isinstance(save_over(story, users, writes=writes, since=since), TransactionSaved)
    since = etag(story)
    story.save(delete("users/1"))
    writes = (PutCompareExchange("l", 0, b"{}"),)
    refused = refusal(save_over(story, users, writes=writes, since=since))
    assert refused.violations == (Violation("Collection", "USERS", since, since + 1),)


def test_every_change_since_an_etag_is_found_however_it_went_on(story: Story) -> None:
    story.save(put("a"), put("b"), put("c"), put("d"))
    since = etag(story)
    story.save(delete("b"))
    story.save(delete("c"), put("c", collection="Others"))
    story.save(put("d"), delete("d"), put("d"), put("new"), put("brief"), delete("brief"))
    database = story.machine.database("db")
    assert database is not None
    with database.read() as txn:
        found = {one.folded_id for one in changed_since(txn, since, with_collections=True)}
    assert found == {fold_id(name) for name in ("b", "c", "d", "new", "brief")}


def test_a_range_of_keys_is_read_with_all_that_comes_changes_and_goes_in_it(
    story: Story,
) -> None:
    first, second = put_value(story, "slots/1"), put_value(story, "Slots/2")
    put_value(story, "others/1")
    check, writes = CheckKeys("slots/", 2, second), (put("a"),)
    assert isinstance(save_over(story, check, writes=writes), TransactionSaved)
    third = put_value(story, "slots/3")
    refused = refusal(save_over(story, check, writes=writes))
    kind = "CompareExchangePrefix"
    assert refused.violations == (Violation(kind, "slots/", second, third),)
    # One came and one went: as many as before, and yet others.
    story.run(ChangeCompareExchange("db", DeleteCompareExchange("slots/1", first)))
    refusal(save_over(story, check, writes=writes))
    story.run(ChangeCompareExchange("db", DeleteCompareExchange("slots/3", third)))
    refused = refusal(save_over(story, check, writes=writes))
    assert refused.violations == (Violation(kind, "slots/", second, -1),)
    changed = put_value(story, "slots/2", second)
    assert isinstance(
        save_over(story, CheckKeys("slots/", 1, changed), writes=writes), TransactionSaved
    )


def test_too_many_changes_to_look_at_count_as_one_in_every_range(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serializable, "CHANGES_MAX", 3)
    since = etag(story)
    story.save(*(put(f"orders/{number}") for number in range(3)))
    check, writes = CheckPrefix("users/"), (PutCompareExchange("k", 0, b"{}"),)
    assert isinstance(save_over(story, check, writes=writes, since=since), TransactionSaved)
    story.save(put("orders/4"))
    refused = refusal(save_over(story, check, writes=writes, since=since))
    assert refused.violations == (Violation("Prefix", "users/", since, since + 4),)


def test_its_documents_are_guarded_so_that_cluster_transactions_meet_its_writes(
    story: Story,
) -> None:
    first = story.agree(put("users/1"))
    assert isinstance(first, TransactionSaved)
    known = story.loaded("users/1").change_vector
    assert isinstance(
        save_over(story, as_read(story, "users/1"), writes=(put("users/1"),)), TransactionSaved
    )
    assert f"TRXN:{story.command_index}-{TRANSACTION_ID}" in story.loaded("users/1").change_vector
    lost = story.agree(put("users/1", original=known))
    assert isinstance(lost, Refused) and lost.refusal == Refusal.CLUSTER_TRANSACTION
    blind = story.save(put("users/1", original=known))
    assert isinstance(blind, Refused) and blind.refusal == Refusal.ATOMIC_GUARD


def test_an_identity_that_is_behind_its_documents_overwrites_none_of_them(story: Story) -> None:
    story.save(put("users/1", body=b'{"name":"there"}'))
    outcome = save_over(story, writes=(put("users|"),))
    assert isinstance(outcome, Refused) and outcome.refusal == Refusal.INVALID
    assert "'users/1'" in outcome.message and "seed" in outcome.message
    assert story.loaded("users/1").body == b'{"name":"there"}'
    story.run(SeedIdentity("db", "users|", 1))
    assert isinstance(save_over(story, writes=(put("users|"),)), TransactionSaved)
    assert story.load("users/2") is not None


def test_a_guard_that_outlived_its_document_is_not_in_its_way(story: Story) -> None:
    story.agree(put("users/1"))
    story.save(delete("users/1"))
    assert story.value("rvn-atomic/users/1") is not None
    check = as_read(story, "users/1")
    assert isinstance(save_over(story, check, writes=(put("users/1"),)), TransactionSaved)


@pytest.mark.parametrize("guarded", [True, False])
def test_writes_of_every_other_kind_meet_its_reads(story: Story, guarded: bool) -> None:
    story.save(put("users/1"))
    check = as_read(story, "users/1")
    if guarded:
        story.agree(put("users/1"))
    else:
        story.save(put("users/1"))
    refusal(save_over(story, check, writes=(put("users/2"),)))


def test_a_value_it_writes_unread_is_still_checked_by_its_index(story: Story) -> None:
    put_value(story, "k")
    outcome = save_over(story, writes=(PutCompareExchange("k", 0, b"{}"),))
    assert isinstance(outcome, Refused) and outcome.refusal == Refusal.CLUSTER_TRANSACTION


def test_a_repeated_request_gets_its_first_answer(story: Story) -> None:
    check, writes = as_read(story, "users/1"), (put("users/1"),)
    first = save_over(story, check, writes=writes, request_id="one")
    assert isinstance(first, TransactionSaved)
    assert save_over(story, check, writes=writes, request_id="one") == first
    assert story.loaded("users/1").etag == 1
    refused = save_over(story, check, writes=writes, request_id="two")
    story.save(delete("users/1"))
    assert save_over(story, check, writes=writes, request_id="two") == refused


def test_what_was_read_of_a_database_that_is_gone_was_not_read_of_its_successor(
    story: Story,
) -> None:
    check = CheckPrefix("users/")
    story.run(DeleteDatabases(("db",), hard=True))
    story.run(create("db"))
    other = "another database's id"
    refused = refusal(save_over(story, check, writes=(put("a"),), database_id=other))
    assert refused.violations == (Violation("Database", other, 0, -1),)
    assert isinstance(save_over(story, writes=(put("a"),), database_id=""), TransactionSaved)


@pytest.mark.parametrize(
    ("checks", "since", "message"),
    [
        ((CheckPrefix("a"),), 7, "No state of this database"),
        ((CheckPrefix("a"),), -1, "No state of this database"),
        ((CheckPrefix("a"),), 2**64 - 1, "No state of this database"),
        (tuple(CheckPrefix(str(n)) for n in range(101)), 0, "100 prefixes"),
        ((CheckKeys("a", 10_001, 0),), 0, "10000 values"),
        ((CheckKeys("a", 2**64 - 1, 0), CheckKeys("a", -(2**63), 0)), 0, "10000 values"),
        (tuple(CheckKeys(str(n), 0, 0) for n in range(101)), 0, "100 prefixes of keys"),
        ((CheckKeys("k" * 449, 0, 0),), 0, "448 bytes"),
        (tuple(CheckDocument(str(n), "") for n in range(10_001)), 0, "10000 things"),
    ],
)
def test_what_makes_no_sense_or_is_too_much_is_refused(
    story: Story, checks: tuple[ReadCheck, ...], since: int, message: str
) -> None:
    outcome = save_over(story, *checks, writes=(put("users/1"),), since=since)
    assert isinstance(outcome, Refused) and outcome.refusal == Refusal.INVALID
    assert message in outcome.message
    assert story.load("users/1") is None


class Counted:
    """What is read of a machine's storage."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bytes = 0
        get, scan = ReadTxn.get, ReadTxn.scan

        def counted_get(txn: ReadTxn, key: bytes) -> bytes | None:
            value = get(txn, key)
            self.bytes += len(value or b"")
            return value

        def counted_scan(
            txn: ReadTxn, prefix: bytes, **more: Any
        ) -> Iterator[tuple[bytes, bytes]]:
            for key, value in scan(txn, prefix, **more):
                self.bytes += len(value)
                yield key, value

        monkeypatch.setattr(ReadTxn, "get", counted_get)
        monkeypatch.setattr(ReadTxn, "scan", counted_scan)


LARGE = 100_000


def large(name: str) -> PutDocument:
    return put(name, body=b'{"x":"%b"}' % (b"x" * LARGE))


def test_what_is_named_many_times_is_read_once(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.save(large("users/1"))
    value = b'{"Object":"%b"}' % (b"x" * LARGE)
    story.agree(PutCompareExchange("k", 0, value))
    counted = Counted(monkeypatch)
    documents = (CheckDocument("users/1", f"A:{n}-other") for n in range(1_000))
    values = (CheckCompareExchange("K", n) for n in range(1_000))
    outcome = save_over(story, *documents, *values, writes=(put("users/2"),))
    assert isinstance(outcome, Refused) and outcome.refusal == Refusal.SERIALIZATION
    assert counted.bytes < 3 * LARGE


def test_keys_that_begin_alike_for_long_are_not_all_read_to_find_a_few(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = "k" * 448
    story.agree(
        *(PutCompareExchange(f"{head}{n:03}", 0, b'{"Object":%d}' % n) for n in range(500))
    )
    counted = Counted(monkeypatch)
    outcome = save_over(story, CheckKeys(head, 3, 10**6), writes=(put("users/2"),))
    assert isinstance(outcome, Refused) and outcome.refusal == Refusal.SERIALIZATION
    assert counted.bytes < 20 * len(head)


@pytest.mark.parametrize(
    "checks",
    [
        tuple(CheckDocument(f"users/{n}", "") for n in range(9)),
        (CheckKeys("k", 9, 10**6),),
        tuple(CheckCompareExchange(f"k/{n}", 0) for n in range(9)),
    ],
)
def test_large_documents_and_values_are_compared_up_to_a_limit(
    story: Story, monkeypatch: pytest.MonkeyPatch, checks: tuple[ReadCheck, ...]
) -> None:
    value = b'{"Object":"%b"}' % (b"x" * LARGE)
    for n in range(9):
        story.save(large(f"users/{n}"))
        story.agree(PutCompareExchange(f"k/{n}", 0, value))
    monkeypatch.setattr(serializable, "BYTES_MAX", 5 * LARGE)
    counted = Counted(monkeypatch)
    outcome = save_over(story, *checks, writes=(put("users/x"),))
    assert isinstance(outcome, Refused) and outcome.refusal == Refusal.INVALID
    assert counted.bytes < 8 * LARGE


def test_large_changes_of_a_collection_count_as_one_in_it(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    since = etag(story)
    for n in range(9):
        story.save(large(f"users/{n}"))
    monkeypatch.setattr(serializable, "BYTES_MAX", 5 * LARGE)
    counted = Counted(monkeypatch)
    outcome = save_over(story, CheckCollection("Other"), writes=(put("users/x"),), since=since)
    assert isinstance(outcome, Refused) and outcome.refusal == Refusal.SERIALIZATION
    assert counted.bytes < 8 * LARGE


@pytest.mark.parametrize(
    "writes",
    [
        (DeleteDocument("users", prefixed=True),),
        (put("users/"),),
        (PutCompareExchange("rvn-atomic/users/1", 0, b"{}"),),
        (put("users/1"), put("users/2", body=b"no json")),
    ],
)
def test_what_no_cluster_transaction_may_write_it_may_not(
    story: Story, writes: tuple[Write, ...]
) -> None:
    before = etag(story)
    assert isinstance(save_over(story, writes=writes), Refused)
    assert etag(story) == before


def test_its_bytes_in_the_log_are_for_ever() -> None:
    command = transaction_over(
        CheckPrefix("users/"),
        CheckCollection("Users"),
        writes=(DeleteDocument("users/1"), DeleteCompareExchange("k", 7)),
        since=9,
        request_id="r",
    )
    assert encode(command).hex() == GOLDEN
    assert decode(bytes.fromhex(GOLDEN)) == command


def test_a_batch_in_the_same_entry_comes_before_or_after_it_as_the_entry_says(
    story: Story,
) -> None:
    check = as_read(story, "users/1")
    first = SaveBatch("db", AT, "A", (put("users/1"),))
    _, refused = story.run_all(first, transaction_over(check, writes=(put("users/2"),)))
    refusal(refused)


GOLDEN = (
    "c75b019a1fa26462cf00060a2418202240a141b6557753724a786e424b457979317438306e644a5a42410992c7"
    "0901921da675736572732fd701921ea5557365727391c70d019502a775736572732f31c0c0c291c705019304a1"
    "6b07a172"
)
