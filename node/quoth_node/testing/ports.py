"""Ports for nodes, which a node that is down for a while finds free when it comes back."""

import socket
from random import Random

# Below the ports that systems give to outgoing connections, so none is taken while a node restarts.
PORT_MIN, PORT_MAX = 11_000, 31_000


def free_ports(count: int) -> int:
    """The first of `count` ports in a row of the loopback that nobody listens on."""
    chance = Random()  # of its own: whoever runs beside it must not try the same ones
    while True:
        first = chance.randrange(PORT_MIN, PORT_MAX - count)
        if all(_is_free(first + number) for number in range(count)):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
