"""What a checker says."""

from dataclasses import dataclass

from quoth_node.testing.history import Operation

UNDECIDED = "undecided"  # the anomaly of a search that gave up: nothing is proven, either way


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One thing that must not be. `evidence` is as few operations as show it."""

    anomaly: str  # its name in the literature where it has one: lost-update, G1c, stale-read
    key: str
    told: str  # one sentence for a person
    evidence: tuple[Operation, ...] = ()

    def __str__(self) -> str:
        return f"{self.anomaly} on {self.key}: {self.told}"
