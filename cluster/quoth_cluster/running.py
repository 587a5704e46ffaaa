"""The totals of one database while a round writes to it: stored once, at its end.

Every command changes them. Each works on copies, which take their place here if it is accepted.
"""

from dataclasses import dataclass, field

from quoth_cluster import collection_totals, totals
from quoth_cluster.collection_totals import CollectionTotals
from quoth_cluster.store.environment import ReadTxn, WriteTxn
from quoth_cluster.totals import Totals


@dataclass(slots=True)
class Running:
    """What stands after the commands so far. Nothing else may store totals meanwhile."""

    totals: Totals
    collections: dict[bytes, CollectionTotals] = field(default_factory=dict)  # changed so far
    is_changed: bool = False

    @classmethod
    def of(cls, txn: ReadTxn) -> "Running":
        """As they are stored."""
        return cls(totals.load(txn))

    def accept(self, changed: Totals, collections: dict[bytes, CollectionTotals]) -> None:
        """Go on with what a command has made of them."""
        changed.check()
        for one in collections.values():
            one.check()
        self.totals, self.is_changed = changed, True
        self.collections.update(collections)

    def store(self, txn: WriteTxn) -> None:
        """Keep them, if there is anything new."""
        if self.is_changed:
            totals.store(txn, self.totals)
            collection_totals.store_all(txn, self.collections)
