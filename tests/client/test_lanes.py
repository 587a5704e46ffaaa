"""How many requests are under way to a node, and who goes with whom."""

import time

import pytest

from quoth.batches import PutDocument, SaveBatch
from quoth.lanes import FLIGHTS_FAR, Lane
from quoth.reads import GetDocuments
from quoth.together import LOADED_TOGETHER_MAX, Asked, Loads, Saves, Told


@pytest.fixture(autouse=True)
def one_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the second one waits already."""
    monkeypatch.setattr("quoth.lanes.FLIGHTS_NEAR", 1)


def passenger(name: str) -> Asked:
    return Asked(GetDocuments((name,)), None, 1)


def saving(number: int) -> Asked:
    command = SaveBatch((PutDocument(f"orders/{number}", {"n": number}, {}),))
    return Saves().asked(command, None, f"request-{number}")


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


def test_a_slow_node_near_by_is_not_far_away() -> None:
    """What it needs for its work is no way: eight at once come back together, again and again."""
    lane = Lane(Saves())
    lane.enter()
    ours = [saving(number) for number in range(300)]
    assert not any(lane.enter(each) for each in ours)
    flying = lane.leave(1, seconds=0.050)
    assert len(flying) == FLIGHTS_FAR, "it is taken for far away at first"
    while flying:
        group = flying.pop(0)
        work_seconds = sum(each.work_seconds for each in group)
        seconds = 0.010 + FLIGHTS_FAR * work_seconds * 0.9
        flying += lane.leave(len(group), seconds, work_seconds)
    assert lane.is_near


def test_a_node_far_away_stays_far_with_many_on_the_way() -> None:
    lane = Lane(Saves())
    lane.enter()
    ours = [saving(number) for number in range(300)]
    assert not any(lane.enter(each) for each in ours)
    flying = lane.leave(1, seconds=0.100)
    while flying:
        group = flying.pop(0)
        work_seconds = sum(each.work_seconds for each in group)
        flying += lane.leave(len(group), 0.100 + FLIGHTS_FAR * work_seconds, work_seconds)
        assert not lane.is_near


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
        assert not lane.give_up(each)
    assert time.process_time() - began < 2
    assert list(lane._waiting) == ours[:100] + ours[-100:]


def test_who_gives_up_the_lead_leaves_the_others_waiting() -> None:
    lane = Lane(Loads())
    lane.enter()
    first, second, third = map(passenger, "abc")
    for each in (first, second, third):
        lane.enter(each)
    lane.leave(1, seconds=0.001)
    assert lane.give_up(first) == [first, second, third]
    assert lane.leave(3, seconds=None) == [[second, third]]
    assert second.outcome is Told.LEAD
    assert not lane.give_up(third), "it is a passenger: the flight is not its own"
