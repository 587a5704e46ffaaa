"""Documents by id, with what they include, from one snapshot and within the limit of a reply.

Every document is read once, however often it is named; only its JSON is kept.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import orjson

from quoth_cluster.commands import ATOMIC_GUARD_PREFIX
from quoth_cluster.compare_exchange import get as get_value
from quoth_cluster.documents import StoredDocument, fold_id, load
from quoth_cluster.store.environment import ReadTxn
from quoth_node.http.budget import Budget
from quoth_node.http.errors import OverLimit
from quoth_node.http.includes import ids_at, parse_path
from quoth_node.http.wire import bodies, replies

PATHS_MAX = 100
NAMED_MAX = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a load asks for. `paths` name documents to include, `keys` compare-exchange values."""

    ids: Sequence[str]
    paths: Sequence[str]
    keys: Sequence[str]
    metadata_only: bool
    cluster_wide: bool

    def __post_init__(self) -> None:
        bodies.check_count((*self.paths, *self.keys), PATHS_MAX, "include paths")


@dataclass(frozen=True, slots=True)
class Found:
    """A document as the answer needs it."""

    document_id: str
    change_vector: str
    etag: int
    json: bytes


@dataclass(slots=True)
class Loaded:
    """Documents of one snapshot, with what they include; compare-exchange values by key."""

    wanted: Wanted
    results: list[Found | None] = field(default_factory=list)
    includes: list[Found] = field(default_factory=list)
    values: dict[str, bytes] = field(default_factory=dict)
    has_guards: bool = False

    def to_json(self) -> bytes:
        # In a cluster transaction a missing document is left out: what the client takes from it
        # is the guard, if there is one.
        kept = (r for r in self.results if r is not None or not self.wanted.cluster_wide)
        asked = self.wanted.keys or self.has_guards
        return replies.documents(
            (replies.NULL if result is None else result.json for result in kept),
            includes={found.document_id: found.json for found in self.includes},
            compare_exchange_includes=replies.compare_exchange_includes(self.values)
            if asked
            else None,
        )

    def etag(self) -> str | None:
        """What changes whenever this answer does; None if nothing is known to.

        For one document it is the change vector itself: clients compare and quote it.
        """
        if self.values:
            return None
        first = self.results[0]
        if len(self.results) == 1 and not self.wanted.paths and not self.wanted.keys:
            return first.change_vector if first is not None else None
        digest = hashlib.sha256()
        for found in (*self.results, None, *self.includes):
            named = f"{found.document_id}\n{found.change_vector}\0" if found else "\0"
            digest.update(named.encode())
        return f"Hash-{base64.b64encode(digest.digest()).decode()}"


class Names:
    """The ids or keys that paths find in documents: each once, in the order of the paths."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._by_path: list[tuple[str, dict[str, None]]] = [
            (path, {}) for path in dict.fromkeys(paths)
        ]
        self._count = 0

    def collect(self, value: object) -> None:
        """Take what `value` names; what can be no name is left out."""
        for path, named in self._by_path:
            for name in ids_at(value, parse_path(path)):
                if name in named or not bodies.is_name(name):
                    continue
                named[name] = None
                self._count += 1
                if self._count > NAMED_MAX:
                    raise OverLimit(
                        f"Over {NAMED_MAX} documents or values are included: "
                        "ask for fewer documents at a time"
                    )

    def every(self) -> list[str]:
        return list(dict.fromkeys(name for _, named in self._by_path for name in named))


def load_all(txn: ReadTxn, wanted: Wanted, cluster_transaction_id: str, budget: Budget) -> Loaded:
    """The documents and all they include; raises OverLimit before they take too much."""
    loaded = Loaded(wanted)
    included, keys = Names(wanted.paths), Names(wanted.keys)
    read: dict[bytes, Found | None] = {}
    for document_id in wanted.ids:
        folded = fold_id(document_id)
        if folded not in read:
            document = load(txn, document_id) if document_id else None
            read[folded] = as_found(document, wanted)
            if document is not None and (wanted.paths or wanted.keys):
                value = orjson.loads(document.body)
                included.collect(value)
                keys.collect(value)
        found = read[folded]
        budget.take(replies.NULL if found is None else found.json)
        loaded.results.append(found)
        if found is None and wanted.cluster_wide and document_id:
            guard = get_value(txn, ATOMIC_GUARD_PREFIX + document_id)
            if guard is not None:
                item = replies.guard_item(guard, cluster_transaction_id)
                loaded.values[guard.key] = budget.take(item)
                loaded.has_guards = True
    for name in included.every():
        folded = fold_id(name)
        if folded in read:
            continue
        read[folded] = found = as_found(load(txn, name), wanted)
        if found is not None:
            budget.take(found.json)
            loaded.includes.append(found)
    for key in keys.every():
        item = replies.compare_exchange_item(key, get_value(txn, key))
        loaded.values.setdefault(key, budget.take(item))
    return loaded


def as_found(document: StoredDocument | None, wanted: Wanted) -> Found | None:
    if document is None:
        return None
    json = replies.one(document, wanted.metadata_only)
    return Found(document.document_id, document.change_vector, document.etag, json)
