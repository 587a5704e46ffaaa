"""`quoth-chaos` as a person runs it: a short run that proves something, and one that does not."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from quoth_node.testing.history import read, write
from quoth_node.testing.outcome import LOGS

CHAOS = [sys.executable, "-m", "quoth_node.testing"]
RUN_SECONDS_MAX = 240.0


def chaos(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CHAOS, *words], capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False
    )


def test_a_short_run_is_reported_and_its_history_is_checked_again(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    ran = chaos(
        *("--minutes", "0.33", "--seed", "3", "--workload", "identities", "--faults", "kill,pause"),
        *("--output", str(folder)),
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[0] == "seed 3"
    assert lines[-1] == f"held {folder / 'report.md'}"
    assert "round 1 of 1: identities" in ran.stderr
    report = (folder / "report.md").read_text()
    assert "--seed 3" in report and "| identities | R6 |" in report
    ElementTree.parse(folder / "timeline.svg")
    assert not (folder / "nodes").exists(), "nodes leave nothing"
    assert not (folder / LOGS).exists(), "not even logs, if nothing was wrong"

    (path,) = folder.glob("history-*.jsonl")
    with path.open() as file:
        history = read(file)
    assert history.about["seed"] == 3 and history.about["workloads"] == ["identities"]
    assert {fault.fault for fault in history.faults} <= {"kill", "pause"} and history.faults
    assert history.leaders
    done = sum(bool(one.ok) for one in history.of("identities"))
    assert f"identities: ok {done} " in ran.stdout

    again = chaos("check", str(path))
    assert again.returncode == 0, again.stdout + again.stderr
    assert again.stdout.splitlines()[-1] == "held"

    _give_a_number_twice(path)
    spoiled = chaos("check", str(path))
    assert spoiled.returncode == 1, spoiled.stdout + spoiled.stderr
    assert spoiled.stdout.splitlines()[-1] == "violated"


def _give_a_number_twice(path: Path) -> None:
    with path.open() as file:
        history = read(file)
    given = [n for n, one in enumerate(history.operations) if one.f == "next" and one.ok]
    first, second = (history.operations[n] for n in given[:2])
    history.operations[given[1]] = replace(second, key=first.key, output=first.output)
    with path.open("w") as file:
        write(history, file)


def test_a_run_that_is_too_short_proves_nothing(tmp_path: Path) -> None:
    ran = chaos(
        *("--minutes", "0.03", "--workload", "identities", "--faults", "none"),
        *("--output", str(tmp_path)),
    )
    assert ran.returncode == 3, ran.stdout + ran.stderr
    assert ran.stdout.splitlines()[-1].startswith("too little ")
    assert "under load prove nothing" in (tmp_path / "report.md").read_text()


def test_ctrl_c_ends_a_run_early_and_it_is_still_reported(tmp_path: Path) -> None:
    running = subprocess.Popen(
        [*CHAOS, "--minutes", "5", "--workload", "set", "--output", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stderr is not None, "asked for above"
        for line in running.stderr:
            if "kill" in line or "pause" in line or "isolate" in line:
                break
        running.send_signal(signal.SIGINT)
        out, errors = running.communicate(timeout=RUN_SECONDS_MAX)
    finally:
        running.kill()
    assert running.returncode == 130, out + errors
    assert out.splitlines()[-1] == f"interrupted {tmp_path / 'report.md'}"
    assert "ended by Ctrl-C" in (tmp_path / "report.md").read_text()
    assert len(list(tmp_path.glob("history-*.jsonl"))) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--workload", "chess"], "there is no workload 'chess'; there are registers"),
        (["--faults", "kill,flood"], "there is no family of faults 'flood'; there are kill"),
        (["--minutes", "0"], "--minutes is more than 0"),
        (["check", "missing.jsonl"], "missing.jsonl: "),
    ],
    ids=["workload", "faults", "minutes", "history"],
)
def test_bad_arguments_are_told_in_a_sentence(words: list[str], told: str, tmp_path: Path) -> None:
    ran = chaos("--output", str(tmp_path), *words)
    assert ran.returncode == 2
    assert told in ran.stderr and "Traceback" not in ran.stderr
