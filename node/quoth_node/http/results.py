"""The results of one query, chunk by chunk, from one snapshot.

    rows (documents, hits of an index) -> filter -> skip -> projection -> distinct -> take -> JSON

Rows are read and made JSON in a worker thread, one chunk at a time; only JavaScript is asked for
from the event loop. What is included is collected on the way.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import orjson

from quoth_cluster import compare_exchange
from quoth_cluster.documents import StoredDocument, load
from quoth_cluster.store.environment import ReadTxn
from quoth_node.http.asking import Asked
from quoth_node.http.loading import Names
from quoth_node.http.streams import beside_the_loop
from quoth_node.querying.door import Hit
from quoth_node.querying.filtering import Filter
from quoth_node.querying.projecting import (
    FieldProjection,
    Row,
    loaded_by,
    projected_metadata,
)
from quoth_node.querying.scripts import Reading, ScriptProjection
from quoth_node.rql import SelectFields

CHUNK_BYTES = 262_144
CHUNK_ROWS = 512
SCANNED_MAX = 2_048  # rows looked at for one chunk, wanted or not
LOADED_KEPT_MAX = 1_024  # documents that projections load again and again


@dataclass(frozen=True, slots=True)
class Found:
    """A document, or what an index made, or both."""

    document: StoredDocument | None
    hit: Hit | None = None


Rows = list[tuple[Found, Row]]


@dataclass(frozen=True, slots=True)
class ScriptsOfQuery:
    """What of a query JavaScript does, if any."""

    makes_results: ScriptProjection | None = None
    is_asked_by_filter: ScriptProjection | None = None


class Results:
    """What is left of the results. Used by one thread at a time, within its snapshot."""

    def __init__(
        self,
        asked: Asked,
        txn: ReadTxn,
        found: Iterable[Found],
        *,
        scripts: ScriptsOfQuery,
        skip: int,
    ) -> None:
        self._txn = txn
        self._found = iter(found)
        self._scripts = scripts
        self._skip = skip  # of what the index has not skipped already
        self._left = asked.size
        self._scan_left = asked.scan if asked.query.filter else None
        self._metadata_only = asked.metadata_only
        query, select = asked.query, asked.query.select
        self._query = query
        self._filter = Filter(query.filter, asked.parameters) if query.filter else None
        self._seen: set[bytes] | None = set() if select and select.is_distinct else None
        self._fields: FieldProjection | None = None
        if isinstance(select, SelectFields):
            self._fields = FieldProjection(
                query, select, asked.parameters, self._load_parsed, asked.behavior
            )
        self._loaded: dict[str, Mapping[str, Any] | None] = {}
        self.included = Names(asked.included_paths)
        self.included_keys = Names(asked.included_key_paths)
        self._includes = bool(asked.included_paths or asked.included_key_paths)
        self._parses = bool(self._filter or select or self._includes)
        self.scanned = 0
        self._repeated = 0  # passed over by `distinct`
        self.ids: list[str] = []  # of documents that are results as they are
        self.is_done = asked.size == 0 or self._scan_left == 0

    async def chunks(self) -> AsyncIterator[list[bytes]]:
        """All that is left. Raises InvalidQuery, ProjectionFailed."""
        while not self.is_done:
            yield await self.next_chunk()

    def chunks_here(self) -> Iterator[list[bytes]]:
        """All that is left of results that need no JavaScript. For a worker thread."""
        assert not self.needs_scripts, "they are asked from the event loop"
        while not self.is_done:
            yield self._next_chunk()

    @property
    def skipped(self) -> int:
        """What `distinct` passed over, told with the last page only.

        A page starts at a number of results, not of rows. Who adds what was skipped to where the
        next page starts, as clients of servers that count rows must, would pass results over.
        """
        return self._repeated if self._left else 0

    @property
    def needs_scripts(self) -> bool:
        """Whether JavaScript has a part in the results."""
        return self._scripts != ScriptsOfQuery()

    async def next_chunk(self) -> list[bytes]:
        """The next results as JSON; perhaps none, though there are more to come.

        Raises InvalidQuery, ProjectionFailed.
        """
        if self.is_done:
            return []
        reading = Reading(self._read_document, self._read_value)
        made, asked = self._scripts.makes_results, self._scripts.is_asked_by_filter
        if made is None and asked is None:
            return await beside_the_loop(self._next_chunk)
        rows = await beside_the_loop(self._read_some)
        called = await asked.project([row for _, row in rows], reading) if asked else None
        rows = await beside_the_loop(partial(self._filtered, rows, called))
        if made is None:
            return await beside_the_loop(partial(self._made_of_fields, rows))
        results = await made.project([row for _, row in rows], reading)
        return await beside_the_loop(partial(self._finished, rows, results))

    def _next_chunk(self) -> list[bytes]:
        return self._made_of_fields(self._filtered(self._read_some(), None))

    def _made_of_fields(self, rows: Rows) -> list[bytes]:
        if self._fields is None:
            return self._finished(rows, None)
        return self._finished(rows, [self._fields.project(row) for _, row in rows])

    def _read_some(self) -> Rows:
        """The next rows, as many as one chunk may have, wanted or not."""
        is_plain = self._filter is None and self._seen is None
        wanted = min(CHUNK_ROWS, self._left) if is_plain else CHUNK_ROWS
        if self._scan_left is not None:
            wanted = min(wanted, self._scan_left)
        rows: Rows = []
        looked_at = size = 0
        for found in islice(self._found, SCANNED_MAX):
            looked_at += 1
            if is_plain and self._skip:
                self._skip -= 1
                continue
            rows.append((found, self._opened(found)))
            size += len(found.document.body) if found.document else 0
            if len(rows) == wanted or size >= CHUNK_BYTES:
                break
        else:
            self.is_done = looked_at < SCANNED_MAX
        if self._scan_left is not None:
            self._scan_left -= len(rows)
            self.is_done |= self._scan_left == 0
        return rows

    def _filtered(
        self, rows: Rows, called: Sequence[Mapping[str, Any] | None] | None
    ) -> Rows:
        """Those that the filter wants; `called` has what functions say of each."""
        if self._filter is None:
            return rows
        kept: Rows = []
        for number, (found, row) in enumerate(rows):
            self.scanned += 1
            said = (called[number] or {}) if called is not None else {}
            if not self._is_wanted(row, self._filter, said):
                continue
            if self._skip and self._seen is None:
                self._skip -= 1
                continue
            kept.append((found, row))
            if self._seen is None and len(kept) == self._left:
                break
        return kept

    def _is_wanted(self, row: Row, wanted: Filter, called: Mapping[str, Any]) -> bool:
        loaded = loaded_by(self._query, row, self._load_parsed)
        return wanted.matches(row.document or row.stored or {}, loaded, called)

    def _opened(self, found: Found) -> Row:
        hit = found.hit
        stored, score = (hit.fields, hit.score) if hit is not None else (None, None)
        if found.document is None or not self._parses:
            return Row(None, stored, score)
        json = found.document.to_json()
        return Row(orjson.loads(json), stored, score, json)

    def _finished(
        self,
        rows: Rows,
        projected: Sequence[Mapping[str, Any] | None] | None,
    ) -> list[bytes]:
        """The JSON of the rows that are on the page; `projected` has what they became."""
        finished: list[bytes] = []
        for number, (found, row) in enumerate(rows):
            if projected is None:
                json = self._as_it_is(found, row)
            elif (result := projected[number]) is None or not self._is_new(result):
                continue
            else:
                json = projected_json(result, row)
            if self._seen is not None and self._skip:
                self._skip -= 1
                continue
            finished.append(json)
            self._left -= 1
            if self._includes:
                self.included.collect(row.document or row.stored)
                self.included_keys.collect(row.document or row.stored)
            if not self._left:
                self.is_done = True
                break
        return finished

    def _is_new(self, result: Mapping[str, Any]) -> bool:
        if self._seen is None:
            return True
        known = orjson.dumps(result, option=orjson.OPT_SORT_KEYS)
        if known in self._seen:
            self._repeated += 1
            return False
        self._seen.add(known)
        return True

    def _as_it_is(self, found: Found, row: Row) -> bytes:
        if found.document is None:
            metadata = {} if row.score is None else {"@index-score": row.score}
            return orjson.dumps({**(row.stored or {}), "@metadata": metadata})
        self.ids.append(found.document.document_id)
        document = found.document
        json = document.metadata_json() if self._metadata_only else document.to_json()
        if row.score is None:
            return json
        return b'%b,"@index-score":%b}}' % (json[:-2], orjson.dumps(row.score))

    def _load_parsed(self, document_id: str) -> Mapping[str, Any] | None:
        """A document that projections load: of many results, often the same."""
        if document_id not in self._loaded:
            if len(self._loaded) >= LOADED_KEPT_MAX:
                self._loaded.clear()
            found = self._read_document(document_id)
            self._loaded[document_id] = orjson.loads(found[1]) if found else None
        return self._loaded[document_id]

    def _read_document(self, document_id: str) -> tuple[str, bytes] | None:
        found = load(self._txn, document_id) if document_id else None
        return (found.document_id, found.to_json()) if found is not None else None

    def _read_value(self, key: str) -> bytes | None:
        found = compare_exchange.get(self._txn, key)
        return found.value if found is not None else None


def projected_json(result: Mapping[str, Any], row: Row) -> bytes:
    """A projection with its metadata, in which a script may have put something of its own."""
    own = result.get("@metadata")
    metadata = {**own, **projected_metadata(row)} if isinstance(own, dict) else None
    return orjson.dumps({**result, "@metadata": metadata or projected_metadata(row)})
