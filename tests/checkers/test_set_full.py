"""The checker of sets misses nothing that is lost, or that comes back."""

from random import Random

import pytest

from quoth_node.testing.checkers.set_full import check
from quoth_node.testing.history import Operation
from tests.checkers.virtual_clients import Answer, Ask, histories, some, spoiled

SEEDS = 200
END = 100_000


class Things:
    """A set, as clients in virtual time use it; each value is added once and removed once."""

    def __init__(self) -> None:
        self.there: list[int] = []
        self.asked: list[int] = []

    def ask(self, chance: Random, client: int) -> Ask:
        die = chance.random()
        if die < 0.3:
            return "s", "read", ()
        if die < 0.45 and self.asked:
            return "s", "remove", (self.asked.pop(chance.randrange(len(self.asked))),)
        value = chance.randint(0, 1 << 40)
        self.asked.append(value)
        return "s", "add", (value,)

    def act(self, asked: Ask) -> Answer:
        _, f, given = asked
        if f == "read":
            return True, list(self.there)
        if f == "add":
            self.there.append(given[0])
        elif given[0] in self.there:
            self.there.remove(given[0])
        return True, None


def things(seed: int) -> list[Operation]:
    store = Things()
    history = histories(seed, clients=5, count=60, ask=store.ask, act=store.act)
    return [*history, *(final(node, list(store.there)) for node in "ABC")]


def final(node: str, values: list[int], call: int = END) -> Operation:
    return Operation(
        client=99,
        key="s",
        f="read",
        input=("final",),
        output=values,
        call=call,
        returned=call + 1,
        ok=True,
        node=node,
    )


def one(f: str, value: int, call: int, *, ok: bool | None = True) -> Operation:
    return Operation(
        client=call,
        key="s",
        f=f,
        input=(value,),
        call=call,
        returned=None if ok is None else call + 1,
        ok=ok,
    )


def read(values: list[int], call: int) -> Operation:
    return Operation(
        client=call, key="s", f="read", output=values, call=call, returned=call + 1, ok=True
    )


def test_histories_of_a_true_set_pass() -> None:
    for seed in range(SEEDS):
        assert check(things(seed)) == [], f"seed {seed}"
        assert check(things(seed), reads_are_current=False) == [], f"seed {seed}"


def gone_in_the_end(chance: Random, history: list[Operation]) -> list[Operation]:
    removed = {one.input[0] for one in history if one.f == "remove"}
    added = [one.input[0] for one in history if one.f == "add" and one.ok]
    lost = some(chance, (value for value in added if value not in removed))
    return [final_without(one, lost) for one in history]


def final_without(one: Operation, lost: int) -> Operation:
    if not one.node:
        return one
    [changed] = spoiled([one], one, output=[value for value in one.output if value != lost])
    return changed


def back_in_the_end(chance: Random, history: list[Operation]) -> list[Operation]:
    acknowledged = {one.input[0]: one for one in history if one.f == "add" and one.ok}
    removed = [
        one.input[0]
        for one in history
        if one.f == "remove"
        and one.ok
        and one.input[0] in acknowledged
        and (acknowledged[one.input[0]].returned or 0) < one.call
    ]
    back = some(chance, removed)
    last = history[-1]
    return [*history, final("A", [*last.output, back], END + 9)]


def nobody_added(chance: Random, history: list[Operation]) -> list[Operation]:
    last = some(chance, (one for one in history if one.f == "read" and one.ok))
    return spoiled(history, last, output=[*last.output, -7])


def its_add_failed(chance: Random, history: list[Operation]) -> list[Operation]:
    shown = {value for one in history if one.f == "read" and one.ok for value in one.output}
    found = (one for one in history if one.f == "add" and one.input[0] in shown)
    add = some(chance, found)
    return spoiled(history, add, ok=False, returned=add.returned or add.call + 1)


def told_twice(chance: Random, history: list[Operation]) -> list[Operation]:
    found = some(chance, (one for one in history if one.f == "read" and one.ok and one.output))
    return spoiled(history, found, output=[*found.output, found.output[0]])


