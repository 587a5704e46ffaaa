"""`GET /streams/docs`: documents as long as there are some, from one snapshot, in bounded memory.

A chunk is read beside the event loop, written, and only when the client has taken it the next one
is read. A snapshot that is held keeps the storage from using its space again, so a stream may take
only so long, and the files may grow only so much meanwhile. Then it ends with an error in the place
of a document; whoever wants the rest asks again, behind the last id it has.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from typing import Protocol, TypeVar

from aiohttp import web

from quoth_cluster.documents import StoredDocument
from quoth_cluster.errors import Busy
from quoth_cluster.machine import Database
from quoth_node.http.documents import (
    PAGE_PARAMETERS,
    NewestPage,
    PrefixPage,
    read_wanted,
)
from quoth_node.http.errors import UNEXPECTED, BadArgument, StreamEnded, message_of, told
from quoth_node.http.exchange import Exchange
from quoth_node.http.reply import streamed
from quoth_node.http.route import DATABASE, Route, knows
from quoth_node.http.wire import replies

T = TypeVar("T")
CHUNK_BYTES = 262_144
SCANNED_MAX = 2_048  # documents looked at for one chunk, wanted or not
JSON_LINES, ONE_OBJECT = "jsonl", "json"


async def stream_documents(exchange: Exchange) -> web.StreamResponse:
    """Documents by prefix in the order of their ids, or all of them, the newest first."""
    query = exchange.query
    wanted = read_wanted(exchange)
    as_lines, metadata_only = wants_lines(exchange), query.boolean("metadataOnly")
    database = await exchange.current_database()
    async with a_place_for_a_stream(exchange):
        with database.read() as txn:
            documents = Documents(wanted.scan(txn), wanted, metadata_only=metadata_only)
            shape = replies.LINES if as_lines else replies.RESULTS
            return await Stream(exchange, database, documents, shape).send()


def wants_lines(exchange: Exchange) -> bool:
    """Whether each result is to be a line. Raises BadArgument."""
    shape = (exchange.query.one("format") or ONE_OBJECT).lower()
    if shape not in (JSON_LINES, ONE_OBJECT):
        raise BadArgument(f"format is '{JSON_LINES}' or '{ONE_OBJECT}', not '{shape[:40]}'")
    return shape == JSON_LINES


@asynccontextmanager
async def a_place_for_a_stream(exchange: Exchange) -> AsyncIterator[None]:
    """One of the few streams at once. Raises Busy."""
    if exchange.streams.locked():
        raise Busy("too many streams are under way on this node; try again later")
    async with exchange.streams:
        yield


class Documents:
    """What is left of the documents of a snapshot. Used by one thread at a time."""

    def __init__(
        self,
        found: Iterator[StoredDocument],
        wanted: NewestPage | PrefixPage,
        *,
        metadata_only: bool,
    ) -> None:
        self._found = found
        self._wants = wanted.wants
        self._skip = wanted.start
        self._left = wanted.size
        self._metadata_only = metadata_only
        self.is_done = wanted.size == 0

    async def next_chunk(self) -> list[bytes]:
        """The next documents, read beside the event loop."""
        return await beside_the_loop(self.chunk)

    def chunk(self) -> list[bytes]:
        """The next documents; perhaps none, though there are more to come."""
        taken: list[bytes] = []
        size, scanned = 0, 0
        for document in () if self.is_done else islice(self._found, SCANNED_MAX):
            scanned += 1
            if not self._wants(document):
                continue
            if self._skip:
                self._skip -= 1
                continue
            taken.append(replies.one(document, self._metadata_only))
            self._left -= 1
            size += len(taken[-1])
            if size >= CHUNK_BYTES or not self._left:
                break
        self.is_done = not self._left or (scanned < SCANNED_MAX and size < CHUNK_BYTES)
        return taken


class Chunks(Protocol):
    """What is streamed, chunk by chunk."""

    is_done: bool

    async def next_chunk(self) -> list[bytes]:
        """The next results as JSON; perhaps none, though there are more to come."""


class Shape(Protocol):
    """How results are written: each a line, or all in one object."""

    @property
    def content_type(self) -> str: ...

    @property
    def start(self) -> bytes: ...

    @property
    def end(self) -> bytes: ...

    def joined(self, items: list[bytes], *, is_first: bool) -> bytes:
        """Some results."""

    def failed(self, error_body: bytes) -> bytes:
        """The end of a stream that does not come to its end."""


class Stream:
    """One answer on its way."""

    def __init__(
        self,
        exchange: Exchange,
        database: Database,
        source: Chunks,
        shape: Shape,
    ) -> None:
        self._exchange = exchange
        self._database = database
        self._source = source
        self._shape = shape
        self._config = exchange.services.config
        self._clock = exchange.services.clock
        self._began = self._clock.monotonic()
        self._bytes_before = database.size_bytes()

    async def send(self) -> web.StreamResponse:
        """Send all of it. Raises ConnectionError for a client that is gone or does not read."""
        chunk = await self._source.next_chunk()  # what fails here has a status yet
        response = streamed(self._shape.content_type)
        await response.prepare(self._exchange.request)
        await self._patiently(response.write(self._shape.start))
        is_first, end = True, self._shape.end
        try:
            while True:
                if chunk:
                    joined = self._shape.joined(chunk, is_first=is_first)
                    await self._patiently(response.write(joined))
                    is_first = False
                if self._source.is_done:
                    break
                self._check()
                chunk = await self._source.next_chunk()
        except ConnectionError:
            raise
        except Exception as error:
            # A status was sent already, so the error stands where a document would.
            answer = told(error) or UNEXPECTED
            body = replies.error(self._exchange.target, answer.official, message_of(error))
            end = self._shape.failed(body)
        await self._patiently(response.write_eof(end))
        return response

    def _check(self) -> None:
        """Raise StreamEnded if the snapshot was held long enough."""
        seconds, limit = self._config.stream_seconds_max, self._config.stream_growth_bytes_max
        advice = "ask for the rest with startAfter"
        if self._clock.monotonic() - self._began > seconds:
            raise StreamEnded(f"The stream ends early, it took over {seconds:g} s: {advice}")
        if self._database.size_bytes() - self._bytes_before > limit:
            raise StreamEnded(f"The stream ends early, {limit} bytes were written: {advice}")

    async def _patiently(self, write: Awaitable[None]) -> None:
        """Write, and wait for the client to read. Raises ConnectionError if it does not."""
        seconds = self._config.stalled_seconds_max
        try:
            async with asyncio.timeout(seconds):
                await write
        except TimeoutError as error:
            transport = self._exchange.request.transport
            if transport is not None:
                transport.abort()
            raise ConnectionError(f"the client has read nothing for {seconds:g} s") from error


async def beside_the_loop(read: Callable[[], T]) -> T:
    """What `read` gives, in a worker thread; has ended also when the caller is cancelled.

    The snapshot must not be let go while a thread reads it.
    """
    reading = asyncio.get_running_loop().run_in_executor(None, read)
    try:
        return await asyncio.shield(reading)
    except asyncio.CancelledError:
        await asyncio.wait([reading])
        raise


ROUTES = (
    Route(
        "GET",
        f"{DATABASE}/streams/docs",
        stream_documents,
        PAGE_PARAMETERS | knows("format", "metadataOnly"),
        alone=True,
    ),
)
