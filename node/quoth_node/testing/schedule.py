"""Which fault comes next, and for how long: values out of a seed. Pure, so a seed gives them again.

Faults and calm take turns: what was done is undone, and then the cluster has time to get work done.
After a fault that leaves no majority the calm is a long one. Which nodes are meant is settled only
when a fault begins, by `targets`: who leads then is not known here.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

FAMILIES = ("kill", "pause", "cut", "slow", "power", "churn")
# How often a family is dealt before all are dealt again.
WEIGHTS = {"kill": 6, "pause": 2, "cut": 3, "slow": 2, "power": 2, "churn": 1}

ONE, LEADER, MINORITY, MAJORITY, ALL = "one", "leader", "minority", "majority", "all"
CALM = "calm"

Seconds = tuple[float, float]  # from, to

SHORT_CALM_SECONDS: Seconds = (0.3, 1.5)
LONG_CALM_SECONDS: Seconds = (2.0, 4.0)
SHORT_CALMS_MAX = 3  # in a row
KILLS_OFTEN = 2  # times as many kills, where many are asked for
WITHIN_SHARE = 0.3  # of the faults of a network, during which a node is killed or paused too
# A pause: how long, how often. Long ones are rare, or there would be little else.
PAUSES: tuple[tuple[Seconds, int], ...] = (
    ((0.1, 0.5), 5),
    ((0.5, 2.0), 4),
    ((2.0, 5.0), 2),
    ((5.0, 10.0), 1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A fault to come, or a calm. It is undone after `lasts_seconds`."""

    family: str  # one of FAMILIES, or calm
    kind: str  # as the history names it: kill, pause, isolate, ...
    whom: str = ONE
    lasts_seconds: float
    draw: int = 0  # the seed of the choice of nodes
    milliseconds: int = 0  # of a delay
    percent: int = 0  # of a loss
    within: "Planned | None" = None  # begun while this lasts, undone after it

    @property
    def loses_majority(self) -> bool:
        """Whether nothing can be written meanwhile, or perhaps nothing."""
        return self.whom in (MAJORITY, ALL) or self.within is not None


def schedule(
    chance: Random, families: Sequence[str], *, kills_often: bool = False
) -> Iterator[Planned]:
    """Faults of `families` and calm in turns, without an end. `kills_often`: more kills than else.

    Raises ValueError for a family that is not known. Without families there is calm only.
    """
    unknown = [family for family in families if family not in FAMILIES]
    if unknown:
        known = ", ".join(FAMILIES)
        raise ValueError(f"{', '.join(unknown)}: not a family of faults; there are {known}")
    shorts = 0
    yield calm(chance, LONG_CALM_SECONDS)
    while True:
        for family in _dealt(chance, families, kills_often):
            planned = PLANNERS[family](chance)
            yield planned
            long = planned.loses_majority or shorts >= SHORT_CALMS_MAX
            shorts = 0 if long else shorts + 1
            yield calm(chance, LONG_CALM_SECONDS if long else SHORT_CALM_SECONDS)
        if not families:
            yield calm(chance, LONG_CALM_SECONDS)


def calm(chance: Random, seconds: Seconds) -> Planned:
    """A time in which nothing is done to the cluster."""
    return Planned(family=CALM, kind=CALM, lasts_seconds=chance.uniform(*seconds))


def _dealt(chance: Random, families: Sequence[str], kills_often: bool) -> list[str]:
    """Each family as often as it weighs, in any order; so none is forgotten."""
    weights = WEIGHTS | ({"kill": WEIGHTS["kill"] * KILLS_OFTEN} if kills_often else {})
    cards = [family for family in families for _ in range(weights[family])]
    chance.shuffle(cards)
    return cards


def _kill(chance: Random) -> Planned:
    whom = chance.choices((ONE, LEADER, MINORITY, MAJORITY, ALL), (3, 6, 2, 2, 2))[0]
    return _planned(chance, "kill", "kill", whom=whom, lasts=(0.1, 2.0))


def _pause(chance: Random) -> Planned:
    ranges = [seconds for seconds, _ in PAUSES]
    weights = [weight for _, weight in PAUSES]
    whom = chance.choices((LEADER, ONE, ALL), (4, 3, 1))[0]
    return _planned(chance, "pause", "pause", whom=whom, lasts=chance.choices(ranges, weights)[0])


def _cut(chance: Random) -> Planned:
    kinds = ("isolate", "partition", "cut", "one-way", "ring", "bridge", "flapping")
    kind = chance.choices(kinds, (4, 2, 2, 3, 1, 2, 2))[0]
    whom = chance.choices((LEADER, ONE), (3, 1))[0]
    within = _within(chance)
    return _planned(chance, "cut", kind, whom=whom, lasts=(1.0, 6.0), within=within)


def _slow(chance: Random) -> Planned:
    kind = chance.choices(("delay", "loss", "stall", "reset"), (3, 2, 2, 1))[0]
    whom = chance.choices((LEADER, ONE), (2, 1))[0]
    return _planned(
        chance,
        "slow",
        kind,
        whom=whom,
        lasts=(1.0, 6.0),
        milliseconds=chance.choice((5, 20, 50, 100, 250, 500, 1_000)),
        percent=chance.choice((1, 5, 10, 20, 50)),
        within=_within(chance),
    )


def _power(chance: Random) -> Planned:
    whom = chance.choices((ONE, LEADER, ALL), (2, 3, 3))[0]
    return _planned(chance, "power", "power-loss", whom=whom, lasts=(0.1, 2.0))


def _churn(chance: Random) -> Planned:
    kind = chance.choice(("add", "remove", "replace"))
    whom = chance.choices((ONE, LEADER), (2, 1))[0]
    return _planned(chance, "churn", kind, whom=whom, lasts=(2.0, 8.0))


def _within(chance: Random) -> Planned | None:
    if chance.random() >= WITHIN_SHARE:
        return None
    kind = chance.choice(("kill", "pause"))
    whom = chance.choice((ONE, LEADER))
    return _planned(chance, kind, kind, whom=whom, lasts=(0.1, 2.0))


def _planned(
    chance: Random,
    family: str,
    kind: str,
    *,
    whom: str,
    lasts: Seconds,
    milliseconds: int = 0,
    percent: int = 0,
    within: Planned | None = None,
) -> Planned:
    return Planned(
        family=family,
        kind=kind,
        whom=whom,
        lasts_seconds=chance.uniform(*lasts),
        draw=chance.getrandbits(32),
        milliseconds=milliseconds,
        percent=percent,
        within=within,
    )


PLANNERS: dict[str, Callable[[Random], Planned]] = {
    "kill": _kill,
    "pause": _pause,
    "cut": _cut,
    "slow": _slow,
    "power": _power,
    "churn": _churn,
}
