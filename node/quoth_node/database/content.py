"""A document as users see it, and the parts it is kept in: pure, and the same for every way in."""

from dataclasses import dataclass
from typing import Any

import orjson

EMPTY_COLLECTION = "@empty"
LEVELS_MAX = 128  # as many as are read: what is loaded can be stored again
METADATA = "@metadata"
COLLECTION = "@collection"
# Made by the server; clients send them back with what they loaded.
SERVER_METADATA = frozenset(
    {
        "@id",
        "@change-vector",
        "@last-modified",
        "@flags",
        "@index-score",
        "@projection",
        "@attachments",
        "@counters",
        "@timeseries",
    }
)


class NotKept(Exception):
    """The content cannot be kept as a document."""


@dataclass(frozen=True, slots=True)
class Content:
    """What is stored of a document: two JSON objects, and the collection that one of them names."""

    body: bytes
    metadata: bytes
    collection: str

    def to_json(self) -> bytes:
        """As users wrote it: `{...,"@metadata":{...}}`."""
        comma = b"," if self.body != b"{}" else b""
        return b'%b%b"@metadata":%b}' % (self.body[:-1], comma, self.metadata)

    def is_equal(self, other: "Content") -> bool:
        """Whether both hold the same, in whatever order."""
        if self == other:
            return True
        return _sorted(self.body) == _sorted(other.body) and _sorted(self.metadata) == _sorted(
            other.metadata
        )


def content_of(document: dict[str, Any], *, metadata: bytes | None = None) -> Content:
    """The parts of a document, which is taken apart; `metadata` if it brings none of its own.

    Raises NotKept.
    """
    own = document.pop(METADATA, None)
    if own is None and metadata is not None:
        own = orjson.loads(metadata)
    kept = {} if own is None else own
    if not isinstance(kept, dict):
        raise NotKept("@metadata is not an object")
    kept = {name: value for name, value in kept.items() if name not in SERVER_METADATA}
    collection = kept.get(COLLECTION)
    if collection is not None and not isinstance(collection, str):
        raise NotKept("@collection is not a string")
    if not collection:
        kept.pop(COLLECTION, None)
    body, metadata = _dump(document, LEVELS_MAX), _dump(kept, LEVELS_MAX - 1)
    return Content(body, metadata, collection or EMPTY_COLLECTION)


def _dump(value: dict[str, Any], levels_max: int) -> bytes:
    too_deep = f"it is nested too deep, {LEVELS_MAX} levels can be kept"
    try:
        dumped = orjson.dumps(value)
    except TypeError as error:
        raise NotKept(too_deep) from error
    # Most have fewer objects and arrays than may be in one another.
    may_be_deep = dumped.count(b"{") + dumped.count(b"[") > levels_max
    if may_be_deep and _is_deeper(value, levels_max):
        raise NotKept(too_deep)
    return dumped


def _is_deeper(value: dict[str, Any], levels: int) -> bool:
    """Whether objects and arrays stand in one another on more than so many levels."""
    level: list[Any] = [value]
    for _ in range(levels):
        within = (found.values() if isinstance(found, dict) else found for found in level)
        level = [item for items in within for item in items if isinstance(item, dict | list)]
        if not level:
            return False
    return True


def _sorted(data: bytes) -> bytes:
    # Text against text: to Python, true and 1 are equal.
    return orjson.dumps(orjson.loads(data), option=orjson.OPT_SORT_KEYS)
