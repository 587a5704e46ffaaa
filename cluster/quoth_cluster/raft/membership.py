"""Who takes part: the configuration is a fold over the membership slots of the log.

One change moves one node, and the next waits until it is applied, so any two quorums of
neighbouring configurations share a node (Raft dissertation, 4.1). A configuration counts from the
moment its slot is in the log, committed or not.

    nobody -> promotable -> member -> watcher -> promotable ...      and from each: removed
    nobody -> watcher
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from quoth_cluster.errors import MembershipRefused
from quoth_cluster.log import Change, Member, MembershipChange, Vote

NODES_MAX = 15
PROMOTED = {Vote.WATCHER: Vote.PROMOTABLE, Vote.PROMOTABLE: Vote.MEMBER}


def fold(changes: Iterable[MembershipChange]) -> dict[str, Member]:
    """The nodes of the cluster after `changes`, by tag."""
    members: dict[str, Member] = {}
    for change in changes:
        if change.change is Change.REMOVE:
            members.pop(change.member.tag, None)
        else:
            members[change.member.tag] = change.member
    return members


def voters(members: Mapping[str, Member]) -> set[str]:
    """Those that vote and make a quorum."""
    return {tag for tag, member in members.items() if member.vote is Vote.MEMBER}


def means(member: Member | None, incarnation: bytes) -> bool:
    """Whether a node of the configuration is this incarnation of it.

    One that lost its disk does not know any more what it acknowledged and voted for under its tag:
    it counts for nothing before it is added anew. Members of older logs have no incarnation.
    """
    return member is None or member.incarnation in (b"", incarnation)


def resolve(members: Mapping[str, Member], change: MembershipChange) -> MembershipChange:
    """The change as the log shall carry it: whole, and moving exactly one node.

    Raises MembershipRefused. A change without effect must never enter the log: undoing it on a
    truncation would then undo something else (audit, h).
    """
    tag = change.member.tag
    if change.change is Change.ADD:
        _check_new(members, change.member)
        return replace(change, was=None)
    known = members.get(tag)
    if known is None:
        raise MembershipRefused(f"node {tag} is not a member; members are {_names(members)}")
    if change.member.incarnation not in (b"", known.incarnation):
        raise MembershipRefused(f"node {tag} is another one by now: it was added anew")
    if change.change is Change.PROMOTE:
        if known.vote is Vote.MEMBER:
            raise MembershipRefused(f"node {tag} votes already")
        promoted = replace(known, vote=PROMOTED[known.vote])
        return MembershipChange(change.change, promoted, known.vote)
    if known.vote is Vote.MEMBER and voters(members) == {tag}:
        raise MembershipRefused(f"node {tag} is the last member; a cluster cannot be empty")
    if change.change is Change.REMOVE:
        return MembershipChange(change.change, known, known.vote)
    if known.vote is Vote.WATCHER:
        raise MembershipRefused(f"node {tag} is a watcher already")
    return MembershipChange(change.change, replace(known, vote=Vote.WATCHER), known.vote)


def _check_new(members: Mapping[str, Member], new: Member) -> None:
    if new.tag in members:
        raise MembershipRefused(f"node {new.tag} is a member already, at {members[new.tag].url}")
    if new.vote is Vote.MEMBER and members:
        raise MembershipRefused(f"node {new.tag} cannot vote before it has caught up")
    if len(members) >= NODES_MAX:
        raise MembershipRefused(f"a cluster has at most {NODES_MAX} nodes")
    for other in members.values():
        if new.peer_address == other.peer_address or new.url == other.url:
            raise MembershipRefused(f"node {other.tag} has the same address as {new.tag}")


def _names(members: Mapping[str, Member]) -> str:
    return ", ".join(sorted(members)) or "none"
