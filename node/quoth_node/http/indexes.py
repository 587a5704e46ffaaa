"""Indexes: their definitions, which the cluster agrees on, and what this node makes of them."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from quoth_cluster import documents, indexes
from quoth_cluster.commands import ChangeIndexes, DeleteIndex, PutIndex
from quoth_cluster.indexes import STATIC, IndexRecord
from quoth_cluster.machine import Database
from quoth_cluster.outcomes import IndexDeleted, IndexesChanged, IndexPut
from quoth_cluster.store.environment import ReadTxn
from quoth_node.http.errors import BadArgument, IndexNotCompiled
from quoth_node.http.exchange import Exchange
from quoth_node.http.reply import reply
from quoth_node.http.route import DATABASE, Route, knows
from quoth_node.http.topology import teller
from quoth_node.http.wire import indexes as wire
from quoth_node.indexing.built import BuiltIndex
from quoth_node.indexing.definition import Definition
from quoth_node.indexing.refusal import DefinitionRefused
from quoth_node.indexing.sqlite import IndexFileError
from quoth_node.indexing.staleness import is_behind, reasons
from quoth_node.indexing.store import StoreStats
from quoth_node.querying.errors import IndexMissing

PAGE_SIZE_MAX = 10_000
SIDE_BY_SIDE_PREFIX = "ReplacementOf/"  # how the official server names what will take a place
PRESENT_SECONDS = 15.0  # until what was just defined is there


async def put_indexes(exchange: Exchange) -> web.Response:
    """`PUT /admin/indexes`: define indexes, all that compile or none."""
    database = await exchange.known_database()
    sent = await exchange.parsed(wire.read_definitions)
    for definition in sent:
        await check(exchange, definition)
    results = []
    for definition in sent:
        command = PutIndex(
            database.record.name,
            definition.name,
            STATIC,
            definition.to_json(),
            exchange.services.clock.now_micros(),
            lock_mode=definition.lock_mode,
            priority=definition.priority,
            state=definition.state,
            request_id=exchange.request_id if len(sent) == 1 else None,
        )
        agreed = await exchange.propose(command, IndexPut)
        results.append((agreed.outcome.name, agreed.command_index))
    return reply(wire.put_results(results), status=201)


async def check(exchange: Exchange, definition: Definition) -> None:
    """Raise IndexNotCompiled for what could not be built."""
    try:
        await exchange.services.live.indexer.check(definition.to_json())
    except DefinitionRefused as error:
        raise IndexNotCompiled(definition.name, str(error), error.part, error.text) from error


async def get_indexes(exchange: Exchange) -> web.Response:
    """`GET /indexes`: definitions, or one, or only names."""
    database = await exchange.current_database()
    try:
        records = await selected(exchange, database)
    except IndexMissing:
        return reply(status=404)  # clients take it for "none", and read no body
    if exchange.query.boolean("namesOnly"):
        return reply(wire.names(records, teller(exchange)))
    return reply(wire.definitions(records))


async def delete_index(exchange: Exchange) -> web.Response:
    """`DELETE /indexes?name=`."""
    database = await exchange.known_database()
    name = exchange.query.required("name")
    command = DeleteIndex(database.record.name, name, exchange.request_id)
    agreed = await exchange.propose(command, IndexDeleted)
    response = reply(status=204 if agreed.outcome.found else 404)
    response.headers.popall("Content-Type", None)
    return response


async def set_lock(exchange: Exchange) -> web.Response:
    """`POST /indexes/set-lock`."""
    names, mode = await exchange.parsed(lambda body: wire.read_change(body, "Mode"))
    return await change(exchange, names, lock_mode=mode)


async def set_priority(exchange: Exchange) -> web.Response:
    """`POST /indexes/set-priority`."""
    names, priority = await exchange.parsed(lambda body: wire.read_change(body, "Priority"))
    return await change(exchange, names, priority=priority)


async def enable_index(exchange: Exchange) -> web.Response:
    """`POST /admin/indexes/enable`: on every node."""
    return await change(exchange, (exchange.query.required("name"),), state="Normal")


async def disable_index(exchange: Exchange) -> web.Response:
    """`POST /admin/indexes/disable`: on every node."""
    return await change(exchange, (exchange.query.required("name"),), state="Disabled")


async def change(
    exchange: Exchange,
    names: tuple[str, ...],
    *,
    lock_mode: str | None = None,
    priority: str | None = None,
    state: str | None = None,
) -> web.Response:
    database = await exchange.known_database()
    command = ChangeIndexes(
        *(database.record.name, names, lock_mode, priority, state), exchange.request_id
    )
    await exchange.propose(command, IndexesChanged)
    return reply(status=204)


async def has_changed(exchange: Exchange) -> web.Response:
    """`POST /indexes/has-changed`: whether a definition is another than the one that stands."""
    database = await exchange.current_database()
    definition = await exchange.parsed(wire.read_definition)
    with database.read() as txn:
        record = indexes.load(txn, definition.name)
    same = record is not None and record.definition == definition.to_json()
    return reply(wire.changed(not same))


# -- what this node makes of them


async def start_indexing(exchange: Exchange) -> web.Response:
    """`POST /admin/indexes/start`: go on, on this node."""
    return await pause(exchange, is_paused=False)


async def stop_indexing(exchange: Exchange) -> web.Response:
    """`POST /admin/indexes/stop`: rest, on this node."""
    return await pause(exchange, is_paused=True)


async def pause(exchange: Exchange, *, is_paused: bool) -> web.Response:
    database = await exchange.current_database()
    name = exchange.query.one("name")
    if name is not None:
        await built(exchange, database, name)
    await exchange.services.live.indexer.pause(database, name, is_paused=is_paused)
    return reply(status=204)


async def reset_index(exchange: Exchange) -> web.Response:
    """`RESET /indexes?name=`: build it anew on this node."""
    database = await exchange.current_database()
    index = await built(exchange, database, exchange.query.required("name"))
    await exchange.services.live.indexer.reset(database, index.name)
    return reply(status=204)


async def replace_index(exchange: Exchange) -> web.Response:
    """`POST /indexes/replace?name=`: let a changed definition take its place now, on this node."""
    database = await exchange.current_database()
    name = exchange.query.required("name").removeprefix(SIDE_BY_SIDE_PREFIX)
    index = await built(exchange, database, name)
    await exchange.services.live.indexer.replace(database, index.name)
    return reply(status=204)


async def get_stats(exchange: Exchange) -> web.Response:
    """`GET /indexes/stats`."""
    database = await exchange.current_database()
    found = await states(exchange, database, await selected(exchange, database))
    return reply(wire.stats(found, teller(exchange)))


async def get_status(exchange: Exchange) -> web.Response:
    """`GET /indexes/status`."""
    database = await exchange.current_database()
    indexer = exchange.services.live.indexer
    with database.read() as txn:
        names = [record.name for record in indexes.every(txn)]
    found = [(name, indexer.index(database, name)) for name in names]
    return reply(wire.status(indexer.is_resting(database), found))


async def get_errors(exchange: Exchange) -> web.Response:
    """`GET /indexes/errors`."""
    database = await exchange.current_database()
    records = await selected(exchange, database)
    found = [index for index in await present(exchange, database, records) if index is not None]
    failures = await asyncio.to_thread(lambda: [(one.name, one.failures()) for one in found])
    return reply(wire.errors(failures))


async def clear_errors(exchange: Exchange) -> web.Response:
    """`DELETE /indexes/errors`: on this node."""
    database = await exchange.current_database()
    names = tuple(record.name for record in await selected(exchange, database))
    await exchange.services.live.indexer.clear_errors(database, names)
    return reply(status=204)


async def get_staleness(exchange: Exchange) -> web.Response:
    """`GET /indexes/staleness?name=`."""
    database = await exchange.current_database()
    index = await built(exchange, database, exchange.query.required("name"))
    return reply(wire.staleness(await asyncio.to_thread(_reasons, database, index)))


async def get_terms(exchange: Exchange) -> web.Response:
    """`GET /indexes/terms?name=&field=`."""
    database = await exchange.current_database()
    query = exchange.query
    index = await built(exchange, database, query.required("name"))
    field, after = query.required("field"), query.one("fromValue")
    size = query.integer("pageSize", default=1_024, low=0, high=PAGE_SIZE_MAX)
    found = await asyncio.to_thread(index.terms, field, after or None, size)
    return reply(wire.terms(found, etag=index.etag))


# -- for these routes and the statistics of a database


async def selected(exchange: Exchange, database: Database) -> list[IndexRecord]:
    """The indexes a request is about: those it names, or a page of all. Raises IndexMissing."""
    names = exchange.query.every("name")
    with database.read() as txn:
        if names:
            return [_named(txn, name) for name in names]
        records = indexes.every(txn)
    start = exchange.query.integer("start", default=0, low=0, high=2**31)
    size = exchange.query.integer("pageSize", default=2**31, low=0, high=2**31)
    return records[start : start + size]


def _named(txn: ReadTxn, name: str) -> IndexRecord:
    record = indexes.load(txn, name)
    if record is None:
        raise IndexMissing(name)
    return record


async def built(exchange: Exchange, database: Database, name: str) -> BuiltIndex:
    """An index as this node builds it. Raises IndexMissing."""
    with database.read() as txn:
        record = _named(txn, name)
    live = exchange.services.live
    index = await live.until(lambda: live.indexer.index(database, record.name), PRESENT_SECONDS)
    if index is None:
        raise BadArgument(f"Index '{name}' is not here yet")
    return index


async def present(
    exchange: Exchange,
    database: Database,
    records: Sequence[IndexRecord],
    *,
    seconds: float = PRESENT_SECONDS,
) -> list[BuiltIndex | None]:
    """Indexes as this node builds them; None for what is still not here when the time is over."""
    live = exchange.services.live

    def found() -> list[BuiltIndex | None]:
        return [live.indexer.index(database, record.name) for record in records]

    if seconds:
        await live.until(lambda: None if None in found() else True, seconds)
    return found()


async def states(
    exchange: Exchange,
    database: Database,
    records: Sequence[IndexRecord],
    *,
    is_brief: bool = False,
) -> list[wire.IndexState]:
    """How indexes stand; `is_brief` without what takes long to find out."""
    found = await present(exchange, database, records, seconds=0 if is_brief else PRESENT_SECONDS)
    pairs = list(zip(records, found, strict=True))
    return await asyncio.to_thread(
        lambda: [_state(database, record, index, is_brief) for record, index in pairs]
    )


def _state(
    database: Database, record: IndexRecord, index: BuiltIndex | None, is_brief: bool
) -> wire.IndexState:
    with database.read() as txn:
        last = documents.last_etag(txn)
        if index is None:  # it was just defined, or the indexer does not start
            return wire.IndexState(BuiltIndex(record, Path(), None), StoreStats(), True, last, last)
        stale = is_behind(index, txn, etag=index.etag)
    stats = StoreStats()
    if index.shape is not None and not is_brief:
        with suppress(IndexFileError):  # damaged, or just built anew
            stats = index.stats()
    return wire.IndexState(
        index,
        stats,
        stale,
        max(0, last - index.progress.document_etag),
        max(0, last - index.progress.tombstone_etag),
    )


def _reasons(database: Database, index: BuiltIndex) -> list[str]:
    with database.read() as txn:
        return reasons(index, txn)


INDEXES = f"{DATABASE}/indexes"
ADMIN = f"{DATABASE}/admin/indexes"
NAMED = knows("name", "clusterWide")
ROUTES = (
    Route("PUT", ADMIN, put_indexes),
    Route("PUT", INDEXES, put_indexes),
    # The official Python client forgets the `=` of a page size, which makes it a bare word.
    Route("GET", INDEXES, get_indexes, knows("name", "start", "pageSize", "namesOnly"), tags=True),
    Route("DELETE", INDEXES, delete_index, knows("name")),
    Route("RESET", INDEXES, reset_index, knows("name", "asSideBySide")),
    Route("POST", f"{INDEXES}/set-lock", set_lock),
    Route("POST", f"{INDEXES}/set-priority", set_priority),
    Route("POST", f"{INDEXES}/has-changed", has_changed),
    Route("POST", f"{INDEXES}/replace", replace_index, knows("name")),
    Route("GET", f"{INDEXES}/stats", get_stats, knows("name", "start", "pageSize")),
    Route("GET", f"{INDEXES}/status", get_status),
    Route("GET", f"{INDEXES}/errors", get_errors, knows("name")),
    Route("DELETE", f"{INDEXES}/errors", clear_errors, knows("name")),
    Route("GET", f"{INDEXES}/staleness", get_staleness, knows("name")),
    Route("GET", f"{INDEXES}/terms", get_terms, knows("name", "field", "fromValue", "pageSize")),
    Route("POST", f"{ADMIN}/start", start_indexing, NAMED),
    Route("POST", f"{ADMIN}/stop", stop_indexing, NAMED),
    Route("POST", f"{ADMIN}/enable", enable_index, NAMED),
    Route("POST", f"{ADMIN}/disable", disable_index, NAMED),
)
