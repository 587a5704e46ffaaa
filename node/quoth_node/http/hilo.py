"""HiLo: ranges of ids lent to one client, so that it can make ids by itself."""

from aiohttp import web

from quoth_cluster.clock import from_wire
from quoth_cluster.commands import NextHiLo, ReturnHiLo
from quoth_cluster.outcomes import HiLoRange, HiLoReturned
from quoth_node.http.errors import BadArgument
from quoth_node.http.exchange import Exchange
from quoth_node.http.query import cannot_parse
from quoth_node.http.reply import reply
from quoth_node.http.route import DATABASE, Route, knows
from quoth_node.http.wire import bodies, replies

HILO_PREFIX = "Raven/Hilo/"
BATCH_SIZE_MAX = 2**31 - 1


async def next_range(exchange: Exchange) -> web.Response:
    """`GET /hilo/next`: lend a range."""
    query, services = exchange.query, exchange.services
    separator = query.one("identityPartsSeparator") or "/"
    if len(separator) != 1:
        raise BadArgument("Query string identityPartsSeparator must be one character")
    tag = read_tag(exchange)
    last_range_at = read_time(exchange, "lastRangeAt")
    last_batch_size = query.integer("lastBatchSize", 0, high=BATCH_SIZE_MAX)
    last_max = query.integer("lastMax", 0)
    database = await exchange.known_database()
    command = NextHiLo(
        database=database.record.name,
        tag=tag,
        last_batch_size=max(last_batch_size, 0),
        last_range_at_micros=last_range_at,
        last_max=max(last_max, 0),
        at_micros=services.clock.now_micros(),
        node_tag=services.node_tag,
        separator=separator,
        request_id=exchange.request_id,
    )
    agreed = await exchange.propose(command, HiLoRange)
    return reply(replies.hilo_range(agreed.outcome), status=201)


async def return_range(exchange: Exchange) -> web.Response:
    """`PUT /hilo/return`: take back the unused rest of a range."""
    query, services = exchange.query, exchange.services
    tag = read_tag(exchange)
    last, end = query.integer("last"), query.integer("end")
    database = await exchange.known_database()
    command = ReturnHiLo(
        database=database.record.name,
        tag=tag,
        last=last,
        end=end,
        at_micros=services.clock.now_micros(),
        node_tag=services.node_tag,
        request_id=exchange.request_id,
    )
    await exchange.propose(command, HiLoReturned)
    return reply()


def read_tag(exchange: Exchange) -> str:
    tag = exchange.query.required("tag")
    bodies.check_document_id(HILO_PREFIX + tag, "tag")
    return tag


def read_time(exchange: Exchange, name: str) -> int | None:
    """A time in microseconds; None if it is absent or empty."""
    text = exchange.query.one(name)
    if not text:
        return None
    try:
        return from_wire(text)
    except (ValueError, OverflowError) as error:
        raise BadArgument(cannot_parse(name, "date time", text)) from error


ROUTES = (
    Route(
        "GET",
        f"{DATABASE}/hilo/next",
        next_range,
        knows("tag", "lastBatchSize", "lastRangeAt", "identityPartsSeparator", "lastMax"),
        alone=True,
    ),
    Route("PUT", f"{DATABASE}/hilo/return", return_range, knows("tag", "end", "last")),
)
