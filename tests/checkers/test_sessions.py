"""The checker of sessions sees every guarantee that a history breaks, and nothing else."""

from dataclasses import replace
from random import Random

import pytest

from quoth_node.testing.checkers.sessions import Did, Guarantee, Kind, broken_guarantees, check
from quoth_node.testing.history import Operation
from tests.checkers.virtual_clients import Answer, Ask, Trouble, histories, some, spoiled


def history(*told: str) -> list[Did]:
    """`a writes x1`, one by one; `x0` is nothing, `maybe` a write of unknown outcome."""
    done = []
    for moment, line in enumerate(told):
        session, doing, what = line.split()
        done.append(
            Did(
                session=session,
                kind=Kind.READ if doing == "reads" else Kind.WRITE,
                key=what[0],
                version=int(what[1:]),
                value=what,
                asked_at=moment,
                told_at=moment + 0.5,
                certain=doing != "maybe",
            )
        )
    return done


@pytest.mark.parametrize(
    ("told", "guarantee"),
    [
        (("a writes x1", "a reads x0"), Guarantee.READ_YOUR_WRITES),
        (("b writes x1", "a reads x1", "a reads x0"), Guarantee.MONOTONIC_READS),
        (("a writes x1", "a writes y1", "b reads y1", "b reads x0"), Guarantee.MONOTONIC_WRITES),
        (("a writes x2", "a writes x1"), Guarantee.READ_YOUR_WRITES),
        (
            ("c writes x1", "a reads x1", "a writes y1", "b reads y1", "b reads x0"),
            Guarantee.WRITES_FOLLOW_READS,
        ),
        (
            ("a writes x1", "a writes y1", "b reads y1", "b writes z1", "c reads z1", "c reads x0"),
            Guarantee.WRITES_FOLLOW_READS,
        ),
        (("a maybe x1", "a reads x1", "a reads x0"), Guarantee.MONOTONIC_READS),
        (("a writes x1", "a maybe y1", "b reads y1", "b reads x0"), Guarantee.MONOTONIC_WRITES),
    ],
    ids=lambda given: given.value if isinstance(given, Guarantee) else ", ".join(given),
)
def test_a_broken_guarantee_is_seen(told: tuple[str, ...], guarantee: Guarantee) -> None:
    [broken] = broken_guarantees(history(*told))
    assert broken.known.why is guarantee
    assert str(broken).startswith(f"{guarantee.value}: {told[-1].split()[0]} did ")


@pytest.mark.parametrize(
    "told",
    [
        ("a writes x1", "b reads x0", "b reads x1", "a reads x1"),
        ("a maybe x1", "a reads x0", "a writes x1", "a reads x1"),
        ("a writes x1", "a writes y1", "b reads x0", "b reads y1", "b reads x1"),
        ("a writes x1", "b reads y0", "a writes y1", "b reads x1", "b reads y0"),
        ("a writes x1", "b writes x2", "a reads x2", "b reads x2"),
        ("a writes y1", "a maybe x1", "b reads x0", "b reads y0"),
    ],
    ids=", ".join,
)
def test_what_sessions_may_see_is_let_be(told: tuple[str, ...]) -> None:
    assert broken_guarantees(history(*told)) == []


def test_a_write_is_read_before_its_writer_is_told() -> None:
    [write, read, late] = history("a writes x1", "b reads x1", "b reads x0")
    slow = Did(session="a", kind=Kind.WRITE, key="x", version=1, value="x1", asked_at=0, told_at=9)
    assert write.told_at < slow.told_at
    assert broken_guarantees([slow, read]) == []
    assert len(broken_guarantees([late, slow, read])) == 1


def operation(client: int, f: str, version: int, call: int, *, ok: bool | None = True) -> Operation:
    pair = (version, f"v{version}")
    return Operation(
        client=client,
        key="x",
        f=f,
        input=pair if f == "write" else (),
        output=list(pair) if f == "read" and ok else None,
        call=call,
        returned=None if ok is None else call + 1,
        ok=ok,
    )


def test_operations_are_judged_by_the_sessions_of_their_clients() -> None:
    write, read = operation(1, "write", 2, 0), operation(1, "read", 1, 5)
    [violation] = check([write, read])
    assert violation.anomaly == "read-your-writes"
    assert violation.evidence == (write, read)
    assert check([write, operation(2, "read", 1, 5)]) == []
    for ok in (False, None):
        assert check([operation(1, "write", 2, 0, ok=ok), read]) == []
        assert check([write, operation(1, "read", 1, 5, ok=ok)]) == []


class Versions:
    """Versions of keys, as sessions in virtual time use them; all reads are current."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[int, str]] = {}

    def ask(self, chance: Random, client: int) -> Ask:
        return chance.choice("xyz"), chance.choice(("read", "write")), (0, f"{chance.random()}")

    def act(self, asked: Ask) -> Answer:
        key, f, given = asked
        held = self.held.get(key, (0, ""))
        if f == "write":
            self.held[key] = held = (held[0] + 1, given[1])
        return True, held


def sessions(seed: int) -> list[Operation]:
    store = Versions()
    history = histories(
        seed,
        clients=4,
        count=60,
        ask=store.ask,
        act=store.act,
        trouble=Trouble(unknown=0.0),
    )
    return [
        replace(one, input=one.output, output=None) if one.f == "write" and one.ok else one
        for one in history
    ]


def test_histories_of_true_sessions_pass() -> None:
    for seed in range(200):
        assert check(sessions(seed)) == [], f"seed {seed}"


@pytest.mark.parametrize("f", ["read", "write"])
def test_a_session_that_goes_back_is_seen(f: str) -> None:
    for seed in range(40):
        history = sessions(seed)
        done = [one for one in history if one.ok]
        knew, late = some(
            Random(f"{seed}"),
            (
                (a, b)
                for a in done
                for b in done
                if (a.client, a.key, a.f, b.f) == (b.client, b.key, f, "read")
                and a.call < b.call
                and (a.output or a.input)[0] > 0
            ),
        )
        version = (knew.output if f == "read" else knew.input)[0] - 1
        found = check(spoiled(history, late, output=(version, "older")))
        assert found, f"seed {seed}"
