"""What befalls a cluster: crashes, pauses, cuts, broken and slow links, bad disks."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from quoth_cluster.log import Change
from tests.simulator.clients import Admins
from tests.simulator.lost_disk import lost_disk
from tests.simulator.member import Node
from tests.simulator.plots import (
    believed_early,
    deposed_tail,
    hasty_voters,
    late_acks,
    leader_unsynced,
    old_matches,
)
from tests.simulator.snapshot_plots import late_end, left_behind

if TYPE_CHECKING:
    from tests.simulator.world import World


class Faults:
    """Draws faults until the calm, and mends everything then."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._dice = world.dice
        self.admins = Admins(world)
        self._mix = world.profile.faults
        self._acts: dict[str, Callable[[], None]] = {
            "kill one": lambda: self._kill(self._any()),
            "kill leader": lambda: self._kill(self._leader()),
            "stop one": lambda: self._stop(self._any()),
            "kill all": lambda: self._kill_many(power=False),
            "power one": lambda: self._kill(self._any(), power=True),
            "power leader": lambda: self._kill(self._leader(), power=True),
            "power all": lambda: self._kill_many(power=True),
            "pause one": lambda: self._pause(self._any()),
            "pause leader": lambda: self._pause(self._leader()),
            "cut leader alone": self._cut_leader,
            "cut halves": self._cut_halves,
            "cut one way": self._cut_one_way,
            "cut ring": self._cut_ring,
            "cut bridge": self._cut_bridge,
            "flap": self._flap,
            "break": self._break,
            "stall": self._stall,
            "slow path": self._slow_path,
            "slow disk": self._slow_disk,
            "slow copies": self._slow_copies,
            "disk fails": lambda: self._spoil(self._any(), is_full=False),
            "disk full": lambda: self._spoil(self._any(), is_full=True),
            "vote storm": self._vote_storm,
            "late acks": lambda: late_acks(world),
            "believed early": lambda: believed_early(world),
            "leader unsynced": lambda: leader_unsynced(world),
            "deposed tail": lambda: deposed_tail(world),
            "old matches": lambda: old_matches(world),
            "hasty voters": lambda: hasty_voters(world),
            "left behind": lambda: left_behind(world),
            "late end": lambda: late_end(world),
            "lost disk": lambda: lost_disk(world),
        }
        assert set(self._mix) <= set(self._acts)

    def start(self) -> None:
        world = self._world
        world.network.stall_chance = world.profile.stall_chance
        if world.profile.churns:
            self.admins.start()
        # The first faults come when there is something to break.
        world.time.after(self._dice.uniform(0.3, 1.5), self._next)

    def end(self) -> None:
        """Heal everything; all but the removed are up."""
        world = self._world
        world.network.heal()
        world.network.calm_down()
        members = set(world.members())
        gone = {tag for tag in world.nodes if tag not in members and self._was_removed(tag)}
        for node in list(world.nodes.values()):
            node.disk.repair()
            node.disk_seconds = node.copy_seconds = 0.0
            node.resume()
            if not node.is_up and node.tag not in gone:
                node.start()

    def restart_later(self, node: Node) -> None:
        seconds = self._dice.choice([0.02, 0.1, 0.5, 2.0]) * self._dice.uniform(0.5, 1.5)
        if self._world.is_calm:
            seconds = 0.01
        self._world.time.after(seconds, self._restart, node)

    # -- inside

    def _next(self) -> None:
        world = self._world
        if world.is_calm:
            return
        name = self._dice.choices(list(self._mix), list(self._mix.values()))[0]
        self._acts[name]()
        seconds = self._dice.expovariate(1 / world.profile.fault_seconds)
        world.time.after(seconds, self._next)

    def _restart(self, node: Node) -> None:
        if not node.is_up:
            node.start()

    def _was_removed(self, tag: str) -> bool:
        past = self._world.watch.past
        for at in range(self._world.watch.last_index, 1, -1):
            change = past[at].entry.membership
            if change is not None and change.member.tag == tag:
                return change.change is Change.REMOVE
        return False

    def _any(self) -> Node | None:
        nodes = self._world.up()
        return self._dice.choice(nodes) if nodes else None

    def _leader(self) -> Node | None:
        return self._world.leader() or self._any()

    def _two(self) -> tuple[str, str]:
        first, second = self._dice.sample(list(self._world.nodes), 2)
        return first, second

    def _kill(self, node: Node | None, *, power: bool = False) -> None:
        if node is not None and node.is_up:
            node.kill(power=power)
            self.restart_later(node)

    def _stop(self, node: Node | None) -> None:
        if node is not None:
            node.resume()
            node.stop()

    def _kill_many(self, *, power: bool) -> None:
        nodes = self._world.up()
        if self._dice.random() < 0.3:
            nodes = self._dice.sample(nodes, (len(nodes) + 1) // 2)
        for node in nodes:
            self._kill(node, power=power)

    def _pause(self, node: Node | None) -> None:
        if node is not None and node.life is not None and not node.life.loop.is_paused:
            life = node.life
            node.pause()
            seconds = self._dice.choice([0.2, 0.8, 2.0]) * self._dice.uniform(0.5, 1.5)

            def resume() -> None:
                if node.life is life:
                    node.resume()

            self._world.time.after(seconds, resume)

    def _heal_later(self) -> None:
        seconds = self._dice.choice([0.3, 1.0, 2.5]) * self._dice.uniform(0.5, 1.5)
        self._world.time.after(seconds, self._world.network.heal)

    def _cut_between(self, some: list[str], others: list[str]) -> None:
        is_hard = self._dice.random() < 0.4  # connections break at once
        for one in some:
            for other in others:
                for source, target in ((one, other), (other, one)):
                    self._world.network.cut(source, target)
                    if is_hard:
                        self._world.network.break_all(source, target)
        self._heal_later()

    def _cut_leader(self) -> None:
        leader = self._leader()
        if leader is not None:
            others = [tag for tag in self._world.nodes if tag != leader.tag]
            if len(others) > 2 and self._dice.random() < 0.3:
                others.remove(self._dice.choice(others))
            self._cut_between([leader.tag], others)

    def _cut_halves(self) -> None:
        tags = self._dice.sample(list(self._world.nodes), len(self._world.nodes))
        at = self._dice.randrange(1, len(tags))
        self._cut_between(tags[:at], tags[at:])

    def _cut_one_way(self) -> None:
        source, target = self._two()
        leader = self._world.leader()
        if leader is not None and self._dice.random() < 0.5:
            others = [tag for tag in self._world.nodes if tag != leader.tag]
            source, target = self._dice.sample([leader.tag, self._dice.choice(others)], 2)
        self._world.network.cut(source, target)
        self._heal_later()

    def _cut_ring(self) -> None:
        """Everybody hears two neighbours only."""
        tags = list(self._world.nodes)
        for at, one in enumerate(tags):
            for other in tags[at + 2 :]:
                if (at, other) != (0, tags[-1]):
                    self._world.network.cut(one, other)
                    self._world.network.cut(other, one)
        if len(tags) == 3:
            self._world.network.cut(tags[0], tags[1])
        self._heal_later()

    def _cut_bridge(self) -> None:
        """Two sides, and one node that hears both."""
        tags = self._dice.sample(list(self._world.nodes), len(self._world.nodes))
        middle = len(tags) // 2
        self._cut_between(tags[:middle], tags[middle + 1 :])

    def _flap(self) -> None:
        source, target = self._two()
        for number in range(5):
            self._world.time.after(0.15 * number, self._world.network.break_all, source, target)

    def _break(self) -> None:
        source, target = self._two()
        self._world.network.break_all(source, target)

    def _stall(self) -> None:
        source, target = self._two()
        self._world.network.stall(source, target, self._dice.uniform(0.1, 4.0))

    def _slow_path(self) -> None:
        self._world.network.slow[self._two()] = self._dice.uniform(0.01, 0.3)
        self._heal_later()

    def _slow_disk(self) -> None:
        node = self._any()
        if node is not None:
            node.disk_seconds = self._dice.uniform(0.02, 0.5)
            seconds = self._dice.uniform(0.3, 2.0)
            self._world.time.after(seconds, setattr, node, "disk_seconds", 0.0)

    def _slow_copies(self) -> None:
        """Copies of the state take as long as much else takes, and writes go on meanwhile."""
        for node in self._world.nodes.values():
            node.copy_seconds = self._dice.uniform(0.2, 2.0)
            seconds = self._dice.uniform(1.0, 4.0)
            self._world.time.after(seconds, setattr, node, "copy_seconds", 0.0)

    def _spoil(self, node: Node | None, *, is_full: bool) -> None:
        if node is not None:
            self._world.trace("spoil", node.tag, is_full)
            if is_full:
                node.disk.is_full = True
            else:
                node.disk.fails_sync = True

    def _vote_storm(self) -> None:
        """A follower hears nothing for a while, stands, and is heard."""
        leader = self._world.leader()
        tags = [tag for tag in self._world.nodes if leader is None or tag != leader.tag]
        victim = self._dice.choice(tags)
        for source in self._world.nodes:
            if source != victim:
                self._world.network.cut(source, victim)
        self._heal_later()
