"""One request on its way: what it says, and the two ways it may reach state.

Reads wait until this node holds all that was acknowledged before they came, then look at one
snapshot. Writes go to the log and come back when they are applied here.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.web_protocol import RequestPayloadError

from quoth_cluster.commands import Command, encode
from quoth_cluster.errors import NotReadable
from quoth_cluster.machine import Database
from quoth_cluster.outcomes import Refusal, Refused
from quoth_cluster.raft.door import Role
from quoth_node.http.errors import (
    BadBody,
    BadRequest,
    BodyTooLarge,
    BodyTooSlow,
    ChangeRefused,
    DatabaseDisabled,
    DatabaseMissing,
    NodeIsPassive,
)
from quoth_node.http.held import HeldBodies
from quoth_node.http.inflating import encoding_of, inflated
from quoth_node.http.pace import Pace
from quoth_node.http.query import Query
from quoth_node.http.services import Services

T = TypeVar("T")
REQUEST_ID_CHARACTERS_MAX = 128
READ_HERE_BYTES_MAX = 262_144
INFLATE_HERE_BYTES_MAX = 1_024  # at most some 1_000 times as much comes of it
LOCAL = "local"
HOST = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")


@dataclass(frozen=True, slots=True)
class Agreed(Generic[T]):
    """What the log made of a command, once it was accepted."""

    log_index: int
    command_index: int
    outcome: T


@dataclass(frozen=True, slots=True)
class Part:
    """A request within another one: of a multi-get, or a save."""

    method: str
    target: str
    headers: Mapping[str, str]  # by names as routes ask for them: If-None-Match
    body: bytes
    is_save: bool = False  # its route was not named by the client, so it need not be a read


@dataclass(slots=True)
class Exchange:
    """One request, read as far as every route needs it."""

    services: Services
    request: web.BaseRequest  # what it came with: for a part, the whole
    headers: Mapping[str, str]
    target: str  # path and query as they were sent
    query: Query
    database_name: str | None
    heavy: asyncio.Lock  # one at a time of what keeps a processor busy: the event loop needs it
    streams: asyncio.Semaphore  # the answers under way that hold a snapshot
    queries: asyncio.Semaphore  # those under way: each holds a snapshot
    reply_bytes_max: int
    serve_part: "Callable[[Exchange, Part], Awaitable[web.Response]]"
    bodies: HeldBodies  # those of all requests
    part: Part | None = None  # set if it came within another request
    held_bytes: int = 0  # of this one, until it is answered

    def let_go(self) -> None:
        """The request is answered: its body is not needed any more."""
        self.bodies.give_back(self.held_bytes)
        self.held_bytes = 0

    def hold_of_stream(self, size: int) -> None:
        """Hold `size` bytes of a body that is read bit by bit, no matter how many before.

        Raises Busy if there is no room for more.
        """
        more = size - self.held_bytes
        if more > 0:
            self.bodies.take(more, may_rest=True)
        elif more < 0:
            self.bodies.give_back(-more)
        self.held_bytes = size

    def _hold(self, size: int) -> None:
        self.bodies.take(size)
        self.held_bytes += size

    @property
    def own_url(self) -> str:
        """This node's address as the client wrote it: behind a proxy, only that one works."""
        host = self.request.headers.get(hdrs.HOST, "")
        if HOST.fullmatch(host):
            return f"{self.request.scheme}://{host}"
        tag = self.services.node_tag
        return next((m.url for m in self.services.raft.status().members if m.tag == tag), "")

    @property
    def request_id(self) -> str | None:
        """The id that makes a retry safe, if the client gave one."""
        request_id = self.query.one("raft-request-id")
        if request_id and len(request_id) > REQUEST_ID_CHARACTERS_MAX:
            raise BadRequest(f"raft-request-id is over {REQUEST_ID_CHARACTERS_MAX} characters long")
        return request_id or None

    def header(self, name: str) -> str | None:
        """A header without its quotes; None if it is absent.

        Raises BadRequest for bytes that are no text.
        """
        value = self.headers.get(name)
        if value is None:
            return None
        if not value.isascii() and not is_text(value):
            raise BadRequest(f"The header {name} is not UTF-8")
        return unquoted(value)

    async def parsed(self, read: Callable[[bytearray], T]) -> T:
        """What `read` makes of the body; a long one is read beside the event loop.

        Raises what `read` raises, BodyTooLarge, BadBody, EncodingNotSupported.
        """
        body = await self.body()
        if len(body) <= READ_HERE_BYTES_MAX:
            return read(body)
        async with self.heavy:
            return await asyncio.to_thread(read, body)

    async def body(self) -> bytearray:
        """The whole body, inflated; never more of it in memory than the limit and one chunk.

        Raises BodyTooLarge, BodyTooSlow, BadBody, EncodingNotSupported, Busy.
        """
        if self.part is not None:
            return bytearray(self.part.body)
        limit = self.services.config.body_bytes_max
        encoding = encoding_of(self.request.headers.getall(hdrs.CONTENT_ENCODING, []))
        whole = await self._sent_body(limit)
        if encoding is None or not whole:
            return whole
        if len(whole) <= INFLATE_HERE_BYTES_MAX:
            whole = inflated(whole, encoding, limit)
        else:
            async with self.heavy:
                whole = await asyncio.to_thread(inflated, whole, encoding, limit)
        self._hold(len(whole))
        return whole

    async def _sent_body(self, limit: int) -> bytearray:
        too_large = f"The body is over the limit of {limit} bytes"
        if (self.request.content_length or 0) > limit:
            raise BodyTooLarge(too_large)
        config, whole = self.services.config, bytearray()
        if not self.request.can_read_body:
            return whole
        await self.bodies.admit(
            self.request.content_length, patience_seconds=config.body_admission_seconds
        )
        await self.expect_body()
        pace = Pace(config.body_idle_seconds_max, config.body_bytes_per_second_min)
        while chunk := await self._next_piece(pace):
            self._hold(len(chunk))
            whole += chunk
            if len(whole) > limit:
                raise BodyTooLarge(too_large)
        return whole

    async def _next_piece(self, pace: Pace) -> bytes:
        clock, content = self.services.clock, self.request.content
        since = clock.monotonic()
        try:
            if content.is_eof():  # all of it is here, as it mostly is: nothing to wait for
                return content.read_nowait()
            async with asyncio.timeout(pace.patience_seconds()):
                chunk = await content.readany()
        except TimeoutError as error:
            raise BodyTooSlow(
                f"The body came too slowly: {pace.received_bytes} bytes are here, and the next "
                "did not follow in time"
            ) from error
        except RequestPayloadError as error:
            raise BadBody(
                "The body could not be read: it is cut short or not encoded as it says"
            ) from error
        pace.received(len(chunk), waited_seconds=clock.monotonic() - since)
        return chunk

    async def expect_body(self) -> None:
        """Ask for the body, if the client waits to be asked."""
        expect = self.request.headers.get(hdrs.EXPECT, "")
        if expect.lower() != "100-continue" or self.request.version < HttpVersion11:
            return
        writer = self.request.writer
        await writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # Headers of the answer come yet.
        writer.output_size = 0

    def check_membership(self) -> None:
        """Raise NodeIsPassive unless this node belongs to a cluster."""
        if self.services.raft.role is Role.PASSIVE:
            raise NodeIsPassive(
                f"Node {self.services.node_tag} is passive: it is not a member of a cluster"
            )

    async def current(self) -> None:
        """Return when this node holds what this request may not miss.

        Raises NotReadable.
        """
        raft, seconds = self.services.raft, self.services.config.read_timeout_seconds
        if self.part is not None:
            return  # what it came with has waited
        # Unparsable means unknown: a header about caching and order never fails a request.
        known = self.header("Known-Raft-Index") or ""
        if known.isascii() and known.isdigit():
            command_index = int(known[:20])
            if not await raft.wait_for_command(command_index, timeout_seconds=seconds):
                raise NotReadable(
                    f"Command {command_index} is not applied on node {self.services.node_tag} yet"
                )
        if not self._is_local():
            await raft.current(timeout_seconds=seconds)

    async def current_database(self) -> Database:
        """The database of this route, ready for a current read.

        Raises NotReadable, DatabaseMissing, DatabaseDisabled.
        """
        assert self.database_name is not None, "only routes of a database ask for it"
        await self.current()
        return self._local_database(self.database_name)

    async def known_database(
        self, name: str | None = None, *, even_disabled: bool = False
    ) -> Database:
        """The database, if this node knows it or can learn of it; its state may lag.

        A missing database must not cost a log entry, and one just created elsewhere exists; so it
        is with a disabled one.
        Raises NotReadable, DatabaseMissing, DatabaseDisabled unless `even_disabled`.
        """
        wanted = name or self.database_name
        assert wanted is not None, "a database has a name"
        database = self.services.machine.database(wanted)
        if database is not None and (even_disabled or not database.record.disabled):
            return database
        await self.services.raft.current(timeout_seconds=self.services.config.read_timeout_seconds)
        return self._local_database(wanted, even_disabled=even_disabled)

    async def propose(self, command: Command, answer: type[T]) -> Agreed[T]:
        """Put a command into the log; return what it came to, applied on this node.

        Raises ChangeRefused, DatabaseMissing, NotProposed, TooLarge, FateUnknown.
        """
        applied = await self.services.raft.propose(
            encode(command), timeout_seconds=self.services.config.write_timeout_seconds
        )
        outcome = applied.outcome
        if isinstance(outcome, Refused):
            raise self.refusal(outcome)
        assert isinstance(outcome, answer), f"{type(command).__name__} -> {outcome!r}"
        return Agreed(applied.log_index, applied.command_index, outcome)

    def refusal(self, refused: Refused) -> DatabaseMissing | ChangeRefused:
        """The error that tells a refusal."""
        if refused.refusal == Refusal.NO_DATABASE and self.database_name is not None:
            return DatabaseMissing(self.database_name)
        return ChangeRefused(refused)

    def _local_database(self, name: str, *, even_disabled: bool = False) -> Database:
        database = self.services.machine.database(name)
        if database is None:
            raise DatabaseMissing(name)
        if database.record.disabled and not even_disabled:
            raise DatabaseDisabled(database.record.name)
        return database

    def _is_local(self) -> bool:
        asked = self.query.one("consistency") or self.header("Quoth-Consistency") or ""
        if asked.lower() not in ("", LOCAL, "linearizable"):
            raise BadRequest(f"consistency is '{LOCAL}' or 'linearizable', not '{asked[:40]}'")
        return asked.lower() == LOCAL


def is_text(value: str) -> bool:
    """Whether no raw byte hides in `value` as a lone surrogate."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def unquoted(value: str) -> str:
    """A header value without the quotes around it."""
    value = value.strip()
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] == '"' else value
