"""Documents one by one and in pages: load, look, store, delete.

A load by ids is the hot path: one snapshot, and stored bytes spliced into the answer. Pages may be
large, so they are read in a worker thread.
"""

import asyncio
import base64
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import orjson
from aiohttp import hdrs, web

from quoth_cluster.commands import (
    ATOMIC_GUARD_PREFIX,
    DeleteDocument,
    PutDocument,
    SaveBatch,
)
from quoth_cluster.compare_exchange import CompareExchangeValue
from quoth_cluster.compare_exchange import get as get_value
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
from quoth_node.http.errors import BadRequest
from quoth_node.http.exchange import Agreed, Exchange
from quoth_node.http.includes import ids_at, parse_path
from quoth_node.http.reply import reply
from quoth_node.http.route import DATABASE, Route, knows
from quoth_node.http.wildcard import Wildcards
from quoth_node.http.wire import bodies, records, replies

PAGE_SIZE_MAX = 2**31 - 1
LOAD_PARAMETERS = knows("id", "include", "metadataOnly", "cmpxchg", "txMode")


async def get_documents(exchange: Exchange) -> web.Response:
    """`GET /docs`: by ids, by prefix, or the newest."""
    query = exchange.query
    if ids := query.every("id"):
        return await load_documents(exchange, ids)
    prefix = query.one("startsWith")
    if prefix is None:
        return await page(exchange, NewestPage(*read_page(exchange)))
    bodies.check_document_id(prefix, "startsWith")
    start, size = read_page(exchange)
    wanted = PrefixPage(
        prefix=prefix,
        start_after=query.one("startAfter") or None,
        matching=Wildcards.parse(query.one("matches")),
        excluding=Wildcards.parse(query.one("exclude")),
        start=start,
        size=size,
    )
    return await page(exchange, wanted)


