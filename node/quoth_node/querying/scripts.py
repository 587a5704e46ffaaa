"""`select { ... }`: results that JavaScript makes, many in each run of a script.

A run has a limit of steps, and an engine of its own that takes longer to make than most results. So
rows go through it by the dozen, and a run that went over the limit is made again for half of its
rows: a result may take as much as any script.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from quoth_cluster.clock import Chance, Clock
from quoth_node.querying.errors import ProjectionFailed
from quoth_node.querying.parameters import Parameters
from quoth_node.querying.projecting import ID, METADATA, Row, ids_of
from quoth_node.rql import Query, SelectScript
from quoth_node.scripting import (
    GivenDocument,
    Missing,
    Ran,
    ScriptFailed,
    ScriptOverLimit,
    Scripts,
    ScriptTask,
)

ROWS_FIRST = 32  # of one run; twice as many of the next if that went well
ROWS_MAX = 256
ROUNDS_MAX = 16  # how often a run may come back for documents
GIVEN_MAX = 2_048
GIVEN_BYTES_MAX = 32 * 1_024 * 1_024
SEED_BITS = 2**32 - 1
# Rows that ask for what is not there yet go on to the next, so a run asks for all of it at once.
SCRIPT = """
%(functions)s
const __project = function (%(names)s) { return (%(expression)s); };
let __failure = null;
for (const row of this.rows) {
  try {
    const source = row.id === null ? row.value : load(row.id);
    this.results.push(__project.call(source, %(given)s) ?? null);
  } catch (error) {
    __failure ??= { error };
  }
}
if (__failure !== null) throw __failure.error;
this.rows = [];
"""

ReadDocument = Callable[[str], tuple[str, bytes] | None]  # an id -> the stored one, and its JSON
ReadValue = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class Reading:
    """What scripts may read, all of one snapshot."""

    document: ReadDocument
    value: ReadValue  # a compare-exchange value by its key


@dataclass(frozen=True, slots=True)
class Projecting:
    """What all projections by script need."""

    scripts: Scripts
    clock: Clock
    chance: Chance
    node_tag: str


class ScriptProjection:
    """Projects the rows of one query. Time and chance are the same for all of them."""

    def __init__(
        self, query: Query, select: SelectScript, parameters: Parameters, projecting: Projecting
    ) -> None:
        self._query = query
        self._scripts = projecting.scripts
        self._at_micros = projecting.clock.now_micros()
        self._seed = projecting.chance.uuid().int & SEED_BITS
        self._node_tag = projecting.node_tag
        self._at_once, self._at_once_max = ROWS_FIRST, ROWS_MAX
        self._arguments = orjson.dumps(dict(parameters))
        aliases = [load.alias for load in query.loads]
        names = [query.source.alias or "__row", *aliases]
        given = ["source", *(f"row.loads[{i}]" for i in range(len(aliases)))]
        self._script = SCRIPT % {
            "functions": "\n".join(function.text for function in query.functions),
            "names": ", ".join(names),
            "expression": select.text,
            "given": ", ".join(f"load({one})" if one != "source" else one for one in given),
        }

    async def project(self, rows: Sequence[Row], reading: Reading) -> list[dict[str, Any] | None]:
        """The results of rows, in order; None for what is no object.

        Raises ProjectionFailed, Busy.
        """
        made: list[object] = []
        while len(made) < len(rows):
            some = rows[len(made) : len(made) + self._at_once]
            try:
                made += await self._run(some, reading)
            except ScriptOverLimit as error:
                if len(some) == 1:
                    raise ProjectionFailed(str(error)) from error
                self._at_once = self._at_once_max = len(some) // 2
            except ScriptFailed as error:
                raise ProjectionFailed(str(error)) from error
            else:
                self._at_once = min(2 * self._at_once, self._at_once_max)
        return [one if isinstance(one, dict) else None for one in made]

    async def _run(self, rows: Sequence[Row], reading: Reading) -> list[object]:
        given: dict[str, GivenDocument | None] = {}
        values: dict[str, bytes | None] = {}
        told: list[dict[str, Any]] = []
        for row in rows:
            told.append(self._told(row, given, reading))
            check_given(len(given), 0)
        document = orjson.dumps({"rows": told, "results": []})
        size = sum(len(one.json) for one in given.values() if one is not None)
        check_given(len(given), size)
        for _ in range(ROUNDS_MAX):
            task = ScriptTask(
                script=self._script,
                document_id="",
                document=document,
                at_micros=self._at_micros,
                seed=self._seed,
                next_etag=0,
                node_tag=self._node_tag,
                arguments=self._arguments,
                documents=given,
                values=values,
            )
            result = await self._scripts.run(task)
            if isinstance(result, Ran):
                return _results(result, len(rows))
            size += give(result, reading, given, values)
            check_given(len(given) + len(values), size)
        raise ScriptOverLimit(f"A script may load {ROUNDS_MAX} times, one after the other")

    def _told(
        self, row: Row, given: dict[str, GivenDocument | None], reading: Reading
    ) -> dict[str, Any]:
        """A row as the script reads it; documents are given beside it, its own among them."""
        loads: list[Any] = []
        for load in self._query.loads:
            ids = ids_of(load, row)
            check_given(len(ids), 0)
            give(Missing(tuple(one for one in ids if one not in given), ()), reading, given, {})
            loads.append(ids if load.is_array else next(iter(ids), None))
        if row.document is None:
            return {"id": None, "value": row.stored, "loads": loads}
        document_id = row.document[METADATA][ID]
        given[document_id] = GivenDocument(document_id, row.json or orjson.dumps(row.document))
        return {"id": document_id, "loads": loads}


def check_given(count: int, size: int) -> None:
    """Raise ScriptOverLimit for more documents than one run is given: fewer rows need fewer."""
    if count > GIVEN_MAX or size > GIVEN_BYTES_MAX:
        text = f"{GIVEN_MAX} documents of {GIVEN_BYTES_MAX} bytes"
        raise ScriptOverLimit(f"The results of one script may load {text}")


def give(
    missing: Missing,
    reading: Reading,
    given: dict[str, GivenDocument | None],
    values: dict[str, bytes | None],
) -> int:
    """Add what a script asked for; how many bytes that is."""
    size = 0
    for document_id in missing.documents:
        found = reading.document(document_id)
        given[document_id] = GivenDocument(*found) if found is not None else None
        size += len(found[1]) if found is not None else 0
    for key in missing.values:
        values[key] = value = reading.value(key)
        size += len(value or b"")
    return size


def _results(ran: Ran, count: int) -> list[object]:
    results = ran.document.get("results")
    if not isinstance(results, list) or len(results) != count:
        raise ScriptFailed("The script spoilt its results")
    return results


def asking(calls: Sequence[str]) -> SelectScript:
    """What functions say of a row, as a projection: an object by the text of each call."""
    members = (f"{orjson.dumps(call).decode()}: !!({call})" for call in calls)
    return SelectScript(f"({{{', '.join(members)}}})")
