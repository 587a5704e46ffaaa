"""The terms of a field as people see them: texts in order, a page at a time.

Of a field for full-text search they are its words. Texts and words lie in their order; numbers lie
by value and are shown as texts, so all of them are looked at, which SQLite does without keeping
more than a page.
"""

from quoth_node.indexing.sqlite import Connection
from quoth_node.indexing.store import StoredField, load_fields
from quoth_node.indexing.values import NULL, Term, text_of

NULL_SHOWN = "NULL_VALUE"
FIRST_TEXT = ""  # SQLite orders numbers before texts, and texts before blobs


def load_terms(
    connection: Connection, name: str, *, after: str | None = None, page_size: int = 1_024
) -> list[str]:
    """The terms of a field behind `after`. Raises IndexFileError."""
    field = load_fields(connection).get(name)
    if field is None:
        return []
    if field.is_text:
        return _words(connection, field, after or "", page_size)
    found = _texts(connection, field, after, page_size)
    found += _numbers(connection, field, after or "", page_size)
    sql = f"SELECT 1 FROM terms_{field.number} WHERE value = ? LIMIT 1"
    if connection.one(sql, (NULL,)) and (after is None or NULL_SHOWN > after):
        found.append(NULL_SHOWN)
    return sorted(set(found))[:page_size]


def _words(connection: Connection, field: StoredField, after: str, page_size: int) -> list[str]:
    # They are kept as hexadecimal digits, whose order is that of the words.
    sql = f"SELECT term FROM words_{field.number} WHERE term > ? ORDER BY term LIMIT ?"
    rows = connection.rows(sql, (after.encode("utf-8", "surrogatepass").hex(), page_size))
    return [bytes.fromhex(term).decode("utf-8", "surrogatepass") for (term,) in rows]


def _texts(
    connection: Connection, field: StoredField, after: str | None, page_size: int
) -> list[str]:
    behind = ">=" if after is None else ">"
    sql = (
        f"SELECT DISTINCT value FROM terms_{field.number} "
        f"WHERE value {behind} ? AND value < ? ORDER BY value LIMIT ?"
    )
    return [text for (text,) in connection.rows(sql, (after or FIRST_TEXT, NULL, page_size))]


def _numbers(connection: Connection, field: StoredField, after: str, page_size: int) -> list[str]:
    connection.define("shown", _shown, arguments=1)
    sql = (
        "SELECT shown(value) AS text FROM "
        f"(SELECT DISTINCT value FROM terms_{field.number} WHERE value < ?) "
        "WHERE text > ? ORDER BY text LIMIT ?"
    )
    return [text for (text,) in connection.rows(sql, (FIRST_TEXT, after, page_size))]


def _shown(term: Term) -> str:
    return text_of(term) or ""
