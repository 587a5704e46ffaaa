"""`DELETE /queries` and `PATCH /queries`: every document that a query finds is deleted or patched.

The ids are found first, all of them; then they are changed batch by batch, while the client asks
how far it has come. Each batch is saved whole or not at all, and what was saved before one that
fails stays. A document that is gone meanwhile is passed over.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import orjson
from aiohttp import web

from quoth_cluster.commands import DeleteDocument, SaveBatch
from quoth_cluster.outcomes import BatchSaved, DocumentDeleted, Refused
from quoth_node.database.operations import Operation, Status
from quoth_node.http.asking import Asked, read_asked
from quoth_node.http.exchange import Exchange
from quoth_node.http.operations import ending
from quoth_node.http.query_run import opened, run
from quoth_node.http.reply import reply
from quoth_node.http.route import DATABASE, Route, knows
from quoth_node.http.wire import operations as progress
from quoth_node.http.wire import queries as wire
from quoth_node.patching import PatchBatch, PatchDocuments, PatchedMany, PatchTarget, Script
from quoth_node.querying.errors import InvalidQuery, StaleResults
from quoth_node.rql import Query

DELETED_AT_ONCE = 1_000
PATCHED_AT_ONCE = 64  # their scripts run one after the other
FOUND_MAX = 10_000_000  # ids, kept in memory until they are done
Change = Callable[[Sequence[str]], Awaitable[list[dict[str, Any]]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How the documents are to be changed."""

    may_be_stale: bool
    per_second_max: int | None
    wants_details: bool


async def delete_by_query(exchange: Exchange) -> web.Response:
    """`DELETE /queries`: the answer is an operation, which goes on by itself."""
    sent = await exchange.parsed(wire.read_query)
    asked = await read_asked(sent, metadata_only=True)
    return await begin(exchange, asked, Deleting(exchange).some, at_once=DELETED_AT_ONCE)


async def patch_by_query(exchange: Exchange) -> web.Response:
    """`PATCH /queries`: the same with a script for each document."""
    sent = await exchange.parsed(wire.read_patch_query)
    asked = await read_asked(sent, metadata_only=True, is_update=True)
    script = Script(script_of(asked.query), orjson.dumps(dict(asked.parameters)))
    return await begin(exchange, asked, Patching(exchange, script).some, at_once=PATCHED_AT_ONCE)


async def begin(exchange: Exchange, asked: Asked, change: Change, *, at_once: int) -> web.Response:
    """Start the operation. Raises InvalidQuery, DatabaseMissing, NotProposed, Busy."""
    query, services = exchange.query, exchange.services
    if asked.query.select is not None or asked.query.group_by or asked.query.includes:
        raise InvalidQuery("Documents are changed as they are: no select, group by, or include")
    options = Options(
        may_be_stale=query.boolean("allowStale"),
        per_second_max=query.integer("maxOpsPerSec", 0, low=0) or None,
        wants_details=query.boolean("details"),
    )
    seconds = query.timespan("staleTimeout", high=wire.WAIT_SECONDS_MAX)
    if seconds is not None:
        asked = replace(asked, wait_seconds=seconds)
    database = await exchange.current_database()
    number = await services.operations.ids.take(
        timeout_seconds=services.config.write_timeout_seconds
    )
    operation = services.operations.begin(number, database.record.name)
    changing = Changing(exchange, asked, options, operation)
    services.background.start(changing.run(change, at_once=at_once), name=f"operation {number}")
    return reply(wire.operation_begun(number, services.node_tag))


