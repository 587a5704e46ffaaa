"""Plots: faults that play together, for what chance alone hardly ever meets.

Each is what some bug needs to show itself; which one, its docstring says.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from tests.simulator.member import Node

if TYPE_CHECKING:
    from tests.simulator.world import World

WAIT_SECONDS = 0.001
WAITS_MAX = 300


def late_acks(world: "World") -> None:
    """Acknowledgements of one reign arrive in a later one of the same leader (finding b).

    The leader and one follower, its friend, go on without the others; what the friend acknowledges
    stays on its way. The others elect a rival, whom only the friend hears: it takes back what it
    acknowledged. Then rival and friend fall asleep, and the old leader wins again. Who counts now
    what arrives at last, counts what is not there.
    """
    _old_leader_wins_again(world, are_late=True)


def old_matches(world: "World") -> None:
    """The same, and what the friend acknowledged arrived while the first reign lasted.

    Who carries it over to another reign, counts what is not there.
    """
    _old_leader_wins_again(world, are_late=False)


def _old_leader_wins_again(world: "World", *, are_late: bool) -> None:
    leader = world.leader()
    if leader is None or len(world.up()) < 5 or any(is_asleep(node) for node in world.up()):
        return
    others = [node for node in world.up() if node is not leader]
    friend = world.dice.choice(others)
    others.remove(friend)
    if are_late:
        world.network.stall(friend.tag, leader.tag, world.profile.storm_seconds)
    cut_off(world, leader, others)
    world.time.after(0.15, _friend_is_left, world, leader, friend, others)


def _friend_is_left(world: "World", leader: Node, friend: Node, others: list[Node]) -> None:
    if world.is_calm or friend.life is None:
        return
    world.network.cut(leader.tag, friend.tag)
    friend.pause()  # its log is the longest: it would win
    args = (world, leader, friend, others)
    when(world, lambda: world.leader() in others, _rival_leads, *args)


def _rival_leads(world: "World", leader: Node, friend: Node, others: list[Node]) -> None:
    rival = world.leader()
    assert rival is not None
    others = [node for node in others if node is not rival]
    cut_off(world, rival, others)
    friend.resume()

    def friend_follows() -> bool:
        lives = rival.life, friend.life
        logs = [life.journal for life in lives if life is not None]
        return len(logs) == 2 and logs[0].last_term == logs[1].last_term == logs[0].current_term

    when(world, friend_follows, _old_leader_returns, world, leader, friend, others, rival)


def _old_leader_returns(
    world: "World", leader: Node, friend: Node, others: list[Node], rival: Node
) -> None:
    rival.pause()
    friend.pause()
    world.network.mend(leader.tag, friend.tag)
    for other in others:
        world.network.mend(leader.tag, other.tag)
        world.network.mend(other.tag, leader.tag)
    args = (world, leader, friend, rival)
    when(world, lambda: world.leader() is leader, _acknowledgements_arrive, *args)


def _acknowledgements_arrive(world: "World", leader: Node, friend: Node, rival: Node) -> None:
    world.network.release(friend.tag, leader.tag)
    for node in (friend, rival):
        world.time.after(0.1, node.resume)
    world.time.after(0.1, world.network.heal)


def deposed_tail(world: "World") -> None:
    """A follower holds much that only it and a deposed leader have, behind some that all have.

    It hears of a later history in small windows, while what is committed there is far beyond them:
    from the second leader after, who begins at its own end and has to be told to go back. Who
    commits further than a message proves, applies what was never agreed (findings c, s1).
    """
    leader = world.leader()
    if leader is None or len(world.up()) < 5 or any(is_asleep(node) for node in world.up()):
        return
    others = [node for node in world.up() if node is not leader]
    friend = world.dice.choice(others)
    others.remove(friend)
    cut_off(world, leader, others)
    seconds = world.dice.uniform(0.02, 0.1)
    world.time.after(seconds, _fall_asleep_until_deposed, world, leader, friend)


def _fall_asleep_until_deposed(world: "World", leader: Node, friend: Node) -> None:
    if world.is_calm:
        return
    cut_off(world, friend, [node for node in world.up() if node is not friend])
    for node in (leader, friend):
        node.pause()

    def depose_again() -> None:
        rival = world.leader()
        if rival is not None and rival is not leader and not world.is_calm:
            rival.kill()
            world.time.after(longest, _restart, world, rival)

    def wake() -> None:
        world.network.heal()
        for node in (friend, leader):
            node.resume()

    longest = world.profile.timing[2]
    world.time.after(2.5 * longest, depose_again)
    world.time.after(5.0 * longest, wake)


def cut_off(world: "World", one: Node, others: list[Node]) -> None:
    for other in others:
        world.network.cut(one.tag, other.tag)
        world.network.cut(other.tag, one.tag)


def when(
    world: "World",
    is_so: Callable[[], bool],
    then: Callable[..., None],
    *args: object,
    waits: int = 2_000,
) -> None:
    """Go on as soon as something is so; if it does not come, the plot is over."""
    if world.is_calm:
        return
    if waits == 0:
        world.network.heal()
        for node in world.up():
            node.resume()
    elif is_so():
        then(*args)
    else:
        again = partial(when, world, is_so, then, *args, waits=waits - 1)
        world.time.after(WAIT_SECONDS, again)


def is_asleep(node: Node) -> bool:
    return node.life is not None and node.life.loop.is_paused


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


def hasty_voters(world: "World") -> None:
    """All start at once on slow paths, so several stand for one term; who votes dies and returns.

    Whoever forgets a vote gives another in the same term (finding d).
    """
    for one in world.nodes:
        for other in world.nodes:
            world.network.slow[one, other] = world.dice.uniform(0.0, 0.1)
    for node in world.up():
        node.kill()
        world.time.after(0.005, _restart, world, node)
    world.time.after(0.6, world.network.heal)
    _watch_votes(world, len(world.watch.votes), 600)


def _watch_votes(world: "World", known: int, waits: int) -> None:
    if world.is_calm or waits == 0:
        return
    votes = list(world.watch.votes.items())
    for (tag, _, _), _ in votes[known:]:
        node = world.nodes[tag]
        if node.is_up and world.dice.random() < 0.7:
            node.kill()
            world.time.after(0.002, _restart, world, node)
    world.time.after(WAIT_SECONDS, _watch_votes, world, len(votes), waits - 1)


def _restart(world: "World", node: Node) -> None:
    if not node.is_up and world.nodes.get(node.tag) is node:
        node.start()
