"""Documents one by one and in pages: load, look, store, delete.

A load by a few ids is the hot path: one snapshot, and stored bytes spliced into the answer. What
may be large is read in a worker thread.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from aiohttp import hdrs, web

from quoth_cluster.commands import DeleteDocument, PutDocument, SaveBatch
from quoth_cluster.documents import (
    StoredDocument,
    last_etag,
    load,
    newest_first,
    starting_with,
)
from quoth_cluster.machine import Database
from quoth_cluster.outcomes import BatchSaved, DocumentPut
from quoth_cluster.store.environment import ReadTxn
from quoth_node.http.budget import Budget
from quoth_node.http.errors import BadRequest
from quoth_node.http.exchange import Agreed, Exchange
from quoth_node.http.loading import Wanted, load_all
from quoth_node.http.reply import reply
from quoth_node.http.route import DATABASE, Route, knows
from quoth_node.http.wildcard import Wildcards
from quoth_node.http.wire import bodies, records, replies

PAGE_SIZE_MAX = 2**31 - 1
LOADED_HERE_MAX = 32  # more are loaded beside the event loop
LOAD_PARAMETERS = knows("id", "include", "metadataOnly", "cmpxchg", "txMode")


async def get_documents(exchange: Exchange) -> web.Response:
    """`GET /docs`: by ids, by prefix, or the newest."""
    query = exchange.query
    if ids := query.every("id"):
        bodies.check_count(ids, bodies.IDS_MAX, "ids")
        return await load_documents(exchange, ids)
    return await page(exchange, read_wanted(exchange))


async def post_documents(exchange: Exchange) -> web.Response:
    """`POST /docs`: a load whose ids are too long for a URL."""
    ids = await exchange.parsed(bodies.read_ids)
    if not ids:
        raise BadRequest("Ids is empty: there is nothing to load")
    return await load_documents(exchange, ids)


async def load_documents(exchange: Exchange, ids: list[str]) -> web.Response:
    """Documents by id, in the order asked for."""
    query = exchange.query
    tx_mode = query.one("txMode")
    if tx_mode not in (None, "", "SingleNode", "ClusterWide"):
        raise BadRequest("txMode is 'SingleNode' or 'ClusterWide'")
    for document_id in ids:
        bodies.check_document_id(document_id)
    wanted = Wanted(
        ids=ids,
        paths=query.every("include"),
        keys=query.every("cmpxchg"),
        metadata_only=query.boolean("metadataOnly"),
        cluster_wide=tx_mode == "ClusterWide",
    )
    known = exchange.header(hdrs.IF_NONE_MATCH)
    database = await exchange.current_database()
    budget = Budget(exchange.reply_bytes_max, "ask for fewer documents at a time")

    def read() -> web.Response:
        with database.read() as txn:
            loaded = load_all(txn, wanted, database.record.cluster_transaction_id, budget)
        if len(ids) == 1 and loaded.results[0] is None and not wanted.cluster_wide:
            # As a part it has a body: the official Node.js client parses it whatever the status.
            return reply(b"" if exchange.part is None else loaded.to_json(), status=404)
        etag = loaded.etag()
        if etag is not None and etag == known:
            return reply(status=304)
        return reply(loaded.to_json(), etag=etag)

    if len(ids) <= LOADED_HERE_MAX and not wanted.paths and not wanted.keys:
        return read()
    return await asyncio.to_thread(read)


@dataclass(frozen=True, slots=True)
class NewestPage:
    """A page of all documents, the last changed first."""

    start: int
    size: int

    def read(self, txn: ReadTxn) -> Iterator[StoredDocument]:
        return islice(self.scan(txn), self.start, self.start + self.size)

    def scan(self, txn: ReadTxn) -> Iterator[StoredDocument]:
        """Documents in order, also those it does not want."""
        return newest_first(txn)

    def wants(self, document: StoredDocument) -> bool:
        """Whether the document counts, for this page or the ones before it."""
        return True


@dataclass(frozen=True, slots=True)
class PrefixPage:
    """A page of the documents whose ids begin alike, in the order of their ids."""

    prefix: str
    start_after: str | None
    matching: Wildcards
    excluding: Wildcards
    start: int
    size: int

    def read(self, txn: ReadTxn) -> Iterator[StoredDocument]:
        found = self.scan(txn)
        if self.matching or self.excluding:
            found = filter(self.wants, found)
        return islice(found, self.start, self.start + self.size)

    def scan(self, txn: ReadTxn) -> Iterator[StoredDocument]:
        """Documents in order, also those it does not want."""
        return starting_with(txn, self.prefix, start_after=self.start_after)

    def wants(self, document: StoredDocument) -> bool:
        """Whether the document counts, for this page or the ones before it."""
        rest = document.document_id[len(self.prefix) :]
        if self.matching and not self.matching.match(rest):
            return False
        return not self.excluding.match(rest)


def read_wanted(exchange: Exchange) -> NewestPage | PrefixPage:
    """The page that the parameters describe; without a prefix it is one of all documents."""
    query = exchange.query
    start, size = read_page(exchange)
    prefix = query.one("startsWith")
    if prefix is None:
        return NewestPage(start, size)
    bodies.check_document_id(prefix, "startsWith")
    return PrefixPage(
        prefix=prefix,
        start_after=query.one("startAfter") or None,
        matching=Wildcards.parse(query.one("matches")),
        excluding=Wildcards.parse(query.one("exclude")),
        start=start,
        size=size,
    )


def read_page(exchange: Exchange) -> tuple[int, int]:
    """Where the page starts, and how many documents it may hold."""
    query = exchange.query
    start = query.integer("start", 0, low=0, high=PAGE_SIZE_MAX)
    return start, query.integer("pageSize", PAGE_SIZE_MAX, low=0, high=PAGE_SIZE_MAX)


async def page(exchange: Exchange, wanted: NewestPage | PrefixPage) -> web.Response:
    """One page of documents, with the etag of the whole database: a page has none of its own."""
    metadata_only = exchange.query.boolean("metadataOnly")
    known = exchange.header(hdrs.IF_NONE_MATCH)
    database = await exchange.current_database()
    budget = Budget(exchange.reply_bytes_max, "ask with a smaller pageSize")
    tag = exchange.services.node_tag

    def read() -> tuple[str, bytes | None]:
        with database.read() as txn:
            etag = records.database_change_vector(tag, last_etag(txn), database.record)
            if etag == known:
                return etag, None
            found = (replies.one(document, metadata_only) for document in wanted.read(txn))
            return etag, replies.documents(map(budget.take, found))

    etag, body = await asyncio.to_thread(read)
    return reply(status=304) if body is None else reply(body, etag=etag)


async def head_document(exchange: Exchange) -> web.Response:
    """`HEAD /docs`: whether a document exists, and its change vector."""
    document_id = exchange.query.required("id")
    bodies.check_document_id(document_id)
    database = await exchange.current_database()
    with database.read() as txn:
        document = load(txn, document_id)
    if document is None:
        return reply(status=404)
    if document.change_vector == exchange.header(hdrs.IF_NONE_MATCH):
        return reply(status=304)
    return reply(etag=document.change_vector)


async def put_document(exchange: Exchange) -> web.Response:
    """`PUT /docs`: store one document."""
    document_id = exchange.query.required("id")
    expected = exchange.header(hdrs.IF_MATCH)
    command = await exchange.parsed(
        lambda body: bodies.read_document(document_id, body, expected_change_vector=expected)
    )
    saved = await save(exchange, command)
    match saved.outcome.results:
        case (DocumentPut() as result,):
            return reply(replies.put_saved(result), status=201)
        case _:
            # The state remembers the answer to another batch of this request id.
            raise BadRequest("This raft-request-id was used before; nothing was done now")


async def delete_document(exchange: Exchange) -> web.Response:
    """`DELETE /docs`: delete one document, or find that there was none."""
    document_id = exchange.query.required("id")
    bodies.check_document_id(document_id)
    expected = exchange.header(hdrs.IF_MATCH)
    await save(exchange, DeleteDocument(document_id, expected_change_vector=expected))
    return reply(status=204)


async def save(exchange: Exchange, *commands: PutDocument | DeleteDocument) -> Agreed[BatchSaved]:
    """A single-node transaction: all of `commands` or none."""
    command = batch_of(exchange, await exchange.known_database(), commands)
    return await exchange.propose(replace(command, request_id=exchange.request_id), BatchSaved)


def batch_of(
    exchange: Exchange, database: Database, commands: tuple[PutDocument | DeleteDocument, ...]
) -> SaveBatch:
    """The command of a single-node transaction, without a request id."""
    return SaveBatch(
        database=database.record.name,
        at_micros=exchange.services.clock.now_micros(),
        node_tag=exchange.services.node_tag,
        commands=commands,
    )


PAGE_PARAMETERS = knows("startsWith", "matches", "exclude", "startAfter", "start", "pageSize")
DOCS = f"{DATABASE}/docs"
ROUTES = (
    Route("GET", DOCS, get_documents, LOAD_PARAMETERS | PAGE_PARAMETERS),
    Route("POST", DOCS, post_documents, LOAD_PARAMETERS, reads=True),
    Route("HEAD", DOCS, head_document, knows("id")),
    Route("PUT", DOCS, put_document, knows("id")),
    Route("DELETE", DOCS, delete_document, knows("id")),
)
