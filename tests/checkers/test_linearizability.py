"""The search knows what registers cannot have told, and lets be what they can."""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from itertools import permutations
from random import Random
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth_node.testing.checkers.linearizability import check, is_explained
from quoth_node.testing.checkers.models import (
    IMPOSSIBLE,
    Counter,
    GrowingSet,
    Numbers,
    Register,
)
from quoth_node.testing.checkers.verdict import UNDECIDED
from quoth_node.testing.history import ABSENT, Operation
from tests.checkers.virtual_clients import Answer, Ask, Trouble, histories, some, spoiled

SEEDS = 200


def op(
    f: str, *given: object, out: object = None, at: tuple[int, int | None], ok: bool | None = True
) -> Operation:
    return Operation(
        client=at[0],
        key="k",
        f=f,
        input=given,
        output=out,
        call=at[0],
        returned=at[1],
        ok=None if at[1] is None else ok,
    )


BAD = {
    "stale read": [
        op("write", 1, at=(0, 1)),
        op("write", 2, at=(2, 3)),
        op("read", out=1, at=(4, 5)),
    ],
    "never written": [op("write", 1, at=(0, 1)), op("read", out=7, at=(2, 3))],
    "from the future": [op("write", 1, at=(2, 3)), op("read", out=1, at=(0, 1))],
    "lost update": [
        op("write", 1, at=(0, 1)),
        op("cas", 1, 2, at=(2, 5)),
        op("cas", 1, 3, at=(2, 5)),
    ],
    "failed and seen": [op("write", 1, at=(0, 1), ok=False), op("read", out=1, at=(2, 3))],
    "refused for nothing": [op("write", 1, at=(0, 1)), op("cas", 1, 2, at=(2, 3), ok=False)],
    "refused for another": [op("write", 1, at=(0, 1)), op("cas", 5, 2, out=3, at=(2, 3), ok=False)],
    "comes and goes": [
        op("write", 1, at=(0, None)),
        op("read", out=1, at=(1, 2)),
        op("read", out=ABSENT, at=(3, 4)),
    ],
    "deleted and there": [
        op("write", 1, at=(0, 1)),
        op("delete", at=(2, 3)),
        op("read", out=1, at=(4, 5)),
    ],
    "unknown acts twice": [
        op("write", 1, at=(0, None)),
        op("read", out=1, at=(1, 2)),
        op("write", 2, at=(3, 4)),
        op("read", out=2, at=(5, 6)),
        op("read", out=1, at=(7, 8)),
    ],
}
GOOD = {
    "at once": [
        op("write", 1, at=(0, 5)),
        op("read", out=1, at=(1, 2)),
        op("read", out=1, at=(3, 4)),
    ],
    "unknown acts late": [
        op("write", 1, at=(0, None)),
        op("read", out=ABSENT, at=(1, 2)),
        op("read", out=1, at=(3, 4)),
    ],
    "unknown, never seen": [op("write", 1, at=(0, None)), op("read", out=ABSENT, at=(1, 2))],
    "unknown explains a refusal": [
        op("write", 1, at=(0, 1)),
        op("write", 2, at=(2, None)),
        op("cas", 1, 3, at=(4, 5), ok=False),
    ],
    "chain of unknown": [
        op("write", 1, at=(0, None)),
        op("cas", 1, 2, at=(1, None)),
        op("read", out=2, at=(2, 3)),
    ],
    "same value again": [
        op("write", 1, at=(0, 1)),
        op("write", 1, at=(2, 9)),
        op("write", 2, at=(3, 4)),
        op("read", out=1, at=(10, 11)),
    ],
    "deleted": [
        op("write", 1, at=(0, 1)),
        op("delete", 1, at=(2, 3)),
        op("read", out=ABSENT, at=(4, 5)),
    ],
    "ends and begins at one time": [op("write", 1, at=(0, 3)), op("read", out=ABSENT, at=(3, 4))],
}


@pytest.mark.parametrize("name", BAD)
def test_what_no_register_told_is_seen(name: str) -> None:
    [violation] = check(BAD[name])
    assert violation.anomaly == "not-linearizable"
    assert 0 < len(violation.evidence) <= len(BAD[name])
    assert check(BAD[name][:-1]) == []


