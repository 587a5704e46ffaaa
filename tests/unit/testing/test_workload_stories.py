"""Workloads against nodes that are made up: what of their answers goes into a history."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from quoth import ConcurrencyError, Indefinite, NotSent
from quoth_node.testing import round as round_module
from quoth_node.testing import run as run_module
from quoth_node.testing.outcome import LOGS, Outcome
from quoth_node.testing.plan import BadPlan, RunPlan
from quoth_node.testing.run import run
from quoth_node.testing.workloads import sequences
from quoth_node.testing.workloads.plain import Answer, Plain
from quoth_node.testing.workloads.promises import Promises
from quoth_node.testing.workloads.recorder import Recorder
from quoth_node.testing.workloads.registers import Registers
from quoth_node.testing.workloads.sequences import PlainTaker, Sequences
from quoth_node.testing.workloads.sessions import SINCE_MIN, SessionClient, Sessions
from quoth_node.testing.workloads.speaker import NotDone, Open
from quoth_node.testing.workloads.workload import Surroundings

URLS = {"A": "http://127.0.0.1:1", "B": "http://127.0.0.1:2"}


def surroundings(urls: Mapping[str, str] = URLS) -> Surroundings:
    recorder = Recorder("w", now=count().__next__)
    return Surroundings(urls=dict(urls), database="db", recorder=recorder, seed="1")


class Told(Plain):
    """Answers, or raises, what comes next."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(URLS, "db")
        self._answers: Iterator[Any] = iter(answers)

    async def ask(self, *_: Any, node: str = "", **options: Any) -> Answer:
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return Answer(200, answer, node)


class Insistent(Random):
    """Takes tickets, never dies, and asks as often as it can."""

    def choice(self, seq: Any) -> Any:
        return seq[-1]

    def random(self) -> float:
        return 0.99

    def randint(self, a: int, b: int) -> int:
        return b


@pytest.mark.parametrize("later", [Open("lost"), NotDone("no leader")], ids=["open", "not-done"])
async def test_numbers_that_were_told_are_told_whatever_comes_of_asking_again(
    later: Exception,
) -> None:
    around = surroundings()
    numbers = {"Numbers": [1, 2, 3, 4, 5]}
    await PlainTaker(0, Told(numbers, later, later, later, later), around, Insistent()).step()
    [take] = around.recorder.operations
    assert (take.ok, take.output) == (True, [1, 2, 3, 4, 5])


def page(*holders: str) -> dict[str, Any]:
    rows = [{"Ordinal": n, "Count": 1, "Holder": one} for n, one in enumerate(holders, start=1)]
    return {"Results": rows, "NextStart": None}


async def listed(monkeypatch: pytest.MonkeyPatch, *pages: Any) -> list[str]:
    """What is wrong if nodes A and B in turn tell these holders."""
    monkeypatch.setattr(sequences, "AGAIN_SECONDS", 0.0)
    around, workload = surroundings(), Sequences()
    for number in (1, 2):
        taken = (1, f"h{number}")
        around.recorder.note(client=number, key="tickets", f="take", input=taken, call=0, ok=None)
    await workload.list_holders(Told(*pages), around, "tickets")
    return [one.anomaly for one in workload.check(around.recorder.operations)]


async def test_a_take_that_comes_late_is_no_difference_between_nodes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late = (page("h1"), page("h1", "h2"), page("h1", "h2"), page("h1", "h2"))
    assert await listed(monkeypatch, *late) == []


async def test_nodes_that_differ_for_good_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    differ = (page("h1"), page("h2")) * sequences.LISTINGS_MAX
    assert await listed(monkeypatch, *differ) == ["nodes-differ"]


class Lonely:
    """A cluster of one."""

    tags = ("A",)

    def kill(self, *tags: str) -> None:
        raise AssertionError("nobody would be left")

    restart = kill


async def test_one_node_alone_has_nothing_to_prove() -> None:
    around = surroundings({"A": URLS["A"]})
    await Promises().prove(Lonely(), around, Random(1))  # type: ignore[arg-type]
    assert around.recorder.operations == []


class DiesAtTheEnd:
    """A cluster of which a node does not stop in order."""

    def __init__(self) -> None:
        self.deaths: list[str] = []

    def stop(self) -> None:
        self.deaths.append("node A did not stop within 20 s")


