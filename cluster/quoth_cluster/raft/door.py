"""The replicated log, as the rest of the house sees it: one protocol and its values."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from quoth_cluster.log import Member, MembershipChange


class Role(StrEnum):
    """What a node is in its cluster at the moment; the words of the wire."""

    PASSIVE = "Passive"  # not a member yet, or no more
    CANDIDATE = "Candidate"
    FOLLOWER = "Follower"
    LEADER = "Leader"


@dataclass(frozen=True, slots=True)
class Applied:
    """A command was applied on this node."""

    log_index: int  # the entry that carried it
    command_index: int
    outcome: object


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """What this node knows of another. `match_index` and `lag` only the leader knows."""

    tag: str
    connected: bool
    match_index: int | None = None
    lag: int | None = None


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """How this node stands in its group."""

    cluster_id: str
    node_tag: str
    role: Role
    leader: str | None  # tag
    term: int
    last_log_index: int
    commit_index: int
    applied_index: int
    command_index: int  # the last command applied here
    members: tuple[Member, ...]
    members_command_index: int  # the command index of the last membership change applied here
    peers: tuple[PeerStatus, ...]


class RaftLog(Protocol):
    """Propose bytes, wait for what was agreed. Every call works on every node."""

    async def propose(self, command: bytes, *, timeout_seconds: float) -> Applied:
        """Put `command` into the log and return when it is applied on THIS node.

        Raises NotProposed (definite; also after waiting in vain for a leader), TooLarge (definite),
        FateUnknown (indefinite).
        """

    async def current(self, *, timeout_seconds: float) -> None:
        """Return when this node's state holds all that was acknowledged before the call.

        Raises NotReadable if no quorum confirms it in time.
        """

    async def wait_for_command(self, command_index: int, *, timeout_seconds: float) -> bool:
        """Whether the command of that index is applied here within the time."""

    async def wait_for_replicas(self, log_index: int, count: int, *, timeout_seconds: float) -> int:
        """How many OTHER members have applied `log_index`; returns early at `count`."""

    async def change_membership(self, change: MembershipChange, *, timeout_seconds: float) -> None:
        """Add or remove one member, through the log; a leader that is removed hands over first.

        Raises MembershipRefused (definite), NotProposed (definite), FateUnknown (indefinite).
        """

    async def ask(self, tag: str, topic: str, body: bytes, *, timeout_seconds: float) -> bytes:
        """What the node `tag`, this one or another, answers to `body`, a question on `topic`.

        Raises NotAsked (definite: nobody heard it), NoAnswer (indefinite), TooLarge (definite).
        """

    def answer(self, topic: str, answer: Callable[[bytes], Awaitable[bytes]]) -> None:
        """From now on have `answer` reply to what nodes ask this one on `topic`."""

    @property
    def role(self) -> Role:
        """What this node is in its cluster at the moment, from memory."""

    @property
    def members_command_index(self) -> int:
        """The command index of the last membership change applied here."""

    def status(self) -> GroupStatus:
        """How this node stands, from memory."""