class Changing:
    """One operation on its way."""

    def __init__(
        self, exchange: Exchange, asked: Asked, options: Options, operation: Operation
    ) -> None:
        self._exchange = exchange
        self._asked = asked
        self._options = options
        self._operation = operation
        self._killed = asyncio.Event()
        self._details: list[dict[str, Any]] = []

    async def run(self, change: Change, *, at_once: int) -> None:
        """Find the documents and change them; how it ends is told by the operation."""
        operation = self._operation
        operation.interrupted_by(self._killed.set)
        try:
            ids = await self._find()
            changed = await self._change_all(ids, change, at_once)
        except Exception as error:
            operation.end(*ending(error))
        except asyncio.CancelledError:
            operation.end(Status.CANCELED, None)
            raise
        else:
            details = self._details if self._options.wants_details else []
            result = progress.changed_by_query(changed, query=self._asked.text, details=details)
            operation.end(Status.COMPLETED, result)

    async def _find(self) -> list[str]:
        exchange, running = self._exchange, await run(self._exchange, self._asked)
        async with exchange.queries, opened(exchange, running) as result:
            if result.head.is_stale and not self._options.may_be_stale:
                raise StaleResults(
                    "Cannot perform bulk operation. Query is stale: "
                    f"the index '{result.head.index_name}' has not read all documents yet"
                )
            async for _ in result.results.chunks():
                self._operation.check()
                if len(result.results.ids) > FOUND_MAX:
                    raise InvalidQuery(f"The query finds over {FOUND_MAX} documents")
            return result.results.ids

    async def _change_all(self, ids: list[str], change: Change, at_once: int) -> int:
        limit, clock = self._options.per_second_max, self._exchange.services.clock
        at_once = at_once if limit is None else min(at_once, limit)
        began, done = clock.monotonic(), 0
        self._operation.progress = progress.determinate_progress(len(ids), 0)
        for start in range(0, len(ids), at_once):
            self._operation.check()
            batch = list(islice(ids, start, start + at_once))
            details = await change(batch)
            if self._options.wants_details:
                self._details += details
            done += len(batch)
            self._operation.progress = progress.determinate_progress(len(ids), done)
            if limit is not None:
                await self._rest(began + done / limit - clock.monotonic())
        return len(ids)

    async def _rest(self, seconds: float) -> None:
        """Not faster than the client wants; a kill ends it."""
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._killed.wait()
        except TimeoutError:
            return


@dataclass(frozen=True, slots=True)
class Deleting:
    exchange: Exchange

    async def some(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Delete these, all or none. Raises ChangeRefused, NotProposed, FateUnknown."""
        exchange = self.exchange
        database = await exchange.known_database()
        command = SaveBatch(
            database=database.record.name,
            at_micros=exchange.services.clock.now_micros(),
            node_tag=exchange.services.node_tag,
            commands=tuple(DeleteDocument(document_id) for document_id in ids),
        )
        saved = await exchange.propose(command, BatchSaved)
        return [
            {"Id": one.document_id, "Deleted": one.deleted, "ChangeVector": one.change_vector}
            for one in saved.outcome.results
            if isinstance(one, DocumentDeleted)
        ]


@dataclass(frozen=True, slots=True)
class Patching:
    exchange: Exchange
    script: Script

    async def some(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Patch these, all or none. Raises PatchFailed, ChangeRefused, NotProposed, FateUnknown."""
        exchange = self.exchange
        database = await exchange.known_database()
        targets = tuple(PatchTarget(document_id) for document_id in ids)
        batch = PatchBatch(
            database=database.record.name,
            commands=(PatchDocuments(targets, self.script),),
            patience_ms=int(exchange.services.config.write_timeout_seconds * 1_000),
        )
        saved = await exchange.services.patches.save(batch)
        if isinstance(saved, Refused):
            raise exchange.refusal(saved)
        return [
            {"Id": one.document_id, "ChangeVector": one.change_vector, "Status": one.status}
            for result in saved.results
            if isinstance(result, PatchedMany)
            for one in result.results
        ]


def script_of(query: Query) -> str:
    """The script of a patch: what was declared, names of documents, and the update itself."""
    assert query.update is not None, "asked for with one"
    parts = [function.text for function in query.functions]
    named = f"const {query.source.alias} = this; " if query.source.alias else ""
    for load in query.loads:
        path = orjson.dumps(load.path.text).decode()
        found = f"loadPath(this, {path})"
        named += f"const {load.alias} = {f'[].concat({found})' if load.is_array else found}; "
    return "\n".join([*parts, named + query.update.text])


OPTIONS = knows("allowStale", "maxOpsPerSec", "details", "staleTimeout", "operationId")
QUERIES = f"{DATABASE}/queries"
ROUTES = (
    Route("DELETE", QUERIES, delete_by_query, OPTIONS),
    Route("PATCH", QUERIES, patch_by_query, OPTIONS),
)
