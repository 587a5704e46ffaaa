"""A node that lost its disk: what it meets when it comes back, and how it joins anew."""

from typing import TYPE_CHECKING

from quoth_cluster.log import Change
from tests.simulator.member import Node
from tests.simulator.plots import cut_off, is_asleep, when

if TYPE_CHECKING:
    from tests.simulator.world import World

ASK_SECONDS = 0.3  # how often it asks to join, until it is a member
BACK_SECONDS = 1.0  # how long it is alone with the leader that was deposed


def lost_disk(world: "World") -> None:
    """A follower loses its disk, and comes back to a leader that was deposed before.

    The leader is cut off; the others elect a rival, whom one of them, its friend, follows. The
    friend forgets all it acknowledged, and then only the old leader hears it. Who counts it as what
    it was, commits another history.
    """
    leader = world.leader()
    if leader is None or world.profile.churns or len(world.up()) < 3 or _some_are_new(world):
        return
    if any(is_asleep(node) for node in world.up()):
        return
    others = [node for node in world.up() if node is not leader]
    cut_off(world, leader, others)
    for other in others:
        world.network.break_all(leader.tag, other.tag)
        world.network.break_all(other.tag, leader.tag)

    def rival_has_committed() -> bool:
        rival = world.leader()
        newest = world.watch.past.get(world.watch.last_index)
        is_other = rival is not None and rival in others and rival.life is not None
        return is_other and newest is not None and newest.entry.term == world.watch.newest_term

    when(world, rival_has_committed, _forget, world, leader, others)


def _some_are_new(world: "World") -> bool:
    """Whether a node that lost its disk is no member yet: two at once would be too many."""
    members = world.watch.members()
    return any(
        node.wipes and (tag not in members or members[tag].incarnation != node.incarnation)
        for tag, node in world.nodes.items()
    )


def _forget(world: "World", deposed: Node, others: list[Node]) -> None:
    rival = world.leader()
    friends = [node for node in others if node is not rival and node.is_up]
    if rival is None or not friends or _some_are_new(world):
        world.network.heal()
        return
    friend = world.dice.choice(friends)
    friend.kill()
    friend.wipe(world.contacts(without=friend.tag))
    friend.start()
    cut_off(world, friend, [node for node in others if node is not friend])
    for source, target in ((friend.tag, deposed.tag), (deposed.tag, friend.tag)):
        world.network.mend(source, target)
    world.time.after(BACK_SECONDS, world.network.heal)
    world.time.after(BACK_SECONDS, _join, world, friend)


def _join(world: "World", node: Node) -> None:
    """As a real node: the former of its tag is removed first, and it is added as a new one."""
    former = world.watch.members().get(node.tag)
    if former is not None and former.incarnation == node.incarnation:
        return
    if former is not None:
        world.faults.admins.ask(Change.REMOVE, node, incarnation=former.incarnation)
    elif node.is_up:
        world.faults.admins.ask(Change.ADD, node)
    world.time.after(ASK_SECONDS, _join, world, node)
