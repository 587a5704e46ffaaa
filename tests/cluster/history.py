"""What clients did to a cluster and what they were told, and what must hold of it. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Taken:
    """A number of a series that a client was given."""

    number: int
    asked_at: float
    told_at: float


@dataclass(frozen=True, slots=True)
class Created:
    """A key that a client was told it has created, with its own value."""

    key: str
    value: str


def given_twice(taken: Iterable[Taken]) -> list[int]:
    """Numbers that more than one client was given."""
    counted = Counter(each.number for each in taken)
    return sorted(number for number, times in counted.items() if times > 1)


def given_backwards(taken: Sequence[Taken]) -> list[tuple[Taken, Taken]]:
    """Pairs where the later question got the lower number."""
    wrong: list[tuple[Taken, Taken]] = []
    told = sorted(taken, key=lambda each: each.told_at)
    highest: Taken | None = None
    position = 0
    for each in sorted(taken, key=lambda each: each.asked_at):
        while position < len(told) and told[position].told_at < each.asked_at:
            if highest is None or told[position].number > highest.number:
                highest = told[position]
            position += 1
        if highest is not None and each.number < highest.number:
            wrong.append((highest, each))
    return wrong


def created_twice(created: Iterable[Created]) -> list[str]:
    """Keys that more than one client was told it had created."""
    counted = Counter(each.key for each in created)
    return sorted(key for key, times in counted.items() if times > 1)
