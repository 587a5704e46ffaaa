"""How a new node comes into a cluster: it asks who is there, listens, then asks to be added.

All steps can be repeated: a node that was added and did not live to see it is added anew.
"""

from dataclasses import dataclass
from typing import Any

from quoth_cluster.log import Member, Vote
from quoth_cluster.raft.neighbours import Contact
from quoth_node.admin import call_node
from quoth_node.errors import NotDone

ADD_SECONDS_MAX = 60.0


@dataclass(frozen=True, slots=True)
class JoinInfo:
    """What a node of the cluster says to one that wants in."""

    cluster_id: str
    contacts: tuple[Contact, ...]
    members: tuple[Member, ...]


async def ask_to_join(url: str) -> JoinInfo:
    """Who is in the cluster of the node at `url`. Raises NotDone."""
    content: Any = await call_node("GET", f"{url.rstrip('/')}/admin/cluster/join-info")
    try:
        members = tuple(
            Member(
                *(member["Tag"], member["Url"], member["PeerAddress"], Vote(member["Vote"])),
                incarnation=bytes.fromhex(member["Incarnation"]),
            )
            for member in content["Members"]
        )
        cluster_id = content["ClusterId"]
    except (KeyError, TypeError, ValueError) as error:
        raise NotDone(f"{url} does not answer like a node of quoth: {error!r}") from error
    if not members:
        raise NotDone(f"the node at {url} is not a member of a cluster itself")
    contacts = tuple(Contact(member.tag, member.peer_address) for member in members)
    return JoinInfo(cluster_id, contacts, members)


def known_as(info: JoinInfo, me: Member, *, known_cluster_id: str | None) -> Member | None:
    """The node of this name and place that the cluster has; None if it has none.

    If it is another incarnation than this one, then that one lost its disk: what it acknowledged
    and voted for is forgotten, and this one comes as a new node. Raises NotDone if it cannot join.
    """
    if known_cluster_id not in (None, info.cluster_id):
        raise NotDone(
            f"this data folder belongs to cluster {known_cluster_id}, and the node to join is of "
            f"cluster {info.cluster_id}"
        )
    former = next((member for member in info.members if member.tag == me.tag), None)
    if former is not None and former.url != me.url:
        raise NotDone(
            f"the cluster has a node {me.tag} already, at {former.url}: choose another tag, or "
            f"remove that one first (quoth cluster remove {me.tag})"
        )
    return former


async def remove_former(url: str, me: Member) -> None:
    """Ask the cluster to forget the node whose place this one takes. Raises NotDone."""
    await call_node(
        "DELETE",
        f"{url.rstrip('/')}/admin/cluster/node",
        parameters={"nodeTag": me.tag},
        timeout_seconds=ADD_SECONDS_MAX,
    )


async def add_me(url: str, me: Member) -> None:
    """Ask the cluster of the node at `url` to add this node. Raises NotDone."""
    await call_node(
        "PUT",
        f"{url.rstrip('/')}/admin/cluster/node",
        parameters={"url": me.url, "tag": me.tag, "peer": me.peer_address},
        timeout_seconds=ADD_SECONDS_MAX,
    )
