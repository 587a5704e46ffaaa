"""Frames between nodes: one connection per pair and direction, opened by the one who sends.

    frame    length (4, big-endian) | msgpack map
    opening  {"v": 1, "cluster", "group", "from", "to", "epoch"}
             -> {"ok": true} or {"refused": why}

A newer epoch of the same sender replaces the older connection, so nothing of the old is handled
after something of the new. Messages are handled in the order they were sent; what was under way
when a connection broke is lost, which the layers above expect. Nothing is ever sent twice.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgpack

from quoth_cluster.clock import Chance
from quoth_cluster.raft.entry import COMMAND_BYTES_MAX

VERSION = 1
FRAME_BYTES_MAX = COMMAND_BYTES_MAX + 4 * 1024 * 1024
OPENING_BYTES_MAX = 4096
QUEUE_BYTES_MAX = 2 * FRAME_BYTES_MAX  # per peer; over it the connection starts anew
SEND_BYTES = 64 * 1024
OPENING_SECONDS = 5.0
BACKOFF_SECONDS_MIN, BACKOFF_SECONDS_MAX = 0.05, 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who speaks: a node of a cluster, for one group."""

    cluster_id: str
    group: str
    tag: str


@dataclass(slots=True)
class Peer:
    """The sending side of one pair."""

    tag: str
    address: str
    is_up: bool = False
    epoch: int = 0
    queue: deque[bytes] = field(default_factory=deque)
    queue_bytes: int = 0
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    last_trouble: str = ""

    def take(self) -> bytes:
        """The next frames of the queue, small ones in one piece: one system call for many."""
        parts: list[bytes] = []
        size = 0
        while self.queue and size < SEND_BYTES:
            packed = self.queue.popleft()
            self.queue_bytes -= len(packed)
            size += len(packed)
            parts += (len(packed).to_bytes(4, "big"), packed)
        return b"".join(parts)


class Links:
    """All connections of this node to its peers, both ways."""

    def __init__(
        self,
        identity: Identity,
        *,
        chance: Chance,
        epoch: int,
        on_message: Callable[[str, dict[str, Any]], Awaitable[None]],
        on_link: Callable[[str, bool], None],
        refuses: Callable[[str], str | None],
    ) -> None:
        self._identity = identity
        self._chance = chance
        self._epoch = epoch  # grows with every start of the process and every connection
        self._on_message = on_message
        self._on_link = on_link
        self._refuses = refuses
        self._peers: dict[str, Peer] = {}
        self._incoming: dict[str, tuple[int, asyncio.StreamWriter]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._server: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> int:
        """Accept peers on `host:port`; 0 takes a free port. Returns the port. Raises OSError."""
        self._server = await asyncio.start_server(self._accept, host, port)
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
            for _, writer in self._incoming.values():
                writer.close()

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
            incoming[1].close()
        peer = self._peers.pop(tag, None)
        if peer is not None and peer.task is not None:
            peer.task.cancel()
        if peer is not None and peer.is_up:
            self._on_link(tag, False)

    def is_up(self, tag: str) -> bool:
        peer = self._peers.get(tag)
        return peer is not None and peer.is_up

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
        if peer.task is not None:
            peer.task.cancel()
        self._drop(peer, "too much was waiting")
        self._start(peer)

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
            except (OSError, EOFError, ValueError, TimeoutError) as error:
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
        if peer.is_up:
            peer.is_up = False
            self._on_link(peer.tag, False)

    async def _connect(self, peer: Peer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = peer.address.rpartition(":")
        async with asyncio.timeout(OPENING_SECONDS):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                self._epoch += 1
                me = self._identity
                opening = {"v": VERSION, "cluster": me.cluster_id, "group": me.group}
                opening |= {"from": me.tag, "to": peer.tag, "epoch": self._epoch}
                writer.write(_frame(bytes(msgpack.packb(opening))))
                answer = await _read_frame(reader, OPENING_BYTES_MAX)
                if answer.get("ok") is not True:
                    raise ValueError(f"refused: {answer.get('refused')}")
            except BaseException:
                writer.close()
                raise
        peer.is_up = True
        peer.last_trouble = ""
        log.info("link to %s at %s is up", peer.tag, peer.address)
        self._on_link(peer.tag, True)
        return reader, writer

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
                    writer.write(peer.take())
                    await writer.drain()
        except OSError as error:
            log.debug("link to %s: %s", peer.tag, error)  # `_pump` ends with this task

    # -- receiving

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tag = ""
        try:
            async with asyncio.timeout(OPENING_SECONDS):
                opening = await _read_frame(reader, OPENING_BYTES_MAX)
            refused = self._refusal(opening)
            answer: dict[str, Any] = {"refused": refused} if refused else {"ok": True}
            writer.write(_frame(bytes(msgpack.packb(answer))))
            await writer.drain()
            if refused:
                log.warning("refused a peer that calls itself %r: %s", opening.get("from"), refused)
                return
            tag, epoch = opening["from"], opening["epoch"]
            if not self._replace(tag, epoch, writer):
                return
            while True:
                message = await _read_frame(reader, FRAME_BYTES_MAX)
                if self._incoming.get(tag) != (epoch, writer):
                    return  # a newer connection speaks for this peer
                await self._on_message(tag, message)
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            log.debug("link from %s ended: %s", tag or "somebody", error)
        finally:
            if tag and self._incoming.get(tag, (0, None))[1] is writer:
                del self._incoming[tag]
            writer.close()

    def _replace(self, tag: str, epoch: int, writer: asyncio.StreamWriter) -> bool:
        older = self._incoming.get(tag)
        if older is not None:
            if older[0] >= epoch:
                return False
            older[1].close()
        self._incoming[tag] = (epoch, writer)
        return True

    def _refusal(self, opening: dict[str, Any]) -> str | None:
        me = self._identity
        if opening.get("v") != VERSION:
            return f"link version {opening.get('v')} is not known here"
        if opening.get("cluster") != me.cluster_id:
            return "this is another cluster"
        if opening.get("group") != me.group:
            return "this is another group"
        if opening.get("to") != me.tag:
            return f"this is node {me.tag}"
        tag, epoch = opening.get("from"), opening.get("epoch")
        if not isinstance(tag, str) or not isinstance(epoch, int) or tag == me.tag:
            return "the opening is malformed"
        return self._refuses(tag)


async def _until_gone(reader: asyncio.StreamReader) -> None:
    """Return when the other side ends the connection; nothing is ever sent this way."""
    try:
        await reader.read(1)
    except OSError as error:
        log.debug("a connection broke: %s", error)  # the same end, less politely


def _frame(packed: bytes) -> bytes:
    return len(packed).to_bytes(4, "big") + packed


async def _read_frame(reader: asyncio.StreamReader, bytes_max: int) -> dict[str, Any]:
    """The next frame. Raises EOFError at the end, ValueError for what is not a frame."""
    length = int.from_bytes(await reader.readexactly(4), "big")
    if length > bytes_max:
        raise ValueError(f"a frame of {length} bytes; {bytes_max} are allowed")
    packed = await reader.readexactly(length)
    try:
        message = msgpack.unpackb(packed, max_bin_len=bytes_max)
    except msgpack.UnpackException as error:
        raise ValueError(f"a frame does not open: {error}") from error
    if not isinstance(message, dict):
        raise ValueError("a frame is a map")
    return message
