"""Documents and tombstones in storage: each reached by id and, in order of change, by etag.

A document is a header beside the bytes of two JSON objects: what users wrote as its body and as its
metadata. Loading puts the bytes together; nothing here decodes JSON.

Invariant: a folded id has a document or a latest tombstone or neither; every document has exactly
one row at its etag; all etags of the database are different and at most `totals.last_etag`. A
tombstone stays until its id has a document again: `changed_since` rests on that.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from quoth_cluster import collection_totals
from quoth_cluster import totals as totals_room
from quoth_cluster.clock import to_wire
from quoth_cluster.collection_totals import CollectionTotals
from quoth_cluster.errors import CorruptFile
from quoth_cluster.step import Step, is_json_object
from quoth_cluster.store import keys
from quoth_cluster.store.environment import ReadTxn, WriteTxn
from quoth_cluster.store.schema import (
    DOCUMENT,
    DOCUMENT_AT_ETAG,
    TOMBSTONE,
    TOMBSTONE_OF_ID,
)


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document as it stands in storage."""

    document_id: str
    change_vector: str
    etag: int
    collection: str
    at_micros: int
    flags: str | None
    metadata: bytes  # JSON object: what users wrote, @collection included
    body: bytes  # JSON object without @metadata

    @property
    def json_bytes(self) -> int:
        """What it counts in the size of its collection."""
        return len(self.body) + len(self.metadata)

    def to_json(self) -> bytes:
        """The document as readers get it: `{...,"@metadata":{...,"@id":"users/1",...}}`."""
        comma = b"," if _has_members(self.body) else b""
        return b'%b%b"@metadata":%b}' % (self.body[:-1], comma, self._metadata())

    def metadata_json(self) -> bytes:
        """Only the metadata: `{"@metadata":{...}}`."""
        return b'{"@metadata":%b}' % self._metadata()

    def _metadata(self) -> bytes:
        comma = b"," if _has_members(self.metadata) else b""
        flags = b'"@flags":%b,' % orjson.dumps(self.flags) if self.flags else b""
        return b'%b%b"@change-vector":%b,%b"@id":%b,"@last-modified":"%b"}' % (
            self.metadata[:-1],
            comma,
            orjson.dumps(self.change_vector),
            flags,
            orjson.dumps(self.document_id),
            to_wire(self.at_micros).encode(),
        )


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A deletion."""

    document_id: str
    change_vector: str
    etag: int
    collection: str
    at_micros: int


def fold_id(document_id: str) -> bytes:
    """How ids are compared: `fold_id("Users/1")` is `b"users/1"`."""
    return keys.fold(document_id)


def is_same_collection(one: str, other: str) -> bool:
    """Whether two names mean the same collection."""
    return one == other or keys.fold_text(one) == keys.fold_text(other)


def _has_members(data: bytes) -> bool:
    # Compact JSON is told by its second byte; only an empty object with blanks needs the strip.
    return data[1:2] == b'"' or bool(data[1:-1].strip())


# Reading


def load(txn: ReadTxn, document_id: str) -> StoredDocument | None:
    """The document of that id, in whatever case it is written."""
    return _load(txn, fold_id(document_id))


def starting_with(
    txn: ReadTxn, prefix: str, *, start_after: str | None = None
) -> Iterator[StoredDocument]:
    """Documents whose id begins with `prefix`, in the order of folded ids, behind `start_after`."""
    after = None if start_after is None else fold_id(start_after)
    folded = fold_id(prefix)
    values = keys.scan_text(txn, keys.DOCUMENTS, folded, after=after, text_of=_folded_id_in)
    return map(_decode, values)


def newest_first(txn: ReadTxn) -> Iterator[StoredDocument]:
    """All documents, the last changed first."""
    return _at_etags(txn, txn.scan(keys.DOCUMENTS_AT_ETAG, reverse=True))


def oldest_first(txn: ReadTxn, *, after_etag: int = 0) -> Iterator[StoredDocument]:
    """Documents changed after `after_etag`, the earliest changed first."""
    start = keys.of_number(keys.DOCUMENTS_AT_ETAG, after_etag + 1)
    return _at_etags(txn, txn.scan(keys.DOCUMENTS_AT_ETAG, start=start))


def tombstones(txn: ReadTxn, *, after_etag: int = 0) -> Iterator[Tombstone]:
    """Deletions after `after_etag`, the earliest first."""
    return (tombstone for _, tombstone in sized_tombstones(txn, after_etag=after_etag))


def sized_tombstones(txn: ReadTxn, *, after_etag: int = 0) -> Iterator[tuple[int, Tombstone]]:
    """The same, each with its stored bytes."""
    start = keys.of_number(keys.TOMBSTONES, after_etag + 1)
    for key, value in txn.scan(keys.TOMBSTONES, start=start):
        yield len(value), _decode_tombstone(key, value)


@dataclass(frozen=True, slots=True)
class Changed:
    """The last change of one id, told as `collection` only where that was asked for."""

    etag: int
    folded_id: bytes
    collection: str | None
    bytes_read: int  # of the document, where its collection was asked for


def changed_since(txn: ReadTxn, etag: int, *, with_collections: bool) -> Iterator[Changed]:
    """Every id whose document has come, changed or gone after `etag`, documents first.

    Its last change has left a row, of the document or of the tombstone, and nothing takes that away
    but a later change. An id may be told twice, if it came back to another collection.
    """
    start = keys.of_number(keys.DOCUMENTS_AT_ETAG, etag + 1)
    for key, value in txn.scan(keys.DOCUMENTS_AT_ETAG, start=start):
        _, folded = DOCUMENT_AT_ETAG.unpack(value)
        document = _load(txn, folded) if with_collections else None
        collection, size = (document.collection, document.json_bytes) if document else (None, 0)
        yield Changed(keys.number_of(key), folded, collection, size)
    for tombstone in tombstones(txn, after_etag=etag):
        yield Changed(tombstone.etag, fold_id(tombstone.document_id), tombstone.collection, 0)


def count(txn: ReadTxn) -> int:
    """How many documents there are."""
    return totals_room.load(txn).documents


def tombstone_count(txn: ReadTxn) -> int:
    """How many tombstones are kept."""
    return totals_room.load(txn).tombstones


def collections(txn: ReadTxn) -> dict[str, int]:
    """How many documents each collection has; empty ones are left out."""
    return {one.name: one.documents for one in collection_totals.every(txn) if one.documents}


def last_etag(txn: ReadTxn) -> int:
    """The etag of the last change, deletions included."""
    return totals_room.load(txn).last_etag


def last_document_etag(txn: ReadTxn) -> int:
    """The etag of the newest document; 0 if there is none."""
    for key, _ in txn.scan(keys.DOCUMENTS_AT_ETAG, reverse=True):
        return keys.number_of(key)
    return 0


# Writing


def put(step: Step, document: StoredDocument, *, existing: StoredDocument | None) -> None:
    """Store a document under the next etag, over `existing`, which is what `load` found."""
    _take_next_etag(step, document.etag)
    txn, folded = step.txn, fold_id(document.document_id)
    if existing is None:
        _drop_tombstone(step, folded, document.collection)
        counted = _counted(step, document.collection)
        counted.documents += 1
        counted.document_bytes += document.json_bytes
        step.totals.documents += 1
    else:
        assert is_same_collection(existing.collection, document.collection), "checked by the caller"
        if (growth := document.json_bytes - existing.json_bytes) != 0:
            _counted(step, document.collection).document_bytes += growth
        _delete_etag_row(txn, existing.etag)
    txn.put(keys.of_text(keys.DOCUMENTS, folded), _encode(document))
    at_etag = keys.of_number(keys.DOCUMENTS_AT_ETAG, document.etag)
    txn.put(at_etag, DOCUMENT_AT_ETAG.pack(raw=folded))
    step.touched.add(document.collection)


def delete(step: Step, existing: StoredDocument, tombstone: Tombstone) -> None:
    """Delete a document that is there and leave a tombstone under the next etag."""
    _take_next_etag(step, tombstone.etag)
    txn, folded = step.txn, fold_id(existing.document_id)
    was_there = txn.delete(keys.of_text(keys.DOCUMENTS, folded))
    assert was_there, "only a stored document is deleted"
    _delete_etag_row(txn, existing.etag)
    counted = _counted(step, existing.collection)
    counted.documents -= 1
    counted.document_bytes -= existing.json_bytes
    packed = TOMBSTONE.pack(
        tombstone.document_id,
        tombstone.change_vector,
        tombstone.collection,
        tombstone.at_micros,
    )
    txn.put(keys.of_number(keys.TOMBSTONES, tombstone.etag), packed)
    counted = _counted(step, tombstone.collection)
    counted.tombstones += 1
    counted.tombstone_bytes += len(packed)
    of_id = keys.of_text(keys.TOMBSTONES_OF_ID, folded)
    txn.put(of_id, TOMBSTONE_OF_ID.pack(tombstone.etag))
    step.touched.add(existing.collection)
    step.totals.documents -= 1
    step.totals.tombstones += 1


def _take_next_etag(step: Step, etag: int) -> None:
    assert etag == step.totals.last_etag + 1, "etags grow by one"
    step.totals.last_etag = etag


def _delete_etag_row(txn: WriteTxn, etag: int) -> None:
    was_there = txn.delete(keys.of_number(keys.DOCUMENTS_AT_ETAG, etag))
    assert was_there, "every document has a row at its etag"


def _drop_tombstone(step: Step, folded: bytes, collection: str) -> None:
    """Forget that an id was deleted, now that it is back.

    Whoever follows changes by etag sees the document instead. In another collection it does not
    replace the former one, whose followers still need the tombstone.
    """
    txn, of_id = step.txn, keys.of_text(keys.TOMBSTONES_OF_ID, folded)
    value = txn.get(of_id)
    if value is None:
        return
    (etag,), _ = TOMBSTONE_OF_ID.unpack(value)
    txn.delete(of_id)
    key = keys.of_number(keys.TOMBSTONES, etag)
    stored = txn.get(key)
    assert stored is not None, "the latest tombstone of an id is kept"
    if is_same_collection(_decode_tombstone(key, stored).collection, collection):
        txn.delete(key)
        counted = _counted(step, collection)
        counted.tombstones -= 1
        counted.tombstone_bytes -= len(stored)
        step.totals.tombstones -= 1


def _counted(step: Step, collection: str) -> CollectionTotals:
    """The totals of a collection, to be changed: a batch of many documents writes each once."""
    return collection_totals.of(step.txn, step.collections, collection, known=step.known)


# Bytes


def _load(txn: ReadTxn, folded: bytes) -> StoredDocument | None:
    value = txn.get(keys.of_text(keys.DOCUMENTS, folded))
    if value is None:
        return None
    document = _decode(value)
    if fold_id(document.document_id) != folded:
        raise CorruptFile(f"a stored document is not the one of its key: {document.document_id}")
    return document


def _at_etags(txn: ReadTxn, rows: Iterator[tuple[bytes, bytes]]) -> Iterator[StoredDocument]:
    for key, value in rows:
        _, folded = DOCUMENT_AT_ETAG.unpack(value)
        document = _load(txn, folded)
        if document is None or document.etag != keys.number_of(key):
            raise CorruptFile(f"the document at etag {keys.number_of(key)} is not the stored one")
        yield document


def _encode(document: StoredDocument) -> bytes:
    assert is_json_object(document.body) and is_json_object(document.metadata)
    return DOCUMENT.pack(
        document.document_id,
        document.change_vector,
        document.etag,
        document.collection,
        document.at_micros,
        document.flags,
        document.metadata,
        raw=document.body,
    )


def _decode(value: bytes) -> StoredDocument:
    header, body = DOCUMENT.unpack(value)
    document_id, vector, etag, collection, at_micros, flags, metadata = header
    return StoredDocument(
        document_id, vector, etag, collection, at_micros, flags, metadata, body
    )


def _folded_id_in(value: bytes) -> bytes:
    return fold_id(_decode(value).document_id)


def _decode_tombstone(key: bytes, value: bytes) -> Tombstone:
    document_id, change_vector, collection, at_micros = TOMBSTONE.unpack(value)[0]
    return Tombstone(document_id, change_vector, keys.number_of(key), collection, at_micros)
