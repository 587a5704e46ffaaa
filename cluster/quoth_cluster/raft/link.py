"""Links between nodes: one connection per pair and direction, opened by the one who sends.

    opening  {"v": 3, "cluster", "group", "from", "to", "epoch", "incarnation", "address"}
             -> {"ok": true, "incarnation"}
             or {"refused": why, "epoch": newest known of the sender}

With certificates (`tls.py`) the opener is who its certificate says, and so is the one it reaches.

A newer epoch of the same sender replaces the older connection, so nothing of the old is handled
after something of the new. Messages are handled in the order they were sent; what was under way
when a connection broke is lost, which the layers above expect. Nothing is ever sent twice.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeGuard

import msgpack

from quoth_cluster.clock import Chance
from quoth_cluster.raft.frame import (
    FRAME_BYTES_MAX,
    OPENING_BYTES_MAX,
    pack_opening,
    read_frame,
)
from quoth_cluster.raft.link_ends import Caller, Peer, end_when_unheard
from quoth_cluster.raft.tls import BadCertificate, Contexts, LinkTls, tag_named_by

VERSION = 3
INCARNATION_BYTES_MAX = 64
QUEUE_BYTES_MAX = 2 * FRAME_BYTES_MAX  # per peer; over it the connection starts anew
EPOCH_MAX = 2**62  # of microseconds since 1970, so there is room
OPENING_SECONDS = 5.0
CLOSING_SECONDS = 1.0  # for a peer that does not answer the end of a TLS connection
BACKOFF_SECONDS_MIN, BACKOFF_SECONDS_MAX = 0.05, 1.0

# A connection that is gone; uvloop says RuntimeError when a closed one is written to.
BROKEN = (OSError, TimeoutError, RuntimeError)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who speaks: a node of a cluster, for one group."""

    cluster_id: str
    group: str
    tag: str

    def head(self) -> bytes:
        """What every frame of this speaker begins with."""
        return bytes(msgpack.packb([self.cluster_id, self.group, self.tag]))


