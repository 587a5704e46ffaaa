"""The network between the nodes of a cluster under test, and what can go wrong with it.

    Proxies      a TCP proxy for each ordered pair of nodes (`proxies.py`); needs no rights
    Namespaces   a network namespace for each node, and tc (`namespaces.py`); needs root
    Untouched    nodes speak with each other directly; nothing can go wrong

Faults act on links between nodes, never on what clients ask. Each acts on one direction: on what
`source` sends to `target`. It lasts until `heal`, and faults of a direction add up.

A module with a network that not every machine can do has a function `available() -> str | None`:
None if this machine can, otherwise why not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from quoth_node.testing.ports import free_ports

LOOPBACK = "127.0.0.1"


class CannotFault(Exception):
    """This cluster cannot do this fault; the message says why, and nothing was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one node lives. It stays the same for all its lives."""

    http_host: str = LOOPBACK  # for clients, that is this process and its like
    http_port: int
    peer_host: str = LOOPBACK  # for other nodes
    peer_port: int
    insecure: bool = False  # whether a host is not of the loopback
    prefix: tuple[str, ...] = ()  # stands before the command line, and becomes it by exec

    @property
    def url(self) -> str:
        """Where clients reach the node."""
        return f"http://{self.http_host}:{self.http_port}"

    @property
    def peer_address(self) -> str:
        """Where other nodes are told to reach the node, host:port."""
        return f"{self.peer_host}:{self.peer_port}"


class Network(Protocol):
    """What lies between the nodes. Called from one thread at a time; every call may block.

    Each fault raises CannotFault if this network cannot do it. Tags are of nodes that have a place.
    """

    name: str  # proxies, namespaces, none

    def open(self) -> None:
        """Make what all nodes share. Raises OSError if this machine does not let it."""

    def close(self) -> None:
        """Take away all that was made; no node runs any more. May be called again."""

    def place(self, tag: str) -> Place:
        """Make the place of a node, before it is started first; asked again, the same."""

    def leave(self, tag: str) -> None:
        """Take the place of a node away; its process has ended."""

    def dials(self, tag: str) -> Mapping[str, str]:
        """Where a node connects to instead, host:port for the host:port of each peer.

        Changes only when a node gets a place or leaves. Who is missing is dialled directly.
        """

    def cut(self, source: str, target: str) -> None:
        """Lose all that `source` sends to `target`, and tell nobody."""

    def delay(
        self, source: str, target: str, *, milliseconds: float, jitter_milliseconds: float = 0
    ) -> None:
        """Deliver later, by this and up to `jitter_milliseconds` more or less; never reorder."""

    def lose(self, source: str, target: str, *, percent: float) -> None:
        """Lose so many of the packets, each by chance."""

    def stall(self, source: str, target: str) -> None:
        """Hold back all that is sent, and deliver it when healed."""

    def reset(self, a: str, b: str) -> None:
        """End all connections between two nodes once, at once; they may connect anew."""

    def heal(self) -> None:
        """End every fault. What connections have lost a part of their stream are ended, too."""


class Untouched:
    """No network of ours: nodes reach each other on the loopback, whatever is asked for."""

    name = "none"

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}

    def open(self) -> None:
        """Nothing is shared."""

    def close(self) -> None:
        """Nothing was made."""

    def place(self, tag: str) -> Place:
        """Two free ports of the loopback."""
        if tag not in self._places:
            self._places[tag] = loopback_place()
        return self._places[tag]

    def leave(self, tag: str) -> None:
        """Forget the ports."""
        self._places.pop(tag, None)

    def dials(self, tag: str) -> Mapping[str, str]:
        """Everybody is dialled directly."""
        return {}

    def cut(self, source: str, target: str) -> None:
        """Raises CannotFault."""
        raise self._cannot("cut")

    def delay(
        self, source: str, target: str, *, milliseconds: float, jitter_milliseconds: float = 0
    ) -> None:
        """Raises CannotFault."""
        raise self._cannot("delay")

    def lose(self, source: str, target: str, *, percent: float) -> None:
        """Raises CannotFault."""
        raise self._cannot("lose")

    def stall(self, source: str, target: str) -> None:
        """Raises CannotFault."""
        raise self._cannot("stall")

    def reset(self, a: str, b: str) -> None:
        """Raises CannotFault."""
        raise self._cannot("reset")

    def heal(self) -> None:
        """There is nothing to heal."""

    def _cannot(self, fault: str) -> CannotFault:
        return CannotFault(
            f"this cluster was started with network='none', which cannot {fault}: "
            "start it with network='proxies'"
        )


def loopback_place() -> Place:
    """A place on the loopback, at two ports that nobody listens on."""
    first = free_ports(2)
    return Place(http_port=first, peer_port=first + 1)
