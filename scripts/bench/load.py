"""A light HTTP client for benchmarks: what it costs is taken from the servers it measures.

Keep-alive connections of raw asyncio protocols, one request under way on each; it understands just
what quoth's nodes answer: a status line, a Content-Length, a body.
"""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: *(\d+)\r\n")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as bytes, and the status that says it was done."""

    packed: bytes
    status: int


def ask(
    method: str, target: str, body: bytes = b"", *, status: int, headers: str = ""
) -> Asked:
    """A request to any node."""
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: bench\r\nRaven-Client-Version: 7.2.7\r\n"
        'Accept-Encoding: gzip, deflate\r\nTopology-Etag: "5"\r\n'
        f"{headers}Content-Length: {len(body)}\r\n\r\n"
    )
    return Asked(head.encode() + body, status)


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of one round."""

    per_second: float
    p50_ms: float
    p99_ms: float
    count: int


class Connection(asyncio.Protocol):
    """One connection: asks for the next request as soon as the last is answered."""

    def __init__(self, next_request: Callable[[], Asked | None]) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.seconds: list[float] = []
        self._next_request = next_request
        self._transport: asyncio.Transport | None = None
        self._read = bytearray()
        self._asked: Asked | None = None
        self._asked_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._read += data
        end = self._read.find(b"\r\n\r\n")
        if end < 0:
            return
        found = LENGTH.search(self._read, 0, end + 2)
        length = int(found[1]) if found else 0
        if len(self._read) < end + 4 + length:
            return
        self.seconds.append(time.perf_counter() - self._asked_at)
        status = int(self._read[9:12])
        assert self._asked is not None
        if status != self._asked.status and not self.done.done():
            answer = bytes(self._read[:2_000]).decode(errors="replace")
            error = RuntimeError(f"{self._asked.packed[:200]!r} was answered: {answer}")
            self.done.set_exception(error)
            return
        self._read.clear()
        self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError("a node closed a connection"))

    def _ask(self) -> None:
        self._asked = self._next_request()
        assert self._transport is not None
        if self._asked is None:
            if not self.done.done():
                self.done.set_result(None)
            self._transport.close()
            return
        self._asked_at = time.perf_counter()
        self._transport.write(self._asked.packed)


async def measure(
    urls: Sequence[str], make: Callable[[int], Asked], *, connections: int, seconds: float
) -> Measured:
    """Ask what `make(n)` gives, n counting up, on so many connections spread over the nodes."""
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    number = 0

    def next_request() -> Asked | None:
        nonlocal number
        if time.perf_counter() - began >= seconds:
            return None
        number += 1
        return make(number)

    opened: list[Connection] = []
    for at in range(connections):
        parts = urlsplit(urls[at % len(urls)])
        _, connection = await loop.create_connection(
            lambda: Connection(next_request), parts.hostname or "", parts.port or 0
        )
        opened.append(connection)
    await asyncio.gather(*(connection.done for connection in opened))
    took = time.perf_counter() - began
    ordered = sorted(one for connection in opened for one in connection.seconds)
    return Measured(
        len(ordered) / took,
        ordered[len(ordered) // 2] * 1e3,
        ordered[len(ordered) * 99 // 100] * 1e3,
        len(ordered),
    )
