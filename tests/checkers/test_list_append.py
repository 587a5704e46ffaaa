"""The checker of lists knows each anomaly by its name."""

from random import Random
from time import process_time

import pytest

from quoth_node.testing.checkers.list_append import LEVELS, check
from quoth_node.testing.history import Operation
from tests.checkers.virtual_clients import Answer, Ask, Trouble, histories, some, spoiled

SEEDS = 200


def txn(
    *micro: tuple[str, list[int] | int], at: tuple[int, int | None], ok: bool | None = True
) -> Operation:
    """`("x", [1])` reads [1] of x, `("x", 1)` appends 1 to it."""
    asked = [
        ["r", key, None] if isinstance(one, list) else ["append", key, one] for key, one in micro
    ]
    told = [["r" if isinstance(one, list) else "append", key, one] for key, one in micro]
    begin, end = at
    return Operation(
        client=begin,
        key="lists",
        f="txn",
        input=tuple(asked),
        output=told if ok and end is not None else None,
        call=begin,
        returned=end,
        ok=None if end is None else ok,
    )


A, B, C = (0, 9), (1, 9), (2, 9)  # at once
ONE, TWO, THREE = (10, 11), (20, 21), (30, 31)  # one after another
BAD = {
    "G0": [
        txn(("x", 1), ("y", 1), at=A),
        txn(("x", 2), ("y", 2), at=B),
        txn(("x", [1, 2]), ("y", [2, 1]), at=ONE),
    ],
    "G1a": [txn(("x", 1), at=A, ok=False), txn(("x", [1]), at=ONE)],
    "G1b": [txn(("x", 1), ("x", 2), at=A), txn(("x", [1]), at=B)],
    "G1c": [txn(("x", 1), ("y", [1]), at=A), txn(("y", 1), ("x", [1]), at=B)],
    "G-single": [
        txn(("x", 1), ("y", 1), at=A),
        txn(("x", [1]), ("y", []), at=B),
        txn(("y", [1]), at=C),
    ],
    "G2-item": [
        txn(("x", []), ("y", 1), at=A),
        txn(("y", []), ("x", 1), at=B),
        txn(("x", [1]), ("y", [1]), at=ONE),
    ],
    "lost-update": [
        txn(("x", []), ("x", 1), at=A),
        txn(("x", []), ("x", 2), at=B),
        txn(("x", [1, 2]), at=ONE),
    ],
    "G-single-realtime": [txn(("x", 1), at=ONE), txn(("x", []), at=TWO), txn(("x", [1]), at=THREE)],
    "G0-realtime": [txn(("x", 1), at=ONE), txn(("x", 2), at=TWO), txn(("x", [2, 1]), at=THREE)],
    "G1c-realtime": [txn(("x", [1]), at=ONE), txn(("x", 1), at=TWO)],
    "G2-item-realtime": [
        txn(("x", []), at=(20, 30)),
        txn(("y", []), ("x", 1), at=(5, 25)),
        txn(("y", 1), at=(0, 10)),
        txn(("x", [1]), ("y", [1]), at=(40, 41)),
    ],
    "lost-append": [txn(("x", 1), at=ONE), txn(("x", []), at=TWO)],
    "phantom-element": [txn(("x", [7]), at=ONE)],
    "duplicate-elements": [txn(("x", 1), at=ONE), txn(("x", [1, 1]), at=TWO)],
    "incompatible-order": [
        txn(("x", 1), at=A),
        txn(("x", 2), at=B),
        txn(("x", [1, 2]), at=ONE),
        txn(("x", [2, 1]), at=TWO),
    ],
    "internal": [txn(("x", 1), ("x", []), at=ONE)],
}


@pytest.mark.parametrize("anomaly", BAD)
def test_each_anomaly_is_known_by_its_name(anomaly: str) -> None:
    found = [one for one in check(BAD[anomaly], forbidden={anomaly})]
    assert anomaly in {one.anomaly for one in found}
    assert all(0 < len(one.evidence) <= 4 for one in found)


