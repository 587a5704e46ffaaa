"""What can be wrong with a request, and the one table that says how each error is told.

Clients resend a request after 408, 502, 503 and 504, so these may only be given if it was certainly
not executed; an unknown outcome is a 500. Errors of the cluster rooms stand in the same table.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from quoth_cluster.errors import (
    Busy,
    FateUnknown,
    MembershipRefused,
    NotProposed,
    NotReadable,
    TooLarge,
)
from quoth_cluster.outcomes import Refusal, Refused
from quoth_node.database.operations import OperationExists, OperationKilled
from quoth_node.indexing.definition import BadDefinition
from quoth_node.patching import (
    ContentRefused,
    JavaScriptFailed,
    JavaScriptNotParsed,
    OperationsFailed,
)
from quoth_node.querying.errors import (
    IndexMissing,
    IndexNotAvailable,
    IndexNotReady,
    InvalidQuery,
    ProjectionFailed,
    StaleResults,
)


class HttpError(Exception):
    """Something about one request, told to its sender."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.headers: dict[str, str] = {}


class BadRequest(HttpError):
    """The request makes no sense as it stands."""


class OverLimit(HttpError):
    """More than one request may hold or one reply may carry; nothing was done."""


class EncodingNotSupported(HttpError):
    """The body is encoded in a way nobody decodes here."""


class NotHttp(HttpError):
    """What came is no HTTP request; the connection ends, for nobody knows where the next begins."""


class BadArgument(HttpError):
    """A query-string value is not what it should be."""


class BadBody(HttpError):
    """The body is not the JSON it should be."""


class UnknownCommandType(HttpError):
    """A batch holds a command nobody knows."""


class NotSupported(HttpError):
    """Known to the protocol, not to this server yet; nothing was written."""


class KeyTooBig(HttpError):
    """A compare-exchange key is over its limit."""


class IndexNotCompiled(HttpError):
    """The definition of an index cannot be built."""

    def __init__(self, name: str, why: str, part: str, text: str) -> None:
        super().__init__(f"Failed to compile index '{name}': {why}")
        self.part = part
        self.text = text


class QueryNotParsed(HttpError):
    """The text of a query is none of RQL."""


class StreamEnded(HttpError):
    """An answer that was begun does not come to its end."""


class BulkInsertAborted(HttpError):
    """A bulk insert that did not come to its end. What was saved before stays."""


class RouteNotFound(HttpError):
    """No route has this method and path."""

    def __init__(self, method: str, path: str) -> None:
        super().__init__(f"There is no handler for path: {method} {path}")


class BodyTooLarge(HttpError):
    """The body is over the limit; the rest of it was not kept."""


class BodyTooSlow(HttpError):
    """The body did not come in time; nothing was done with what came."""


class HeadTooLarge(HttpError):
    """The headers are over the limit."""


class HeadTooSlow(HttpError):
    """The head of a request did not come in time."""


class UrlTooLong(HttpError):
    """The request line is over the limit."""


class DatabaseMissing(HttpError):
    """The database does not exist, as far as a current read can tell."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Database '{name}' does not exist.")
        self.name = name
        # Both official clients tell a missing database by this header; a 404 would mean "null".
        self.headers["Database-Missing"] = name


class DatabaseDisabled(HttpError):
    """The database is disabled, as far as a current read can tell."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} has been disabled")


class EtagMismatch(HttpError):
    """What was read was changed since, or is no more."""


class NotPossible(HttpError):
    """Understood, and it cannot be in this cluster; nothing was changed."""


class NodeIsPassive(HttpError):
    """This node is no member of a cluster yet, or no more."""


class WaitTimedOut(HttpError):
    """Written, but others did not come along in time. The write stays."""


