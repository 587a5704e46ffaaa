"""Which node next, and what is safe to do again.

A read may be asked of every node. A write goes to another node only after the last one certainly
did not carry it out: no connection, or its own word (503). Any other failure of a write ends in
FateUnknown at once: the caller must look before doing it again. Every write carries one request id
through all its attempts, so that a server which did see it answers as it did the first time.

While at least one node answers that it cannot take a request now, an election for instance, the
request is offered again for `failover_seconds`; when nobody answers at all it fails at once.
"""

import asyncio
from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import quote, urlencode

import orjson

from quoth.clock import Clock
from quoth.commands import Command, Reply, WireRequest, read_reply
from quoth.conventions import Conventions
from quoth.errors import FateUnknown, NotSent, QuothError
from quoth.replies import error_of
from quoth.topology import Topology, from_cluster_answer, from_database_answer, in_order
from quoth.transport import HttpRequest, HttpResponse, Transport

# The protocol this client speaks. Without it a server takes the client for one that knows no
# atomic guards, and leaves them out.
CLIENT_VERSION = "7.2.7"
BACKOFF_SECONDS_MIN, BACKOFF_SECONDS_MAX = 0.05, 1.0

TOPOLOGY_SECONDS_MAX = 5.0

T = TypeVar("T")


class Executor:
    """Carries commands to the nodes of one database, or of the cluster if `database` is None.

    It belongs to one event loop. Invariant: a command with `is_for_database` needs a database.
    """

    def __init__(
        self,
        urls: Sequence[str],
        database: str | None,
        *,
        transport: Transport,
        conventions: Conventions,
        clock: Clock,
    ) -> None:
        self.database = database
        self._known_urls = tuple(urls)
        self._transport = transport
        self._conventions = conventions
        self._clock = clock
        self._topology = Topology(self._known_urls)
        self._is_stale = True
        self._asking = asyncio.Lock()
        self._failed_until: dict[str, float] = {}

    async def execute(self, command: Command[T], *, known_raft_index: int | None = None) -> T:
        """The answer to a command, from whichever node gave one.

        `known_raft_index`: the node waits until it has applied that much, so that a session reads
        what its cluster transactions wrote.
        """
        request = command.to_request()
        headers = {"Raven-Client-Version": CLIENT_VERSION, **request.headers}
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        if known_raft_index is not None:
            headers["Known-Raft-Index"] = str(known_raft_index)
        query = request.query
        if not command.is_read:
            query += (("raft-request-id", self._clock.new_request_id()),)
        target = self._target(command, request.path, query)
        response = await self._until_taken(command, request, target, headers)
        return read_reply(command, Reply(response.status, response.body, response.headers))

    async def _until_taken(
        self, command: Command[T], request: WireRequest, target: str, headers: dict[str, str]
    ) -> HttpResponse:
        deadline = self._clock.monotonic() + self._conventions.failover_seconds
        pause = BACKOFF_SECONDS_MIN
        while True:
            reasons: list[str] = []
            await self._refresh_topology()
            response, is_anyone_there = await self._one_round(
                request, target, headers, is_read=command.is_read, reasons=reasons
            )
            if response is not None:
                return response
            if not is_anyone_there or self._clock.monotonic() + pause > deadline:
                raise NotSent("no node took the request: " + "; ".join(reasons))
            await self._clock.sleep(pause * self._clock.jitter())
            pause = min(2 * pause, BACKOFF_SECONDS_MAX)
            self._is_stale = True

    async def _one_round(
        self,
        request: WireRequest,
        target: str,
        headers: dict[str, str],
        *,
        is_read: bool,
        reasons: list[str],
    ) -> tuple[HttpResponse | None, bool]:
        """Ask each node until one takes it; also whether any gave an answer at all."""
        is_anyone_there = False
        for url in in_order(self._topology.urls, self._failed_until, self._clock.monotonic()):
            try:
                response = await self._send(url, request, target, headers)
                is_anyone_there = True
                error = error_of(response)
            except (NotSent, FateUnknown) as failure:
                response, error = None, failure
            if response is not None and error is None:
                self._failed_until.pop(url, None)
                return response, True
            assert error is not None
            self._check_may_go_on(error, is_read=is_read)
            self._failed_until[url] = self._clock.monotonic() + self._conventions.node_retry_seconds
            reasons.append(f"{url}: {error}")
        return None, is_anyone_there

    @staticmethod
    def _check_may_go_on(error: QuothError, *, is_read: bool) -> None:
        """Raise `error`, unless another node may be asked without doing anything twice."""
        if isinstance(error, NotSent) or (is_read and isinstance(error, FateUnknown)):
            return
        if isinstance(error, FateUnknown):
            text = f"{error}. The write may have happened: read before doing it again"
            raise FateUnknown(text) from error
        raise error

    async def _send(
        self, url: str, request: WireRequest, target: str, headers: dict[str, str]
    ) -> HttpResponse:
        if self._topology.etag is not None:
            headers = {**headers, "Topology-Etag": f'"{self._topology.etag}"'}
        timeout = self._conventions.request_timeout_seconds + request.wait_seconds
        response = await self._transport.send(
            HttpRequest(request.method, url + target, headers, request.body, timeout)
        )
        if "refresh-topology" in response.headers:
            self._is_stale = True
        return response

    async def _refresh_topology(self) -> None:
        """Ask for the nodes, if there is a reason to; whoever comes meanwhile waits for it."""
        if not self._is_stale:
            return
        async with self._asking:
            if not self._is_stale:
                return
            urls = in_order(self._topology.urls, self._failed_until, self._clock.monotonic())
            for url in urls:
                found = await self._ask_topology(url)
                if found is not None:
                    self._topology, self._is_stale = found, False
                    return
            # Nobody knows: the request goes to the nodes known so far, and the next one asks again.

    async def _ask_topology(self, url: str) -> Topology | None:
        name = self.database
        path = f"/topology?name={quote(name)}" if name is not None else "/cluster/topology"
        headers = {"Raven-Client-Version": CLIENT_VERSION}
        timeout = min(self._conventions.request_timeout_seconds, TOPOLOGY_SECONDS_MAX)
        request = HttpRequest("GET", url + path, headers, None, timeout)
        read = from_cluster_answer if name is None else from_database_answer
        try:
            response = await self._transport.send(request)
            error = error_of(response)
            if error is None:
                return read(orjson.loads(response.body), self._known_urls)
        except (NotSent, FateUnknown, orjson.JSONDecodeError, KeyError, TypeError) as failure:
            error = QuothError(str(failure))
        if isinstance(error, NotSent | FateUnknown) or type(error) is QuothError:
            self._failed_until[url] = self._clock.monotonic() + self._conventions.node_retry_seconds
            return None
        raise error

    def _target(self, command: Command[T], path: str, query: Sequence[tuple[str, str]]) -> str:
        place = ""
        if command.is_for_database:
            assert self.database is not None, "a database command came to the cluster's executor"
            place = f"/databases/{quote(self.database, safe='')}"
        return place + path + ("?" + urlencode(query, quote_via=quote, safe="") if query else "")
