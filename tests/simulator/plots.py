"""Plots: faults that play together, for what chance alone hardly ever meets.

Each is what some bug needs to show itself; which one, its docstring says.
"""

from typing import TYPE_CHECKING

from tests.simulator.member import Node

if TYPE_CHECKING:
    from tests.simulator.world import World

WAIT_SECONDS = 0.001
WAITS_MAX = 300


def late_acks(world: "World") -> None:
    """Acknowledgements of one reign arrive in a later one of the same leader (finding b).

    The leader and one follower go on alone for a moment, then the follower falls asleep, its last
    acknowledgements still on their way. The others elect another leader, which falls asleep in its
    turn; the old one wins again, by votes of those who cannot stand against it.
    """
    leader = world.leader()
    if leader is None or len(world.up()) < 5:
        return
    network, longest = world.network, world.profile.timing[2]
    others = [node for node in world.up() if node is not leader]
    friend = world.dice.choice(others)
    others.remove(friend)
    network.stall(friend.tag, leader.tag, 4.5 * longest)
    for other in others:
        network.cut(leader.tag, other.tag)
        network.cut(other.tag, leader.tag)
    world.time.after(0.15, _put_to_sleep, world, friend, 4.5 * longest + 0.3)
    world.time.after(1.5 * longest, network.heal)
    world.time.after(2.0 * longest, _put_new_leader_to_sleep, world, leader, others)


def _put_new_leader_to_sleep(world: "World", old: Node, others: list[Node]) -> None:
    leader = world.leader()
    if leader not in others or world.is_calm:
        return
    _put_to_sleep(world, leader, 2.5 * world.profile.timing[2])
    awake = [node for node in others if node is not leader]
    for one in awake:
        for other in awake:
            if one is not other:
                world.network.cut(one.tag, other.tag)


def _put_to_sleep(world: "World", node: Node, seconds: float) -> None:
    if not world.is_calm:
        node.pause()
        world.time.after(seconds, node.resume)


def believed_early(world: "World") -> None:
    """A follower dies between write and sync, and believes what it finds; then power goes.

    The third node was away, so the follower's copy was needed for the quorum.
    """
    leader = world.leader()
    if leader is None or len(world.up()) < 3:
        return
    others = [node for node in world.up() if node is not leader]
    follower = world.dice.choice(others)
    for other in others:
        if other is not follower:
            world.network.cut(leader.tag, other.tag)
            world.network.cut(other.tag, leader.tag)
    _when_it_writes(world, follower, leader, WAITS_MAX)


def _when_it_writes(world: "World", follower: Node, leader: Node, waits: int) -> None:
    life = follower.life
    if world.is_calm or life is None or waits == 0:
        world.network.heal()
        return
    if life.disk_worker.unfinished_job() is None:
        args = (world, follower, leader, waits - 1)
        world.time.after(WAIT_SECONDS, _when_it_writes, *args)
        return
    follower.kill(fuse=1)
    world.time.after(0.02, _restart, world, follower)
    world.time.after(world.dice.uniform(0.3, 0.8), _power_off, world, leader)


def _power_off(world: "World", late: Node) -> None:
    """All at once; `late` comes back last."""
    if world.is_calm:
        return
    world.network.heal()
    for node in world.up():
        node.kill(power=True)
        seconds = 2.5 if node is late else world.dice.uniform(0.02, 0.1)
        world.time.after(seconds, _restart, world, node)


def leader_unsynced(world: "World") -> None:
    """A leader with a slow disk loses power; of those it answered for, one is away.

    Who counts a log that is not synced, counts what is gone now.
    """
    leader = world.leader()
    if leader is None or len(world.up()) < 3:
        return
    others = [node for node in world.up() if node is not leader]
    away = world.dice.choice(others)
    leader.disk_seconds = world.dice.uniform(0.1, 0.3)
    world.network.cut(leader.tag, away.tag)
    world.network.cut(away.tag, leader.tag)
    world.time.after(world.dice.uniform(0.2, 0.6), _leader_falls, world, leader, away)


def _leader_falls(world: "World", leader: Node, away: Node) -> None:
    leader.disk_seconds = 0.0
    if world.is_calm:
        return
    world.network.heal()
    for node in world.up():
        if node is leader:
            node.kill(power=True, fuse=0)
            world.time.after(0.02, _restart, world, node)
        elif node is not away:
            node.kill()
            world.time.after(2.0, _restart, world, node)


def _restart(world: "World", node: Node) -> None:
    if not node.is_up and world.nodes.get(node.tag) is node:
        node.start()
