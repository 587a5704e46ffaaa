"""The running numbers of one database, in one stored value.

No number is ever counted by scanning. Commands that are applied together change a copy in memory,
which is stored at the end (`running.py`).
"""

from dataclasses import dataclass

from quoth_cluster.store import keys
from quoth_cluster.store.environment import ReadTxn, WriteTxn
from quoth_cluster.store.schema import TOTALS


@dataclass(slots=True)
class Totals:
    """Invariant: documents and tombstones together have at most `last_etag` etags."""

    last_etag: int = 0  # of the newest document or tombstone; never goes back
    cluster_documents: int = 0  # document commands of cluster transactions; never goes back
    documents: int = 0
    tombstones: int = 0
    compare_exchange: int = 0
    identities: int = 0

    def copy(self) -> "Totals":
        """The same, to be changed by itself."""
        return Totals(
            self.last_etag,
            self.cluster_documents,
            self.documents,
            self.tombstones,
            self.compare_exchange,
            self.identities,
        )

    def check(self) -> None:
        """Assert what must always hold."""
        counts = (self.documents, self.tombstones, self.compare_exchange, self.identities)
        assert min(counts) >= 0, f"a count went below nothing: {self}"
        assert self.documents + self.tombstones <= self.last_etag, f"an etag used twice: {self}"


def load(txn: ReadTxn) -> Totals:
    """The numbers as they stand; all zero in a new database."""
    value = txn.get(keys.TOTALS)
    if value is None:
        return Totals()
    totals = Totals(*TOTALS.unpack(value)[0])
    totals.check()
    return totals


def store(txn: WriteTxn, totals: Totals) -> None:
    """Keep the numbers."""
    totals.check()
    txn.put(
        keys.TOTALS,
        TOTALS.pack(
            totals.last_etag,
            totals.cluster_documents,
            totals.documents,
            totals.tombstones,
            totals.compare_exchange,
            totals.identities,
        ),
    )
