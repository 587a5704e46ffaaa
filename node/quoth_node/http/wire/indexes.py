"""The JSON of indexes: definitions, what they have done, how far they are (protocol notes, 8.6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from quoth_cluster.clock import to_wire
from quoth_cluster.indexes import AUTOMATIC, IndexRecord
from quoth_node.http.wire.bodies import an_object
from quoth_node.http.wire.parsing import parse
from quoth_node.http.wire.records import Teller
from quoth_node.indexing import rules
from quoth_node.indexing.auto_mapping import COUNT, AutoDefinition, options_of
from quoth_node.indexing.built import Activity, BuiltIndex
from quoth_node.indexing.compiling import index_type
from quoth_node.indexing.definition import BadDefinition, Definition
from quoth_node.indexing.shape import Shape
from quoth_node.indexing.store import Failure, StoreStats

OPTIONS = ("Analyzer", "Indexing", "Spatial", "Storage", "Suggestions", "TermVector", "Vector")
NO_OPTIONS: dict[str, Any] = dict.fromkeys(OPTIONS)
PENDING = "Pending"  # defined, and not begun here
DEFINITIONS_MAX = 100  # of one request


def read_definitions(body: bytes | bytearray) -> list[Definition]:
    """`{"Indexes": [...]}`. Raises BadBody, BadDefinition."""
    content = an_object(parse(body), "the body")
    found = content.get("Indexes")
    if not isinstance(found, list) or not found:
        raise BadDefinition("Indexes is a list of definitions")
    if len(found) > DEFINITIONS_MAX:
        raise BadDefinition(f"At most {DEFINITIONS_MAX} indexes are put at once")
    definitions = [Definition.of(one) for one in found]
    for one in definitions:
        rules.check(one)
    return definitions


def read_definition(body: bytes | bytearray) -> Definition:
    """One definition. Raises BadBody, BadDefinition."""
    return Definition.of(parse(body))


def read_change(body: bytes | bytearray, key: str) -> tuple[tuple[str, ...], str]:
    """`{"IndexNames": [...], "Mode": "Unlock"}`. Raises BadBody, BadDefinition."""
    content = an_object(parse(body), "the body")
    names, value = content.get("IndexNames"), content.get(key)
    if not isinstance(names, list) or not names or not all(isinstance(one, str) for one in names):
        raise BadDefinition("IndexNames is a list of names")
    if not isinstance(value, str):
        raise BadDefinition(f"{key} is a text")
    return tuple(names), value


def put_results(results: Sequence[tuple[str, int]]) -> bytes:
    rows = [{"Index": name, "RaftCommandIndex": command_index} for name, command_index in results]
    return orjson.dumps({"Results": rows})


def definitions(records: Sequence[IndexRecord]) -> bytes:
    return orjson.dumps({"Results": [definition_row(record) for record in records]})


def names(records: Sequence[IndexRecord], teller: Teller) -> bytes:
    names = [record.name for record in records]
    return orjson.dumps({"@metadata": teller.metadata(), "Results": names})


def definition_row(record: IndexRecord) -> dict[str, Any]:
    """One definition as clients want it back."""
    row: dict[str, Any] = {
        "Name": record.name,
        "SourceType": "Documents",
        "Type": type_of(record),
        "LockMode": record.lock_mode,
        "ArchivedDataProcessingBehavior": None,
        "Priority": record.priority,
        "State": record.state,
        "OutputReduceToCollection": None,
        "DeploymentMode": None,
        "ReduceOutputIndex": None,
        "PatternForOutputReduceToCollectionReferences": None,
        "PatternReferencesCollectionName": None,
        "Configuration": {},
        "AdditionalSources": {},
        "AdditionalAssemblies": [],
        "Reduce": None,
    }
    if record.kind == AUTOMATIC:
        return row | _automatic(AutoDefinition.from_json(record.definition))
    definition = Definition.from_record(record)
    return row | {
        "Configuration": definition.configuration,
        "AdditionalSources": definition.additional_sources,
        "Reduce": definition.reduce,
        "Maps": list(definition.maps),
        "Fields": {name: NO_OPTIONS | dict(options) for name, options in definition.fields.items()},
    }


def type_of(record: IndexRecord) -> str:
    """Map, MapReduce, AutoMap, AutoMapReduce, JavaScriptMap or JavaScriptMapReduce."""
    if record.kind == AUTOMATIC:
        is_map = AutoDefinition.from_json(record.definition).group_by is None
        return "AutoMap" if is_map else "AutoMapReduce"
    definition = Definition.from_record(record)
    return index_type(definition.maps, definition.reduce)


def _automatic(definition: AutoDefinition) -> dict[str, Any]:
    collection = definition.collection
    said = ", ".join(f"<Name:{name}>" for name in (*definition.fields, *definition.sums))
    fields = {}
    for name in definition.fields:
        path, options = options_of(name)
        fields[path] = {"Indexing": str(options.indexing), "Storage": "No"}
    map_text = f"{collection}:[{said or '<Name:id()>'}]"
    if definition.group_by is None:
        return {"Maps": [map_text], "Fields": fields}
    groups = ", ".join(f"<Name:{name}>" for name in definition.group_by)
    summed = ", ".join(f"<Name:{name},Operation:Sum>" for name in (COUNT, *definition.sums))
    maps = [f"{collection}:[{summed}]"]
    return {"Maps": maps, "Reduce": f"{collection}:[{groups}]", "Fields": {}}


@dataclass(frozen=True, slots=True)
class IndexState:
    """What is told of one index."""

    index: BuiltIndex
    stats: StoreStats
    is_stale: bool
    document_lag: int
    tombstone_lag: int


def stats(states: Sequence[IndexState], teller: Teller) -> bytes:
    return orjson.dumps(
        {"@metadata": teller.metadata(), "Results": [_stats_row(one) for one in states]}
    )


def _stats_row(state: IndexState) -> dict[str, Any]:
    index, counters = state.index, state.stats.counters
    shape = index.shape or Shape()
    reduces = shape.group_by is not None

    def reduced(what: str) -> int | None:
        return counters.get(f"reduce {what}", 0) if reduces else None

    progress = {
        "LastProcessedDocumentEtag": index.progress.document_etag,
        "LastProcessedTombstoneEtag": index.progress.tombstone_etag,
        "LastProcessedTimeSeriesDeletedRangeEtag": 0,
        "DocumentLag": state.document_lag,
        "TombstoneLag": state.tombstone_lag,
    }
    return summary(state) | {
        "MapAttempts": counters.get("map attempts", 0),
        "MapSuccesses": counters.get("map successes", 0),
        "MapErrors": counters.get("map errors", 0),
        "MapReferenceAttempts": None,
        "MapReferenceSuccesses": None,
        "MapReferenceErrors": None,
        "ReduceAttempts": reduced("attempts"),
        "ReduceSuccesses": reduced("successes"),
        "ReduceErrors": reduced("errors"),
        "ReduceOutputCollection": None,
        "ReduceOutputReferencePattern": None,
        "PatternReferencesCollectionName": None,
        "MappedPerSecondRate": 0.0,
        "ReducedPerSecondRate": 0.0,
        "MaxNumberOfOutputsPerDocument": state.stats.outputs_max,
        "Collections": {name: progress for name in shape.collections or ("@all_docs",)},
        "LastQueryingTime": _time(index.queried_micros),
        "CreatedTimestamp": to_wire(index.record.created_micros),
        "SearchEngineType": "SQLite",
        "ArchivedDataProcessingBehavior": None,
        "Status": running_status(index),
        "EntriesCount": state.stats.entries,
        "ErrorsCount": state.stats.errors,
        "ReferencedCollections": list(shape.references),
        "IsInvalidIndex": index.error is not None,
        "Memory": None,
        "LastBatchStats": None,
    }


def summary(state: IndexState) -> dict[str, Any]:
    """One index among the statistics of a database."""
    record = state.index.record
    return {
        "IsStale": state.is_stale,
        "State": "Error" if state.index.error is not None else record.state,
        "LastIndexingTime": _time(state.index.indexed_micros),
        "Name": record.name,
        "LockMode": record.lock_mode,
        "Priority": record.priority,
        "Type": type_of(record),
        "SourceType": "Documents",
    }


def errors(failures: Sequence[tuple[str, Sequence[Failure]]]) -> bytes:
    return orjson.dumps(
        {
            "Results": [
                {"Name": name, "Errors": [_error_row(one) for one in found]}
                for name, found in failures
            ]
        }
    )


def _error_row(failure: Failure) -> dict[str, Any]:
    return {
        "Timestamp": to_wire(failure.at_micros),
        "Document": failure.document_id,
        "Action": failure.action,
        "Error": failure.text,
    }


def status(is_resting: bool, found: Sequence[tuple[str, BuiltIndex | None]]) -> bytes:
    rows = [
        {"Name": name, "Status": PENDING if index is None else running_status(index)}
        for name, index in found
    ]
    return orjson.dumps({"Status": "Paused" if is_resting else "Running", "Indexes": rows})


def running_status(index: BuiltIndex) -> str:
    """What it does; clients know no word for one that has failed and therefore rests."""
    faulty = index.activity is Activity.FAULTY
    return str(Activity.PAUSED if faulty else index.activity)


def staleness(reasons: Sequence[str]) -> bytes:
    return orjson.dumps({"IsStale": bool(reasons), "StalenessReasons": list(reasons)})


def terms(found: Sequence[str], *, etag: int) -> bytes:
    return orjson.dumps({"Terms": list(found), "ResultEtag": etag})


def changed(is_changed: bool) -> bytes:
    return orjson.dumps({"Changed": is_changed})


def _time(micros: int | None) -> str | None:
    return None if micros is None else to_wire(micros)
