"""HTTP over kept connections, for tasks: of one event loop, which tells what comes on them.

As in `sockets.py`, a kept connection is used again only if it was idle for a short time and nothing
has come on it, so that a write rarely meets a broken one; when it does, its fate is unknown.
"""

import asyncio
import select
from collections import deque
from collections.abc import AsyncIterator
from typing import cast

from quoth.errors import Misuse, NotSent
from quoth.transport import AsyncByteStream, HttpRequest, HttpResponse
from quoth.wire.exchange import (
    CONNECT_SECONDS_MAX,
    CONNECTIONS_MAX,
    IDLE_SECONDS_MAX,
    secure_context,
    unknown,
)
from quoth.wire.http1 import Malformed, Origin, ResponseReader, encode_request, split_url

# How much of a stream may wait for who reads it.
STREAM_BYTES_MAX = 1 << 20


class _Connection(asyncio.Protocol):
    """One connection, with one request on it at a time.

    Invariant: `_reader` is there from the request to the end of its response.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._poll = select.poll()
        self._reader: ResponseReader | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._wants_pieces = False
        self._unread_bytes = 0
        self._error: Exception | None = None
        self._idle_since = 0.0

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        if reader is None:
            self.close()  # nobody asked for anything
            return
        try:
            reader.feed(data)
        except Malformed as error:
            self._fail(error)
            return
        if self._wants_pieces and reader.has_head:
            self._unread_bytes += len(data)
            if self._unread_bytes > STREAM_BYTES_MAX and self._transport is not None:
                self._transport.pause_reading()
            self._wake()
        elif reader.is_done:
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if exc is not None:
            self._fail(exc)
            return
        if self._reader is None:
            return
        try:
            self._reader.feed_end()
            self._wake()
        except Malformed as error:
            self._fail(error)

    # What requests call.

    def is_old(self) -> bool:
        """Whether the server may be about to close it."""
        return self._loop.time() - self._idle_since > IDLE_SECONDS_MAX

    def is_fit(self) -> bool:
        """Whether it can be used again: anything that has come meanwhile is an end, or noise."""
        if self._transport is None or self._transport.is_closing():
            return False
        return not self.is_old() and not self._poll.poll(0)

    def rest(self) -> None:
        """It is idle from now on."""
        self._reader = None
        self._idle_since = self._loop.time()

    def begin(self, method: str, data: bytes, *, wants_pieces: bool) -> ResponseReader:
        """Send a request, and read its response from now on."""
        assert self._transport is not None and self._reader is None
        self._reader = reader = ResponseReader(method)
        self._wants_pieces, self._unread_bytes = wants_pieces, 0
        self._transport.write(data)
        return reader

    async def progress(self, seconds: float) -> None:
        """Wait until the response is whole, or for a stream, until there is more of it.

        Raises what broke the connection, TimeoutError.
        """
        if self._error is not None:
            raise self._error
        self._unread_bytes = 0
        if self._transport is not None:
            self._transport.resume_reading()
        elif self._reader is not None and not self._reader.is_done:
            raise ConnectionResetError("the connection was closed")
        self._waiter = waiter = self._loop.create_future()
        timer = self._loop.call_later(seconds, self._fail, TimeoutError())
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
        self.close()


class StreamTransport:
    """HTTP over a pool of connections. It belongs to the event loop of its first request."""

    def __init__(self, *, connect_timeout_seconds: float = CONNECT_SECONDS_MAX) -> None:
        self._connect_timeout_seconds = connect_timeout_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._room = asyncio.Semaphore(CONNECTIONS_MAX)
        self._idle: dict[Origin, deque[_Connection]] = {}
        self._open: set[_Connection] = set()
        self._is_closed = False

    async def send(self, request: HttpRequest) -> HttpResponse:
        loop = self._own_loop()
        deadline = loop.time() + request.timeout_seconds
        await self._enter(request)
        try:
            connection, origin, reader = await self._begin(request, deadline, wants_pieces=False)
            try:
                while not reader.is_done:
                    await connection.progress(deadline - loop.time())
            except (OSError, Malformed) as error:
                raise unknown(request, error) from error
            finally:
                self._end(connection, origin, reader)
        finally:
            self._room.release()
        return HttpResponse(reader.status, reader.headers, reader.take())

    async def open(self, request: HttpRequest) -> tuple[HttpResponse, AsyncByteStream | None]:
        loop = self._own_loop()
        deadline = loop.time() + request.timeout_seconds
        await self._enter(request)
        try:
            connection, origin, reader = await self._begin(request, deadline, wants_pieces=True)
        except BaseException:
            self._room.release()
            raise
        stream = _ConnectionStream(self, request, connection, origin, reader)
        try:
            while not reader.has_head or (reader.status >= 300 and not reader.is_done):
                await connection.progress(deadline - loop.time())
        except (OSError, Malformed) as error:
            await stream.aclose()
            raise unknown(request, error) from error
        except BaseException:
            await stream.aclose()
            raise
        if reader.status >= 300:
            await stream.aclose()
            return HttpResponse(reader.status, reader.headers, reader.take()), None
        return HttpResponse(reader.status, reader.headers, b""), stream

    async def close(self) -> None:
        self._is_closed = True
        self._idle.clear()
        for connection in list(self._open):
            connection.close()
        self._open.clear()
        # Lets the connections' own close callbacks run before the loop may end.
        await asyncio.sleep(0)

    def _own_loop(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._is_closed:
            raise NotSent("the store is closed")
        if loop is not self._loop:
            if self._loop is not None and not self._loop.is_closed():
                raise Misuse("this store is used in another event loop: open one in each")
            # The connections ended with their loop.
            self._loop = loop
            self._room = asyncio.Semaphore(CONNECTIONS_MAX)
            self._idle.clear()
            self._open.clear()
        return loop

    async def _enter(self, request: HttpRequest) -> None:
        """Wait for a place among the requests that are under way."""
        if not self._room.locked():
            await self._room.acquire()
            return
        try:
            async with asyncio.timeout(request.timeout_seconds):
                await self._room.acquire()
        except TimeoutError as error:
            text = f"{request.url}: {CONNECTIONS_MAX} requests were under way all the time"
            raise NotSent(text) from error

    async def _begin(
        self, request: HttpRequest, deadline: float, *, wants_pieces: bool
    ) -> tuple[_Connection, Origin, ResponseReader]:
        origin, target = split_url(request.url)
        data = encode_request(request.method, target, origin, request.headers, request.body)
        connection = self._take(origin) or await self._connect(request, origin, deadline)
        return connection, origin, connection.begin(request.method, data, wants_pieces=wants_pieces)

    def _take(self, origin: Origin) -> _Connection | None:
        connections = self._idle.get(origin)
        while connections:
            connection = connections.pop()
            if connection.is_fit():
                return connection
            connection.close()
            self._open.discard(connection)
        return None

    async def _connect(self, request: HttpRequest, origin: Origin, deadline: float) -> _Connection:
        loop = asyncio.get_running_loop()
        context = secure_context() if origin.is_secure else None
        try:
            async with asyncio.timeout(min(self._connect_timeout_seconds, deadline - loop.time())):
                _, connection = await loop.create_connection(
                    lambda: _Connection(loop), origin.host, origin.port, ssl=context
                )
        except (OSError, UnicodeError) as error:
            what = str(error) or type(error).__name__
            raise NotSent(f"{request.url}: cannot connect: {what}") from error
        if self._is_closed:
            connection.close()
            raise NotSent("the store is closed")
        self._open.add(connection)
        return connection

    def _end(self, connection: _Connection, origin: Origin, reader: ResponseReader) -> None:
        """Keep the connection for another request, if its answer is here whole; else close it."""
        if reader.may_be_kept and not self._is_closed:
            connection.rest()
            connections = self._idle.setdefault(origin, deque())
            connections.append(connection)
            if not connections[0].is_old():
                return
            connection = connections.popleft()
        connection.close()
        self._open.discard(connection)


class _ConnectionStream:
    """The body of an open response."""

    def __init__(
        self,
        transport: StreamTransport,
        request: HttpRequest,
        connection: _Connection,
        origin: Origin,
        reader: ResponseReader,
    ) -> None:
        self._transport = transport
        self._request = request
        self._connection: _Connection | None = connection
        self._origin = origin
        self._reader = reader

    async def __aiter__(self) -> AsyncIterator[bytes]:
        reader, request = self._reader, self._request
        while (connection := self._connection) is not None:
            if piece := reader.take():
                yield piece
                continue
            if reader.is_done:
                await self.aclose()
                return
            try:
                await connection.progress(request.timeout_seconds)
            except (OSError, Malformed) as error:
                await self.aclose()
                raise unknown(request, error) from error

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._transport._end(connection, self._origin, self._reader)
            self._transport._room.release()
