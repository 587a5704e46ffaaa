"""The real wire over loopback: what is definite, what is not, and that nothing is sent twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from quoth.errors import FateUnknown, NotSent
from quoth.transport import AiohttpTransport, HttpRequest

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Name: value\r\n\r\nok"


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[str]:
    """A server that does with each connection what the test says."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    transport = AiohttpTransport()
    yield transport
    await transport.close()


def request(url: str, method: str = "PUT", timeout_seconds: float = 5.0) -> HttpRequest:
    return HttpRequest(method, url, {"Name": "value"}, b"body", timeout_seconds)


async def test_a_request_and_its_response(transport: AiohttpTransport) -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"body"))
        writer.write(OK)
        await writer.drain()
        writer.close()

    async with listening(serve) as url:
        found = await transport.send(request(url + "/docs?key=a%2Fb%7C"))
    assert (found.status, found.body, found.headers["x-name"]) == (200, b"ok", "value")
    assert seen[0].startswith(b"PUT /docs?key=a%2Fb%7C HTTP/1.1\r\n")
    assert b"Name: value\r\n" in seen[0]


async def test_a_refused_connection_is_definite(transport: AiohttpTransport) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError("nobody connects")

    async with listening(serve) as url:
        pass
    with pytest.raises(NotSent):
        await transport.send(request(url))


@pytest.mark.parametrize("url", ["http://", "http://nowhere.invalid/", "http://127.0.0.1:99999"])
async def test_a_url_that_leads_nowhere_is_definite(transport: AiohttpTransport, url: str) -> None:
    with pytest.raises(NotSent):
        await transport.send(request(url))


@pytest.mark.parametrize("part", [b"", OK[:12], OK[:-1]])
async def test_a_connection_that_breaks_is_indefinite(
    transport: AiohttpTransport, part: bytes
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"body")
        writer.write(part)
        writer.close()

    async with listening(serve) as url:
        with pytest.raises(FateUnknown):
            await transport.send(request(url))


async def test_a_time_out_is_indefinite(transport: AiohttpTransport) -> None:
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    async with listening(serve) as url:
        with pytest.raises(FateUnknown, match=r"within 0\.2 s"):
            await transport.send(request(url, timeout_seconds=0.2))
        done.set()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
async def test_a_write_on_a_kept_connection_that_breaks_is_not_sent_again(
    transport: AiohttpTransport, method: str
) -> None:
    received = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        for answer in (OK, b""):
            await reader.readuntil(b"body")
            received += 1
            writer.write(answer)
            await writer.drain()
        writer.close()

    async with listening(serve) as url:
        await transport.send(request(url, method))
        with pytest.raises(FateUnknown):
            await transport.send(request(url, method))
    assert received == 2


async def test_nothing_is_sent_after_closing() -> None:
    transport = AiohttpTransport()
    await transport.close()
    with pytest.raises(NotSent, match="closed"):
        await transport.send(request("http://127.0.0.1:1"))
