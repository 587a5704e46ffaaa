"""Patches: one document changed by a script, or by operations of RFC 6902, where it is."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Self

from quoth.batches import PatchRequest
from quoth.commands import Reply, WireRequest
from quoth.errors import Misuse
from quoth.operations.checks import check_kind, check_name, check_text
from quoth.operations.kinds import DatabaseWrite
from quoth.serialization import encode, to_json
from quoth.shape import read_shape


class PatchStatus(Enum):
    """What became of the document of a patch."""

    DOCUMENT_DOES_NOT_EXIST = "DocumentDoesNotExist"
    CREATED = "Created"
    PATCHED = "Patched"
    SKIPPED = "Skipped"
    NOT_MODIFIED = "NotModified"


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchResult:
    """What became of the document of a patch, and the document as it is afterwards.

    `original_document` and `debug` come with `return_debug_information` and `test`.
    """

    status: PatchStatus
    modified_document: dict[str, Any] | None = None
    original_document: dict[str, Any] | None = None
    debug: dict[str, Any] | None = None
    last_modified: datetime | None = None
    change_vector: str | None = None
    collection: str | None = None


@dataclass(frozen=True, slots=True)
class PatchOperation(DatabaseWrite):
    """Run a script on a document, without loading it.

        store.operations.send(PatchOperation("companies/1", None, PatchRequest("this.count++")))

    change_vector: the document must still have this one; else a ConcurrencyError, or SKIPPED with
        `skip_patch_if_change_vector_mismatch`. None: no check.
    patch_if_missing: the script that makes the document where there is none.
    test: only try it, and tell what would come of it.
    """

    key: str
    change_vector: str | None
    patch: PatchRequest
    patch_if_missing: PatchRequest | None = None
    skip_patch_if_change_vector_mismatch: bool | None = None
    return_debug_information: bool = field(default=False, kw_only=True)
    test: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        check_name(self.key, "a document id")
        _check_request(self.patch, "patch")
        if self.patch_if_missing is not None:
            _check_request(self.patch_if_missing, "patch_if_missing")

    def to_request(self) -> WireRequest:
        query = [("id", self.key)]
        if self.skip_patch_if_change_vector_mismatch:
            query.append(("skipPatchIfChangeVectorMismatch", "true"))
        if self.return_debug_information:
            query.append(("debug", "true"))
        if self.test:
            query.append(("test", "true"))
        missing = self.patch_if_missing
        body = {
            "Patch": self.patch.to_wire(),
            "PatchIfMissing": None if missing is None else missing.to_wire(),
        }
        vector = self.change_vector
        headers = {} if vector is None else {"If-Match": f'"{vector}"'}
        return WireRequest("PATCH", "/docs", tuple(query), encode(body), headers=headers)

    def read(self, reply: Reply) -> PatchResult:
        if reply.status == 304:
            return PatchResult(status=PatchStatus.NOT_MODIFIED)
        return _result(reply)


class JsonPatchDocument:
    """Operations of RFC 6902 for one document, in order. Paths are JSON pointers: `/Items/0`.

    JsonPatchDocument().replace("/Name", "Quoth").add("/Tags/-", "new")
    """

    def __init__(self, operations: list[dict[str, Any]] | None = None) -> None:
        self.operations: list[dict[str, Any]] = list(operations or ())

    def add(self, path: str, value: Any) -> Self:
        """Make a member, or replace it; `/-` at the end of the path appends to an array."""
        return self._and("add", path, value=value)

    def remove(self, path: str) -> Self:
        """Take away what is there; if nothing is, the whole patch is refused."""
        return self._and("remove", path)

    def replace(self, path: str, value: Any) -> Self:
        """Put a value in place of the one there; if there is none, the whole patch is refused."""
        return self._and("replace", path, value=value)

    def move(self, from_path: str, path: str) -> Self:
        """Take a value from one place and put it in another."""
        return self._and("move", path, **{"from": from_path})

    def copy(self, from_path: str, path: str) -> Self:
        """Put the value of one place in another, too."""
        return self._and("copy", path, **{"from": from_path})

    def test(self, path: str, value: Any) -> Self:
        """Refuse the whole patch unless this value is there."""
        return self._and("test", path, value=value)

    def to_json(self) -> list[dict[str, Any]]:
        """The operations on the wire. Raises WrongType for values that JSON has no word for."""
        plain: list[dict[str, Any]] = to_json(self.operations)
        return plain

    def __len__(self) -> int:
        return len(self.operations)

    def _and(self, op: str, path: str, **more: Any) -> Self:
        for each in (path, more.get("from", path)):
            if not isinstance(each, str) or (each and not each.startswith("/")):
                raise Misuse(f"a path is a JSON pointer, as in '/Name' or '/Items/0': {each!r:.80}")
        self.operations.append({"op": op, **more, "path": path})
        return self


@dataclass(frozen=True, slots=True)
class JsonPatchOperation(DatabaseWrite):
    """Apply operations of RFC 6902 to a document, all of them or none."""

    key: str
    json_patch_document: JsonPatchDocument

    def __post_init__(self) -> None:
        check_name(self.key, "a document id")
        check_kind(self.json_patch_document, JsonPatchDocument, "json_patch_document")
        if not self.json_patch_document:
            raise Misuse("the patch has no operations: nothing would be changed")

    def to_request(self) -> WireRequest:
        body = encode({"Operations": self.json_patch_document.to_json()})
        return WireRequest("PATCH", "/json-patch", (("id", self.key),), body)

    def read(self, reply: Reply) -> PatchResult:
        return _result(reply)


def _result(reply: Reply) -> PatchResult:
    if reply.is_missing:
        return PatchResult(status=PatchStatus.DOCUMENT_DOES_NOT_EXIST)
    return read_shape(PatchResult, reply.json())


def _check_request(request: object, what: str) -> None:
    check_kind(request, PatchRequest, what)
    assert isinstance(request, PatchRequest), "just checked"
    check_text(request.script, f"the script of {what}")
