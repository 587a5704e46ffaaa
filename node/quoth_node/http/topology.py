"""Where a database and its cluster can be reached.

Clients ask this first and after every failure, so it is answered from what this node knows, even
without a leader. This node's own address is told as the client wrote it.
"""

from collections.abc import Collection, Mapping

from aiohttp import web

from quoth_cluster.administration import in_order
from quoth_cluster.databases import DatabaseRecord
from quoth_cluster.log import Vote
from quoth_cluster.raft.door import GroupStatus
from quoth_node.http.errors import DatabaseMissing
from quoth_node.http.exchange import Exchange
from quoth_node.http.names import check_database_name
from quoth_node.http.reply import reply
from quoth_node.http.route import Route, knows
from quoth_node.http.wire import records
from quoth_node.http.wire.records import Teller

HOLDS_DATA = frozenset({Vote.MEMBER, Vote.WATCHER})  # those that have caught up


async def get_database_topology(exchange: Exchange) -> web.Response:
    """`GET /topology`: the nodes that carry a database."""
    name = check_database_name(exchange.query.required("name"))
    try:
        database = await exchange.known_database(name, even_disabled=True)
    except DatabaseMissing as missing:
        # The status and the header are what clients go by; the body is that of the official server.
        return reply(records.topology_of_missing(name), status=503, headers=missing.headers)
    status = exchange.services.raft.status()
    etag = topology_etag(status.members_command_index, database.record)
    by_tag = addresses(exchange, status, votes=HOLDS_DATA)
    members = {tag: by_tag[tag] for tag in in_order(by_tag, database.record)}
    return reply(records.database_topology(database.record.name, members, etag=etag))


async def get_cluster_topology(exchange: Exchange) -> web.Response:
    """`GET /cluster/topology`: the nodes of the cluster."""
    status = exchange.services.raft.status()
    by_vote = {vote: addresses(exchange, status, votes={vote}) for vote in Vote}
    return reply(records.cluster_topology(status, by_vote, teller(exchange)))


def topology_etag(members_command_index: int, record: DatabaseRecord | None) -> int:
    """Grows whenever the nodes of a database change, or their order.

    Every member carries every database.
    """
    ordered = max(record.command_index, record.order_index) if record is not None else 0
    return max(ordered, members_command_index)


def addresses(
    exchange: Exchange, status: GroupStatus, *, votes: Collection[Vote]
) -> Mapping[str, str]:
    """Addresses by tag, in an order that stays, of the nodes that count for one of `votes`."""
    own = exchange.services.node_tag
    wanted = (member for member in status.members if member.vote in votes)
    members = sorted(wanted, key=lambda member: (len(member.tag), member.tag))
    return {m.tag: exchange.own_url if m.tag == own else m.url for m in members}


def teller(exchange: Exchange) -> Teller:
    """Who answers, and when."""
    services = exchange.services
    return Teller(services.clock.now_micros(), exchange.own_url, services.node_tag)


ROUTES = (
    Route(
        "GET",
        "/topology",
        get_database_topology,
        knows("name", "localUrl", "private", "includePromotables", "usePrivateUrls"),
        tags=True,
    ),
    Route(
        "GET",
        "/cluster/topology",
        get_cluster_topology,
        knows("localUrl"),
        tags=True,
        passive=True,
    ),
)