def one_node_is_behind(chance: Random, history: list[Operation]) -> list[Operation]:
    doubtful = {one.input[0] for one in history if one.f == "remove" and one.ok is None}
    there = history[-1].output
    missing = some(chance, (value for value in there if value not in doubtful))
    return spoiled(history, history[-1], output=[value for value in there if value != missing])


MUTATIONS = {
    gone_in_the_end: "lost",
    back_in_the_end: "resurrected",
    nobody_added: "phantom",
    its_add_failed: "failed-add-present",
    told_twice: "duplicate",
    one_node_is_behind: "nodes-differ",
}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.__name__)
def test_spoiled_histories_are_seen(mutation) -> None:  # type: ignore[no-untyped-def]
    spoilt = 0
    for seed in range(40):
        try:
            history = mutation(Random(f"{seed}"), things(seed))
        except IndexError:
            continue  # this history has nothing of that kind
        spoilt += 1
        assert MUTATIONS[mutation] in {one.anomaly for one in check(history)}, f"seed {seed}"
    assert spoilt > 25


CASES = {
    "absent, then there": ([one("add", 1, 0), read([], 5), read([1], 9)], ["stale-read"]),
    "absent, for good": ([one("add", 1, 0), read([1], 5), read([], 9)], ["lost"]),
    "unknown, seen, then lost": ([one("add", 1, 0, ok=None), read([1], 5), read([], 9)], ["lost"]),
    "unknown, late": ([one("add", 1, 0, ok=None), read([], 5), read([1], 9)], []),
    "removed, maybe": ([one("add", 1, 0), one("remove", 1, 3, ok=None), read([], 5)], []),
    "removal failed": ([one("add", 1, 0), one("remove", 1, 3, ok=False), read([], 5)], ["lost"]),
    "removed, there once": (
        [one("add", 1, 0), one("remove", 1, 3), read([1], 5), read([], 9)],
        ["stale-remove"],
    ),
    "removed, and back": (
        [one("add", 1, 0), one("remove", 1, 3), read([], 5), read([1], 9)],
        ["resurrected"],
    ),
    "removed maybe, gone, and back": (
        [one("add", 1, 0), one("remove", 1, 3, ok=None), read([], 5), read([1], 9)],
        ["resurrected"],
    ),
    "unknown add may come after the removal": (
        [one("add", 1, 0, ok=None), one("remove", 1, 3), read([1], 5)],
        [],
    ),
    "from the future": ([read([1], 0), one("add", 1, 5), read([1], 9)], ["phantom"]),
}


@pytest.mark.parametrize("name", CASES)
def test_each_fate_has_its_name(name: str) -> None:
    history, anomalies = CASES[name]
    assert [one.anomaly for one in check(history)] == anomalies


def told_by(node: str, call: int, *values: int) -> Operation:
    return Operation(
        client=9,
        key="s",
        f="read",
        input=("final",),
        output=list(values),
        call=call,
        returned=call + 1,
        ok=True,
        node=node,
    )


@pytest.mark.parametrize("f", ["add", "remove"])
def test_what_may_come_late_is_no_difference_between_nodes(f: str) -> None:
    """Nodes are asked one after the other, and a request whose answer was lost may come between."""
    acknowledged = [value for value in (1, 2) if f == "remove" or value == 1]
    history = [
        Operation(client=value, key="s", f="add", input=(value,), call=0, returned=1, ok=True)
        for value in acknowledged
    ]
    history.append(Operation(client=3, key="s", f=f, input=(2,), call=2))
    before, after = ((1,), (1, 2)) if f == "add" else ((1, 2), (1,))
    late = [told_by("A", 10, *before), told_by("B", 20, *after), told_by("C", 30, *after)]
    assert check([*history, *late]) == []
    back = [*late, told_by("A", 40, *before)]
    assert "nodes-differ" in {one.anomaly for one in check([*history, *back])}
