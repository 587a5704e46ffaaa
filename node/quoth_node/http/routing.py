"""From a request line to what serves it, and from whatever went wrong to an error body.

One dictionary instead of the framework's router: paths and parameter names are read in any case,
odd URLs of official clients must not be normalized away, and every error leaves as the same JSON.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from urllib.parse import unquote

from aiohttp import web

from quoth_cluster.errors import FateUnknown
from quoth_cluster.outcomes import Refusal
from quoth_node.http.administration import ROUTES as ADMINISTRATION
from quoth_node.http.batch import ROUTES as BATCH
from quoth_node.http.batches import ROUTES as BATCHES
from quoth_node.http.bulk_insert import ROUTES as BULK_INSERT
from quoth_node.http.client_configuration import ROUTES as CLIENT_CONFIGURATION
from quoth_node.http.client_configuration import etag_of
from quoth_node.http.cluster import ROUTES as CLUSTER
from quoth_node.http.compare_exchange import ROUTES as COMPARE_EXCHANGE
from quoth_node.http.databases import ROUTES as DATABASES
from quoth_node.http.documents import ROUTES as DOCUMENTS
from quoth_node.http.errors import (
    STATUS,
    UNEXPECTED,
    BadRequest,
    ChangeRefused,
    HeadTooLarge,
    HttpError,
    IndexNotCompiled,
    RouteNotFound,
    UrlTooLong,
    WaitTimedOut,
    message_of,
    told,
)
from quoth_node.http.exchange import Exchange, Part, unquoted
from quoth_node.http.held import HeldBodies
from quoth_node.http.hilo import ROUTES as HILO
from quoth_node.http.identities import ROUTES as IDENTITIES
from quoth_node.http.indexes import ROUTES as INDEXES
from quoth_node.http.multi_get import ROUTES as MULTI_GET
from quoth_node.http.names import check_database_name
from quoth_node.http.operations import ROUTES as OPERATIONS
from quoth_node.http.patches import ROUTES as PATCHES
from quoth_node.http.queries import ROUTES as QUERIES
from quoth_node.http.query import INTEGER, Query, decode
from quoth_node.http.query_operations import ROUTES as QUERY_OPERATIONS
from quoth_node.http.reply import reply
from quoth_node.http.route import DATABASE, Route
from quoth_node.http.sequences import ROUTES as SEQUENCES
from quoth_node.http.serializable import ROUTES as SERIALIZABLE
from quoth_node.http.services import Services
from quoth_node.http.stats import ROUTES as STATS
from quoth_node.http.streams import ROUTES as STREAMS
from quoth_node.http.topology import ROUTES as TOPOLOGY
from quoth_node.http.topology import topology_etag
from quoth_node.http.wire import replies

log = logging.getLogger(__name__)
PREFIX = "/databases/"
HEADER_EXTRA_BYTES = len(b": \r\n")
ROWS = tuple(
    chain(
        ADMINISTRATION,
        BATCH,
        BATCHES,
        BULK_INSERT,
        CLIENT_CONFIGURATION,
        CLUSTER,
        COMPARE_EXCHANGE,
        DATABASES,
        DOCUMENTS,
        HILO,
        IDENTITIES,
        MULTI_GET,
        INDEXES,
        OPERATIONS,
        PATCHES,
        QUERIES,
        QUERY_OPERATIONS,
        SERIALIZABLE,
        SEQUENCES,
        STATS,
        STREAMS,
        TOPOLOGY,
    )
)
READ_AS = {"PURGE": "RESET"}  # see `app.py`
ROUTES: Mapping[tuple[str, str], Route] = {(row.method, row.path): row for row in ROWS}
assert len(ROUTES) == len(ROWS), "a route is declared twice"
assert all(cls in STATUS for cls in Refusal), "every refusal is told"
READ_METHODS = frozenset({"GET", "HEAD"})
STREAMS_MAX = 64
QUERIES_MAX = 64
REFRESH_TOPOLOGY = "Refresh-Topology"
SHORT_PATH = 256  # characters
PATHS_KEPT = 1_024
REFRESH_CLIENT_CONFIGURATION = "Refresh-Client-Configuration"


class Routing:
    """Serves every request of one node."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._heavy = asyncio.Lock()
        self._streams = asyncio.Semaphore(STREAMS_MAX)
        self._queries = asyncio.Semaphore(QUERIES_MAX)
        self._bodies = HeldBodies(services.config.bodies_bytes_max)

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request. Only a lost connection leaves as an exception."""
        target, exchange = request.raw_path, None
        try:
            exchange, route = self._open(request, target)
            if not route.passive:
                exchange.check_membership()
            response = await route.serve(exchange)
            self._mark_what_is_old(exchange, response)
            return response
        except ConnectionError:  # the client is gone; there is nobody to answer
            raise
        except Exception as error:
            return self._tell(error, request.method, target)
        finally:
            if exchange is not None:
                exchange.let_go()

    async def serve_part(self, whole: Exchange, part: Part) -> web.Response:
        """Answer a request that came within another, as if it had come by itself."""
        try:
            exchange, route = self._open_part(whole, part)
            response = await route.serve(exchange)
            assert isinstance(response, web.Response), "a route that streams is served alone"
            return response
        except ConnectionError:
            raise
        except Exception as error:
            return self._tell(error, part.method, part.target)

    def _open_part(self, whole: Exchange, part: Part) -> tuple[Exchange, Route]:
        target, name, query, route = self._read(part.method, part.target)
        is_read = route.reads or part.method in READ_METHODS
        if not part.is_save and (route.alone or not is_read):
            raise BadRequest(f"{part.method} {route.path} cannot be a part of a multi-get")
        if (name or "").lower() != (whole.database_name or "").lower():
            raise BadRequest("A multi-get asks the database of its own URL, and no other")
        exchange = replace(
            whole,
            target=target,
            query=query,
            headers=part.headers,
            part=part,
        )
        return exchange, route

    def _open(self, request: web.BaseRequest, target: str) -> tuple[Exchange, Route]:
        """The request as it reads, and its route.

        Raises UrlTooLong, HeadTooLarge, RouteNotFound, BadRequest.
        """
        check_head(request, self._services.config.head_bytes_max)
        target, name, query, route = self._read(request.method, target)
        exchange = Exchange(
            services=self._services,
            request=request,
            headers=request.headers,
            target=target,
            query=query,
            database_name=name,
            heavy=self._heavy,
            streams=self._streams,
            queries=self._queries,
            reply_bytes_max=self._services.config.reply_bytes_max,
            serve_part=self.serve_part,
            bodies=self._bodies,
        )
        return exchange, route

    def _read(self, method: str, target: str) -> tuple[str, str | None, Query, Route]:
        """What a request line says: path and query, database, parameters, route."""
        limit = self._services.config.url_bytes_max
        if len(target) > limit:
            raise UrlTooLong(f"The URL is over the limit of {limit} bytes")
        if not target.startswith("/") and "://" in target:  # the absolute form, of proxies
            target = "/" + target.partition("://")[2].partition("/")[2]
        path, _, raw_query = target.partition("?")
        name, key = (split_short if len(path) <= SHORT_PATH else split_database)(path)
        method = READ_AS.get(method, method)
        route = ROUTES.get((method, key))
        if route is None:
            raise RouteNotFound(method, path[:1_000])
        query = Query(raw_query)
        query.check(route.parameters, tags=route.tags)
        if name is not None:
            name = check_database_name(decode(name))
        return target, name, query, route

    def _mark_what_is_old(self, exchange: Exchange, response: web.StreamResponse) -> None:
        """Tell a client what it knows is old. The presence of the headers is what counts."""
        # The request is done by now: whatever stands in these headers, it must not fail any more.
        headers, machine = exchange.request.headers, self._services.machine
        record = None
        if exchange.database_name is not None:
            database = machine.database(exchange.database_name)
            record = database.record if database is not None else None
        sent = unquoted(headers.get("Topology-Etag") or headers.get("Cluster-Topology-Etag") or "")
        # Also "None", which the Python client sends, is no number.
        if INTEGER.fullmatch(sent) and int(sent) < topology_etag(
            self._services.raft.members_command_index, record
        ):
            response.headers[REFRESH_TOPOLOGY] = "true"
        if record is not None and (sent := headers.get("Client-Configuration-Etag", "")):
            # Who names an etag that is no number knows none.
            known = int(sent) if INTEGER.fullmatch(sent := unquoted(sent)) else 0
            if known < etag_of(record, machine):
                response.headers[REFRESH_CLIENT_CONFIGURATION] = "true"

    def _tell(self, error: Exception, method: str, target: str) -> web.Response:
        """An error as its body, by the table; one that nobody foresaw by a reference to the log."""
        answer = told(error)
        if answer is None:
            reference = self._services.chance.uuid().hex[:8]
            log.exception("unexpected error %s: %s %s", reference, method, target[:1_000])
            message = (
                f"An unexpected error; the log of node {self._services.node_tag} "
                f"tells more under the reference {reference}"
            )
            body = replies.error(target, UNEXPECTED.official, message)
            return reply(body, status=UNEXPECTED.status)
        headers = error.headers if isinstance(error, HttpError) else None
        body = replies.error(target, answer.official, message_of(error), extras_of(error))
        return reply(body, status=answer.status, headers=headers)


@lru_cache(PATHS_KEPT)
def split_short(path: str) -> tuple[str | None, str]:
    """As `split_database`; clients ask for few paths, again and again."""
    return split_database(path)


def check_head(request: web.BaseRequest, limit: int) -> None:
    """Raise HeadTooLarge for headers that are over the limit together."""
    size = sum(len(name) + len(value) + HEADER_EXTRA_BYTES for name, value in request.raw_headers)
    if size > limit:
        raise HeadTooLarge(f"The headers are over the limit of {limit} bytes")


def split_database(path: str) -> tuple[str | None, str]:
    """The database a path names, if any, and the path as the route table has it."""
    lowered = path.lower()
    if lowered.startswith(PREFIX):
        name, slash, rest = path[len(PREFIX) :].partition("/")
        if name and slash:
            return name, f"{DATABASE}/{unquote(rest).lower()}"
    return None, unquote(lowered)


def extras_of(error: Exception) -> Mapping[str, object] | None:
    match error:
        case ChangeRefused() if error.refused.refusal in CONCURRENCY_REFUSALS:
            return replies.refused_extras(error.refused)
        case IndexNotCompiled():
            return {"IndexDefinitionProperty": error.part, "ProblematicText": error.text}
        case WaitTimedOut() | FateUnknown():
            return {"FailImmediately": True}  # official clients: do not try another node
        case _:
            return None


CONCURRENCY_REFUSALS = frozenset(refusal for refusal in Refusal if STATUS[refusal].status == 409)
