"""A route: method, path, what serves it, and which parameters it knows."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from quoth_node.http.exchange import Exchange

Serve = Callable[[Exchange], Awaitable[web.StreamResponse]]
DATABASE = "/databases/*"  # the star is the name of the database


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the route table. Invariant: path and parameters are lower-case."""

    method: str
    path: str
    serve: Serve
    parameters: frozenset[str] = frozenset()
    tags: bool = False  # bare words in the query string are debug tags
    passive: bool = False  # served even while this node is no member of a cluster
    alone: bool = False  # never a part of a multi-get, though it is a GET
    reads: bool = False  # may be a part of a multi-get, though it is a POST

    def __post_init__(self) -> None:
        assert self.path == self.path.lower(), self.path
        assert all(name == name.lower() for name in self.parameters), self.parameters


def knows(*names: str) -> frozenset[str]:
    """The parameters of a route, written as clients write them."""
    return frozenset(name.lower() for name in names)
