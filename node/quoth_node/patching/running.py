"""A script run until it has everything that it asks for, all of it as its batch sees it."""

from quoth_node.patching.errors import JavaScriptFailed, JavaScriptNotParsed, JavaScriptOverLimit
from quoth_node.patching.values import Script
from quoth_node.patching.view import Seen, View
from quoth_node.scripting import (
    GivenDocument,
    Missing,
    Ran,
    ScriptFailed,
    ScriptNotParsed,
    ScriptOverLimit,
    Scripts,
    ScriptTask,
)

ROUNDS_MAX = 256  # how often a script may come back for documents
GIVEN_MAX = 500
GIVEN_BYTES_MAX = 32 * 1_024 * 1_024
NO_DOCUMENT = b'{"@metadata":{}}'


class Running:
    """Runs the scripts of one batch. Time and chance are the same in every run."""

    def __init__(
        self, view: View, scripts: Scripts, *, at_micros: int, seed: int, node_tag: str
    ) -> None:
        self._view = view
        self._scripts = scripts
        self._at_micros = at_micros
        self._seed = seed
        self._node_tag = node_tag

    async def run(self, script: Script, document_id: str, seen: Seen | None, where: str) -> Ran:
        """Run a script, again with what it asks for, until it has everything.

        Raises JavaScriptFailed, JavaScriptNotParsed, JavaScriptOverLimit.
        """
        given: dict[str, GivenDocument | None] = {}
        values: dict[str, bytes | None] = {}
        size = 0
        for _ in range(ROUNDS_MAX):
            task = ScriptTask(
                script=script.text,
                document_id=seen.document_id if seen else document_id,
                document=seen.json if seen else NO_DOCUMENT,
                at_micros=self._at_micros,
                seed=self._seed,
                next_etag=self._view.next_etag,
                node_tag=self._node_tag,
                separator=self._view.separator,
                arguments=script.arguments,
                documents=given,
                values=values,
            )
            try:
                result = await self._scripts.run(task)
            except ScriptNotParsed as error:
                text = f"{where}Failed to parse: {error}\n{script.text}"
                raise JavaScriptNotParsed(text) from error
            except ScriptOverLimit as error:
                raise JavaScriptOverLimit(f"{where}{error}") from error
            except ScriptFailed as error:
                raise JavaScriptFailed(f"{where}{error}") from error
            if isinstance(result, Ran):
                return result
            size += self._give(result, given, values)
            if len(given) + len(values) > GIVEN_MAX or size > GIVEN_BYTES_MAX:
                raise JavaScriptOverLimit(
                    f"{where}a script may load {GIVEN_MAX} documents of {GIVEN_BYTES_MAX} bytes"
                )
        raise JavaScriptOverLimit(
            f"{where}a script may load {ROUNDS_MAX} times; load documents by an array of ids"
        )

    def _give(
        self,
        missing: Missing,
        given: dict[str, GivenDocument | None],
        values: dict[str, bytes | None],
    ) -> int:
        """Add what a script asked for; how many bytes that is."""
        size = 0
        for name in missing.documents:
            seen = self._view.find(name)
            given[name] = GivenDocument(seen.document_id, seen.json) if seen else None
            size += len(seen.json) if seen else 0
        for key in missing.values:
            values[key] = value = self._view.value(key)
            size += len(value or b"")
        return size
