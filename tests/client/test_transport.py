"""The real wire over loopback, for tasks and for threads: what is definite, what is not, and that
nothing is sent twice."""

import asyncio
import gc
import gzip
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from quoth.clock import SystemClock
from quoth.errors import FateUnknown, Misuse, NotSent
from quoth.transport import HttpRequest, HttpResponse
from quoth.wire.aiohttp_transport import AiohttpTransport
from quoth.wire.blocking_transport import BlockingTransport
from quoth.wire.exchange import CONNECTIONS_MAX, IDLE_SECONDS_MAX

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Name: value\r\n\r\nok"
LINES = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n"


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[str]:
    """A server that does with each connection what the test says."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()


class Tasks:
    """The transport of asynchronous stores."""

    def __init__(self, idle_seconds_max: float = IDLE_SECONDS_MAX) -> None:
        self.transport = AiohttpTransport(idle_seconds_max=idle_seconds_max)

    async def send(self, request: HttpRequest) -> HttpResponse:
        return await self.transport.send(request)

    async def pieces(self, request: HttpRequest, at_most: int = 1_000) -> list[bytes]:
        """The first pieces of an opened answer; then it is left."""
        _, stream = await self.transport.open(request)
        assert stream is not None
        found = []
        async for piece in stream:
            found.append(piece)
            if len(found) == at_most:
                break
        await stream.aclose()
        return found

    async def close(self) -> None:
        await self.transport.close()


class Threads:
    """The transport of synchronous stores, each request from a thread of its own."""

    def __init__(self, idle_seconds_max: float = IDLE_SECONDS_MAX) -> None:
        self.transport = BlockingTransport(SystemClock(), idle_seconds_max=idle_seconds_max)

    async def send(self, request: HttpRequest) -> HttpResponse:
        return await asyncio.to_thread(self.transport.send_blocking, request)

    async def pieces(self, request: HttpRequest, at_most: int = 1_000) -> list[bytes]:
        def read() -> list[bytes]:
            _, stream = self.transport.open_blocking(request)
            assert stream is not None
            found = []
            for piece in stream:
                found.append(piece)
                if len(found) == at_most:
                    break
            stream.close()
            return found

        return await asyncio.to_thread(read)

    async def close(self) -> None:
        self.transport.close_blocking()


Wires = Tasks | Threads


@pytest.fixture(params=[Tasks, Threads])
async def wires(request: pytest.FixtureRequest) -> AsyncIterator[Wires]:
    wires: Wires = request.param()
    yield wires
    await wires.close()


def request(url: str, method: str = "PUT", timeout_seconds: float = 5.0) -> HttpRequest:
    return HttpRequest(method, url, {"Name": "value"}, b"body", timeout_seconds)


class Server:
    """Answers each request on a connection with the next of `answers`, then closes it."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = answers
        self.seen: list[bytes] = []
        self.connections = 0
        self.seen_one = asyncio.Event()
        self.seen_two = asyncio.Event()
        self.gone = asyncio.Event()  # a client has closed its connection

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            for answer in self.answers:
                self.seen.append(await reader.readuntil(b"body"))
                self.seen_one.set()
                if len(self.seen) == 2:
                    self.seen_two.set()
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone.set()
        writer.close()


async def test_a_request_and_its_response(wires: Wires) -> None:
    server = Server(OK)
    async with listening(server) as url:
        found = await wires.send(request(url + "/docs?key=a%2Fb%7C"))
    assert (found.status, found.body, found.headers["x-name"]) == (200, b"ok", "value")
    assert server.seen[0].startswith(b"PUT /docs?key=a%2Fb%7C HTTP/1.1\r\n")
    assert b"Name: value\r\n" in server.seen[0]


async def test_a_connection_is_kept(wires: Wires) -> None:
    server = Server(*[OK] * 5)
    async with listening(server) as url:
        for _ in range(5):
            await wires.send(request(url))
    assert (server.connections, len(server.seen)) == (1, 5)


async def test_a_large_body_goes_out_whole(wires: Wires) -> None:
    body = bytes(3_000_000)
    received = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        await reader.readuntil(b"\r\n\r\n")
        received = len(await reader.readexactly(len(body)))
        writer.write(OK)
        writer.close()

    async with listening(serve) as url:
        found = await wires.send(HttpRequest("PUT", url, {}, body, 5.0))
    assert (found.body, received) == (b"ok", len(body))


