"""Which node next, and what is safe to do again.

A read may be asked of every node. A write goes to another node only after the last one certainly
did not carry it out: no connection, or its own word (503). Any other failure of a write ends in
FateUnknown at once: the caller must look before doing it again. Every write carries one request id
through all its attempts, so that a server which did see it answers as it did the first time.

While at least one node answers that it cannot take a request now, an election for instance, the
request is offered again for `failover_seconds`; when nobody answers at all, or the database is
disabled, it fails at once.

It decides and does nothing: it yields requests and pauses, and `network.py` of either kind of store
carries them out.
"""

import gzip
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, TypeVar
from urllib.parse import quote

import orjson

from quoth.caching import AnswerCache, Kept
from quoth.clock import Clock
from quoth.commands import Command, Reply, WireRequest, read_reply
from quoth.conventions import Conventions
from quoth.errors import BadRequest, DatabaseDisabled, FateUnknown, Misuse, NotSent, QuothError
from quoth.lanes import Lanes
from quoth.manner import PLAIN, Manner
from quoth.nodes import Nodes
from quoth.replies import error_of, may_have_happened
from quoth.topology import Topology, from_cluster_answer, from_database_answer
from quoth.transport import HttpRequest, HttpResponse

# The protocol this client speaks. Without it a server takes the client for one that knows no
# atomic guards, and leaves them out.
CLIENT_VERSION = "7.2.7"
GZIP_BYTES_MIN, GZIP_LEVEL = 4_096, 1
BACKOFF_SECONDS_MIN, BACKOFF_SECONDS_MAX = 0.05, 1.0

TOPOLOGY_SECONDS_MAX = 5.0
HANGING_SECONDS_MIN = 1.0  # who gives up sooner says nothing of the node

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Open:
    """Send a request, and leave the body of its answer to be read piece by piece."""

    request: HttpRequest


