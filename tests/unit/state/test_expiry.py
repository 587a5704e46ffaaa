"""Compare-exchange values end at the time they name, on every node at the same command."""

import orjson
import pytest

from quoth_cluster import compare_exchange, expiring, expiry, totals
from quoth_cluster.commands import (
    ChangeCompareExchange,
    DeleteCompareExchange,
    ExpireCompareExchange,
    PutCompareExchange,
    ToggleDatabases,
)
from quoth_cluster.outcomes import (
    CompareExchangeAnswer,
    CompareExchangeExpired,
    Refusal,
    Refused,
)
from tests.unit.state.story import Story, delete, put

SECOND = 1_000_000
NOON = 1_893_499_200_000_000  # 2030-01-01T12:00:00Z
NOON_WIRE = "2030-01-01T12:00:00.0000000Z"
LATER_WIRE = "2030-01-02T00:00:00.0000000Z"
LATER = NOON + 12 * 3_600 * SECOND


def value(expires: object, content: object = 1) -> bytes:
    return orjson.dumps({"Object": content, "@metadata": {"@expires": expires}})


def set_value(story: Story, key: str, expires: object, *, index: int = 0) -> object:
    command = PutCompareExchange(key, index, value(expires))
    return story.run(ChangeCompareExchange("db", command))


def expire(story: Story, at_micros: int) -> object:
    return story.run(ExpireCompareExchange("db", at_micros))


def due_next(story: Story) -> int | None:
    database = story.machine.database("db")
    assert database is not None
    with database.read() as txn:
        return expiry.next_due(txn)


def count(story: Story) -> int:
    database = story.machine.database("db")
    assert database is not None
    with database.read() as txn:
        return totals.load(txn).compare_exchange


