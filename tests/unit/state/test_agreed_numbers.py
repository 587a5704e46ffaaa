"""Compare-exchange values, identities and HiLo ranges: what the cluster agrees on one by one."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quoth_cluster import compare_exchange, hilo, identities
from quoth_cluster.commands import (
    ChangeCompareExchange,
    DeleteCompareExchange,
    NextHiLo,
    NextIdentity,
    PutCompareExchange,
    ReturnHiLo,
    SeedIdentity,
)
from quoth_cluster.outcomes import (
    CompareExchangeAnswer,
    HiLoRange,
    HiLoReturned,
    IdentityValue,
    Refusal,
    Refused,
)
from tests.unit.state.story import AT, STEADY, Story, put

SECOND = 1_000_000
A = b'{"Object":{"name":"a"}}'
C = b'{"Object":{"name":"c"}}'


def change(
    story: Story, command: PutCompareExchange | DeleteCompareExchange
) -> CompareExchangeAnswer | Refused:
    outcome = story.run(ChangeCompareExchange("db", command))
    assert isinstance(outcome, CompareExchangeAnswer | Refused)
    return outcome


# Compare exchange


def test_a_value_lives_from_index_to_index(story: Story) -> None:
    created = change(story, PutCompareExchange("k/1", 0, A))
    first = story.command_index
    assert created == CompareExchangeAnswer(True, first, A)
    again = change(story, PutCompareExchange("k/1", 0, b"{}"))
    assert again == CompareExchangeAnswer(False, first, A)
    updated = change(story, PutCompareExchange("K/1", first, C))
    second = story.command_index
    assert updated == CompareExchangeAnswer(True, second, C)
    assert change(story, PutCompareExchange("k/1", first, A)) == CompareExchangeAnswer(
        False, second, C
    )
    assert change(story, DeleteCompareExchange("k/1", 1)) == CompareExchangeAnswer(False, second, C)
    deleted = change(story, DeleteCompareExchange("k/1", second))
    assert deleted == CompareExchangeAnswer(True, story.command_index, C)
    gone = CompareExchangeAnswer(False, 0, None)
    assert change(story, DeleteCompareExchange("k/1", second)) == gone
    assert change(story, PutCompareExchange("k/1", second, A)) == gone
    assert change(story, PutCompareExchange("k/1", -1, A)) == gone
    nothing = change(story, DeleteCompareExchange("k/1", 0))
    assert nothing == CompareExchangeAnswer(True, story.command_index, None)
    assert story.value("k/1") is None


def test_two_changes_in_one_entry_have_two_indexes(story: Story) -> None:
    """A, then B, then A again within one entry: whoever read the first A must notice."""
    before = story.command_index
    outcomes = story.run_all(
        ChangeCompareExchange("db", PutCompareExchange("k", 0, A)),
        ChangeCompareExchange("db", PutCompareExchange("k", before + 1, C)),
        ChangeCompareExchange("db", PutCompareExchange("k", before + 2, A)),
        ChangeCompareExchange("db", DeleteCompareExchange("k", before + 1)),
    )
    indexes = [outcome.index for outcome in outcomes if isinstance(outcome, CompareExchangeAnswer)]
    assert indexes == [before + 1, before + 2, before + 3, before + 3]
    assert outcomes[-1] == CompareExchangeAnswer(False, before + 3, A)


def test_values_are_listed_in_the_order_of_keys(story: Story) -> None:
    for key in ("k/b", "K/a", "j", "k/" + "x" * 500, "k/" + "x" * 480 + "a"):
        change(story, PutCompareExchange(key, 0, A))
    database = story.machine.database("db")
    assert database is not None
    with database.read() as txn:
        found = [value.key for value in compare_exchange.starting_with(txn, "k/")]
        assert compare_exchange.count(txn) == 5
    assert found == ["K/a", "k/b", "k/" + "x" * 480 + "a", "k/" + "x" * 500]


def test_keys_have_a_limit(story: Story) -> None:
    assert isinstance(change(story, PutCompareExchange("x" * 512, 0, A)), CompareExchangeAnswer)
    for key in ("", "x" * 513):
        outcome = change(story, PutCompareExchange(key, 0, A))
        assert isinstance(outcome, Refused) and outcome.refusal == Refusal.INVALID
    outcome = change(story, PutCompareExchange("k", 0, b"42"))
    assert isinstance(outcome, Refused)


def test_the_longest_id_has_a_guard(story: Story) -> None:
    longest = "x" * 512
    story.agree(put(longest))
    guard = story.value(f"rvn-atomic/{longest}")
    assert guard is not None
    deleted = change(story, DeleteCompareExchange(guard.key, guard.index))
    assert isinstance(deleted, CompareExchangeAnswer) and deleted.successful


# Identities


def test_an_identity_counts_up_from_its_seed(story: Story) -> None:
    def run(command: NextIdentity | SeedIdentity) -> int:
        outcome = story.run(command)
        assert isinstance(outcome, IdentityValue), outcome
        return outcome.value

    assert run(SeedIdentity("db", "companies|", 1990)) == 1990
    assert run(SeedIdentity("db", "companies", 1200)) == 1990
    assert run(NextIdentity("db", "Companies|")) == 1991
    assert run(SeedIdentity("db", "companies|", 1975)) == 1991
    assert run(SeedIdentity("db", "companies|", 1200, force=True)) == 1200
    assert run(NextIdentity("db", "companies")) == 1201
    assert run(NextIdentity("db", "products")) == 1
    assert run(SeedIdentity("db", "orders", 0)) == 0
    database = story.machine.database("db")
    assert database is not None
    with database.read() as txn:
        assert identities.every(txn) == {"companies|": 1201, "products|": 1}
        assert identities.count(txn) == 2


@pytest.mark.parametrize("name", ["", "|", "x" * 512])
def test_a_series_needs_a_name(story: Story, name: str) -> None:
    outcome = story.run(NextIdentity("db", name))
    assert isinstance(outcome, Refused) and outcome.refusal == Refusal.INVALID


def test_a_series_comes_to_its_end(story: Story) -> None:
    assert story.run(SeedIdentity("db", "n", 2**63 - 1)) == IdentityValue(2**63 - 1)
    for command in (
        NextIdentity("db", "n"),
        SeedIdentity("db", "n", 2**63, force=True),
        SeedIdentity("db", "n", -1, force=True),
    ):
        assert isinstance(story.run(command), Refused)


# HiLo


def next_range(
    story: Story,
    *,
    tag: str = "Widgets",
    size: int = 0,
    lasted: float | None = None,
    last_max: int = 0,
) -> HiLoRange:
    last = None if lasted is None else AT - int(lasted * SECOND)
    outcome = story.run(NextHiLo("db", tag, size, last, last_max, AT, "B"))
    assert isinstance(outcome, HiLoRange), outcome
    return outcome


def returned(story: Story, last: int, end: int) -> bytes:
    assert story.run(ReturnHiLo("db", "widgets", last, end, AT, "A")) == HiLoReturned()
    return story.loaded("Raven/Hilo/widgets").body


def test_ranges_follow_each_other(story: Story) -> None:
    assert next_range(story) == HiLoRange("Widgets/", 1, 32, 32, "B", AT)
    second = next_range(story, size=32, lasted=0.01, last_max=32)
    assert second == HiLoRange("Widgets/", 33, 96, 64, "B", AT)
    document = story.loaded("raven/hilo/WIDGETS")
    assert (document.body, document.collection) == (b'{"Max":96}', "@hilo")
    assert document.document_id == "Raven/Hilo/Widgets"
    assert next_range(story, tag="users").low == 1


def test_only_the_last_range_is_taken_back(story: Story) -> None:
    next_range(story)
    next_range(story, size=32, lasted=1)
    assert returned(story, 40, 64) == b'{"Max":96}'
    assert returned(story, 97, 96) == b'{"Max":96}'
    assert returned(story, 40, 96) == b'{"Max":40}'
    assert next_range(story).low == 41
    assert story.run(ReturnHiLo("db", "none", 1, 32, AT, "A")) == HiLoReturned()
    assert story.load("Raven/Hilo/none") is None


def test_a_client_that_knows_more_is_believed(story: Story) -> None:
    assert next_range(story, last_max=1000).low == 1001


@pytest.mark.parametrize(
    ("size", "lasted", "capacity"),
    [
        (0, None, 32),
        (64, None, 64),
        (32, 29.9, 64),
        (32, 30, 32),
        (64, 60, 64),
        (64, 60.1, 32),
        (32, 3600, 32),
        (0, 1, 32),
        (2**19, 1, 2**20),
        (2**20, 1, 2**20),
        (2**60, 40, 2**20),
        (-5, 1, 32),
        (128, -5, 256),
    ],
)
def test_a_range_is_as_long_as_it_is_needed(
    size: int, lasted: float | None, capacity: int
) -> None:
    last = None if lasted is None else AT - int(lasted * SECOND)
    assert hilo.capacity(size, last, at_micros=AT) == capacity


def test_a_hilo_document_may_be_edited_by_hand(story: Story) -> None:
    edited = put("Raven/HiLo/widgets", body=b'{"Max":128,"Why":"import"}', collection="@hilo")
    story.save(edited)
    assert next_range(story).low == 129
    assert story.loaded("Raven/Hilo/Widgets").body == b'{"Max":160,"Why":"import"}'
    deep = b'{"Max":1,"x":' + b"[" * 300 + b"]" * 300 + b"}"
    for body in (b'{"Max":"a"}', b'{"Max":1.5}', b"{}", b'{"Max":-1}', b'{"Max":nope}', deep):
        story.save(put("Raven/HiLo/widgets", body=body, collection="@hilo"))
        outcome = story.run(NextHiLo("db", "widgets", 32, None, 0, AT, "A"))
        assert isinstance(outcome, Refused) and outcome.refusal == Refusal.INVALID


def test_hilo_refuses_what_makes_no_sense(story: Story) -> None:
    for command in (
        NextHiLo("db", "", 32, None, 0, AT, "A"),
        NextHiLo("db", "x" * 512, 32, None, 0, AT, "A"),
        NextHiLo("db", "users", 32, None, 2**63 - 5, AT, "A"),
        NextHiLo("db", "users", 32, None, 0, -1, "A"),
        ReturnHiLo("db", "users", 1, 2, -1, "A"),
    ):
        assert isinstance(story.run(command), Refused)
    assert story.load("Raven/Hilo/users") is None


@STEADY
@given(st.lists(st.tuples(st.integers(0, 2**20), st.floats(-10, 100)), max_size=8))
def test_capacity_is_always_within_its_limits(asked: list[tuple[int, float]]) -> None:
    for size, lasted in asked:
        capacity = hilo.capacity(size, AT - int(lasted * SECOND), at_micros=AT)
        assert hilo.CAPACITY_MIN <= capacity <= hilo.CAPACITY_MAX


def test_ranges_never_overlap(story: Story) -> None:
    ranges = [next_range(story, size=32 * n, lasted=n) for n in range(1, 20)]
    assert all(later.low == earlier.high + 1 for earlier, later in pairwise(ranges))
