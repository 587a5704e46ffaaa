"""The witness knows when what nodes say of the order cannot be."""

from dataclasses import replace
from random import Random

import pytest

from quoth_node.testing.checkers.index_witness import check
from quoth_node.testing.history import Operation
from tests.checkers.test_linearizability import SEEDS, op, registers
from tests.checkers.virtual_clients import some, spoiled


def test_histories_of_true_registers_pass() -> None:
    for seed in range(SEEDS):
        assert check(registers(seed)) == [], f"seed {seed}"


def placed(history: list[Operation], *fs: str) -> list[Operation]:
    return [one for one in history if one.index is not None and one.ok and one.f in fs]


def given_twice(chance: Random, history: list[Operation]) -> list[Operation]:
    writes = placed(history, "write", "delete")
    one = some(chance, writes)
    other = some(chance, (each for each in writes if each.key == one.key and each is not one))
    return spoiled(history, one, index=other.index)


def before_its_time(chance: Random, history: list[Operation]) -> list[Operation]:
    """A write says it came before another that had returned when it was called."""
    writes = placed(history, "write")
    late, early = some(
        chance,
        (
            (a, b)
            for a in writes
            for b in writes
            if a.key == b.key and (b.returned or 0) < a.call and b.index
        ),
    )
    return spoiled(history, late, index=(early.index or 0) - 1)


def another_value(chance: Random, history: list[Operation]) -> list[Operation]:
    """A read gives what was written before, or after."""
    read = some(chance, placed(history, "read"))
    values = {one.input[-1] for one in placed(history, "write", "cas") if one.key == read.key}
    return spoiled(history, read, output=some(chance, sorted(values - {read.output})))


MUTATIONS = {
    given_twice: {"index-given-twice"},
    before_its_time: {"index-order", "index-given-twice"},
    another_value: {"replay"},
}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.__name__)
def test_spoiled_histories_are_seen(mutation) -> None:  # type: ignore[no-untyped-def]
    for seed in range(40):
        history = mutation(Random(f"{seed}"), registers(seed))
        found = check(history)
        assert {one.anomaly for one in found} & MUTATIONS[mutation], f"seed {seed}"
        assert all(one.evidence for one in found)


def test_the_order_of_the_log_counts_and_not_that_of_time() -> None:
    first = replace(op("write", 1, at=(0, 9)), index=2)
    second = replace(op("write", 2, at=(1, 9)), index=1)
    read = replace(op("read", out=1, at=(10, 11)), index=2)
    assert check([first, second, read]) == []
    [violation] = check([replace(first, index=1), replace(second, index=2), read])
    assert violation.anomaly == "replay"


def test_one_without_an_index_is_where_time_allows() -> None:
    writes = [replace(op("write", n, at=(10 * n, 10 * n + 1)), index=n) for n in (1, 3)]
    unknown = op("write", 2, at=(12, None))
    read = replace(op("read", out=2, at=(20, 21)), index=2)
    assert check([*writes, unknown, read]) == []
    assert len(check([*writes, replace(unknown, call=22), read])) == 1
