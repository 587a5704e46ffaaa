"""The definition of an index as clients send and get it (protocol notes, 8.6)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson

from quoth_cluster.indexes import AUTOMATIC, LOCK_MODES, PRIORITIES, STATES, IndexRecord
from quoth_node.indexing.analysis import analyzer_named
from quoth_node.indexing.auto_mapping import AutoDefinition, AutoMapper
from quoth_node.indexing.compiling import compile_static
from quoth_node.indexing.mapping import Mapper

DIGEST_BYTES = 16
DEPLOYMENT_MODES = ("Parallel", "Rolling")  # each node builds when it can, whatever is asked for
REFUSED = {
    "AdditionalAssemblies": "assemblies of .NET",
    "SchemaDefinitions": "schemas of documents",
    "OutputReduceToCollection": "reduce results as documents",
    "PatternForOutputReduceToCollectionReferences": "reduce results as documents",
    "PatternReferencesCollectionName": "reduce results as documents",
}


class BadDefinition(Exception):
    """A definition that makes no sense as it stands."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """A static index."""

    name: str
    maps: tuple[str, ...]
    reduce: str | None = None
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    configuration: Mapping[str, Any] = field(default_factory=dict)
    additional_sources: Mapping[str, str] = field(default_factory=dict)
    lock_mode: str | None = None
    priority: str | None = None
    state: str | None = None

    @classmethod
    def of(cls, content: object) -> "Definition":
        """The definition in a JSON value. Raises BadDefinition."""
        if not isinstance(content, dict):
            raise BadDefinition("An index definition is a JSON object")
        name = content.get("Name")
        if not isinstance(name, str) or not name.strip():
            raise BadDefinition("Index name cannot be empty")
        name = name.strip()
        maps = content.get("Maps")
        if not isinstance(maps, list) or not maps:
            raise BadDefinition(f"Index '{name}' has no maps")
        if not all(isinstance(one, str) and one.strip() for one in maps):
            raise BadDefinition(f"Maps of index '{name}' are texts")
        for key, what in REFUSED.items():
            if content.get(key):
                raise BadDefinition(f"{key}: {what} are not supported yet")
        sources = {content.get(key) for key in ("SourceType", "IndexSourceType")}
        if not sources <= {None, "None", "Documents"}:
            raise BadDefinition("Indexes of counters and time series are not supported yet")
        _one_of(content, "DeploymentMode", DEPLOYMENT_MODES)
        reduce = content.get("Reduce")
        if reduce is not None and not isinstance(reduce, str):
            raise BadDefinition(f"Reduce of index '{name}' is a text")
        fields = _objects(content, "Fields")
        for field_name, options in fields.items():
            _check_options(name, field_name, options)
        fields = {one: _given(options) for one, options in fields.items()}
        return cls(
            name=name,
            # Clients keep them in sets, in another order each time: that is no other definition.
            maps=tuple(sorted(set(maps))),
            reduce=reduce or None,
            fields=fields,
            configuration=_mapping(content, "Configuration"),
            additional_sources=_texts(content, "AdditionalSources"),
            lock_mode=_one_of(content, "LockMode", LOCK_MODES),
            priority=_one_of(content, "Priority", PRIORITIES),
            state=_one_of(content, "State", STATES),
        )

    def to_json(self) -> bytes:
        """What the cluster keeps: all that makes it another index."""
        return orjson.dumps(
            {
                "Maps": self.maps,
                "Reduce": self.reduce,
                "Fields": self.fields,
                "Configuration": self.configuration,
                "AdditionalSources": self.additional_sources,
            },
            option=orjson.OPT_SORT_KEYS,
        )

    @classmethod
    def from_record(cls, record: IndexRecord) -> "Definition":
        """Of what the cluster keeps."""
        content = orjson.loads(record.definition)
        return cls.of(content | {"Name": record.name})

    def mapper(self) -> Mapper:
        """The index at work. Raises DefinitionRefused."""
        return compile_static(
            maps=self.maps,
            reduce=self.reduce,
            fields=self.fields,
            additional_sources=self.additional_sources,
        )


def mapper_of(record: IndexRecord) -> Mapper:
    """What maps documents for an index. Raises DefinitionRefused or BadDefinition."""
    if record.kind == AUTOMATIC:
        return AutoMapper(AutoDefinition.from_json(record.definition))
    return Definition.from_record(record).mapper()


def digest_of(record: IndexRecord) -> bytes:
    """What tells two definitions apart whose files must not be mixed."""
    hashed = blake2b(digest_size=DIGEST_BYTES)
    hashed.update(record.kind.encode() + b"\0" + record.definition)
    hashed.update(record.created_index.to_bytes(8, "big"))
    return hashed.digest()


def _check_options(name: str, field_name: str, options: Mapping[str, Any]) -> None:
    analyzer = options.get("Analyzer")
    if analyzer is not None and (not isinstance(analyzer, str) or analyzer_named(analyzer) is None):
        raise BadDefinition(
            f"Cannot find analyzer type '{analyzer}' for field: {field_name} of index '{name}'"
        )


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Some clients write all options, some those that are given: that is no other definition."""
    return {key: value for key, value in options.items() if value is not None}


def _one_of(content: Mapping[str, Any], key: str, known: tuple[str, ...]) -> str | None:
    value = content.get(key)
    if value is None or value in known:
        return value
    raise BadDefinition(f"{key} is one of {', '.join(known)}, not '{str(value)[:64]}'")


def _mapping(content: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = content.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadDefinition(f"{key} is a JSON object")
    return value


def _objects(content: Mapping[str, Any], key: str) -> dict[str, dict[str, Any]]:
    found = _mapping(content, key)
    if not all(isinstance(one, dict) for one in found.values()):
        raise BadDefinition(f"{key} is an object of objects")
    return found


def _texts(content: Mapping[str, Any], key: str) -> dict[str, str]:
    found = _mapping(content, key)
    if not all(isinstance(one, str) for one in found.values()):
        raise BadDefinition(f"{key} is an object of texts")
    return found
