"""The checker of banks counts every coin."""

from random import Random

import pytest

from quoth_node.testing.checkers.bank import check
from quoth_node.testing.history import Operation
from tests.checkers.virtual_clients import TROUBLE, Answer, Ask, Trouble, histories, some, spoiled

SEEDS = 200
INITIAL = {"a": 50, "b": 50, "c": 50}


class Vault:
    """Accounts, as clients in virtual time use them."""

    def __init__(self) -> None:
        self.balances = dict(INITIAL)

    def ask(self, chance: Random, client: int) -> Ask:
        if chance.random() < 0.4:
            return "bank", "read", ()
        source, target = chance.sample(sorted(INITIAL), 2)
        return "bank", "transfer", (source, target, chance.randint(1, 20))

    def act(self, asked: Ask) -> Answer:
        _, f, given = asked
        if f == "read":
            return True, dict(self.balances)
        source, target, amount = given
        if self.balances[source] < amount:
            return False, None
        self.balances[source] -= amount
        self.balances[target] += amount
        return True, None


def bank(seed: int, trouble: Trouble = TROUBLE) -> list[Operation]:
    vault = Vault()
    return histories(seed, clients=5, count=60, ask=vault.ask, act=vault.act, trouble=trouble)


def test_histories_of_a_true_bank_pass() -> None:
    for seed in range(SEEDS):
        assert check(bank(seed), initial=INITIAL) == [], f"seed {seed}"


def reads(history: list[Operation]) -> list[Operation]:
    return [one for one in history if one.f == "read" and one.ok]


def one_side_only(chance: Random, history: list[Operation]) -> list[Operation]:
    read = some(chance, reads(history))
    return spoiled(history, read, output=read.output | {"a": read.output["a"] + 1})


def below_nothing(chance: Random, history: list[Operation]) -> list[Operation]:
    read = some(chance, reads(history))
    balances = read.output | {"a": -1, "b": read.output["a"] + read.output["b"] + 1}
    return spoiled(history, read, output=balances)


def account_gone(chance: Random, history: list[Operation]) -> list[Operation]:
    read = some(chance, reads(history))
    return spoiled(history, read, output={"a": 100, "b": 50})


def transfer_dropped(chance: Random, history: list[Operation]) -> list[Operation]:
    """Somebody was told of a transfer, and the log has none; later reads show it."""
    last = max(one.index or 0 for one in reads(history))
    found = (one for one in history if one.f == "transfer" and one.ok and (one.index or 0) <= last)
    gone = some(chance, found)
    return [one for one in history if one is not gone]


def coins_moved(chance: Random, history: list[Operation]) -> list[Operation]:
    """The sum is right, and nobody moved them."""
    read = some(chance, (one for one in reads(history) if one.output["a"]))
    balances = read.output | {"a": read.output["a"] - 1, "b": read.output["b"] + 1}
    return spoiled(history, read, output=balances)


def older_balances(chance: Random, history: list[Operation]) -> list[Operation]:
    found = reads(history)
    one, other = some(chance, ((a, b) for a in found for b in found if a.output != b.output))
    return spoiled(history, one, output=other.output)


MUTATIONS = {
    one_side_only: "wrong-total",
    below_nothing: "negative-balance",
    account_gone: "wrong-accounts",
    transfer_dropped: "wrong-balances",
    coins_moved: "wrong-balances",
    older_balances: "wrong-balances",
}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.__name__)
def test_spoiled_histories_are_seen(mutation) -> None:  # type: ignore[no-untyped-def]
    for seed in range(40):
        # No transfer is unknown, so none can explain what was spoiled.
        history = bank(seed, Trouble(unknown=0.0))
        found = check(mutation(Random(f"{seed}"), history), initial=INITIAL)
        assert MUTATIONS[mutation] in {one.anomaly for one in found}, f"seed {seed}"


def transfer(
    amount: int, *, ok: bool | None = True, index: int | None = None, call: int = 0
) -> Operation:
    returned = None if ok is None else call + 1
    return Operation(
        client=1,
        key="bank",
        f="transfer",
        input=("a", "b", amount),
        ok=ok,
        index=index,
        call=call,
        returned=returned,
    )


def read(a: int, *, index: int, call: int) -> Operation:
    out = {"a": a, "b": 100 - a, "c": 50}
    return Operation(
        client=2,
        key="bank",
        f="read",
        output=out,
        ok=True,
        index=index,
        call=call,
        returned=call + 1,
    )


@pytest.mark.parametrize(
    ("history", "anomaly"),
    [
        ([transfer(5, index=1), read(45, index=1, call=5)], None),
        ([transfer(5, index=1), read(50, index=1, call=5)], "wrong-balances"),
        ([transfer(5, ok=None), read(50, index=1, call=5), read(45, index=1, call=9)], None),
        (
            [transfer(5, ok=None), read(45, index=1, call=5), read(50, index=1, call=9)],
            "wrong-balances",
        ),
        ([transfer(5, ok=None, call=9), read(45, index=1, call=5)], "wrong-balances"),
        ([transfer(5, ok=False), read(45, index=1, call=5)], "wrong-balances"),
        ([transfer(3, ok=None), transfer(4, ok=None), read(43, index=1, call=5)], None),
        ([transfer(3, ok=None), transfer(4, ok=None), read(44, index=1, call=5)], "wrong-balances"),
        ([transfer(5, index=7), read(50, index=3, call=5)], "index-order"),
    ],
    ids=[
        "seen",
        "not seen",
        "unknown, late",
        "comes and goes",
        "from the future",
        "failed",
        "two unknown",
        "no such sum",
        "stale",
    ],
)
def test_the_replay_is_exact(history: list[Operation], anomaly: str | None) -> None:
    assert [one.anomaly for one in check(history, initial=INITIAL)] == [anomaly] * (
        anomaly is not None
    )
