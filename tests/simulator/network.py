"""The network between the lives of nodes, and a stand-in for `link.py` that lives on it.

A connection is ordered and one-way, as there: opened by the one who sends, with an epoch. What may
happen to it: delay, stalls of seconds, a silent cut (what is under way waits, and arrives late when
the cut is healed), and a break that the two ends notice at different times, so that a newer
connection of the same pair can stand beside an older one whose bytes still arrive. Messages cross
as bytes, so nothing is shared.
"""

import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgpack

from quoth_cluster.clock import Chance
from quoth_cluster.raft.link import (
    BACKOFF_SECONDS_MAX,
    BACKOFF_SECONDS_MIN,
    OPENING_SECONDS,
    QUEUE_BYTES_MAX,
    VERSION,
    Identity,
)
from tests.simulator.virtual_time import NodeLoop, Time, Violation

KNOCK_SECONDS = (0.0, 0.2, 0.6, 1.4, 3.0)  # when an opening that is not heard is sent again


class SortedTags(set[str]):
    """Tags whose difference comes in order, whatever their hashes are."""

    def __sub__(self, other: object) -> "SortedTags":
        return SortedTags(set.__sub__(self, other))  # type: ignore[operator]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(set.__iter__(self)))


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
        opening |= {"joined": links.joined_index(), "address": links.address}
        refused = target.refusal(opening)
        if refused is not None:
            self.time.after(back, links.on_refused, peer, attempt, refused, loop=links.loop)
            return
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
            target.receive(connection.source.tag, packed, connection.epoch)

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


@dataclass(eq=False, slots=True)
class Peer:
    """The sending side of one pair."""

    tag: str
    address: str
    is_up: bool = False
    is_closed: bool = False
    epoch: int = 0
    attempt: int = 0  # counts openings; answers to older ones are not heard
    awaits: bool = False
    backoff: float = BACKOFF_SECONDS_MIN
    connection: Connection | None = None
    trouble: str = ""

    def is_waiting(self, attempt: int) -> bool:
        return self.awaits and self.attempt == attempt and not self.is_closed


