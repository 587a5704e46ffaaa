"""The administration of databases: state, lock, settings, and the nodes they are on.

Every node of the cluster carries every database. What asks for that succeeds, what asks for
anything else is refused in words; the order in which clients are to prefer nodes may be chosen.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from aiohttp import web

from quoth_cluster.administration import in_order
from quoth_cluster.commands import ChangeDatabase, LockDatabases, ToggleDatabases
from quoth_cluster.databases import DatabaseRecord
from quoth_cluster.log import Vote
from quoth_cluster.outcomes import (
    DatabaseChanged,
    DatabasesLocked,
    DatabasesToggled,
    Refusal,
)
from quoth_node.http.errors import BadArgument, ChangeRefused, DatabaseMissing, NotPossible
from quoth_node.http.exchange import Agreed, Exchange
from quoth_node.http.names import check_database_name
from quoth_node.http.query import shortened
from quoth_node.http.reply import reply
from quoth_node.http.route import DATABASE, Route, knows
from quoth_node.http.topology import HOLDS_DATA, addresses
from quoth_node.http.wire import administration, database_records


async def disable_databases(exchange: Exchange) -> web.Response:
    """`POST /admin/databases/disable`."""
    return await toggle(exchange, disabled=True)


async def enable_databases(exchange: Exchange) -> web.Response:
    """`POST /admin/databases/enable`."""
    return await toggle(exchange, disabled=False)


async def toggle(exchange: Exchange, *, disabled: bool) -> web.Response:
    names = await exchange.parsed(administration.read_names)
    command = ToggleDatabases(
        names=tuple(map(check_database_name, names)),
        disabled=disabled,
        request_id=exchange.request_id,
    )
    agreed = await exchange.propose(command, DatabasesToggled)
    return reply(database_records.databases_toggled(agreed.outcome, disabled=disabled))


async def set_lock(exchange: Exchange) -> web.Response:
    """`POST /admin/databases/set-lock`: whether databases may be deleted."""
    names, mode = await exchange.parsed(administration.read_lock)
    command = LockDatabases(
        names=tuple(map(check_database_name, names)), mode=mode, request_id=exchange.request_id
    )
    with telling_missing(exchange, names):
        await exchange.propose(command, DatabasesLocked)
    return reply(status=204)


async def get_record(exchange: Exchange) -> web.Response:
    """`GET /admin/record` of a database."""
    await exchange.current()
    record = (await exchange.known_database(even_disabled=True)).record
    return reply(database_records.database_record(record, exchange.services.raft.status()))


async def get_settings(exchange: Exchange) -> web.Response:
    """`GET /admin/configuration/settings` of a database."""
    await exchange.current()
    record = (await exchange.known_database(even_disabled=True)).record
    return reply(database_records.settings(record))


async def put_settings(exchange: Exchange) -> web.Response:
    """`PUT /admin/configuration/settings`: all settings of a database, instead of those it has."""
    settings = await exchange.parsed(administration.read_settings)
    record = (await exchange.known_database(even_disabled=True)).record
    await change(exchange, ChangeDatabase(record.name, settings=settings))
    return reply(status=204)


async def reorder(exchange: Exchange) -> web.Response:
    """`POST /admin/databases/reorder`: which nodes clients are to prefer."""
    order, fixed = await exchange.parsed(administration.read_order)
    record = await named_record(exchange)
    await change(exchange, ChangeDatabase(record.name, members_order=order, order_fixed=fixed))
    return reply(status=204)


async def modify_topology(exchange: Exchange) -> web.Response:
    """`POST /admin/databases/topology/modify`: the nodes of the cluster, in another order."""
    wanted = await exchange.parsed(administration.read_topology)
    record = await named_record(exchange)
    agreed = await change(
        exchange,
        ChangeDatabase(
            record.name,
            members_order=wanted.nodes,
            order_fixed=wanted.order_fixed,
            dynamic_distribution=wanted.dynamic_distribution,
        ),
    )
    return reply(database_records.changed(agreed.command_index))


async def add_node(exchange: Exchange) -> web.Response:
    """`PUT /admin/databases/node`: a database on one node more; it is there already."""
    record = await named_record(exchange)
    if not exchange.query.one("node"):
        raise NotPossible(f"Database {record.name} already exists on all the nodes of the cluster")
    return on_node(exchange, record)


async def promote(exchange: Exchange) -> web.Response:
    """`POST /admin/databases/promote`: a node that catches up becomes a member by itself."""
    return on_node(exchange, await named_record(exchange))


def on_node(exchange: Exchange, record: DatabaseRecord) -> web.Response:
    """Where a database is, if it is on the node that is named."""
    tag = exchange.query.required("node")
    status = exchange.services.raft.status()
    vote = next((member.vote for member in status.members if member.tag == tag), None)
    if vote is None:
        raise NotPossible(
            f"Node '{shortened(tag)}' is not a part of the cluster: a database is on its nodes"
        )
    if vote is Vote.PROMOTABLE:
        raise NotPossible(f"Node {tag} is catching up, and becomes a member when it has")
    by_tag = addresses(exchange, status, votes=HOLDS_DATA)
    urls = [by_tag[known] for known in in_order(by_tag, record)]
    body = database_records.database_put(record, status, command_index=record.etag, urls=urls)
    return reply(body)


async def set_dynamic_distribution(exchange: Exchange) -> web.Response:
    """`POST /admin/databases/dynamic-node-distribution`: kept; there is nothing to distribute."""
    if not exchange.query.one("enabled"):
        raise BadArgument("Query string enabled is mandatory, but wasn't specified.")
    enabled = exchange.query.boolean("enabled")
    record = await named_record(exchange)
    await change(exchange, ChangeDatabase(record.name, dynamic_distribution=enabled))
    return reply(status=204)


async def set_unused_ids(exchange: Exchange) -> web.Response:
    """`POST /admin/databases/unused-ids`: database ids of change vectors that are no more."""
    unused = await exchange.parsed(administration.read_unused_ids)
    record = await named_record(exchange)
    await change(exchange, ChangeDatabase(record.name, unused_ids=unused))
    return reply(status=204)


async def named_record(exchange: Exchange) -> DatabaseRecord:
    """The record of the database in the query string, current."""
    name = check_database_name(exchange.query.required("name"))
    await exchange.current()
    return (await exchange.known_database(name, even_disabled=True)).record


async def change(exchange: Exchange, command: ChangeDatabase) -> Agreed[DatabaseChanged]:
    """Change a record, with the request id of this request."""
    whole = replace(command, request_id=exchange.request_id)
    with telling_missing(exchange, [command.name]):
        return await exchange.propose(whole, DatabaseChanged)


@contextmanager
def telling_missing(exchange: Exchange, names: Sequence[str]) -> Iterator[None]:
    """Say which of `names` is missing, where a command was refused because one is."""
    try:
        yield
    except ChangeRefused as error:
        if error.refused.refusal != Refusal.NO_DATABASE:
            raise
        known = exchange.services.machine.database
        raise DatabaseMissing(next((n for n in names if known(n) is None), names[0])) from error


ADMIN = "/admin/databases"
SETTINGS = f"{DATABASE}/admin/configuration/settings"
ROUTES = (
    Route("POST", f"{ADMIN}/disable", disable_databases),
    Route("POST", f"{ADMIN}/enable", enable_databases),
    Route("POST", f"{ADMIN}/set-lock", set_lock),
    Route("POST", f"{ADMIN}/reorder", reorder, knows("name")),
    Route("POST", f"{ADMIN}/topology/modify", modify_topology, knows("name")),
    Route("PUT", f"{ADMIN}/node", add_node, knows("name", "node", "mentor")),
    Route("POST", f"{ADMIN}/promote", promote, knows("name", "node")),
    Route(
        "POST",
        f"{ADMIN}/dynamic-node-distribution",
        set_dynamic_distribution,
        knows("name", "enabled"),
    ),
    Route("POST", f"{ADMIN}/unused-ids", set_unused_ids, knows("name", "validate")),
    Route("GET", f"{DATABASE}/admin/record", get_record),
    Route("GET", SETTINGS, get_settings),
    Route("PUT", SETTINGS, put_settings),
)
