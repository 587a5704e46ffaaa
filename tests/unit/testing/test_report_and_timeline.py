"""The report and the drawing of a run: well formed, small, and with the right figures."""

from collections import Counter
from random import Random
from xml.etree import ElementTree

from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.failover import Gap
from quoth_node.testing.history import Fault, Led, Operation
from quoth_node.testing.outcome import Found, Outcome, Worked
from quoth_node.testing.report import markdown
from quoth_node.testing.tally import Tally
from quoth_node.testing.timeline import OUTCOMES, columns_of, svg

SECOND = 1_000_000
SVG = "{http://www.w3.org/2000/svg}"


def operation(second: float, *, ok: bool | None = True, f: str = "put") -> Operation:
    at = int(second * SECOND)
    returned = None if ok is None else at + 1_000
    return Operation(
        client=4, key="cx|1", f=f, input=(1, "a|b"), output=2, call=at, returned=returned, ok=ok
    )


def seen() -> Outcome:
    tally = Tally()
    tally.add(operation(number / 10) for number in range(100))
    tally.add([operation(3, ok=False), operation(4, ok=None), operation(5, ok=None)])
    violation = Violation(
        anomaly="stale-read", key="cx|1", told="read 1 <after> 2", evidence=(operation(2),)
    )
    return Outcome(
        about={"seed": 17, "command": "quoth-chaos --seed 17", "nodes": 3, "quoth": "0.1"},
        workloads={
            "registers": Worked("registers", "R1", 60, 20.0, 15.0, tally),
        },
        violations=[
            Found(violation=violation, workload="registers", round=2, history="history-0002.jsonl")
        ],
        deaths=["node C ended with -6"],
        faults=[
            Fault(fault="kill", on=("A", "B"), at=SECOND, until=3 * SECOND),
            Fault(fault="kill", on=("C",), at=5 * SECOND, until=6 * SECOND),
            Fault(fault="isolate", on=("D",), at=7 * SECOND, told="D-A & D-B"),
        ],
        cannot=Counter({"no network": 3}),
        leaders=[Led(leader="A", term=1, at=0), Led(leader="B", term=4, at=2 * SECOND)],
        failovers=[Gap("kill", 0, SECOND), Gap("kill", 0, 3 * SECOND), Gap("isolate", 1, None)],
        healings=[Gap("healing", 0, 6 * SECOND)],
        rounds=2,
        load_seconds=20.0,
        end=20 * SECOND,
        families=("kill", "cut"),
    )


def test_the_report_has_the_right_figures() -> None:
    lines = markdown(seen()).splitlines()
    assert lines[0] == "# Run of quoth under faults: violated"
    assert "| registers | R1 | 100 | 1 | 2 | 5.0 | 15 | 20 | 15 |" in lines
    assert "| kill | 2 | 3 | 3.0 |" in lines
    assert "| isolate | 1 | 1 | 13.0 |" in lines, "it lasted until the end"
    assert "Processes ended by faults: 3." in lines
    assert "* not possible here, 3 times: no network" in lines
    assert "| leader lost: kill | 2 | 1.00 | 3.00 | 3.00 | 0 |" in lines
    assert "| leader lost: isolate | 0 | - | - | - | 1 |" in lines
    assert "| leader lost: all | 2 | 1.00 | 3.00 | 3.00 | 1 |" in lines
    assert "| majority healed | 1 | 6.00 | 6.00 | 6.00 | 0 |" in lines
    assert any(line.endswith("included: 1.") for line in lines)
    assert "2 terms had a leader that was seen, from 1 to 4." in lines
    assert "| again | `quoth-chaos --seed 17` |" in lines


def test_the_report_tells_each_violation_with_its_evidence_and_how_to_see_it_again() -> None:
    told = markdown(seen())
    assert "### 1. stale-read on `cx|1` (registers, round 2)" in told
    assert "| 4 | put | [1, 'a\\|b'] | 2 | yes | 2.000 | 2.001 |  |  |" in told
    assert "`quoth-chaos check history-0002.jsonl`" in told
    assert "node C ended with -6" in told
    assert "What the nodes have logged is in `node-logs`, beside this report." in told


def test_a_good_run_says_so() -> None:
    outcome = seen()
    outcome.violations.clear()
    outcome.deaths.clear()
    told = markdown(outcome)
    assert "Every invariant held, and enough was done to say so." in told
    assert "logs" not in told


def test_the_drawing_is_well_formed_and_shows_all_of_it() -> None:
    root = ElementTree.fromstring(svg(seen()))
    assert root.tag == f"{SVG}svg"
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert {"leader", "node A", "node B", "node C", "node D", "registers"} <= set(texts)
    assert "violated: seed 17, 20 s" in texts
    assert set(OUTCOMES) <= set(texts), "the legend"
    titles = [element.text or "" for element in root.iter(f"{SVG}title")]
    assert sum(title.startswith("kill A B") for title in titles) == 2, "one in each lane"
    assert "isolate D: 7.00 s to 20.00 s. D-A & D-B" in titles
    assert "B, term 4, from 2.00 s" in titles
    assert len(list(root.iter(f"{SVG}path"))) == 3, "ok, failed, unknown"


def test_columns_hold_all_operations_however_long_the_run() -> None:
    seconds = {(second, "ok"): 6 for second in range(3_600)}
    columns = columns_of(seconds, end=3_600 * SECOND)
    assert len(columns) == 400
    assert all(column["ok"] == 6.0 for column in columns)
    assert columns_of({(0, "ok"): 3}, end=1)[0]["ok"] == 3.0
    assert columns_of({(5, "ok"): 3}, end=5 * SECOND)[-1]["ok"] == 3.0, "what ends at the end"


def test_an_hour_is_less_than_a_megabyte() -> None:
    chance = Random(1)
    outcome = Outcome(about={"seed": 1, "nodes": 5}, end=3_600 * SECOND)
    for name in "abcdefghi":
        worked = outcome.workloads[name] = Worked(name)
        for second in range(3_600):
            for told in OUTCOMES:
                worked.tally.seconds[second, told] = chance.randrange(500)
    for number in range(1_200):
        at = number * 3 * SECOND
        on = tuple(chance.sample("ABCDE", 2))
        outcome.faults.append(Fault(fault="kill", on=on, at=at, until=at + SECOND, told="x" * 90))
        outcome.leaders.append(Led(leader=chance.choice("ABCDE"), term=number, at=at))
    assert len(svg(outcome)) < 1_000_000
