"""The file of one index: entries with their terms, and how far in the documents they reach.

    meta(key, value)             format, digest of the definition, last etags, counters
    fields(field, name, ...)     the fields seen so far: number, whether it has words, whether some
                                 entry has several values of it
    entries(entry, folded, id, result)   folded: the document, or the reduce key; result: JSON
    terms_N(value, entry)        what queries of field N compare (see values.py)
    texts_N                      the words of field N, an FTS5 table whose rows are entries
    loaded(loaded, folded)       which document loaded which
    mapped, pages                see reducing.py
    errors(error, ...)           the newest failures

All of one batch - entries, terms, etags - is one transaction (`batches.py`): the file is right at
any moment.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson

from quoth_cluster.errors import NewerFormat
from quoth_cluster.store.keys import fold_text
from quoth_node.indexing.analysis import analyzer_named, packed_words
from quoth_node.indexing.mapping import (
    ALL_FIELDS,
    FieldOptions,
    Indexing,
    JsonValue,
    Mapped,
)
from quoth_node.indexing.sqlite import Connection, IndexFileError
from quoth_node.indexing.values import Term, terms_of, text_of

FORMAT = 1
FILE_NAME = "index.sqlite"
FIELDS_MAX = 1_000
ERRORS_MAX = 500
OUTPUTS_MAX = "outputs_max"
ERROR_CHARACTERS_MAX = 4_096
FIELD_CHARACTERS_MAX = 512
DEFAULT = FieldOptions()

SCHEMA = """
    CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE fields(
        field INTEGER PRIMARY KEY, name TEXT UNIQUE, is_text INTEGER, has_many INTEGER
    );
    CREATE TABLE entries(entry INTEGER PRIMARY KEY, folded TEXT, id TEXT, result BLOB);
    CREATE INDEX entries_folded ON entries(folded);
    CREATE TABLE loaded(loaded TEXT, folded TEXT, PRIMARY KEY(loaded, folded)) WITHOUT ROWID;
    CREATE INDEX loaded_folded ON loaded(folded);
    CREATE TABLE errors(error INTEGER PRIMARY KEY, at INTEGER, id TEXT, action TEXT, text TEXT);
    CREATE TABLE mapped(
        key BLOB, page INTEGER, folded TEXT, number INTEGER, value BLOB,
        PRIMARY KEY(key, page, folded, number)
    ) WITHOUT ROWID;
    CREATE INDEX mapped_folded ON mapped(folded);
    CREATE TABLE pages(key BLOB, page INTEGER, size INTEGER, value BLOB,
        PRIMARY KEY(key, page)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """All changes up to here are in the index."""

    document_etag: int = 0
    tombstone_etag: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure."""

    document_id: str | None
    action: str  # Map or Reduce
    text: str
    at_micros: int


@dataclass(frozen=True, slots=True)
class StoredField:
    """A field that some entry has."""

    number: int
    is_text: bool
    has_many: bool  # some entry has several values


@dataclass(slots=True)
class StoreStats:
    """What an index has done since it was made."""

    entries: int = 0
    errors: int = 0
    counters: dict[str, int] = field(default_factory=dict)
    outputs_max: int = 0  # entries of one document


class IndexStore:
    """The writing side; one at a time for a file."""

    def __init__(self, connection: Connection, fields: Mapping[str, FieldOptions]) -> None:
        """Use `open`."""
        self.connection = connection
        self._options = fields
        self.fields_kept = len(fields)  # see `learned.py`
        self._fields: dict[str, StoredField] = {}
        self._load_fields()

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        digest: bytes,
        group_by: tuple[str, ...] | None = None,
        fields: Mapping[str, FieldOptions] | None = None,
    ) -> "IndexStore":
        """Open the index in `folder`, or make it.

        Raises IndexFileError if it is of another definition than that of `digest`, or damaged, and
        NewerFormat.
        """
        folder.mkdir(parents=True, exist_ok=True)
        connection = Connection(folder / FILE_NAME, is_reader=False)
        try:
            _check_or_make(connection, digest)
            return cls(connection, fields or {})
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        self.connection.close()

    # -- what it has come to

    @property
    def progress(self) -> Progress:
        return Progress(self._number("document_etag"), self._number("tombstone_etag"))

    def stats(self) -> StoreStats:
        return load_stats(self.connection)

    def clear_errors(self) -> None:
        with self.connection.transaction():
            self.connection.run("DELETE FROM errors")

    def has_references(self) -> bool:
        """Whether any document loaded another."""
        return self.connection.one("SELECT 1 FROM loaded LIMIT 1") is not None

    def referencing(self, ids: Iterable[str]) -> list[str]:
        """Folded ids of documents that loaded one of `ids`."""
        sql = "SELECT folded FROM loaded WHERE loaded = ?"
        found = {
            row[0]: None for one in ids for row in self.connection.rows(sql, (fold_text(one),))
        }
        return list(found)

    # -- writing, within a transaction of `batches.py`

    def is_new(self) -> bool:
        """Whether nothing was ever put in: then nothing need be taken out."""
        return not self._number("document_etag")

    def note_outputs(self, outputs: int) -> None:
        """Remember the most entries that one document had."""
        if outputs > self.outputs_max:
            self._set(OUTPUTS_MAX, outputs)

    @property
    def outputs_max(self) -> int:
        return self._number(OUTPUTS_MAX)

    def advance(self, document_etag: int, tombstone_etag: int) -> None:
        """All changes up to here are in; only ever further."""
        self._set("document_etag", max(document_etag, self._number("document_etag")))
        self._set("tombstone_etag", max(tombstone_etag, self._number("tombstone_etag")))

    def reload(self) -> None:
        """After a transaction that was taken back: what is in the file is true."""
        self.fields_kept = -1
        self._load_fields()

    def drop_entries(self, folded: Iterable[str]) -> None:
        """Forget all entries of documents or reduce keys, with their terms."""
        rows = [
            (entry,)
            for one in folded
            for (entry,) in self.connection.rows(
                "SELECT entry FROM entries WHERE folded = ?", (one,)
            )
        ]
        if not rows:
            return
        for known in self._fields.values():
            self.connection.run_many(f"DELETE FROM terms_{known.number} WHERE entry = ?", rows)
            if known.is_text:
                sql = f"DELETE FROM texts_{known.number} WHERE rowid = ?"
                self.connection.run_many(sql, rows)
        self.connection.run_many("DELETE FROM entries WHERE entry = ?", rows)

    def add_entries(
        self,
        entries: Iterable[tuple[str, str | None, dict[str, JsonValue]]],
        *,
        keeps_result: bool = False,
    ) -> None:
        """Put in entries: (folded, document id, values by field)."""
        last = self.connection.one("SELECT max(entry) FROM entries") or 0
        heads: list[tuple[int, str, str | None, bytes | None]] = []
        terms: dict[int, list[tuple[Term, int]]] = {}
        texts: dict[int, list[tuple[int, str]]] = {}
        for entry, (folded, document_id, values) in enumerate(entries, start=last + 1):
            heads.append((entry, folded, document_id, self._result(values, keeps_result)))
            for name, value in values.items():
                options = self._options_of(name)
                if options.indexing == Indexing.NO:
                    continue
                is_text = options.indexing == Indexing.SEARCH
                is_exact = options.indexing == Indexing.EXACT
                found = terms_of(value, is_exact=is_exact)
                number = self._field(name, is_text=is_text, has_many=len(found) > 1)
                terms.setdefault(number, []).extend([(term, entry) for term in found])
                if is_text:
                    texts.setdefault(number, []).append((entry, _words(value, options)))
        sql = "INSERT INTO entries(entry, folded, id, result) VALUES (?, ?, ?, ?)"
        self.connection.run_many(sql, heads)
        for number, rows in terms.items():
            self.connection.run_many(f"INSERT INTO terms_{number} VALUES (?, ?)", sorted_rows(rows))
        for number, words in texts.items():
            sql = f"INSERT INTO texts_{number}(rowid, words) VALUES (?, ?)"
            self.connection.run_many(sql, words)

    def note_error(self, document_id: str | None, action: str, text: str, at_micros: int) -> None:
        """Keep a failure among the newest."""
        self.connection.run(
            "INSERT INTO errors(at, id, action, text) VALUES (?, ?, ?, ?)",
            (at_micros, document_id, action, text[:ERROR_CHARACTERS_MAX]),
        )
        self.connection.run(
            "DELETE FROM errors WHERE error <= (SELECT max(error) FROM errors) - ?", (ERRORS_MAX,)
        )

    def count(self, what: str, more: int) -> None:
        """Add to a counter."""
        if more:
            self._set(f"count {what}", self._number(f"count {what}") + more)

    # -- inside

    def _result(self, values: dict[str, JsonValue], keeps_all: bool) -> bytes | None:
        if keeps_all:
            return orjson.dumps(values)
        stored = {name: value for name, value in values.items() if self._options_of(name).is_stored}
        return orjson.dumps(stored) if stored else None

    def _options_of(self, name: str) -> FieldOptions:
        return self._options.get(name) or self._options.get(ALL_FIELDS) or DEFAULT

    def _field(self, name: str, *, is_text: bool, has_many: bool) -> int:
        known = self._fields.get(name)
        if known is not None and has_many <= known.has_many:
            return known.number
        if known is not None:
            sql = "UPDATE fields SET has_many = 1 WHERE field = ?"
            self.connection.run(sql, (known.number,))
            self._fields[name] = replace(known, has_many=True)
            return known.number
        if len(self._fields) >= FIELDS_MAX or len(name) > FIELD_CHARACTERS_MAX:
            raise IndexFileError(
                f"field {name[:64]!r}: an index has at most {FIELDS_MAX} fields, with names of at "
                f"most {FIELD_CHARACTERS_MAX} characters"
            )
        sql = "INSERT INTO fields(name, is_text, has_many) VALUES (?, ?, ?)"
        self.connection.run(sql, (name, is_text, has_many))
        number = self.connection.last_row_id()
        self.connection.run(
            f"CREATE TABLE terms_{number}(value, entry INTEGER, PRIMARY KEY(value, entry)) "
            "WITHOUT ROWID"
        )
        self.connection.run(f"CREATE INDEX terms_{number}_entry ON terms_{number}(entry)")
        if is_text:
            self.connection.run(
                f"CREATE VIRTUAL TABLE texts_{number} USING fts5(words, content='', "
                "contentless_delete=1, tokenize='ascii')"
            )
            self.connection.run(
                f"CREATE VIRTUAL TABLE words_{number} USING fts5vocab(texts_{number}, 'row')"
            )
        self._fields[name] = StoredField(number, is_text, has_many)
        return number

    def _load_fields(self) -> None:
        self._fields = load_fields(self.connection)

    def forget_references(self, folded: Sequence[str]) -> None:
        """Of documents that changed: what they loaded before."""
        self.connection.run_many("DELETE FROM loaded WHERE folded = ?", ((one,) for one in folded))

    def note_references(self, mapped: Sequence[Mapped]) -> None:
        """Which documents loaded which, be they there or not."""
        rows = {
            (fold_text(loaded), fold_text(one.document_id))
            for one in mapped
            for _, loaded in one.references
        }
        if rows:
            self.connection.run_many("INSERT INTO loaded VALUES (?, ?)", sorted(rows))

    def _number(self, key: str) -> int:
        value = self.connection.one("SELECT value FROM meta WHERE key = ?", (key,))
        return int(value or 0)

    def _set(self, key: str, value: int) -> None:
        self.connection.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def load_fields(connection: Connection) -> dict[str, StoredField]:
    """The fields of an index file, by name."""
    rows = connection.rows("SELECT name, field, is_text, has_many FROM fields")
    return {
        name: StoredField(number, bool(is_text), bool(has_many))
        for name, number, is_text, has_many in rows
    }


def load_stats(connection: Connection) -> StoreStats:
    """What an index has done since it was made."""
    rows = connection.rows("SELECT key, value FROM meta WHERE key LIKE 'count %'")
    counters = {key.removeprefix("count "): int(value) for key, value in rows}
    entries = int(connection.one("SELECT count(*) FROM entries"))
    errors = int(connection.one("SELECT count(*) FROM errors"))
    outputs = int(connection.one(f"SELECT value FROM meta WHERE key = '{OUTPUTS_MAX}'") or 0)
    return StoreStats(entries, errors, counters, outputs)


def load_failures(connection: Connection) -> list[Failure]:
    """The newest failures, the oldest of them first."""
    rows = connection.rows("SELECT id, action, text, at FROM errors ORDER BY error")
    return [Failure(*row) for row in rows]


def sorted_rows(rows: list[tuple[Term, int]]) -> list[tuple[Term, int]]:
    """Terms in the order of the table, so that most land at one place of it."""
    if len(rows) < 2:
        return rows
    try:
        return sorted(rows)
    except TypeError:  # of several kinds
        return rows


def _words(value: JsonValue, options: FieldOptions) -> str:
    analyzer = analyzer_named(options.analyzer)
    assert analyzer is not None, "a definition with an unknown analyzer is refused"
    texts = (text_of(term) for term in terms_of(value, is_exact=True))
    return " ".join(packed_words(analyzer.words(text)) for text in texts if text)


def _check_or_make(connection: Connection, digest: bytes) -> None:
    is_new = not connection.rows("SELECT 1 FROM sqlite_master LIMIT 1")
    if is_new:
        with connection.transaction():
            for statement in SCHEMA.split(";"):
                if statement.strip():
                    connection.run(statement)
            connection.run("INSERT INTO meta VALUES ('format', ?), ('digest', ?)", (FORMAT, digest))
        return
    written = connection.one("SELECT value FROM meta WHERE key = 'format'")
    if not isinstance(written, int):
        raise IndexFileError(f"{connection.path} is no index")
    if written > FORMAT:
        raise NewerFormat(f"{connection.path} has format {written}; known is up to {FORMAT}")
    if connection.one("SELECT value FROM meta WHERE key = 'digest'") != digest:
        raise IndexFileError(f"{connection.path} is of another definition")
