"""Operations that go on by themselves on a node: their ids, how far they are, how they ended."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import orjson

from quoth.commands import Reply, WireRequest
from quoth.errors import Definite, FateUnknown, OperationCanceled, OperationFailed, QuothError
from quoth.operations.checks import check_number
from quoth.operations.kinds import DatabaseRead, DatabaseWrite, ServerRead, ServerWrite, Silent
from quoth.replies import error_of
from quoth.serialization import JsonObject
from quoth.shape import read_shape
from quoth.transport import HttpResponse

WHAT = "the id of an operation"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationIdResult:
    """An operation that has begun, and the tag of the node that runs it."""

    operation_id: int
    operation_node_tag: str | None = None


class OperationStatus(Enum):
    """How an operation stands."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAULTED = "Faulted"
    CANCELED = "Canceled"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationProgress:
    """How many documents an operation is done with; `total` None: nobody knows how many."""

    processed: int
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkOperationResult:
    """What an operation has done. `details`, where asked for, has a row for each document."""

    total: int = 0
    documents_processed: int = 0
    details: list[dict[str, Any]] = field(default_factory=list)
    query: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationState:
    """How an operation stands. `result` is what the server told of its end."""

    status: OperationStatus
    progress: OperationProgress | None = None
    result: dict[str, Any] | None = None

    @property
    def is_refused(self) -> bool:
        """Whether it ended before it had changed anything, for a reason that leaves no doubt."""
        is_untouched = self.progress is None or self.progress.processed == 0
        if self.status is OperationStatus.CANCELED:
            return is_untouched
        is_faulted = self.status is OperationStatus.FAULTED
        return is_faulted and is_untouched and isinstance(_fault(self.result or {}), Definite)

    def outcome(self, operation_id: int) -> BulkOperationResult | None:
        """The result; None while it goes on.

        Raises OperationCanceled or OperationFailed where a part may be done, and the error itself
        where nothing was.
        """
        if self.status is OperationStatus.IN_PROGRESS:
            return None
        told = self.result or {}
        if self.status is OperationStatus.COMPLETED:
            return read_shape(BulkOperationResult, told)
        progress = self.progress or OperationProgress(processed=0)
        done = f"{progress.processed} documents were done before"
        if self.status is OperationStatus.CANCELED:
            text = f"operation {operation_id} was killed; {done}"
            raise OperationCanceled(text, processed=progress.processed, total=progress.total)
        error = _fault(told)
        if self.is_refused:
            raise error
        text = f"operation {operation_id} failed: {error}; {done}"
        raise OperationFailed(text, processed=progress.processed, total=progress.total) from error


@dataclass(frozen=True, slots=True)
class GetOperationStateOperation(DatabaseRead):
    """How an operation of a database stands; None if no node knows it (any more)."""

    key: int
    node_tag: str | None = None

    def __post_init__(self) -> None:
        check_number(self.key, WHAT)

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/operations/state", (("id", str(self.key)),))

    def read(self, reply: Reply) -> OperationState | None:
        return None if reply.is_missing else _state(reply.json())


@dataclass(frozen=True, slots=True)
class GetServerWideOperationStateOperation(ServerRead):
    """How an operation of any database, or of the server, stands; None if no node knows it."""

    key: int

    def __post_init__(self) -> None:
        check_number(self.key, WHAT)

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/operations/state", (("id", str(self.key)),))

    def read(self, reply: Reply) -> OperationState | None:
        return None if reply.is_missing else _state(reply.json())


@dataclass(frozen=True, slots=True)
class KillOperationCommand(Silent, DatabaseWrite):
    """Ask an operation of a database to end. What it has done stays. BadRequest: there is none."""

    key: int
    node_tag: str | None = None

    def __post_init__(self) -> None:
        check_number(self.key, WHAT)

    def to_request(self) -> WireRequest:
        return WireRequest("POST", "/operations/kill", (("id", str(self.key)),))


@dataclass(frozen=True, slots=True)
class KillServerOperationCommand(Silent, ServerWrite):
    """Ask an operation of any database, or of the server, to end."""

    key: int

    def __post_init__(self) -> None:
        check_number(self.key, WHAT)

    def to_request(self) -> WireRequest:
        return WireRequest("POST", "/operations/kill", (("id", str(self.key)),))


@dataclass(frozen=True, slots=True)
class GetNextOperationIdCommand(DatabaseRead):
    """An id for an operation that is to begin; the cluster gives none twice."""

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/operations/next-operation-id")

    def read(self, reply: Reply) -> int:
        return int(reply.json()["Id"])


def _state(wire: JsonObject) -> OperationState:
    return OperationState(
        status=OperationStatus(wire["Status"]),
        progress=_progress(wire.get("Progress") or {}),
        result=wire.get("Result"),
    )


def _progress(wire: JsonObject) -> OperationProgress | None:
    """A count of documents, whatever kind of operation tells it; None if it tells none."""
    if "Processed" in wire:
        return OperationProgress(processed=int(wire["Processed"]), total=wire.get("Total"))
    if "DocumentsProcessed" in wire:
        return OperationProgress(processed=int(wire["DocumentsProcessed"]))
    return None


def _fault(wire: JsonObject) -> QuothError:
    """The error that an operation ended with, as a request would have raised it."""
    body = {name: wire.get(name) for name in ("Type", "Message", "Error")}
    status = int(wire.get("StatusCode") or 500)
    found = error_of(HttpResponse(status, {}, orjson.dumps(body)))
    return found or FateUnknown(f"it ended with HTTP {status}: {body}")
