"""Numbers and keys that are given to one client only, and numbers that only grow. Pure.

Operations on a series (its name is the key): "next" gives a number; "seed" of [n] raises the
series, so that whoever asks after it was told gets more than n. A series may skip numbers: who was
not told may have taken one.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.history import Operation, by_key


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


def check(operations: Sequence[Operation]) -> list[Violation]:
    """given-twice; given-backwards: asked later and got less; below-seed: ... than was seeded."""
    return [
        violation
        for key, series in by_key(operations).items()
        for violation in _of_series(key, [one for one in series if one.ok])
    ]


def _of_series(key: str, done: Sequence[Operation]) -> Iterable[Violation]:
    told: list[tuple[Operation, Taken]] = []
    for one in done:
        assert one.returned is not None, "it is done"
        number = one.input[0] if one.f == "seed" else one.output
        told.append((one, Taken(number, one.call, one.returned)))
    holders: dict[int, list[Operation]] = {}
    for one, taken in told:
        if one.f == "next":
            holders.setdefault(taken.number, []).append(one)
    for number in given_twice(taken for one, taken in told if one.f == "next"):
        first, second, *_ = holders[number]
        yield Violation(
            anomaly="given-twice",
            key=key,
            told=f"{number} went to client {first.client} and to client {second.client}",
            evidence=(first, second),
        )
    operation = {id(taken): one for one, taken in told}
    # Who asks after a seed gets more than it, so a seed counts as if its number were given.
    for early, late in given_backwards([taken for _, taken in told], may_repeat=False):
        before, after = operation[id(early)], operation[id(late)]
        if after.f != "next" or (before.f == "next" and before.output == after.output):
            continue  # a seed that raises nothing is no offence; a repeated number was told above
        seeded = before.f == "seed"
        yield Violation(
            anomaly="below-seed" if seeded else "given-backwards",
            key=key,
            told=f"{after.output} was given after {before.input[0] if seeded else before.output}"
            f" had been {'seeded' if seeded else 'given'}",
            evidence=(before, after),
        )


def given_twice(taken: Iterable[Taken]) -> list[int]:
    """Numbers that more than one client was given."""
    counted = Counter(each.number for each in taken)
    return sorted(number for number, times in counted.items() if times > 1)


def given_backwards(
    taken: Sequence[Taken], *, may_repeat: bool = True
) -> list[tuple[Taken, Taken]]:
    """Pairs where the later question got the lower number, or the same unless that may be."""
    wrong: list[tuple[Taken, Taken]] = []
    told = sorted(taken, key=lambda each: each.told_at)
    highest: Taken | None = None
    position = 0
    for each in sorted(taken, key=lambda each: each.asked_at):
        while position < len(told) and told[position].told_at < each.asked_at:
            if highest is None or told[position].number > highest.number:
                highest = told[position]
            position += 1
        if highest is None:
            continue
        if each.number < highest.number or (not may_repeat and each.number == highest.number):
            wrong.append((highest, each))
    return wrong


def created_twice(created: Iterable[Created]) -> list[str]:
    """Keys that more than one client was told it had created."""
    counted = Counter(each.key for each in created)
    return sorted(key for key, times in counted.items() if times > 1)