class SimLinks:
    """Stands where `Links` stands, for one life of one node."""

    def __init__(
        self,
        identity: Identity,
        *,
        network: Network,
        loop: NodeLoop,
        chance: Chance,
        epoch: int,
        on_message: Callable[[str, dict[str, Any]], Awaitable[None]],
        on_link: Callable[[str, bool], None],
        refuses: Callable[[str, int], str | None],
        joined_index: Callable[[], int],
    ) -> None:
        self.identity = identity
        self.tag = identity.tag
        self.loop = loop
        self.incoming: dict[str, Connection] = {}
        self._network = network
        self._chance = chance
        self._epoch = epoch
        self._on_message = on_message
        self._on_link = on_link
        self._refuses = refuses
        self.joined_index = joined_index
        self._peers: dict[str, Peer] = {}
        self._runs = False
        self.address = ""
        self._newest: dict[str, int] = {}  # the epoch that was heard last, of each peer

    # -- what the group calls

    def advertise(self, address: str) -> None:
        """As `Links.advertise`."""
        self._address = address

    def callers(self) -> set[str]:
        """As `Links.callers`."""
        return set(self.incoming)

    async def run(self) -> None:
        self._runs = True
        for peer in list(self._peers.values()):
            self._dial(peer)
        await self.loop.create_future()

    def listen_at(self, address: str) -> None:
        self.address = address
        self._network.listening[address] = self

    def open(self, tag: str, address: str) -> None:
        peer = self._peers.get(tag)
        if peer is not None and peer.address == address:
            return
        if peer is not None:
            self.close(tag)
        self._peers[tag] = peer = Peer(tag, address)
        if self._runs:
            self._dial(peer)

    def close(self, tag: str) -> None:
        incoming = self.incoming.pop(tag, None)
        if incoming is not None:
            self._network.close_there(incoming)
        peer = self._peers.pop(tag, None)
        if peer is None:
            return
        peer.is_closed = True
        if not self.loop.is_alive:
            return
        if peer.connection is not None:
            self._network.close_here(peer.connection)
        if peer.is_up:
            peer.is_up = False
            self._on_link(tag, False)

    def is_up(self, tag: str) -> bool:
        peer = self._peers.get(tag)
        return peer is not None and peer.is_up

    def queued_bytes(self, tag: str) -> int:
        peer = self._peers.get(tag)
        return peer.connection.bytes_under_way if peer and peer.connection else 0

    def trouble(self, tag: str) -> str:
        peer = self._peers.get(tag)
        return "" if peer is None or peer.is_up else peer.trouble

    def tags(self) -> set[str]:
        return SortedTags(self._peers)

    def callers(self) -> set[str]:
        return SortedTags(self.incoming)

    def send(self, tag: str, message: dict[str, Any]) -> bool:
        peer = self._peers.get(tag)
        if peer is None or not peer.is_up or peer.connection is None or not self.loop.is_alive:
            return False
        packed = bytes(msgpack.packb(message))
        if peer.connection.bytes_under_way + len(packed) > QUEUE_BYTES_MAX:
            self._network.break_one(peer.connection)
            return False
        self._network.send(peer.connection, packed)
        return True

    # -- what the network tells

    def loop_event(self, callback: Callable[..., object], *args: object) -> None:
        """Something reaches this process; a paused one finds it when it wakes."""
        self._network.time.after(0.0, callback, *args, loop=self.loop)

    def refusal(self, opening: dict[str, Any]) -> str | None:
        """As `Links._refusal`."""
        me = self.identity
        if opening["cluster"] != me.cluster_id:
            return "this is another cluster"
        if opening["group"] != me.group:
            return "this is another group"
        if opening["to"] != me.tag:
            return f"this is node {me.tag}"
        return self._refuses(opening["from"], opening["joined"])

    def admit(self, tag: str, epoch: int, connection: Connection, address: str) -> None:
        """As `Links._replace`: a newer epoch replaces an older, an older one is hung up on."""
        older = self.incoming.get(tag)
        if older is not None:
            if older.epoch >= epoch:
                self._network.close_there(connection)
                return
            self._network.close_there(older)
        self.incoming[tag] = connection
        if tag not in self._peers and address:
            # The caller may lead and this log not know it yet: it must be answered.
            self.open(tag, address)

    def receive(self, tag: str, packed: bytes, epoch: int) -> None:
        if epoch < self._newest.get(tag, 0):
            raise Violation(f"{self.tag} hears connection {epoch} of {tag} after a newer one")
        self._newest[tag] = epoch
        self._network.messages += 1
        message = msgpack.unpackb(packed)
        coroutine = self._on_message(tag, message).__await__()
        try:
            coroutine.send(None)
        except StopIteration:
            return
        raise Violation(f"{self.tag} does not take a message of {tag}: its inbox is full")

    def on_opened(self, peer: Peer, attempt: int, connection: Connection) -> None:
        if not peer.is_waiting(attempt) or not connection.is_open_here:
            self._network.close_here(connection)
            return
        peer.awaits = False
        peer.backoff = BACKOFF_SECONDS_MIN
        peer.connection = connection
        peer.is_up = True
        peer.trouble = ""
        self._network.trace("up", self.tag, peer.tag, connection.epoch)
        self._on_link(peer.tag, True)
        if not connection.is_open_there:
            self._network.close_there(connection)

    def on_refused(self, peer: Peer, attempt: int, why: str) -> None:
        if peer.is_waiting(attempt):
            peer.awaits = False
            self._fail(peer, f"refused: {why}")

    def on_ended(self, connection: Connection) -> None:
        """The connection is known to be gone here."""
        peer = self._peers.get(connection.target.tag)
        if peer is not None and peer.connection is connection:
            self._fail(peer, "the connection ended")

    # -- inside

    def _dial(self, peer: Peer) -> None:
        if peer.is_closed:
            return
        self._epoch += 1
        peer.epoch = self._epoch
        peer.attempt += 1
        peer.awaits = True
        for seconds in KNOCK_SECONDS:
            self._network.time.after(seconds, self._knock, peer, peer.attempt, loop=self.loop)
        time = self._network.time
        time.after(OPENING_SECONDS, self.on_refused, peer, peer.attempt, "time", loop=self.loop)

    def _knock(self, peer: Peer, attempt: int) -> None:
        if peer.is_waiting(attempt):
            self._network.knock(self, peer, attempt)

    def _fail(self, peer: Peer, trouble: str) -> None:
        peer.trouble = trouble
        peer.connection = None
        if peer.is_up:
            peer.is_up = False
            self._network.trace("down", self.tag, peer.tag)
            self._on_link(peer.tag, False)
        if peer.is_closed:
            return
        seconds = self._chance.uniform(0.5, 1.0) * peer.backoff
        peer.backoff = min(2 * peer.backoff, BACKOFF_SECONDS_MAX)
        self._network.time.after(seconds, self._dial, peer, loop=self.loop)
