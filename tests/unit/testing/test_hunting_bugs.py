"""What is told of a hunt, from runs that nobody had to wait for."""

from collections import Counter
from pathlib import Path

from quoth_node.testing.bugs import BY_NAME
from quoth_node.testing.bugs.hunt import hunt, hunted, table
from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.history import Operation
from quoth_node.testing.outcome import Found, Outcome, Worked
from quoth_node.testing.plan import RunPlan
from quoth_node.testing.tally import OK, Tally

BUG = BY_NAME["guard-not-checked"]


def wrong(*seconds: float, anomaly: str = "wrong-total") -> Found:
    shown = tuple(
        Operation(client=1, key="k", f="read", call=0, returned=int(at * 1_000_000), ok=True)
        for at in seconds
    )
    violation = Violation(anomaly=anomaly, key="k", told="500 in all", evidence=shown)
    return Found(violation=violation, workload="bank", round=1)


def held() -> Outcome:
    tally = Tally(Counter({OK: 1_000}), done=1_000, writes=1_000)
    return Outcome(workloads={"bank": Worked("bank", tally=tally)}, load_seconds=30.0)


def test_a_bug_is_found_when_the_first_violation_shows() -> None:
    outcome = Outcome(violations=[wrong(9.0), wrong(1.0, 3.5)])
    told = hunted(BUG, outcome, without="held")
    assert told.is_found and told.seconds == 3.5 and told.found_by == ("bank: wrong-total",)


def test_who_gives_up_has_found_nothing() -> None:
    told = hunted(BUG, Outcome(violations=[wrong(anomaly="undecided")]), without="held")
    assert not told.is_found


def test_a_node_that_does_not_come_back_counts() -> None:
    told = hunted(BUG, Outcome(deaths=["node A ended with code 1"]), without="held")
    assert told.is_found and told.seconds is None
    assert "a node that ends by itself | at the end" in table([told])


def test_what_is_found_without_the_bug_does_not_count(tmp_path: Path) -> None:
    def play(plan: RunPlan) -> Outcome:
        return Outcome(violations=[wrong(2.0)])

    (told,) = hunt([BUG], play, seed=1, minutes=0.1, output=tmp_path)
    assert not told.is_found and "500 in all" in told.without


def test_runs_without_a_bug_are_made_once_for_all_that_ask_for_the_same(tmp_path: Path) -> None:
    played: list[str | None] = []

    def play(plan: RunPlan) -> Outcome:
        played.append(plan.bug)
        return held() if plan.bug is None else Outcome(violations=[wrong(2.0)])

    bugs = [BUG, BY_NAME["torn-batch"]]
    told = list(hunt(bugs, play, seed=1, minutes=0.1, output=tmp_path))
    assert all(one.is_found for one in told)
    assert played == ["guard-not-checked", None, "torn-batch"]
