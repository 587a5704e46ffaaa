"""The network between the lives of nodes, and a stand-in for `link.py` that lives on it.

A connection is ordered and one-way, as there: opened by the one who sends, with an epoch. What may
happen to it: delay, stalls of seconds, a silent cut (what is under way waits, and arrives late when
the cut is healed), and a break that the two ends notice at different times, so that a newer
connection of the same pair can stand beside an older one whose bytes still arrive. Messages cross
as bytes, so nothing is shared.
"""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from quoth_cluster.raft.link import VERSION
from tests.simulator.virtual_time import Time

if TYPE_CHECKING:
    from tests.simulator.links import Peer, SimLinks


@dataclass(eq=False, slots=True)
class Connection:
    """One connection from `source` to `target`: two ends that need not know the same."""

    source: "SimLinks"
    target: "SimLinks"
    epoch: int
    is_open_here: bool = True  # as the sender sees it
    is_open_there: bool = True
    under_way: deque[tuple[float, bytes]] = field(default_factory=deque)
    bytes_under_way: int = 0
    last_due: float = 0.0
    is_waking: bool = False  # a delivery is planned

    @property
    def path(self) -> tuple[str, str]:
        return self.source.tag, self.target.tag


class Network:
    """Who can reach whom at the moment, and how fast."""

    def __init__(self, time: Time, dice: random.Random, trace: Callable[..., None]) -> None:
        self.time = time
        self.dice = dice
        self.trace = trace
        self.listening: dict[str, SimLinks] = {}  # address -> the life that listens there
        self.cuts: set[tuple[str, str]] = set()  # one-way, silent
        self.slow: dict[tuple[str, str], float] = {}  # extra seconds
        self.delay_seconds = (0.0002, 0.003)
        self.stall_chance = 0.0
        self.late_bytes_chance = 0.5  # a break that the receiver notices late
        self.connections: list[Connection] = []
        self.messages = 0
        self.on_admitted: Callable[[SimLinks, SimLinks], None] = lambda _source, _target: None

    # -- faults

    def cut(self, source: str, target: str) -> None:
        self.cuts.add((source, target))
        self.trace("cut", source, target)

    def heal(self) -> None:
        """Every path is open again; what waited arrives soon."""
        self.cuts.clear()
        self.slow.clear()
        self.trace("heal")
        for connection in self.connections:
            if connection.under_way and not connection.is_waking:
                connection.last_due = max(
                    connection.last_due, self.time.now + self.dice.uniform(0.0, 0.4)
                )
                self._plan_delivery(connection, self.time.now + self.dice.uniform(0.0, 0.4))

    def mend(self, source: str, target: str) -> None:
        """One path is open again."""
        self.cuts.discard((source, target))
        self.release(source, target)

    def release(self, source: str, target: str) -> None:
        """What stands still or waits on one path arrives now, in order."""
        now = self.time.now
        for connection in self.connections:
            if connection.path != (source, target):
                continue
            connection.last_due = now
            if connection.under_way:
                connection.under_way = deque((now, packed) for _, packed in connection.under_way)
                self._plan_delivery(connection, now)

    def calm_down(self) -> None:
        self.stall_chance = 0.0
        self.delay_seconds = (0.0002, 0.002)
        latest = self.time.now + 0.3
        for connection in self.connections:
            connection.last_due = min(connection.last_due, latest)
            if connection.under_way:
                connection.under_way = deque(
                    (min(due, latest), packed) for due, packed in connection.under_way
                )
                self._plan_delivery(connection, connection.under_way[0][0])

    def stall(self, source: str, target: str, seconds: float) -> None:
        """Nothing arrives for a while; then everything does, in order."""
        for connection in self.connections:
            if connection.path == (source, target):
                connection.last_due = max(connection.last_due, self.time.now + seconds)
                if connection.under_way:
                    first = self.time.now + seconds
                    connection.under_way = deque(
                        (max(due, first), packed) for due, packed in connection.under_way
                    )

    def break_all(self, source: str, target: str) -> None:
        for connection in list(self.connections):
            if connection.path == (source, target):
                self.break_one(connection)

    def break_one(self, connection: Connection) -> None:
        """The two ends learn of it at different times; bytes may still arrive meanwhile."""
        dice = self.dice
        self.trace("break", *connection.path, connection.epoch)
        here = dice.uniform(0.0, 0.05)
        there = dice.uniform(0.0, 3.0) if dice.random() < self.late_bytes_chance else here
        loop_here, loop_there = connection.source.loop, connection.target.loop
        self.time.after(here, self._end_here, connection, loop=loop_here)
        self.time.after(there, self._end_there, connection, loop=loop_there)
        if there > here:
            connection.last_due += dice.uniform(0.0, there)

    def life_ends(self, links: "SimLinks", *, silently: bool) -> None:
        """A process is gone; its peers notice at once, or only when they try."""
        for address in [at for at, other in self.listening.items() if other is links]:
            del self.listening[address]
        for connection in list(self.connections):
            if connection.source is links:
                connection.is_open_here = False
                if not silently and connection.is_open_there:
                    seconds = self.dice.uniform(0.0, 0.02)
                    # What was sent before the end still arrives.
                    seconds = max(seconds, connection.last_due - self.time.now)
                    loop = connection.target.loop
                    self.time.after(seconds, self._end_there, connection, loop=loop)
                elif silently:
                    connection.under_way.clear()
                    connection.bytes_under_way = 0
            elif connection.target is links:
                connection.is_open_there = False
                connection.under_way.clear()
                connection.bytes_under_way = 0
                seconds = self.dice.uniform(0.2, 1.5) if silently else self.dice.uniform(0.0, 0.02)
                self.time.after(seconds, self._end_here, connection, loop=connection.source.loop)
        self._sweep()

    def forget(self, links: "SimLinks") -> None:
        """What a dying life did to its connections while it was unwound happens to nobody."""
        self._sweep()

    # -- openings

    def knock(self, links: "SimLinks", peer: "Peer", attempt: int) -> None:
        """One opening frame leaves; it may be heard, and the answer too."""
        self.time.after(self._delay(links.tag, peer.tag), self._heard, links, peer, attempt)

    def _heard(self, links: "SimLinks", peer: "Peer", attempt: int) -> None:
        target = self.listening.get(peer.address)
        back = self._delay(peer.tag, links.tag)
        if (links.tag, peer.tag) in self.cuts:
            return  # the sender knocks again by itself
        if target is None:
            why = "connection refused"
            self.time.after(back, links.on_refused, peer, attempt, why, loop=links.loop)
            return
        if not target.loop.is_alive:
            return
        target.loop_event(self._admit, links, peer, attempt, target, back)

    def _admit(
        self, links: "SimLinks", peer: "Peer", attempt: int, target: "SimLinks", back: float
    ) -> None:
        if not peer.is_waiting(attempt) or (target.tag, links.tag) in self.cuts:
            return
        epoch = peer.epoch
        opening = {"v": VERSION, "cluster": links.identity.cluster_id, "to": peer.tag}
        opening |= {"group": links.identity.group, "from": links.tag, "epoch": epoch}
        opening |= {"incarnation": links.incarnation, "address": links.address}
        refused = target.refusal(opening)
        if refused is not None:
            self.time.after(back, links.on_refused, peer, attempt, refused, loop=links.loop)
            return
        self.on_admitted(links, target)
        connection = Connection(links, target, epoch)
        self.connections.append(connection)
        target.admit(links.tag, epoch, connection, links.address)
        self.time.after(back, links.on_opened, peer, attempt, connection, loop=links.loop)

    # -- messages

    def send(self, connection: Connection, packed: bytes) -> None:
        due = self.time.now + self._delay(*connection.path)
        if self.stall_chance and self.dice.random() < self.stall_chance:
            due += self.dice.uniform(0.0, 4.0)
        connection.last_due = due = max(due, connection.last_due)
        connection.under_way.append((due, packed))
        connection.bytes_under_way += len(packed)
        if not connection.is_waking:
            self._plan_delivery(connection, due)

    def _plan_delivery(self, connection: Connection, due: float) -> None:
        connection.is_waking = True
        self.time.at(due, self._arrive, connection)

    def _arrive(self, connection: Connection) -> None:
        connection.is_waking = False
        if connection.path in self.cuts or not connection.under_way:
            return
        due, packed = connection.under_way[0]
        if due <= self.time.now:
            connection.under_way.popleft()
            connection.bytes_under_way -= len(packed)
            target = connection.target
            if connection.is_open_there and target.loop.is_alive:
                target.loop_event(self._deliver, connection, packed)
        if connection.under_way:
            self._plan_delivery(connection, connection.under_way[0][0])

    def _deliver(self, connection: Connection, packed: bytes) -> None:
        target = connection.target
        is_current = target.incoming.get(connection.source.tag) is connection
        if connection.is_open_there and is_current:
            target.receive(connection.source, packed, connection.epoch)

    # -- inside

    def _delay(self, source: str, target: str) -> float:
        low, high = self.delay_seconds
        return self.dice.uniform(low, high) + self.slow.get((source, target), 0.0)

    def _end_here(self, connection: Connection) -> None:
        if connection.is_open_here:
            connection.is_open_here = False
            connection.source.on_ended(connection)
        self._sweep()

    def _end_there(self, connection: Connection) -> None:
        if connection.is_open_there:
            connection.is_open_there = False
            connection.under_way.clear()
            connection.bytes_under_way = 0
            target = connection.target
            if target.incoming.get(connection.source.tag) is connection:
                del target.incoming[connection.source.tag]
        self._sweep()

    def close_there(self, connection: Connection) -> None:
        """The receiver hangs up; the sender notices soon."""
        connection.is_open_there = False
        loop = connection.source.loop
        self.time.after(self.dice.uniform(0.0, 0.02), self._end_here, connection, loop=loop)

    def close_here(self, connection: Connection) -> None:
        """The sender hangs up; what it sent before still arrives."""
        connection.is_open_here = False
        due = max(self.time.now + self.dice.uniform(0.0, 0.02), connection.last_due)
        self.time.at(due, self._end_there, connection, loop=connection.target.loop)

    def _sweep(self) -> None:
        self.connections = [
            connection
            for connection in self.connections
            if (connection.is_open_here and connection.source.loop.is_alive)
            or (connection.is_open_there and connection.target.loop.is_alive)
        ]
