"""One batch, evaluated on one snapshot, into what to write and what to answer.

Commands are evaluated in order, each on what those before it left. Nothing is written here, and
nothing is decided about PUT and DELETE: whether they may be is for the state machine to say.
"""

import asyncio
from dataclasses import replace

import orjson

from quoth_cluster.commands import DeleteDocument, PutDocument
from quoth_node.database.content import Content, NotKept, content_of
from quoth_node.patching.budget import Budget
from quoth_node.patching.errors import ContentRefused, OperationsFailed
from quoth_node.patching.json_patch import JsonPatchFailed, apply_operations
from quoth_node.patching.plan import Part, Plan, Stopped, is_expected, mismatch, placed
from quoth_node.patching.running import Running
from quoth_node.patching.values import (
    ForceRevision,
    JsonPatchDocument,
    PatchBatch,
    PatchCommand,
    PatchDocument,
    PatchDocuments,
    Patched,
    PatchStatus,
    RevisionNotForced,
    TrackDocuments,
    Tracked,
)
from quoth_node.patching.view import Check, Seen, View
from quoth_node.scripting import Ran, Written

COMMANDS_AT_ONCE = 32
COPY = b'"copy"'
HERE_BYTES_MAX = 262_144  # larger documents are taken apart and compared beside the event loop


class Evaluation:
    """Evaluates one batch on one snapshot, once."""

    def __init__(self, view: View, running: Running) -> None:
        self._view = view
        self._running = running
        self._tracked: list[Check] = []
        self._budget = Budget()

    async def run(self, batch: PatchBatch) -> Plan:
        """What the batch comes to.

        Raises Stopped, PatchFailed, TooLarge.
        """
        parts = []
        for number, command in enumerate(batch.commands):
            if number % COMMANDS_AT_ONCE == COMMANDS_AT_ONCE - 1:
                await asyncio.sleep(0)  # not all of them need to wait for anything
            where = "" if batch.is_alone else f"Commands[{number}]"
            part = await self._command(command, batch, where)
            self._budget.give_back(part.returned_bytes, is_alone=batch.is_alone)
            parts.append(part)
        return Plan(
            self._view.checks,
            tuple(self._tracked),
            tuple(self._view.commands),
            tuple(parts),
            placed(batch.takings, parts),
        )

    async def _command(self, command: PatchCommand, batch: PatchBatch, where: str) -> Part:
        match command:
            case PutDocument() | DeleteDocument():
                return Part(None, self._write(command))
            case PatchDocument():
                return await self._patch(command, batch, where)
            case PatchDocuments():
                each = [
                    PatchDocument(
                        target.document_id,
                        command.script,
                        target.expected_change_vector,
                        command.if_missing,
                    )
                    for target in command.targets
                ]
                return Part(None, parts=tuple([await self._patch(p, batch, where) for p in each]))
            case JsonPatchDocument():
                return await self._json_patch(command, batch, where)
            case TrackDocuments():
                self._tracked += command.checks
                return Part(Tracked())
            case ForceRevision():
                return Part(RevisionNotForced(command.document_id))

    async def _patch(self, command: PatchDocument, batch: PatchBatch, where: str) -> Part:
        seen = self._view.find(command.document_id)
        if not is_expected(seen, command.expected_change_vector):
            if command.skips_on_mismatch:
                return Part(_patched("PATCH", command.document_id, PatchStatus.SKIPPED, seen))
            raise Stopped(mismatch(command.document_id, command.expected_change_vector, seen))
        if seen is None and command.create_if_missing is not None:
            created = _patched("PATCH", command.document_id, PatchStatus.CREATED, None)
            put = command.create_if_missing
            content = Content(put.body, put.metadata, put.collection)
            if command.returns_document:
                created = replace(created, document=content.to_json())
            return Part(created, self._write(put))
        script = command.script if seen is not None else command.if_missing
        if script is None:
            return Part(_patched("PATCH", command.document_id, PatchStatus.MISSING, None))
        where = f"{where}, the patch of '{command.document_id}': " if where else ""
        ran = await self._running.run(script, command.document_id, seen, where)
        content = await _content(ran.document, seen, where)
        await self._write_all(ran.written, where)
        patched = _patched("PATCH", command.document_id, PatchStatus.PATCHED, seen)
        if batch.returns_debug:
            patched = replace(patched, debug=_debug(ran))
        # A script may have deleted its own document, and then there is nothing to patch.
        if seen is not None and self._view.find(command.document_id) is None:
            return Part(patched)
        return await self._put(patched, content, seen, batch, returns=command.returns_document)

    async def _json_patch(self, command: JsonPatchDocument, batch: PatchBatch, where: str) -> Part:
        seen = self._view.find(command.document_id)
        if not is_expected(seen, command.expected_change_vector):
            raise Stopped(mismatch(command.document_id, command.expected_change_vector, seen))
        if seen is None:
            return Part(_patched("JsonPatch", command.document_id, PatchStatus.MISSING, None))
        where = f"{where}, the JSON patch of '{command.document_id}': " if where else ""
        document = seen.content.to_json()
        is_short = len(document) + len(command.operations) <= HERE_BYTES_MAX
        if is_short and COPY not in command.operations:  # copies of copies are not short
            changed = _apply(document, command.operations, where)
        else:
            changed = await asyncio.to_thread(_apply, document, command.operations, where)
        content = await _content(changed, seen, where)
        patched = _patched("JsonPatch", command.document_id, PatchStatus.PATCHED, seen)
        return await self._put(patched, content, seen, batch, returns=command.returns_document)

    async def _put(
        self,
        patched: Patched,
        content: Content,
        seen: Seen | None,
        batch: PatchBatch,
        *,
        returns: bool,
    ) -> Part:
        """The part of a document that was computed, and its write if it is another than before."""
        if returns:
            patched = replace(patched, document=content.to_json())
        if seen is not None and (batch.returns_debug or batch.is_test):
            patched = replace(patched, original=seen.content.to_json())
        if seen is None:
            patched = replace(patched, status=PatchStatus.CREATED)
        elif await _is_equal(content, seen):
            return Part(replace(patched, status=PatchStatus.NOT_MODIFIED))
        put = put_of(patched.document_id, content)
        return Part(replace(patched, collection=content.collection), self._write(put))

    def _write(self, command: PutDocument | DeleteDocument) -> int:
        self._budget.write(command)
        return self._view.write(command)

    async def _write_all(self, written: tuple[Written, ...], where: str) -> None:
        """Note what a script put and deleted; what it expects is found here, and checked again."""
        for one in written:
            document_id, expected = one.document_id, one.expected_change_vector
            if "\0" in document_id:
                raise ContentRefused(f"{where}a document id cannot hold a NUL character")
            if expected is not None:
                seen = self._view.find(document_id)
                if not is_expected(seen, expected):
                    raise Stopped(mismatch(document_id, expected, seen))
            if one.document is None:
                self._write(DeleteDocument(document_id))
            else:
                content = await _content(one.document, None, f"{where}put('{document_id}'): ")
                self._write(put_of(document_id, content))


