"""The HTTP server: aiohttp reads requests, `Routing` answers all of them.

No application and no router of aiohttp's stand between: they answer some requests by themselves,
in plain text and with a 404, which clients read as "there is no such document".
"""

import asyncio
import logging
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from quoth_node.http.errors import (
    STATUS,
    UNEXPECTED,
    HeadTooLarge,
    HeadTooSlow,
    HttpError,
    NotHttp,
    UrlTooLong,
)
from quoth_node.http.reply import raw_reply, reply
from quoth_node.http.routing import Routing
from quoth_node.http.services import HttpConfig, Services
from quoth_node.http.wire import replies

log = logging.getLogger(__name__)
# aiohttp answers a longer request line without knowing which; ours comes first, and says so.
LINE_BYTES_FACTOR = 4
TOO_MANY = "Too many headers"
# The official server has a method that aiohttp's parser does not take for one; another of the same
# length, which has no meaning here, stands for it.
RESET, READ_AS_RESET = b"RESET /", b"PURGE /"


class Connection(web.RequestHandler):
    """One connection; what is no HTTP request is told as every other error.

    A head, that is the request line and the headers, must be here in time and within its limit.
    aiohttp knows neither: it waits for the rest of a head as long as for the next request.
    """

    __slots__ = ("_config", "_head_bytes", "_head_timer")

    def __init__(self, manager: web.Server, *, config: HttpConfig, **options: Any) -> None:
        super().__init__(manager, **options)
        self._config = config
        self._head_bytes = 0  # of the head that is on its way
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._head_is_here()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        complete = self._request_count
        if data.startswith(RESET) and self._is_between_requests():
            data = READ_AS_RESET + data[len(RESET) :]
        super().data_received(data)
        if self._request_count != complete or not self._waits_for_head():
            self._head_is_here()
            return
        self._head_bytes += len(data)
        if self._head_bytes > self.max_line_size + self._config.head_bytes_max:
            limit = self._config.head_bytes_max
            self._refuse(HeadTooLarge(f"The headers are over the limit of {limit} bytes"))
        elif self._head_timer is None:
            self._expect_head()

    def _is_between_requests(self) -> bool:
        """Whether the next bytes are no part of a body."""
        if self._messages:
            return bool(self._messages[-1][1].is_eof())
        request = self._current_request
        return request is None or request.content.is_eof()

    def _waits_for_head(self) -> bool:
        # aiohttp's own signs: none was complete yet, or its loop waits for the next one. That loop
        # may not even have begun to wait when the first bytes are here.
        return self._request_count == 0 or (self._waiter is not None and not self._waiter.done())

    def _expect_head(self) -> None:
        self._head_timer = self._loop.call_later(self._config.head_seconds_max, self._head_is_late)

    def _head_is_here(self) -> None:
        self._head_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if not self._waits_for_head():
            return
        if self._head_bytes:
            seconds = self._config.head_seconds_max
            self._refuse(HeadTooSlow(f"The head of the request was not here after {seconds:g} s"))
        else:  # it never said a word
            self.force_close()

    def _refuse(self, error: HttpError) -> None:
        """Answer what is no request yet, and end the connection."""
        answer = STATUS[type(error)]
        if self.transport is not None:
            body = replies.error("/", answer.official, error.message)
            self.transport.write(raw_reply(answer.status, body))
        self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what the parser refused; the connection ends with it."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun, there is no room for another")
        answer = STATUS[self._kind_of(exc, message or "")]
        text = f"This is no HTTP request that could be read: {first_line(message)}"
        if isinstance(exc, ConnectionError):  # gone before its request was here whole
            log.info("the client went away: %s %s", request.method, request.raw_path[:1_000])
        elif status >= 500:  # routing tells every error of a route, so nobody foresaw this one
            log.error("unexpected error: %s %s", request.method, request.raw_path, exc_info=exc)
            answer, text = UNEXPECTED, "An unexpected error; the log of this node tells more"
        body = replies.error(request.raw_path, answer.official, text)
        response = reply(body, status=answer.status)
        response.force_close()
        return response

    def _kind_of(self, exc: BaseException | None, message: str) -> type[HttpError]:
        if TOO_MANY in message:
            return HeadTooLarge
        if not isinstance(exc, LineTooLong):
            return NotHttp
        return UrlTooLong if self.max_line_size in exc.args else HeadTooLarge


class Server(web.Server):
    """Makes a `Connection` for every connection."""

    def __init__(self, routing: Routing, config: HttpConfig) -> None:
        # A client that goes away must not cut a write in half: it is finished, unseen.
        super().__init__(routing.serve, handler_cancellation=False)
        self._own_loop = asyncio.get_running_loop()
        self._config = config

    def __call__(self) -> web.RequestHandler:
        return Connection(
            self,
            config=self._config,
            loop=self._own_loop,
            keepalive_timeout=self._config.keepalive_seconds,
            max_line_size=self._config.url_bytes_max * LINE_BYTES_FACTOR,
            max_field_size=self._config.head_bytes_max,
            # Inflating is ours: aiohttp does it on the event loop, and has no JSON for errors.
            auto_decompress=False,
            access_log=None,
        )


def make_runner(services: Services, *, shutdown_seconds: float = 2.0) -> web.BaseRunner:
    """The server, ready to listen; at its end, requests get `shutdown_seconds` to finish."""
    server = Server(Routing(services), services.config)
    return web.ServerRunner(server, shutdown_timeout=shutdown_seconds)


def first_line(message: str | None) -> str:
    """What aiohttp has to say, without the bytes that it shows below."""
    lines = (message or "").strip().splitlines()
    return lines[0].rstrip(":") if lines else "it is malformed"
