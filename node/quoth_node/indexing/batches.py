"""A batch of changes goes into an index: all of it or nothing, with how far it reaches."""

from collections.abc import Sequence
from dataclasses import dataclass

from quoth_cluster.store.keys import fold_text
from quoth_node.indexing.learned import keep
from quoth_node.indexing.mapping import Mapped, Mapper
from quoth_node.indexing.reducing import reduce_changes
from quoth_node.indexing.store import IndexStore


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of some documents, and up to which change that is all."""

    mapped: Sequence[Mapped] = ()
    deleted: Sequence[str] = ()  # document ids
    document_etag: int = 0
    tombstone_etag: int = 0
    at_micros: int = 0


def write_batch(store: IndexStore, batch: Batch, mapper: Mapper) -> None:
    """Put a batch into the file in one transaction. Raises IndexFileError."""
    try:
        with store.connection.transaction():
            _write(store, batch, mapper)
    except BaseException:
        store.reload()
        raise


def _write(store: IndexStore, batch: Batch, mapper: Mapper) -> None:
    gone = [fold_text(one) for one in batch.deleted]
    gone += [fold_text(mapped.document_id) for mapped in batch.mapped]
    if store.is_new():
        gone = []
    store.forget_references(gone)
    if mapper.group_by is not None:
        reduce_changes(store, batch.mapped, gone, mapper, batch.at_micros)
    else:
        store.drop_entries(gone)
        store.add_entries(
            (fold_text(mapped.document_id), mapped.document_id, entry)
            for mapped in batch.mapped
            for entry in mapped.entries
        )
    store.note_references(batch.mapped)
    keep(store, mapper.fields)
    failed = [mapped for mapped in batch.mapped if mapped.error is not None]
    for mapped in failed:
        store.note_error(mapped.document_id, "Map", mapped.error or "", batch.at_micros)
    store.count("map attempts", len(batch.mapped))
    store.count("map errors", len(failed))
    store.count("map successes", len(batch.mapped) - len(failed))
    store.note_outputs(max((len(mapped.entries) for mapped in batch.mapped), default=0))
    store.advance(batch.document_etag, batch.tombstone_etag)
