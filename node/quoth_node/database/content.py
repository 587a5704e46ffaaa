"""A document as users see it, and the parts it is kept in: pure, and the same for every way in."""

from dataclasses import dataclass
from typing import Any

import orjson

EMPTY_COLLECTION = "@empty"
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
    return Content(_dump(document), _dump(kept), collection or EMPTY_COLLECTION)


def _dump(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise NotKept("it is nested too deep, 254 levels can be kept") from error


def _sorted(data: bytes) -> bytes:
    # Text against text: to Python, true and 1 are equal.
    return orjson.dumps(orjson.loads(data), option=orjson.OPT_SORT_KEYS)
