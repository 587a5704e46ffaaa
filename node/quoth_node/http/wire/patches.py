"""JSON of patches: what is asked for, and what became of it."""

from collections.abc import Iterable
from typing import Any

import orjson

from quoth_cluster.clock import to_wire
from quoth_cluster.commands import CheckDocument, PutDocument
from quoth_cluster.outcomes import DocumentDeleted, DocumentPut
from quoth_node.http.errors import BadRequest
from quoth_node.http.wire.bodies import (
    IDS_MAX,
    an_object,
    boolean,
    check_count,
    check_document_id,
    dump,
    expected,
    put_document,
    text,
)
from quoth_node.http.wire.parsing import parse
from quoth_node.http.wire.replies import batch_result
from quoth_node.patching import (
    ForceRevision,
    JsonPatchDocument,
    PatchDocument,
    PatchDocuments,
    Patched,
    PatchedMany,
    PatchResult,
    PatchTarget,
    RevisionNotForced,
    Script,
    TrackDocuments,
    Tracked,
)

# In


def read_patch_request(
    document_id: str,
    body: bytes | bytearray,
    *,
    expected_change_vector: str | None,
    skips_on_mismatch: bool,
) -> PatchDocument:
    """The body of `PATCH /docs`."""
    check_document_id(document_id)
    fields = an_object(parse(body), "The body")
    return PatchDocument(
        document_id,
        read_script(fields.get("Patch"), "Patch"),
        expected_change_vector,
        read_script_if_any(fields, "PatchIfMissing"),
        skips_on_mismatch=skips_on_mismatch,
        returns_document=True,
    )


def read_json_patch_request(
    document_id: str, body: bytes | bytearray, *, expected_change_vector: str | None
) -> JsonPatchDocument:
    """The body of `PATCH /json-patch`."""
    check_document_id(document_id)
    operations = read_operations(parse(body), "The body")
    return JsonPatchDocument(document_id, operations, expected_change_vector, returns_document=True)


def read_patch(fields: dict[str, Any], where: str) -> PatchDocument:
    """A command of type PATCH."""
    document_id = read_id(fields, where)
    return PatchDocument(
        document_id,
        read_script(fields.get("Patch"), f"{where}.Patch"),
        text(fields, "ChangeVector", where),
        read_script_if_any(fields, "PatchIfMissing", f"{where}."),
        read_document_if_missing(document_id, fields, where),
        returns_document=boolean(fields, "ReturnDocument", where),
    )


def read_batch_patch(fields: dict[str, Any], where: str) -> PatchDocuments:
    """A command of type BatchPATCH."""
    ids = fields.get("Ids")
    if not isinstance(ids, list):
        raise expected(f"{where}.Ids", "an array", ids)
    if not ids:
        raise BadRequest(f"{where}.Ids is empty: there is nothing to patch")
    check_count(ids, IDS_MAX, "ids")
    targets = []
    for number, one in enumerate(ids):
        place = f"{where}.Ids[{number}]"
        target = an_object(one, place)
        targets.append(PatchTarget(read_id(target, place), text(target, "ChangeVector", place)))
    return PatchDocuments(
        tuple(targets),
        read_script(fields.get("Patch"), f"{where}.Patch"),
        read_script_if_any(fields, "PatchIfMissing", f"{where}."),
    )


def read_json_patch(fields: dict[str, Any], where: str) -> JsonPatchDocument:
    """A command of type JsonPatch."""
    return JsonPatchDocument(
        read_id(fields, where),
        read_operations(fields.get("JsonPatch"), f"{where}.JsonPatch"),
        text(fields, "ChangeVector", where),
        returns_document=boolean(fields, "ReturnDocument", where),
    )