@pytest.mark.parametrize(
    ("text", "at_micros"),
    [
        (NOON_WIRE, NOON),
        ("2030-01-01T12:00:00Z", NOON),
        ("2030-01-01T12:00:00", NOON),
        ("2030-01-01 12:00:00.5", NOON + SECOND // 2),
        ("2030-01-01T12:00:00.1234567Z", NOON + 123_456),
        ("2030-01-01T13:30:00+01:30", NOON),
        ("2030-01-01T09:00:00-03:00", NOON),
        ("2030-01-02", LATER),
        ("1969-12-31T23:59:59Z", 0),
        ("9999-12-31T23:59:59.9999999Z", 253_402_300_799_999_999),
        ("2030-02-29", None),
        ("2030-13-01", None),
        ("2030-01-01T24:00:00", None),
        ("2030-01-01T12:60:00", None),
        ("2030-01-01T12", None),
        ("2030-W01-1", None),
        ("tomorrow", None),
        ("", None),
        ("\u0662\u0660\u0663\u0660-01-01", None),
    ],
)
def test_times_as_clients_write_them(text: str, at_micros: int | None) -> None:
    assert expiry.read_time(text) == at_micros


def test_a_value_is_there_until_its_time(story: Story) -> None:
    set_value(story, "Lock", NOON_WIRE)
    assert due_next(story) == NOON
    assert expire(story, NOON - 1) == CompareExchangeExpired(0, more=False)
    assert story.value("lock") is not None and count(story) == 1
    assert expire(story, NOON) == CompareExchangeExpired(1, more=False)
    assert story.value("lock") is None and count(story) == 0 and due_next(story) is None
    assert expire(story, NOON) == CompareExchangeExpired(0, more=False), "twice does no harm"


def test_a_changed_value_is_not_taken_by_its_former_time(story: Story) -> None:
    set_value(story, "k", NOON_WIRE)
    set_value(story, "K", LATER_WIRE, index=2)
    assert expire(story, NOON) == CompareExchangeExpired(0, more=False)
    found = story.value("k")
    assert found is not None and found.index == 3 and due_next(story) == LATER
    plain = ChangeCompareExchange("db", PutCompareExchange("k", 3, b'{"Object":2}'))
    story.run(plain)
    assert due_next(story) is None
    assert expire(story, LATER) == CompareExchangeExpired(0, more=False)
    assert story.value("k") is not None


def test_a_deleted_value_leaves_no_time_behind(story: Story) -> None:
    set_value(story, "k", NOON_WIRE)
    story.run(ChangeCompareExchange("db", DeleteCompareExchange("k", 2)))
    assert due_next(story) is None
    set_value(story, "k", LATER_WIRE)
    assert expire(story, NOON) == CompareExchangeExpired(0, more=False)
    assert story.value("k") is not None


def test_values_of_cluster_transactions_end_too(story: Story) -> None:
    story.agree(PutCompareExchange("a", 0, value(NOON_WIRE)), PutCompareExchange("b", 0, b"{}"))
    assert expire(story, NOON) == CompareExchangeExpired(1, more=False)
    assert story.value("a") is None and story.value("b") is not None
    answer = set_value(story, "a", NOON_WIRE)
    assert isinstance(answer, CompareExchangeAnswer) and answer.successful, "the key is free"


@pytest.mark.parametrize("expires", ["tomorrow", 5, True, {}, "2030-02-29"])
def test_a_time_that_is_none_is_refused(story: Story, expires: object) -> None:
    outcome = set_value(story, "k", expires)
    assert isinstance(outcome, Refused) and outcome.refusal == Refusal.EXPIRY
    assert outcome.message.startswith("The due date format for compare exchange 'k' is not valid: ")
    refused = story.agree(put("users/1"), PutCompareExchange("k", 0, value(expires)))
    assert isinstance(refused, Refused) and story.load("users/1") is None
    assert story.value("k") is None


def test_what_only_looks_like_a_time_is_content(story: Story) -> None:
    for number, content in enumerate(
        (
            b'{"Object":"\\"@expires\\""}',
            b'{"Object":{"@expires":"x"}}',
            b'{"Object":1,"@metadata":{"@expires":null}}',
            b'{"Object":"@expires","@metadata":null}',
        )
    ):
        answer = story.run(
            ChangeCompareExchange("db", PutCompareExchange(f"k{number}", 0, content))
        )
        assert isinstance(answer, CompareExchangeAnswer) and answer.successful
    assert due_next(story) is None


def test_many_end_in_parts_the_earliest_first(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiring, "EXPIRED_AT_ONCE_MAX", 2)
    for minute in (5, 3, 1, 4, 2):
        set_value(story, "x" * 500 + str(minute), f"2030-01-01T12:0{minute}:00Z")
    assert expire(story, LATER) == CompareExchangeExpired(2, more=True)
    assert story.value("x" * 500 + "3") is not None and story.value("x" * 500 + "2") is None
    assert expire(story, LATER) == CompareExchangeExpired(2, more=True)
    assert expire(story, LATER) == CompareExchangeExpired(1, more=False)


def guarded(story: Story, expires: str) -> None:
    metadata = orjson.dumps({"@collection": "Users", "@expires": expires})
    story.agree(put("users/1", metadata=metadata))


def test_a_guard_stays_as_long_as_its_document(story: Story) -> None:
    guarded(story, NOON_WIRE)
    guard = story.value("rvn-atomic/users/1")
    assert guard is not None and due_next(story) == NOON
    assert orjson.loads(guard.value)["@metadata"] == {"@expires": NOON_WIRE}
    assert expire(story, NOON) == CompareExchangeExpired(0, more=False)
    assert due_next(story) is None, "it is not looked at again"
    loaded = story.loaded("users/1")
    assert not isinstance(story.agree(put("users/1", original=loaded.change_vector)), Refused)


def test_a_guard_without_a_document_ends(story: Story) -> None:
    guarded(story, NOON_WIRE)
    story.save(delete("users/1"))
    assert story.value("rvn-atomic/users/1") is not None
    assert expire(story, NOON) == CompareExchangeExpired(1, more=False)
    assert story.value("rvn-atomic/users/1") is None


def test_a_document_with_any_expires_can_be_guarded(story: Story) -> None:
    guarded(story, "when I say so")
    guard = story.value("rvn-atomic/users/1")
    assert guard is not None and b"@expires" not in guard.value and due_next(story) is None


def test_nothing_ends_in_a_disabled_database(story: Story) -> None:
    set_value(story, "k", NOON_WIRE)
    story.run(ToggleDatabases(("db",), disabled=True))
    assert isinstance(expire(story, NOON), Refused)
    story.run(ToggleDatabases(("db",), disabled=False))
    assert expire(story, NOON) == CompareExchangeExpired(1, more=False)


def test_rows_and_values_say_the_same(story: Story) -> None:
    for key in ("a", "b" * 480, "c"):
        set_value(story, key, NOON_WIRE)
    database = story.machine.database("db")
    assert database is not None
    with database.read() as txn:
        expiring_values = {
            one.key for one in compare_exchange.starting_with(txn, "") if one.expires_micros
        }
        assert set(expiry.due(txn, NOON)) == expiring_values == {"a", "b" * 480, "c"}
        assert list(expiry.due(txn, NOON - 1)) == []
