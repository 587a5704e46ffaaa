"""HiLo: ranges of ids lent to clients, which count through them by themselves.

The end of the last range of `users` stands as `Max` in the document `Raven/Hilo/users`, which users
may read and edit like any other.
"""

from typing import Any

import orjson

from quoth_cluster import documents
from quoth_cluster.batch import put_document
from quoth_cluster.commands import NextHiLo, PutDocument, ReturnHiLo
from quoth_cluster.documents import StoredDocument
from quoth_cluster.outcomes import HiLoRange, HiLoReturned, Refused
from quoth_cluster.step import INTEGER_MAX, Step, check_time, invalid

CAPACITY_MIN = 32
CAPACITY_MAX = 1_048_576
BUSY_MICROS_MAX = 30_000_000  # a client back within this time gets twice as many
IDLE_MICROS_MIN = 60_000_000  # ... and after more than this half as many
COLLECTION = "@hilo"
METADATA = b'{"@collection":"@hilo"}'


def capacity(last_batch_size: int, last_range_at_micros: int | None, *, at_micros: int) -> int:
    """How many ids to lend, going by how long the last range lasted."""
    size = min(max(last_batch_size, 0), CAPACITY_MAX)
    if last_range_at_micros is not None:
        lasted = at_micros - last_range_at_micros
        if lasted < BUSY_MICROS_MAX:
            size *= 2
        elif lasted > IDLE_MICROS_MIN:
            size //= 2
    return min(max(size, CAPACITY_MIN), CAPACITY_MAX)


def step_next(step: Step, command: NextHiLo) -> HiLoRange | Refused:
    """Lend the next range."""
    if (refused := check_time(command.at_micros)) is not None:
        return refused
    stored = _load(step, command.tag)
    if isinstance(stored, Refused):
        return stored
    document, content, stored_max = stored
    size = capacity(
        command.last_batch_size, command.last_range_at_micros, at_micros=command.at_micros
    )
    low = max(stored_max, command.last_max, 0) + 1
    high = low + size - 1
    if high > INTEGER_MAX:
        return invalid(f"The HiLo ids of '{command.tag}' have come to their end.")
    content["Max"] = high
    if (refused := _store(step, command, document, content)) is not None:
        return refused
    prefix = command.tag + command.separator
    return HiLoRange(prefix, low, high, size, command.node_tag, command.at_micros)


def step_return(step: Step, command: ReturnHiLo) -> HiLoReturned | Refused:
    """Take the unused rest of a range back, if no other was lent since."""
    if (refused := check_time(command.at_micros)) is not None:
        return refused
    stored = _load(step, command.tag)
    if isinstance(stored, Refused):
        return stored
    document, content, stored_max = stored
    if document is None or command.end != stored_max or not 0 <= command.last <= stored_max:
        return HiLoReturned()
    content["Max"] = command.last
    return _store(step, command, document, content) or HiLoReturned()


def _load(
    step: Step, tag: str
) -> tuple[StoredDocument | None, dict[str, Any], int] | Refused:
    """The document of a tag, what is in it, and its Max."""
    if not tag:
        return invalid("HiLo needs a tag.")
    document = documents.load(step.txn, _document_id(tag))
    if document is None:
        return None, {}, 0
    try:
        content = orjson.loads(document.body)
    except orjson.JSONDecodeError:
        content = None
    stored_max = content.get("Max") if isinstance(content, dict) else None
    if type(stored_max) is not int or not 0 <= stored_max <= INTEGER_MAX:
        return invalid(f"The document '{document.document_id}' has no number 'Max'.")
    return document, content, stored_max


def _store(
    step: Step,
    command: NextHiLo | ReturnHiLo,
    document: StoredDocument | None,
    content: dict[str, Any],
) -> Refused | None:
    try:
        body = orjson.dumps(content)
    except orjson.JSONEncodeError:
        return invalid(f"The document '{_document_id(command.tag)}' is nested too deeply.")
    put = PutDocument(
        _document_id(command.tag),
        body=body,
        metadata=document.metadata if document else METADATA,
        collection=document.collection if document else COLLECTION,
    )
    outcome = put_document(step, put, at_micros=command.at_micros, node_tag=command.node_tag)
    return outcome if isinstance(outcome, Refused) else None


def _document_id(tag: str) -> str:
    return f"Raven/Hilo/{tag}"
