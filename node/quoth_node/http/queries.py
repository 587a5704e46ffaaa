"""Queries: `POST /queries`, the same for people who write URLs, and as a stream."""

from dataclasses import dataclass, replace
from functools import partial

from aiohttp import hdrs, web

from quoth_node.http.asking import read_asked
from quoth_node.http.budget import Budget
from quoth_node.http.exchange import Exchange
from quoth_node.http.query_run import (
    Opened,
    Running,
    finished_head,
    has_scripts,
    includes_of,
    is_short,
    may_be_cached,
    opened,
    run,
    snapshot,
)
from quoth_node.http.reply import reply
from quoth_node.http.route import DATABASE, Route, knows
from quoth_node.http.streams import Stream, a_place_for_a_stream, beside_the_loop, wants_lines
from quoth_node.http.wire import queries as wire
from quoth_node.http.wire import replies
from quoth_node.http.wire.queries import IndexQuery
from quoth_node.querying.brevity import NotAtHand, NotBrief
from quoth_node.querying.errors import IndexMissing, InvalidQuery


async def post_query(exchange: Exchange) -> web.Response:
    """`POST /queries`."""
    return await answer(exchange, await exchange.parsed(wire.read_query))


async def get_query(exchange: Exchange) -> web.Response:
    """`GET /queries`: the query stands in the URL."""
    query = exchange.query
    sent = IndexQuery(
        text=query.required("query"),
        parameters=wire.parameters_of(query.one("parameters")),
        start=query.integer("start", 0, low=0, high=wire.PAGE_SIZE_MAX),
        size=query.integer("pageSize", wire.PAGE_SIZE_MAX, low=0, high=wire.PAGE_SIZE_MAX),
        wait_seconds=query.timespan("waitForNonStaleResultsTimeout", high=wire.WAIT_SECONDS_MAX),
    )
    return await answer(exchange, sent)


async def answer(exchange: Exchange, sent: IndexQuery) -> web.Response:
    """The whole answer to a query, within the limit of a reply."""
    if exchange.query.one("debug"):
        raise InvalidQuery("debug of queries is not supported yet")
    asked = await read_asked(sent, metadata_only=exchange.query.boolean("metadataOnly"))
    known = exchange.header(hdrs.IF_NONE_MATCH)
    budget = Budget(exchange.reply_bytes_max, "ask with a smaller page")
    try:
        running = await run(exchange, asked)
    except IndexMissing:
        # Official clients make their own error of it, and read no body.
        return reply(status=404)
    async with exchange.queries:
        if has_scripts(asked.query):
            body = await read_by_scripts(exchange, running, budget, known=known)
        else:
            body = await read_where_it_fits(exchange, running, budget, known=known)
    return body.reply()


async def read_where_it_fits(
    exchange: Exchange, running: Running, budget: Budget, *, known: str | None
) -> "Whole":
    """A short one here, a longer one in a worker thread; one that may be short is tried here."""
    brevity, asked = exchange.services.brevity, running.asked
    match is_short(running):
        case True:
            return read(exchange, running, budget, known=known)
        case None if brevity.is_likely(asked.text, asked.parameters):
            brief = replace(running, is_brief=True)
            try:
                return read(exchange, brief, budget, known=known)
            except NotAtHand:
                pass  # the thread opens a file, and leaves it for the next
            except NotBrief:
                brevity.was_long(asked.text)
    return await beside_the_loop(partial(read, exchange, running, budget, known=known))


@dataclass(frozen=True, slots=True)
class Whole:
    """All of an answer."""

    etag: str | None
    json: bytes | None  # None: the client has it already

    def reply(self) -> web.Response:
        if self.json is None:
            return reply(status=304)
        # Without quotes, as the official server sends this one.
        return reply(self.json, headers={"ETag": self.etag} if self.etag is not None else None)


def read(
    exchange: Exchange, running: Running, budget: Budget, *, known: str | None
) -> Whole:
    """The answer to a query without scripts; a long one is read in a worker thread, all of it."""
    with snapshot(exchange, running) as result:
        etag = etag_of_answer(running, result)
        if etag is not None and etag == known:
            return Whole(etag, None)
        chunks = result.results.chunks_here()
        found = [budget.take(one) for chunk in chunks for one in chunk]
        return Whole(etag, finish(exchange, running, result, found, budget))


async def read_by_scripts(
    exchange: Exchange, running: Running, budget: Budget, *, known: str | None
) -> Whole:
    """The same for a query with scripts, which run elsewhere."""
    async with opened(exchange, running) as result:
        etag = etag_of_answer(running, result)
        if etag is not None and etag == known:
            return Whole(etag, None)
        chunks = result.results.chunks()
        found = [budget.take(one) async for chunk in chunks for one in chunk]
        finishing = partial(finish, exchange, running, result, found, budget)
        return Whole(etag, await beside_the_loop(finishing))


def etag_of_answer(running: Running, result: Opened) -> str | None:
    """What tells this answer from others to the same query; None: nothing does."""
    asked = running.asked
    is_cached = may_be_cached(asked.query, has_values=bool(asked.included_key_paths))
    return str(result.head.etag) if is_cached else None


def finish(
    exchange: Exchange, running: Running, result: Opened, found: list[bytes], budget: Budget
) -> bytes:
    """The body, with all that the results include."""
    documents, values = includes_of(result, budget)
    for texts in (result.head.explanations or {}).values():
        for text in texts:
            budget.take(text.encode())
    has_values = bool(running.asked.included_key_paths)
    keyed = replies.compare_exchange_includes(values) if has_values else None
    return wire.results(finished_head(exchange, running, result), found, documents, keyed)


async def stream_query(exchange: Exchange) -> web.StreamResponse:
    """`POST /streams/queries`: results as long as there are some, in bounded memory."""
    sent = await exchange.parsed(wire.read_query)
    as_lines = wants_lines(exchange)
    asked = await read_asked(sent)
    if asked.query.includes:
        raise InvalidQuery("A stream sends nothing but results: include is not possible in it")
    async with a_place_for_a_stream(exchange):
        try:
            running = await run(exchange, asked)
        except IndexMissing:
            return reply(status=404)
        async with opened(exchange, running) as result:
            head = result.head
            shape = wire.QueryLines(head) if as_lines else wire.QueryResults(head)
            return await Stream(exchange, running.database, result.results, shape).send()


PARAMETERS = knows("metadataOnly", "addTimeSeriesNames", "addSpatialProperties", "debug", "tag")
IN_URL = knows("query", "parameters", "start", "pageSize", "waitForNonStaleResultsTimeout")
STREAM = f"{DATABASE}/streams/queries"
ROUTES = (
    Route("POST", f"{DATABASE}/queries", post_query, PARAMETERS, reads=True),
    Route("GET", f"{DATABASE}/queries", get_query, PARAMETERS | IN_URL),
    Route("POST", STREAM, stream_query, PARAMETERS | knows("format"), alone=True),
)
