"""A cluster of engines in one process: one seed for the clock, the network, the disk and chance.

The engines, rules and journals are the real ones. Time moves in steps; a message takes a random
time on an ordered link; a cut loses what is under way; a crash loses what was not synced. After
every step the invariants hold: one leader a term, committed slots never change, nothing applied is
lost.
"""

import random
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import msgpack

from quoth_cluster.log import Change, Member, MembershipChange
from quoth_cluster.raft.engine import Engine
from quoth_cluster.raft.entry import COMMANDS, Proposal, Slot, pack_commands, pack_membership
from quoth_cluster.raft.journal import Journal
from quoth_cluster.raft.syncobj import Timing

STEP_SECONDS = 0.01


class SimClock:
    """Time that moves when the world says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now

    def now_micros(self) -> int:
        return int(self.now * 1_000_000)


class SimChance:
    """Chance from the world's seed."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice

    def uniform(self, low: float, high: float) -> float:
        return self._dice.uniform(low, high)

    def uuid(self) -> UUID:
        return UUID(int=self._dice.getrandbits(128), version=4)


@dataclass(slots=True)
class SimNode:
    """One node: its disk survives a crash, its engine does not."""

    tag: str
    path: Path
    journal: Journal | None = None
    engine: Engine | None = None
    applied_index: int = 1  # durable, as LMDB keeps it
    syncing_until: float = 0.0
    paused_until: float = 0.0
    inbox: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def is_up(self) -> bool:
        return self.engine is not None


