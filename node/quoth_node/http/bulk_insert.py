"""`POST /bulk_insert`: a stream of documents into the log, batch by batch.

    socket -> pieces, inflated -> runs of whole commands -> batches -> two at most in the log

Each batch is saved whole or not at all; the stream is not one transaction, and what was saved
before it broke stays. While both batches wait for the log nothing is read, so the socket fills and
the client waits: no more than the two, the one being filled and a run are ever in memory.

The stream ends with its array. The official Node.js client never ends the request's body: it waits
for the answer behind the last bracket.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from aiohttp import hdrs, web
from aiohttp.web_protocol import RequestPayloadError

from quoth_cluster.commands import PutDocument, SaveBatch
from quoth_cluster.documents import fold_id
from quoth_cluster.outcomes import BatchSaved
from quoth_node.database.operations import ID_MAX, Operation, Status
from quoth_node.http.errors import (
    SENT_AGAIN,
    BadBody,
    BulkInsertAborted,
    HttpError,
    NotSupported,
    message_of,
    told,
)
from quoth_node.http.exchange import READ_HERE_BYTES_MAX, Exchange
from quoth_node.http.flight import Flight
from quoth_node.http.inflating import InflatedPieces, encoding_of
from quoth_node.http.operations import ending
from quoth_node.http.reply import reply
from quoth_node.http.route import DATABASE, Route, knows
from quoth_node.http.splitting import Splitter
from quoth_node.http.wire import inserts
from quoth_node.http.wire import operations as wire

BATCH_BYTES_MAX = 1_048_576
BATCH_DOCUMENTS_MAX = 1_000
PIECE_BYTES = 65_536
FREE_BYTES = READ_HERE_BYTES_MAX  # of each stream; of what waits beyond, all hold so much at once
STREAMED = b'"Type":"AttachmentPUT"'  # what follows such a command is no JSON


async def bulk_insert(exchange: Exchange) -> web.Response:
    """Take in documents until the client has sent all, and say when the last is saved."""
    operation_id = exchange.query.integer("id", low=0, high=ID_MAX)
    keep_equal = exchange.query.boolean("skipOverwriteIfUnchanged")
    database = await exchange.known_database()
    name = database.record.name
    operation = exchange.services.operations.begin(operation_id, name)
    try:
        await BulkInsert(exchange, operation, name, keep_equal=keep_equal).run()
    except ConnectionError:
        gone = BulkInsertAborted("The client went away before it had sent all")
        operation.end(*ending(gone))
        raise
    except Exception as error:
        operation.end(*ending(error))
        raise
    finally:
        # Only a node that stops leaves without having said how it ended.
        operation.end(*ending(BulkInsertAborted("This node stops")))
    return reply(status=201)


@dataclass(slots=True)
class Batch:
    """Documents that are saved together."""

    documents: list[PutDocument] = field(default_factory=list)
    names: set[bytes] = field(default_factory=set)  # folded ids
    bytes: int = 0

    @property
    def is_full(self) -> bool:
        """Whether it should be saved before more is added."""
        return self.bytes >= BATCH_BYTES_MAX or len(self.documents) >= BATCH_DOCUMENTS_MAX

    def add(self, document: PutDocument) -> None:
        self.documents.append(document)
        self.names.add(fold_id(document.document_id))
        size = len(document.body) + len(document.metadata) + len(document.document_id)
        self.bytes += size


class BulkInsert:
    """One stream of documents on its way."""

    def __init__(
        self, exchange: Exchange, operation: Operation, database: str, *, keep_equal: bool
    ) -> None:
        self._exchange = exchange
        self._operation = operation
        self._database = database
        self._keep_equal = keep_equal
        config = exchange.services.config
        self._idle_seconds = config.bulk_insert_idle_seconds
        self._splitter = Splitter(element_bytes_max=config.body_bytes_max)
        self._read = 0  # commands
        self._wrong: HttpError | None = None  # what the command behind them is refused with
        self._documents = 0  # saved
        self._batches = 0  # saved
        self._note(None)

    async def run(self) -> None:
        """Take in all of it. Raises what made it stop, after what was on its way has settled."""
        # No exception may leave the block: it would cancel what is on its way, whose outcome
        # nobody would know then.
        async with asyncio.TaskGroup() as tasks:
            flight: Flight[Batch] = Flight(tasks, self._save)
            stopped = await self._take_in(flight)
            failed = await flight.settled()
        error = failed or stopped
        try:
            if error is not None:
                raise not_to_be_sent_again(error)
        finally:
            # The error knows this frame, and all that read the body: such a ring would keep it.
            del error, failed, stopped, flight, tasks
            self._wrong = None
            self._splitter.let_go()
        self._operation.end(Status.COMPLETED, wire.bulk_insert_result(documents=self._documents))

    async def _take_in(self, flight: Flight[Batch]) -> Exception | None:
        """Read to the end; what made that impossible, if anything did."""
        batch = Batch()
        try:
            async for documents in self._incoming():
                for document in documents:
                    batch.add(document)
                    if batch.is_full:
                        await flight.add(batch, batch.names)
                        batch = Batch()
            if batch.documents:
                await flight.add(batch, batch.names)
        except Exception as error:
            return error
        return None

    async def _save(self, batch: Batch) -> None:
        services = self._exchange.services
        command = SaveBatch(
            database=self._database,
            at_micros=services.clock.now_micros(),
            node_tag=services.node_tag,
            commands=tuple(batch.documents),
            keep_equal=self._keep_equal,
        )
        agreed = await self._exchange.propose(command, BatchSaved)
        self._documents += len(batch.documents)
        self._batches += 1
        self._note(agreed.outcome.results[-1].document_id)

    def _note(self, last_id: str | None) -> None:
        self._operation.progress = wire.bulk_insert_progress(
            documents=self._documents, batches=self._batches, last_id=last_id
        )

    async def _incoming(self) -> AsyncIterator[list[PutDocument]]:
        """The documents of the body, in order, some at a time."""
        async for piece in self._pieces():
            async for documents in self._whole(self._splitter.feed(piece)):
                yield documents
            # Not every piece makes a run: blanks never do, and a gigabyte of them inflates fast.
            await asyncio.sleep(0)
        async for documents in self._whole(self._splitter.finish()):
            yield documents

    async def _whole(self, runs: Iterator[list[object]]) -> AsyncIterator[list[PutDocument]]:
        """The documents of each run as it becomes whole; others are served in between."""
        while True:
            self._operation.check()
            if len(self._splitter.waiting) <= READ_HERE_BYTES_MAX:
                documents = self._next(runs)
            else:
                async with self._exchange.heavy:
                    documents = await asyncio.to_thread(self._next, runs)
            self._exchange.hold_of_stream(max(len(self._splitter.waiting) - FREE_BYTES, 0))
            if documents is None:
                return
            yield documents
            await asyncio.sleep(0)

    def _next(self, runs: Iterator[list[object]]) -> list[PutDocument] | None:
        """The documents of the next run, if it is whole; those before a wrong command, too."""
        if self._wrong is not None:
            raise self._wrong
        try:
            values = next(runs, None)
        except BadBody as error:
            if STREAMED in self._splitter.waiting:
                raise NotSupported(inserts.not_supported("AttachmentPUT")) from error
            raise
        if values is None:
            return None
        documents: list[PutDocument] = []
        for value in values:
            try:
                document = inserts.read_insert(value, new_id=self._new_id)
            except HttpError as error:
                self._wrong = type(error)(f"Commands[{self._read}]: {error.message}")
                break
            self._read += 1
            if document is not None:
                documents.append(document)
        return documents

    def _new_id(self) -> str:
        return str(self._exchange.services.chance.uuid())

    async def _pieces(self) -> AsyncIterator[bytes]:
        """The body up to the end of the array, inflated, in pieces that take no long time each."""
        headers = self._exchange.request.headers.getall(hdrs.CONTENT_ENCODING, [])
        encoding = encoding_of(headers)
        inflating = None if encoding is None else InflatedPieces(encoding)
        content = self._exchange.request.content
        await self._exchange.expect_body()
        # Of a compressed body that is here as a whole, what ends it is read, too.
        while not self._splitter.is_complete or (inflating is not None and content.is_eof()):
            if not (chunk := await self._chunk()):
                break
            for piece in [chunk] if inflating is None else inflating.feed(chunk):
                for at in range(0, len(piece) or 1, PIECE_BYTES):  # an empty one took time, too
                    yield piece[at : at + PIECE_BYTES]
        if inflating is not None and content.is_eof():
            inflating.finish()

    async def _chunk(self) -> bytes:
        """What has come; empty at the end. Raises OperationKilled also while it waits."""
        operation = self._operation
        operation.check()  # nobody tells of a kill that came before
        try:
            async with asyncio.timeout(self._idle_seconds) as patience:
                operation.interrupted_by(lambda: patience.reschedule(0.0))
                return await self._exchange.request.content.readany()
        except RequestPayloadError as error:
            raise BadBody("The body is cut short or not encoded as it says") from error
        except TimeoutError as error:
            operation.check()
            seconds = self._idle_seconds
            raise BulkInsertAborted(f"Nothing came for {seconds:g} s") from error
        finally:
            operation.interrupted_by(None)


def not_to_be_sent_again(error: Exception) -> Exception:
    """The error in such words that no client sends the rest of a body that was begun."""
    answer = told(error)
    if answer is None or answer.status not in SENT_AGAIN:
        return error
    aborted = BulkInsertAborted(f"The bulk insert was aborted: {message_of(error)}")
    aborted.__cause__ = error
    return aborted


ROUTES = (
    Route("POST", f"{DATABASE}/bulk_insert", bulk_insert, knows("id", "skipOverwriteIfUnchanged")),
)
