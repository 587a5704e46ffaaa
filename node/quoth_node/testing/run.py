"""A run: a cluster, rounds of workloads under faults, histories on disk, and what came of it."""

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from shutil import copyfile, rmtree

from quoth_node.errors import NotDone
from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.clock import RunClock
from quoth_node.testing.cluster import Cluster
from quoth_node.testing.failover import available_seconds, failovers, healings
from quoth_node.testing.history import History, write
from quoth_node.testing.leaders import Leaders
from quoth_node.testing.nemesis import Nemesis
from quoth_node.testing.network import CannotFault
from quoth_node.testing.outcome import LOGS, Found, Outcome, Worked, wrongs
from quoth_node.testing.plan import FAMILIES_OF_A_NETWORK, BadPlan, RunPlan
from quoth_node.testing.round import Act, Round
from quoth_node.testing.schedule import Planned, schedule
from quoth_node.testing.tally import MICROSECONDS
from quoth_node.testing.workloads.recorder import Recorder
from quoth_node.testing.workloads.workload import Surroundings, Workload

DEFECTS_MAX = 20  # then the rest need not be run to see that something is wrong
OWN = ".quoth-chaos"  # in folders that the next run may remove
TOLD_MAX = 10  # violations of one workload in one round; the report has more
Say = Callable[[str], None]


@dataclass(slots=True)
class Run:
    """One run, of which `outcome` grows round by round."""

    plan: RunPlan
    catalogue: Mapping[str, Callable[[], Workload]]
    say: Say
    clock: RunClock = field(default_factory=RunClock)
    leaders: Leaders = field(default_factory=Leaders)
    outcome: Outcome = field(default_factory=Outcome)

    async def play(self, cluster: Cluster) -> Outcome:
        """All rounds, on a cluster that has started. Ctrl-C ends the round under way early."""
        plan, outcome = self.plan, self.outcome
        outcome.about, outcome.families = plan.about(), plan.families
        outcome.kills_min = plan.kills_min
        nemesis = Nemesis(cluster, self.leaders, self.clock, self.say)
        plans = schedule(Random(f"{plan.seed}/faults"), plan.families, kills_often=plan.kills_often)
        with self._interruptible(nemesis):
            for number, (names, seconds) in enumerate(plan.rounds, start=1):
                if outcome.interrupted or len(outcome.defects) > DEFECTS_MAX:
                    break
                self.say(f"round {number} of {len(plan.rounds)}: {', '.join(names)}")
                await self._round(number, names, seconds, cluster, nemesis, plans)
        outcome.end = self.clock()
        return outcome

    async def _round(
        self,
        number: int,
        names: tuple[str, ...],
        seconds: float,
        cluster: Cluster,
        nemesis: Nemesis,
        plans: Iterator[Planned],
    ) -> None:
        faults_before, led_before = len(nemesis.faults), len(self.leaders.led)
        round = Round(
            number=number,
            acts=[self._act(name, number, cluster) for name in names],
            cluster=cluster,
            nemesis=nemesis,
            leaders=self.leaders,
            clock=self.clock,
            say=self.say,
            keep=self.plan.keep,
        )
        await round.play(plans, seconds=seconds)
        history = History(
            about={**self.plan.about(), "round": number, "workloads": list(names)},
            operations=[one for act in round.acts for one in act.operations],
            faults=nemesis.faults[faults_before:],
            # ... with the one who led when the round began.
            leaders=self.leaders.led[max(0, led_before - 1) :],
        )
        path = self._write(number, history)  # first: a search may take longer than patience
        await round.judge()
        self._account(round, history, path)
        self.outcome.cannot = nemesis.cannot
        self.outcome.deaths = list(cluster.deaths)

    def _act(self, name: str, number: int, cluster: Cluster) -> Act:
        workload = self.catalogue[name]()
        around = Surroundings(
            urls={tag: cluster.url(tag) for tag in cluster.tags},
            database=f"{name}-{number}",
            recorder=Recorder(workload.name, now=self.clock),
            seed=f"{self.plan.seed}/{name}/{number}",
        )
        return Act(workload, around, max(1, round(workload.clients * self.plan.clients)))

    def _write(self, number: int, history: History) -> Path:
        path = self.plan.output / f"history-{number:04}.jsonl"
        with path.open("w") as file:
            write(history, file)
        return path

    def _account(self, round: Round, history: History, path: Path) -> None:
        outcome, nodes = self.outcome, self.plan.nodes
        load = (round.end - round.start) / MICROSECONDS
        free = available_seconds(history.faults, nodes=nodes, start=round.start, end=round.end)
        outcome.rounds += 1
        outcome.load_seconds += load
        outcome.faults += history.faults
        outcome.leaders = self.leaders.led
        outcome.failovers += failovers(history, nodes=nodes)
        outcome.healings += healings(history, nodes=nodes)
        outcome.defects += round.defects
        for act in round.acts:
            name = act.workload.name
            worked = outcome.workloads.setdefault(name, Worked(name, act.workload.goal))
            worked.floor_per_minute = act.workload.floor_per_minute * min(1, self.plan.clients)
            worked.load_seconds += load
            worked.available_seconds += free
            worked.tally.add(act.operations)
            self._find(act.violations, name, round.number, path)
        self._find(round.violations, "cluster", round.number, path)
        self._find(self.leaders.violations, "cluster", round.number, path)
        self.leaders.violations.clear()

    def _find(self, violations: list[Violation], name: str, number: int, path: Path) -> None:
        if len(violations) > TOLD_MAX:
            self.say(f"{len(violations)} violations of {name}; the first of them:")
        for number_told, one in enumerate(violations):
            if number_told < TOLD_MAX:
                self.say(f"VIOLATED {name}: {one}")
            self.outcome.violations.append(
                Found(violation=one, workload=name, round=number, history=path.name)
            )

    @contextmanager
    def _interruptible(self, nemesis: Nemesis) -> Iterator[None]:
        """Ctrl-C once: no more faults, then the end of a round as always. Twice: at once."""
        loop = asyncio.get_running_loop()

        def stop() -> None:
            self.say("stopping; what there is will be checked")
            self.outcome.interrupted = True
            nemesis.stop()
            loop.remove_signal_handler(signal.SIGINT)

        loop.add_signal_handler(signal.SIGINT, stop)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGINT)


