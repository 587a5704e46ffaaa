"""Identities: number series that the cluster agrees on, `orders|` -> `orders/17`."""

import asyncio

from aiohttp import web

from quoth_cluster.commands import NextIdentity, SeedIdentity
from quoth_cluster.identities import count, every
from quoth_cluster.outcomes import IdentityValue
from quoth_node.http.budget import Budget
from quoth_node.http.exchange import Exchange
from quoth_node.http.reply import reply
from quoth_node.http.route import DATABASE, Route, knows
from quoth_node.http.wire import bodies, replies

IDENTITY_BYTES_LEAST = 128  # what one takes in memory while it is listed, or a bit more


async def next_identity(exchange: Exchange) -> web.Response:
    """`POST /identity/next`: take the next number."""
    name = read_name(exchange)
    database = await exchange.known_database()
    command = NextIdentity(database=database.record.name, name=name, request_id=exchange.request_id)
    agreed = await exchange.propose(command, IdentityValue)
    return reply(replies.identity_taken(agreed.outcome.value))


async def seed_identity(exchange: Exchange) -> web.Response:
    """`POST /identity/seed`: set the latest number, lower than the current one only by force."""
    name = read_name(exchange)
    value = exchange.query.integer("value")
    force = exchange.query.boolean("force")
    database = await exchange.known_database()
    command = SeedIdentity(
        database=database.record.name,
        name=name,
        value=value,
        force=force,
        request_id=exchange.request_id,
    )
    agreed = await exchange.propose(command, IdentityValue)
    return reply(replies.identity_seeded(agreed.outcome.value))


async def get_identities(exchange: Exchange) -> web.Response:
    """`GET /debug/identities`: the latest number of each."""
    database = await exchange.current_database()
    budget = Budget(exchange.reply_bytes_max, "there are too many to list")

    def read() -> bytes:
        with database.read() as txn:
            budget.spend(count(txn) * IDENTITY_BYTES_LEAST)  # before they are all in memory
            return replies.identities(every(txn))

    return reply(budget.checked(await asyncio.to_thread(read)))


def read_name(exchange: Exchange) -> str:
    name = exchange.query.required("name")
    bodies.check_document_id(name, "name")
    return name


ROUTES = (
    Route("POST", f"{DATABASE}/identity/next", next_identity, knows("name")),
    Route("POST", f"{DATABASE}/identity/seed", seed_identity, knows("name", "value", "force")),
    Route("GET", f"{DATABASE}/debug/identities", get_identities),
)
