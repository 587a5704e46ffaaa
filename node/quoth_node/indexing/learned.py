"""Fields that documents made with options of their own: kept beside them, for who starts again.

A map may create fields as it likes (`CreateField`). What was indexed under some options must be
asked under the same, also by a process that has not mapped the document that said so.
"""

from collections.abc import Mapping

import orjson

from quoth_node.indexing.mapping import FieldOptions
from quoth_node.indexing.store import IndexStore

KEY = "learned"


def keep(store: IndexStore, fields: Mapping[str, FieldOptions]) -> None:
    """Note the options of all fields, if there are more than before; within a transaction."""
    if len(fields) == store.fields_kept:
        return
    rows = {name: [str(one.indexing), one.is_stored, one.analyzer] for name, one in fields.items()}
    store.connection.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", (KEY, orjson.dumps(rows)))
    store.fields_kept = len(fields)


def load(store: IndexStore) -> dict[str, FieldOptions]:
    """The options of all fields as they were noted."""
    value = store.connection.one("SELECT value FROM meta WHERE key = ?", (KEY,))
    rows = {} if value is None else orjson.loads(value)
    return {name: FieldOptions(*options) for name, options in rows.items()}
