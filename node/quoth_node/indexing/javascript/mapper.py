"""A static index at work: documents to entries, results to reduced results."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from quoth_cluster.documents import is_same_collection
from quoth_node.indexing.javascript.runtime import Result, Runtime
from quoth_node.indexing.mapping import (
    Entry,
    FieldOptions,
    Load,
    Mapped,
    MappingError,
    SourceDocument,
    metadata_of,
)
from quoth_node.scripting.task import ScriptFailed

BATCH_DOCUMENTS_MAX = 512
BATCH_BYTES_MAX = 4 * 1_024 * 1_024
LOADED_BYTES_MAX = 8 * 1_024 * 1_024  # at once; one document may load that much, too
LOAD_ROUNDS_MAX = 16  # a document that names a document that names a document ...
COLLECTIONS_KNOWN_MAX = 10_000
NULL = b"null"


@dataclass(frozen=True, slots=True)
class Compiled:
    """What is known of a definition beforehand."""

    type: str  # 'Map', 'MapReduce', 'JavaScriptMap', 'JavaScriptMapReduce'
    map_collections: tuple[str, ...]  # of each map; '' for all documents
    fields: Mapping[str, FieldOptions]
    group_by: tuple[str, ...] | None
    references: tuple[str, ...]  # collections that documents are loaded from, as far as known
    needs_metadata: bool
    has_dynamic_fields: bool  # documents may have others than `fields`


class _LoadsTooMuch(Exception):
    """A batch loads more than may be in its engine."""


class _Loading:
    """What a batch loads, counted."""

    def __init__(self, load: Load, row: Callable[[str, SourceDocument | None], bytes]) -> None:
        self._load = load
        self._row = row
        self._bytes = 0

    def rows(self, names: Iterable[str]) -> list[bytes]:
        """The documents for the engine. Raises _LoadsTooMuch."""
        rows = []
        for name in names:
            rows.append(self._row(name, self._load(name)))
            self._bytes += len(rows[-1])
            if self._bytes > LOADED_BYTES_MAX:
                raise _LoadsTooMuch(f"loads documents of over {LOADED_BYTES_MAX} bytes")
        return rows


class StaticMapper:
    """Fulfils Mapper. `fields` grows with the fields that documents make with options."""

    def __init__(self, compiled: Compiled, runtime: Runtime) -> None:
        self._compiled = compiled
        self._runtime = runtime
        self._fields = dict(compiled.fields)
        self._maps: dict[str, bytes] = {}  # collection -> the numbers of its maps, in JSON

    @property
    def type(self) -> str:
        """The type of the index, as it is named on the wire."""
        return self._compiled.type

    @property
    def collections(self) -> tuple[str, ...]:
        """The collections that are mapped; none if all documents are."""
        names = self._compiled.map_collections
        return () if "" in names else tuple(dict.fromkeys(names))

    @property
    def fields(self) -> Mapping[str, FieldOptions]:
        """The options of each field that is known."""
        return self._fields

    @property
    def group_by(self) -> tuple[str, ...] | None:
        """The fields that make the key of a reduce; None for a map."""
        return self._compiled.group_by

    @property
    def references(self) -> tuple[str, ...]:
        """Collections that documents are loaded from; of JavaScript as far as that shows."""
        return self._compiled.references

    @property
    def has_dynamic_fields(self) -> bool:
        """Whether documents may have other fields than those of `fields`."""
        return self._compiled.has_dynamic_fields

    def know(self, fields: Mapping[str, FieldOptions]) -> None:
        """Go on with the options of fields that an earlier process saw documents make."""
        for name, options in fields.items():
            self._fields.setdefault(name, options)

    def map(self, documents: Sequence[SourceDocument], load: Load) -> list[Mapped]:
        """One result for each document, in their order; an error in one is its result."""
        mapped: list[Mapped] = []
        batch: list[SourceDocument] = []
        size = 0
        for document in documents:
            batch.append(document)
            size += len(document.body)
            if len(batch) >= BATCH_DOCUMENTS_MAX or size >= BATCH_BYTES_MAX:
                mapped += self._map_batch(batch, load)
                batch, size = [], 0
        return mapped + self._map_batch(batch, load) if batch else mapped

    def reduce(self, results: Sequence[Entry]) -> list[Entry]:
        """What all results of one key come to. Raises MappingError."""
        try:
            reduced = self._runtime.reduce(results)
        except ScriptFailed as error:
            raise MappingError(str(error)) from error
        match reduced:
            case {"error": reason}:
                raise MappingError(str(reason))
            case list() if all(isinstance(one, dict) for one in reduced):
                return reduced  # type: ignore[return-value]
            case _:
                raise MappingError("a reduce gives objects")

    # One batch

    def _map_batch(self, batch: Sequence[SourceDocument], load: Load) -> list[Mapped]:
        rows = {at: self._row(one) for at, one in enumerate(batch) if self._numbers(one) != b"[]"}
        try:
            return self._map_rows(batch, rows, load)
        except _LoadsTooMuch as error:
            if len(rows) == 1:
                return [
                    _failed(document, str(error)) if at in rows else _nothing(document)
                    for at, document in enumerate(batch)
                ]
        finally:
            self._runtime.forget()
        half = len(batch) // 2
        return self._map_batch(batch[:half], load) + self._map_batch(batch[half:], load)

    def _map_rows(
        self, batch: Sequence[SourceDocument], rows: Mapping[int, bytes], load: Load
    ) -> list[Mapped]:
        """Maps until nothing asks for a document that it was not given."""
        mapped = [_nothing(document) for document in batch]
        loading = _Loading(load, self._given)
        for _ in range(LOAD_ROUNDS_MAX):
            results = self._runtime.map(tuple(rows.values()))
            waiting, missing = {}, dict[str, None]()
            for (at, row), result in zip(rows.items(), results, strict=True):
                asked = _asked(result)
                if asked:
                    waiting[at] = row
                    missing.update(dict.fromkeys(asked))
                else:
                    mapped[at] = self._mapped(batch[at], result)
            if not waiting:
                return mapped
            self._give(loading.rows(missing))
            rows = waiting
        for at in rows:
            mapped[at] = _failed(batch[at], f"loads documents over {LOAD_ROUNDS_MAX} steps")
        return mapped

    def _give(self, rows: Sequence[bytes]) -> None:
        try:
            self._runtime.give(rows)
        except ScriptFailed as error:
            raise _LoadsTooMuch(str(error)) from error

    def _row(self, document: SourceDocument) -> bytes:
        numbers, name = self._numbers(document), orjson.dumps(document.document_id)
        return b"[%b,%b,%b,%b]" % (numbers, name, document.body, self._metadata(document))

    def _given(self, asked: str, document: SourceDocument | None) -> bytes:
        if document is None:
            return b"[%b,null,null,null]" % orjson.dumps(asked)
        name = orjson.dumps(document.document_id)
        metadata = self._metadata(document)
        return b"[%b,%b,%b,%b]" % (orjson.dumps(asked), name, document.body, metadata)

    def _numbers(self, document: SourceDocument) -> bytes:
        found = self._maps.get(document.collection)
        if found is None:
            names = enumerate(self._compiled.map_collections)
            found = orjson.dumps(
                [
                    at
                    for at, name in names
                    if not name or is_same_collection(name, document.collection)
                ]
            )
            if len(self._maps) < COLLECTIONS_KNOWN_MAX:
                self._maps[document.collection] = found
        return found

    def _metadata(self, document: SourceDocument) -> bytes:
        if not self._compiled.needs_metadata:
            return NULL
        return orjson.dumps(metadata_of(document))

    def _mapped(self, document: SourceDocument, result: Result) -> Mapped:
        name = document.document_id
        match result:
            case list() if all(isinstance(entry, dict) for entry in result):
                return Mapped(name, tuple(result), (), None)  # type: ignore[arg-type]
            case {"entries": list(entries), "references": references, "dynamic": dict(dynamic)}:
                if all(isinstance(entry, dict) for entry in entries):
                    self._learn(dynamic)
                    return Mapped(name, tuple(entries), _references(references), None)
            case {"error": str(error), "references": references}:
                return Mapped(name, (), _references(references), error)
        return _failed(document, "the definition spoilt its engine")

    def _learn(self, dynamic: dict[object, object]) -> None:
        for name, options in dynamic.items():
            if isinstance(name, str) and name not in self._fields and isinstance(options, dict):
                known = {str(key).lower(): value for key, value in options.items()}
                if known:
                    self._fields[name] = _dynamic_options(known)


def _dynamic_options(known: Mapping[str, object]) -> FieldOptions:
    indexing = known.get("indexing")
    analyzer = known.get("analyzer")
    return FieldOptions(
        indexing if indexing in ("Default", "Exact", "Search", "No") else "Default",
        known.get("storage") in (True, "Yes"),
        analyzer if isinstance(analyzer, str) else None,
    )


def _nothing(document: SourceDocument) -> Mapped:
    return Mapped(document.document_id, (), (), None)


def _failed(document: SourceDocument, error: str) -> Mapped:
    return Mapped(document.document_id, (), (), error)


def _asked(result: Result) -> list[str]:
    match result:
        case {"missing": list(names)}:
            return [name for name in names if isinstance(name, str)]
        case _:
            return []


def _references(found: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(found, list):
        return ()
    pairs = {tuple(pair) for pair in found if isinstance(pair, list) and len(pair) == 2}
    return tuple(sorted((str(collection), str(name)) for collection, name in pairs))
