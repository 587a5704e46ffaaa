"""What can be wrong with one document command, in the official words."""

from quoth_cluster import identities
from quoth_cluster.change_vector import guard_index_in
from quoth_cluster.commands import DOCUMENT_ID_BYTES_MAX, PutDocument
from quoth_cluster.compare_exchange import MISSING_INDEX, CompareExchangeValue, guard_key
from quoth_cluster.documents import StoredDocument, fold_id, is_same_collection
from quoth_cluster.outcomes import Refusal, Refused
from quoth_cluster.step import Step, invalid, is_json_object

IDENTITY_END = "|"
COLLECTION_BYTES_MAX = 512


def resolve_id(step: Step, command: PutDocument, node_tag: str) -> str | Refused:
    """The id a document gets: `users|` takes the next identity, `users/` the next etag."""
    document_id = command.document_id
    if document_id.endswith(step.separator):
        return f"{document_id}{step.totals.last_etag + 1:019}-{node_tag}"
    if not document_id.endswith(IDENTITY_END):
        return document_id
    if command.expected_change_vector:
        return invalid(f"The id '{document_id}' is new by itself and takes no change vector.")
    taken = identities.take(step, document_id)
    if isinstance(taken, Refused):
        return taken
    return f"{document_id.removesuffix(IDENTITY_END)}{step.separator}{taken.value}"


def check_id(document_id: str) -> Refused | None:
    """Refuse an id that is empty or too long."""
    if not document_id:
        return invalid("A document id cannot be empty.")
    id_bytes = len(fold_id(document_id))
    if id_bytes > DOCUMENT_ID_BYTES_MAX:
        return invalid(
            f"Document id cannot exceed {DOCUMENT_ID_BYTES_MAX} bytes, "
            f"but the id was {id_bytes} bytes. The invalid document id is '{document_id}'."
        )
    return None


def check_content(document_id: str, command: PutDocument) -> Refused | None:
    """Refuse what could not be stored or shown."""
    if (refused := check_id(document_id)) is not None:
        return refused
    if not (is_json_object(command.body) and is_json_object(command.metadata)):
        return invalid(f"The document '{document_id}' is not a JSON object.")
    return None


def check_expected(
    verb: str, document_id: str, expected: str | None, existing: StoredDocument | None
) -> Refused | None:
    """Refuse a change of a document that is not the one that was read.

    The verb is 'Put', 'Delete', or 'Check' where only that is asked.
    """
    actual = existing.change_vector if existing else None
    if expected is None or expected == (actual or ""):
        return None
    if actual is None:
        text = f"Document {document_id} does not exist, but {verb} was called with change vector"
        text += f": {expected}" if verb == "Put" else f" '{expected}'"
    else:
        text = f"Document {document_id} has change vector {actual}, but {verb} was called with "
        if verb == "Delete":
            text += f"change vector '{expected}'"
        else:
            text += f"change vector {expected}" if expected else "expecting new document"
    return Refused(
        Refusal.CHANGE_VECTOR,
        f"{text}. Optimistic concurrency violation, transaction will be aborted.",
        document_id=document_id,
        expected_change_vector=expected,
        actual_change_vector=actual,
    )


def check_guard(
    step: Step,
    verb: str,
    document_id: str,
    original: str | None,
    guard: CompareExchangeValue | None,
) -> Refused | None:
    """Refuse a single-node change by one who read the document under another atomic guard."""
    known = guard_index_in(original, step.record.cluster_transaction_id)
    if known is None or known == (guard.index if guard else None):
        return None
    actual = f"set to {guard.index}" if guard else "missing"
    return Refused(
        Refusal.ATOMIC_GUARD,
        f"Cannot {verb} document '{document_id}' because its change vector's cluster transaction "
        f"index is set to {known} but the compare exchange guard "
        f"('{guard_key(document_id)}') is {actual}",
        document_id=document_id,
    )


def check_index(key: str, expected: int, value: CompareExchangeValue | None) -> Refused | None:
    """Refuse to go on over a compare-exchange value that is not the one that was read."""
    actual = value.index if value else MISSING_INDEX
    if actual == expected:
        return None
    return Refused(
        Refusal.CHANGE_VECTOR,
        f"The compare-exchange value '{key}' has index {actual}, but index {expected} was read. "
        "Optimistic concurrency violation, transaction will be aborted.",
    )


def check_separator(step: Step, expected: str) -> Refused | None:
    """Refuse to go on if other ids are made here than was thought."""
    if step.separator == expected:
        return None
    return Refused(
        Refusal.CHANGE_VECTOR,
        f"The parts of ids are separated by '{step.separator}', but '{expected}' was read. "
        "Optimistic concurrency violation, transaction will be aborted.",
    )


def check_collection(
    document_id: str, collection: str, existing: StoredDocument | None
) -> Refused | None:
    """Refuse a name that is too long, and to move a document into another collection."""
    if len(collection.encode()) > COLLECTION_BYTES_MAX:
        most = f"{COLLECTION_BYTES_MAX} bytes at most"
        return invalid(f"A collection name has {most}, and that of '{document_id}' has more.")
    if existing is None or is_same_collection(existing.collection, collection):
        return None
    return Refused(
        Refusal.COLLECTION,
        f"Changing '{document_id}' from '{existing.collection}' to '{collection}' via update is "
        f"not supported.\nDelete it and recreate the document {document_id}.",
        document_id=document_id,
    )
