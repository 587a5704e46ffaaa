"""A query under way: where its rows come from, its results on one snapshot, what is told of them.

    text -> tree -> documents of a collection, or hits of an index -> one snapshot -> results

A collection is read from the snapshot itself, so such a query is never stale. An index is asked
first, and then the snapshot, which is not older, says whether the index has read all of it.
"""

import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from quoth_cluster import compare_exchange
from quoth_cluster.documents import fold_id, last_etag, load
from quoth_cluster.machine import Database
from quoth_cluster.store.environment import ReadTxn
from quoth_node.http.asking import Asked
from quoth_node.http.budget import Budget
from quoth_node.http.exchange import Exchange
from quoth_node.http.results import Found, Results, ScriptsOfQuery
from quoth_node.http.streams import beside_the_loop
from quoth_node.http.wire import replies
from quoth_node.http.wire.queries import ResultHead
from quoth_node.querying import brevity
from quoth_node.querying.brevity import NotBrief
from quoth_node.querying.collection import (
    ByIds,
    ByPrefix,
    CollectionQuery,
    WholeCollection,
    collection_query,
    name_of,
)
from quoth_node.querying.door import Answer, Question, ReadyIndex
from quoth_node.querying.filtering import calls_in
from quoth_node.querying.scripts import ScriptProjection, asking
from quoth_node.rql import IncludeKind, Query, Random, SelectScript

ETAG_BYTES = 8
MILLIS = 1_000
READ_HERE_MAX = 32  # documents
NEW_INDEX_SECONDS = 15.0  # for what was made for a query: before, it has nothing to say


@dataclass(frozen=True, slots=True)
class HitsOfIndex:
    """What an index answered."""

    index: ReadyIndex
    answer: Answer


@dataclass(frozen=True, slots=True)
class Running:
    """A query of which it is known where its rows come from."""

    asked: Asked
    database: Database
    source: CollectionQuery | ReadyIndex
    began: float  # monotonic seconds
    is_brief: bool = False  # it is read on the event loop, or NotBrief is raised


async def run(exchange: Exchange, asked: Asked) -> Running:
    """Find where the rows come from; an index is waited for if it is to have read everything.

    Raises InvalidQuery, IndexMissing, IndexNotAvailable, DatabaseMissing, NotReadable.
    """
    began = exchange.services.clock.monotonic()
    database = await exchange.current_database()
    collection = collection_query(asked.query, asked.parameters)
    if collection is not None:
        return Running(asked, database, collection, began)
    name = database.record.name
    index = await exchange.services.indexes.choose(name, asked.query, asked.parameters)
    seconds = asked.wait_seconds
    if seconds is None and index.created_index is not None:
        seconds = NEW_INDEX_SECONDS
    if seconds is not None:
        with database.read() as txn:
            etag = last_etag(txn)
        await index.wait_for(etag, timeout_seconds=seconds)
    return Running(asked, database, index, began)


@dataclass(slots=True)
class Opened:
    """Results on their snapshot, and what is told of them before they are read."""

    txn: ReadTxn
    results: Results
    head: ResultHead


@contextmanager
def snapshot(exchange: Exchange, running: Running) -> Iterator[Opened]:
    """The results on one snapshot, for as long as the block. For a worker thread.

    Raises InvalidQuery, IndexNotAvailable; NotBrief if it was to be brief.
    """
    asked, source = running.asked, _asked_for_hits(running)
    with running.database.read() as txn:
        skip = asked.start
        if isinstance(source, HitsOfIndex):
            rows = _rows_of_hits(txn, source.answer)
            skip = asked.start if asked.is_paged_late else 0
            head = _head_of_hits(exchange, asked, source, txn, is_brief=running.is_brief)
        else:
            rows = (Found(document) for document in source.read(txn))
            head = _head_of_collection(exchange, asked, source, txn)
        results = Results(asked, txn, rows, scripts=_scripts(exchange, asked), skip=skip)
        yield Opened(txn, results, head)


@asynccontextmanager
async def opened(exchange: Exchange, running: Running) -> AsyncIterator[Opened]:
    """The same for the event loop, which only then does what a worker thread cannot."""
    with ExitStack() as stack:
        entering = partial(stack.enter_context, snapshot(exchange, running))
        yield await beside_the_loop(entering)


def _asked_for_hits(running: Running) -> CollectionQuery | HitsOfIndex:
    asked, source = running.asked, running.source
    if isinstance(source, CollectionQuery):
        return source
    question = Question(
        query=asked.query,
        parameters=asked.parameters,
        explains=asked.has(IncludeKind.EXPLANATIONS),
    )
    if not asked.is_paged_late:
        question = replace(question, start=asked.start, size=asked.size)
    if not running.is_brief:
        return HitsOfIndex(source, source.run(question))
    size = min(asked.size, brevity.ROWS_MAX + 1)
    answer = source.run(replace(question, size=size, is_brief=True))
    if len(answer.hits) > brevity.ROWS_MAX:
        raise NotBrief
    return HitsOfIndex(source, answer)


