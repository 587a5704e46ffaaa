"""One step of one index: what changed since it last read, mapped and written.

Documents are read in the order of their etags, and how far that came is written together with what
came of it; so a step that is cut short is done again, and nothing is done twice.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from quoth_cluster import documents
from quoth_cluster.documents import StoredDocument
from quoth_cluster.store.environment import ReadTxn
from quoth_cluster.store.keys import fold_text
from quoth_node.indexing.batches import Batch, write_batch
from quoth_node.indexing.mapping import Load, Mapped, Mapper, SourceDocument
from quoth_node.indexing.store import IndexStore, Progress
from quoth_node.indexing.work import IndexWork

BATCH_DOCUMENTS = 1_024
REDUCED_DOCUMENTS = 8 * BATCH_DOCUMENTS  # of a map-reduce: a key is reduced once a batch
MAPPED_AT_ONCE = 256  # the interpreter is not free for others meanwhile
BATCH_BYTES = 4 * 1024 * 1024
SCANNED_MAX = 20_000  # of other collections, in one step
FAILING_ATTEMPTS = 100  # before the share of failures is looked at
FAILING_SHARE = 0.15


@dataclass(slots=True)
class Changes:
    """What one step has to look at."""

    mapped: list[SourceDocument]
    changed: list[str]  # ids of all that changed, for those who loaded them
    deleted: list[str]
    document_etag: int
    tombstone_etag: int
    is_last: bool  # nothing is left behind


def step(
    index: IndexWork,
    txn: ReadTxn,
    *,
    at_micros: int,
    on_batch: Callable[[], None] = lambda: None,
) -> bool:
    """Bring an index forward by one batch; whether more is left. Raises IndexFileError.

    One document may be loaded by many: each some of them are written, `on_batch` is called.
    """
    store, mapper = index.store, index.mapper
    assert store is not None and mapper is not None, "it is open and compiles"
    changes = _changes(index, txn, mapper)

    def load(document_id: str) -> SourceDocument | None:
        document = documents.load(txn, document_id)
        return None if document is None else _source(document)

    before = index.progress.document_etag, index.progress.tombstone_etag
    at_once = min(BATCH_DOCUMENTS, index.documents_at_once)
    for some in _referencing(store, txn, changes, at_once):
        # How far it has come is not moved by these: cut short, they are mapped again.
        remapped = _mapped(mapper, some, load)
        write_batch(store, Batch(remapped, (), *before, at_micros), mapper)
        on_batch()
    mapped = _mapped(mapper, changes.mapped, load)
    batch = Batch(
        mapped,
        changes.deleted,
        changes.document_etag,
        changes.tombstone_etag,
        at_micros,
    )
    write_batch(store, batch, mapper)
    index.progress = Progress(changes.document_etag, changes.tombstone_etag)
    index.indexed_micros = at_micros
    return not changes.is_last


def _mapped(mapper: Mapper, sources: list[SourceDocument], load: Load) -> list[Mapped]:
    found: list[Mapped] = []
    for at in range(0, len(sources), MAPPED_AT_ONCE):
        found += mapper.map(sources[at : at + MAPPED_AT_ONCE], load)
    return found


def is_failing(store: IndexStore) -> bool:
    """Whether so many documents fail that the definition must be wrong."""
    counters = store.stats().counters
    attempts, errors = counters.get("map attempts", 0), counters.get("map errors", 0)
    return attempts >= FAILING_ATTEMPTS and errors > FAILING_SHARE * attempts


def _changes(index: IndexWork, txn: ReadTxn, mapper: Mapper) -> Changes:
    progress = index.progress
    last_etag = documents.last_etag(txn)
    wanted = {one.lower() for one in mapper.collections}
    most = BATCH_DOCUMENTS if mapper.group_by is None else REDUCED_DOCUMENTS
    most = min(most, index.documents_at_once)
    found = Changes([], [], [], last_etag, last_etag, True)
    size = 0
    newer = documents.oldest_first(txn, after_etag=progress.document_etag)
    for seen, document in enumerate(newer, start=1):
        found.changed.append(document.document_id)
        if not wanted or document.collection.lower() in wanted:
            found.mapped.append(_source(document))
            size += document.json_bytes
        is_full = len(found.mapped) >= most or size >= BATCH_BYTES
        if is_full or seen >= SCANNED_MAX:
            found.document_etag, found.is_last = document.etag, False
            break
    dead = documents.tombstones(txn, after_etag=progress.tombstone_etag)
    for seen, tombstone in enumerate(dead, start=1):
        # What came back under the id is mapped as any document, perhaps long ago: a tombstone in
        # another collection stays when its id is used again.
        back = documents.load(txn, tombstone.document_id)
        if back is None or (wanted and back.collection.lower() not in wanted):
            found.deleted.append(tombstone.document_id)
        if seen >= BATCH_DOCUMENTS:
            found.tombstone_etag, found.is_last = tombstone.etag, False
            break
    return found


def _referencing(
    store: IndexStore, txn: ReadTxn, changes: Changes, at_once: int
) -> Iterator[list[SourceDocument]]:
    """Documents that loaded what has changed, some at a time; not those that are mapped anyway."""
    if not store.has_references():
        return
    known = {fold_text(document.document_id) for document in changes.mapped}
    found_ids = store.referencing([*changes.changed, *changes.deleted])
    ids = [one for one in found_ids if one not in known]
    for at in range(0, len(ids), at_once):
        found = (documents.load(txn, one) for one in ids[at : at + at_once])
        yield [_source(document) for document in found if document is not None]


def _source(document: StoredDocument) -> SourceDocument:
    return SourceDocument(
        document.document_id,
        document.collection,
        document.etag,
        document.change_vector,
        document.at_micros,
        document.body,
        document.metadata,
    )