async def post_documents(exchange: Exchange) -> web.Response:
    """`POST /docs`: a load whose ids are too long for a URL."""
    ids = await exchange.parsed(bodies.read_ids)
    if not ids:
        raise BadRequest("Ids is empty: there is nothing to load")
    return await load_documents(exchange, ids)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Documents of one snapshot, with what they include."""

    results: list[StoredDocument | None]
    includes: list[StoredDocument]
    values: list[tuple[str, CompareExchangeValue | None]]
    guards: list[CompareExchangeValue]


async def load_documents(exchange: Exchange, ids: list[str]) -> web.Response:
    """Documents by id, in the order asked for."""
    query = exchange.query
    metadata_only = query.boolean("metadataOnly")
    paths, keys = query.every("include"), query.every("cmpxchg")
    tx_mode = query.one("txMode")
    if tx_mode not in (None, "", "SingleNode", "ClusterWide"):
        raise BadRequest("txMode is 'SingleNode' or 'ClusterWide'")
    cluster_wide = tx_mode == "ClusterWide"
    for document_id in ids:
        bodies.check_document_id(document_id)
    database = await exchange.current_database()
    with database.read() as txn:
        loaded = load_all(txn, ids, paths=paths, keys=keys, cluster_wide=cluster_wide)
    if len(ids) == 1 and loaded.results[0] is None and not cluster_wide:
        return reply(status=404)
    etag = etag_of(loaded, plain=len(ids) == 1 and not paths and not keys)
    if etag is not None and etag == exchange.header(hdrs.IF_NONE_MATCH):
        return reply(status=304)
    values = None
    if keys or loaded.guards:
        values = replies.compare_exchange_includes(
            loaded.values,
            loaded.guards,
            cluster_transaction_id=database.record.cluster_transaction_id,
        )
    # In a cluster transaction a missing document is left out: what the client takes from it is
    # the guard, if there is one.
    results = [r for r in loaded.results if r is not None] if cluster_wide else loaded.results
    body = replies.documents(
        results,
        metadata_only=metadata_only,
        includes=loaded.includes,
        compare_exchange_includes=values,
    )
    return reply(body, etag=etag)


def load_all(
    txn: ReadTxn, ids: list[str], *, paths: list[str], keys: list[str], cluster_wide: bool
) -> Loaded:
    """The documents and all they include, from one snapshot."""
    results = [load(txn, document_id) if document_id else None for document_id in ids]
    found = [document for document in results if document is not None]
    parsed = [orjson.loads(document.body) for document in found] if paths or keys else []
    guards = []
    if cluster_wide:
        missing = (i for i, result in zip(ids, results, strict=True) if result is None and i)
        read = (get_value(txn, ATOMIC_GUARD_PREFIX + name) for name in missing)
        guards = [guard for guard in read if guard is not None]
    return Loaded(
        results=results,
        includes=list(included(txn, found, named_by(parsed, paths))),
        values=[(key, get_value(txn, key)) for key in named_by(parsed, keys)],
        guards=guards,
    )


def named_by(parsed: list[object], paths: list[str]) -> list[str]:
    """The ids or keys that `paths` find in documents, each once; what can be none is left out."""
    named: dict[str, None] = {}
    for path in map(parse_path, paths):
        for value in parsed:
            named.update(dict.fromkeys(ids_at(value, path)))
    return [name for name in named if bodies.is_name(name)]


def included(
    txn: ReadTxn, results: Iterable[StoredDocument], ids: Iterable[str]
) -> Iterator[StoredDocument]:
    """The documents of `ids` that exist and are not among the results, each once."""
    seen = {document.document_id.lower() for document in results}
    for document_id in ids:
        document = load(txn, document_id)
        if document is not None and document.document_id.lower() not in seen:
            seen.add(document.document_id.lower())
            yield document


def etag_of(loaded: Loaded, *, plain: bool) -> str | None:
    """What changes whenever this answer does; None if nothing is known to.

    For one document it is the change vector itself: clients compare and quote it.
    """
    if loaded.values or loaded.guards:
        return None
    first = loaded.results[0]
    if plain:
        return first.change_vector if first is not None else None
    digest = hashlib.sha256()
    for document in (*loaded.results, None, *loaded.includes):
        named = f"{document.document_id}\n{document.change_vector}\0" if document else "\0"
        digest.update(named.encode())
    return f"Hash-{base64.b64encode(digest.digest()).decode()}"


@dataclass(frozen=True, slots=True)
class NewestPage:
    """A page of all documents, the last changed first."""

    start: int
    size: int

    def read(self, txn: ReadTxn) -> Iterator[StoredDocument]:
        return islice(newest_first(txn), self.start, self.start + self.size)


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
        found = starting_with(txn, self.prefix, start_after=self.start_after)
        if self.matching or self.excluding:
            found = (document for document in found if self._wants(document.document_id))
        return islice(found, self.start, self.start + self.size)

    def _wants(self, document_id: str) -> bool:
        rest = document_id[len(self.prefix) :]
        if self.matching and not self.matching.match(rest):
            return False
        return not self.excluding.match(rest)


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
    limit = exchange.services.config.reply_bytes_max
    tag = exchange.services.node_tag

    def read() -> tuple[str, bytes | None]:
        with database.read() as txn:
            etag = records.database_change_vector(tag, last_etag(txn), database.record)
            if etag == known:
                return etag, None
            return etag, replies.documents(
                bounded(wanted.read(txn), limit), metadata_only=metadata_only
            )

    etag, body = await asyncio.to_thread(read)
    return reply(status=304) if body is None else reply(body, etag=etag)


def bounded(found: Iterable[StoredDocument], limit: int) -> Iterator[StoredDocument]:
    """`found`, or BadRequest once it takes more bytes than a reply may have."""
    total = 0
    for document in found:
        total += len(document.body)
        if total > limit:
            raise BadRequest(f"This page is over the limit of {limit} bytes: ask with a pageSize")
        yield document


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
    database: Database = await exchange.known_database()
    command = SaveBatch(
        database=database.record.name,
        at_micros=exchange.services.clock.now_micros(),
        node_tag=exchange.services.node_tag,
        commands=commands,
        request_id=exchange.request_id,
    )
    return await exchange.propose(command, BatchSaved)


PAGE_PARAMETERS = knows("startsWith", "matches", "exclude", "startAfter", "start", "pageSize")
DOCS = f"{DATABASE}/docs"
ROUTES = (
    Route("GET", DOCS, get_documents, LOAD_PARAMETERS | PAGE_PARAMETERS),
    Route("POST", DOCS, post_documents, LOAD_PARAMETERS),
    Route("HEAD", DOCS, head_document, knows("id")),
    Route("PUT", DOCS, put_document, knows("id")),
    Route("DELETE", DOCS, delete_document, knows("id")),
)
