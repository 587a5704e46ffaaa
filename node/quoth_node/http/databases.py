"""Databases of the cluster: create, look up, list, delete. A change is one command of the log."""

import base64

from aiohttp import web

from quoth_cluster.commands import CreateDatabase, DeleteDatabases
from quoth_cluster.databases import DatabaseRecord
from quoth_cluster.outcomes import DatabaseCreated, DatabasesDeleted
from quoth_node.http.documents import read_page
from quoth_node.http.errors import BadRequest, DatabaseMissing
from quoth_node.http.exchange import Exchange
from quoth_node.http.names import check_database_name
from quoth_node.http.query import shortened
from quoth_node.http.reply import reply
from quoth_node.http.route import DATABASE, Route, knows
from quoth_node.http.topology import HOLDS_DATA, addresses, topology_etag
from quoth_node.http.wire import bodies, records

REPLICATION_FACTOR_MAX = 1_000


async def create_database(exchange: Exchange) -> web.Response:
    """`PUT /admin/databases`: create one, on every node."""
    query, services = exchange.query, exchange.services
    wanted = await exchange.parsed(bodies.read_database)
    name = check_database_name(query.one("name") or wanted.name or "")
    if wanted.name is not None and wanted.name.lower() != name.lower():
        raise BadRequest(f"The URL names '{name}', the body '{shortened(wanted.name)}'")
    # Every member carries every database; a factor is read, so that a wrong one is told.
    query.integer("replicationFactor", 1, low=0, high=REPLICATION_FACTOR_MAX)
    command = CreateDatabase(
        name=name,
        at_micros=services.clock.now_micros(),
        database_id=new_id(exchange),
        topology_id=new_id(exchange),
        cluster_transaction_id=new_id(exchange),
        settings=wanted.settings,
        request_id=exchange.request_id,
    )
    agreed = await exchange.propose(command, DatabaseCreated)
    database = services.machine.database(name)
    # None: deleted by someone else since. It was created, and that is the answer.
    record = database.record if database is not None else record_of(command, agreed.outcome)
    status = services.raft.status()
    urls = list(addresses(exchange, status, votes=HOLDS_DATA).values())
    return reply(records.database_created(record, status, urls=urls), status=201)


def record_of(command: CreateDatabase, created: DatabaseCreated) -> DatabaseRecord:
    """The record that a command made."""
    return DatabaseRecord(
        name=created.name,
        database_id=command.database_id,
        topology_id=command.topology_id,
        cluster_transaction_id=command.cluster_transaction_id,
        settings=command.settings,
        at_micros=command.at_micros,
        command_index=created.command_index,
    )


def new_id(exchange: Exchange) -> str:
    """22 characters of base64, as change vectors carry them."""
    return base64.b64encode(exchange.services.chance.uuid().bytes).decode()[:22]


async def get_database(exchange: Exchange) -> web.Response:
    """`GET /admin/databases`: the record of one."""
    name = check_database_name(exchange.query.required("name"))
    await exchange.current()
    database = exchange.services.machine.database(name)
    if database is None:
        return reply(status=404, headers=DatabaseMissing(name).headers)
    status = exchange.services.raft.status()
    etag = topology_etag(status.members_command_index, database.record)
    return reply(records.database_record(database.record, status, etag=etag))


async def list_databases(exchange: Exchange) -> web.Response:
    """`GET /databases`: all of them by name."""
    names_only = exchange.query.boolean("namesOnly")
    start, size = read_page(exchange)
    await exchange.current()
    found = exchange.services.machine.databases()[start : start + size]
    if names_only:
        return reply(records.database_names([record.name for record in found]))
    return reply(records.database_infos(found))


async def delete_databases(exchange: Exchange) -> web.Response:
    """`DELETE /admin/databases`: delete those that exist."""
    names, hard = await exchange.parsed(bodies.read_database_names)
    command = DeleteDatabases(
        names=tuple(check_database_name(name) for name in names),
        hard=hard,
        request_id=exchange.request_id,
    )
    agreed = await exchange.propose(command, DatabasesDeleted)
    # The official server says -1 where there was nothing to delete.
    deleted = agreed.outcome.names
    return reply(records.databases_deleted(agreed.outcome.command_index if deleted else -1))


async def get_client_configuration(exchange: Exchange) -> web.Response:
    """`GET /configuration/client`: no database has a configuration for its clients yet."""
    await exchange.known_database()
    return reply(records.no_client_configuration())


ADMIN = "/admin/databases"
ROUTES = (
    Route("PUT", ADMIN, create_database, knows("name", "replicationFactor")),
    Route("GET", ADMIN, get_database, knows("name")),
    Route("DELETE", ADMIN, delete_databases),
    Route("GET", "/databases", list_databases, knows("start", "pageSize", "namesOnly")),
    Route("GET", f"{DATABASE}/configuration/client", get_client_configuration),
)
