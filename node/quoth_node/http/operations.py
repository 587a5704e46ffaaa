"""Operations: their ids, how far they have come, and their end before their time."""

from aiohttp import web

from quoth_node.database.operations import ID_MAX, OperationKilled, Status, Values
from quoth_node.http.errors import STATUS, UNEXPECTED, BadArgument, message_of, told
from quoth_node.http.exchange import Exchange
from quoth_node.http.reply import reply
from quoth_node.http.route import DATABASE, Route, knows
from quoth_node.http.wire import operations as wire

ID = knows("id")


async def next_id(exchange: Exchange) -> web.Response:
    """`GET /operations/next-operation-id`: an id that nobody else in the cluster gets."""
    services = exchange.services
    await exchange.known_database()
    seconds = services.config.write_timeout_seconds
    operation_id = await services.operations.ids.take(timeout_seconds=seconds)
    return reply(wire.operation_id(operation_id, services.node_tag))


async def state(exchange: Exchange) -> web.Response:
    """`GET /operations/state`: from whichever node runs it; 404 if none does."""
    operation_id, database = await read_id(exchange)
    found = await exchange.services.operations.state(operation_id, database)
    return reply(status=404) if found is None else reply(found)


async def kill(exchange: Exchange) -> web.Response:
    """`POST /operations/kill`: ask an operation to end, wherever it runs."""
    operation_id, database = await read_id(exchange)
    if not await exchange.services.operations.kill(operation_id, database):
        # A 404 would be read as success by official clients.
        raise BadArgument(f"Operation {operation_id} was not found")
    return reply(status=204)


async def read_id(exchange: Exchange) -> tuple[int, str]:
    """Which operation is meant, and of which database; '' is the whole server."""
    operation_id = exchange.query.integer("id", low=0, high=ID_MAX)
    if exchange.database_name is None:
        return operation_id, ""
    database = await exchange.known_database()
    return operation_id, database.record.name


def ending(error: Exception) -> tuple[Status, Values]:
    """How an operation that ended by `error` is told."""
    if isinstance(error, OperationKilled):
        official = STATUS[OperationKilled].official
        return Status.CANCELED, wire.fault(official, str(error), status=500)
    answer = told(error) or UNEXPECTED
    fault = wire.fault(answer.official, message_of(error), status=answer.status)
    return Status.FAULTED, fault


OPERATIONS = f"{DATABASE}/operations"
ROUTES = (
    Route("GET", f"{OPERATIONS}/next-operation-id", next_id, alone=True),
    Route("GET", f"{OPERATIONS}/state", state, ID),
    Route("POST", f"{OPERATIONS}/kill", kill, ID),
    Route("GET", "/operations/state", state, ID),
    Route("POST", "/operations/kill", kill, ID),
)
