"""The schedule of faults: the same for a seed, and never without calm."""

from itertools import islice, pairwise
from random import Random

import pytest

from quoth_node.testing.schedule import (
    CALM,
    FAMILIES,
    LONG_CALM_SECONDS,
    PAUSES,
    SHORT_CALMS_MAX,
    Planned,
    schedule,
)

MANY = 2_000


def planned(seed: int, *families: str, count: int = MANY) -> list[Planned]:
    return list(islice(schedule(Random(seed), families), count))


def test_a_seed_gives_the_same_faults_again() -> None:
    assert planned(7, *FAMILIES) == planned(7, *FAMILIES)
    assert planned(7, *FAMILIES) != planned(8, *FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_only_what_was_asked_for_happens(family: str) -> None:
    found = planned(1, family)
    assert {one.family for one in found} == {family, CALM}


def test_all_families_have_their_turn_within_a_few_minutes() -> None:
    assert {one.family for one in planned(3, *FAMILIES, count=33)} == {*FAMILIES, CALM}


def test_kills_happen_more_often_where_many_are_asked_for() -> None:
    def kills(*, often: bool) -> int:
        found = islice(schedule(Random(1), FAMILIES, kills_often=often), MANY)
        return sum(one.kind == "kill" for one in found)

    assert kills(often=True) > 1.3 * kills(often=False)


def test_faults_and_calm_take_turns() -> None:
    found = planned(5, *FAMILIES)
    assert [one.family == CALM for one in found] == [i % 2 == 0 for i in range(len(found))]


def test_a_majority_that_was_lost_is_followed_by_a_long_calm() -> None:
    found = planned(11, *FAMILIES)
    lost = [after for one, after in pairwise(found) if one.loses_majority]
    assert lost
    assert all(after.lasts_seconds >= LONG_CALM_SECONDS[0] for after in lost)


def test_a_long_calm_is_never_far() -> None:
    calms = [one.lasts_seconds for one in planned(13, *FAMILIES) if one.family == CALM]
    short = 0
    for seconds in calms:
        short = 0 if seconds >= LONG_CALM_SECONDS[0] else short + 1
        assert short <= SHORT_CALMS_MAX


def test_pauses_last_as_long_as_is_said_and_long_ones_are_rare() -> None:
    lasts = [one.lasts_seconds for one in planned(17, "pause") if one.family == "pause"]
    shortest, longest = PAUSES[0][0][0], PAUSES[-1][0][1]
    assert all(shortest <= seconds <= longest for seconds in lasts)
    long, short = sum(s > 5 for s in lasts), sum(s < 0.5 for s in lasts)
    assert 0 < long < short / 2


def test_faults_happen_within_faults_of_the_network() -> None:
    found = [one for one in planned(19, *FAMILIES) if one.within]
    assert found and {one.family for one in found} <= {"cut", "slow"}


def test_without_families_there_is_calm() -> None:
    assert {one.family for one in planned(1, count=20)} == {CALM}


def test_a_family_that_is_not_known_is_named() -> None:
    with pytest.raises(ValueError, match="earthquake: not a family"):
        planned(1, "earthquake")
