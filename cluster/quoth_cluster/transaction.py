"""Cluster transactions: check all indexes, then change documents, guards and values, or nothing.

Every PUT of `users/1` also sets the atomic guard `rvn-atomic/users/1`, a compare-exchange value
whose index readers of the document know by its change vector; every DELETE takes the guard away. Of
two transactions that read the same document the second one is refused.

All indexes are checked against the state before the transaction, so its own changes do not count. A
refusal may come after something was written: the caller gives a draft to throw away.
"""

from collections.abc import Iterable
from dataclasses import replace

import orjson

from quoth_cluster import change_vector, compare_exchange, documents, expiry
from quoth_cluster.change_vector import guard_index_in
from quoth_cluster.checks import (
    check_collection,
    check_content,
    check_id,
    resolve_id,
)
from quoth_cluster.commands import (
    ClusterTransaction,
    DeleteCompareExchange,
    DeleteDocument,
    PutCompareExchange,
    PutDocument,
)
from quoth_cluster.documents import StoredDocument, Tombstone
from quoth_cluster.outcomes import (
    CompareExchangeChanged,
    DocumentDeleted,
    DocumentPut,
    Refusal,
    Refused,
    TransactionSaved,
    Violation,
)
from quoth_cluster.step import Step, check_time, invalid

MISSING_INDEX = -1  # how a violation tells that there is no value


def save_transaction(
    step: Step, transaction: ClusterTransaction, *, is_checked: bool = False
) -> TransactionSaved | Refused:
    """Check all indexes, then change compare-exchange values, documents and their guards.

    With `is_checked` the documents are known to be those that were read, whatever their guards; but
    ids that are made here were not known to who read, so they must be new.
    """
    if (refused := _check_transaction(step, transaction)) is not None:
        return refused
    commands = _resolve_ids(step, transaction)
    if isinstance(commands, Refused):
        return commands
    if is_checked and (refused := _check_made_ids(step, transaction, commands)) is not None:
        return refused
    guarded = commands if transaction.atomic_guards and not is_checked else ()
    if (refused := _check_indexes(step, transaction, guarded)) is not None:
        return refused
    results: list[DocumentPut | DocumentDeleted] = []
    for command in commands:
        outcome = _change_document(step, command, transaction)
        if isinstance(outcome, Refused):
            return outcome
        results.append(outcome)
    for change in transaction.compare_exchange:
        if isinstance(change, PutCompareExchange):
            compare_exchange.put(step, change.key, change.value)
        else:
            compare_exchange.delete(step, change.key)
    return TransactionSaved(
        tuple(results),
        tuple(
            CompareExchangeChanged(change.key, isinstance(change, DeleteCompareExchange))
            for change in transaction.compare_exchange
        ),
        step.totals.last_etag,
        step.command_index,
        tuple(sorted(step.touched)),
    )


def _check_transaction(step: Step, transaction: ClusterTransaction) -> Refused | None:
    """What can be told without looking at what is stored."""
    if (refused := check_time(transaction.at_micros)) is not None:
        return refused
    for command in transaction.documents:
        if isinstance(command, DeleteDocument) and command.prefixed:
            return invalid("A cluster transaction cannot delete by prefix.")
        if isinstance(command, PutDocument) and command.document_id.endswith(step.separator):
            return invalid(
                f"Document id '{command.document_id}' cannot end with '{step.separator}' "
                "as part of a cluster transaction."
            )
    for change in transaction.compare_exchange:
        if compare_exchange.is_guard_key(change.key):
            message = f"You cannot manipulate the atomic guard '{change.key}'"
            return Refused(Refusal.GUARD_KEY, message)
        if (refused := compare_exchange.check(change)) is not None:
            return refused
    return None


def _resolve_ids(
    step: Step, transaction: ClusterTransaction
) -> list[PutDocument | DeleteDocument] | Refused:
    commands: list[PutDocument | DeleteDocument] = []
    for command in transaction.documents:
        if isinstance(command, DeleteDocument):
            refused = check_id(command.document_id)
        else:
            document_id = resolve_id(step, command, transaction.node_tag)
            if isinstance(document_id, Refused):
                return document_id
            refused = check_content(document_id, command)
            command = replace(command, document_id=document_id)
        if refused is not None:
            return refused
        commands.append(command)
    return commands


def _check_made_ids(
    step: Step,
    transaction: ClusterTransaction,
    commands: Iterable[PutDocument | DeleteDocument],
) -> Refused | None:
    """Refuse to write over what nobody has read, because an identity had its id."""
    for sent, command in zip(transaction.documents, commands, strict=True):
        made = command.document_id
        if made != sent.document_id and documents.load(step.txn, made) is not None:
            return invalid(
                f"The next id of '{sent.document_id}' is '{made}', and there is such a document "
                "already: seed the identity with a higher number."
            )
    return None


