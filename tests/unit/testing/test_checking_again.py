"""`quoth-chaos check`: what histories say when they are read again."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from quoth_node.testing import cli
from quoth_node.testing.checkers.verdict import UNDECIDED, Violation
from quoth_node.testing.history import History, Operation, write

DONE = Operation(client=1, key="k", f="put", call=0, returned=1, ok=True, workload="made-up")


class MadeUp:
    """A workload of which a checker says always the same."""

    def __init__(self, *anomalies: str) -> None:
        self._found = [Violation(anomaly=one, key="k", told="so it is") for one in anomalies]

    def __call__(self) -> "MadeUp":
        return self

    def check(self, operations: object) -> list[Violation]:
        return self._found


CASES = {
    "held": ([DONE], (), 0),
    "violated": ([DONE], ("lost", UNDECIDED), 1),
    "a checker gave up": ([DONE], (UNDECIDED,), 3),
    "nothing was done": ([], (), 3),
}


@pytest.mark.parametrize("case", CASES)
def test_a_history_is_worth_what_was_done_and_decided(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    operations, anomalies, code = CASES[case]
    monkeypatch.setattr(cli, "CATALOGUE", {"made-up": MadeUp(*anomalies)})
    path = tmp_path / "history-0001.jsonl"
    with path.open("w") as file:
        write(History(operations=list(operations)), file)
    with pytest.raises(SystemExit) as ended:
        cli.check([path])
    word = {0: "held", 1: "violated", 3: "too little"}[code]
    assert (ended.value.code, capsys.readouterr().out.splitlines()[-1]) == (code, word)


def test_a_run_that_breaks_leaves_no_report_of_an_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError("the run itself")

    monkeypatch.setattr(cli, "run", breaks)
    for name in ("report.md", "timeline.svg", "history-0007.jsonl"):
        (tmp_path / name).write_text("of a run that held")
    ended = CliRunner().invoke(cli.app, ["--output", str(tmp_path)])
    assert isinstance(ended.exception, RuntimeError)
    assert list(tmp_path.iterdir()) == []
