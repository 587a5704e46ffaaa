"""A whole cluster in one process, from one seed: nodes, network, disks, clients and their faults.

Everything is the real code of `raft/` but for what lies behind its doors: clock, chance, disk, link
and state machine. Faults come for some seconds, then the world is healed, and all must come right
within a bound.
"""

import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from quoth_cluster.log import Change
from quoth_cluster.raft.neighbours import Contact
from quoth_cluster.raft.syncobj import Timing
from tests.simulator import rows
from tests.simulator.bugs import Bug, planted
from tests.simulator.clients import Clients
from tests.simulator.faults import Faults
from tests.simulator.links import SimLinks
from tests.simulator.member import Life, Node
from tests.simulator.network import Network
from tests.simulator.profile import Profile, draw_profile, in_small, with_plot
from tests.simulator.registers import State
from tests.simulator.snapshot_plots import after_install
from tests.simulator.takers import Takers
from tests.simulator.virtual_time import Time, Violation
from tests.simulator.watch import Watch

CALM_SECONDS_MAX = 5.0  # from healing to an accepted write and equal states everywhere
TAGS = "ABCDEFGH"


@dataclass(slots=True)
class Report:
    """What came of one seed."""

    seed: int
    nodes: int
    violation: str | None
    trace_hash: str
    virtual_seconds: float
    events: int
    messages: int
    operations: int
    acknowledged: int
    slots: int
    terms: int
    calm_seconds: float
    profile: dict[str, object] = field(default_factory=dict)


