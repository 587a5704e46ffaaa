"""Which nodes and links a fault means."""

from random import Random

import pytest

from quoth_node.testing.schedule import Planned
from quoth_node.testing.targets import Link, cut_off, majority_of, picked, severed

THREE, FIVE = ["A", "B", "C"], ["A", "B", "C", "D", "E"]
SEEDS = range(50)


def links(kind: str, tags: list[str], seed: int, *, leader: str = "A") -> tuple[Link, ...]:
    planned = Planned(family="cut", kind=kind, whom="leader", lasts_seconds=1)
    return severed(planned, tags, leader, Random(seed))


def pairs(found: tuple[Link, ...]) -> set[frozenset[str]]:
    return {frozenset((link.a, link.b)) for link in found}


@pytest.mark.parametrize(
    ("whom", "count"), [("one", 1), ("leader", 1), ("minority", 2), ("majority", 3), ("all", 5)]
)
def test_so_many_nodes_are_meant(whom: str, count: int) -> None:
    assert all(len(picked(whom, FIVE, "B", Random(seed))) == count for seed in SEEDS)


def test_the_leader_is_meant_if_there_is_one() -> None:
    assert all(picked("leader", FIVE, "D", Random(seed)) == ("D",) for seed in SEEDS)
    assert {picked("leader", THREE, None, Random(seed)) for seed in SEEDS} == {
        ("A",),
        ("B",),
        ("C",),
    }


@pytest.mark.parametrize("tags", [THREE, FIVE], ids=["three", "five"])
def test_a_node_alone_reaches_nobody(tags: list[str]) -> None:
    found = links("isolate", tags, 1, leader="B")
    assert pairs(found) == {frozenset(("B", tag)) for tag in tags if tag != "B"}
    assert cut_off(found, tags) == ("B",)


@pytest.mark.parametrize("tags", [THREE, FIVE], ids=["three", "five"])
def test_a_partition_leaves_a_majority_and_the_leader_is_not_in_it(tags: list[str]) -> None:
    for seed in SEEDS:
        off = cut_off(links("partition", tags, seed, leader="B"), tags)
        assert "B" in off
        assert len(tags) - len(off) >= majority_of(len(tags))


def test_of_a_ring_each_node_reaches_two_others() -> None:
    for seed in SEEDS:
        found = pairs(links("ring", FIVE, seed))
        assert len(found) == 5
        assert all(sum(tag in pair for pair in found) == 2 for tag in FIVE)


def test_a_bridge_is_the_only_way_between_two_halves() -> None:
    for seed in SEEDS:
        found = pairs(links("bridge", FIVE, seed))
        bridge = [tag for tag in FIVE if not any(tag in pair for pair in found)]
        assert len(found) == 4 and len(bridge) == 1
        assert cut_off(links("bridge", FIVE, seed), FIVE) == ()


def test_one_way_is_one_way() -> None:
    found = [links("one-way", FIVE, seed) for seed in SEEDS]
    assert all(link.one_way for each in found for link in each)
    assert {len(each) for each in found} == {1, 4}
    assert {each[0].a == "A" for each in found} == {True, False}, "speaking, and hearing"


@pytest.mark.parametrize(
    "kind",
    [
        *("isolate", "partition", "cut", "one-way", "ring", "bridge", "flapping"),
        *("delay", "loss", "stall", "reset"),
    ],
)
def test_every_fault_of_a_network_touches_a_link_of_any_cluster_and_none_of_one_node(
    kind: str,
) -> None:
    for tags in (["A", "B"], THREE, ["A", "B", "C", "D"], FIVE):
        for seed in SEEDS:
            found = links(kind, tags, seed)
            assert found and all(link.a != link.b for link in found)
            assert {tag for link in found for tag in (link.a, link.b)} <= set(tags)
    assert links(kind, ["A"], 1) == ()
