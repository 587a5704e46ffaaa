"""How long connections last, and what a broken one means: the same for tasks and threads."""

import re
import ssl
from functools import cache

from quoth.errors import FateUnknown, NotSent
from quoth.transport import HttpRequest

# Less than the 75 s after which a node closes a connection, and than the 60 s of common proxies.
IDLE_SECONDS_MAX = 30.0
CONNECTIONS_MAX = 256
CONNECT_SECONDS_MAX = 5.0
_URL = re.compile(
    r"https?://(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._~%-]+)(?::[0-9]{1,5})?(?:/[!-~]*|\?[!-~]*)?\Z"
)


def url_checked(url: str) -> str:
    """A URL that leads somewhere, and is one line of ASCII. Raises NotSent for any other."""
    if not _URL.match(url):
        raise NotSent(f"{url!r:.200}: a URL names a host, as in http://127.0.0.1:8080")
    return url


# What both transports say of an answer that has begun, and does not end.
BROKEN_OFF = "the connection was closed before the end of the answer"


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
