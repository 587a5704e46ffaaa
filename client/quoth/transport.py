"""The wire: one request out, one response back. The only file that knows aiohttp.

A transport never retries and never judges a status. It says one thing that nobody else can:
whether a failed request can have reached a server (FateUnknown) or certainly has not (NotSent).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import aiohttp
from yarl import URL

from quoth.errors import FateUnknown, NotSent

CONNECTIONS_MAX = 256


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. `url` is already percent-encoded."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """One response. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """What the executor needs of a network."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        """The response, whatever its status.

        Raises NotSent if no server can have seen the request, FateUnknown if one may have.
        """

    async def close(self) -> None:
        """Let go of every connection. Nothing may be sent afterwards."""


class AiohttpTransport:
    """HTTP over a pool of connections. It belongs to the event loop of its first request."""

    def __init__(self, *, connect_timeout_seconds: float = 5.0) -> None:
        self._connect_timeout_seconds = connect_timeout_seconds
        self._session: aiohttp.ClientSession | None = None
        self._is_closed = False

    async def send(self, request: HttpRequest) -> HttpResponse:
        session = self._open_session()
        url = _url_of(request)
        timeout = aiohttp.ClientTimeout(
            total=request.timeout_seconds,
            sock_connect=min(self._connect_timeout_seconds, request.timeout_seconds),
        )
        try:
            async with session.request(
                request.method,
                url,
                headers=request.headers,
                data=request.body,
                timeout=timeout,
            ) as response:
                body = await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            # Raised while connecting, before a byte of the request is written.
            raise NotSent(f"{request.url}: {error}") from error
        except TimeoutError as error:
            waited = f"no answer within {request.timeout_seconds:g} s"
            raise FateUnknown(f"{request.method} {request.url}: {waited}") from error
        except (aiohttp.ClientError, OSError) as error:
            what = str(error) or type(error).__name__
            raise FateUnknown(f"{request.method} {request.url}: {what}") from error
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HttpResponse(response.status, headers, body)

    async def close(self) -> None:
        self._is_closed = True
        if self._session is not None:
            await self._session.close()
            # Lets the connections' own close callbacks run before the loop may end.
            await asyncio.sleep(0)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._is_closed:
            raise NotSent("the store is closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
            # aiohttp would send a PUT or DELETE a second time when a kept connection breaks under
            # it, and could not know whether the first one was carried out.
            self._session._retry_connection = False
        return self._session


def _url_of(request: HttpRequest) -> URL:
    try:
        url = URL(request.url, encoded=True)
        if url.host and url.port:
            return url
    except ValueError as error:
        raise NotSent(f"{request.url}: {error}") from error
    raise NotSent(f"{request.url}: a URL names a host")
