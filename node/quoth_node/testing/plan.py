"""What a run shall be: one frozen value, made of the words of the command line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import platform, python_version
from typing import Any

from quoth_node.testing.schedule import FAMILIES

SIDE_BY_SIDE = 3  # workloads of one round
KILLS_A_MINUTE = 3  # that happen by themselves
ROUND_SECONDS = (10.0, 60.0)
FAMILIES_OF_A_NETWORK = frozenset({"cut", "slow"})


class BadPlan(Exception):
    """A run that cannot be: told in one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """One run. Chance, of faults and of clients, comes from `seed` alone."""

    seed: int
    minutes: float  # under load; what a round ends with comes on top
    workloads: tuple[str, ...]
    families: tuple[str, ...] = FAMILIES
    nodes: int = 3
    network: str = "auto"
    output: Path
    clients: float = 1.0  # times what each workload asks for
    kills_min: int = 0
    bug: str | None = None
    keep: bool = False  # the folders of the nodes
    as_possible: bool = False  # faults that this machine cannot do are left out

    def __post_init__(self) -> None:
        _require(self.minutes > 0, f"--minutes is more than 0, not {self.minutes:g}")
        _require(self.nodes >= 1, f"--nodes is at least 1, not {self.nodes}")
        _require(self.clients > 0, f"--clients is more than 0, not {self.clients:g}")
        _require(bool(self.workloads), "no workload is named")
        unknown = [family for family in self.families if family not in FAMILIES]
        known = ", ".join(FAMILIES)
        _require(not unknown, f"there is no family of faults {', '.join(unknown)}: {known}")

    def without(self, family: str) -> "RunPlan":
        """The same without a family of faults."""
        return replace(self, families=tuple(one for one in self.families if one != family))

    @property
    def kills_often(self) -> bool:
        """Whether more kills are asked for than happen by themselves."""
        return self.kills_min / self.minutes > KILLS_A_MINUTE

    @property
    def rounds(self) -> list[tuple[tuple[str, ...], float]]:
        """The workloads and the seconds of each round; all have their turn, and equal time."""
        groups = list(_grouped(self.workloads))
        seconds, (shortest, longest) = self.minutes * 60, ROUND_SECONDS
        turns = max(1, round(seconds / longest / len(groups)))
        each = seconds / (turns * len(groups))
        while each < shortest and len(groups) > 1:
            # No time for turns: more of them side by side.
            groups = [a + b for a, b in zip(groups[::2], [*groups[1::2], ()], strict=False)]
            each = seconds / (turns * len(groups))
        return [(group, each) for _ in range(turns) for group in groups]

    @property
    def command(self) -> str:
        """The command line that runs it again."""
        words = [
            *("quoth-chaos", "--seed", str(self.seed), "--minutes", f"{self.minutes:g}"),
            *("--workload", ",".join(self.workloads)),
            *("--faults", ",".join(self.families) or "none"),
            *("--nodes", str(self.nodes), "--network", self.network),
        ]
        if self.clients != 1:
            words += ["--clients", f"{self.clients:g}"]
        if self.kills_min:
            words += ["--kills-min", str(self.kills_min)]
        if self.bug:
            words += ["--bug", self.bug]
        return " ".join(words)

    def about(self) -> dict[str, Any]:
        """For a history: how it was made."""
        return {
            "seed": self.seed,
            "command": self.command,
            "nodes": self.nodes,
            "faults": list(self.families),
            **({"bug": self.bug} if self.bug else {}),
            **versions(),
        }


def versions() -> dict[str, str]:
    """Of quoth, of Python, of the system."""
    try:
        quoth = version("quoth")
    except PackageNotFoundError:
        quoth = "not installed"
    return {"quoth": quoth, "python": python_version(), "system": platform()}


def _grouped(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The names in groups of nearly equal size, SIDE_BY_SIDE at most."""
    count = -(-len(names) // SIDE_BY_SIDE)
    for number in range(count):
        yield tuple(names[number::count])


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BadPlan(otherwise)