class ChangeRefused(HttpError):
    """The state machine refused: definite, nothing was changed."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.message)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Told:
    """How an error is told: its status, and the exception that official clients know."""

    status: int
    official: str


OFFICIAL = "Raven.Client.Exceptions."
QUOTH = "Quoth.Exceptions."  # of what official clients do not know
CONCURRENCY = Told(409, f"{OFFICIAL}ConcurrencyException")
UNEXPECTED = Told(500, f"{OFFICIAL}RavenException")

STATUS: Mapping[type[Exception] | Refusal, Told] = {
    BadRequest: Told(400, f"{OFFICIAL}BadRequestException"),
    OverLimit: Told(400, f"{OFFICIAL}BadRequestException"),
    NotHttp: Told(400, f"{OFFICIAL}BadRequestException"),
    EncodingNotSupported: Told(415, "System.NotSupportedException"),
    BadArgument: Told(400, "System.ArgumentException"),
    BadBody: Told(400, "System.IO.InvalidDataException"),
    UnknownCommandType: Told(400, "Raven.Server.Exceptions.InvalidCommandTypeException"),
    NotSupported: Told(400, "System.NotSupportedException"),
    KeyTooBig: Told(400, f"{OFFICIAL}CompareExchangeKeyTooBigException"),
    RouteNotFound: Told(400, f"{OFFICIAL}Routing.RouteNotFoundException"),
    MembershipRefused: Told(400, "System.InvalidOperationException"),
    JavaScriptNotParsed: Told(400, f"{OFFICIAL}Documents.Patching.JavaScriptParseException"),
    JavaScriptFailed: Told(400, f"{OFFICIAL}Documents.Patching.JavaScriptException"),
    OperationsFailed: Told(400, "System.InvalidOperationException"),
    ContentRefused: Told(400, "System.IO.InvalidDataException"),
    QueryNotParsed: Told(
        400, "Raven.Server.Documents.Queries.Parser.QueryParser+ParseException"
    ),
    IndexNotCompiled: Told(
        500, f"{OFFICIAL}Documents.Compilation.IndexCompilationException"
    ),
    BadDefinition: Told(400, "System.ArgumentException"),
    InvalidQuery: Told(400, f"{OFFICIAL}InvalidQueryException"),
    IndexMissing: Told(404, f"{OFFICIAL}Documents.Indexes.IndexDoesNotExistException"),
    IndexNotAvailable: Told(400, f"{OFFICIAL}Documents.Indexes.IndexDisabledException"),
    ProjectionFailed: Told(400, f"{OFFICIAL}Documents.Patching.JavaScriptException"),
    StaleResults: Told(400, "System.InvalidOperationException"),
    Refusal.NO_INDEX: Told(404, f"{OFFICIAL}Documents.Indexes.IndexDoesNotExistException"),
    Refusal.INDEX_LOCKED: Told(400, f"{OFFICIAL}Documents.Indexes.IndexAlreadyExistException"),
    Refusal.INDEX_KEPT: Told(400, f"{OFFICIAL}Documents.Indexes.IndexDeletionException"),
    OperationExists: Told(400, "System.InvalidOperationException"),
    NotPossible: Told(400, "System.InvalidOperationException"),
    EtagMismatch: CONCURRENCY,
    BodyTooLarge: Told(413, f"{OFFICIAL}BadRequestException"),
    TooLarge: Told(413, f"{OFFICIAL}BadRequestException"),
    UrlTooLong: Told(414, f"{OFFICIAL}BadRequestException"),
    HeadTooLarge: Told(431, f"{OFFICIAL}BadRequestException"),
    # 408: certainly not executed, for it was not even here.
    BodyTooSlow: Told(408, "System.TimeoutException"),
    HeadTooSlow: Told(408, "System.TimeoutException"),
    # 503: certainly not executed, another node may do better.
    DatabaseMissing: Told(503, f"{OFFICIAL}Database.DatabaseDoesNotExistException"),
    DatabaseDisabled: Told(503, f"{OFFICIAL}Database.DatabaseDisabledException"),
    NodeIsPassive: Told(503, f"{OFFICIAL}Cluster.NodeIsPassiveException"),
    NotProposed: Told(503, f"{OFFICIAL}Cluster.NoLeaderException"),
    IndexNotReady: Told(503, f"{OFFICIAL}Documents.Indexes.IndexDisabledException"),
    Busy: Told(503, f"{OFFICIAL}RavenException"),
    NotReadable: Told(503, f"{OFFICIAL}Cluster.NoLeaderException"),
    # 500: perhaps or surely executed; no client may resend it by itself.
    FateUnknown: Told(500, f"{OFFICIAL}RavenTimeoutException"),
    StreamEnded: Told(500, "System.TimeoutException"),
    BulkInsertAborted: Told(500, f"{OFFICIAL}Documents.BulkInsert.BulkInsertAbortedException"),
    OperationKilled: Told(500, "System.OperationCanceledException"),
    WaitTimedOut: Told(500, f"{OFFICIAL}RavenTimeoutException"),
    # Refused by the state machine.
    Refusal.NO_DATABASE: Told(503, f"{OFFICIAL}Database.DatabaseDoesNotExistException"),
    Refusal.DATABASE_DISABLED: Told(503, f"{OFFICIAL}Database.DatabaseDisabledException"),
    Refusal.DATABASE_EXISTS: CONCURRENCY,
    Refusal.DATABASE_ETAG: CONCURRENCY,
    Refusal.DATABASE_LOCKED: Told(400, "System.InvalidOperationException"),
    Refusal.EXPIRY: Told(400, "System.InvalidOperationException"),
    Refusal.CHANGE_VECTOR: CONCURRENCY,
    Refusal.ATOMIC_GUARD: CONCURRENCY,
    Refusal.CLUSTER_TRANSACTION: Told(409, f"{OFFICIAL}ClusterTransactionConcurrencyException"),
    Refusal.SERIALIZATION: Told(409, "Quoth.SerializationConflictException"),
    Refusal.GUARD_KEY: Told(
        400, f"{OFFICIAL}Documents.CompareExchange.CompareExchangeInvalidKeyException"
    ),
    Refusal.NO_SEQUENCE: Told(404, f"{QUOTH}SequenceDoesNotExistException"),
    Refusal.SEQUENCE_PARAMETERS: Told(400, f"{QUOTH}SequenceParametersException"),
    Refusal.SEQUENCE_ENDED: Told(400, f"{QUOTH}SequenceEndedException"),
    Refusal.NUMBER_PLACE: Told(400, f"{QUOTH}NumberPlaceException"),
    Refusal.NO_RESERVATION: Told(410, f"{QUOTH}ReservationEndedException"),
    Refusal.COLLECTION: Told(400, "System.InvalidOperationException"),
    Refusal.INVALID: Told(400, f"{OFFICIAL}BadRequestException"),
}


# Official clients send a request again that was answered so.
SENT_AGAIN = frozenset({408, 502, 503, 504})


def told(error: Exception) -> Told | None:
    """How `error` is told; None if nobody foresaw it."""
    if isinstance(error, ChangeRefused):
        return STATUS[Refusal(error.refused.refusal)]
    for cls in type(error).__mro__:
        if (answer := STATUS.get(cls)) is not None:
            return answer
    return None


def message_of(error: Exception) -> str:
    """What an error says to people."""
    message = str(error) or type(error).__name__
    if isinstance(error, FateUnknown):
        # Not to be taken for a failure: it may be applied yet.
        return f"The outcome is unknown, it may have been or may yet be applied: {message}"
    return message
