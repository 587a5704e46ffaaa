"""A run as it is planned."""

from pathlib import Path
from typing import Any

import pytest

from quoth_node.testing.plan import BadPlan, RunPlan

NINE = tuple("abcdefghi")


def plan(**given: Any) -> RunPlan:
    return RunPlan(**{"seed": 1, "minutes": 1, "workloads": NINE, "output": Path("out"), **given})


@pytest.mark.parametrize("minutes", [0.1, 0.5, 1, 3, 5, 60])
def test_all_workloads_have_their_turn_and_no_more_time_than_there_is(minutes: float) -> None:
    rounds = plan(minutes=minutes).rounds
    assert {name for names, _ in rounds for name in names} == set(NINE)
    assert sum(seconds for _, seconds in rounds) == pytest.approx(minutes * 60)
    turns = [sum(name in names for names, _ in rounds) for name in NINE]
    assert len(set(turns)) == 1, "as often as each other"


def test_an_hour_has_rounds_of_about_a_minute() -> None:
    rounds = plan(minutes=60).rounds
    assert len(rounds) == 60
    assert all(len(names) == 3 for names, _ in rounds)


def test_a_short_run_has_more_side_by_side() -> None:
    assert [len(names) for names, _ in plan(minutes=0.2).rounds] == [9]
    assert plan(minutes=0.05, workloads=("a",)).rounds == [(("a",), 3.0)]


def test_the_command_line_says_all_that_matters() -> None:
    words = plan(families=("kill",), clients=0.5, kills_min=3, workloads=("a", "b")).command
    assert words == (
        "quoth-chaos --seed 1 --minutes 1 --workload a,b --faults kill --nodes 3 --network auto"
        " --clients 0.5 --kills-min 3"
    )
    assert "--faults none" in plan(families=()).command


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"minutes": 0}, "--minutes"),
        ({"nodes": 0}, "--nodes"),
        ({"clients": 0}, "--clients"),
        ({"workloads": ()}, "no workload"),
        ({"families": ("kill", "flood")}, "no family of faults flood"),
    ],
    ids=["minutes", "nodes", "clients", "workloads", "families"],
)
def test_a_plan_that_cannot_be_says_why(given: dict[str, Any], told: str) -> None:
    with pytest.raises(BadPlan, match=told):
        plan(**given)