class World:
    """One run."""

    def __init__(
        self,
        seed: int,
        *,
        size: int = 3,
        bug: Bug | None = None,
        takes: bool | None = None,
        on_trace: Callable[[str], None] | None = None,
    ) -> None:
        self.seed = seed
        self.size = size
        self.dice = random.Random(f"{seed}/{size}")
        self.bug = bug
        self.profile: Profile = draw_profile(self.dice, churns=bug.churns if bug else None)
        if bug is not None and bug.plot:
            self.profile = with_plot(self.profile, bug.plot)
        self.time = Time()
        self.watch = Watch()
        self.trace_hash = 0
        self.calm_seconds = 0.0
        self.is_calm = False
        self.removed: set[str] = set()  # tags whose removal is known to be done
        self._on_trace = on_trace
        self._matched: dict[tuple[str, str], tuple[str, int, int]] = {}
        self.network = Network(self.time, self.dice, self.trace)
        self.network.on_admitted = self._on_admitted
        self.nodes: dict[str, Node] = {}
        self.clients = Clients(self)
        rows.KNOWN.clear()
        if takes is None:
            takes = bug.takes if bug is not None else takes_numbers(seed, size)
        self.takers = Takers(self) if takes else None
        for tag in TAGS[:size]:
            self.make_node(tag)
        nodes = self.nodes.values()
        members = [replace(node.me, incarnation=node.incarnation) for node in nodes]
        for node in self.nodes.values():
            node.found(members)
        self.faults = Faults(self)

    def make_node(self, tag: str) -> Node:
        node = Node(
            tag,
            time=self.time,
            network=self.network,
            watch=self.watch,
            dice=self.dice,
            timing=Timing(*self.profile.timing),
            segment_bytes=self.profile.segment_bytes,
            log_keep_slots=self.profile.log_keep_slots,
            trace=self.trace,
        )
        node.on_end = self._on_end
        node.on_removed = self._on_removed
        node.on_installed = partial(after_install, self)
        node.on_turn_as_leader = self._on_turn_as_leader
        node.on_death = self._on_death
        self.nodes[tag] = node
        return node

    def trace(self, *what: object) -> None:
        """One line of what happened; all of them make the hash of the run."""
        line = f"{self.time.now - 1_000:.6f} {' '.join(map(str, what))}"
        self.trace_hash = zlib.crc32(line.encode(), self.trace_hash)
        if self._on_trace is not None:
            self._on_trace(line)

    # -- who is there

    def up(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.is_up]

    def leader(self) -> Node | None:
        """The leader of the newest term, if it is up."""
        leading = [node for node in self.up() if node.leads]
        return max(leading, key=_term_of, default=None)

    def members(self) -> list[str]:
        """Who takes part, by what is committed."""
        members: dict[str, None] = {}
        for at in range(2, self.watch.last_index + 1):
            change = self.watch.past[at].entry.membership
            if change is not None and change.change is Change.REMOVE:
                members.pop(change.member.tag, None)
            elif change is not None:
                members[change.member.tag] = None
        return list(members) or list(TAGS[: self.size])

    def contacts(self, *, without: str) -> list[Contact]:
        return [
            Contact(tag, self.nodes[tag].me.peer_address)
            for tag in self.members()
            if tag != without
        ]

    # -- one run

    def run(self) -> Report:
        """The storm, the calm, and the verdict."""
        with in_small(self.profile), planted(self.bug):
            try:
                for node in self.nodes.values():
                    node.start()
                self.clients.start()
                if self.takers is not None:
                    self.takers.start()
                self.faults.start()
                self.time.run_until(self.time.now + self.profile.storm_seconds)
                self._calm()
                self.watch.check_answers()
            except Violation as violation:
                if self.watch.violation is None:
                    self.watch.violation = str(violation)
            finally:
                for node in self.nodes.values():
                    node.end()
        return self._report()

    def _calm(self) -> None:
        self.trace("calm")
        self.is_calm = True
        self.faults.end()
        began = self.time.now
        self.clients.last_write()
        deadline = began + CALM_SECONDS_MAX
        while not self._is_settled():
            if self.time.now >= deadline:
                self.watch.fail(f"no peace {CALM_SECONDS_MAX:g} s after healing: {self._picture()}")
            self.time.run_until(self.time.now + 0.05)
        self.calm_seconds = self.time.now - began
        self.clients.read_everything()
        # A link may still be missing: one that was dialled in vain knocks again after 1.6 s.
        deadline = max(deadline, self.time.now + 1.5)
        self.time.run_until(deadline, is_over=self.clients.has_read_everything)
        if not self.clients.has_read_everything():
            self.watch.fail("a calm cluster does not answer reads")
        if self.takers is not None:
            self.takers.check([state.rows for state in self._newest_states()])

    def _newest_states(self) -> list[State]:
        """What the members hold; one that was added in the calm may not have it all yet."""
        lives = [self.nodes[tag].life for tag in self.members()]
        states = [life.machine.state for life in lives if life is not None]
        newest = [one for one in states if one.position.log_index == self.watch.last_index]
        if not newest:
            self.watch.fail("nobody holds all of the history in the calm")
        return newest

    def _is_settled(self) -> bool:
        if not self.clients.wrote_last:
            return False
        last_index = self.watch.last_index
        for tag in self.members():
            life = self.nodes[tag].life
            if life is None or life.machine.state.position.log_index != last_index:
                return False
        return True

    def _picture(self) -> str:
        parts = [f"last write {'done' if self.clients.wrote_last else 'not done'}"]
        for tag in self.members():
            life = self.nodes[tag].life
            if life is None:
                parts.append(f"{tag} down")
                continue
            engine, applied = life.group.engine, life.machine.state.position.log_index
            parts.append(
                f"{tag} term {engine.term} {'leads' if engine.is_leader else engine.leader} "
                f"log {life.journal.last_index} commit {engine.commit_index} applied {applied}"
            )
        return "; ".join(parts) + f"; history {self.watch.last_index}"

    def _on_turn_as_leader(self, leader: Node) -> None:
        """What it newly counts at its peers must be true."""
        assert leader.life is not None
        engine = leader.life.group.engine
        for tag in engine.others:
            seen = (tag, engine.term, engine.match_index(tag))
            if self._matched.get((leader.tag, tag)) == seen:
                continue
            self._matched[leader.tag, tag] = seen
            peer = self.nodes[tag].life
            meant = leader.life.group.members()[tag].incarnation
            if peer is None or peer.journal.incarnation != meant:
                continue  # what it counts at one that lost its disk was there
            if seen[2] > peer.journal.base_index:
                self.watch.on_matched(leader.life.journal, tag, peer.journal, seen[2])

    def _on_admitted(self, source: SimLinks, target: SimLinks) -> None:
        """Nobody lets in whom it knows to be removed."""
        life = self.nodes[target.tag].life
        assert life is not None
        who = source.tag, source.incarnation
        removed_at = self.watch.removed_at(*who, life.group.applied_index)
        if removed_at:
            self.watch.fail(f"{target.tag} hears {source.tag}, which slot {removed_at} removed")

    def _on_removed(self, node: Node) -> None:
        if not self.watch.removed_at(node.tag, node.incarnation, self.watch.last_index):
            self.watch.fail(f"{node.tag} is told that it was removed, and was not")

    def _on_death(self, life: Life) -> None:
        self.clients.on_death(life)
        if self.takers is not None:
            self.takers.on_death(life)

    def _on_end(self, node: Node) -> None:
        self.faults.restart_later(node)

    def _report(self) -> Report:
        operations = self.watch.operations
        return Report(
            seed=self.seed,
            nodes=self.size,
            violation=self.watch.violation,
            trace_hash=f"{self.trace_hash:08x}",
            virtual_seconds=self.time.now - 1_000,
            events=self.time.events,
            messages=self.network.messages,
            operations=len(operations),
            acknowledged=sum(operation.ok is True for operation in operations),
            slots=self.watch.last_index,
            terms=len(self.watch.leaders),
            calm_seconds=self.calm_seconds,
        )


def takes_numbers(seed: int, size: int) -> bool:
    """Whether a seed has clients that take numbers: one in four, by a chance of its own."""
    return random.Random(f"{seed}/{size}/takes").random() < 0.25


def _term_of(node: Node) -> int:
    assert node.life is not None
    return node.life.group.engine.term
