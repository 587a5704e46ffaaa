"""What a database holds, counted from one snapshot."""

import asyncio

from aiohttp import web

from quoth_cluster.collection_totals import every as every_collection
from quoth_cluster.compare_exchange import count as count_values
from quoth_cluster.documents import count as count_documents
from quoth_cluster.documents import (
    last_document_etag,
    last_etag,
    tombstone_count,
)
from quoth_cluster.identities import count as count_identities
from quoth_cluster.indexes import every as every_index
from quoth_cluster.machine import Database
from quoth_node.http.exchange import Exchange
from quoth_node.http.indexes import states
from quoth_node.http.reply import reply
from quoth_node.http.route import DATABASE, Route, knows
from quoth_node.http.topology import teller
from quoth_node.http.wire import records
from quoth_node.http.wire.indexes import summary
from quoth_node.http.wire.records import Counts


async def get_statistics(exchange: Exchange) -> web.Response:
    """`GET /stats`."""
    return await statistics(exchange, detailed=False)


async def get_detailed_statistics(exchange: Exchange) -> web.Response:
    """`GET /stats/detailed`: with what the cluster agrees on."""
    return await statistics(exchange, detailed=True)


async def statistics(exchange: Exchange, *, detailed: bool) -> web.Response:
    database = await exchange.current_database()
    counts = await asyncio.to_thread(count, database)
    with database.read() as txn:
        defined = every_index(txn)
    # Clients ask this to see whether a node lives: it waits for nothing.
    found = await states(exchange, database, defined, is_brief=True)
    body = records.statistics(
        database.record,
        counts,
        teller(exchange),
        indexes=[summary(state) for state in found],
        size_bytes=database.size_bytes(),
        detailed=detailed,
    )
    return reply(body)


async def get_collection_statistics(exchange: Exchange) -> web.Response:
    """`GET /collections/stats`: how many documents of each kind."""
    database = await exchange.current_database()
    counts = await asyncio.to_thread(count, database)
    return reply(records.collection_statistics(counts))


async def get_detailed_collection_statistics(exchange: Exchange) -> web.Response:
    """`GET /collections/stats/detailed`: what each kind of document takes."""
    database = await exchange.current_database()
    counts = await asyncio.to_thread(count, database)
    return reply(records.detailed_collection_statistics(counts))


def count(database: Database) -> Counts:
    with database.read() as txn:
        return Counts(
            documents=count_documents(txn),
            tombstones=tombstone_count(txn),
            identities=count_identities(txn),
            compare_exchange=count_values(txn),
            last_etag=last_etag(txn),
            last_document_etag=last_document_etag(txn),
            collections=tuple(every_collection(txn)),
        )


COLLECTIONS = f"{DATABASE}/collections/stats"
ROUTES = (
    # Clients ask a node that failed before with `?failure=check`.
    Route("GET", f"{DATABASE}/stats", get_statistics, knows("failure"), tags=True),
    Route("GET", f"{DATABASE}/stats/detailed", get_detailed_statistics, tags=True),
    Route("GET", COLLECTIONS, get_collection_statistics, tags=True),
    Route("GET", f"{COLLECTIONS}/detailed", get_detailed_collection_statistics, tags=True),
)
