"""What the log hands to the state machine: plain values, no engine in sight."""

from dataclasses import dataclass
from enum import StrEnum


class Vote(StrEnum):
    """What a node counts for. All receive the log; only members vote and make a quorum."""

    MEMBER = "member"
    PROMOTABLE = "promotable"  # catching up; the leader makes it a member once it has
    WATCHER = "watcher"  # never votes


class Change(StrEnum):
    """How the configuration changes; one node at a time."""

    ADD = "add"  # a new node, as promotable or watcher; the founder as member
    PROMOTE = "promote"  # watcher -> promotable -> member
    DEMOTE = "demote"  # to watcher
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Member:
    """A node of the cluster: its tag, where applications reach it, where its peers do."""

    tag: str
    url: str
    peer_address: str  # host:port of the link
    vote: Vote = Vote.MEMBER
    # Which data folder stands behind the tag: one that lost its disk comes back as another. Empty
    # where that is not known.
    incarnation: bytes = b""


@dataclass(frozen=True, slots=True)
class MembershipChange:
    """One change of the configuration, as the log carries it."""

    change: Change
    member: Member  # as it is afterwards; with REMOVE as it was
    was: Vote | None = None  # before the change; None: no part of the cluster

    @property
    def adds_voter(self) -> bool:
        is_voter = self.change is not Change.REMOVE and self.member.vote is Vote.MEMBER
        return is_voter and self.was is not Vote.MEMBER

    @property
    def removes_voter(self) -> bool:
        is_voter = self.change is not Change.REMOVE and self.member.vote is Vote.MEMBER
        return self.was is Vote.MEMBER and not is_voter


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A committed slot of the log, opened: commands in order, one membership change, or nothing."""

    log_index: int
    term: int
    commands: tuple[bytes, ...] = ()
    membership: MembershipChange | None = None


@dataclass(frozen=True, slots=True)
class Stepped:
    """What one command of an entry came to."""

    command_index: int  # its number in the order of all commands; never used twice
    outcome: object


@dataclass(frozen=True, slots=True)
class Position:
    """How far a state has come. Invariant: both only grow, and together."""

    log_index: int = 0
    command_index: int = 0
