"""The contract between what makes entries of documents and what keeps them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

JsonValue: TypeAlias = bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"] | None
ALL_FIELDS = "__all_fields"


class MappingError(Exception):
    """A reduce that failed."""


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """A document as it is mapped."""

    document_id: str
    collection: str
    etag: int
    change_vector: str
    last_modified_micros: int
    body: bytes
    metadata: bytes


@dataclass(frozen=True, slots=True)
class FieldOptions:
    """How a field is indexed."""

    indexing: str = "Default"
    is_stored: bool = False
    analyzer: str | None = None


@dataclass(frozen=True, slots=True)
class Mapped:
    """What came of one document."""

    document_id: str
    entries: tuple[dict[str, JsonValue], ...]
    references: tuple[tuple[str, str], ...] = ()
    error: str | None = None


Load = Callable[[str], SourceDocument | None]


class Mapper(Protocol):
    """Makes entries of documents."""

    @property
    def collections(self) -> tuple[str, ...]: ...
    @property
    def fields(self) -> Mapping[str, FieldOptions]: ...
    @property
    def group_by(self) -> tuple[str, ...] | None: ...
    def map(self, documents: Sequence[SourceDocument], load: Load) -> list[Mapped]: ...
    def reduce(self, results: Sequence[dict[str, JsonValue]]) -> list[dict[str, JsonValue]]: ...
