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


def removed(tag: str, incarnation: bytes) -> str:
    """What a node says to one that was a member and is none any more."""
    return f"node {tag}, incarnation {incarnation.hex() or 'unknown'}, was removed from the cluster"


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

    def refuses(self, tag: str, incarnation: bytes) -> str | None:
        """Why this incarnation of `tag` is not heard: it was removed, and that is for good.

        Another one may have been added, or be about to, and this node not have heard of it yet.
        """
        is_removed = False
        for log_index, change in self._changes():
            if (change.member.tag, change.member.incarnation) == (tag, incarnation):
                is_applied = log_index <= self._applied_index()
                is_removed = change.change is Change.REMOVE and is_applied
        return removed(tag, incarnation) if is_removed else None

    def knows(self, tag: str, incarnation: bytes) -> bool:
        """Whether the configuration means this incarnation by `tag`, if it means any."""
        return membership.means(self.members().get(tag), incarnation)

    def removal(self, links: Links) -> str | None:
        """What a peer says if this node was removed from the cluster, else None."""
        mine = removed(self._tag, self._journal.incarnation)
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
        callers = {tag for tag, who in links.callers().items() if not self.refuses(tag, who)}
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