def is_short(running: Running) -> bool | None:
    """Whether it reads so little that a worker thread would take longer to come and go.

    None: an index has to be asked to know.
    """
    asked, source = running.asked, running.source
    if asked.query.loads or asked.query.includes or asked.is_paged_late:
        return False
    match source:
        case ByIds(ids=ids):
            return len(ids) <= READ_HERE_MAX
        case WholeCollection():
            return asked.size == 0  # a count
        case ByPrefix():
            return False
    return None


def has_scripts(query: Query) -> bool:
    """Whether JavaScript has a part in the results."""
    return isinstance(query.select, SelectScript) or bool(calls_in(query.filter))


def _scripts(exchange: Exchange, asked: Asked) -> ScriptsOfQuery:
    query, projecting = asked.query, exchange.services.projecting
    made = query.select if isinstance(query.select, SelectScript) else None
    calls = calls_in(query.filter)
    wanted = asking(calls) if calls else None
    return ScriptsOfQuery(
        *(
            ScriptProjection(query, select, asked.parameters, projecting) if select else None
            for select in (made, wanted)
        )
    )


def _rows_of_hits(txn: ReadTxn, told: Answer) -> Iterator[Found]:
    for hit in told.hits:
        if hit.document_id is None:
            yield Found(None, hit)
        elif (document := load(txn, hit.document_id)) is not None:
            yield Found(document, hit)
        # Else it was deleted since, and the answer is stale.


def _head_of_hits(
    exchange: Exchange, asked: Asked, hits: HitsOfIndex, txn: ReadTxn, *, is_brief: bool
) -> ResultHead:
    index, told = hits.index, hits.answer
    if is_brief and last_etag(txn) - told.indexed_etag > brevity.CHANGES_MAX:
        raise NotBrief
    is_stale = index.is_stale(told, txn)
    state = (index.name, index.definition_index, told.indexed_etag, is_stale, last_etag(txn))
    return ResultHead(
        index_name=index.name,
        total=told.total,
        etag=etag_of(*state),
        node_tag=exchange.services.node_tag,
        is_stale=is_stale,
        skipped=told.skipped,
        capped=_capped(asked, told.total),
        indexed_at=told.indexed_at_micros,
        asked_at=exchange.services.clock.now_micros(),
        included_paths=asked.included_paths,
        definition_index=index.definition_index,
        created_index=index.created_index,
        explanations=told.explanations if asked.has(IncludeKind.EXPLANATIONS) else None,
    )


def _head_of_collection(
    exchange: Exchange, asked: Asked, source: CollectionQuery, txn: ReadTxn
) -> ResultHead:
    name, total = name_of(asked.query.source), source.count(txn)
    return ResultHead(
        index_name=name,
        total=total,
        etag=etag_of(name, last_etag(txn)),
        node_tag=exchange.services.node_tag,
        capped=_capped(asked, total),
        included_paths=asked.included_paths,
    )


def finished_head(exchange: Exchange, running: Running, result: Opened) -> ResultHead:
    """What is told once all results are read."""
    seconds = exchange.services.clock.monotonic() - running.began
    milliseconds = round(seconds * MILLIS)
    timings: dict[str, Any] | None = None
    if running.asked.has(IncludeKind.TIMINGS):
        part = {"DurationInMs": milliseconds, "Timings": {}}
        timings = {"DurationInMs": milliseconds, "Timings": {"Query": part}}
    return replace(
        result.head,
        milliseconds=milliseconds,
        scanned=result.results.scanned,
        skipped=result.head.skipped + result.results.skipped,
        timings=timings,
    )


def includes_of(
    result: Opened, budget: Budget
) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Documents and compare-exchange values that the results name, by id and by key."""
    results, txn = result.results, result.txn
    known = {fold_id(document_id) for document_id in results.ids}
    documents: dict[str, bytes] = {}
    for name in results.included.every():
        if fold_id(name) in known or (document := load(txn, name)) is None:
            continue
        known.add(fold_id(name))
        documents[document.document_id] = budget.take(document.to_json())
    values = {
        key: budget.take(
            replies.compare_exchange_item(key, compare_exchange.get(txn, key))
        )
        for key in results.included_keys.every()
    }
    return documents, values


def etag_of(*state: object) -> int:
    """A number for a state of what a query reads: another state has another."""
    digest = hashlib.blake2b(repr(state).encode(), digest_size=ETAG_BYTES).digest()
    return int.from_bytes(digest, signed=True)


def may_be_cached(query: Query, *, has_values: bool) -> bool:
    """Whether the same state always gives the same answer."""
    return not has_values and not any(
        isinstance(ordering.by, Random) and ordering.by.seed is None for ordering in query.order_by
    )


def _capped(asked: Asked, total: int) -> int | None:
    return max(0, min(asked.size, total - asked.start)) if asked.is_capped else None
