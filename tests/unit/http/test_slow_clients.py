"""Who sends slowly, or much, keeps nobody else waiting, and is told why it was let go."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from quoth_cluster.errors import Busy
from quoth_node.http.held import HeldBodies
from quoth_node.http.pace import Pace
from tests.unit.http.conftest import (
    CONFIG,
    Node,
    StoppedClock,
    put,
    running_node,
    with_database,
)

DOCUMENT = "/databases/db/docs?id=a"
IMPATIENT = replace(
    CONFIG,
    head_seconds_max=0.2,
    body_idle_seconds_max=0.2,
    bodies_bytes_max=100_000,
    body_admission_seconds=0.1,
    body_bytes_max=90_000,
)


@pytest.fixture
async def impatient(tmp_path: Path, clock: StoppedClock) -> AsyncIterator[Node]:
    """A node that waits for a fifth of a second, and holds 100,000 bytes of bodies."""
    async with running_node(tmp_path, clock, IMPATIENT) as node:
        yield await with_database(node)


class Line:
    """A connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def to(cls, node: Node) -> "Line":
        parts = urlsplit(node.url)
        return cls(*await asyncio.open_connection(parts.hostname, parts.port))

    @classmethod
    async def before_anybody_looks(cls, node: Node, data: bytes) -> "Line":
        """A connection whose first bytes are there when the node is told of it."""
        parts = urlsplit(node.url)
        ready = socket.create_connection((parts.hostname, parts.port))
        ready.sendall(data)
        ready.setblocking(False)
        return cls(*await asyncio.open_connection(sock=ready))

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def until_closed(self) -> bytes:
        """All that came until the other end closed."""
        async with asyncio.timeout(15):
            try:
                return await self._reader.read()
            finally:
                self._writer.close()

    def hang_up(self) -> None:
        self._writer.close()

    async def answer(self) -> tuple[int, str]:
        """Status and type of the error that came, and nothing after it."""
        head, _, body = (await self.until_closed()).partition(b"\r\n\r\n")
        told = json.loads(body)
        return int(head.split()[1]), told["Type"].rpartition(".")[2]


