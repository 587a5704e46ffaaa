"""The commands of a bulk insert."""

from collections.abc import Callable
from typing import Any

from quoth_cluster.checks import IDENTITY_END
from quoth_cluster.commands import PutDocument
from quoth_node.http.errors import BadRequest, NotSupported, UnknownCommandType
from quoth_node.http.query import shortened
from quoth_node.http.wire.batches import NOT_SUPPORTED_COMMANDS
from quoth_node.http.wire.bodies import an_object, put_document, text

WHERE = "The command"
HEARTBEAT = "HeartBeat"


def read_insert(value: Any, *, new_id: Callable[[], str]) -> PutDocument | None:
    """The document a command stores; None for one that only says that its sender lives.

    Raises BadRequest, BadBody, NotSupported, UnknownCommandType.
    """
    fields = an_object(value, WHERE)
    kind = fields.get("Type")
    if kind == "PUT":
        document_id = text(fields, "Id", WHERE) or new_id()
        if document_id.endswith(IDENTITY_END):
            raise BadRequest(f"Document ids cannot end with '|', but was called with {document_id}")
        document = an_object(fields.get("Document"), "The command.Document")
        return put_document(document_id, document, WHERE, expected_change_vector=None)
    if kind == HEARTBEAT:
        return None
    if kind in NOT_SUPPORTED_COMMANDS:
        raise NotSupported(not_supported(str(kind)))
    raise UnknownCommandType(f"Invalid command type: {shortened(str(kind))}")


def not_supported(kind: str) -> str:
    """The words for a command that only a later server can carry out."""
    return f"Commands of type {kind} are not supported in a bulk insert yet"