@pytest.mark.parametrize(
    "head", [b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n"]
)
async def test_an_answer_after_which_the_server_closes_is_an_answer(
    wires: Wires, head: bytes
) -> None:
    for length in (b"Content-Length: 2\r\n", b""):
        async with listening(Server(head + length + b"\r\nok")) as url:
            assert (await wires.send(request(url))).body == b"ok"
        async with listening(Server(head + length + b"\r\nok")) as url:
            assert b"".join(await wires.pieces(request(url))) == b"ok"


async def test_hints_before_an_answer_are_not_the_answer(wires: Wires) -> None:
    hints = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    server = Server(hints + OK, OK.replace(b"ok", b"no"))
    async with listening(server) as url:
        assert [(await wires.send(request(url))).body for _ in range(2)] == [b"ok", b"no"]


async def test_a_redirect_is_an_answer_and_nothing_is_sent_elsewhere(wires: Wires) -> None:
    server = Server(OK.replace(b"200 OK", b"302 Found\r\nLocation: /other"), OK)
    async with listening(server) as url:
        assert (await wires.send(request(url, "POST"))).status == 302
    assert len(server.seen) == 1


async def test_an_answer_that_something_between_has_packed_is_unpacked(wires: Wires) -> None:
    packed = gzip.compress(b"ok" * 100_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    async with listening(Server(*[head % len(packed) + packed] * 2)) as url:
        assert (await wires.send(request(url))).body == b"ok" * 100_000
        assert b"".join(await wires.pieces(request(url))) == b"ok" * 100_000


@pytest.mark.parametrize("coding", [b"gzip", b"compress"])
async def test_an_answer_that_cannot_be_unpacked_is_indefinite(wires: Wires, coding: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: 4\r\n\r\nnone" % coding
    async with listening(Server(answer)) as url:
        if coding == b"compress":  # nobody sends it, and it is no JSON
            assert (await wires.send(request(url))).body == b"none"
            return
        with pytest.raises(FateUnknown):
            await wires.send(request(url))
    async with listening(Server(answer)) as url:
        with pytest.raises(FateUnknown):
            await wires.pieces(request(url))


async def test_a_refused_connection_is_definite(wires: Wires) -> None:
    async with listening(Server()) as url:
        pass
    with pytest.raises(NotSent):
        await wires.send(request(url))


@pytest.mark.parametrize("url", ["http://", "http://nowhere.invalid/", "http://127.0.0.1:99999"])
async def test_a_url_that_leads_nowhere_is_definite(wires: Wires, url: str) -> None:
    with pytest.raises(NotSent):
        await wires.send(request(url))


async def test_a_server_without_tls_is_definite(wires: Wires) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(OK)
        writer.close()

    async with listening(serve) as url:
        with pytest.raises(NotSent):
            await wires.send(request(url.replace("http:", "https:")))


@pytest.mark.parametrize("part", [b"", OK[:12], OK[:-1], b"SSH-2.0\r\n\r\n"])
async def test_a_connection_that_breaks_is_indefinite(wires: Wires, part: bytes) -> None:
    async with listening(Server(part)) as url:
        with pytest.raises(FateUnknown):
            await wires.send(request(url))


async def test_a_time_out_is_indefinite(wires: Wires) -> None:
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    async with listening(serve) as url:
        with pytest.raises(FateUnknown, match=r"within 0\.2 s"):
            await wires.send(request(url, timeout_seconds=0.2))
        done.set()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST", "GET"])
async def test_nothing_is_sent_again_on_a_kept_connection_that_breaks(
    wires: Wires, method: str
) -> None:
    server = Server(OK, b"")
    async with listening(server) as url:
        await wires.send(request(url, method))
        with pytest.raises(FateUnknown):
            await wires.send(request(url, method))
    assert len(server.seen) == 2


@pytest.mark.parametrize(("kind", "rest"), [(Tasks, b""), (Threads, b""), (Threads, OK)])
async def test_a_kept_connection_on_which_something_came_is_not_used(
    kind: type[Wires], rest: bytes
) -> None:
    """It was closed, or answers what nobody asked; the next request has a new one, and succeeds."""
    wires = kind()
    ended = asyncio.Event()
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"body")
        writer.write(OK)
        if connections == 1:
            await writer.drain()
            if rest:
                # Not together with the answer, so that the client has kept the connection.
                await asyncio.sleep(0.05)
                writer.write(rest)
                await writer.drain()
            else:
                writer.close()
            ended.set()

    async with listening(serve) as url:
        await wires.send(request(url))
        await ended.wait()
        assert (await wires.send(request(url))).body == b"ok"
    await wires.close()
    assert connections == 2


@pytest.mark.parametrize("kind", [Tasks, Threads])
async def test_a_connection_is_not_kept_longer_than_servers_do(kind: type[Wires]) -> None:
    assert IDLE_SECONDS_MAX < 60
    server = Server(OK, OK)
    wires = kind(idle_seconds_max=0.001)
    async with listening(server) as url:
        await wires.send(request(url))
        await asyncio.sleep(0.01)
        await wires.send(request(url))
        await wires.close()
    assert server.connections == 2


async def test_a_cancelled_request_ends_its_connection() -> None:
    wires, server = Tasks(), Server(OK, b"", OK)
    async with listening(server) as url:
        await wires.send(request(url))
        task = asyncio.ensure_future(wires.send(request(url)))
        await server.seen_two.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.gone.wait(), 5)
        assert (await wires.send(request(url))).body == b"ok"
    await wires.close()
    assert server.connections == 2


async def test_requests_wait_for_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = most = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal at_once, most
        while await reader.readuntil(b"body"):
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0)
            at_once -= 1
            writer.write(OK)

    wires = Tasks()
    async with listening(serve) as url:
        await asyncio.gather(*(wires.send(request(url)) for _ in range(CONNECTIONS_MAX + 50)))
        assert 0 < most <= CONNECTIONS_MAX
        await wires.close()