class Links:
    """All connections of this node to its peers, both ways."""

    def __init__(
        self,
        identity: Identity,
        *,
        chance: Chance,
        epoch: int,
        incarnation: bytes,
        on_message: Callable[[str, bytes, dict[str, Any]], Awaitable[None]],
        on_link: Callable[[str, bool], None],
        refuses: Callable[[str, bytes], str | None],
        on_progress: Callable[[str], None],
        tls: LinkTls | None = None,
    ) -> None:
        """Raises BadCertificate."""
        self._identity = identity
        self._head = identity.head()
        self._contexts = None if tls is None else Contexts(tls, identity.tag)
        self._chance = chance
        self._epoch = epoch  # grows with every start of the process and every connection
        self._on_message = on_message
        self._on_link = on_link
        self._refuses = refuses
        self._incarnation = incarnation
        self._on_progress = on_progress  # a long frame of a peer is on its way
        self._address = ""  # where this node is reached, for those whose log does not say so yet
        self._peers: dict[str, Peer] = {}
        self._incoming: dict[str, Caller] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._server: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> int:
        """Accept peers on `host:port`; 0 takes a free port. Returns the port. Raises OSError."""
        secured: dict[str, Any] = {}
        if self._contexts is not None:
            secured = {"ssl": self._contexts.listening, "ssl_handshake_timeout": OPENING_SECONDS}
            secured["ssl_shutdown_timeout"] = CLOSING_SECONDS
        self._server = await asyncio.start_server(self._accept, host, port, **secured)
        port_taken: int = self._server.sockets[0].getsockname()[1]
        return port_taken

    async def run(self) -> None:
        """Hold connections to all peers that were opened, until cancelled."""
        assert self._server is not None, "listen first"
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                for peer in self._peers.values():
                    self._start(peer)
                await asyncio.get_running_loop().create_future()
        finally:
            self._tasks = None
            self._server.close()
            for caller in self._incoming.values():
                caller.writer.close()

    def open(self, tag: str, address: str) -> None:
        """Keep a connection to `tag` at `address`, host:port."""
        peer = self._peers.get(tag)
        if peer is not None and peer.address == address:
            return
        if peer is not None:
            self.close(tag)
        self._peers[tag] = peer = Peer(tag, address)
        if self._tasks is not None:
            self._start(peer)

    def close(self, tag: str) -> None:
        """Send nothing more to `tag`, and hear nothing more of it until it is admitted anew."""
        incoming = self._incoming.pop(tag, None)
        if incoming is not None:
            incoming.writer.close()
        peer = self._peers.pop(tag, None)
        if peer is not None and peer.task is not None:
            peer.task.cancel()
        if peer is not None and peer.is_up:
            self._on_link(tag, False)

    def advertise(self, address: str) -> None:
        """Say where this node is reached, host:port, to those it opens a connection to."""
        self._address = address

    def callers(self) -> dict[str, bytes]:
        """Who holds a connection to this node: the incarnation of each, by tag."""
        return {tag: caller.incarnation for tag, caller in self._incoming.items()}

    def incarnation_of(self, tag: str) -> bytes:
        """Who answered when the connection to `tag` was opened last."""
        peer = self._peers.get(tag)
        return b"" if peer is None else peer.incarnation

    def is_up(self, tag: str) -> bool:
        peer = self._peers.get(tag)
        return peer is not None and peer.is_up

    def is_reached_at(self, tag: str, address: str) -> bool:
        """Whether the connection to `tag` is up, and goes there."""
        peer = self._peers.get(tag)
        return peer is not None and peer.is_up and peer.reached_at == address

    def queued_bytes(self, tag: str) -> int:
        """How much waits to leave for `tag`."""
        peer = self._peers.get(tag)
        return 0 if peer is None else peer.queue_bytes

    def trouble(self, tag: str) -> str:
        """Why `tag` cannot be reached, in words; empty if it can, or nothing is known."""
        peer = self._peers.get(tag)
        return "" if peer is None or peer.is_up else peer.last_trouble

    def tags(self) -> set[str]:
        return set(self._peers)

    def send(self, tag: str, message: dict[str, Any]) -> bool:
        """Queue a message; False if it surely will not leave."""
        peer = self._peers.get(tag)
        if peer is None or not peer.is_up:
            return False
        packed = bytes(msgpack.packb(message))
        assert len(packed) <= FRAME_BYTES_MAX, f"a frame of {len(packed)} bytes is over the limit"
        if peer.queue_bytes + len(packed) > QUEUE_BYTES_MAX:
            log.warning("link to %s: %d bytes wait, starting anew", tag, peer.queue_bytes)
            self._restart(peer)
            return False
        peer.queue.append(packed)
        peer.queue_bytes += len(packed)
        peer.wake.set()
        return True

    # -- sending

    def _start(self, peer: Peer) -> None:
        assert self._tasks is not None
        peer.task = self._tasks.create_task(self._hold(peer), name=f"link to {peer.tag}")

    def _restart(self, peer: Peer) -> None:
        # Its task notices, and connects again; a second one could get in its way.
        assert peer.writer is not None, "a link that is up has a connection"
        peer.writer.transport.abort()
        self._drop(peer, "too much was waiting")

    async def _hold(self, peer: Peer) -> None:
        """Connect, send, and connect again, until cancelled."""
        backoff = BACKOFF_SECONDS_MIN
        while True:
            try:
                reader, writer = await self._connect(peer)
                backoff = BACKOFF_SECONDS_MIN
                try:
                    await self._pump(peer, reader, writer)
                finally:
                    writer.close()
            except (*BROKEN, EOFError, ValueError) as error:
                peer.failures += 1
                self._drop(peer, str(error) or type(error).__name__)
            except asyncio.CancelledError:
                self._drop(peer, "closed")
                raise
            await asyncio.sleep(self._chance.uniform(0.5, 1.0) * backoff)
            backoff = min(2 * backoff, BACKOFF_SECONDS_MAX)

    def _drop(self, peer: Peer, trouble: str) -> None:
        if trouble != peer.last_trouble:
            log.info("link to %s at %s: %s", peer.tag, peer.address, trouble)
        peer.last_trouble = trouble
        peer.queue.clear()
        peer.queue_bytes = 0
        peer.writer = None
        if peer.is_up:
            peer.is_up = False
            self._on_link(peer.tag, False)

    async def _connect(self, peer: Peer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        address = self._address_of(peer)
        host, _, port = address.rpartition(":")
        secured: dict[str, Any] = {}
        if self._contexts is not None:
            secured = {"ssl": self._contexts.client, "ssl_shutdown_timeout": CLOSING_SECONDS}
        async with asyncio.timeout(OPENING_SECONDS):
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port), **secured)
            try:
                end_when_unheard(writer)
                found = self._tag_shown(writer)
                if found not in (None, peer.tag):
                    raise ValueError(f"node {found} is there")
                peer.incarnation = await self._introduce(peer.tag, reader, writer)
            except BaseException:
                writer.close()
                raise
        peer.writer = writer
        peer.is_up = True
        peer.reached_at = address
        peer.failures = 0
        peer.last_trouble = ""
        log.info("link to %s at %s is up", peer.tag, address)
        self._on_link(peer.tag, True)
        return reader, writer

    def _address_of(self, peer: Peer) -> str:
        """Where to try next: every other time where the caller says that it is, if one calls.

        It may have been added anew, elsewhere, and lead, and this log not say so yet.
        """
        caller = self._incoming.get(peer.tag)
        if peer.failures % 2 and caller is not None and caller.address:
            return caller.address
        return peer.address

    async def _introduce(
        self, tag: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes:
        self._epoch += 1
        me = self._identity
        opening = {"v": VERSION, "cluster": me.cluster_id, "group": me.group}
        opening |= {"from": me.tag, "to": tag, "epoch": self._epoch}
        opening |= {"incarnation": self._incarnation, "address": self._address}
        writer.write(pack_opening(opening))
        answer = await read_frame(reader, OPENING_BYTES_MAX)
        newest = answer.get("epoch")
        if isinstance(newest, int) and newest <= EPOCH_MAX:
            # The clock went back between two lives of this process: get past the former one.
            self._epoch = max(self._epoch, newest)
        if answer.get("ok") is not True:
            raise ValueError(f"refused: {answer.get('refused')}")
        incarnation = answer.get("incarnation")
        if not _is_incarnation(incarnation):
            raise ValueError("the answer to the opening is malformed")
        return incarnation

    async def _pump(
        self, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Send what is queued, and notice at once when the other side is gone."""
        async with asyncio.TaskGroup() as both:
            gone = both.create_task(_until_gone(reader))
            sending = both.create_task(self._send_queued(peer, writer))
            await asyncio.wait({gone, sending}, return_when=asyncio.FIRST_COMPLETED)
            gone.cancel()
            sending.cancel()
        raise EOFError("the connection ended")

    async def _send_queued(self, peer: Peer, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await peer.wake.wait()
                peer.wake.clear()
                while peer.queue:
                    writer.write(peer.take(self._head))
                    await writer.drain()
        except BROKEN as error:
            log.debug("link to %s: %s", peer.tag, error)  # `_pump` ends with this task

    # -- receiving

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tag = ""
        try:
            shown = self._tag_shown(writer)
            async with asyncio.timeout(OPENING_SECONDS):
                opening = await read_frame(reader, OPENING_BYTES_MAX)
            refused = self._refusal(opening, shown)
            if not refused:
                tag = opening["from"]
                incarnation, address = opening["incarnation"], opening["address"]
                self._replace(tag, Caller(opening["epoch"], incarnation, address, writer))
                if tag not in self._peers and address:
                    # The caller may lead and this log not know it yet: it must be answered.
                    self.open(tag, address)
            await self._answer(opening, refused, writer)
            if refused:
                return
            head = replace(self._identity, tag=tag).head()
            while True:
                message = await read_frame(
                    reader, FRAME_BYTES_MAX, head, on_progress=partial(self._on_progress, tag)
                )
                if not self._hears(tag, writer):
                    return  # a newer connection speaks for this peer
                await self._on_message(tag, incarnation, message)
        except BadCertificate as error:
            log.warning("refused a certificate on a link: %s", error)
        except (*BROKEN, EOFError, ValueError) as error:
            log.debug("link from %s ended: %s", tag or "somebody", error)
        finally:
            if self._hears(tag, writer):
                del self._incoming[tag]
            writer.close()

    async def _answer(
        self, opening: dict[str, Any], refused: str | None, writer: asyncio.StreamWriter
    ) -> None:
        tag = opening.get("from")
        answer: dict[str, Any] = {"ok": True, "incarnation": self._incarnation}
        if refused:
            log.warning("refused a peer that calls itself %.80r: %s", tag, refused)
            answer = {"refused": refused}
            if isinstance(tag, str) and tag in self._incoming:
                answer["epoch"] = self._incoming[tag].epoch
        writer.write(pack_opening(answer))
        await writer.drain()

    def _hears(self, tag: str, writer: asyncio.StreamWriter) -> bool:
        return tag in self._incoming and self._incoming[tag].writer is writer

    def _replace(self, tag: str, caller: Caller) -> None:
        older = self._incoming.get(tag)
        if older is not None:
            assert older.epoch < caller.epoch, "an older connection was refused"
            older.writer.close()
        self._incoming[tag] = caller

    def _tag_shown(self, writer: asyncio.StreamWriter) -> str | None:
        """Who is there by its certificate; None without TLS. Raises BadCertificate."""
        if self._contexts is None:
            return None
        return tag_named_by(writer.get_extra_info("peercert"))

    def _refusal(self, opening: dict[str, Any], shown: str | None) -> str | None:
        me = self._identity
        tag, epoch = opening.get("from"), opening.get("epoch")
        if opening.get("v") != VERSION:
            return f"link version {opening.get('v')} is not known here"
        if not isinstance(tag, str) or not isinstance(epoch, int) or tag == me.tag:
            return "the opening is malformed"
        if not 0 < epoch <= EPOCH_MAX:
            return f"the epoch {epoch} is out of range"
        if shown not in (None, tag):
            return f"the certificate is that of node {shown}"
        if opening.get("cluster") != me.cluster_id:
            return "this is another cluster"
        if opening.get("group") != me.group:
            return "this is another group"
        if opening.get("to") != me.tag:
            return f"this is node {me.tag}"
        if self._server is None or not self._server.is_serving():
            return f"node {me.tag} is stopping"
        incarnation, address = opening.get("incarnation"), opening.get("address")
        if not _is_incarnation(incarnation) or not isinstance(address, str):
            return "the opening is malformed"
        if address and not address.rpartition(":")[2].isdigit():
            return "the opening is malformed"
        refused = self._refuses(tag, incarnation)
        if refused is None and tag in self._incoming and self._incoming[tag].epoch >= epoch:
            refused = f"a newer connection of node {tag} is here"
        return refused


def _is_incarnation(value: object) -> TypeGuard[bytes]:
    return isinstance(value, bytes) and len(value) <= INCARNATION_BYTES_MAX


async def _until_gone(reader: asyncio.StreamReader) -> None:
    """Return when the other side ends the connection; nothing is ever sent this way."""
    try:
        await reader.read(1)
    except OSError as error:
        log.debug("a connection broke: %s", error)  # the same end, less politely
