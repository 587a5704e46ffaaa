"""The contract between what makes entries of documents and what keeps them.

A mapper is a function of documents: no clock, no chance, no disk. What is wrong with one document
is in what came of it, and never an exception.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

JsonValue: TypeAlias = bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"] | None
Entry: TypeAlias = dict[str, JsonValue]  # field -> value; a field that is missing has no term

ALL_FIELDS = "__all_fields"  # names the options of all fields that have none of their own


class MappingError(Exception):
    """A reduce that failed: its results stay as they were."""


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """A document as it is mapped."""

    document_id: str
    collection: str
    etag: int
    change_vector: str
    last_modified_micros: int
    body: bytes  # JSON object without @metadata
    metadata: bytes  # JSON object


@dataclass(frozen=True, slots=True)
class FieldOptions:
    """How a field is indexed, as definitions say it."""

    indexing: str = "Default"  # or 'Exact', 'Search', 'No'
    is_stored: bool = False
    analyzer: str | None = None


@dataclass(frozen=True, slots=True)
class Mapped:
    """What came of one document: entries, or an error."""

    document_id: str
    entries: tuple[Entry, ...]
    # (collection, id) of the documents that it loaded, those that are not there among them
    references: tuple[tuple[str, str], ...] = ()
    error: str | None = None


Load = Callable[[str], SourceDocument | None]


class Mapper(Protocol):
    """Makes entries of documents, and one result of the results of one key."""

    @property
    def collections(self) -> tuple[str, ...]:
        """The collections that are mapped; none if all documents are."""
        ...

    @property
    def fields(self) -> Mapping[str, FieldOptions]:
        """The options of the fields that are known; documents may make more while mapped."""
        ...

    @property
    def group_by(self) -> tuple[str, ...] | None:
        """The fields that make the key of a reduce; None for a map."""
        ...

    def map(self, documents: Sequence[SourceDocument], load: Load) -> list[Mapped]:
        """What came of each document, in their order."""
        ...

    def reduce(self, results: Sequence[Entry]) -> list[Entry]:
        """What all results of one key come to; what came of some of them may be among them.

        Raises MappingError.
        """
        ...
