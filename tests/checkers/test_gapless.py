"""The checker of sequences knows gaps, duplicates, and who must hold what."""

from dataclasses import replace
from random import Random

import pytest

from quoth_node.testing.checkers.gapless import check
from quoth_node.testing.history import Operation
from tests.checkers.virtual_clients import Answer, Ask, histories, some, spoiled

SEEDS = 200
END = 100_000


class Counting:
    """One sequence, as clients in virtual time use it; with an `end` it begins anew."""

    def __init__(self, end: int | None) -> None:
        self.next = 1
        self.end = end
        self.holders: dict[str, list[str]] = {}
        self.asked = 0

    def ask(self, chance: Random, client: int) -> Ask:
        self.asked += 1
        return "s", "take", (chance.choice((1, 1, 2, 3)), f"d{self.asked}")

    def act(self, asked: Ask) -> Answer:
        count, holder = asked[2]
        numbers = []
        for _ in range(count):
            numbers.append(self.next)
            self.holders.setdefault(str(self.next), []).append(holder)
            self.next = 1 if self.next + 1 == self.end else self.next + 1
        return True, numbers


def sequence(seed: int, end: int | None = None) -> list[Operation]:
    store = Counting(end)
    history = histories(seed, clients=5, count=50, ask=store.ask, act=store.act)
    held: dict[str, object] = {n: one if end else one[0] for n, one in store.holders.items()}
    return [*history, *(holders(held, node) for node in "AB")]


def holders(held: dict[str, object], node: str = "A") -> Operation:
    return Operation(
        client=9, key="s", f="holders", output=held, call=END, returned=END + 1, ok=True, node=node
    )


def take(
    *numbers: int, call: int, ok: bool | None = True, count: int = 1, holder: str = ""
) -> Operation:
    given = (len(numbers) or count, *([holder] if holder else []))
    return Operation(
        client=call,
        key="s",
        f="take",
        input=given,
        output=list(numbers) if ok else None,
        call=call,
        returned=None if ok is None else call + 1,
        ok=ok,
    )


def test_histories_of_a_true_sequence_pass() -> None:
    for seed in range(SEEDS):
        assert check(sequence(seed)) == [], f"seed {seed}"
        without = [replace(one, input=one.input[:1]) for one in sequence(seed)]
        assert check(without) == [], f"seed {seed}"
        assert check(without[:-2]) == [], f"seed {seed}, nobody tells the holders"


def test_histories_of_a_true_sequence_that_begins_anew_pass() -> None:
    for seed in range(60):
        assert check(sequence(seed, end=8), reset_value=8) == [], f"seed {seed}"


def told(history: list[Operation]) -> list[Operation]:
    return [one for one in history if one.f == "take" and one.ok]


def with_holders(history: list[Operation], held: dict[str, object]) -> list[Operation]:
    return [*history[:-2], holders(held), holders(held, "B")]


def number_gone(chance: Random, history: list[Operation]) -> list[Operation]:
    held = dict(history[-1].output)
    last = max(map(int, held))
    held.pop(str(some(chance, (n for one in told(history) for n in one.output if n < last))))
    return with_holders(history, held)


def held_by_another(chance: Random, history: list[Operation]) -> list[Operation]:
    taken = some(chance, told(history))
    return with_holders(history, history[-1].output | {str(taken.output[0]): "somebody"})


def one_more(chance: Random, history: list[Operation]) -> list[Operation]:
    """Someone holds a number, and no take that may have happened is left for it."""
    count = sum(one.input[0] for one in history if one.f == "take" and one.ok is None)
    last = max(map(int, history[-1].output))
    more = {str(last + n): f"nobody {n}" for n in range(1, count + 2)}
    return with_holders(history, history[-1].output | more)


def told_twice(chance: Random, history: list[Operation]) -> list[Operation]:
    one, other = some(chance, ((a, b) for a in told(history) for b in told(history) if a is not b))
    numbers = list(range(other.output[0], other.output[0] + one.input[0]))
    return spoiled(history, one, output=numbers)