async def test_an_answer_can_be_read_piece_by_piece(wires: Wires) -> None:
    server = Server(LINES + b"4\r\ntwo\n\r\n0\r\n\r\n", OK)
    async with listening(server) as url:
        assert b"".join(await wires.pieces(request(url))) == b"one\ntwo\n"
        await wires.send(request(url))
    assert server.connections == 1, "the connection is kept"


async def test_leaving_an_answer_early_ends_its_connection(wires: Wires) -> None:
    server = Server(LINES, b"")
    async with listening(server) as url:
        assert await wires.pieces(request(url), at_most=1) == [b"one\n"]
        await asyncio.wait_for(server.gone.wait(), 5)


async def test_an_answer_that_breaks_off_says_so(wires: Wires) -> None:
    async with listening(Server(LINES)) as url:
        with pytest.raises(FateUnknown, match="closed before the end"):
            await wires.pieces(request(url))


async def test_an_answer_that_stalls_says_so(wires: Wires) -> None:
    async with listening(Server(LINES, b"")) as url:
        with pytest.raises(FateUnknown, match=r"within 0\.2 s"):
            await wires.pieces(request(url, timeout_seconds=0.2))


async def test_a_failure_is_read_whole_though_it_was_to_be_opened(wires: Wires) -> None:
    server = Server(OK.replace(b"200 OK", b"500 No"), OK)
    async with listening(server) as url:
        if isinstance(wires, Tasks):
            found, stream = await wires.transport.open(request(url))
            assert stream is None
        else:
            found, other = await asyncio.to_thread(wires.transport.open_blocking, request(url))
            assert other is None
        assert (found.status, found.body) == (500, b"ok")
        await wires.send(request(url))
    assert server.connections == 1


async def test_a_reader_that_is_slow_is_not_overrun() -> None:
    whole = 40_000_000
    written = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"body")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % whole)
        while written < whole:
            writer.write(bytes(100_000))
            written += 100_000
            await writer.drain()
        writer.close()

    wires = Tasks()
    async with listening(serve) as url:
        _, stream = await wires.transport.open(request(url))
        assert stream is not None
        before = -1
        while before != written:  # until nothing more can be written
            before = written
            await asyncio.sleep(0.05)
        assert written < whole / 2
        received = 0
        async for piece in stream:
            received += len(piece)
        assert received == whole
    await wires.close()


async def test_nothing_is_sent_after_closing(wires: Wires) -> None:
    await wires.close()
    with pytest.raises(NotSent, match="closed"):
        await wires.send(request("http://127.0.0.1:1"))


async def test_what_was_about_to_be_sent_when_it_was_closed_is_definite() -> None:
    wires = Tasks()
    async with listening(Server(OK, OK)) as url:
        await wires.send(request(url))
        sending = asyncio.ensure_future(wires.send(request(url)))
        await asyncio.sleep(0)
        await wires.close()
        with pytest.raises(NotSent, match="closed"):
            await sending


async def test_what_waits_for_a_place_when_it_is_closed_is_definite_and_not_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("quoth.wire.aiohttp_transport.CONNECTIONS_MAX", 1)
    wires = Tasks()
    server = Server(b"", b"")  # it never answers
    async with listening(server) as url:
        first, second = (asyncio.ensure_future(wires.send(request(url))) for _ in range(2))
        await asyncio.wait_for(server.seen_one.wait(), 5)
        await wires.close()
        found = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(each) for each in found] == [FateUnknown, NotSent]


def test_one_event_loop_after_another_may_use_it() -> None:
    transport = AiohttpTransport()
    server = Server(OK)

    async def once() -> None:
        async with listening(server) as url:
            await transport.send(request(url))

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of connections that nobody closed
        asyncio.run(once())
        asyncio.run(once())
        gc.collect()
    assert server.connections == 2


async def test_two_event_loops_at_once_may_not_use_it() -> None:
    wires = Tasks()
    async with listening(Server(OK)) as url:
        await wires.send(request(url))
        with pytest.raises(Misuse, match="event loop"):
            await asyncio.to_thread(asyncio.run, wires.send(request(url)))
    await wires.close()
