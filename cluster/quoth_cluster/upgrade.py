"""Stores of an earlier format, made as the present one would be: once, when they are opened.

Everything here follows from what is stored, so all nodes come to the same, whenever they do it. It
is one storage transaction: a crash leaves the former format, which is upgraded again.
"""

from collections.abc import Iterable

from quoth_cluster import collection_totals, compare_exchange, documents, expiry
from quoth_cluster.collection_totals import CollectionTotals
from quoth_cluster.outcomes import Refused
from quoth_cluster.store import keys, schema
from quoth_cluster.store.environment import Environment, ReadTxn, WriteTxn


def upgrade(environment: Environment, kind: str) -> None:
    """Bring a store of `kind` to the present format, if it is of an earlier one."""
    with environment.read() as txn:
        value = txn.get(keys.STORE)
        if value is None or schema.STORE.format_of(value) >= schema.STORE.format:
            return
    with environment.write() as writing:
        if kind == "database":
            _sum_collections(writing)
            _note_expiries(writing)
        writing.put(keys.STORE, schema.STORE.pack(kind))
    environment.sync()


def _sum_collections(txn: WriteTxn) -> None:
    """Format 2 knows the sizes of collections, also of those of which only tombstones are left."""
    names = [one.name for one in collection_totals.every(txn)]
    totals = {keys.fold(name): CollectionTotals(name) for name in names}
    for document in documents.oldest_first(txn):
        one = _of_collection(totals, document.collection)
        one.documents += 1
        one.document_bytes += document.json_bytes
    for size, tombstone in documents.sized_tombstones(txn):
        one = _of_collection(totals, tombstone.collection)
        one.tombstones += 1
        one.tombstone_bytes += size
    for one in totals.values():
        collection_totals.store(txn, one)


def _of_collection(totals: dict[bytes, CollectionTotals], name: str) -> CollectionTotals:
    return totals.setdefault(keys.fold(name), CollectionTotals(name))


def _note_expiries(txn: WriteTxn) -> None:
    """Format 2 finds values by the time at which they expire."""
    for value, at_micros in list(_expiring(txn)):  # the map must not change under a scan
        compare_exchange.store(txn, value, expires_micros=at_micros)
        expiry.note(txn, value.key, at_micros)


def _expiring(txn: ReadTxn) -> Iterable[tuple[compare_exchange.CompareExchangeValue, int]]:
    for value in compare_exchange.starting_with(txn, ""):
        at_micros = expiry.of_value(value.key, value.value)
        # Format 1 took any time; what is none does not expire.
        if at_micros is not None and not isinstance(at_micros, Refused):
            yield value, at_micros