@pytest.mark.parametrize("name", GOOD)
def test_what_a_register_may_tell_is_let_be(name: str) -> None:
    assert check(GOOD[name]) == []


class Store:
    """Registers, as clients in virtual time use them; every value is written once."""

    def __init__(self, keys: int = 2) -> None:
        self.held: dict[str, int] = {}
        self.keys = keys
        self.last = 0

    def ask(self, chance: Random, client: int) -> Ask:
        self.last += 1
        key = f"r{chance.randrange(self.keys)}"
        f = chance.choice(("read", "read", "write", "cas", "delete"))
        held = self.held.get(key, ABSENT)
        old = held if chance.random() < 0.7 else self.last - 1
        return key, f, {"read": (), "write": (self.last,), "cas": (old, self.last), "delete": ()}[f]

    def act(self, asked: Ask) -> Answer:
        key, f, given = asked
        held = self.held.get(key, ABSENT)
        if f == "read":
            return True, held
        if f == "cas" and held != given[0]:
            return False, held if held % 2 else None
        self.held[key] = ABSENT if f == "delete" else given[-1]
        return True, None


def registers(seed: int, *, count: int = 60, clients: int = 5, keys: int = 2) -> list[Operation]:
    store = Store(keys)
    return histories(seed, clients=clients, count=count, ask=store.ask, act=store.act)


def test_histories_of_true_registers_are_explained() -> None:
    for seed in range(SEEDS):
        assert check(registers(seed)) == [], f"seed {seed}"


def back_in_time(chance: Random, history: list[Operation]) -> list[Operation]:
    """A read gives what a read before had given that another read since did not."""
    reads = [one for one in history if one.f == "read" and one.ok and one.output != ABSENT]
    first, second, third = some(
        chance,
        (
            (a, b, c)
            for a in reads
            for b in reads
            for c in reads
            if a.key == b.key == c.key
            and a.output != b.output
            and (a.returned or 0) < b.call
            and (b.returned or 0) < c.call
        ),
    )
    assert second.output != first.output
    return spoiled(history, third, output=first.output)


def read_of_failed(chance: Random, history: list[Operation]) -> list[Operation]:
    failed = some(chance, (one for one in history if one.f == "write" and one.ok is False))
    reads = (one for one in history if one.f == "read" and one.ok and one.key == failed.key)
    return spoiled(history, some(chance, reads), output=failed.input[0])


def seen_write_failed(chance: Random, history: list[Operation]) -> list[Operation]:
    """The write of a value that was read is said to have had no effect."""
    seen = {(one.key, one.output) for one in history if one.f == "read" and one.ok}
    found = (one for one in history if one.f == "write" and (one.key, one.input[0]) in seen)
    one = some(chance, found)
    return spoiled(history, one, ok=False, returned=one.returned or one.call + 1)


def seen_write_dropped(chance: Random, history: list[Operation]) -> list[Operation]:
    seen = {(one.key, one.output) for one in history if one.f == "read" and one.ok}
    found = [one for one in history if one.f == "write" and (one.key, one.input[0]) in seen]
    gone = some(chance, found)
    return [one for one in history if one is not gone]


def write_after_it_was_read(chance: Random, history: list[Operation]) -> list[Operation]:
    """A write is called only when a read of it is over."""
    reads = {(one.key, one.output): one for one in reversed(history) if one.f == "read" and one.ok}
    found = [
        one for one in history if one.f == "write" and one.ok and (one.key, one.input[0]) in reads
    ]
    one = some(chance, found)
    after = (reads[one.key, one.input[0]].returned or 0) + 1
    return spoiled(history, one, call=after, returned=after + 1)


MUTATIONS = (
    back_in_time,
    read_of_failed,
    seen_write_failed,
    seen_write_dropped,
    write_after_it_was_read,
)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.__name__)
def test_spoiled_histories_are_not_explained(mutation) -> None:  # type: ignore[no-untyped-def]
    spoilt = 0
    for seed in range(40):
        try:
            history = mutation(Random(f"{seed}"), registers(seed))
        except IndexError:
            continue  # this history has nothing of that kind
        spoilt += 1
        found = [one.anomaly for one in check(history)]
        assert "not-linearizable" in found, f"seed {seed}"
    assert spoilt > 15


