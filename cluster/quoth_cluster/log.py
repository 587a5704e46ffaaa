"""What the log hands to the state machine: plain values, no engine in sight."""

from dataclasses import dataclass
from enum import StrEnum


class Change(StrEnum):
    """How membership changes; one node at a time."""

    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Member:
    """A node of the cluster: its tag, where applications reach it, where its peers do."""

    tag: str
    url: str
    peer_address: str  # host:port of the link


@dataclass(frozen=True, slots=True)
class MembershipChange:
    """One change of the configuration, as the log carries it."""

    change: Change
    member: Member


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
