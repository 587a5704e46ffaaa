"""Plots about a follower that the log does not reach any more, and the state it is given instead.

Findings s2 to s5: what is older, torn or half installed must not count.
"""

from typing import TYPE_CHECKING

from tests.simulator.member import Node

if TYPE_CHECKING:
    from tests.simulator.world import World

WAIT_SECONDS = 0.0005
WAITS_MAX = 6_000
KEEP_ALL = 10_000


def left_behind(world: "World") -> None:
    """Followers are away until the log does not reach them; then they are given state.

    Not in peace: the leader naps, or power goes while chunks arrive. Of five, two may be away.
    """
    leader = world.leader()
    others = [node for node in world.up() if node is not leader]
    if leader is None or not others:
        return
    followers = world.dice.sample(others, 2 if len(others) > 3 and world.dice.random() < 0.5 else 1)
    for follower in followers:
        _cut_off(world, follower)
    seconds = world.dice.uniform(0.8, 1.6)
    world.time.after(seconds, world.network.heal)
    for follower in followers:
        twist = world.dice.choice([_nap, _lose_power_while_given, _lose_power_while_installing])
        victim = leader if twist is _nap else follower
        later = world.dice.uniform(0.05, 0.6) if twist is _nap else 0.0
        world.time.after(seconds + later, twist, world, victim)


def after_install(world: "World", node: Node) -> None:
    """Just when a node believes that it has been given all, power may go, or its word be lost."""
    if "left behind" not in world.profile.faults or world.is_calm:
        return
    fate = world.dice.random()
    if fate < 0.3:
        seconds = world.dice.uniform(0.0, world.dice.choice([0.002, 0.02]))
        world.time.after(seconds, _lose_power, world, node)
    elif fate < 0.5:
        leader = world.leader()
        if leader is not None and leader is not node:
            world.network.cut(node.tag, leader.tag)
            world.network.break_all(node.tag, leader.tag)
            world.network.break_all(leader.tag, node.tag)
            world.time.after(world.dice.uniform(0.1, 0.4), world.network.heal)


def late_end(world: "World") -> None:
    """The last word of a transfer is late: another leader, with a longer log, was faster.

    A follower is given all the files, and the word to install them waits on its way. The leader is
    cut off from the rest, who elect another, and that one brings the follower up to date by its
    log, just then or long before: the snapshot is older than the state it is to replace (s2).
    """
    leader = world.leader()
    others = [node for node in world.up() if node is not leader]
    if leader is None or len(others) < 2:
        return
    follower = others.pop(world.dice.randrange(len(others)))
    for other in others:
        assert other.life is not None
        other.life.group._log_keep_slots = KEEP_ALL
    _cut_off(world, follower)
    _when_behind(world, leader, follower, WAITS_MAX)


def _when_behind(world: "World", leader: Node, follower: Node, waits: int) -> None:
    if world.is_calm or leader.life is None or follower.life is None or waits == 0:
        world.network.heal()
        return
    if leader.life.journal.base_index <= follower.life.journal.last_index:
        world.time.after(WAIT_SECONDS, _when_behind, world, leader, follower, waits - 1)
        return
    world.network.heal()
    _when_all_is_given(world, leader, follower, WAITS_MAX)


def _when_all_is_given(world: "World", leader: Node, follower: Node, waits: int) -> None:
    if world.is_calm or not leader.is_up or not follower.is_up or waits == 0:
        return
    if _given(follower) < 1.0:
        world.time.after(WAIT_SECONDS, _when_all_is_given, world, leader, follower, waits - 1)
        return
    longest = world.profile.timing[2]
    seconds = world.dice.uniform(0.5, 4.0) * longest
    world.network.stall(leader.tag, follower.tag, seconds)
    for other in world.up():
        if other not in (leader, follower):
            world.network.cut(other.tag, leader.tag)
            world.network.cut(leader.tag, other.tag)
    world.time.after(seconds + longest, world.network.heal)


def _given(node: Node) -> float:
    """How much of a snapshot has arrived, of 1; 0 if there is none on its way."""
    if node.life is None:
        return 0.0
    snapshots = node.life.group._snapshots
    if snapshots._incoming is None:
        return 0.0
    return sum(snapshots._have) / sum(file.size for file in snapshots._incoming.files)


def _lose_power_while_given(world: "World", node: Node) -> None:
    _when_given(world, node, world.dice.uniform(0.0, 1.0), WAITS_MAX)


def _when_given(world: "World", node: Node, part: float, waits: int) -> None:
    if world.is_calm or not node.is_up or waits == 0:
        return
    if _given(node) <= part:
        world.time.after(WAIT_SECONDS, _when_given, world, node, part, waits - 1)
        return
    _lose_power(world, node)


def _lose_power_while_installing(world: "World", node: Node) -> None:
    _when_installing(world, node, WAITS_MAX)


def _when_installing(world: "World", node: Node, waits: int) -> None:
    if world.is_calm or not node.is_up or waits == 0:
        return
    if not node.disk.exists(node.folder / "snapshots" / "installing"):
        world.time.after(WAIT_SECONDS, _when_installing, world, node, waits - 1)
        return
    seconds = world.dice.choice([0.0, world.dice.uniform(0.0, 0.003)])
    world.time.after(seconds, _lose_power, world, node)


def _cut_off(world: "World", node: Node) -> None:
    """Connections break, too: what waits on them would arrive when all is healed."""
    for other in world.up():
        if other is not node:
            for source, target in ((other.tag, node.tag), (node.tag, other.tag)):
                world.network.cut(source, target)
                world.network.break_all(source, target)


def _nap(world: "World", node: Node) -> None:
    if not world.is_calm:
        node.pause()
        world.time.after(1.6 * world.profile.timing[2], node.resume)


def _lose_power(world: "World", node: Node) -> None:
    if node.is_up and not world.is_calm:
        node.kill(power=True)
        world.time.after(0.05, _restart, world, node)


def _restart(world: "World", node: Node) -> None:
    if not node.is_up and world.nodes.get(node.tag) is node:
        node.start()
