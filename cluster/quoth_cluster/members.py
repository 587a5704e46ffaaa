"""Who is a member of the cluster, as the applied log says."""

from quoth_cluster.log import Change, Member, MembershipChange, Vote
from quoth_cluster.store import keys
from quoth_cluster.store.environment import ReadTxn, WriteTxn
from quoth_cluster.store.schema import MEMBER, MEMBERS_CHANGED


def change(txn: WriteTxn, membership: MembershipChange, *, command_index: int) -> None:
    """Add (or replace) or remove one member."""
    member = membership.member
    key = keys.of_text(keys.MEMBERS, member.tag.encode())
    match membership.change:
        case Change.REMOVE:
            txn.delete(key)
        case _:
            about = (member.tag, member.url, member.peer_address, member.vote.value)
            txn.put(key, MEMBER.pack(*about))
    txn.put(keys.MEMBERS_CHANGED, MEMBERS_CHANGED.pack(command_index))


def every(txn: ReadTxn) -> dict[str, Member]:
    """All members by tag."""
    rows = (MEMBER.unpack(value)[0] for _, value in txn.scan(keys.MEMBERS))
    return {tag: Member(tag, url, peer, Vote(vote)) for tag, url, peer, vote in rows}


def changed_at(txn: ReadTxn) -> int:
    """The command index of the last change; 0 if there was none."""
    value = txn.get(keys.MEMBERS_CHANGED)
    if value is None:
        return 0
    command_index: int = MEMBERS_CHANGED.unpack(value)[0][0]
    return command_index
