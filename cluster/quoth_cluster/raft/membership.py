"""Who takes part: the configuration is a fold over the membership slots of the log.

One change adds or removes one node, and the next waits until it is applied, so any two quorums of
neighbouring configurations share a node (Raft dissertation, 4.1). A configuration counts from the
moment its slot is in the log, committed or not.
"""

from collections.abc import Iterable, Mapping

from quoth_cluster.errors import MembershipRefused
from quoth_cluster.log import Change, Member, MembershipChange

MEMBERS_MAX = 15


def fold(changes: Iterable[MembershipChange]) -> dict[str, Member]:
    """The members after `changes`, by tag."""
    members: dict[str, Member] = {}
    for change in changes:
        if change.change is Change.ADD:
            members[change.member.tag] = change.member
        else:
            members.pop(change.member.tag, None)
    return members


def check(members: Mapping[str, Member], change: MembershipChange) -> None:
    """Refuse a change that would not move the configuration by exactly one node.

    Raises MembershipRefused. A change without effect must never enter the log: undoing it on a
    truncation would then undo something else (audit, h).
    """
    tag = change.member.tag
    if change.change is Change.REMOVE:
        if tag not in members:
            raise MembershipRefused(f"node {tag} is not a member; members are {_names(members)}")
        if len(members) == 1:
            raise MembershipRefused(f"node {tag} is the last member; a cluster cannot be empty")
        return
    if tag in members:
        raise MembershipRefused(f"node {tag} is a member already, at {members[tag].url}")
    if len(members) >= MEMBERS_MAX:
        raise MembershipRefused(f"a cluster has at most {MEMBERS_MAX} members")
    for other in members.values():
        if change.member.peer_address == other.peer_address or change.member.url == other.url:
            raise MembershipRefused(f"node {other.tag} has the same address as {tag}")


def _names(members: Mapping[str, Member]) -> str:
    return ", ".join(sorted(members)) or "none"
