"""What a slot of the log holds, as bytes: the first byte says what it is.

    0x01 no-op        nothing (a new leader's mark, and slot 1 of every log)
    0x51 commands     version, then [proposal id, command bytes] in order
    0x4d membership   version, then change, tag, url, peer address, vote after, vote before or nil;
                      from version 2 on the incarnation of the node

The kinds lie outside the numbers that the engine gives a meaning of its own (0, 2 and 3 would be
unpickled by it), so what comes from the wire or the disk is never more than bytes to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgpack

from quoth_cluster.errors import MalformedValue, NewerFormat
from quoth_cluster.log import Change, LogEntry, Member, MembershipChange, Vote

NOOP = 0x01
COMMANDS = 0x51
MEMBERSHIP = 0x4D
KINDS = frozenset({NOOP, COMMANDS, MEMBERSHIP})

VERSION = 1
MEMBERSHIP_VERSION = 2
COMMAND_BYTES_MAX = 72 * 1024 * 1024  # a body of 64 MiB and what surrounds it
PROPOSAL_BYTES_MAX = COMMAND_BYTES_MAX - 64  # a command and its id: so is the slot around them
ENTRY_BYTES_SOFT_MAX = 1024 * 1024  # a batch stops growing here; one command may be larger


@dataclass(frozen=True, slots=True)
class Proposal:
    """A command on its way into the log, and the id by which its proposer recognises it."""

    proposal_id: bytes
    command: bytes

    @property
    def is_too_large(self) -> bool:
        """Whether the slot that carries only this would be over the limit of slots."""
        return len(self.proposal_id) + len(self.command) > PROPOSAL_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot of the log as the journal keeps it."""

    log_index: int
    term: int
    content: bytes  # kind byte first

    @property
    def kind(self) -> int:
        return self.content[0]


def pack_commands(proposals: Sequence[Proposal]) -> bytes:
    """The content of a slot that carries `proposals`."""
    parts = [VERSION, [[proposal.proposal_id, proposal.command] for proposal in proposals]]
    return bytes([COMMANDS]) + bytes(msgpack.packb(parts))


def unpack_commands(content: bytes) -> list[Proposal]:
    """The proposals of a slot. Raises MalformedValue or NewerFormat."""
    assert content[0] == COMMANDS, "only a commands slot holds commands"
    try:
        version, pairs = msgpack.unpackb(memoryview(content)[1:], max_bin_len=COMMAND_BYTES_MAX)
        if version > VERSION:
            raise NewerFormat(f"commands of version {version}; this node knows {VERSION}")
        return [Proposal(proposal_id, command) for proposal_id, command in pairs]
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise MalformedValue(f"a commands slot does not open: {error}") from error


def pack_membership(change: MembershipChange) -> bytes:
    """The content of a slot that changes the configuration."""
    member = change.member
    was = None if change.was is None else change.was.value
    about = [member.tag, member.url, member.peer_address, member.vote.value, was]
    version = MEMBERSHIP_VERSION if member.incarnation else 1
    more = [member.incarnation] if member.incarnation else []
    packed = msgpack.packb([version, change.change.value, *about, *more])
    return bytes([MEMBERSHIP]) + bytes(packed)


def unpack_membership(content: bytes) -> MembershipChange:
    """The change a slot carries. Raises MalformedValue or NewerFormat."""
    assert content[0] == MEMBERSHIP, "only a membership slot holds a change"
    try:
        parts = msgpack.unpackb(content[1:])
        if parts[0] > MEMBERSHIP_VERSION:
            known = MEMBERSHIP_VERSION
            raise NewerFormat(f"membership of version {parts[0]}; this node knows {known}")
        _, change, tag, url, peer_address, vote, was, *more = parts
        (incarnation,) = more or (b"",)
        member = Member(tag, url, peer_address, Vote(vote), bytes(incarnation))
        return MembershipChange(Change(change), member, None if was is None else Vote(was))
    except (ValueError, TypeError, IndexError, msgpack.UnpackException) as error:
        raise MalformedValue(f"a membership slot does not open: {error}") from error


def open_slot(slot: Slot) -> tuple[LogEntry, list[bytes]]:
    """The entry for the state machine, and the proposal ids of its commands."""
    if slot.kind == COMMANDS:
        proposals = unpack_commands(slot.content)
        commands = tuple(proposal.command for proposal in proposals)
        ids = [proposal.proposal_id for proposal in proposals]
        return LogEntry(slot.log_index, slot.term, commands=commands), ids
    if slot.kind == MEMBERSHIP:
        change = unpack_membership(slot.content)
        return LogEntry(slot.log_index, slot.term, membership=change), []
    assert slot.kind == NOOP, f"slot {slot.log_index} is of no known kind: {slot.kind}"
    return LogEntry(slot.log_index, slot.term), []
