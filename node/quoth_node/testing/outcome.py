"""What came of a run, and what it is worth: held, violated, or too little to prove anything. Pure.

0    every invariant held, and enough was done to say so
1    violated: an invariant, or the word of a process, or the run itself is defective
2    bad arguments, or nothing could be started
3    nothing was violated, and too little was done to prove anything
130  ended by Ctrl-C, and nothing violated until then
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from quoth_node.testing.checkers.verdict import UNDECIDED, Violation
from quoth_node.testing.failover import Gap
from quoth_node.testing.history import Fault, Led
from quoth_node.testing.power.replay import NOTHING_UNSYNCED
from quoth_node.testing.tally import Tally

HELD, VIOLATED, BAD_ARGUMENTS, TOO_LITTLE, INTERRUPTED = 0, 1, 2, 3, 130
WORDS = {HELD: "held", VIOLATED: "violated", TOO_LITTLE: "too little", INTERRUPTED: "interrupted"}

# However short a run, and however long a majority was away: less than this proves nothing.
LOAD_SECONDS_MIN = 10.0
FLOOR_MINUTES_MIN = 0.1
# From healing, or the loss of a leader, to the first write. R11 promises 5 s; a machine that also
# runs this needs more.
WITHOUT_WRITES_SECONDS_MAX = 30.0
POWER_LOSSES_MIN = 2  # one may meet a node that had nothing to do
KILLING = frozenset({"kill", "power-loss"})
LOGS = "node-logs"  # where the logs of the nodes are, beside the report, if something was wrong


@dataclass(slots=True)
class Worked:
    """What one workload did in a run."""

    name: str
    goal: str = ""
    floor_per_minute: float = 0
    load_seconds: float = 0.0  # of its rounds, without their ends
    available_seconds: float = 0.0  # ... in which writes could be expected
    tally: Tally = field(default_factory=Tally)

    @property
    def floor(self) -> int:
        """Successful operations of its clients without which it proves nothing."""
        minutes = max(self.available_seconds / 60, FLOOR_MINUTES_MIN)
        return max(1, round(self.floor_per_minute * minutes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A violation, and the history that shows it."""

    violation: Violation
    workload: str
    round: int
    history: str = ""  # path

    @property
    def is_undecided(self) -> bool:
        """Whether a checker gave up: that is no violation, and no proof."""
        return self.violation.anomaly == UNDECIDED

    def __str__(self) -> str:
        return f"{self.workload}, round {self.round}: {self.violation}"


@dataclass(slots=True)
class Outcome:
    """All that a run leaves, besides its histories."""

    about: dict[str, Any] = field(default_factory=dict)
    workloads: dict[str, Worked] = field(default_factory=dict)
    violations: list[Found] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)  # of processes that nobody ended
    defects: list[str] = field(default_factory=list)  # of clients, of the run itself
    faults: list[Fault] = field(default_factory=list)
    cannot: Counter[str] = field(default_factory=Counter)  # faults not possible here
    leaders: list[Led] = field(default_factory=list)
    failovers: list[Gap] = field(default_factory=list)
    healings: list[Gap] = field(default_factory=list)
    rounds: int = 0
    load_seconds: float = 0.0
    end: int = 0  # microseconds of the run
    families: tuple[str, ...] = ()  # of faults, that were asked for
    kills_min: int = 0
    interrupted: bool = False

    @property
    def kills(self) -> int:
        """Processes that were ended, one by one."""
        return sum(len(fault.on) for fault in self.faults if fault.fault in KILLING)

    @property
    def exit_code(self) -> int:
        """As the module says."""
        if any(wrongs(self)):
            return VIOLATED
        if self.interrupted:
            return INTERRUPTED
        return TOO_LITTLE if any(lacks(self)) else HELD

    @property
    def word(self) -> str:
        """The exit code in a word."""
        return WORDS[self.exit_code]


def wrongs(outcome: Outcome) -> Iterator[str]:
    """Sentences on what must not be."""
    for found in outcome.violations:
        if not found.is_undecided:
            yield str(found)
    for death in outcome.deaths:
        yield f"a process ended that nobody ended: {death}"
    for defect in outcome.defects:
        yield f"defect: {defect.strip().splitlines()[-1] if defect.strip() else 'unnamed'}"
    for since, gaps in (("healing", outcome.healings), ("the loss of a leader", outcome.failovers)):
        for gap in gaps:
            if gap.seconds is not None and gap.seconds > WITHOUT_WRITES_SECONDS_MAX:
                yield f"{gap.seconds:.1f} s from {since} to the first write"
            if gap.seconds_in_vain > WITHOUT_WRITES_SECONDS_MAX:
                yield f"{gap.seconds_in_vain:.1f} s from {since}, and no write"


def lacks(outcome: Outcome) -> Iterator[str]:
    """Sentences on what is too little."""
    if outcome.load_seconds < LOAD_SECONDS_MIN:
        yield (
            f"{outcome.load_seconds:.1f} s under load prove nothing, "
            f"{LOAD_SECONDS_MIN:g} s are the least"
        )
    if not outcome.workloads:
        yield "no workload ran"
    for worked in outcome.workloads.values():
        if worked.tally.done < worked.floor:
            yield (
                f"{worked.name}: {worked.tally.done} operations done, of {worked.floor} "
                f"that {worked.available_seconds:.0f} s ask for"
            )
        if not worked.tally.writes:
            yield f"{worked.name}: no write was acknowledged"
    yield from (str(found) for found in outcome.violations if found.is_undecided)
    if outcome.families and not outcome.faults:
        yield f"no fault happened, of {', '.join(outcome.families)}"
    cuts = [fault.told for fault in outcome.faults if fault.fault == "power-loss"]
    if len(cuts) >= POWER_LOSSES_MIN and all(told.startswith(NOTHING_UNSYNCED) for told in cuts):
        yield "no power loss met anything that was not synced: what nodes write is not seen"
    if outcome.kills < outcome.kills_min:
        yield f"{outcome.kills} kills, of {outcome.kills_min} that were asked for"
