"""What clients are told about how to behave: by their database, or else by the server.

Clients name the etag of what they know; who knows less is told so by a header, and asks.
"""

from aiohttp import web

from quoth_cluster.commands import ChangeDatabase, PutClientConfiguration
from quoth_cluster.databases import DatabaseRecord
from quoth_cluster.machine import Machine
from quoth_cluster.outcomes import ClientConfigurationPut
from quoth_node.http.administration import change
from quoth_node.http.exchange import Exchange
from quoth_node.http.reply import reply
from quoth_node.http.route import DATABASE, Route, knows
from quoth_node.http.wire import administration, database_records


def etag_of(record: DatabaseRecord, machine: Machine) -> int:
    """Grows whenever what clients of a database are told changes; 0: there never was anything."""
    return max(record.client_index, machine.client_configuration.command_index)


async def get_client_configuration(exchange: Exchange) -> web.Response:
    """`GET /configuration/client` of a database: its own, or else the server's."""
    inherits = exchange.query.boolean("inherit", True)
    record = (await exchange.current_database()).record
    machine = exchange.services.machine
    own = database_records.told_configuration(record.client, 0)
    configuration = record.client
    if inherits and (own is None or own["Disabled"]) and machine.client_configuration.json:
        configuration = machine.client_configuration.json
    etag = etag_of(record, machine)
    return reply(database_records.client_configuration(configuration, etag=etag))


async def put_client_configuration(exchange: Exchange) -> web.Response:
    """`PUT /admin/configuration/client` of a database."""
    configuration = await exchange.parsed(administration.read_client_configuration)
    record = (await exchange.known_database(even_disabled=True)).record
    agreed = await change(exchange, ChangeDatabase(record.name, client=configuration))
    return reply(database_records.changed(agreed.command_index), status=201)


async def get_server_configuration(exchange: Exchange) -> web.Response:
    """`GET /configuration/client`: the server's; 404 if there is none."""
    await exchange.current()
    configuration = exchange.services.machine.client_configuration
    if not configuration.json:
        return reply(status=404)
    body = database_records.server_client_configuration(
        configuration.json, configuration.command_index
    )
    return reply(body)


async def put_server_configuration(exchange: Exchange) -> web.Response:
    """`PUT /admin/configuration/client`: for all databases that have none of their own."""
    configuration = await exchange.parsed(administration.read_client_configuration)
    command = PutClientConfiguration(configuration, request_id=exchange.request_id)
    agreed = await exchange.propose(command, ClientConfigurationPut)
    return reply(database_records.changed(agreed.command_index), status=201)


ROUTES = (
    Route("GET", f"{DATABASE}/configuration/client", get_client_configuration, knows("inherit")),
    Route("PUT", f"{DATABASE}/admin/configuration/client", put_client_configuration),
    Route("GET", "/configuration/client", get_server_configuration),
    Route("PUT", "/admin/configuration/client", put_server_configuration),
)