def test_a_level_lets_be_what_it_allows() -> None:
    skew = BAD["G2-item"]
    assert check(skew, level="snapshot-isolation") == []
    assert [one.anomaly for one in check(skew, level="serializable")] == ["G2-item"]
    stale = BAD["G-single-realtime"]
    assert check(stale, level="serializable") == []
    assert [one.anomaly for one in check(stale)] == ["G-single-realtime"]
    assert [one.anomaly for one in check(stale, level="checked-writes")] == ["stale-read"]
    fractured = BAD["G-single"]
    assert check(fractured, level="checked-writes") == []
    assert [one.anomaly for one in check(fractured, level="snapshot-isolation")] == ["G-single"]
    assert "G1a" in set.intersection(*map(set, LEVELS.values()))


GOOD = {
    "unknown, unseen": [txn(("x", 1), at=(0, None)), txn(("x", []), at=ONE)],
    "unknown, seen late": [
        txn(("x", 1), at=(0, None)),
        txn(("x", []), at=ONE),
        txn(("x", [1]), at=TWO),
    ],
    "failed": [txn(("x", 1), at=A, ok=False), txn(("x", []), at=ONE)],
    "own append": [
        txn(("x", []), ("x", 1), ("x", [1]), ("x", 2), ("x", [1, 2]), at=ONE),
        txn(("x", [1, 2]), at=TWO),
    ],
    "at once": [txn(("x", 1), at=(0, 50)), txn(("x", []), at=ONE), txn(("x", [1]), at=TWO)],
    "unread append comes last": [
        txn(("x", 1), at=ONE),
        txn(("x", [1]), at=TWO),
        txn(("x", 2), at=THREE),
    ],
}


@pytest.mark.parametrize("name", GOOD)
def test_what_may_be_is_let_be(name: str) -> None:
    assert check(GOOD[name]) == []


def test_an_append_that_nobody_read_comes_after_what_was_read() -> None:
    """The reader of [1] is before the append of 2, which was read by nobody, and of y by all."""
    reader = txn(("x", [1]), ("y", [1]), at=B)
    history = [txn(("x", 1), at=(-9, -8)), txn(("x", 2), ("y", 1), at=A), reader]
    assert [one.anomaly for one in check(history)] == ["G-single"]


def test_half_of_an_unknown_transaction_is_not_enough() -> None:
    history = [txn(("x", 1), ("y", 1), at=(0, None)), txn(("x", [1]), ("y", []), at=ONE)]
    assert [one.anomaly for one in check(history)] == ["G-single"]


def test_what_was_appended_twice_tells_nothing() -> None:
    with pytest.raises(ValueError, match="1 was appended to x twice"):
        check([txn(("x", 1), at=ONE), txn(("x", 1), at=TWO)])


class Lists:
    """Lists, as transactions in virtual time use them; lists in use change as they grow."""

    def __init__(self, keys: int = 3, length: int = 30) -> None:
        self.held: dict[str, list[int]] = {}
        self.keys = keys
        self.length = length
        self.last = 0

    def ask(self, chance: Random, client: int) -> Ask:
        micro: list[list[str | int | None]] = []
        base = self.last // (self.keys * self.length)
        for _ in range(chance.randint(1, 4)):
            key = f"l{base}/{chance.randrange(self.keys)}"
            if chance.random() < 0.5:
                micro.append(["r", key, None])
            else:
                self.last += 1
                micro.append(["append", key, self.last])
        return "lists", "txn", tuple(micro)

    def act(self, asked: Ask) -> Answer:
        told = []
        for f, key, value in asked[2]:
            held = self.held.setdefault(key, [])
            if f == "append":
                held.append(value)
            told.append([f, key, list(held) if f == "r" else value])
        return True, told


def lists(seed: int, count: int = 60, clients: int = 5) -> list[Operation]:
    store = Lists()
    return histories(seed, clients=clients, count=count, ask=store.ask, act=store.act)


def test_histories_of_true_lists_pass() -> None:
    for seed in range(SEEDS):
        assert check(lists(seed)) == [], f"seed {seed}"


def read_lists(history: list[Operation], least: int) -> list[tuple[Operation, int]]:
    """Where transactions that only read saw a list that is long enough."""
    return [
        (one, at)
        for one in history
        if one.ok and all(f == "r" for f, _, _ in one.input)
        for at, (_, key, values) in enumerate(one.output)
        if len(values) >= least and sum(key == other for _, other, _ in one.output) == 1
    ]


def with_list(
    history: list[Operation], one: Operation, at: int, values: list[int]
) -> list[Operation]:
    told = [[f, key, values if at == n else value] for n, (f, key, value) in enumerate(one.output)]
    return spoiled(history, one, output=told)


