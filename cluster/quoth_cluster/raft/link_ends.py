"""The two ends of the links between this node and another: where it speaks, and where it hears."""

import asyncio
import socket
from collections import deque
from dataclasses import dataclass, field

SEND_BYTES = 64 * 1024  # what one write takes of the queue, about
UNHEARD_MS = 4_000  # what was sent and not acknowledged by the peer's system for so long is lost


def end_when_unheard(writer: asyncio.StreamWriter) -> None:
    """Let a connection end that nothing gets through, so that a new one is tried.

    TCP itself waits twice as long after each try, so after a cut of 40 s it would notice up to
    another 40 s later that the cable is whole again. Linux knows the option (RFC 5482).
    """
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    connected = writer.get_extra_info("socket")
    if option is not None and connected.family in (socket.AF_INET, socket.AF_INET6):
        connected.setsockopt(socket.IPPROTO_TCP, option, UNHEARD_MS)


@dataclass(slots=True)
class Peer:
    """The sending side of one pair."""

    tag: str
    address: str
    is_up: bool = False
    reached_at: str = ""  # the address of the connection that is up, or was last
    failures: int = 0  # since one was up
    epoch: int = 0
    incarnation: bytes = b""  # of the node that answered last
    queue: deque[bytes] = field(default_factory=deque)
    queue_bytes: int = 0
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    writer: asyncio.StreamWriter | None = None  # while it is up
    last_trouble: str = ""

    def take(self, head: bytes) -> bytes:
        """The next frames of the queue, small ones in one piece: one system call for many."""
        parts: list[bytes] = []
        size = 0
        while self.queue and size < SEND_BYTES:
            packed = self.queue.popleft()
            self.queue_bytes -= len(packed)
            size += len(packed)
            parts += ((len(head) + len(packed)).to_bytes(4, "big"), head, packed)
        return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Caller:
    """The receiving side of one pair."""

    epoch: int
    incarnation: bytes
    address: str  # where it says that it is reached; may be empty
    writer: asyncio.StreamWriter