async def test_a_head_must_be_here_in_time(impatient: Node) -> None:
    line = await Line.to(impatient)
    await line.send(b"GET /build/version HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    assert await line.answer() == (408, "TimeoutException")
    assert (await impatient.get("/build/version")).status == 200


async def test_dripping_does_not_make_more_time(impatient: Node) -> None:
    line = await Line.to(impatient)
    await line.send(b"GET /build/version HTTP/1.1\r\nX-Slow: ")
    answer = asyncio.ensure_future(line.answer())
    for _ in range(500):
        await asyncio.wait([answer], timeout=0.02)
        if answer.done():
            break
        await line.send(b"x")
    assert await answer == (408, "TimeoutException")


def test_the_event_loop_of_real_nodes_is_as_impatient(tmp_path: Path) -> None:
    """There the first bytes are here before anybody has begun to wait for them."""
    uvloop = pytest.importorskip("uvloop")

    async def story() -> None:
        async with running_node(tmp_path, StoppedClock(), IMPATIENT) as node:
            line = await Line.before_anybody_looks(node, b"GET /build/version HTTP/1.1\r\nX: ")
            assert await line.answer() == (408, "TimeoutException")
            silent = await Line.before_anybody_looks(node, b"")
            assert await silent.until_closed() == b""
            head = b"GET /setup/alive HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            whole = await Line.before_anybody_looks(node, head)
            assert (await whole.until_closed()).startswith(b"HTTP/1.1 204")

    uvloop.run(asyncio.wait_for(story(), 10))


async def test_who_says_nothing_is_let_go(impatient: Node) -> None:
    line = await Line.to(impatient)
    assert await line.until_closed() == b""


async def test_the_next_head_on_a_connection_must_be_here_in_time_too(impatient: Node) -> None:
    line = await Line.to(impatient)
    await line.send(b"GET /setup/alive HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(5):
        first = await line._reader.readuntil(b"\r\n\r\n")
    await line.send(b"GET /setup/alive HTTP/1.1\r\nX-Slow: ")
    assert first.startswith(b"HTTP/1.1 204")
    assert await line.answer() == (408, "TimeoutException")


async def test_a_connection_may_rest_between_two_requests(impatient: Node) -> None:
    line = await Line.to(impatient)
    await line.send(b"GET /setup/alive HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.sleep(0.5)
    await line.send(b"GET /setup/alive HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (await line.until_closed()).count(b"HTTP/1.1 204") == 2


async def test_a_head_without_an_end_is_cut_off(node: Node) -> None:
    line = await Line.to(node)
    await line.send(b"GET /setup/alive HTTP/1.1\r\n" + b"X: y\r\n" * 20_000)
    status, _ = await line.answer()
    assert status == 431


async def test_a_body_must_make_progress(impatient: Node) -> None:
    proposals = impatient.log.proposals
    line = await Line.to(impatient)
    head = f"PUT {DOCUMENT} HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n".encode()
    await line.send(head + b'{"a":')
    async with asyncio.timeout(5):
        first = await line._reader.readuntil(b"\r\n")
    assert first.split()[1] == b"408"
    line._writer.close()
    assert impatient.log.proposals == proposals
    assert (await impatient.put("users/1")) != ""


def test_a_steady_pace_is_fast_enough() -> None:
    pace = Pace(idle_seconds_max=10, bytes_per_second_min=1_000)
    for _ in range(1_000):
        assert pace.patience_seconds() == 10
        pace.received(1_000, waited_seconds=1)
    assert pace.patience_seconds() == 10


def test_a_body_in_drops_comes_to_an_end() -> None:
    """One byte just before each idle time is over: that alone would take for ever."""
    pace, drops = Pace(idle_seconds_max=10, bytes_per_second_min=1_000), 0
    while (patience := pace.patience_seconds()) > 0.01:
        pace.received(1, waited_seconds=patience * 0.9)
        drops += 1
    assert drops < 20 and pace.waited_seconds < 10.1


def test_a_fast_start_buys_no_long_pause() -> None:
    pace = Pace(idle_seconds_max=10, bytes_per_second_min=1_000)
    pace.received(60_000_000, waited_seconds=1)
    assert pace.patience_seconds() == 10


# Bodies held at once


async def test_bodies_under_way_have_a_limit_together(impatient: Node) -> None:
    held = [await Line.to(impatient) for _ in range(2)]
    for line in held:
        head = f"PUT {DOCUMENT} HTTP/1.1\r\nHost: x\r\nContent-Length: 80000\r\n\r\n"
        await line.send(head.encode() + b"x" * 40_000)
    refused = await impatient.ask("PUT", DOCUMENT, b'{"a":"' + b"x" * 70_000 + b'"}')
    assert refused.error[:2] == (503, "RavenException")
    assert "bytes of request bodies" in refused.error[2]
    small = await impatient.bulk(put("users/1"))
    assert small.status == 201, "small ones are served all the same"
    for line in held:
        await line.until_closed()
    later = await impatient.ask("PUT", DOCUMENT, b'{"a":"' + b"x" * 70_000 + b'"}')
    assert later.status == 201, "what was held is given back"


async def test_a_body_waits_until_others_are_done() -> None:
    bodies = HeldBodies(1_000_000)
    bodies.take(600_000)
    waiting = asyncio.ensure_future(bodies.admit(500_000, patience_seconds=5))
    await asyncio.sleep(0)
    assert not waiting.done()
    await bodies.admit(65_536, patience_seconds=0.01)
    bodies.give_back(200_000)
    await waiting
    bodies.take(500_000)
    with pytest.raises(Busy, match="limit is 1000000"):
        bodies.take(100_001)
    with pytest.raises(Busy):
        await bodies.admit(None, patience_seconds=0.01)
    assert bodies.held_bytes == 900_000


async def test_every_request_gives_back_what_it_held(
    impatient: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    balance: list[int] = []
    give_back = HeldBodies.give_back

    def watched(bodies: HeldBodies, size: int) -> None:
        give_back(bodies, size)
        balance.append(bodies.held_bytes)

    monkeypatch.setattr(HeldBodies, "give_back", watched)
    await impatient.bulk(put("users/1"))
    await impatient.ask("PUT", DOCUMENT, b"{")
    await impatient.ask("PUT", DOCUMENT, b"x" * 95_000)
    await impatient.ask("PUT", "/databases/none/docs?id=a", {})
    await impatient.ask("GET", "/no/route")
    assert balance[-1] == 0 and len(balance) >= 4


@pytest.mark.parametrize(
    "line_and_body",
    [
        'PUT /databases/db/docs?id=a HTTP/1.1\r\nContent-Length: 100\r\n\r\n{"a":',
        "POST /databases/db/bulk_insert?id=1 HTTP/1.1\r\nContent-Length: 100\r\n\r\n[",
    ],
    ids=["body", "bulk insert"],
)
async def test_a_client_that_hangs_up_is_no_error_of_the_node(
    node: Node, caplog: pytest.LogCaptureFixture, line_and_body: str
) -> None:
    line = await Line.to(node)
    with caplog.at_level(logging.INFO, logger="quoth_node.http"):
        await line.send(line_and_body.replace("\r\n", "\r\nHost: x\r\n", 1).encode())
        await node.get("/build/version")
        line.hang_up()
        async with asyncio.timeout(15):
            while not caplog.records:
                await node.get("/build/version")
    assert [record.levelname for record in caplog.records] == ["INFO"], caplog.text
    assert "the client went away" in caplog.text and "Traceback" not in caplog.text


async def test_a_multi_get_ends_when_its_client_hangs_up(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    part = {"Url": "/databases/db/docs", "Query": "?startsWith=u"}
    body = json.dumps({"Requests": [part] * 1_000})
    head = f"POST /databases/db/multi_get HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}"
    line = await Line.to(node)
    with caplog.at_level(logging.INFO, logger="quoth_node.http"):
        await line.send(f"{head}\r\n\r\n{body}".encode())
        line.hang_up()
        async with asyncio.timeout(5):
            while not caplog.records:
                await node.get("/build/version")
    assert "the client went away: POST /databases/db/multi_get" in caplog.text
