"""Whether an index has read all that it should have, told from a snapshot of the documents."""

from collections.abc import Iterator
from itertools import islice

from quoth_cluster import documents
from quoth_cluster.documents import StoredDocument, Tombstone
from quoth_cluster.store.environment import ReadTxn
from quoth_node.indexing.built import Activity, BuiltIndex

SCANNED_MAX = 20_000  # changes of other collections, before it is taken to be behind
REASONS_MAX = 32


def is_behind(index: BuiltIndex, txn: ReadTxn, *, etag: int, limit: int = SCANNED_MAX) -> bool:
    """Whether a snapshot has a change after `etag` that the index has to read."""
    if documents.last_etag(txn) <= etag:
        return False
    newer = documents.oldest_first(txn, after_etag=etag)
    dead = documents.tombstones(txn, after_etag=etag)
    return _concerns(index, newer, limit) or _concerns(index, dead, limit)


def _concerns(index: BuiltIndex, changes: Iterator[StoredDocument | Tombstone], limit: int) -> bool:
    return any(
        seen >= limit or index.reads(change.collection) for seen, change in enumerate(changes)
    )


def reasons(index: BuiltIndex, txn: ReadTxn) -> list[str]:
    """Why an index is stale, in words; none if it is not."""
    progress = index.progress
    found = [
        *_left(
            *(index, documents.oldest_first(txn, after_etag=progress.document_etag)),
            what="document",
            read=progress.document_etag,
        ),
        *_left(
            *(index, documents.tombstones(txn, after_etag=progress.tombstone_etag)),
            what="tombstone",
            read=progress.tombstone_etag,
        ),
    ]
    if found and index.activity is not Activity.RUNNING:
        found.append(f"Index '{index.name}' does not go on: it is {index.activity.lower()}.")
    return found[:REASONS_MAX]


def _left(
    index: BuiltIndex, changes: Iterator[StoredDocument | Tombstone], *, what: str, read: int
) -> Iterator[str]:
    first = {}  # of each collection, with its etag
    for change in islice(changes, SCANNED_MAX):
        if change.collection not in first and index.reads(change.collection):
            first[change.collection] = change
            if len(first) == REASONS_MAX:
                break
    for collection, change in first.items():
        yield (
            f"There are still some {what}s to process from collection '{collection}'. The {what} "
            f"with etag '{change.etag}' (id: '{change.document_id}') is not read yet, the last "
            f"processed {what} etag is '{read}'."
        )
