"""Map-reduce, in pages: a change costs as much as its page, however many results share its key.

The mapped results of one reduce key lie in pages of `PAGE_RESULTS` results. Of each page its
reduction is kept; what a key comes to is the reduction of those. So reduces must take what they
give, which is asked of every definition.
"""

from collections.abc import Sequence
from hashlib import blake2b

import orjson

from quoth_cluster.store.keys import fold_text
from quoth_node.indexing.mapping import JsonValue, Mapped, Mapper, MappingError
from quoth_node.indexing.store import IndexStore
from quoth_node.indexing.values import NULL, term_of

PAGE_RESULTS = 256
KEY_BYTES_MAX = 512
BROKEN_PAGE = -1  # stands for a key whose reduction failed: next time all its pages are reduced


def reduce_changes(
    store: IndexStore,
    mapped: Sequence[Mapped],
    gone: Sequence[str],
    mapper: Mapper,
    at_micros: int,
) -> None:
    """Take the results of changed documents out and in, and reduce what that touches."""
    assert mapper.group_by is not None, "only indexes with a reduce are reduced"
    touched = _take_out(store, gone)
    for key, pages in _put_in(store, mapped, mapper.group_by).items():
        touched.setdefault(key, set()).update(pages)
    reduced: list[tuple[str, None, dict[str, JsonValue]]] = []
    failed = 0
    for key, pages in touched.items():
        try:
            name = key.hex()
            reduced += [(name, None, result) for result in _reduce_key(store, key, pages, mapper)]
        except MappingError as error:
            store.connection.run("DELETE FROM pages WHERE key = ?", (key,))
            store.connection.run("INSERT INTO pages VALUES (?, ?, 0, NULL)", (key, BROKEN_PAGE))
            store.note_error(None, "Reduce", str(error), at_micros)
            failed += 1
    store.drop_entries([key.hex() for key in touched])
    store.add_entries(reduced, keeps_result=True)
    store.count("reduce attempts", len(touched))
    store.count("reduce errors", failed)
    store.count("reduce successes", len(touched) - failed)


def _take_out(store: IndexStore, gone: Sequence[str]) -> dict[bytes, set[int]]:
    """Forget the results of documents; the pages they were in, by key."""
    touched: dict[bytes, set[int]] = {}
    rows = []
    for folded in gone:
        sql = "SELECT DISTINCT key, page FROM mapped WHERE folded = ?"
        for key, page in store.connection.rows(sql, (folded,)):
            touched.setdefault(key, set()).add(page)
            rows.append((key, page, folded))
    sql = "DELETE FROM mapped WHERE key = ? AND page = ? AND folded = ?"
    store.connection.run_many(sql, rows)
    return touched


def _put_in(
    store: IndexStore, mapped: Sequence[Mapped], group_by: tuple[str, ...]
) -> dict[bytes, set[int]]:
    """Put results into the last pages of their keys; which pages that were."""
    touched: dict[bytes, set[int]] = {}
    last_pages: dict[bytes, tuple[int, int]] = {}
    rows = []
    for one in mapped:
        folded = fold_text(one.document_id)
        for number, result in enumerate(one.entries):
            key = key_of(result, group_by)
            page, size = last_pages.get(key) or _last_page(store, key)
            if size >= PAGE_RESULTS:
                page, size = page + 1, 0
            last_pages[key] = page, size + 1
            touched.setdefault(key, set()).add(page)
            rows.append((key, page, folded, number, orjson.dumps(result)))
    store.connection.run_many("INSERT INTO mapped VALUES (?, ?, ?, ?, ?)", sorted(rows))
    return touched


def key_of(result: dict[str, JsonValue], group_by: tuple[str, ...]) -> bytes:
    """What results of one group have in common: the same bytes for the same values."""
    values = [_key_value(result.get(name)) for name in group_by]
    key = orjson.dumps(values, option=orjson.OPT_SORT_KEYS)
    if len(key) <= KEY_BYTES_MAX:
        return key
    return key[:KEY_BYTES_MAX] + blake2b(key, digest_size=32).digest()


def _key_value(value: JsonValue) -> JsonValue:
    """Texts by their letters, numbers by value: 5 and 5.0 are one group."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list | dict | str):
        return value
    term = term_of(value, is_exact=True)
    return None if term == NULL else term


def _last_page(store: IndexStore, key: bytes) -> tuple[int, int]:
    """The page that new results go to, and how many it has."""
    page = store.connection.one("SELECT max(page) FROM mapped WHERE key = ?", (key,))
    if page is None:
        return 0, 0
    sql = "SELECT count(*) FROM mapped WHERE key = ? AND page = ?"
    return page, int(store.connection.one(sql, (key, page)))


def _reduce_key(
    store: IndexStore, key: bytes, pages: set[int], mapper: Mapper
) -> list[dict[str, JsonValue]]:
    """What a key comes to after some of its pages changed. Raises MappingError."""
    connection = store.connection
    sql = "SELECT 1 FROM pages WHERE key = ? AND page = ?"
    if connection.one(sql, (key, BROKEN_PAGE)):
        rows = connection.rows("SELECT DISTINCT page FROM mapped WHERE key = ?", (key,))
        pages = {page for (page,) in rows}
        connection.run("DELETE FROM pages WHERE key = ?", (key,))
    for page in sorted(pages):
        _reduce_page(store, key, page, mapper)
    rows = connection.rows("SELECT value FROM pages WHERE key = ? ORDER BY page", (key,))
    results: list[dict[str, JsonValue]] = [one for (value,) in rows for one in orjson.loads(value)]
    return mapper.reduce(results) if len(rows) > 1 else results


def _reduce_page(store: IndexStore, key: bytes, page: int, mapper: Mapper) -> None:
    connection = store.connection
    sql = "SELECT value FROM mapped WHERE key = ? AND page = ?"
    rows = connection.rows(sql, (key, page))
    if not rows:
        connection.run("DELETE FROM pages WHERE key = ? AND page = ?", (key, page))
        return
    reduced = mapper.reduce([orjson.loads(value) for (value,) in rows])
    row = (key, page, len(rows), orjson.dumps(reduced))
    connection.run("INSERT OR REPLACE INTO pages VALUES (?, ?, ?, ?)", row)
