"""What a run is worth: each reason for an exit code, on results made up for it."""

from collections.abc import Callable

import pytest

from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.failover import Gap
from quoth_node.testing.history import Fault, Operation
from quoth_node.testing.outcome import Found, Outcome, Worked, lacks, wrongs
from quoth_node.testing.power.replay import PowerCut
from quoth_node.testing.tally import Tally
from quoth_node.testing.workloads.workload import READER

SECOND = 1_000_000


def tally(ok: int, *, failed: int = 0, unknown: int = 0, client: int = 1, f: str = "put") -> Tally:
    made = Tally()
    for count, told in ((ok, True), (failed, False), (unknown, None)):
        returned = None if told is None else SECOND
        made.add(
            Operation(client=client, key="k", f=f, call=0, returned=returned, ok=told)
            for _ in range(count)
        )
    return made


def good() -> Outcome:
    """One minute of one workload with two kills, and just enough of everything."""
    worked = Worked("bank", "R2", 100, load_seconds=60, available_seconds=30, tally=tally(50))
    return Outcome(
        workloads={"bank": worked},
        faults=[Fault(fault="kill", on=("A", "B"), at=0, until=SECOND)],
        families=("kill",),
        kills_min=2,
        load_seconds=60,
        end=60 * SECOND,
    )


def violation(anomaly: str = "lost-update") -> Found:
    told = Violation(anomaly=anomaly, key="k", told="it is gone")
    return Found(violation=told, workload="bank", round=1)


def broken(change: Callable[[Outcome], object]) -> Outcome:
    outcome = good()
    change(outcome)
    return outcome


def test_all_held_and_enough_was_done() -> None:
    assert (good().exit_code, good().word) == (0, "held")
    assert [*wrongs(good()), *lacks(good())] == []


WRONGS: dict[str, tuple[Callable[[Outcome], object], str]] = {
    "violation": (lambda o: o.violations.append(violation()), "lost-update on k: it is gone"),
    "death": (lambda o: o.deaths.append("node A ended with 1"), "that nobody ended: node A"),
    "defect": (lambda o: o.defects.append("Traceback\nKeyError: 'x'\n"), "defect: KeyError: 'x'"),
    "wedged": (
        lambda o: o.healings.append(Gap("healing", 0, 31 * SECOND)),
        "31.0 s from healing to the first write",
    ),
    "wedged-for-good": (
        lambda o: o.healings.append(Gap("healing", 0, None, seen_until=31 * SECOND)),
        "31.0 s from healing, and no write",
    ),
    "leaderless": (
        lambda o: o.failovers.append(Gap("kill", 0, 31 * SECOND)),
        "31.0 s from the loss of a leader to the first write",
    ),
    "leaderless-for-good": (
        lambda o: o.failovers.append(Gap("kill", 0, None, seen_until=31 * SECOND)),
        "31.0 s from the loss of a leader, and no write",
    ),
}
LACKS: dict[str, tuple[Callable[[Outcome], object], str]] = {
    "short": (lambda o: setattr(o, "load_seconds", 9.0), "9.0 s under load prove nothing"),
    "idle": (
        lambda o: setattr(o.workloads["bank"], "tally", tally(49, failed=80, unknown=9)),
        "bank: 49 operations done, of 50 that 30 s ask for",
    ),
    "looks-only": (
        lambda o: setattr(o.workloads["bank"], "tally", tally(50, client=READER)),
        "bank: 0 operations done, of 50 that 30 s ask for",
    ),
    "reads-only": (
        lambda o: setattr(o.workloads["bank"], "tally", tally(50, f="read")),
        "bank: no write was acknowledged",
    ),
    "no-workload": (lambda o: o.workloads.clear(), "no workload ran"),
    "no-faults": (lambda o: o.faults.clear(), "no fault happened, of kill"),
    "few-kills": (lambda o: setattr(o, "kills_min", 3), "2 kills, of 3 that were asked for"),
    "blind": (
        lambda o: o.faults.extend(
            Fault(fault="power-loss", on=("A",), at=at, told=str(PowerCut())) for at in (0, 1)
        ),
        "no power loss met anything that was not synced",
    ),
    "undecided": (
        lambda o: o.violations.append(violation("undecided")),
        "bank, round 1: undecided on k: it is gone",
    ),
}


@pytest.mark.parametrize("reason", WRONGS)
def test_what_must_not_be_is_violated(reason: str) -> None:
    change, told = WRONGS[reason]
    outcome = broken(change)
    assert any(told in line for line in wrongs(outcome))
    assert (outcome.exit_code, outcome.word) == (1, "violated")


@pytest.mark.parametrize("reason", LACKS)
def test_too_little_proves_nothing(reason: str) -> None:
    change, told = LACKS[reason]
    outcome = broken(change)
    assert any(told in line for line in lacks(outcome))
    assert (outcome.exit_code, outcome.word) == (3, "too little")


@pytest.mark.parametrize("reason", LACKS)
def test_a_violation_counts_more_than_too_little(reason: str) -> None:
    outcome = broken(LACKS[reason][0])
    outcome.violations.append(violation())
    assert outcome.exit_code == 1


def test_an_interrupted_run_says_so_unless_something_is_violated() -> None:
    outcome = broken(lambda o: setattr(o, "interrupted", True))
    assert (outcome.exit_code, outcome.word) == (130, "interrupted")
    outcome.load_seconds = 1.0
    assert outcome.exit_code == 130
    outcome.violations.append(violation())
    assert outcome.exit_code == 1


def test_a_floor_is_never_nothing() -> None:
    worked = Worked("bank", floor_per_minute=100, available_seconds=0)
    assert worked.floor == 10
    assert Worked("bank", floor_per_minute=1, available_seconds=0).floor == 1


def test_healing_in_time_and_kills_by_power_count() -> None:
    outcome = good()
    outcome.healings.append(Gap("healing", 0, 4 * SECOND))
    outcome.healings.append(Gap("healing", 5 * SECOND, None, seen_until=8 * SECOND))
    outcome.faults.append(Fault(fault="power-loss", on=("A", "B", "C"), at=0))
    outcome.faults.append(Fault(fault="pause", on=("A",), at=0))
    assert (outcome.kills, outcome.exit_code) == (5, 0)
