"""Automatic indexes: fields by their paths, and groups with counts and sums.

A field of an automatic index is named as queries speak of it: `name`, `address.city`,
`tags[].name`, `search(name)`, `exact(name)`. A document that lacks one has no term there; that is
not the same as null.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from quoth_node.indexing.mapping import (
    FieldOptions,
    Indexing,
    JsonValue,
    Load,
    Mapped,
    MappingError,
    SourceDocument,
    metadata_of,
)
from quoth_node.indexing.naming import automatic_name
from quoth_node.indexing.paths import ID, METADATA, MISSING, Path

COUNT = "Count"
ALL_DOCUMENTS = "@all_docs"
DECORATIONS = {"search": Indexing.SEARCH, "exact": Indexing.EXACT}


def decorated(decoration: str, path: str) -> str:
    """`decorated("search", "name")` is `"search(name)"`."""
    return f"{decoration}({path})"


def options_of(name: str) -> tuple[str, FieldOptions]:
    """The path that a field reads, and how its values are kept."""
    for decoration, indexing in DECORATIONS.items():
        if name.startswith(f"{decoration}(") and name.endswith(")"):
            return name[len(decoration) + 1 : -1], FieldOptions(indexing)
    return name, FieldOptions()


@dataclass(frozen=True, slots=True)
class AutoDefinition:
    """What an automatic index is of. The name says all of it."""

    collection: str  # or @all_docs
    fields: tuple[str, ...]
    # Of a map-reduce: paths that make the key, `array(tags)` for a whole array; and what is summed.
    group_by: tuple[str, ...] | None = None
    sums: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        if self.group_by is None:
            return automatic_name(self.collection, self.fields)
        return automatic_name(self.collection, [COUNT, *self.sums], self.group_by)

    @property
    def collections(self) -> tuple[str, ...]:
        return () if self.collection == ALL_DOCUMENTS else (self.collection,)

    def is_kin_of(self, other: "AutoDefinition") -> bool:
        """Whether one index can do what both do."""
        groups = [None if one is None else set(one) for one in (self.group_by, other.group_by)]
        return self.collection.lower() == other.collection.lower() and groups[0] == groups[1]

    def covers(self, needs: "AutoDefinition") -> bool:
        """Whether queries that need `needs` can be answered from this one."""
        has_all = set(needs.fields) <= set(self.fields) and set(needs.sums) <= set(self.sums)
        return has_all and self.is_kin_of(needs)

    def widened(self, needs: "AutoDefinition") -> "AutoDefinition":
        """One that covers both."""
        return AutoDefinition(
            self.collection,
            tuple(sorted({*self.fields, *needs.fields})),
            needs.group_by,
            tuple(sorted({*self.sums, *needs.sums})),
        )

    def to_json(self) -> bytes:
        return orjson.dumps(
            {
                "Collection": self.collection,
                "Fields": list(self.fields),
                "GroupBy": None if self.group_by is None else list(self.group_by),
                "Sums": list(self.sums),
            }
        )

    @classmethod
    def from_json(cls, data: bytes) -> "AutoDefinition":
        """Of `to_json`."""
        value = orjson.loads(data)
        group_by = value["GroupBy"]
        return cls(
            value["Collection"],
            tuple(value["Fields"]),
            None if group_by is None else tuple(group_by),
            tuple(value["Sums"]),
        )


@dataclass(frozen=True, slots=True)
class AutoMapper:
    """An automatic index at work; fulfils `Mapper`."""

    definition: AutoDefinition
    fields: Mapping[str, FieldOptions] = field(init=False)
    _paths: tuple[tuple[str, Path], ...] = field(init=False)

    def __post_init__(self) -> None:
        definition = self.definition
        named = [(name, *options_of(name)) for name in definition.fields]
        if definition.group_by is not None:
            names = [_without_array(name) for name in definition.group_by]
            named = [(name, name, FieldOptions()) for name in (*names, *definition.sums)]
        object.__setattr__(self, "fields", {name: options for name, _, options in named})
        paths = tuple((name, Path.of(path)) for name, path, _ in named)
        object.__setattr__(self, "_paths", paths)

    @property
    def collections(self) -> tuple[str, ...]:
        return self.definition.collections

    @property
    def group_by(self) -> tuple[str, ...] | None:
        group_by = self.definition.group_by
        return None if group_by is None else tuple(_without_array(name) for name in group_by)

    def map(self, documents: Sequence[SourceDocument], load: Load) -> list[Mapped]:
        make = self._entry if self.definition.group_by is None else self._results
        return [Mapped(one.document_id, make(self._opened(one))) for one in documents]

    def reduce(self, results: Sequence[dict[str, JsonValue]]) -> list[dict[str, JsonValue]]:
        if not results:
            return []
        reduced = dict(results[0])
        for name in (COUNT, *self.definition.sums):
            try:
                reduced[name] = sum(_number(result.get(name)) for result in results)
            except OverflowError as error:
                raise MappingError(f"the sum of {name} is too large") from error
        return [reduced]

    # -- inside

    def _opened(self, document: SourceDocument) -> dict[str, Any]:
        value: dict[str, Any] = orjson.loads(document.body)
        value[ID] = document.document_id
        if any(path.names[0] == METADATA for _, path in self._paths):
            value[METADATA] = metadata_of(document)
        return value

    def _entry(self, document: dict[str, Any]) -> tuple[dict[str, JsonValue], ...]:
        found = ((name, path.read(document)) for name, path in self._paths)
        return ({name: value for name, value in found if value is not MISSING},)

    def _results(self, document: dict[str, Any]) -> tuple[dict[str, JsonValue], ...]:
        """One result, or of `group by tags[]` one for each element."""
        assert self.definition.group_by is not None
        results: list[dict[str, JsonValue]] = [{COUNT: 1}]
        for written in self.definition.group_by:
            name = _without_array(written)
            value = Path.of(name).read(document)
            values = [None if value is MISSING else value]
            if "[]" in name and type(value) is list:
                values = value
            results = [{**result, name: one} for result in results for one in values]
        for name in self.definition.sums:
            value = Path.of(name).read(document)
            for result in results:
                result[name] = _number(value)
        return tuple(results)


def _without_array(name: str) -> str:
    return name[6:-1] if name.startswith("array(") and name.endswith(")") else name


def _number(value: Any) -> int | float:
    if type(value) is list:
        return sum(_number(one) for one in value)
    return value if type(value) in (int, float) else 0
