"""`select` of fields: what becomes of a document, or of what an index made.

A field is taken from what the index stored, if it stored it, else from the document. Loaded
documents come from the snapshot of the query.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from quoth_node.querying.errors import InvalidQuery, ProjectionFailed
from quoth_node.querying.fields import value_at, values_at
from quoth_node.querying.parameters import Parameters, value_of
from quoth_node.rql import (
    Aggregate,
    AggregateKind,
    DocumentId,
    FieldPath,
    Literal,
    Load,
    Parameter,
    Query,
    Score,
    Selected,
    SelectFields,
    SelectItem,
)

METADATA = "@metadata"
LOADS_MAX = 2_048
ID = "@id"
# What a projection keeps of the metadata of its document.
KEPT = (ID, "@change-vector", "@collection", "@last-modified", "@flags")


@dataclass(frozen=True, slots=True)
class Row:
    """One result before it is projected: a parsed document with its metadata, or a reduced one."""

    document: Mapping[str, Any] | None
    stored: Mapping[str, Any] | None = None  # fields that the index has
    score: float | None = None
    json: bytes | None = None  # of the document, as it is stored

    @property
    def is_reduced(self) -> bool:
        """Whether there is no document behind it."""
        return self.document is None


class Behavior(Enum):
    """Where the fields of a projection come from; the words of the wire."""

    DEFAULT = "Default"  # what the index stored, else the document
    FROM_INDEX = "FromIndex"
    FROM_INDEX_OR_THROW = "FromIndexOrThrow"
    FROM_DOCUMENT = "FromDocument"
    FROM_DOCUMENT_OR_THROW = "FromDocumentOrThrow"


FROM_DOCUMENT = frozenset({Behavior.FROM_DOCUMENT, Behavior.FROM_DOCUMENT_OR_THROW})
LoadDocument = Callable[[str], Mapping[str, Any] | None]


class FieldProjection:
    """Projects the rows of one query."""

    def __init__(
        self,
        query: Query,
        select: SelectFields,
        parameters: Parameters,
        load: LoadDocument,
        behavior: Behavior = Behavior.DEFAULT,
    ) -> None:
        self._behavior = behavior
        self._query = query
        self._select = select
        self._parameters = parameters
        self._load = load
        self._names = [property_name(item, query) for item in select.items]
        self._is_whole = _is_whole(select)

    def project(self, row: Row) -> dict[str, Any]:
        """The result of a row, without metadata."""
        loaded = loaded_by(self._query, row, self._load)
        values = [self._value(item.what, row, loaded) for item in self._select.items]
        if self._is_whole and isinstance(values[0], dict):
            return {name: value for name, value in values[0].items() if name != METADATA}
        return dict(zip(self._names, values, strict=True))

    def _value(self, what: Selected, row: Row, loaded: Mapping[str, Any]) -> Any:
        match what:
            case FieldPath(alias=alias):
                if alias is not None and alias in loaded:
                    return value_at(loaded[alias], what.steps)
                return field_of(row, what, self._behavior)
            case DocumentId(alias=alias):
                document = row.document if alias is None else loaded.get(alias)
                return (document or {}).get(METADATA, {}).get(ID)
            case Literal() | Parameter():
                return value_of(what, self._parameters)
            case Score():
                return row.score
            case Aggregate():
                return aggregate_of(row, what, self._query)
        raise InvalidQuery(f"{what.feature} are not supported yet")


def _is_whole(select: SelectFields) -> bool:
    """Whether a document alone is selected, as in `from Users as u select u`: it is the result."""
    match select.items:
        case (SelectItem(what=FieldPath(steps=()), name=None),):
            return True
    return False


def field_of(row: Row, path: FieldPath, behavior: Behavior) -> Any:
    """The value of a field of a row; None if it has none. Raises ProjectionFailed where it must."""
    stored = row.stored if row.stored is not None else {}
    if row.is_reduced:
        return stored[path.text] if path.text in stored else value_at(stored, path.steps)
    if behavior not in FROM_DOCUMENT:
        if path.text in stored:
            return stored[path.text]
        if behavior is Behavior.FROM_INDEX_OR_THROW:
            raise ProjectionFailed(f"The index has not stored the field '{path.text}'")
        if behavior is Behavior.FROM_INDEX:
            return None
    found = value_at(row.document, path.steps)
    if found is None and behavior is Behavior.FROM_DOCUMENT_OR_THROW:
        raise ProjectionFailed(f"A document has no field '{path.text}'")
    return found


def aggregate_of(row: Row, what: Aggregate, query: Query) -> Any:
    """What a group came to: under the names that automatic indexes give."""
    reduced = row.stored or {}
    match what.kind:
        case AggregateKind.COUNT:
            return reduced.get("Count", reduced.get("count"))
        case AggregateKind.SUM:
            assert what.path is not None, "sum() has a path"
            return reduced.get(what.path.text)
        case AggregateKind.KEY:
            keys = [reduced.get(key.path.text) for key in query.group_by]
            names = [key.path.text for key in query.group_by]
            return keys[0] if len(keys) == 1 else dict(zip(names, keys, strict=True))


def property_name(item: SelectItem, query: Query) -> str:
    """What a result calls a selected value: as it is named, or as its path is written."""
    if item.name is not None:
        return item.name
    match item.what:
        case FieldPath(steps=(), alias=alias):
            return alias or ""
        case FieldPath():
            return item.what.text
        case DocumentId():
            return "id()"
        case Aggregate(kind=AggregateKind.COUNT):
            return "Count"
        case Aggregate(path=FieldPath() as path):
            return path.text
        case Aggregate():
            return query.group_by[0].path.text if len(query.group_by) == 1 else "key"
        case Parameter(name=name):
            return f"${name}"
        case Literal(value=value):
            return str(value)
        case Score():
            return "score()"
    raise InvalidQuery(f"{item.what.feature} are not supported yet")


def loaded_by(query: Query, row: Row, load: LoadDocument) -> dict[str, Any]:
    """What a row loads, by the names that the query gives it: a document or None, or an array."""
    loaded: dict[str, Any] = {}
    for one in query.loads:
        ids = ids_of(one, row)
        if len(ids) > LOADS_MAX:
            raise ProjectionFailed(f"One result may load {LOADS_MAX} documents, not {len(ids)}")
        documents = [load(document_id) for document_id in ids]
        loaded[one.alias] = documents if one.is_array else next(iter(documents), None)
    return loaded


def ids_of(load: Load, row: Row) -> list[str]:
    """The ids of the documents that a row loads."""
    source = row.document if row.document is not None else row.stored
    found: list[str] = []
    for value in values_at(source, load.path.steps):
        ids = value if isinstance(value, list) else [value]
        found += [one for one in ids if isinstance(one, str) and one]
    return found


def projected_metadata(row: Row) -> dict[str, Any]:
    """The metadata of a projection: clients make no entity of it, and know where it came from."""
    metadata = (row.document or {}).get(METADATA, {})
    kept = {name: metadata[name] for name in KEPT if name in metadata}
    kept["@projection"] = True
    if row.score is not None:
        kept["@index-score"] = row.score
    return kept
