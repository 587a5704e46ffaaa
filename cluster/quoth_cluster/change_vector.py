"""Change vectors: what a document has seen, as text that clients compare but do not read.

    A:23-<database id>                                     by a single-node transaction
    A:23-<database id>, TRXN:88-<cluster transaction id>   ... while the atomic guard has index 88
    RAFT:5-<topology id>,TRXN:88-<cluster transaction id>  by the cluster transaction 88
    RAFT:5-<topology id>                                   ... without atomic guards

The number after TRXN is the index of the document's atomic guard, as its reader knows it.
"""

from quoth_cluster.databases import DatabaseRecord

FROM_CLUSTER_TRANSACTION = "FromClusterTransaction"
_NUMBER_DIGITS_MAX = 18  # fits 63 bits


def of_batch(record: DatabaseRecord, *, tag: str, etag: int, guard_index: int | None) -> str:
    """The change vector of a document that a single-node transaction writes."""
    assert etag > 0
    own = f"{tag}:{etag}-{record.database_id}"
    if guard_index is None:
        return own
    return f"{own}, TRXN:{guard_index}-{record.cluster_transaction_id}"


def of_cluster_transaction(
    record: DatabaseRecord, *, number: int, guard_index: int | None
) -> str:
    """The change vector of a document that a cluster transaction writes."""
    assert number > 0
    own = f"RAFT:{number}-{record.topology_id}"
    if guard_index is None:
        return own
    return f"{own},TRXN:{guard_index}-{record.cluster_transaction_id}"


def guard_index_in(change_vector: str | None, cluster_transaction_id: str) -> int | None:
    """The guard index that a change vector tells, if it tells one of this database.

    `guard_index_in("RAFT:5-t,TRXN:88-c", "c")` is 88. Any text may come from a client.
    """
    for part in (change_vector or "").split(","):
        kind, _, rest = part.strip().partition(":")
        number, _, source = rest.partition("-")
        if kind == "TRXN" and source == cluster_transaction_id and _is_number(number):
            return int(number)
    return None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _NUMBER_DIGITS_MAX
