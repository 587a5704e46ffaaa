"""Which nodes and which links a fault means, once it is known who is there and who leads. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from quoth_node.testing.schedule import ALL, LEADER, MAJORITY, MINORITY, ONE, Planned


@dataclass(frozen=True, slots=True)
class Link:
    """What `a` sends to `b`, and if not `one_way` also what `b` sends to `a`."""

    a: str
    b: str
    one_way: bool = False


def majority_of(count: int) -> int:
    """How many of `count` nodes are needed to write."""
    return count // 2 + 1


def picked(whom: str, tags: Sequence[str], leader: str | None, chance: Random) -> tuple[str, ...]:
    """The nodes that `whom` means. If nobody leads, any node stands for the leader."""
    assert tags, "a cluster has nodes"
    if whom == ALL:
        return tuple(tags)
    if whom == LEADER and leader in tags:
        assert leader is not None, "it is one of the tags"
        return (leader,)
    count = {
        ONE: 1,
        LEADER: 1,
        MINORITY: max(1, (len(tags) - 1) // 2),
        MAJORITY: majority_of(len(tags)),
    }[whom]
    return tuple(sorted(chance.sample(list(tags), count)))


def severed(
    planned: Planned, tags: Sequence[str], leader: str | None, chance: Random
) -> tuple[Link, ...]:
    """The links that a fault of the network cuts or slows; none if a node has no peers."""
    if len(tags) < 2:
        return ()
    (first,) = picked(LEADER if planned.whom == LEADER else ONE, tags, leader, chance)
    others = [tag for tag in tags if tag != first]
    match planned.kind:
        case "isolate" | "flapping":
            return tuple(Link(first, other) for other in others)
        case "partition":
            apart = {first, *chance.sample(others, max(1, (len(tags) - 1) // 2) - 1)}
            return tuple(Link(a, b) for a in sorted(apart) for b in tags if b not in apart)
        case "one-way":
            return tuple(_one_way(first, others, chance))
        case "ring":
            return tuple(_but_neighbours(chance.sample(list(tags), len(tags))))
        case "bridge":
            return tuple(_but_bridge(chance.sample(list(tags), len(tags))))
        case "cut" | "reset" | "stall":
            return (Link(first, chance.choice(others)),)
        case "delay" | "loss":
            slowed = others if chance.random() < 0.5 else [chance.choice(others)]
            return tuple(Link(first, other) for other in slowed)
    raise ValueError(f"{planned.kind} is no fault of a network")


def cut_off(links: Sequence[Link], tags: Sequence[str]) -> tuple[str, ...]:
    """The nodes that reach, and are reached by, no majority through what is left. Sorted.

    One way is not enough: who hears and cannot answer takes part in nothing.
    """
    gone = {frozenset((link.a, link.b)) for link in links}
    alone = []
    for tag in tags:
        reached = sum(frozenset((tag, other)) not in gone for other in tags if other != tag)
        if reached + 1 < majority_of(len(tags)):
            alone.append(tag)
    return tuple(sorted(alone))


def _one_way(first: str, others: Sequence[str], chance: Random) -> list[Link]:
    """`first` cannot speak, or cannot hear: to one other or to all."""
    meant = list(others) if chance.random() < 0.5 else [chance.choice(others)]
    if chance.random() < 0.5:
        return [Link(first, other, True) for other in meant]
    return [Link(other, first, True) for other in meant]


def _but_neighbours(circle: Sequence[str]) -> list[Link]:
    """All links but those between neighbours; of three nodes one, or nothing would be cut."""
    size = len(circle)
    apart = [
        Link(circle[i], circle[j])
        for i in range(size)
        for j in range(i + 1, size)
        if j - i not in (1, size - 1)
    ]
    return apart or [Link(circle[0], circle[1])]


def _but_bridge(order: Sequence[str]) -> list[Link]:
    """Two halves that only the node between them reaches; of two nodes there are only halves."""
    half = max(1, (len(order) - 1) // 2)
    left, right = order[:half], order[half + 1 :] or order[half:]
    return [Link(a, b) for a in left for b in right]
