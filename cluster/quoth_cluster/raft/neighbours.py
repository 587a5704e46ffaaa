"""Whom a node speaks to and whom it hears: told by its log, and by who knocks.

Only an applied removal ends a link: an uncommitted one may be truncated by the very node it names.
A node that speaks is answered even if this log does not name it yet: it may lead.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from quoth_cluster.log import Change, Member, MembershipChange
from quoth_cluster.raft import membership
from quoth_cluster.raft.entry import unpack_membership
from quoth_cluster.raft.journal import Journal
from quoth_cluster.raft.link import Links


@dataclass(frozen=True, slots=True)
class Contact:
    """A peer to talk to before this node is a member, and so before the log names it."""

    tag: str
    peer_address: str


def removed(tag: str, joined_index: int) -> str:
    """What a node says to one that was a member and is none any more."""
    return f"node {tag}, added at slot {joined_index}, was removed from the cluster"


class Neighbours:
    """The peers of one node, and its own place among them, as its journal has it."""

    def __init__(
        self,
        tag: str,
        journal: Journal,
        contacts: Iterable[Contact],
        *,
        applied_index: Callable[[], int],
    ) -> None:
        self._tag = tag
        self._journal = journal
        self._applied_index = applied_index
        self.contacts = list(contacts)
        self._seen = -1  # `journal.membership_moves` when the next two were made
        self._known: list[tuple[int, MembershipChange]] = []
        self._members: dict[str, Member] = {}

    def members(self) -> dict[str, Member]:
        """The configuration, from the log; committed or not. Not to be changed."""
        self._changes()
        return self._members

    def refuses(self, tag: str, joined_index: int) -> str | None:
        """Why `tag`, which was last added at `joined_index` by its own log, is not heard.

        A node that was added again, which this one has not heard of yet, knows better.
        """
        removed_at = 0
        for log_index, change in self._changes():
            if change.member.tag == tag and log_index <= self._applied_index():
                removed_at = log_index if change.change is Change.REMOVE else 0
        if removed_at <= joined_index:
            return None
        return removed(tag, joined_index) if joined_index else f"node {tag} is not added yet"

    def joined_index(self) -> int:
        """The slot that last added this node, by its own log; 0 if it has none."""
        joined = 0
        for log_index, change in self._changes():
            if change.member.tag == self._tag and change.change is Change.ADD:
                joined = log_index
        return joined

    def removal(self, links: Links) -> str | None:
        """What a peer says if this node was removed from the cluster, else None.

        A peer that is behind may know of the removal and not that the node was added again since;
        then others hear it. One that is no part of the cluster is heard by nobody.
        """
        joined_index = self.joined_index()
        if not joined_index or any(links.is_up(tag) for tag in links.tags()):
            return None
        mine = removed(self._tag, joined_index)
        return next((mine for tag in sorted(links.tags()) if mine in links.trouble(tag)), None)

    def open_links(self, links: Links) -> None:
        """To everybody in the configuration, logged or applied, and to whoever speaks."""
        wanted: dict[str, str] = {}
        changes = list(self._changes())
        for until in (self._applied_index(), self._journal.last_index):
            members = membership.fold(change for at, change in changes if at <= until)
            wanted |= {tag: member.peer_address for tag, member in members.items()}
        for contact in self.contacts if self._tag not in wanted else []:
            wanted.setdefault(contact.tag, contact.peer_address)
        wanted.pop(self._tag, None)
        callers = {tag for tag in sorted(links.callers()) if not self.refuses(tag, 0)}
        for tag in sorted(links.tags() - set(wanted) - callers):
            links.close(tag)
        for tag, address in sorted(wanted.items()):
            links.open(tag, address)

    def moved_at(self, tag: str) -> int:
        """The last slot that says anything of `tag`."""
        return max((at for at, change in self._changes() if change.member.tag == tag), default=0)

    def _changes(self) -> list[tuple[int, MembershipChange]]:
        if self._seen != self._journal.membership_moves:
            self._seen = self._journal.membership_moves
            numbered = self._journal.numbered_memberships()
            self._known = [(at, unpack_membership(content)) for at, content in numbered]
            self._members = membership.fold(change for _, change in self._known)
        return self._known
