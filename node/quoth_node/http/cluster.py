"""This node and its cluster: who is in it, who may join, how the log stands."""

import re
from urllib.parse import urlsplit

from aiohttp import web

from quoth_cluster.errors import MembershipRefused
from quoth_cluster.log import Change, Member, MembershipChange, Vote
from quoth_node.http.errors import BadArgument
from quoth_node.http.exchange import Exchange
from quoth_node.http.host import host_facts
from quoth_node.http.query import shortened
from quoth_node.http.reply import reply
from quoth_node.http.route import Route, knows
from quoth_node.http.wire import records

TAG = re.compile(r"[A-Z]{1,4}")
PEER_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")


async def get_build_version(exchange: Exchange) -> web.Response:
    return reply(records.build_version())


async def get_license(exchange: Exchange) -> web.Response:
    return reply(records.license_status())


async def get_alive(exchange: Exchange) -> web.Response:
    return reply(status=204)


async def get_node_info(exchange: Exchange) -> web.Response:
    """`GET /cluster/node-info`: this node."""
    services = exchange.services
    body = records.node_info(services.raft.status(), host_facts(), server_id=services.server_id)
    return reply(body)


async def get_log(exchange: Exchange) -> web.Response:
    """`GET /admin/cluster/log`: how the log stands, as this node sees it."""
    return reply(records.group_status(exchange.services.raft.status()))


async def get_join_info(exchange: Exchange) -> web.Response:
    """`GET /admin/cluster/join-info`: what a node must know before it asks to join.

    A node that is no member answers too, with nobody in the list: so it can be asked where its
    peers will reach it, and be added.
    """
    services = exchange.services
    body = records.join_info(services.raft.status(), peer_address=services.peer_address)
    return reply(body)


async def add_node(exchange: Exchange) -> web.Response:
    """`PUT /admin/cluster/node`: add a node that waits to join."""
    query = exchange.query
    member = Member(
        tag=read_tag(query.required("tag")),
        url=read_url(query.required("url")),
        peer_address=read_peer_address(query.required("peer")),
        vote=Vote.WATCHER if query.boolean("watcher") else Vote.PROMOTABLE,
    )
    await change_membership(exchange, MembershipChange(Change.ADD, member))
    return reply(status=204)


async def remove_node(exchange: Exchange) -> web.Response:
    """`DELETE /admin/cluster/node`: remove a node."""
    return await change_known_node(exchange, Change.REMOVE)


async def promote_node(exchange: Exchange) -> web.Response:
    """`POST /admin/cluster/promote`: a watcher catches up and becomes a member."""
    return await change_known_node(exchange, Change.PROMOTE)


async def demote_node(exchange: Exchange) -> web.Response:
    """`POST /admin/cluster/demote`: a member becomes a watcher."""
    return await change_known_node(exchange, Change.DEMOTE)


async def change_known_node(exchange: Exchange, change: Change) -> web.Response:
    tag = read_tag(exchange.query.required("nodeTag"))
    await exchange.current()
    members = exchange.services.raft.status().members
    member = next((member for member in members if member.tag == tag), None)
    if member is None:
        raise MembershipRefused(f"Node '{tag}' is not a member of this cluster")
    await change_membership(exchange, MembershipChange(change, member))
    return reply(status=204)


async def change_membership(exchange: Exchange, change: MembershipChange) -> None:
    services = exchange.services
    await services.raft.change_membership(
        change, timeout_seconds=services.config.membership_timeout_seconds
    )


def read_tag(text: str) -> str:
    if TAG.fullmatch(text) is None:
        raise BadArgument(f"A node tag is 1 to 4 letters A-Z, not '{shortened(text)}'")
    return text


def read_url(text: str) -> str:
    """The address of a node, without a slash at its end."""
    try:
        parts = urlsplit(text)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname)
        whole = whole and parts.path in ("", "/") and parts.port != 0
    except ValueError:
        whole = False
    if not whole:
        raise BadArgument(f"'{shortened(text)}' is not the URL of a node: http://host:port")
    return text.rstrip("/")


def read_peer_address(text: str) -> str:
    if PEER_ADDRESS.fullmatch(text) is None:
        raise BadArgument(f"'{shortened(text)}' is not the address of a peer: host:port")
    return text


NODE = "/admin/cluster/node"
ROUTES = (
    Route("GET", "/build/version", get_build_version, passive=True),
    Route("GET", "/license/status", get_license, passive=True),
    Route("GET", "/setup/alive", get_alive, passive=True),
    Route("GET", "/cluster/node-info", get_node_info, tags=True, passive=True),
    Route("GET", "/admin/cluster/log", get_log, passive=True),
    Route("GET", "/admin/cluster/join-info", get_join_info, passive=True),
    Route("PUT", NODE, add_node, knows("url", "tag", "peer", "watcher")),
    Route("DELETE", NODE, remove_node, knows("nodeTag")),
    Route("POST", "/admin/cluster/promote", promote_node, knows("nodeTag")),
    Route("POST", "/admin/cluster/demote", demote_node, knows("nodeTag")),
)
