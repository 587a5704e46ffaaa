"""Compare-exchange values: key, value and index, agreed by the cluster."""

import asyncio
from collections import Counter
from functools import partial
from itertools import islice

from aiohttp import web

from quoth_cluster.commands import (
    ChangeCompareExchange,
    DeleteCompareExchange,
    PutCompareExchange,
)
from quoth_cluster.compare_exchange import get, starting_with
from quoth_cluster.outcomes import CompareExchangeAnswer
from quoth_node.http.budget import Budget
from quoth_node.http.documents import read_page
from quoth_node.http.exchange import Exchange
from quoth_node.http.reply import reply
from quoth_node.http.route import DATABASE, Route, knows
from quoth_node.http.wire import bodies, replies


async def get_values(exchange: Exchange) -> web.Response:
    """`GET /cmpxchg`: by keys, by prefix, or all."""
    keys = exchange.query.every("key")
    if not keys:
        return await page(exchange)
    for key in keys:
        bodies.check_key(key)
    database = await exchange.current_database()
    budget = Budget(exchange.reply_bytes_max, "ask for fewer keys at a time")
    items: dict[str, bytes] = {}
    with database.read() as txn:
        for key in dict.fromkeys(keys):
            found = get(txn, key)
            if len(keys) == 1 and found is None:
                return reply(status=404)
            items[key] = budget.take(replies.compare_exchange_item(key, found))
    # A key that is named again is answered again, but takes no second reading.
    again = Counter(keys)
    for key, item in items.items():
        budget.spend(len(item) * (again[key] - 1))
    return reply(replies.compare_exchange_values([items[key] for key in keys]))


async def page(exchange: Exchange) -> web.Response:
    """Values whose keys begin alike, in the order of their keys."""
    prefix = exchange.query.one("startsWith") or ""
    bodies.check_key(prefix)
    start, size = read_page(exchange)
    database = await exchange.current_database()

    budget = Budget(exchange.reply_bytes_max, "ask with a smaller pageSize")

    def read() -> bytes:
        with database.read() as txn:
            values = islice(starting_with(txn, prefix), start, start + size)
            items = (replies.compare_exchange_item(value.key, value) for value in values)
            return replies.compare_exchange_values(map(budget.take, items))

    return reply(await asyncio.to_thread(read))


async def put_value(exchange: Exchange) -> web.Response:
    """`PUT /cmpxchg`: set a value iff its index is the expected one."""
    key, index = read_key_and_index(exchange)
    value = await exchange.parsed(partial(bodies.read_value, key))
    return await change(exchange, PutCompareExchange(key=key, expected_index=index, value=value))


async def delete_value(exchange: Exchange) -> web.Response:
    """`DELETE /cmpxchg`: delete a value iff its index is the expected one."""
    key, index = read_key_and_index(exchange)
    return await change(exchange, DeleteCompareExchange(key=key, expected_index=index))


async def change(
    exchange: Exchange, command: PutCompareExchange | DeleteCompareExchange
) -> web.Response:
    """A mismatch is an answer here, with the value as it is."""
    database = await exchange.known_database()
    agreed = await exchange.propose(
        ChangeCompareExchange(
            database=database.record.name, command=command, request_id=exchange.request_id
        ),
        CompareExchangeAnswer,
    )
    return reply(replies.compare_exchange_answer(agreed.outcome))


def read_key_and_index(exchange: Exchange) -> tuple[str, int]:
    key = exchange.query.required("key")
    bodies.check_key(key)
    return key, exchange.query.integer("index")


VALUES = f"{DATABASE}/cmpxchg"
ROUTES = (
    Route("GET", VALUES, get_values, knows("key", "startsWith", "start", "pageSize")),
    Route("PUT", VALUES, put_value, knows("key", "index")),
    Route("DELETE", VALUES, delete_value, knows("key", "index")),
)