@dataclass(frozen=True, slots=True)
class Pause:
    """Do nothing for so long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Beside:
    """Carry out other steps beside these, and wait for nothing."""

    steps: "Generator[Step, Any, None]"


# A request alone is sent, and its whole response is the result; that of Open has a stream, too.
Step = HttpRequest | Open | Pause | Beside
WireSteps = Generator[Step, Any, T]


@dataclass(frozen=True, slots=True)
class _Call:
    """One command on its way, the same for every node."""

    request: WireRequest
    target: str
    headers: dict[str, str]
    is_read: bool
    is_opened: bool
    context: str | None


@dataclass(frozen=True, slots=True)
class _Taken:
    """A node took it. `stream` is there if the answer was to be opened."""

    response: HttpResponse
    stream: Any


class Executor:
    """Carries commands to the nodes of one database, or of the cluster if `database` is None.

    Any number of tasks or threads may use it at once. Invariant: a command with `is_for_database`
    needs a database.
    """

    def __init__(
        self,
        urls: Sequence[str],
        database: str | None,
        *,
        conventions: Conventions,
        clock: Clock,
        cache: AnswerCache | None = None,
    ) -> None:
        self.database = database
        self.nodes = Nodes(urls, conventions, clock)
        self._known_urls = tuple(urls)
        self._conventions = conventions
        self._clock = clock
        self._cache = cache
        self._place = "" if database is None else f"/databases/{quote(database, safe='')}"
        self._is_stale = True
        self._asking = Lock()  # held by the one who asks for the topology; nobody waits for it
        self.lanes = Lanes(conventions)

    def execute(
        self,
        command: Command[T],
        *,
        known_raft_index: int | None = None,
        request_id: str | None = None,
        manner: Manner = PLAIN,
    ) -> WireSteps[T]:
        """The answer to a command, from whichever node gave one.

        `known_raft_index`: the node waits until it has applied that much, so that a session reads
        what its cluster transactions wrote. `request_id` is that of a write which may have been
        offered before. `manner` is that of the session.
        """
        call = self._call(command, known_raft_index, request_id=request_id, context=manner.context)
        cache = self._cache if self.lanes.may_be_cached(command, manner.no_caching) else None
        known = cache.find(call.target) if cache is not None else None
        if known is not None:
            call.headers["If-None-Match"] = known.etag
        response = (yield from self._until_taken(call)).response
        if known is not None and response.status == 304:
            response = HttpResponse(200, response.headers, known.body)
        elif cache is not None and response.status == 200 and "etag" in response.headers:
            cache.keep(call.target, Kept(response.headers["etag"], response.body))
        return read_reply(command, Reply(response.status, response.body, response.headers))

    def open(
        self,
        command: Command[Any],
        *,
        known_raft_index: int | None = None,
        manner: Manner = PLAIN,
    ) -> WireSteps[Any]:
        """The body of the answer to a read, as the stream that the transport gave."""
        assert command.is_read, "only reads are answered in streams"
        call = self._call(command, known_raft_index, is_opened=True, context=manner.context)
        taken = yield from self._until_taken(call)
        if taken.stream is None:
            status = taken.response.status
            raise BadRequest(f"HTTP {status}: there is nothing to read", status=status)
        return taken.stream

    def _call(
        self,
        command: Command[Any],
        known_raft_index: int | None,
        *,
        request_id: str | None = None,
        is_opened: bool = False,
        context: str | None = None,
    ) -> _Call:
        request = command.to_request()
        headers = {"Raven-Client-Version": CLIENT_VERSION, **request.headers}
        if request.body is not None:
            headers.setdefault("Content-Type", "application/json")
            if self._conventions.use_gzip and len(request.body) >= GZIP_BYTES_MIN:
                request = replace(request, body=gzip.compress(request.body, GZIP_LEVEL))
                headers["Content-Encoding"] = "gzip"
        if known_raft_index is not None:
            headers["Known-Raft-Index"] = str(known_raft_index)
        query = request.query
        if not command.is_read:
            query += (("raft-request-id", request_id or self.new_request_id()),)
        assert self.database is not None or not command.is_for_database, "the cluster has none"
        target = self._place + request.path if command.is_for_database else request.path
        if query:
            target += "?" + "&".join([f"{name}={quote(each, safe='')}" for name, each in query])
        return _Call(request, target, headers, command.is_read, is_opened, context)

    def lanes_in(self, loop: Any) -> Lanes:
        """The lanes for the tasks of an event loop. Raises Misuse while another loop uses them."""
        lanes = self.lanes
        if lanes.loop is not loop:
            if lanes.loop is not None:
                if not lanes.loop.is_closed():
                    raise Misuse("this store is used in another event loop: open one in each")
                lanes = self.lanes = Lanes(self._conventions)  # who was under way ended with it
            lanes.loop = loop
        return lanes

    def new_request_id(self) -> str:
        """An id no other request has."""
        return self._clock.new_request_id()

    def _until_taken(self, call: _Call) -> WireSteps[_Taken]:
        deadline = self._clock.monotonic() + self._conventions.failover_seconds
        pause = BACKOFF_SECONDS_MIN
        while True:
            reasons: list[str] = []
            if self._is_stale:
                yield from self._refresh_topology()
            taken, may_be_soon = yield from self._one_round(call, reasons)
            if taken is not None:
                return taken
            if not may_be_soon or self._clock.monotonic() + pause > deadline:
                raise NotSent("no node took the request: " + "; ".join(reasons))
            yield Pause(pause * self._clock.jitter())
            pause = min(2 * pause, BACKOFF_SECONDS_MAX)
            self._is_stale = True

    def _one_round(self, call: _Call, reasons: list[str]) -> WireSteps[tuple[_Taken | None, bool]]:
        """Ask each node until one takes it; also whether any may take it soon."""
        may_be_soon = is_disabled = False
        for url in self.nodes.to_probe():
            yield Beside(self._probe(url))
        for url in self.nodes.in_order(is_read=call.is_read, context=call.context):
            began = self._clock.monotonic()
            try:
                taken = yield from self._send(url, call)
                error = error_of(taken.response)
                may_be_soon |= not isinstance(error, DatabaseDisabled)
                if error is None:
                    self.nodes.is_well(url)
                    return taken, True
            except (NotSent, FateUnknown) as failure:
                error = failure
            except BaseException:  # given up by who asked, perhaps because it hangs
                if self._clock.monotonic() - began >= HANGING_SECONDS_MIN:
                    self.nodes.failed(url, probe_in_seconds=0.0)
                raise
            # Also where this ends here: the next write shall not wait for it again.
            if isinstance(error, NotSent | FateUnknown) and not isinstance(error, DatabaseDisabled):
                self.nodes.failed(url)
            _check_may_go_on(error, is_read=call.is_read)
            reasons.append(f"{url}: {error}")
            is_disabled |= isinstance(error, DatabaseDisabled)
        if is_disabled and not may_be_soon:
            raise DatabaseDisabled("; ".join(reasons))
        return None, may_be_soon

    def _send(self, url: str, call: _Call) -> WireSteps[_Taken]:
        headers, etag = call.headers, self.nodes.topology.etag
        if etag is not None:
            headers = {**headers, "Topology-Etag": f'"{etag}"'}
        timeout = self._conventions.request_timeout_seconds + call.request.wait_seconds
        request = HttpRequest(
            call.request.method, url + call.target, headers, call.request.body, timeout
        )
        began = self._clock.monotonic()
        if call.is_opened:
            response, stream = yield Open(request)
        else:
            response, stream = (yield request), None
        if call.is_read:
            self.nodes.answered_read(url, self._clock.monotonic() - began)
        if "refresh-topology" in response.headers:
            self._is_stale = True
        return _Taken(response, stream)

    def _refresh_topology(self) -> WireSteps[None]:
        """Ask for the nodes. Who comes while another asks goes on with those known so far."""
        if not self._asking.acquire(blocking=False):
            return
        try:
            urls = self.nodes.in_order(is_read=False)
            for url in urls:
                found = yield from self._ask_topology(url)
                if found is not None:
                    self.nodes.topology, self._is_stale = found, False
                    return
            # Nobody knows: the request goes to the nodes known so far, and the next one asks again.
        finally:
            self._asking.release()

    def _probe(self, url: str) -> WireSteps[None]:
        """Ask a node that failed whether it is well again."""
        is_well = False
        try:
            is_well = (yield from self._ask_topology(url)) is not None
        except QuothError:
            is_well = True  # it answers, though perhaps that the database is gone
        finally:
            self.nodes.probed(url, is_well=is_well)

    def _ask_topology(self, url: str) -> WireSteps[Topology | None]:
        name = self.database
        path = f"/topology?name={quote(name)}" if name is not None else "/cluster/topology"
        headers = {"Raven-Client-Version": CLIENT_VERSION}
        timeout = min(self._conventions.request_timeout_seconds, TOPOLOGY_SECONDS_MAX)
        read = from_cluster_answer if name is None else from_database_answer
        error: QuothError | None
        try:
            response = yield HttpRequest("GET", url + path, headers, None, timeout)
            error = error_of(response)
            if error is None:
                return read(orjson.loads(response.body), self._known_urls)
        except (
            NotSent,
            FateUnknown,
            LookupError,
            TypeError,
            AttributeError,
            ValueError,
        ) as failure:
            error = QuothError(str(failure))  # no answer, or one of another shape
        if isinstance(error, NotSent | FateUnknown) or type(error) is QuothError:
            self.nodes.failed(url)
            return None
        raise error


def _check_may_go_on(error: QuothError, *, is_read: bool) -> None:
    """Raise `error`, unless another node may be asked without doing anything twice."""
    if isinstance(error, NotSent) or (is_read and isinstance(error, FateUnknown)):
        return
    if isinstance(error, FateUnknown):
        raise may_have_happened(error) from error
    raise error