def _check_indexes(
    step: Step,
    transaction: ClusterTransaction,
    guarded: Iterable[PutDocument | DeleteDocument],
) -> Refused | None:
    """Collect every violation of an index, of values first, then of atomic guards."""
    messages: list[str] = []
    violations: list[Violation] = []
    for change in transaction.compare_exchange:
        if (actual := _other_index(step, change.key, change.expected_index)) is not None:
            messages.append(_violation_text(change, actual))
            kind = "CompareExchange"
            violations.append(Violation(kind, change.key, change.expected_index, actual))
    for command in guarded:
        guard_change = _guard_change(step, command)
        if guard_change is None:
            continue
        key, expected = guard_change.key, guard_change.expected_index
        if (actual := _other_index(step, key, expected)) is not None:
            messages.append(
                f"Guard compare exchange value '{key}' index does not match the transaction "
                f"index's {expected} change vector on {command.document_id}"
            )
            messages.append(_violation_text(guard_change, actual))
            violations.append(Violation("Document", key, expected, actual))
    if not violations:
        return None
    message = "Failed to execute cluster transaction due to the following issues: "
    return Refused(
        Refusal.CLUSTER_TRANSACTION,
        message + "\n".join(messages),
        violations=tuple(violations),
    )


def _guard_change(
    step: Step, command: PutDocument | DeleteDocument
) -> PutCompareExchange | DeleteCompareExchange | None:
    """The change of the atomic guard that a document command implies; None: no index to check."""
    key = compare_exchange.guard_key(command.document_id)
    transaction_id = step.record.cluster_transaction_id
    expected = guard_index_in(command.original_change_vector, transaction_id)
    if expected is None:
        expected = guard_index_in(command.expected_change_vector, transaction_id)
    if isinstance(command, PutDocument):
        return PutCompareExchange(key, expected or 0, _guard_value(command))
    if command.original_change_vector or command.expected_change_vector:
        return DeleteCompareExchange(key, expected or 0)
    return None  # a delete that names no change vector takes the guard as it is


def _guard_value(command: PutDocument) -> bytes:
    """`{"Object":{"Id":"users/1"}}`, expiring with its document."""
    value: dict[str, object] = {"Object": {"Id": command.document_id}}
    if b'"@expires"' in command.metadata:
        expires = _expires(command.metadata)
        if expires is not None:
            value["@metadata"] = {"@expires": expires}
    return orjson.dumps(value)


def _expires(metadata: bytes) -> str | None:
    try:
        expires = orjson.loads(metadata).get("@expires")
    except orjson.JSONDecodeError:
        return None
    # A document with another @expires is the user's affair: it makes no guard that ends.
    is_time = isinstance(expires, str) and expiry.read_time(expires) is not None
    return expires if is_time else None


def _other_index(step: Step, key: str, expected: int) -> int | None:
    """The actual index of a key if it is not the expected one."""
    current = compare_exchange.get(step.txn, key)
    if expected == (current.index if current else compare_exchange.MISSING_INDEX):
        return None
    return current.index if current else MISSING_INDEX


def _violation_text(change: PutCompareExchange | DeleteCompareExchange, actual: int) -> str:
    doing = "putting" if isinstance(change, PutCompareExchange) else "deleting"
    return (
        f"Concurrency check failed for {doing} the key '{change.key}'. "
        f"Requested index: {change.expected_index}, actual index: {actual}"
    )


def _change_document(
    step: Step, command: PutDocument | DeleteDocument, transaction: ClusterTransaction
) -> DocumentPut | DocumentDeleted | Refused:
    existing = documents.load(step.txn, command.document_id)
    guard_key = compare_exchange.guard_key(command.document_id)
    step.totals.cluster_documents += 1
    vector = change_vector.of_cluster_transaction(
        step.record,
        number=step.totals.cluster_documents,
        guard_index=_guard_index(step, guard_key, transaction),
    )
    if isinstance(command, PutDocument):
        refused = check_collection(command.document_id, command.collection, existing)
        if refused is not None:
            return refused
        stored = StoredDocument(
            command.document_id,
            vector,
            step.totals.last_etag + 1,
            command.collection,
            transaction.at_micros,
            change_vector.FROM_CLUSTER_TRANSACTION,
            command.metadata,
            command.body,
        )
        documents.put(step, stored, existing=existing)
        if transaction.atomic_guards:
            compare_exchange.put(step, guard_key, _guard_value(command))
        return DocumentPut(
            command.document_id, command.collection, vector, transaction.at_micros
        )
    if existing is not None:
        etag = step.totals.last_etag + 1
        tombstone = Tombstone(
            existing.document_id, vector, etag, existing.collection, transaction.at_micros
        )
        documents.delete(step, existing, tombstone)
    if transaction.atomic_guards:
        compare_exchange.delete(step, guard_key)
    return DocumentDeleted(
        command.document_id, existing is not None, vector, transaction.at_micros
    )


def _guard_index(step: Step, guard_key: str, transaction: ClusterTransaction) -> int | None:
    """The index of the guard that a document is left with; None if it has no guard."""
    if transaction.atomic_guards:
        return step.command_index
    guard = compare_exchange.get(step.txn, guard_key)
    return guard.index if guard else None
