"""Processes with a planted bug are found out: what a run holds good is worth something.

Only bugs that show within seconds and without faults; `quoth-chaos bugs` hunts all of them.
"""

from pathlib import Path

import pytest

from quoth_node.testing.bugs import BY_NAME
from quoth_node.testing.bugs.hunt import hunted
from quoth_node.testing.outcome import LOGS, VIOLATED
from quoth_node.testing.plan import RunPlan
from quoth_node.testing.run import run
from quoth_node.testing.workloads.catalogue import CATALOGUE

SEED, MINUTES = 1, 0.07


@pytest.mark.parametrize(
    ("name", "anomaly"),
    [
        ("guard-not-checked", "bank: wrong-total"),
        ("sequence-number-reused", "sequences: given-twice"),
    ],
)
def test_a_planted_bug_is_found(tmp_path: Path, name: str, anomaly: str) -> None:
    bug = BY_NAME[name]
    plan = RunPlan(
        seed=SEED,
        minutes=MINUTES,
        workloads=bug.workloads,
        families=(),
        network="none",
        output=tmp_path,
        bug=name,
    )
    outcome = run(plan, CATALOGUE, print)
    assert outcome.exit_code == VIOLATED
    assert anomaly in hunted(bug, outcome, without="not tried").found_by
    logs = tmp_path / LOGS
    assert {log.name for log in logs.glob("*.log")} == {"A.log", "B.log", "C.log"}
    assert "is ready at" in (logs / "A.log").read_text()
    assert not (tmp_path / "nodes").exists()
