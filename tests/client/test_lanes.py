"""How many requests are under way to a node, and who goes with whom."""

import time

import pytest

from quoth.lanes import FLIGHTS_FAR, Lane
from quoth.reads import GetDocuments
from quoth.together import LOADED_TOGETHER_MAX, Asked, Loads, Told


@pytest.fixture(autouse=True)
def one_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the second one waits already."""
    monkeypatch.setattr("quoth.lanes.FLIGHTS_NEAR", 1)


def passenger(name: str) -> Asked:
    return Asked(GetDocuments((name,)), None, 1)


def test_far_away_several_are_under_way() -> None:
    lane = Lane(Loads())
    assert lane.enter() and not lane.enter(), "the first one measures"
    ours = [passenger(str(number)) for number in range(20)]
    assert not any(lane.enter(each) for each in ours)
    groups = lane.leave(1, seconds=0.050)
    assert [len(each) for each in groups] == [3, 3, 3, 3, 3, 3, 2]
    assert lane.enter() and not lane.enter(), f"{FLIGHTS_FAR} at once"
    for each in groups:
        assert lane.leave(len(each), seconds=0.050) == []


def test_near_by_one_is_under_way() -> None:
    lane = Lane(Loads())
    assert lane.enter()
    ours = [passenger(str(number)) for number in range(20)]
    assert not any(lane.enter(each) for each in ours)
    (group,) = lane.leave(1, seconds=0.001)
    assert (group, ours[0].outcome, ours[1].outcome) == (ours, Told.LEAD, None)
    assert lane.leave(20, seconds=1.0) == []
    assert lane.enter() and not lane.enter(), "a slow one does not make it far"


def test_a_request_has_a_limit() -> None:
    lane = Lane(Loads())
    lane.enter()
    half = LOADED_TOGETHER_MAX // 2 + 1
    first, second, third = (Asked(GetDocuments(("a",)), None, size) for size in (half, half, 1))
    for each in (first, second, third):
        lane.enter(each)
    assert lane.leave(1, seconds=0.001) == [[first]]
    assert first.outcome is Told.GO
    assert lane.leave(1, seconds=0.001) == [[second, third]]


def test_giving_up_costs_as_much_as_waiting() -> None:
    lane = Lane(Loads())
    lane.enter()
    ours = [passenger("a") for _ in range(30_000)]
    for each in ours:
        lane.enter(each)
    began = time.process_time()
    for each in reversed(ours[100:-100]):
        assert lane.give_up(each) == 0
    assert time.process_time() - began < 2
    assert list(lane._waiting) == ours[:100] + ours[-100:]


def test_who_gives_up_the_lead_leaves_the_others_waiting() -> None:
    lane = Lane(Loads())
    lane.enter()
    first, second, third = map(passenger, "abc")
    for each in (first, second, third):
        lane.enter(each)
    lane.leave(1, seconds=0.001)
    assert lane.give_up(first) == 3
    assert lane.leave(3, seconds=None) == [[second, third]]
    assert second.outcome is Told.LEAD
    assert lane.give_up(third) == 0, "it is a passenger: the flight is not its own"