class World:
    """All nodes, the links between them, and what must always hold."""

    def __init__(self, seed: int, folder: Path, *, size: int = 3) -> None:
        self.dice = random.Random(seed)
        self.clock = SimClock()
        self.chance = SimChance(self.dice)
        self.tags = [chr(ord("A") + at) for at in range(size)]
        self.nodes = {tag: SimNode(tag, folder / f"{seed}-{tag}") for tag in self.tags}
        self.links: dict[tuple[str, str], deque[tuple[float, bytes]]] = {}
        self.cuts: set[tuple[str, str]] = set()
        self.leaders: dict[int, str] = {}  # term -> tag
        self.committed: dict[int, tuple[int, bytes]] = {}  # log index -> (term, content)
        self.acknowledged: dict[bytes, int] = {}  # command -> log index
        self.proposals = 0
        self.is_stormy = True  # links stall now and then
        for node in self.nodes.values():
            self._found(node)
            self.start(node.tag)

    # -- faults

    def start(self, tag: str) -> None:
        node = self.nodes[tag]
        node.journal = Journal.open(node.path)
        node.engine = Engine(
            tag,
            node.journal,
            applied_index=node.applied_index,
            contacts=(),
            timing=Timing(),
            clock=self.clock,
            chance=self.chance,
            queued_bytes=lambda _tag: 0,
            log_keep_slots=2**62,  # engines alone have no state to give
        )
        node.syncing_until = node.paused_until = 0.0
        for other in self.tags:
            if other != tag and self.nodes[other].is_up:
                self.connect(tag, other)
                self.connect(other, tag)

    def crash(self, tag: str) -> None:
        """Kill a node; what it had not synced is gone."""
        node = self.nodes[tag]
        assert node.engine is not None and node.journal is not None
        node.engine.close()
        node.journal.close()
        node.engine = node.journal = None
        node.inbox.clear()
        for other in self.tags:
            if other != tag:
                self.disconnect(tag, other)
                self.disconnect(other, tag)

    def connect(self, source: str, target: str) -> None:
        engine = self.nodes[source].engine
        if engine is not None and (source, target) not in self.cuts:
            self.links[source, target] = deque()
            engine.set_link(target, is_up=True)

    def disconnect(self, source: str, target: str) -> None:
        """Lose what is under way from `source` to `target`."""
        self.links.pop((source, target), None)
        engine = self.nodes[source].engine
        if engine is not None:
            engine.set_link(target, is_up=False)

    def cut(self, source: str, target: str) -> None:
        self.cuts.add((source, target))
        self.disconnect(source, target)

    def heal(self) -> None:
        """No cuts, no pauses, everybody up."""
        self.cuts.clear()
        self.is_stormy = False
        for tag, node in self.nodes.items():
            node.paused_until = node.syncing_until = 0.0
            if not node.is_up:
                self.start(tag)
        for source in self.tags:
            for target in self.tags:
                if source != target and (source, target) not in self.links:
                    self.connect(source, target)

    # -- time

    def step(self) -> None:
        """Let a moment pass for everybody, in a random order."""
        self.clock.now += STEP_SECONDS
        self._deliver()
        for tag in self.dice.sample(self.tags, len(self.tags)):
            node = self.nodes[tag]
            if node.is_up and self.clock.now >= node.paused_until:
                self._turn(node)
        self.check()

    def run(self, seconds: float) -> None:
        for _ in range(int(seconds / STEP_SECONDS)):
            self.step()

    def propose(self, tag: str) -> bytes | None:
        """Hand a fresh command to `tag`, if it believes it leads."""
        node = self.nodes[tag]
        if node.engine is None or node.journal is None or not node.engine.is_leader:
            return None
        if node.journal.last_index - node.engine.commit_index >= 4:
            return None
        self.proposals += 1
        command = b"command %d" % self.proposals + b"." * self.dice.randrange(200)
        content = pack_commands([Proposal(self.proposals.to_bytes(16, "big"), command)])
        return command if node.engine.propose(content) is not None else None

    def leader(self) -> str | None:
        """The leader of the newest term, if it is up."""
        leading = [
            (node.engine.term, tag)
            for tag, node in self.nodes.items()
            if node.engine is not None and node.engine.is_leader
        ]
        return max(leading)[1] if leading else None

    # -- what must hold

    def check(self) -> None:
        for tag, node in self.nodes.items():
            if node.engine is None or not node.engine.is_leader:
                continue
            led_by = self.leaders.setdefault(node.engine.term, tag)
            assert led_by == tag, f"term {node.engine.term} is led by {led_by} and by {tag}"

    def check_settled(self) -> None:
        """After a calm: everybody holds all that was ever committed."""
        for tag, node in self.nodes.items():
            assert node.journal is not None
            for log_index, (term, content) in self.committed.items():
                slot = node.journal.read(log_index)
                assert (slot.term, slot.content) == (term, content), f"{tag} differs at {log_index}"
            assert node.applied_index == max(self.committed), f"{tag} is behind"

    # -- inside

    def _found(self, node: SimNode) -> None:
        """A log that starts with the same configuration everywhere."""
        journal = Journal.open(node.path)
        for at, tag in enumerate(self.tags):
            change = MembershipChange(Change.ADD, Member(tag, f"http://{tag}", f"{tag}:1"))
            journal.append(Slot(2 + at, 0, pack_membership(change)))
        journal.sync()
        journal.close()

    def _deliver(self) -> None:
        for (source, target), under_way in self.links.items():
            node = self.nodes[target]
            while under_way and under_way[0][0] <= self.clock.now:
                _, packed = under_way.popleft()
                if node.is_up:
                    node.inbox.append((source, msgpack.unpackb(packed)))

    def _turn(self, node: SimNode) -> None:
        """The cycle of `cycle.py`, with a disk that may take its time."""
        engine, journal = node.engine, node.journal
        assert engine is not None and journal is not None
        if node.syncing_until:
            if self.clock.now < node.syncing_until:
                return
            node.syncing_until = 0.0
            self._synced(node)
            return
        inbox, node.inbox = node.inbox, []
        for tag, message in inbox:
            engine.receive(tag, message)
        engine.tick()
        self._apply(node)
        if journal.is_dirty and self.dice.random() < 0.3:
            node.syncing_until = self.clock.now + self.dice.uniform(0.0, 0.2)
            return
        self._synced(node)

    def _synced(self, node: SimNode) -> None:
        engine, journal = node.engine, node.journal
        assert engine is not None and journal is not None
        if journal.is_dirty:
            journal.sync()
        for tag, message in engine.take_messages():
            under_way = self.links.get((node.tag, tag))
            if under_way is not None:
                due = self.clock.now + self.dice.uniform(0.0, 0.05)
                if self.is_stormy and self.dice.random() < 0.02:
                    due += self.dice.uniform(0.0, 1.5)
                due = max(due, under_way[-1][0] if under_way else 0.0)
                under_way.append((due, msgpack.packb(message)))
        self._apply(node)

    def _apply(self, node: SimNode) -> None:
        engine, journal = node.engine, node.journal
        assert engine is not None and journal is not None
        if journal.last_membership_index() > journal.synced_index:
            return
        until = min(engine.commit_index, journal.synced_index)
        for log_index in range(node.applied_index + 1, until + 1):
            slot = journal.read(log_index)
            agreed = self.committed.setdefault(log_index, (slot.term, slot.content))
            assert agreed == (slot.term, slot.content), (
                f"{node.tag} applies another slot {log_index} than was applied before"
            )
            if slot.kind == COMMANDS:
                self.acknowledged[slot.content] = log_index
        node.applied_index = max(node.applied_index, until)
