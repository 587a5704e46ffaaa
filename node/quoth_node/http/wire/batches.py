"""The body of `POST /bulk_docs` -> commands: for the log as they are, or for the leader."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from quoth_cluster.commands import DeleteDocument, PutDocument
from quoth_cluster.sequence_commands import TakeNumbers
from quoth_node.http.errors import BadRequest, NotSupported, UnknownCommandType
from quoth_node.http.query import shortened
from quoth_node.http.wire import patches
from quoth_node.http.wire.bodies import (
    CompareExchangeCommand,
    DocumentCommand,
    an_object,
    check_count,
    expected,
    read_compare_exchange,
    read_delete,
    read_put,
    text,
)
from quoth_node.http.wire.parsing import parse
from quoth_node.http.wire.sequences import TAKING, read_taking
from quoth_node.patching import PatchCommand

COMMANDS_MAX = 10_000
EVALUATED: dict[str, Callable[[dict[str, Any], str], PatchCommand]] = {
    "PATCH": patches.read_patch,
    "BatchPATCH": patches.read_batch_patch,
    "JsonPatch": patches.read_json_patch,
    "BatchTrackChanges": patches.read_tracked,
    "ForceRevisionCreation": patches.read_force_revision,
}
NOT_SUPPORTED_COMMANDS = frozenset(
    {
        "AttachmentCOPY",
        "AttachmentDELETE",
        "AttachmentMOVE",
        "AttachmentPUT",
        "Counters",
        "HeartBeat",
        "TimeSeries",
        "TimeSeriesBulkInsert",
        "TimeSeriesCopy",
        "TimeSeriesWithIncrements",
    }
)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it was sent.

    Invariant: not cluster-wide means no compare-exchange commands, cluster-wide only documents.
    """

    commands: tuple[PatchCommand, ...]
    compare_exchange: tuple[CompareExchangeCommand, ...]
    cluster_wide: bool
    takings: tuple[TakeNumbers, ...] = ()  # their places name one of `commands`

    @property
    def documents(self) -> tuple[DocumentCommand, ...]:
        """The commands that need no evaluation."""
        return tuple(c for c in self.commands if isinstance(c, PutDocument | DeleteDocument))

    @property
    def is_evaluated(self) -> bool:
        """Whether something must be computed, or found out, before it can be written."""
        return len(self.documents) < len(self.commands)


def read_batch(body: bytes | bytearray, *, new_id: Callable[[], str]) -> Batch:
    """The commands of `POST /bulk_docs`, split into documents and compare-exchange values."""
    return batch_of(an_object(parse(body), "The body"), new_id=new_id)


def batch_of(whole: dict[str, Any], *, new_id: Callable[[], str]) -> Batch:
    """The batch that an object describes."""
    cluster_wide = is_cluster_wide(whole)
    commands = whole.get("Commands")
    if not isinstance(commands, list):
        raise expected("Commands", "an array", commands)
    if not commands:
        raise BadRequest("The batch holds no commands")
    check_count(commands, COMMANDS_MAX, "commands")
    documents: list[PatchCommand] = []
    values: list[CompareExchangeCommand] = []
    takings: list[tuple[dict[str, Any], str]] = []
    position: dict[int, int] = {}  # of a command of the request among `documents`
    for number, command in enumerate(commands):
        where = f"Commands[{number}]"
        fields = an_object(command, where)
        kind = text(fields, "Type", where, required=True) or ""
        position[number] = len(documents)
        if kind == "PUT":
            documents.append(read_put(fields, where, cluster_wide=cluster_wide, new_id=new_id))
        elif kind == "DELETE":
            documents.append(read_delete(fields, where, cluster_wide=cluster_wide))
        elif kind in ("CompareExchangePUT", "CompareExchangeDELETE"):
            if not cluster_wide:
                raise BadRequest(f"{where}: {kind} needs TransactionMode ClusterWide")
            values.append(read_compare_exchange(fields, where, is_put=kind.endswith("PUT")))
        elif kind in EVALUATED:
            if cluster_wide:
                raise NotSupported(f"{where}: {kind} is not for cluster transactions")
            documents.append(EVALUATED[kind](fields, where))
        elif kind == TAKING:
            takings.append((fields, where))
        elif kind in NOT_SUPPORTED_COMMANDS:
            raise NotSupported(f"{where}: commands of type {kind} are not supported yet")
        else:
            raise UnknownCommandType(f"Invalid command type: {shortened(kind)}")
        if len(documents) == position[number]:
            del position[number]  # it is none of a document
    read = tuple(read_taking(fields, where, position) for fields, where in takings)
    return Batch(tuple(documents), tuple(values), cluster_wide, read)


def is_cluster_wide(whole: dict[str, Any]) -> bool:
    mode = whole.get("TransactionMode")
    if mode not in (None, "SingleNode", "ClusterWide"):
        raise expected("TransactionMode", "'SingleNode' or 'ClusterWide'", mode)
    return bool(mode == "ClusterWide")