def test_a_node_that_does_not_stop_in_order_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(*_: Any) -> Outcome:
        return Outcome()

    monkeypatch.setattr(run_module.Run, "play", play)
    monkeypatch.setattr(run_module, "_started", lambda plan, *_: (plan, DiesAtTheEnd()))
    plan = RunPlan(seed=1, minutes=1, workloads=("bank",), output=tmp_path)
    outcome = run(plan, {}, print)
    assert (outcome.deaths, outcome.exit_code) == (["node A did not stop within 20 s"], 1)


async def test_what_nobody_reads_again_proves_nothing_of_indexes() -> None:
    around = surroundings()
    told = [Open("lost"), {"Results": [None]}]
    for answer in [told[0]] * SINCE_MIN + [told[1]]:
        plain = Told(answer)
        session = SessionClient(0, plain, around, Random(1))
        await session._read_since(plain, ["own/cluster/0/0"], 7)
    operations = around.recorder.operations
    assert Sessions().check(operations) == [], "one came through"
    [violation] = Sessions().check(operations[:-1])
    assert violation.anomaly == "never-read-again"
    assert Sessions().check(operations[: SINCE_MIN - 1]) == [], "too few to say"


@pytest.mark.parametrize("name", ["nodes", LOGS])
def test_a_folder_of_somebody_else_is_not_removed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.tex").touch()
    plan = RunPlan(seed=1, minutes=1, workloads=("bank",), output=tmp_path)
    with pytest.raises(BadPlan, match="is not of an earlier run"):
        run(plan, {}, print)
    assert [path.name for path in tmp_path.rglob("*")] == [name, "thesis.tex"]


def test_logs_that_cannot_be_kept_cost_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ends:
        deaths = ("node A ended with 1",)

        def stop(self) -> None:
            pass

    async def play(self: object, cluster: Ends) -> Outcome:
        (tmp_path / "nodes" / "cluster" / "A").mkdir(parents=True)
        (tmp_path / "nodes" / "cluster" / "A" / "node.log").write_text("its last words")
        return Outcome()

    def is_full(*_: object) -> None:
        raise OSError("no space is left")

    said: list[str] = []
    monkeypatch.setattr(run_module.Run, "play", play)
    monkeypatch.setattr(run_module, "_started", lambda plan, *_: (plan, Ends()))
    plan = RunPlan(seed=1, minutes=1, workloads=("bank",), output=tmp_path)
    run(plan, {}, said.append)
    assert (tmp_path / LOGS / "A.log").read_text() == "its last words"
    monkeypatch.setattr(run_module, "copyfile", is_full)
    assert run(plan, {}, said.append).deaths == ["node A ended with 1"]
    assert said == ["the logs of the nodes are not kept: no space is left"]


@pytest.mark.parametrize(
    ("errors", "is_done"),
    [
        ([Indefinite("no answer"), ConcurrencyError("it is there")], True),
        ([NotSent("no leader"), NotDone("no leader"), Open("lost"), None], True),
        ([Open("lost")] * 9, False),
        ([ConcurrencyError("of an older run")], False),
    ],
    ids=["it-was-done", "then-done", "never", "of-another"],
)
async def test_a_round_is_prepared_although_a_leader_changes(
    errors: list[Exception | None], is_done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(round_module, "AGAIN_SECONDS", 0.0)
    left = iter(errors)

    async def prepare() -> None:
        if error := next(left):
            raise error

    [told] = await asyncio.gather(round_module.surely(prepare), return_exceptions=True)
    assert (told is None) is is_done


class Empty(Plain):
    """Finds nothing, and remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__(URLS, "db")
        self.asked: list[str] = []

    async def learn_nodes(self) -> None:
        return

    async def ask(self, method: str, path: str, params: Any = (), *_: Any, **__: Any) -> Answer:
        self.asked += [value for name, value in params if name in ("key", "id")]
        return Answer(404, {}, "A")


async def test_registers_that_are_out_of_use_are_read_in_the_end_too() -> None:
    empty, workload = Empty(), Registers()
    workload._speakers.plain = lambda *_, **__: empty  # type: ignore[method-assign]
    for rotation in (workload.values, workload.documents):
        first = rotation.keys[0]
        while first in rotation.keys:
            rotation.count(first)
    await workload.finish(surroundings())
    in_use = [*workload.values.keys, *workload.documents.keys]
    expected = {**dict.fromkeys(in_use, 2), workload.values.retired[0]: 1}
    expected[workload.documents.retired[0]] = 1
    assert Counter(empty.asked) == expected
