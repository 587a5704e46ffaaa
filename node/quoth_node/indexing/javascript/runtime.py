"""One engine with a definition in it, and batches of documents through it.

What a document does to the engine ends with that document: a batch that was broken off goes on
behind the one that did it, in a new engine.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import orjson

from quoth_node.scripting.engine import LastingEngine
from quoth_node.scripting.task import ScriptFailed, ScriptOverLimit

ROOM = Path(__file__).parent
FILES = ("dates.js", "operators.js", "linq.js", "members.js", "host.js", "script.js")
PRELUDE = "\n".join((ROOM / name).read_text(encoding="utf-8") for name in FILES)
SECONDS_MAX = 0.5  # of processor time, for one document or one batch
LOOK_SECONDS_MAX = 0.05
# Such a whole number may be over 2^53, and is read with care.
LONG = re.compile(rb"[0-9]{16}")
# Where a definition divides, 3.0 is no whole number either.
LONG_OR_REAL = re.compile(rb"[0-9]{16}|[0-9]\.0|[0-9][eE]")

Result = list[object] | dict[str, object]  # entries; or what else came of a document


class Runtime:
    """Runs the maps and the reduce of one definition."""

    def __init__(self, sources: Sequence[str], *, divides: bool = False) -> None:
        """Raises ScriptFailed, ScriptNotParsed, ScriptOverLimit."""
        beginning = f"const $DIVIDES = {'true' if divides else 'false'};"
        self._sources = (beginning + PRELUDE, *sources)
        self._careful = LONG_OR_REAL if divides else LONG
        self._given: list[bytes] = []
        self._start()

    def parses(self, text: str) -> bool:
        """Whether a text is JavaScript."""
        return self._engine.run(self._engine.function("$host.parses"), text) == "yes"

    def described(self) -> dict[str, object]:
        """What was defined. Raises ScriptFailed."""
        text = self._engine.run(self._engine.function("$host.described"))
        return cast(dict[str, object], orjson.loads(text))

    def look(self, number: int) -> tuple[list[str] | None, list[str]]:
        """The fields that a map gives, and the collections it loads from.

        None, where that does not show without documents. Raises ScriptFailed for what is not
        supported.
        """
        function = self._engine.function("$host.fields")
        try:
            text = self._engine.run(function, number, seconds_max=LOOK_SECONDS_MAX)
        except ScriptOverLimit:  # it waits for something that documents would end
            self._start()
            return None, []
        match orjson.loads(text):
            case {"fields": list() | None as fields, "loads": list(loads)}:
                return fields and [str(name) for name in fields], [str(name) for name in loads]
            case _:
                raise ScriptFailed("the definition spoilt its engine")

    def map(self, rows: Sequence[bytes]) -> list[Result]:
        """What comes of each row: `[[map numbers], id, body, metadata or null]` in JSON."""
        results: list[Result] = []
        waiting = [list(rows)]
        while waiting:
            batch = waiting.pop()
            try:
                results += self._map(batch)
            except ScriptFailed as error:
                done = self._done(len(batch))
                self._start()
                results += done
                rest = batch[len(done) :]
                if len(batch) == 1:
                    results.append({"error": str(error), "references": []})
                    continue
                # The one that it was broken off in gets all of the time; or else one of them cannot
                # even be read.
                cut = 1 if done or isinstance(error, ScriptOverLimit) else len(rest) // 2
                waiting += [part for part in (rest[cut:], rest[:cut]) if part]
        return results

    def give(self, rows: Sequence[bytes]) -> None:
        """Documents that were asked for: `[asked id, id, body or null, metadata or null]`."""
        self._given += rows
        self._engine.held_bytes = sum(map(len, self._given))
        self._engine.run(self._give, *self._argument(rows))

    def forget(self) -> None:
        """Drop the documents that were given."""
        if self._given:
            self._given.clear()
            self._engine.held_bytes = 0
            self._engine.run(self._engine.function("$host.forget"))

    def reduce(self, results: Sequence[object]) -> Result:
        """What comes of all results of one key. Raises ScriptFailed."""
        given = orjson.dumps(results)
        try:
            text = self._engine.run(self._reduce, given.decode(), self._needs_care(given))
            return cast(Result, orjson.loads(text))
        except ScriptFailed:
            self._start()
            raise
        except orjson.JSONDecodeError as error:
            raise ScriptFailed(f"what the reduce gives is no JSON: {error}") from error

    def _start(self) -> None:
        self._engine = LastingEngine(self._sources, seconds_max=SECONDS_MAX)
        names = ("map", "each", "give", "reduce")
        found = (self._engine.function(f"$host.{name}") for name in names)
        self._run_map, self._each, self._give, self._reduce = found
        if self._given:
            self.give([self._given.pop() for _ in range(len(self._given))])

    def _map(self, batch: Sequence[bytes]) -> list[Result]:
        text = self._engine.run(self._run_map, *self._argument(batch))
        try:
            results = orjson.loads(text)
        except orjson.JSONDecodeError:
            results = [_read(one) for one in orjson.loads(self._engine.run(self._each))]
        if not isinstance(results, list) or len(results) != len(batch):
            raise ScriptFailed("the definition spoilt its engine")
        return results

    def _done(self, length: int) -> list[Result]:
        """What a batch came to before it was broken off."""
        try:
            results = [_read(one) for one in orjson.loads(self._engine.run(self._each))]
        except (ScriptFailed, orjson.JSONDecodeError, TypeError):
            return []
        return results if len(results) < length else []

    def _argument(self, rows: Sequence[bytes]) -> tuple[str, bool]:
        joined = b"[%b]" % b",".join(rows)
        return joined.decode(), self._needs_care(joined)

    def _needs_care(self, text: bytes) -> bool:
        return self._careful.search(text) is not None


def _read(text: object) -> Result:
    try:
        return cast(Result, orjson.loads(cast(str, text)))
    except orjson.JSONDecodeError as error:
        return {"error": f"what the map gives is no JSON: {error}", "references": []}
