"""The checks of histories see what they are there to see."""

from random import Random

import pytest

from quoth_node.testing.checkers.uniqueness import (
    Created,
    Taken,
    check,
    created_twice,
    given_backwards,
    given_twice,
)
from quoth_node.testing.history import Operation
from tests.checkers.virtual_clients import Answer, Ask, histories, some, spoiled


def test_a_number_given_twice_is_seen() -> None:
    taken = [Taken(1, 0, 1), Taken(2, 1, 2), Taken(1, 2, 3)]
    assert given_twice(taken) == [1]


def test_a_number_lower_than_one_told_before_is_seen() -> None:
    early, late = Taken(5, 0, 1), Taken(4, 2, 3)
    assert given_backwards([late, early]) == [(early, late)]


def test_questions_at_the_same_time_may_be_answered_in_any_order() -> None:
    assert given_backwards([Taken(5, 0, 2), Taken(4, 1, 3)]) == []


def test_a_key_created_twice_is_seen() -> None:
    assert created_twice([Created("a", "1"), Created("b", "1"), Created("a", "2")]) == ["a"]


class Series:
    """Identities, as clients in virtual time use them."""

    def __init__(self) -> None:
        self.last = 0

    def ask(self, chance: Random, client: int) -> Ask:
        if chance.random() < 0.1:
            return "users|", "seed", (self.last + chance.randint(-5, 20),)
        return "users|", "next", ()

    def act(self, asked: Ask) -> Answer:
        _, f, given = asked
        self.last = max(self.last, given[0]) if f == "seed" else self.last + 1
        return True, self.last


def series(seed: int) -> list[Operation]:
    store = Series()
    return histories(seed, clients=5, count=60, ask=store.ask, act=store.act)


def test_histories_of_a_true_series_pass() -> None:
    for seed in range(200):
        assert check(series(seed)) == [], f"seed {seed}"


def one_after_another(history: list[Operation], first: str) -> list[tuple[Operation, Operation]]:
    done = [one for one in history if one.ok]
    return [
        (a, b)
        for a in done
        for b in done
        if a.f == first and b.f == "next" and (a.returned or 0) < b.call
    ]


def same_number(chance: Random, history: list[Operation]) -> list[Operation]:
    early, late = some(chance, one_after_another(history, "next"))
    return spoiled(history, late, output=early.output)


def lower_number(chance: Random, history: list[Operation]) -> list[Operation]:
    early, late = some(chance, one_after_another(history, "next"))
    return spoiled(spoiled(history, early, output=late.output), late, output=early.output)


def seed_forgotten(chance: Random, history: list[Operation]) -> list[Operation]:
    early, late = some(chance, one_after_another(history, "seed"))
    return spoiled(history, early, input=(late.output,))


MUTATIONS = {
    same_number: "given-twice",
    lower_number: "given-backwards",
    seed_forgotten: "below-seed",
}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.__name__)
def test_spoiled_histories_are_seen(mutation) -> None:  # type: ignore[no-untyped-def]
    spoilt = 0
    for seed in range(40):
        try:
            history = mutation(Random(f"{seed}"), series(seed))
        except IndexError:
            continue  # this history has no seed that is over before somebody asks
        spoilt += 1
        assert MUTATIONS[mutation] in {one.anomaly for one in check(history)}, f"seed {seed}"
    assert spoilt > 25
