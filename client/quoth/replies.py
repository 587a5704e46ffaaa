"""What a response means: an answer, a refusal, or a reason to ask another node. Pure.

    2xx, 304, 404 without a body     an answer
    503, 425                         this node certainly did not carry it out: another may
    408, 502, 504                    written by something in between: nobody knows
    409                              someone else was first
    other 4xx, and known 5xx         refused for good
    any other                        failed inside, or sent elsewhere: a write may have happened

503 is definite because quoth answers it only for what was never executed, and a write whose fate a
node does not know is answered with 500.
"""

import orjson

from quoth.errors import (
    BadRequest,
    ClusterTransactionConflict,
    ConcurrencyError,
    DatabaseDisabled,
    DatabaseDoesNotExist,
    FateUnknown,
    IndexDoesNotExist,
    IndexTimeout,
    NotSent,
    QuothError,
    ReplicationTimeout,
    SerializationConflict,
    Violation,
)
from quoth.serialization import JsonObject
from quoth.transport import HttpResponse

_NOT_EXECUTED = (503, 425)
_FROM_BETWEEN = (408, 502, 504)
# Server errors that say: looked at, and refused. Any other 5xx may have happened half-way.
_REFUSALS = frozenset(
    {
        "ArgumentException",
        "ArgumentOutOfRangeException",
        "BadRequestException",
        "CompareExchangeInvalidKeyException",
        "CompareExchangeKeyTooBigException",
        "IndexCompilationException",
        "InvalidCommandTypeException",
        "InvalidDataException",
        "InvalidOperationException",
        "LicenseLimitException",
        "NotSupportedException",
        "NotSupportedInCommandException",
        "RachisApplyException",
        "RouteNotFoundException",
    }
)


def error_of(response: HttpResponse) -> QuothError | None:
    """The error a response stands for; None if it is an answer."""
    status = response.status
    if 200 <= status < 300 or status == 304 or (status == 404 and not response.body):
        return None
    found = _body_of(response)
    kind = str(found.get("Type", "")).rpartition(".")[2]
    message = str(found.get("Message") or found.get("Error") or f"HTTP {status}")
    if "database-missing" in response.headers or kind == "DatabaseDoesNotExistException":
        return DatabaseDoesNotExist(message)
    if kind == "IndexDoesNotExistException":
        return IndexDoesNotExist(message)
    if kind == "DatabaseDisabledException":
        return DatabaseDisabled(message)
    if status in _NOT_EXECUTED:
        return NotSent(message)
    if status in _FROM_BETWEEN:
        return FateUnknown(f"HTTP {status} from between here and the node: {message}")
    if status == 409:
        return _conflict(message, kind, found)
    if kind == "RavenTimeoutException":
        return _timeout(message)
    if 400 <= status < 500 or kind in _REFUSALS:
        return BadRequest(message, status=status, kind=kind)
    return FateUnknown(f"HTTP {status}: {kind + ': ' if kind else ''}{message}")


def may_have_happened(error: FateUnknown) -> FateUnknown:
    """What a caller is told of a write whose fate is unknown."""
    return FateUnknown(f"{error}. The write may have happened: read before doing it again")


def _body_of(response: HttpResponse) -> JsonObject:
    try:
        found = orjson.loads(response.body) if response.body else {}
    except orjson.JSONDecodeError:
        found = None
    if isinstance(found, dict):
        return found
    return {"Message": f"HTTP {response.status}: {response.body[:200].decode(errors='replace')}"}


def _conflict(message: str, kind: str, found: JsonObject) -> ConcurrencyError:
    named = found.get("ConcurrencyViolations")
    listed = [each for each in named if isinstance(each, dict)] if isinstance(named, list) else []
    if kind != "ClusterTransactionConcurrencyException" and not listed:
        return ConcurrencyError(
            message,
            document_id=found.get("Id"),
            expected_change_vector=found.get("ExpectedChangeVector"),
            actual_change_vector=found.get("ActualChangeVector"),
        )
    violations = [
        Violation(
            kind=str(each.get("Type", "")),
            key=str(each.get("Id", "")),
            expected_index=_number(each.get("Expected"), 0),
            actual_index=_number(each.get("Actual"), -1),
        )
        for each in listed
    ]
    if kind == "SerializationConflictException":
        return SerializationConflict(message, violations)
    return ClusterTransactionConflict(message, violations)


def _number(found: object, default: int) -> int:
    return found if isinstance(found, int) else default


def _timeout(message: str) -> QuothError:
    """One type for three cases; their texts tell them apart."""
    if message.startswith("Could not verify that"):
        return ReplicationTimeout(message)
    if message.startswith("After waiting for"):
        return IndexTimeout(message)
    return FateUnknown(message)