def read_tracked(fields: dict[str, Any], where: str) -> TrackDocuments:
    """A command of type BatchTrackChanges."""
    tracked = an_object(fields.get("TrackedEntities"), f"{where}.TrackedEntities")
    check_count(tracked, IDS_MAX, "ids")
    checks = []
    for document_id in tracked:
        place = f"{where}.TrackedEntities"
        check_document_id(document_id, place)
        vector = text(tracked, document_id, place)  # null: there was no such document
        checks.append(CheckDocument(document_id, vector or ""))
    return TrackDocuments(tuple(checks))


def read_force_revision(fields: dict[str, Any], where: str) -> ForceRevision:
    """A command of type ForceRevisionCreation."""
    return ForceRevision(read_id(fields, where))


def read_id(fields: dict[str, Any], where: str) -> str:
    document_id = text(fields, "Id", where, required=True)
    assert document_id is not None, "required"
    check_document_id(document_id, where)
    return document_id


def read_script(value: object, where: str) -> Script:
    """`{"Script": "this.a = args.b", "Values": {"b": 1}}`."""
    fields = an_object(value, where)
    script = text(fields, "Script", where, required=True)
    assert script is not None, "required"
    if not script.strip():
        raise BadRequest(f"{where}.Script is empty")
    values = fields.get("Values")
    arguments = {} if values is None else an_object(values, f"{where}.Values")
    return Script(script, dump(arguments))


def read_script_if_any(fields: dict[str, Any], name: str, where: str = "") -> Script | None:
    value = fields.get(name)
    return None if value is None else read_script(value, f"{where}{name}")


def read_document_if_missing(
    document_id: str, fields: dict[str, Any], where: str
) -> PutDocument | None:
    value = fields.get("CreateIfMissing")
    if value is None:
        return None
    place = f"{where}.CreateIfMissing"
    return put_document(document_id, an_object(value, place), place, expected_change_vector=None)


def read_operations(value: object, where: str) -> bytes:
    """The operations of `{"Operations": [...]}`; whether they make sense shows when applied."""
    operations = an_object(value, where).get("Operations")
    if not isinstance(operations, list):
        raise expected(f"{where}: Operations", "an array", operations)
    return dump(operations)


# Out


def patch_result(patched: Patched) -> bytes:
    """The answer to `PATCH /docs` and `PATCH /json-patch`."""
    document = {"ModifiedDocument": fragment(patched.document)}
    if patched.original is not None:
        document["OriginalDocument"] = fragment(patched.original)
    known = {
        "LastModified": None if patched.at_micros is None else to_wire(patched.at_micros),
        "ChangeVector": patched.change_vector,
        "Collection": patched.collection,
    }
    told: dict[str, Any] = {"Status": patched.status, **document}
    told |= {name: value for name, value in known.items() if value is not None}
    if patched.debug is not None:
        told["Debug"] = fragment(patched.debug)
    return orjson.dumps(told)


def patches_saved(
    results: tuple[PatchResult, ...], more: Iterable[dict[str, Any]] = ()
) -> bytes:
    """The answer to a batch with patches in it; element i answers command i."""
    return orjson.dumps({"Results": [*map(result_of, results), *more]})


def result_of(result: PatchResult) -> dict[str, Any]:
    match result:
        case DocumentPut() | DocumentDeleted():
            return batch_result(result)
        case Patched():
            told = {**batch_patched(result), "Type": result.kind, "Debug": None}
            if result.document is not None:
                told["ModifiedDocument"] = fragment(result.document)
            return told
        case PatchedMany():
            each = [batch_patched(one) for one in result.results]
            return {"Type": "BatchPATCH", "Results": each}
        case Tracked():
            return {"Type": "BatchTrackChanges"}
        case RevisionNotForced():
            return {"Type": "ForceRevisionCreation", "RevisionCreated": False}


def batch_patched(patched: Patched) -> dict[str, Any]:
    at = None if patched.at_micros is None else to_wire(patched.at_micros)
    return {
        "Id": patched.document_id,
        "ChangeVector": patched.change_vector,
        "LastModified": at,
        "PatchStatus": patched.status,
    }


def fragment(json: bytes | None) -> orjson.Fragment | None:
    return None if json is None else orjson.Fragment(json)


