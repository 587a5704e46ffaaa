"""Databases of the cluster: create, look up, list, delete. A change is one command of the log."""

import base64

from aiohttp import web

from quoth_cluster.administration import in_order
from quoth_cluster.commands import ChangeDatabase, CreateDatabase, DeleteDatabases
from quoth_cluster.databases import DatabaseRecord
from quoth_cluster.outcomes import (
    DatabaseChanged,
    DatabaseCreated,
    DatabasesDeleted,
    Refusal,
)
from quoth_node.http.documents import read_page
from quoth_node.http.errors import (
    BadArgument,
    BadRequest,
    ChangeRefused,
    DatabaseMissing,
    EtagMismatch,
    NotPossible,
)
from quoth_node.http.exchange import Agreed, Exchange
from quoth_node.http.names import check_database_name, check_new_name
from quoth_node.http.query import INTEGER, cannot_parse, shortened
from quoth_node.http.reply import reply
from quoth_node.http.route import Route, knows
from quoth_node.http.topology import HOLDS_DATA, addresses
from quoth_node.http.wire import administration, database_records
from quoth_node.http.wire.administration import DatabaseWanted

REPLICATION_FACTOR_MAX = 1_000
UNDEFINED = "undefined"  # what the Node.js client writes where it has no etag


async def put_database(exchange: Exchange) -> web.Response:
    """`PUT /admin/databases`: create one, on every node; with an etag, change the one there is."""
    query = exchange.query
    etag = read_etag(exchange)
    wanted = await exchange.parsed(administration.read_database)
    name = check_database_name(query.one("name") or wanted.name or "")
    if wanted.name is not None and wanted.name.lower() != name.lower():
        raise BadRequest(f"The URL names '{name}', the body '{shortened(wanted.name)}'")
    # Every member carries every database; a factor is read, so that a wrong one is told.
    query.integer("replicationFactor", 1, low=0, high=REPLICATION_FACTOR_MAX)
    if etag:
        return await change_database(exchange, name, wanted, etag=etag)
    return await create_database(exchange, check_new_name(name), wanted)


def read_etag(exchange: Exchange) -> int | None:
    """The etag of the record that the client read; None or 0: it read none."""
    text = exchange.header("ETag")
    if not text or text == UNDEFINED:
        return None
    if INTEGER.fullmatch(text) is None:
        raise BadArgument(cannot_parse("ETag", "int", text))
    return int(text)


async def create_database(exchange: Exchange, name: str, wanted: DatabaseWanted) -> web.Response:
    services = exchange.services
    command = CreateDatabase(
        name=name,
        at_micros=services.clock.now_micros(),
        database_id=new_id(exchange),
        topology_id=new_id(exchange),
        cluster_transaction_id=new_id(exchange),
        settings=wanted.settings,
        request_id=exchange.request_id,
        disabled=wanted.disabled,
        lock_mode=wanted.lock_mode,
        client=wanted.client,
    )
    agreed = await exchange.propose(command, DatabaseCreated)
    database = services.machine.database(name)
    # None: deleted by someone else since. It was created, and that is the answer.
    record = database.record if database is not None else record_of(command, agreed.outcome)
    return is_put(exchange, record, command_index=agreed.outcome.command_index)


async def change_database(
    exchange: Exchange, name: str, wanted: DatabaseWanted, *, etag: int
) -> web.Response:
    """Change a record, if it is the one that was read."""
    command = ChangeDatabase(
        name=name,
        expected_etag=etag,
        settings=wanted.settings,
        disabled=wanted.disabled,
        lock_mode=wanted.lock_mode,
        client=wanted.client,
        unused_ids=wanted.unused_ids,
        request_id=exchange.request_id,
    )
    missing = f"Concurrency violation, the database {name} does not exist, but had a non zero etag"
    try:
        agreed: Agreed[DatabaseChanged] = await exchange.propose(command, DatabaseChanged)
    except ChangeRefused as error:
        if error.refused.refusal == Refusal.NO_DATABASE:
            raise EtagMismatch(missing) from error
        raise
    database = exchange.services.machine.database(name)
    if database is None:  # deleted by someone else since; it was changed before
        body = database_records.changed(agreed.outcome.command_index, name=agreed.outcome.name)
        return reply(body, status=201)
    return is_put(exchange, database.record, command_index=agreed.outcome.command_index)


def is_put(exchange: Exchange, record: DatabaseRecord, *, command_index: int) -> web.Response:
    status = exchange.services.raft.status()
    by_tag = addresses(exchange, status, votes=HOLDS_DATA)
    urls = [by_tag[tag] for tag in in_order(by_tag, record)]
    body = database_records.database_put(record, status, command_index=command_index, urls=urls)
    return reply(body, status=201)


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
        disabled=command.disabled,
        lock_mode=command.lock_mode,
        client=command.client,
        client_index=created.command_index if command.client else 0,
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
    return reply(database_records.database_record(database.record, status))


async def list_databases(exchange: Exchange) -> web.Response:
    """`GET /databases`: all of them by name."""
    names_only = exchange.query.boolean("namesOnly")
    start, size = read_page(exchange)
    await exchange.current()
    found = exchange.services.machine.databases()[start : start + size]
    if names_only:
        return reply(database_records.database_names([record.name for record in found]))
    return reply(database_records.database_infos(found))


async def delete_databases(exchange: Exchange) -> web.Response:
    """`DELETE /admin/databases`: delete those that exist and are not locked."""
    wanted = await exchange.parsed(administration.read_deletion)
    everywhere = {member.tag for member in exchange.services.raft.status().members}
    if wanted.from_nodes and set(wanted.from_nodes) != everywhere:
        raise NotPossible("FromNodes: a database is on every node, and deleted from all of them")
    command = DeleteDatabases(
        names=tuple(map(check_database_name, wanted.names)),
        hard=wanted.hard,
        request_id=exchange.request_id,
    )
    agreed = await exchange.propose(command, DatabasesDeleted)
    # The official server says -1 where there was nothing to delete.
    deleted = agreed.outcome.names
    command_index = agreed.outcome.command_index if deleted else -1
    return reply(database_records.databases_deleted(command_index))


ADMIN = "/admin/databases"
ROUTES = (
    Route("PUT", ADMIN, put_database, knows("name", "replicationFactor")),
    Route("GET", ADMIN, get_database, knows("name")),
    Route("DELETE", ADMIN, delete_databases),
    Route("GET", "/databases", list_databases, knows("start", "pageSize", "namesOnly")),
)