def last_elements_swapped(chance: Random, history: list[Operation]) -> list[Operation]:
    """... of a list that others read, too, in its order."""
    longest: dict[str, int] = {}
    for one in history:
        for f, key, values in one.output or () if one.ok else ():
            if f == "r":
                longest[key] = max(longest.get(key, 0), len(values))
    one, at = some(
        chance,
        (
            (a, n)
            for a, n in read_lists(history, 2)
            if len(a.output[n][2]) < longest[a.output[n][1]]
        ),
    )
    values = one.output[at][2]
    return with_list(history, one, at, [*values[:-2], values[-1], values[-2]])


def element_twice(chance: Random, history: list[Operation]) -> list[Operation]:
    one, at = some(chance, read_lists(history, 1))
    values = one.output[at][2]
    return with_list(history, one, at, [*values, values[0]])


def element_of_nobody(chance: Random, history: list[Operation]) -> list[Operation]:
    one, at = some(chance, read_lists(history, 0))
    return with_list(history, one, at, [*one.output[at][2], -7])


def moved_back(chance: Random, history: list[Operation]) -> list[Operation]:
    """A read does not have what was acknowledged before it."""
    known = {
        (key, value): one.returned or 0
        for one in history
        if one.ok
        for f, key, value in one.input
        if f == "append"
    }
    found = (
        (one, at)
        for one, at in read_lists(history, 1)
        if known.get((one.output[at][1], one.output[at][2][-1]), one.call) < one.call
    )
    one, at = some(chance, found)
    return with_list(history, one, at, one.output[at][2][:-1])


def read_append_failed(chance: Random, history: list[Operation]) -> list[Operation]:
    seen = {
        (key, value)
        for one in history
        if one.ok
        for f, key, values in one.output
        if f == "r"
        for value in values
    }
    found = (
        one
        for one in history
        if one.ok
        and any(f == "append" and (key, value) in seen for f, key, value in one.input)
        and not any(f == "r" for f, _, _ in one.input)
    )
    return spoiled(history, some(chance, found), ok=False, output=None)


def writer_forgotten(chance: Random, history: list[Operation]) -> list[Operation]:
    one, at = some(chance, read_lists(history, 1))
    _, key, values = one.output[at]
    return [
        each for each in history if ["append", key, values[-1]] not in [list(m) for m in each.input]
    ]


def later_than_it_was_read(chance: Random, history: list[Operation]) -> list[Operation]:
    """An append is called only when somebody who read it is over."""
    one, at = some(chance, read_lists(history, 1))
    _, key, values = one.output[at]
    writer = next(each for each in history if ["append", key, values[-1]] in list(each.input))
    after = (one.returned or 0) + 1
    return spoiled(
        history, writer, call=after, returned=None if writer.returned is None else after + 1
    )


MUTATIONS = {
    last_elements_swapped: {"incompatible-order"},
    element_twice: {"duplicate-elements"},
    element_of_nobody: {"phantom-element"},
    moved_back: {
        "G2-item",
        "G-single-realtime",
        "G-single",
        "lost-append",
        "G2-item-realtime",
        "G1c",
        "G1b",
    },
    read_append_failed: {"G1a"},
    writer_forgotten: {"phantom-element"},
    later_than_it_was_read: {
        "G1c-realtime",
        "G0-realtime",
        "G1c",
        "G-single-realtime",
        "G2-item-realtime",
        "G-single",
        "G2-item",
    },
}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.__name__)
def test_spoiled_histories_are_seen(mutation) -> None:  # type: ignore[no-untyped-def]
    spoilt = 0
    for seed in range(40):
        try:
            history = mutation(Random(f"{seed}"), lists(seed))
        except IndexError:
            continue  # this history has nothing of that kind
        spoilt += 1
        assert MUTATIONS[mutation] & {one.anomaly for one in check(history)}, f"seed {seed}"
    assert spoilt > 25


def test_many_transactions_are_judged_in_time() -> None:
    store = Lists(keys=5, length=50)
    quiet = Trouble(unknown=0.01, failed=0.02)
    history = histories(1, clients=8, count=5_000, ask=store.ask, act=store.act, trouble=quiet)
    start = process_time()
    assert check(history) == []
    spoilt = moved_back(Random("1"), history)
    assert check(spoilt) != []
    assert process_time() - start < 15
