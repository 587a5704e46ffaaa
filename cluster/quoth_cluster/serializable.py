"""Serializable transactions: everything is still as it was read, or nothing is written.

A session reads over several requests, each from one snapshot, and writes with one command. What it
has read is a list of checks: a document by its change vector, '' for none; a compare-exchange value
by its index, 0 for none; and ranges, prefixes and collections, by the etag up to which their
changes were seen. No change vector and no index ever comes back, so equal means unchanged; a
document that came and went is missing again, which is what was read.

Values leave nothing behind when they go, so a range of keys is told by the number of its values
and the index of the newest. While none is newer each is one that was read, and all are there if
they are as many.

The same checks are looked at when the session reads on, and when it writes. All other commands
wait for that, so what they may take has limits: each thing is read once, and of the bytes of all
only so many.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from quoth_cluster import compare_exchange, documents, transaction
from quoth_cluster.commands import (
    CheckCollection,
    CheckCompareExchange,
    CheckDocument,
    CheckKeys,
    CheckPrefix,
    ClusterTransaction,
    ReadCheck,
    SerializableTransaction,
)
from quoth_cluster.compare_exchange import MISSING_INDEX
from quoth_cluster.documents import Changed, fold_id
from quoth_cluster.outcomes import Refusal, Refused, TransactionSaved, Violation
from quoth_cluster.step import Step, invalid
from quoth_cluster.store import keys
from quoth_cluster.store.environment import ReadTxn
from quoth_cluster.transaction import MISSING_INDEX as GONE

CHECKS_MAX = 10_000
RANGES_MAX = 100  # prefixes and collections: each is compared with every change
KEY_RANGES_MAX = 100
KEY_PREFIX_BYTES_MAX = keys.HEAD_BYTES  # folded; a longer one is found only by reading many keys
BYTES_MAX = 256 * 1024 * 1024  # of documents and values that are read in order to compare them
CHANGES_MAX = 10_000  # since what was read; more are taken for one in every range
VIOLATIONS_MAX = 100  # that are told
NAMED_MAX = 3  # of those, in the message
KEYS_MAX = 10_000  # in all ranges of keys together
Range = CheckPrefix | CheckCollection


@dataclass(frozen=True, slots=True)
class ReadSet:
    """What a session has read. Invariant: none of it had changed at `since_etag`."""

    database_id: str  # '' if nothing was read
    since_etag: int
    checks: tuple[ReadCheck, ...]


def save_transaction(step: Step, command: SerializableTransaction) -> TransactionSaved | Refused:
    """Carry it out as a cluster transaction, if all that was read still stands."""
    reads = ReadSet(command.database_id, command.since_etag, command.checks)
    last_etag = step.totals.last_etag
    if (refused := check(step.txn, step.record.database_id, reads, last_etag)) is not None:
        return refused
    # Its documents get atomic guards, so that cluster transactions meet its writes. Their own
    # guards need no check: a document that was read was just compared.
    writes = ClusterTransaction(
        command.database,
        command.at_micros,
        command.node_tag,
        command.documents,
        command.compare_exchange,
    )
    return transaction.save_transaction(step, writes, is_checked=True)


def check(txn: ReadTxn, database_id: str, reads: ReadSet, last_etag: int) -> Refused | None:
    """Refuse to go on over what has changed since it was read, naming it.

    `last_etag` is that of the database as it is compared.
    """
    if len(reads.checks) > CHECKS_MAX:
        return invalid(f"A serializable session reads {CHECKS_MAX} things at most.")
    ranges = [one for one in reads.checks if isinstance(one, CheckPrefix | CheckCollection)]
    if len(ranges) > RANGES_MAX:
        return invalid(
            f"A serializable session reads {RANGES_MAX} prefixes and collections at most."
        )
    key_ranges = [one for one in reads.checks if isinstance(one, CheckKeys)]
    if len(key_ranges) > KEY_RANGES_MAX:
        return invalid(f"A serializable session reads {KEY_RANGES_MAX} prefixes of keys at most.")
    if any(is_long(one.prefix) for one in key_ranges):
        most = f"{KEY_PREFIX_BYTES_MAX} bytes at most"
        return invalid(f"In a serializable session a prefix of keys has {most}.")
    if sum(max(one.count, 0) for one in key_ranges) > KEYS_MAX:
        return invalid(f"A serializable session reads {KEYS_MAX} values by prefix at most.")
    if reads.database_id not in ("", database_id):
        return _refused([Violation("Database", reads.database_id, 0, GONE)])
    if not 0 <= reads.since_etag <= last_etag:
        return invalid("No state of this database has the etag that was read.")
    try:
        found = [*_points(Looked(txn), reads), *_ranges(txn, ranges, reads.since_etag, last_etag)]
    except TooMuch:
        most = f"{BYTES_MAX // 1024**2} MiB"
        return invalid(f"What a serializable session has read is {most} by now at most.")
    return _refused(found) if found else None


class TooMuch(Exception):
    """Over `BYTES_MAX` would have to be read."""


class Looked:
    """What stands of documents and values. Each is read once, whatever is asked about it."""

    def __init__(self, txn: ReadTxn) -> None:
        self._txn = txn
        self._documents: dict[bytes, tuple[str, int]] = {}
        self._values: dict[bytes, int] = {}
        self._bytes = 0

    def document(self, document_id: str) -> tuple[str, int]:
        """Change vector and etag; '' if there is none. Raises TooMuch."""
        folded = fold_id(document_id)
        if folded not in self._documents:
            found = documents.load(self._txn, document_id)
            self._take(found.json_bytes if found else 0)
            self._documents[folded] = (found.change_vector, found.etag) if found else ("", GONE)
        return self._documents[folded]

    def value(self, key: str) -> int:
        """The index; MISSING_INDEX if there is none. Raises TooMuch."""
        folded = keys.fold(key)
        if folded not in self._values:
            found = compare_exchange.get(self._txn, key)
            self._take(len(found.value) if found else 0)
            self._values[folded] = found.index if found else MISSING_INDEX
        return self._values[folded]

    def keys_of(self, prefix: str, count_max: int) -> CheckKeys:
        """Count and newest index of what begins so, up to one over a count. Raises TooMuch."""
        indexes: list[int] = []
        every = compare_exchange.starting_with_in_any_order(self._txn, prefix)
        for value in islice(every, max(count_max, 0) + 1):
            self._take(len(value.value))
            indexes.append(value.index)
        return CheckKeys(prefix, len(indexes), max(indexes, default=MISSING_INDEX))

    def _take(self, size: int) -> None:
        self._bytes += size
        if self._bytes > BYTES_MAX:
            raise TooMuch


def is_long(prefix: str) -> bool:
    """Whether too many keys would have to be read to find those that begin so."""
    return len(keys.fold(prefix)) > KEY_PREFIX_BYTES_MAX


def _points(now: Looked, reads: ReadSet) -> list[Violation]:
    found: list[Violation] = []
    for one in reads.checks:
        if isinstance(one, CheckDocument):
            vector, etag = now.document(one.document_id)
            if one.expected_change_vector != vector:
                found.append(Violation("Document", one.document_id, reads.since_etag, etag))
        elif isinstance(one, CheckCompareExchange):
            index = now.value(one.key)
            if one.expected_index != index:
                actual = index if index != MISSING_INDEX else GONE
                found.append(Violation("CompareExchange", one.key, one.expected_index, actual))
        elif isinstance(one, CheckKeys):
            told = now.keys_of(one.prefix, one.count)
            if (is_newer := told.newest_index > one.newest_index) or told.count != one.count:
                actual = told.newest_index if is_newer else GONE
                kind = "CompareExchangePrefix"
                found.append(Violation(kind, one.prefix, one.newest_index, actual))
    return found


def _ranges(
    txn: ReadTxn, ranges: Sequence[Range], since_etag: int, last_etag: int
) -> list[Violation]:
    """One violation for each range in which something has changed."""
    if not ranges:
        return []
    in_collections = any(isinstance(one, CheckCollection) for one in ranges)
    walk = documents.changed_since(txn, since_etag, with_collections=in_collections)
    changes: list[Changed] = []
    bytes_read = 0
    for change in walk:
        changes.append(change)
        bytes_read += change.bytes_read
        if len(changes) <= CHANGES_MAX and bytes_read <= BYTES_MAX:
            continue
        return [_violation(one, since_etag, last_etag) for one in ranges]
    collections = [keys.fold(change.collection or "") for change in changes]
    found: list[Violation] = []
    for one in ranges:
        if (etag := _first_in(one, changes, collections)) is not None:
            found.append(_violation(one, since_etag, etag))
    return found


def _first_in(one: Range, changes: Sequence[Changed], collections: Sequence[bytes]) -> int | None:
    """The etag of a change in that range; `collections` are those of the changes, folded."""
    if isinstance(one, CheckPrefix):
        prefix = fold_id(one.prefix)
        within = (change.etag for change in changes if change.folded_id.startswith(prefix))
    else:
        name = keys.fold(one.collection)
        within = (
            change.etag
            for change, collection in zip(changes, collections, strict=True)
            if not name or collection == name
        )
    return next(within, None)


def _violation(one: Range, since_etag: int, etag: int) -> Violation:
    if isinstance(one, CheckPrefix):
        return Violation("Prefix", one.prefix, since_etag, etag)
    return Violation("Collection", one.collection, since_etag, etag)


def _refused(violations: Sequence[Violation]) -> Refused:
    named = ", ".join(f"{one.kind} '{one.key}'" for one in violations[:NAMED_MAX])
    more = f" and {len(violations) - NAMED_MAX} more" if len(violations) > NAMED_MAX else ""
    return Refused(
        Refusal.SERIALIZATION,
        f"What was read has changed since: {named}{more}. Nothing was written: read again and "
        "decide again.",
        violations=tuple(violations[:VIOLATIONS_MAX]),
    )
