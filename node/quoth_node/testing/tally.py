"""How many operations ended how, second by second: all that a report needs of a history."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from quoth_node.testing.failover import is_read
from quoth_node.testing.history import Operation
from quoth_node.testing.workloads.workload import READER

MICROSECONDS = 1_000_000
OK, FAILED, UNKNOWN = "ok", "failed", "unknown"
OUTCOMES = (OK, FAILED, UNKNOWN)


def outcome_of(operation: Operation) -> str:
    """ok, failed or unknown."""
    return UNKNOWN if operation.ok is None else OK if operation.ok else FAILED


@dataclass(slots=True)
class Tally:
    """The counts of one workload."""

    counts: Counter[str] = field(default_factory=Counter)  # by outcome
    # By (second of the run, outcome). Unknown ones count when they were called.
    seconds: Counter[tuple[int, str]] = field(default_factory=Counter)
    done: int = 0  # by clients of a run; its last looks prove nothing by their number
    writes: int = 0  # ... of those that were acknowledged

    def add(self, operations: Iterable[Operation]) -> None:
        """Count these too."""
        for one in operations:
            outcome = outcome_of(one)
            moment = one.call if one.returned is None else one.returned
            self.counts[outcome] += 1
            if one.ok and one.client < READER:
                self.done += 1
                self.writes += not is_read(one)
            self.seconds[moment // MICROSECONDS, outcome] += 1

    def __getitem__(self, outcome: str) -> int:
        return self.counts[outcome]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts.values())
