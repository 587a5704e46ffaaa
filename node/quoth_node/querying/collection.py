"""Queries of a collection that need no index: all of it, or documents by their ids.

They are answered by the documents themselves, so they are never stale.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from quoth_cluster import documents
from quoth_cluster.documents import StoredDocument, fold_id, is_same_collection
from quoth_cluster.store.environment import ReadTxn
from quoth_node.querying.parameters import Parameters, value_of, values_of
from quoth_node.rql import (
    Comparison,
    Condition,
    DocumentId,
    Everything,
    Exact,
    FieldPath,
    In,
    Match,
    Matching,
    Nothing,
    Operator,
    Or,
    Query,
    Source,
    SourceKind,
)


@dataclass(frozen=True, slots=True)
class WholeCollection:
    """All documents, in the order of their etags."""

    collection: str | None  # None: of all collections

    def count(self, txn: ReadTxn) -> int:
        if self.collection is None:
            return documents.count(txn)
        counts = documents.collections(txn).items()
        return sum(n for name, n in counts if is_same_collection(name, self.collection))

    def read(self, txn: ReadTxn) -> Iterator[StoredDocument]:
        return _of_collection(documents.oldest_first(txn), self.collection)


@dataclass(frozen=True, slots=True)
class ByPrefix:
    """The documents whose ids begin alike, in the order of their ids."""

    collection: str | None
    prefix: str

    def count(self, txn: ReadTxn) -> int:
        return sum(1 for _ in self.read(txn))

    def read(self, txn: ReadTxn) -> Iterator[StoredDocument]:
        return _of_collection(documents.starting_with(txn, self.prefix), self.collection)


@dataclass(frozen=True, slots=True)
class ByIds:
    """Documents by id, in the order of their ids."""

    collection: str | None
    ids: tuple[str, ...]

    def count(self, txn: ReadTxn) -> int:
        return sum(1 for _ in self.read(txn))

    def read(self, txn: ReadTxn) -> Iterator[StoredDocument]:
        named = {fold_id(document_id): document_id for document_id in self.ids if document_id}
        found = (documents.load(txn, named[folded]) for folded in sorted(named))
        return _of_collection((one for one in found if one is not None), self.collection)


CollectionQuery = WholeCollection | ByPrefix | ByIds


def collection_query(query: Query, parameters: Parameters) -> CollectionQuery | None:
    """The query as one that needs no index; None if it is another.

    Raises InvalidQuery.
    """
    if query.source.kind is SourceKind.INDEX or query.group_by or query.order_by:
        return None
    collection = collection_of(query.source)
    match query.where:
        case None | Everything():
            return WholeCollection(collection)
        case Nothing():
            return ByIds(collection, ())
        case Match(kind=Matching.STARTS_WITH, operand=DocumentId(), value=value):
            prefix = value_of(value, parameters)
            return ByPrefix(collection, prefix) if _is_name(prefix) else ByIds(collection, ())
        case condition:
            ids = _ids_of(condition, parameters)
            return None if ids is None else ByIds(collection, tuple(filter(_is_name, ids)))


def collection_of(source: Source) -> str | None:
    """The collection that is meant; None: all."""
    return source.name if source.kind is SourceKind.COLLECTION else None


def name_of(source: Source) -> str:
    """What such a query calls its index."""
    return f"collection/{source.name}"


def _ids_of(condition: Condition, parameters: Parameters) -> list[Any] | None:
    """The ids that are asked for; None if something else is."""
    match condition:
        case Comparison(operand=DocumentId(), operator=Operator.EQUAL, value=value):
            assert not isinstance(value, FieldPath), "only a filter compares fields with fields"
            return values_of((value,), parameters)
        case In(operand=DocumentId(), values=values, is_all=False):
            return values_of(values, parameters)
        case Exact(condition=inner):
            return _ids_of(inner, parameters)
        case Or(conditions=conditions):
            found: list[Any] = []
            for inner in conditions:
                ids = _ids_of(inner, parameters)
                if ids is None:
                    return None
                found += ids
            return found
    return None


def _is_name(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def _of_collection(
    found: Iterator[StoredDocument], collection: str | None
) -> Iterator[StoredDocument]:
    if collection is None:
        return found
    return (one for one in found if is_same_collection(one.collection, collection))
