"""Hunts planted bugs with real processes: each is found, and the same run without it holds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

from quoth_node.testing.bugs.bug import Bug
from quoth_node.testing.outcome import HELD, Found, Outcome, wrongs
from quoth_node.testing.plan import RunPlan
from quoth_node.testing.tally import MICROSECONDS
from quoth_node.testing.workloads.workload import Workload

KILLS_PER_MINUTE = 4  # at least: with so many asked for, more happen
STRANGE = ("speaker.Strange", "speaker.DatabaseMissing")  # in the traceback of a client
Play = Callable[[RunPlan], Outcome]  # `run.run`, with a catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunted:
    """What came of one bug."""

    bug: Bug
    found_by: tuple[str, ...]  # workload and anomaly, the earliest first; empty: not found
    seconds: float | None  # from the first operation to the last that shows it; None: no evidence
    told: str  # the first thing that was wrong
    without: str  # what the same run was without the bug: held, or what was wrong

    @property
    def is_found(self) -> bool:
        """Whether it was found, and nothing but it."""
        return bool(self.found_by) and self.without == "held"


def hunt(
    bugs: Sequence[Bug], play: Play, *, seed: int, minutes: float, output: Path
) -> Iterator[Hunted]:
    """One after the other. Runs without a bug are made once for all bugs that ask for the same."""
    clean: dict[tuple[object, object], str] = {}
    for bug in bugs:
        plan = RunPlan(
            seed=seed,
            minutes=minutes,
            workloads=bug.workloads,
            families=bug.faults,
            network="proxies" if "cut" in bug.faults else "none",
            output=output / bug.name,
            bug=bug.name,
            kills_min=ceil(KILLS_PER_MINUTE * minutes) if "kill" in bug.faults else 0,
        )
        plan.output.mkdir(parents=True, exist_ok=True)
        outcome = play(plan)
        run_of = (plan.workloads, plan.families)
        if run_of not in clean:
            same = replace(plan, bug=None, output=output / "without" / "-".join(bug.workloads))
            same.output.mkdir(parents=True, exist_ok=True)
            without = play(same)
            clean[run_of] = without.word if without.exit_code == HELD else _first_wrong(without)
        yield hunted(bug, outcome, without=clean[run_of])


def hunted(bug: Bug, outcome: Outcome, *, without: str) -> Hunted:
    """What a run with a bug says. Pure."""
    violations = [found for found in outcome.violations if not found.is_undecided]
    shown = {id(found): _shown_at(found) for found in violations}
    end = outcome.end / MICROSECONDS
    violations.sort(key=lambda found: shown[id(found)] or end)
    found_by = [f"{found.workload}: {found.violation.anomaly}" for found in violations]
    if any(name in defect for defect in outcome.defects for name in STRANGE):
        found_by.append("an answer that no client should get")
    if outcome.deaths:
        found_by.append("a node that ends by itself")
    first = shown[id(violations[0])] if violations else None
    return Hunted(
        bug=bug,
        found_by=tuple(dict.fromkeys(found_by)),
        seconds=first,
        told=_first_wrong(outcome),
        without=without,
    )


def table(told: Sequence[Hunted]) -> str:
    """A table of Markdown."""
    lines = [
        "| bug | what is wrong | under | found by | seconds | without it |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for one in told:
        under = ", ".join(one.bug.workloads) + "; " + (", ".join(one.bug.faults) or "no faults")
        found_by = ", ".join(one.found_by[:3]) or "**not found**"
        seconds = "at the end" if one.seconds is None else f"{one.seconds:.1f}"
        lines.append(
            f"| {one.bug.name} | {one.bug.wrong} | {under} | {found_by} | "
            f"{seconds if one.found_by else ''} | {one.without} |"
        )
    return "\n".join(lines)


def _shown_at(found: Found) -> float | None:
    times = [one.returned or one.call for one in found.violation.evidence]
    return max(times) / MICROSECONDS if times else None


def _first_wrong(outcome: Outcome) -> str:
    return next(wrongs(outcome), outcome.word)


def playing(
    run: Callable[..., Outcome],
    catalogue: Mapping[str, Callable[[], Workload]],
    say: Callable[[str], None],
) -> Play:
    """Runs as `run.run` makes them."""
    return lambda plan: run(plan, catalogue, say)