Drawn = tuple[str, int, int, int, int, bool | None, bool]
VALUES = st.integers(0, 2)
SMALL = st.lists(
    st.tuples(
        st.sampled_from(("read", "write", "cas")),
        VALUES,
        VALUES,
        st.integers(0, 8),
        st.integers(0, 5),
        st.sampled_from((True, True, True, False, None)),
        st.booleans(),
    ),
    max_size=6,
)


def by_brute_force(history: Sequence[Operation]) -> bool:
    """Every order, of every choice of the unknown ones."""
    model = Register(initial=0)
    told = [one for one in history if one.ok or (one.ok is False and one.f == "cas")]
    unknown = [one for one in history if one.ok is None and one.f != "read"]
    for chosen in range(1 << len(unknown)):
        used = [one for number, one in enumerate(unknown) if chosen >> number & 1]
        if any(_is_one_after_another(model, order) for order in permutations(told + used)):
            return True
    return False


def _is_one_after_another(model: Register, order: Sequence[Operation]) -> bool:
    state: Hashable = model.initial
    for number, one in enumerate(order):
        if any(late.returned is not None and late.returned < one.call for late in order[number:]):
            return False
        after = model.step(state, one)
        if after is IMPOSSIBLE:
            return False
        state = after
    return True


@settings(max_examples=250, deadline=None, derandomize=True)
@given(SMALL)
def test_the_search_agrees_with_trying_all_orders(drawn: list[Drawn]) -> None:
    history = []
    for client, (f, one, other, call, took, ok, tells) in enumerate(drawn):
        given_ = {"read": (), "write": (one,), "cas": (one, other)}[f]
        out = one if f == "read" else (other if f == "cas" and ok is False and tells else None)
        returned = None if ok is None else call + took
        history.append(
            Operation(
                client=client,
                key="k",
                f=f,
                input=given_,
                output=out,
                call=call,
                returned=returned,
                ok=ok,
            )
        )
    model = Register(initial=0)
    explained = is_explained(history, model=model)
    assert explained is by_brute_force(history)
    assert [bool(one.evidence) for one in check(history, model=model)] == [True] * (not explained)


def test_a_thousand_operations_of_eight_clients_are_judged_in_no_time() -> None:
    busy = Trouble(unknown=0.03, failed=0.02)
    store = Store(keys=1)
    history = histories(1, clients=8, count=1_000, ask=store.ask, act=store.act, trouble=busy)
    wrong = back_in_time(Random("1"), history[:150])
    start = process_time()
    assert check(history) == []
    assert check([*wrong, *history[150:]]) != []
    assert process_time() - start < 10


def test_who_gives_up_says_so() -> None:
    history = [op("write", n, at=(0, 100)) for n in range(8)]
    history += [op("read", out=n, at=(200 + 2 * n, 201 + 2 * n)) for n in (3, 4)]
    [violation] = check(history, states_max=50)
    assert violation.anomaly == UNDECIDED
    assert is_explained(history, states_max=50) is None
    assert is_explained(history) is False


def test_other_things_than_registers_can_be_judged() -> None:
    added = [op("add", 1, at=(0, None)), op("add", 2, at=(1, 2)), op("add", 4, at=(1, None))]
    for total in (2, 3, 6, 7):
        assert is_explained([*added, op("read", out=total, at=(3, 4))], model=Counter())
        read = op("read", out=[n for n in (1, 2, 4) if total & n], at=(3, 4))
        assert is_explained([*added, read], model=GrowingSet())
    assert not is_explained([*added, op("read", out=5, at=(3, 4))], model=Counter())
    assert not is_explained([*added, op("read", out=[1, 4], at=(3, 4))], model=GrowingSet())
    takes = [op("take", 2, at=(0, None)), op("take", 1, out=[3], at=(1, 2))]
    assert is_explained(takes, model=Numbers(1, 4))
    assert is_explained([*takes, op("take", 1, out=[1], at=(3, 4))], model=Numbers(1, 4))
    assert not is_explained(takes[1:], model=Numbers(1, 4))


def test_an_operation_that_is_not_over_is_not_taken_for_failed() -> None:
    [write, read] = [op("write", 1, at=(0, None)), op("read", out=1, at=(1, 2))]
    assert check([write, read]) == []
    assert len(check([replace(write, returned=1, ok=False), read])) == 1
