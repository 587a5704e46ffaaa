"""What an index makes of documents: the contract between definitions at work and their store."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import orjson

from quoth_cluster.clock import to_wire

JsonValue = Any  # None, bool, int, float, str, list or dict, as JSON has them
Entry = dict[str, JsonValue]  # values by field; one that is missing has no term
ALL_FIELDS = "__all_fields"  # options of fields that have none of their own


class MappingError(Exception):
    """A map or reduce failed; the text is kept among the errors of the index."""


class Indexing(StrEnum):
    """How the values of a field are kept for queries."""

    DEFAULT = "Default"  # whole values, folded to lower case
    EXACT = "Exact"  # whole values as they are
    SEARCH = "Search"  # words
    NO = "No"


@dataclass(frozen=True, slots=True)
class FieldOptions:
    """What a definition says of a field."""

    indexing: str = Indexing.DEFAULT
    is_stored: bool = False
    analyzer: str | None = None


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """A document as maps get it."""

    document_id: str
    collection: str
    etag: int
    change_vector: str
    last_modified_micros: int
    body: bytes  # JSON object, without metadata
    metadata: bytes  # JSON object: what users wrote


def metadata_of(document: SourceDocument) -> dict[str, JsonValue]:
    """What users wrote, and what the server knows of a document."""
    known = {
        "@collection": document.collection,
        "@id": document.document_id,
        "@change-vector": document.change_vector,
        "@last-modified": to_wire(document.last_modified_micros),
    }
    return {**orjson.loads(document.metadata), **known}


@dataclass(frozen=True, slots=True)
class Mapped:
    """What became of one document."""

    document_id: str
    entries: tuple[dict[str, JsonValue], ...] = ()
    references: tuple[tuple[str, str], ...] = ()  # (collection, id) loaded, also if missing
    error: str | None = None


Load = Callable[[str], SourceDocument | None]


class Mapper(Protocol):
    """One definition at work. Deterministic; reads nothing but what it is given."""

    @property
    def collections(self) -> tuple[str, ...]:
        """Whose documents it maps; empty: all."""

    @property
    def fields(self) -> Mapping[str, FieldOptions]:
        """Options by field; those of `ALL_FIELDS` are for fields that have none."""

    @property
    def group_by(self) -> tuple[str, ...] | None:
        """The fields that make the reduce key; None: there is no reduce."""

    def map(self, documents: Sequence[SourceDocument], load: Load) -> list[Mapped]:
        """One result a document, in order; an error in one is its own."""

    def reduce(self, results: Sequence[dict[str, JsonValue]]) -> list[dict[str, JsonValue]]:
        """All results of one reduce key, as fewer; what it gives it also takes.

        Raises MappingError.
        """
