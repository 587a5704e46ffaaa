"""The HTTP server: aiohttp reads requests, `Routing` answers all of them.

No application and no router of aiohttp's stand between: they answer some requests by themselves,
in plain text and with a 404, which clients read as "there is no such document".
"""

import asyncio
import logging

from aiohttp import web

from quoth_node.http.errors import STATUS, UNEXPECTED, NotHttp
from quoth_node.http.reply import reply
from quoth_node.http.routing import Routing
from quoth_node.http.services import Services
from quoth_node.http.wire import replies

log = logging.getLogger(__name__)
# aiohttp answers a longer request line without knowing which; ours comes first, and says so.
LINE_BYTES_FACTOR = 4
HEADER_BYTES_MAX = 16_384


class Connection(web.RequestHandler):
    """One connection; what is no HTTP request is told as every other error."""

    __slots__ = ()

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
        answer = STATUS[NotHttp]
        text = f"This is no HTTP request that could be read: {first_line(message)}"
        if status >= 500:  # routing tells every error of a route, so nobody foresaw this one
            log.error("unexpected error: %s %s", request.method, request.raw_path, exc_info=exc)
            answer, text = UNEXPECTED, "An unexpected error; the log of this node tells more"
        body = replies.error(request.raw_path, answer.official, text)
        response = reply(body, status=answer.status)
        response.force_close()
        return response


class Server(web.Server):
    """Makes a `Connection` for every connection."""

    def __init__(self, routing: Routing, *, keepalive_timeout: float, max_line_size: int) -> None:
        # A client that goes away must not cut a write in half: it is finished, unseen.
        super().__init__(routing.serve, handler_cancellation=False)
        self._own_loop = asyncio.get_running_loop()
        self._keepalive_timeout = keepalive_timeout
        self._max_line_size = max_line_size

    def __call__(self) -> web.RequestHandler:
        return Connection(
            self,
            loop=self._own_loop,
            keepalive_timeout=self._keepalive_timeout,
            max_line_size=self._max_line_size,
            max_field_size=HEADER_BYTES_MAX,
            # Inflating is ours: aiohttp does it on the event loop, and has no JSON for errors.
            auto_decompress=False,
            access_log=None,  # type: ignore[arg-type]  # the documented way to have none
        )


def make_runner(services: Services, *, shutdown_seconds: float = 2.0) -> web.BaseRunner:
    """The server, ready to listen; at its end, requests get `shutdown_seconds` to finish."""
    server = Server(
        Routing(services),
        keepalive_timeout=services.config.keepalive_seconds,
        max_line_size=services.config.url_bytes_max * LINE_BYTES_FACTOR,
    )
    return web.ServerRunner(server, shutdown_timeout=shutdown_seconds)


def first_line(message: str | None) -> str:
    """What aiohttp has to say, without the bytes that it shows below."""
    lines = (message or "").strip().splitlines()
    return lines[0].rstrip(":") if lines else "it is malformed"
