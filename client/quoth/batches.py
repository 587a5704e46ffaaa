"""What a session saves: commands that happen together, or not at all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from quoth.commands import Reply, WireRequest
from quoth.errors import FateUnknown
from quoth.options import IndexWait, ReplicationWait, TransactionMode
from quoth.serialization import JsonObject, encode, to_json


@dataclass(frozen=True, slots=True)
class PutDocument:
    """Store a document. `change_vector` None: no check; "": it must be new; else: still this one.

    `original_change_vector` is what the session saw: a cluster transaction is checked by it.
    """

    document_id: str
    body: JsonObject
    metadata: JsonObject
    change_vector: str | None = None
    original_change_vector: str | None = None

    def to_wire(self) -> JsonObject:
        wire: JsonObject = {
            "Id": self.document_id,
            "ChangeVector": self.change_vector,
            "Document": {**self.body, "@metadata": self.metadata},
            "Type": "PUT",
        }
        if self.original_change_vector is not None:
            wire["OriginalChangeVector"] = self.original_change_vector
        return wire


@dataclass(frozen=True, slots=True)
class DeleteDocument:
    """Delete a document; it is no error if there is none. Change vectors as in PutDocument."""

    document_id: str
    change_vector: str | None = None
    original_change_vector: str | None = None

    def to_wire(self) -> JsonObject:
        wire: JsonObject = {
            "Id": self.document_id,
            "ChangeVector": self.change_vector,
            "Type": "DELETE",
        }
        if self.original_change_vector is not None:
            wire["OriginalChangeVector"] = self.original_change_vector
        return wire


@dataclass(frozen=True, slots=True)
class PatchRequest:
    """A script that changes a document where it is.

    `script` is JavaScript: `this` is the document, `args` are the `values` by their names.
    """

    script: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def to_wire(self) -> JsonObject:
        values = {name: to_json(value) for name, value in self.values.items()}
        return {"Script": self.script, "Values": values}


@dataclass(frozen=True, slots=True)
class PatchDocument:
    """Change a document by a script, wherever it stands now.

    A missing document is changed by `patch_if_missing`, or becomes `create_if_missing`, a whole
    document with its metadata; without both nothing happens. `returns_document`: the result has the
    document as it became.
    """

    document_id: str
    patch: PatchRequest
    change_vector: str | None = None
    patch_if_missing: PatchRequest | None = None
    create_if_missing: JsonObject | None = None
    returns_document: bool = False

    def to_wire(self) -> JsonObject:
        wire: JsonObject = {
            "Id": self.document_id,
            "ChangeVector": self.change_vector,
            "Patch": self.patch.to_wire(),
            "Type": "PATCH",
        }
        if self.patch_if_missing is not None:
            wire["PatchIfMissing"] = self.patch_if_missing.to_wire()
        if self.create_if_missing is not None:
            wire["CreateIfMissing"] = self.create_if_missing
        if self.returns_document:
            wire["ReturnDocument"] = True
        return wire


@dataclass(frozen=True, slots=True)
class PutValue:
    """Write a compare-exchange value inside a cluster transaction; index 0: it must be new."""

    key: str
    value: Any
    index: int

    def to_wire(self) -> JsonObject:
        document = {"Object": self.value}
        return {
            "Id": self.key,
            "Document": document,
            "Index": self.index,
            "Type": "CompareExchangePUT",
        }


@dataclass(frozen=True, slots=True)
class DeleteValue:
    """Remove a compare-exchange value inside a cluster transaction."""

    key: str
    index: int

    def to_wire(self) -> JsonObject:
        return {"Id": self.key, "Index": self.index, "Type": "CompareExchangeDELETE"}


def use_on_wire(
    name_field: str, name: str, initial_value: int | None, reset_value: int | None
) -> JsonObject:
    """The fields that name a sequence; what is not claimed is not there."""
    wire: JsonObject = {name_field: name}
    if initial_value is not None:
        wire["InitialValue"] = initial_value
    if reset_value is not None:
        wire["ResetValue"] = reset_value
    return wire


@dataclass(frozen=True, slots=True)
class NumberPlace:
    """Where a number goes: the place of a command in the batch, and a path in its document.

    `path` is a JSON pointer; None: into the id. `index` is which number, None: all, as an array.
    """

    command: int
    path: str | None
    index: int | None = 0

    def to_wire(self) -> JsonObject:
        wire: JsonObject = {"Command": self.command}
        wire |= {"InId": True} if self.path is None else {"Path": self.path}
        return wire | ({"All": True} if self.index is None else {"Index": self.index})


@dataclass(frozen=True, slots=True)
class TakeNumbers:
    """Take the next numbers of a sequence, and write them into documents of the same batch."""

    sequence: str
    count: int
    initial_value: int | None
    reset_value: int | None
    places: tuple[NumberPlace, ...]

    def to_wire(self) -> JsonObject:
        use = use_on_wire("Sequence", self.sequence, self.initial_value, self.reset_value)
        places = [each.to_wire() for each in self.places]
        return {**use, "Type": "QuothTakeNumbers", "Count": self.count, "Places": places}


DocumentCommand = PutDocument | DeleteDocument | PatchDocument
BatchCommand = DocumentCommand | PutValue | DeleteValue


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What the server made of a batch, one result per command in order.

    `transaction_index` is the index of a cluster transaction, None for a single-node batch.
    `numbers` are what was taken of sequences, one tuple for each taking.
    """

    results: tuple[JsonObject, ...]
    transaction_index: int | None
    numbers: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class SaveBatch:
    """All or nothing: the changes of a session.

    Document commands come before compare-exchange commands, and what takes numbers comes last: the
    server answers in that order.
    """

    commands: tuple[BatchCommand, ...]
    mode: TransactionMode = TransactionMode.SINGLE_NODE
    replication: ReplicationWait | None = None
    indexes: IndexWait | None = None
    takings: tuple[TakeNumbers, ...] = ()
    is_read: ClassVar[bool] = False
    is_for_database: ClassVar[bool] = True

    def to_wire(self) -> list[JsonObject]:
        """All commands, as they are sent."""
        return [each.to_wire() for each in (*self.commands, *self.takings)]

    def to_request(self) -> WireRequest:
        wire: JsonObject = {"Commands": self.to_wire()}
        if self.mode is TransactionMode.CLUSTER_WIDE:
            wire["TransactionMode"] = self.mode.value
        query: list[tuple[str, str]] = []
        wait_seconds = 0.0
        if self.replication is not None:
            query += self.replication.query().items()
            wait_seconds += self.replication.timeout_seconds
        if self.indexes is not None:
            query += self.indexes.query().items()
            query += (("waitForSpecificIndex", name) for name in self.indexes.names)
            wait_seconds += self.indexes.timeout_seconds
        body = encode(wire)
        return WireRequest("POST", "/bulk_docs", tuple(query), body, wait_seconds)

    def read(self, reply: Reply) -> BatchResult:
        found = reply.json()
        results = tuple(found["Results"])
        sent = len(self.commands) + len(self.takings)
        if len(results) != sent:
            raise FateUnknown(f"{sent} commands were sent, {len(results)} answered")
        if not all(isinstance(each, dict) for each in results):
            raise FateUnknown(f"the result of a command is an object: {reply.body[:80]!r}")
        told = results[len(self.commands) :]
        numbers = tuple(tuple(map(int, each["Numbers"])) for each in told)
        if [len(each) for each in numbers] != [each.count for each in self.takings]:
            raise FateUnknown("the answer tells other numbers than were asked for")
        return BatchResult(results[: len(self.commands)], found.get("TransactionIndex"), numbers)