def not_in_a_row(chance: Random, history: list[Operation]) -> list[Operation]:
    taken = some(chance, (one for one in told(history) if one.input[0] > 1))
    return spoiled(history, taken, output=taken.output[::-1])


def swapped(chance: Random, history: list[Operation]) -> list[Operation]:
    early, late = some(
        chance,
        (
            (a, b)
            for a in told(history)
            for b in told(history)
            if (a.returned or 0) < b.call and a.input[0] == b.input[0]
        ),
    )
    numbers = early.output
    return spoiled(spoiled(history, early, output=late.output), late, output=numbers)


def it_had_failed(chance: Random, history: list[Operation]) -> list[Operation]:
    return spoiled(history, some(chance, told(history)), ok=False, output=None)


def without_holder(chance: Random, history: list[Operation]) -> list[Operation]:
    return with_holders(history, history[-1].output | {"1": ""})


def node_behind(chance: Random, history: list[Operation]) -> list[Operation]:
    held = dict(history[-1].output)
    held.pop(max(held, key=int))
    return [*history[:-1], holders(held, "B")]


MUTATIONS = {
    number_gone: "lost-number",
    held_by_another: "wrong-holder",
    one_more: "of-no-take",
    told_twice: "given-twice",
    not_in_a_row: "not-contiguous",
    swapped: "given-backwards",
    it_had_failed: "of-a-failed-take",
    without_holder: "held-by-nobody",
    node_behind: "nodes-differ",
}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.__name__)
def test_spoiled_histories_are_seen(mutation) -> None:  # type: ignore[no-untyped-def]
    for seed in range(40):
        history = mutation(Random(f"{seed}"), sequence(seed))
        assert MUTATIONS[mutation] in {one.anomaly for one in check(history)}, f"seed {seed}"


CASES = {
    "gap": ([take(1, call=0), take(3, call=5)], ["gap"]),
    "gap of an unknown take": ([take(1, call=0), take(call=2, ok=None), take(3, call=5)], []),
    "gap of two": ([take(1, call=0), take(call=2, ok=None), take(4, call=5)], ["gap"]),
    "gap of a failed take": ([take(1, call=0), take(call=2, ok=False), take(3, call=5)], ["gap"]),
    "a half of an unknown take": (
        [take(1, call=0), take(call=2, ok=None, count=2), take(3, call=5)],
        ["gap"],
    ),
    "void, with a reason": (
        [take(1, call=0), take(3, call=5), holders({"1": "a", "2": "rolled back", "3": "b"})],
        ["of-no-take"],
    ),
    "voided": (
        [
            take(1, call=0),
            take(3, call=5),
            holders({"1": "a", "3": "b"}),
            replace(holders({"2": "rolled back"}), f="voided"),
        ],
        [],
    ),
    "voided without a reason": (
        [take(1, call=0), holders({"1": "a"}), replace(holders({"2": ""}), f="voided")],
        ["held-by-nobody"],
    ),
    "held and void": (
        [take(1, call=0), holders({"1": "a"}), replace(holders({"1": "b"}), f="voided")],
        ["held-twice"],
    ),
    "nobody holds it": (
        [take(1, call=0), take(2, call=5), holders({"1": "a", "3": "b"})],
        ["gap", "lost-number", "of-no-take"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_fault_has_its_name(name: str) -> None:
    history, anomalies = CASES[name]
    assert [one.anomaly for one in check(history)] == anomalies


def test_a_sequence_begins_anew_where_it_should() -> None:
    history = [take(1, call=0), take(2, call=5), take(1, call=10)]
    assert check(history, reset_value=3) == []
    assert [one.anomaly for one in check(history, reset_value=4)] == ["not-linearizable"]
    held = [holders({"1": ["a", "c"], "2": ["b"]})]
    assert check([*history, *held], reset_value=3) == []
    held = [holders({"1": ["a"], "2": ["b", "c"]})]
    found = [one.anomaly for one in check([*history, *held], reset_value=3)]
    assert found == ["gap", "held-twice"]
