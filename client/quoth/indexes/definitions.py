"""Definitions of indexes, and the words in them. The words are those of the wire."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from quoth.errors import Misuse
from quoth.serialization import JsonObject
from quoth.shape import called, given, read_shape, write_shape

NAME_CHARACTERS_MAX = 256
SEARCH_ENGINE = "Indexing.Static.SearchEngineType"


class IndexLockMode(Enum):
    """Whether a definition may be replaced by another.

    LOCKED_IGNORE passes another definition over, LOCKED_ERROR refuses it.
    """

    UNLOCK = "Unlock"
    LOCKED_IGNORE = "LockedIgnore"
    LOCKED_ERROR = "LockedError"
    SIDE_BY_SIDE = "SideBySide"


class IndexState(Enum):
    """Whether an index follows its documents."""

    NORMAL = "Normal"
    DISABLED = "Disabled"
    IDLE = "Idle"
    ERROR = "Error"


class IndexPriority(Enum):
    """Which index goes first when several have something to do."""

    LOW = "Low"
    NORMAL = "Normal"
    HIGH = "High"


class IndexDeploymentMode(Enum):
    """On all nodes at once, or on one after the other."""

    PARALLEL = "Parallel"
    ROLLING = "Rolling"


class SearchEngineType(Enum):
    """What RavenDB builds an index with. A quoth node keeps the word, and builds with its own."""

    LUCENE = "Lucene"
    CORAX = "Corax"


class IndexType(Enum):
    """How an index is made: from maps, reduced or not, by hand or for a query."""

    NONE = "None"
    AUTO_MAP = "AutoMap"
    AUTO_MAP_REDUCE = "AutoMapReduce"
    MAP = "Map"
    MAP_REDUCE = "MapReduce"
    FAULTY = "Faulty"
    JAVA_SCRIPT_MAP = "JavaScriptMap"
    JAVA_SCRIPT_MAP_REDUCE = "JavaScriptMapReduce"


class IndexRunningStatus(Enum):
    """What an index does on a node just now."""

    RUNNING = "Running"
    PAUSED = "Paused"
    DISABLED = "Disabled"
    PENDING = "Pending"


class FieldStorage(Enum):
    """Whether the value of a field is kept in the index, to be read from there."""

    YES = "Yes"
    NO = "No"


class FieldIndexing(Enum):
    """What a field is found by: its words (SEARCH), its exact value, its value, nothing (NO)."""

    NO = "No"
    SEARCH = "Search"
    EXACT = "Exact"
    HIGHLIGHTING = "Highlighting"
    DEFAULT = "Default"


class FieldTermVector(Enum):
    """What is kept of the terms of a field."""

    YES = "Yes"
    NO = "No"
    WITH_POSITIONS = "WithPositions"
    WITH_OFFSETS = "WithOffsets"
    WITH_POSITIONS_AND_OFFSETS = "WithPositionsAndOffsets"


@dataclass
class IndexFieldOptions:
    """How one field of an index is built. None: as the server does by itself."""

    storage: FieldStorage | None = None
    indexing: FieldIndexing | None = None
    term_vector: FieldTermVector | None = None
    analyzer: str | None = None
    suggestions: bool | None = None


@dataclass
class IndexDefinition:
    """An index: which entries each document gives, and how their fields are found.

        by_name = "map('Companies', c => ({ name: c.name }))"
        definition = IndexDefinition("Companies/ByName", maps=[by_name])
        store.maintenance.send(PutIndexesOperation(definition))

    `maps` are functions in JavaScript, or queries in the C# syntax that RavenDB's clients write.
    """

    name: str | None = None
    priority: IndexPriority | None = None
    state: IndexState | None = None
    lock_mode: IndexLockMode | None = None
    additional_sources: dict[str, str] | None = None
    maps: Iterable[str] = ()
    fields: dict[str, IndexFieldOptions] = field(default_factory=dict)
    reduce: str | None = None
    configuration: dict[str, str] = field(default_factory=dict)
    type: IndexType | None = None
    deployment_mode: IndexDeploymentMode | None = None
    search_engine_type: SearchEngineType | None = None

    def to_json(self) -> JsonObject:
        """The definition on the wire. Raises Misuse if it lacks a name or maps."""
        name, maps = self.name, _texts(self.maps)
        if not isinstance(name, str) or not name.strip():
            raise Misuse("an index definition needs a name")
        if len(name) > NAME_CHARACTERS_MAX:
            raise Misuse(f"the name of an index has at most {NAME_CHARACTERS_MAX} characters")
        if not maps:
            raise Misuse(f"index {name} has no map: nothing would ever be in it")
        for each, options in self.fields.items():
            if not isinstance(options, IndexFieldOptions):
                raise Misuse(f"field {each!r} of index {name} needs IndexFieldOptions")
        configuration = dict(self.configuration or {})
        if self.search_engine_type is not None:
            configuration[SEARCH_ENGINE] = self.search_engine_type.value
        return given(
            {
                "Name": name,
                "Priority": write_shape(self.priority),
                "State": write_shape(self.state),
                "LockMode": write_shape(self.lock_mode),
                "AdditionalSources": self.additional_sources,
                "Maps": maps,
                "Fields": {each: given(write_shape(how)) for each, how in self.fields.items()},
                "Reduce": self.reduce,
                "Configuration": configuration,
                "IndexType": write_shape(self.type),
                "DeploymentMode": write_shape(self.deployment_mode),
            }
        )


@dataclass(kw_only=True)
class _Told:
    """A definition as a server tells it."""

    name: str
    maps: list[str]
    type: IndexType = IndexType.NONE
    priority: IndexPriority | None = None
    state: IndexState | None = None
    lock_mode: IndexLockMode | None = None
    additional_sources: dict[str, str] | None = None
    options: dict[str, IndexFieldOptions] = field(default_factory=dict, metadata=called("Fields"))
    reduce: str | None = None
    configuration: dict[str, Any] | None = None
    deployment_mode: IndexDeploymentMode | None = None


def read_definition(wire: JsonObject) -> IndexDefinition:
    """A definition as a server tells it. Raises KeyError, TypeError or ValueError."""
    told = read_shape(_Told, wire)
    configuration = told.configuration or {}
    engine = configuration.get(SEARCH_ENGINE)
    return IndexDefinition(
        name=told.name,
        priority=told.priority,
        state=told.state,
        lock_mode=told.lock_mode,
        additional_sources=told.additional_sources,
        maps=told.maps,
        fields=told.options,
        reduce=told.reduce,
        configuration=configuration,
        type=told.type,
        deployment_mode=told.deployment_mode,
        search_engine_type=None if engine is None else SearchEngineType(engine),
    )


def _texts(maps: Iterable[str]) -> list[str]:
    """The maps in an order that stays; one text alone is one map."""
    if isinstance(maps, str):
        return [maps]
    texts = sorted(maps) if isinstance(maps, set | frozenset) else list(maps)
    if not all(isinstance(each, str) and each.strip() for each in texts):
        raise Misuse(f"a map of an index is a text with something in it: {texts!r:.80}")
    return texts