def put_of(document_id: str, content: Content) -> PutDocument:
    """The command that stores what was computed; checks say whether it still may be."""
    return PutDocument(document_id, content.body, content.metadata, content.collection)


def _patched(kind: str, document_id: str, status: PatchStatus, seen: Seen | None) -> Patched:
    """What became of a document, with what it was before: the state machine knows the rest."""
    if seen is None:
        return Patched(kind, document_id, status)
    vector, collection = seen.change_vector, seen.content.collection
    return Patched(kind, seen.document_id, status, vector, seen.at_micros, collection)


async def _is_equal(content: Content, seen: Seen) -> bool:
    if len(seen.json) <= HERE_BYTES_MAX:
        return content.is_equal(seen.content)
    return await asyncio.to_thread(content.is_equal, seen.content)


def _apply(document: bytes, operations: bytes, where: str) -> dict[str, object]:
    try:
        changed = apply_operations(orjson.loads(document), orjson.loads(operations))
    except JsonPatchFailed as error:
        raise OperationsFailed(f"{where}{error}") from error
    if not isinstance(changed, dict):
        raise OperationsFailed(f"{where}a document is an object, and that is what it must stay")
    return changed


async def _content(document: dict[str, object], seen: Seen | None, where: str) -> Content:
    """The parts of a document that was computed; without metadata of its own it keeps what it had.

    Raises ContentRefused.
    """
    metadata = seen.content.metadata if seen is not None else None
    try:
        if seen is None or len(seen.json) <= HERE_BYTES_MAX:
            return content_of(document, metadata=metadata)
        return await asyncio.to_thread(content_of, document, metadata=metadata)
    except NotKept as error:
        raise ContentRefused(f"{where}what came of it cannot be kept: {error}") from error


def _debug(ran: Ran) -> bytes:
    """What a script did, as the official debug information tells it."""
    actions: dict[str, list[str]] = {"PutDocument": [], "LoadDocument": [], "DeleteDocument": []}
    actions["LoadDocument"] += ran.loaded
    for one in ran.written:
        name = "DeleteDocument" if one.document is None else "PutDocument"
        actions[name].append(one.document_id)
    told = {name: ids for name, ids in actions.items() if ids}
    return orjson.dumps({"Output": ran.output, "Actions": told})