def run(plan: RunPlan, catalogue: Mapping[str, Callable[[], Workload]], say: Say) -> Outcome:
    """Start a cluster, play, and stop it. Its folders go, unless the plan keeps them.

    If something was wrong the logs of its nodes stay, in a folder of their own. Raises BadPlan if
    nothing can be started: this machine cannot do what was asked for by name.
    """
    nodes, logs = plan.output / "nodes", plan.output / LOGS
    for old in (nodes, logs):
        _remove_own(old)
    _make_own(nodes)
    folder = nodes / "cluster"
    outcome: Outcome | None = None
    try:
        plan, cluster = _started(plan, folder, say)
        try:
            outcome = asyncio.run(Run(plan, catalogue, say).play(cluster))
        finally:
            cluster.stop()
        outcome.deaths = list(cluster.deaths)  # also of nodes that did not stop in order
        return outcome
    finally:
        if outcome is None or any(wrongs(outcome)):
            _keep_logs(folder, logs, say)
        if not plan.keep:
            rmtree(nodes, ignore_errors=True)


def _remove_own(folder: Path) -> None:
    """Remove what a run before has left. Raises BadPlan if it was somebody else."""
    if folder.exists() and not (folder / OWN).exists():
        raise BadPlan(f"{folder} is not of an earlier run: move it away, or name another --output")
    rmtree(folder, ignore_errors=True)


def _make_own(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / OWN).touch()


def _keep_logs(folder: Path, kept: Path, say: Say) -> None:
    """Copy what each node has logged, those that were removed too: `A.log`, `removed-D-1.log`."""
    logs = list(folder.rglob("node.log"))
    try:
        if logs:
            _make_own(kept)
        for log in logs:
            copyfile(log, kept / f"{'-'.join(log.parent.relative_to(folder).parts)}.log")
    except OSError as error:  # a full disk, perhaps; the report matters more
        say(f"the logs of the nodes are not kept: {error}")


def _started(plan: RunPlan, folder: Path, say: Say) -> tuple[RunPlan, Cluster]:
    """A cluster that runs, and the plan without faults that this machine cannot do."""
    try:
        try:
            return plan, _cluster(plan, folder).start()
        except CannotFault as error:
            if "power" not in plan.families or not plan.as_possible:
                raise
            say(f"without power losses: {error}")
        rmtree(folder, ignore_errors=True)
        plan = plan.without("power")
        return plan, _cluster(plan, folder).start()
    except (CannotFault, NotDone, OSError, RuntimeError, ValueError) as error:
        raise BadPlan(f"nothing was started: {error}") from error


def _cluster(plan: RunPlan, folder: Path) -> Cluster:
    return Cluster(
        folder,
        nodes=plan.nodes,
        network=plan.network if FAMILIES_OF_A_NETWORK & set(plan.families) else "none",
        power="power" in plan.families,
        bug=plan.bug,
        chance=Random(f"{plan.seed}/network"),
    )
