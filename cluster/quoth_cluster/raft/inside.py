"""What the parts of a group may ask of the whole."""

from typing import Protocol

from quoth_cluster.clock import Clock
from quoth_cluster.log import Member
from quoth_cluster.raft.engine import Engine
from quoth_cluster.raft.link import Identity, Links
from quoth_cluster.raft.syncobj import Timing


class Inside(Protocol):
    """One group, seen by what works behind its door."""

    identity: Identity
    engine: Engine
    links: Links
    clock: Clock
    timing: Timing

    def members(self) -> dict[str, Member]:
        """The configuration, from the log; committed or not."""

    def counts(self, tag: str) -> bool:
        """Whether who calls itself `tag` is the one that the configuration means."""

    def refuses(self, tag: str, incarnation: bytes) -> str | None:
        """Why this incarnation of `tag` is not heard; None if it is."""

    def moved_at(self, tag: str) -> int:
        """The last slot of the log that says anything of `tag`."""

    async def confirm_leadership(self) -> int | None:
        """Join the next quorum round; the commit index then, or None."""

    async def link_news(self, *, seconds: float) -> None:
        """Return when some link comes up or goes down, or when the time is over."""
