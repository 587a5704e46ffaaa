"""What each collection comes to: documents, tombstones, and their bytes, counted as they change.

A document counts with the bytes of its two JSON objects, a tombstone with those of its stored
value. A collection without documents or tombstones has no row.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from quoth_cluster.store import keys
from quoth_cluster.store.environment import ReadTxn, WriteTxn
from quoth_cluster.store.schema import COLLECTION


@dataclass(slots=True)
class CollectionTotals:
    """Invariant: nothing is below zero, and no bytes are counted of what is not there."""

    name: str
    documents: int = 0
    document_bytes: int = 0
    tombstones: int = 0
    tombstone_bytes: int = 0

    def copy(self) -> "CollectionTotals":
        """The same, to be changed by itself."""
        return CollectionTotals(
            self.name,
            self.documents,
            self.document_bytes,
            self.tombstones,
            self.tombstone_bytes,
        )

    def check(self) -> None:
        """Assert what must always hold."""
        lowest = min(self.documents, self.document_bytes, self.tombstones, self.tombstone_bytes)
        assert lowest >= 0, f"a count went below nothing: {self}"
        assert self.documents or not self.document_bytes, f"bytes of no documents: {self}"
        assert self.tombstones or not self.tombstone_bytes, f"bytes of no tombstones: {self}"


def every(txn: ReadTxn) -> Iterator[CollectionTotals]:
    """All collections, by folded name."""
    for _, value in txn.scan(keys.COLLECTIONS):
        yield _decode(value)


def of(
    txn: ReadTxn,
    held: dict[bytes, CollectionTotals],
    name: str,
    *,
    known: Mapping[bytes, CollectionTotals],
) -> CollectionTotals:
    """The totals of a collection, held to be changed; `known` are newer than what is stored."""
    key = _key(name)
    totals = held.get(key)
    if totals is None:
        totals = known[key].copy() if key in known else _load(txn, key, name)
        held[key] = totals
    if not totals.documents and not totals.tombstones:
        totals.name = name  # it is named anew
    return totals


def store_all(txn: WriteTxn, held: dict[bytes, CollectionTotals]) -> None:
    """Store what was changed."""
    for key, totals in held.items():
        _store(txn, key, totals)


def store(txn: WriteTxn, totals: CollectionTotals) -> None:
    """Keep the totals of a collection, if there is anything in it."""
    _store(txn, _key(totals.name), totals)


def _store(txn: WriteTxn, key: bytes, totals: CollectionTotals) -> None:
    totals.check()
    if totals.documents or totals.tombstones:
        packed = COLLECTION.pack(
            totals.name,
            totals.documents,
            totals.document_bytes,
            totals.tombstones,
            totals.tombstone_bytes,
        )
        txn.put(key, packed)
    else:
        txn.delete(key)


def _load(txn: ReadTxn, key: bytes, name: str) -> CollectionTotals:
    value = txn.get(key)
    return CollectionTotals(name) if value is None else _decode(value)


def _key(name: str) -> bytes:
    return keys.of_text(keys.COLLECTIONS, keys.fold(name))


def _decode(value: bytes) -> CollectionTotals:
    name, documents, document_bytes, tombstones, tombstone_bytes = COLLECTION.unpack(value)[0]
    return CollectionTotals(name, documents, document_bytes, tombstones, tombstone_bytes)
