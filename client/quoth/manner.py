"""Manner: what is the same for all requests of a session, and no part of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Manner:
    """How the requests of one session go: by which context they are balanced, and whether around
    the cache.
    """

    context: str | None = None
    no_caching: bool = False


PLAIN = Manner()
