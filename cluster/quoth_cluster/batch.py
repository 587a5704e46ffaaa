"""Single-node transactions: documents put and deleted, all or nothing.

Each command sees those before it. One may be refused after an earlier one was written; where that
can be (`may_stop_midway`), the caller gives a draft to throw away. The checks of a checked batch
come before all of its commands.
"""

from collections.abc import Sequence
from itertools import islice

from quoth_cluster import change_vector, compare_exchange, documents
from quoth_cluster.checks import (
    IDENTITY_END,
    check_collection,
    check_content,
    check_expected,
    check_guard,
    check_id,
    check_index,
    check_separator,
    resolve_id,
)
from quoth_cluster.commands import (
    CheckCompareExchange,
    CheckDocument,
    CheckSeparator,
    DeleteDocument,
    PutDocument,
    SaveBatch,
    SaveCheckedBatch,
)
from quoth_cluster.documents import StoredDocument, Tombstone
from quoth_cluster.outcomes import BatchSaved, DocumentDeleted, DocumentPut, Refusal, Refused
from quoth_cluster.step import Step, check_time, invalid

DELETED_AT_ONCE_MAX = 256
CHANGES_MAX = 100_000  # of documents by one batch: what follows waits for some three seconds

Batch = SaveBatch | SaveCheckedBatch


def may_stop_midway(batch: Batch) -> bool:
    """Whether the batch may be refused after a part of it was written."""
    match batch.commands:
        case (PutDocument() as only,):
            return only.document_id.endswith(IDENTITY_END)
        case (DeleteDocument(prefixed=True),):
            return True
        case commands:
            return len(commands) > 1


def save_checked_batch(step: Step, batch: SaveCheckedBatch) -> BatchSaved | Refused:
    """Carry out all commands, if everything is still as it was read."""
    for check in batch.checks:
        if isinstance(check, CheckDocument):
            existing = documents.load(step.txn, check.document_id)
            expected = check.expected_change_vector
            refused = check_expected("Check", check.document_id, expected, existing)
        elif isinstance(check, CheckCompareExchange):
            value = compare_exchange.get(step.txn, check.key)
            refused = check_index(check.key, check.expected_index, value)
        else:
            refused = check_separator(step, check.separator)
        if refused is not None:
            return refused
    return save_batch(step, batch)


def rests_on_checks(
    checks: Sequence[CheckDocument | CheckCompareExchange | CheckSeparator], refused: Refused
) -> bool:
    """Whether a refusal may be for one of these checks, and not for what a command expects."""
    if refused.refusal != Refusal.CHANGE_VECTOR:
        return False
    if refused.document_id is None:  # of a compare-exchange value or the separator
        return True
    return CheckDocument(refused.document_id, refused.expected_change_vector or "") in checks


def save_batch(step: Step, batch: Batch) -> BatchSaved | Refused:
    """Carry out all commands, in order."""
    if (refused := check_time(batch.at_micros)) is not None:
        return refused
    results: list[DocumentPut | DocumentDeleted] = []
    etag_max = step.totals.last_etag + CHANGES_MAX  # each change takes one
    for command in batch.commands:
        outcome = _change_document(step, command, batch, etag_max)
        if isinstance(outcome, Refused):
            return outcome
        results.append(outcome)
    return BatchSaved(tuple(results), step.totals.last_etag, tuple(sorted(step.touched)))


def put_document(
    step: Step, command: PutDocument, *, at_micros: int, node_tag: str, keep_equal: bool = False
) -> DocumentPut | Refused:
    """Store one document; with `keep_equal` only if that changes anything."""
    document_id = resolve_id(step, command, node_tag)
    if isinstance(document_id, Refused):
        return document_id
    if (refused := check_content(document_id, command)) is not None:
        return refused
    existing = documents.load(step.txn, document_id)
    guard = compare_exchange.get(step.txn, compare_exchange.guard_key(document_id))
    refused = (
        check_expected("Put", document_id, command.expected_change_vector, existing)
        or check_guard(step, "PUT", document_id, command.original_change_vector, guard)
        or check_collection(document_id, command.collection, existing)
    )
    if refused is not None:
        return refused
    if keep_equal and existing is not None and is_equal(existing, command):
        return DocumentPut(
            existing.document_id, existing.collection, existing.change_vector, existing.at_micros
        )
    etag = step.totals.last_etag + 1
    vector = change_vector.of_batch(
        step.record, tag=node_tag, etag=etag, guard_index=guard.index if guard else None
    )
    stored = StoredDocument(
        document_id,
        vector,
        etag,
        command.collection,
        at_micros,
        None,
        command.metadata,
        command.body,
    )
    documents.put(step, stored, existing=existing)
    return DocumentPut(document_id, command.collection, vector, at_micros)


def is_equal(existing: StoredDocument, command: PutDocument) -> bool:
    """Whether storing it would change nothing but its change vector and time."""
    return existing.body == command.body and existing.metadata == command.metadata


def _change_document(
    step: Step, command: PutDocument | DeleteDocument, batch: Batch, etag_max: int
) -> DocumentPut | DocumentDeleted | Refused:
    if isinstance(command, PutDocument):
        return put_document(
            step,
            command,
            at_micros=batch.at_micros,
            node_tag=batch.node_tag,
            keep_equal=isinstance(batch, SaveBatch) and batch.keep_equal,
        )
    if (refused := check_id(command.document_id)) is not None:
        return refused
    if command.prefixed:
        return _delete_starting_with(step, command.document_id, batch, etag_max)
    return _delete_document(step, command, batch)


def _delete_document(
    step: Step, command: DeleteDocument, batch: Batch
) -> DocumentDeleted | Refused:
    document_id = command.document_id
    existing = documents.load(step.txn, document_id)
    guard = compare_exchange.get(step.txn, compare_exchange.guard_key(document_id))
    refused = check_expected(
        "Delete", document_id, command.expected_change_vector, existing
    ) or check_guard(step, "DELETE", document_id, command.original_change_vector, guard)
    if refused is not None:
        return refused
    if existing is not None:
        _bury(step, existing, batch)
    return DocumentDeleted(document_id, existing is not None, None, batch.at_micros)


def _delete_starting_with(
    step: Step, prefix: str, batch: Batch, etag_max: int
) -> DocumentDeleted | Refused:
    deleted = False
    # The map must not change under a scan, so some are read, then deleted, then read anew.
    while found := list(islice(documents.starting_with(step.txn, prefix), DELETED_AT_ONCE_MAX)):
        if step.totals.last_etag + len(found) > etag_max:
            return invalid(
                f"More than {CHANGES_MAX} documents begin with '{prefix}', too many for one "
                f"transaction: delete them by query, which does it in parts."
            )
        for existing in found:
            _bury(step, existing, batch)
        deleted = True
    return DocumentDeleted(prefix, deleted, None, batch.at_micros)


def _bury(step: Step, existing: StoredDocument, batch: Batch) -> None:
    etag = step.totals.last_etag + 1
    vector = change_vector.of_batch(
        step.record, tag=batch.node_tag, etag=etag, guard_index=None
    )
    tombstone = Tombstone(
        existing.document_id, vector, etag, existing.collection, batch.at_micros
    )
    documents.delete(step, existing, tombstone)
