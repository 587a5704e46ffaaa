"""A stand-in for `link.py` on the simulated network: the links of one life of one node."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgpack

from quoth_cluster.clock import Chance
from quoth_cluster.raft.link import (
    BACKOFF_SECONDS_MAX,
    BACKOFF_SECONDS_MIN,
    OPENING_SECONDS,
    QUEUE_BYTES_MAX,
    Identity,
)
from tests.simulator.network import Connection, Network
from tests.simulator.virtual_time import NodeLoop, Violation

KNOCK_SECONDS = (0.0, 0.2, 0.6, 1.4, 3.0)  # when an opening that is not heard is sent again


class SortedTags(set[str]):
    """Tags whose difference comes in order, whatever their hashes are."""

    def __sub__(self, other: object) -> "SortedTags":
        return SortedTags(set.__sub__(self, other))  # type: ignore[operator]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(set.__iter__(self)))


@dataclass(eq=False, slots=True)
class Peer:
    """The sending side of one pair."""

    tag: str
    address: str
    is_up: bool = False
    is_closed: bool = False
    incarnation: bytes = b""
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
        incarnation: bytes,
        on_message: Callable[[str, bytes, dict[str, Any]], Awaitable[None]],
        on_link: Callable[[str, bool], None],
        refuses: Callable[[str, bytes], str | None],
        on_progress: Callable[[str], None] | None = None,  # frames arrive whole here
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
        self.incarnation = incarnation
        self._peers: dict[str, Peer] = {}
        self._runs = False
        self.address = ""
        self._newest: dict[str, int] = {}  # the epoch that was heard last, of each peer

    # -- what the group calls

    def advertise(self, address: str) -> None:
        """As `Links.advertise`."""
        self._address = address

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

    def is_reached_at(self, tag: str, address: str) -> bool:
        return self.is_up(tag) and self._peers[tag].address == address

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

    def callers(self) -> dict[str, bytes]:
        return {tag: self.incoming[tag].source.incarnation for tag in sorted(self.incoming)}

    def incarnation_of(self, tag: str) -> bytes:
        peer = self._peers.get(tag)
        return b"" if peer is None else peer.incarnation

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
        return self._refuses(opening["from"], opening["incarnation"])

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

    def receive(self, source: "SimLinks", packed: bytes, epoch: int) -> None:
        tag = source.tag
        if epoch < self._newest.get(tag, 0):
            raise Violation(f"{self.tag} hears connection {epoch} of {tag} after a newer one")
        self._newest[tag] = epoch
        self._network.messages += 1
        message = msgpack.unpackb(packed)
        coroutine = self._on_message(tag, source.incarnation, message).__await__()
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
        peer.incarnation = connection.target.incarnation
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
