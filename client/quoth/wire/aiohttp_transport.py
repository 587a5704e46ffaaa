"""HTTP for tasks, by aiohttp: the only file that knows it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress

import aiohttp
from yarl import URL

from quoth.errors import Misuse, NotSent
from quoth.transport import AsyncByteStream, HttpRequest, HttpResponse
from quoth.wire.exchange import (
    BROKEN_OFF,
    CONNECT_SECONDS_MAX,
    CONNECTIONS_MAX,
    IDLE_SECONDS_MAX,
    unknown,
    url_checked,
)

READ_METHODS = ("GET", "HEAD")


class AiohttpTransport:
    """HTTP over a pool of connections. It belongs to the event loop of its first request."""

    def __init__(
        self,
        *,
        connect_timeout_seconds: float = CONNECT_SECONDS_MAX,
        idle_seconds_max: float = IDLE_SECONDS_MAX,
    ) -> None:
        self._idle_seconds_max = idle_seconds_max
        self._connect_timeout_seconds = connect_timeout_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: aiohttp.ClientSession | None = None
        self._until_loop_ends: AsyncGenerator[None, None] | None = None
        self._timeouts: dict[float, aiohttp.ClientTimeout] = {}
        self._is_closed = False

    async def send(self, request: HttpRequest) -> HttpResponse:
        response = await self._begin(request, self._total(request.timeout_seconds))
        return await _read_whole(request, response)

    async def open(self, request: HttpRequest) -> tuple[HttpResponse, AsyncByteStream | None]:
        seconds = request.timeout_seconds
        each_part = aiohttp.ClientTimeout(
            sock_connect=min(self._connect_timeout_seconds, seconds), sock_read=seconds
        )
        response = await self._begin(request, each_part)
        if response.status < 300:
            return _read(response, b""), _ResponseStream(request, response)
        return await _read_whole(request, response), None

    async def close(self) -> None:
        self._is_closed = True
        if self._session is not None:
            await self._session.close()
            if self._until_loop_ends is not None and self._loop is asyncio.get_running_loop():
                await self._until_loop_ends.aclose()
            # Lets the connections' own close callbacks run before the loop may end.
            await asyncio.sleep(0)

    async def _begin(
        self, request: HttpRequest, patience: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        url = URL(url_checked(request.url), encoded=True)
        if request.method not in READ_METHODS:
            # What has come on idle connections is taken note of first, an end above all: a write
            # on a connection that was closed would have a fate that nobody knows.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        session = self._own_session()  # which may have been closed meanwhile
        try:
            return await session.request(
                request.method,
                url,
                headers=request.headers,
                data=request.body,
                timeout=patience,
                # It would send a POST on as a GET, whose answer looks like success.
                allow_redirects=False,
            )
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._is_closed and task is not None and not task.cancelling():
                # Nobody cancelled it: it waited for a place among the connections.
                raise NotSent("the store is closed") from None
            raise
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            # Raised while connecting, before a byte of the request is written.
            raise NotSent(f"{request.url}: {error}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise unknown(request, error) from error
        except ValueError as error:  # a line break in a header: refused before it is written
            raise NotSent(f"{request.url}: {error}") from error

    def _own_session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._is_closed:
            raise NotSent("the store is closed")
        if loop is not self._loop:
            if self._loop is not None and not self._loop.is_closed():
                raise Misuse("this store is used in another event loop: open one in each")
            # The connections ended with their loop.
            self._loop, self._session = loop, None
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=CONNECTIONS_MAX, keepalive_timeout=self._idle_seconds_max
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
                # The body is JSON, or lines of it: never what a header says it was packed as.
                auto_decompress=True,
            )
            # aiohttp would send a PUT or DELETE a second time when a kept connection breaks under
            # it, and could not know whether the first one was carried out.
            self._session._retry_connection = False
            # A loop ends the generators that were begun in it, as asyncio.run does, while it can
            # still close connections.
            self._until_loop_ends = _closing(self._session)
            with suppress(StopIteration):
                self._until_loop_ends.asend(None).send(None)
        return self._session

    def _total(self, seconds: float) -> aiohttp.ClientTimeout:
        """Time-outs are few and the same, so each is made once."""
        found = self._timeouts.get(seconds)
        if found is None:
            found = self._timeouts[seconds] = aiohttp.ClientTimeout(
                total=seconds, sock_connect=min(self._connect_timeout_seconds, seconds)
            )
        return found


class _ResponseStream:
    """The body of an open response."""

    def __init__(self, request: HttpRequest, response: aiohttp.ClientResponse) -> None:
        self._request = request
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._response.content.iter_any():
                yield piece
        except (aiohttp.ClientError, OSError) as error:
            raise unknown(self._request, _plain(error)) from error
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        # A connection with the rest of an answer on it is closed; one that is through is kept.
        self._response.release() if self._response.content.at_eof() else self._response.close()


async def _closing(session: aiohttp.ClientSession) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await session.close()


async def _read_whole(request: HttpRequest, response: aiohttp.ClientResponse) -> HttpResponse:
    try:
        body = await response.read()
    except (aiohttp.ClientError, OSError) as error:
        raise unknown(request, _plain(error)) from error
    except BaseException:
        response.close()  # the rest may still come, so nobody else may have the connection
        raise
    return _read(response, body)


def _plain(error: Exception) -> Exception:
    """What broke an answer that had begun."""
    if isinstance(error, aiohttp.ClientPayloadError):
        return ConnectionResetError(BROKEN_OFF)
    return error


def _read(response: aiohttp.ClientResponse, body: bytes) -> HttpResponse:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return HttpResponse(response.status, headers, body)
