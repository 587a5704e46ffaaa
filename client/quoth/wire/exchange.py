"""How long connections last, and what a broken one means: the same for tasks and threads."""

import ssl
from functools import cache

from quoth.errors import FateUnknown
from quoth.transport import HttpRequest

# Less than the 75 s after which a node closes a connection, and than the 60 s of common proxies.
IDLE_SECONDS_MAX = 30.0
CONNECTIONS_MAX = 256
CONNECT_SECONDS_MAX = 5.0


@cache
def secure_context() -> ssl.SSLContext:
    """The rules of TLS, as the machine has them."""
    return ssl.create_default_context()


def unknown(request: HttpRequest, error: Exception) -> FateUnknown:
    """What a connection that broke under a request leaves behind."""
    what = str(error) or type(error).__name__
    if isinstance(error, TimeoutError):
        what = f"no answer within {request.timeout_seconds:g} s"
    return FateUnknown(f"{request.method} {request.url}: {what}")
