"""The aiohttp application and the settings of its server."""

from aiohttp import web

from quoth_node.http.routing import Routing
from quoth_node.http.services import Services

# aiohttp answers a longer request line by itself and in plain text; ours comes first, as JSON.
LINE_BYTES_FACTOR = 4
HEADER_BYTES_MAX = 16_384


def make_app(services: Services) -> web.Application:
    """The application that serves every route of one node."""
    app = web.Application(client_max_size=services.config.body_bytes_max)
    app.router.add_route("*", "/{path:.*}", Routing(services).serve)
    return app


def make_runner(services: Services, *, shutdown_seconds: float = 2.0) -> web.AppRunner:
    """The application, ready to listen; at its end, requests get `shutdown_seconds` to finish."""
    return web.AppRunner(
        make_app(services),
        # A client that goes away must not cut a write in half: it is finished, unseen.
        handler_cancellation=False,
        keepalive_timeout=services.config.keepalive_seconds,
        max_line_size=services.config.url_bytes_max * LINE_BYTES_FACTOR,
        max_field_size=HEADER_BYTES_MAX,
        shutdown_timeout=shutdown_seconds,
        access_log=None,
    )
