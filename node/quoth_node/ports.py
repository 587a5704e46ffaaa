"""Whether a port is free, asked before anything is started."""

import errno
import socket

from quoth_node.config import host_in_url
from quoth_node.errors import CannotStart, PortInUse


def require_free(host: str, port: int) -> None:
    """Raise PortInUse if another process listens there, CannotStart if nobody could."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
                probe.listen(1)
    except OSError as error:
        raise cannot_listen(host, port, error) from error


def cannot_listen(host: str, port: int, error: OSError) -> CannotStart:
    """The error for a failed attempt to listen."""
    place = f"{host_in_url(host)}:{port}"
    if error.errno == errno.EADDRINUSE:
        return PortInUse(f"port {port} is in use: {place}")
    return CannotStart(f"cannot listen on {place}: {error.strerror}")
