"""Whether the order that nodes tell agrees with what clients saw, and when. Cheap: no search.

An operation that carries the index of the log where it took effect has its place. Sorted so, each
key is replayed: every answer has to be the one that the replay gives. An operation without an
index, because nobody told it, is free to be wherever time allows. This believes the nodes; whether
an order exists at all is the question of `linearizability`. Pure.

A read carries the index of the last command it has seen, or of the last that changed the key.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

from quoth_node.testing.checkers.linearizability import REGISTER, STATES_MAX, judge
from quoth_node.testing.checkers.models import Model, changes_nothing
from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.history import Operation, by_key


def check(
    operations: Sequence[Operation], *, model: Model = REGISTER, states_max: int = STATES_MAX
) -> list[Violation]:
    """index-given-twice, index-order, or replay: one of each at most for a key."""
    violations: list[Violation] = []
    for key, part in by_key(operations).items():
        if twice := given_twice(key, part):
            violations.append(twice)
        elif late := out_of_order(key, part):
            violations.append(late)
        elif wrong := _replayed(key, part, model, states_max):
            violations.append(wrong)
    return violations


def given_twice(key: str, operations: Sequence[Operation]) -> Violation | None:
    """Two operations that changed a key at one index."""
    at: dict[int, Operation] = {}
    for one in operations:
        if one.index is None or not one.ok or changes_nothing(one):
            continue
        if (other := at.setdefault(one.index, one)) is not one:
            told = f"two operations changed it at index {one.index}"
            return Violation(anomaly="index-given-twice", key=key, told=told, evidence=(other, one))
    return None


def out_of_order(key: str, operations: Sequence[Operation]) -> Violation | None:
    """One that was called after another had returned, and took effect before it."""
    placed = [one for one in operations if one.index is not None and one.returned is not None]
    returns = sorted(placed, key=lambda one: one.returned or 0)
    newest: Operation | None = None
    position = 0
    for one in sorted(placed, key=lambda one: one.call):
        while position < len(returns) and (returns[position].returned or 0) < one.call:
            if newest is None or _index(returns[position]) > _index(newest):
                newest = returns[position]
            position += 1
        if newest is None:
            continue
        least = _index(newest) + (0 if changes_nothing(one) else 1)
        if _index(one) < least:
            told = f"index {_index(one)} was called after index {_index(newest)} had returned"
            return Violation(anomaly="index-order", key=key, told=told, evidence=(newest, one))
    return None


def _replayed(
    key: str, operations: Sequence[Operation], model: Model, states_max: int
) -> Violation | None:
    """The search, with no choice left for whatever has an index."""
    places = _places(operations)
    originals = {id(place): one for place, one in zip(places, operations, strict=True)}
    violation = judge(key, places, model=model, states_max=states_max)
    if violation is None or not violation.evidence:
        return violation
    evidence = tuple(
        sorted((originals[id(one)] for one in violation.evidence), key=lambda one: one.index or 0)
    )
    last = max(evidence, key=lambda one: one.index or 0)
    return Violation(
        anomaly="replay",
        key=key,
        told=f"{last.f} at index {last.index} was told what a replay of the log does not give",
        evidence=evidence,
    )


def _places(operations: Sequence[Operation]) -> list[Operation]:
    """The operations with their places in the log for times: two ticks for each that has an index.

    One without an index lies after all that had returned when it was called, and before all that
    were called when it had returned.
    """
    placed = sorted(
        (one for one in operations if one.index is not None and one.returned is not None),
        key=lambda one: (_index(one), changes_nothing(one), one.returned),
    )
    position = {id(one): 2 * number for number, one in enumerate(placed)}
    highest = _highest_returned(placed, position)
    lowest = _lowest_called(placed, position)
    places: list[Operation] = []
    for one in operations:
        if (at := position.get(id(one))) is not None:
            places.append(replace(one, call=at, returned=at))
        elif one.returned is None:
            places.append(replace(one, call=highest(one.call) + 1))
        else:
            begin, end = highest(one.call) + 1, lowest(one.returned) - 1
            places.append(replace(one, call=begin, returned=max(begin, end)))
    return places


def _highest_returned(
    placed: Sequence[Operation], position: Mapping[int, int]
) -> Callable[[int], int]:
    """Given a time: the last place of those that had returned before it; -2 if none had."""
    returned = sorted((one.returned or 0, position[id(one)]) for one in placed)
    times = [time for time, _ in returned]
    highest = [-2, *accumulate((at for _, at in returned), max)]
    return lambda time: highest[bisect_left(times, time)]


def _lowest_called(
    placed: Sequence[Operation], position: Mapping[int, int]
) -> Callable[[int], int]:
    """Given a time: the first place of those that were called after it, or one past all."""
    called = sorted((one.call, position[id(one)]) for one in placed)
    times = [time for time, _ in called]
    last = 2 * len(placed)
    lowest = [*accumulate((at for _, at in reversed(called)), min, initial=last)][::-1]
    return lambda time: lowest[bisect_right(times, time)]


def _index(one: Operation) -> int:
    assert one.index is not None, "it has a place"
    return one.index
