"""What travels together: loads as one load, saves as one request with an answer for each. Pure.

Each is answered as if it had gone alone. Where the shared request could not have done what was
asked, and certainly did nothing, the answer is ALONE: each goes on by itself, a save with the
request id that it had.
"""

from collections.abc import Generator, Sequence
from copy import copy
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Protocol, TypeVar
from urllib.parse import quote

import orjson

from quoth.batches import PatchDocument, SaveBatch
from quoth.commands import Command, Reply, WireRequest, fold, read_reply
from quoth.errors import BadRequest, FateUnknown, NotSent, QuothError
from quoth.manner import PLAIN, Manner
from quoth.reads import GetDocuments, LoadedDocuments
from quoth.replies import error_of, may_have_happened
from quoth.serialization import JsonObject
from quoth.transport import HttpResponse

T = TypeVar("T")
LOADED_TOGETHER_MAX = 128
IDS_ALONE_MIN = 17  # a load of so many ids is a large request by itself
SAVED_TOGETHER_MAX = 64
SAVED_TOGETHER_BYTES_MAX = 1 << 20
ROUTE = "/quoth/batches"


Steps = Generator[Any, Any, T]  # of a network, by whoever carries commands


class Carrier(Protocol):
    """What carries a command: an Executor."""

    def execute(
        self, command: Command[T], *, known_raft_index: int | None = None, manner: Manner = PLAIN
    ) -> Steps[T]:
        """The answer."""


class Told(Enum):
    """What one that waits is told in place of an answer."""

    GO = "it may go now, alone"
    LEAD = "it may go now, with others"
    ALONE = "the shared request did nothing for it"


@dataclass(slots=True, eq=False)
class Asked:
    """One command that waits. `line` is how a save is written, `size` what it takes of a limit."""

    command: Command[Any]
    known_raft_index: int | None
    size: int
    request_id: str | None = None
    line: bytes = b""
    group: "Sequence[Asked]" = ()  # whom it leads, itself first
    outcome: Any = None  # a result, a QuothError, or a Told
    waiter: Any = None  # what a shell waits with


class Kind(Protocol):
    """How commands of one kind share a request."""

    size_max: int
    near_seconds: float  # a node that answers in less is near

    def lost(self) -> Any:
        """The outcome of each if nobody knows what became of the shared request."""

    def asked(self, command: Command[Any], known_raft_index: int | None, request_id: str) -> Asked:
        """A command, ready to wait."""

    def carry(self, executor: Carrier, group: Sequence[Asked]) -> Steps[list[Any]]:
        """An outcome for each of the group."""


class Loads:
    """Documents by their ids, without includes."""

    size_max = LOADED_TOGETHER_MAX
    near_seconds = 0.005

    @staticmethod
    def fits(command: GetDocuments) -> bool:
        """Whether it may wait for others."""
        return len(command.ids) < IDS_ALONE_MIN and not (command.includes or command.value_includes)

    def lost(self) -> Any:
        return Told.ALONE

    def asked(self, command: Command[Any], known_raft_index: int | None, request_id: str) -> Asked:
        assert isinstance(command, GetDocuments)
        return Asked(command, known_raft_index, len(command.ids))

    def carry(self, executor: Carrier, group: Sequence[Asked]) -> Steps[list[Any]]:
        ids = dict.fromkeys(name for each in group for name in each.command.ids)  # type: ignore[attr-defined]
        # Who waits for the newest that one of them has seen waits for what each has seen.
        known = max((each.known_raft_index or 0 for each in group), default=0)
        try:
            loaded = yield from executor.execute(
                GetDocuments(tuple(ids)),
                known_raft_index=known or None,
                manner=Manner(no_caching=True),  # nobody will ask for just these again
            )
        except BadRequest:  # of one of the ids, or of all documents together
            return [Told.ALONE] * len(group)
        except QuothError as error:
            return [copy(error) for _ in group]  # each adds its own traceback
        given: set[str] = set()
        return [_share(loaded, each.command.ids, given) for each in group]  # type: ignore[attr-defined]


def _share(loaded: LoadedDocuments, ids: Sequence[str], given: set[str]) -> LoadedDocuments:
    """The documents of one. What two have asked for, each has for itself."""
    by_id: dict[str, JsonObject] = {}
    for name in map(fold, ids):
        document = loaded.by_id.get(name)
        if document is not None:
            by_id[name] = orjson.loads(orjson.dumps(document)) if name in given else document
    given.update(by_id)
    return LoadedDocuments(by_id)


class Saves:
    """Batches, each a transaction of its own."""

    size_max = SAVED_TOGETHER_BYTES_MAX
    near_seconds = 0.025  # disks and other nodes take their time

    def __init__(self) -> None:
        self.is_known = True  # until a server says that it has no such route

    def fits(self, command: SaveBatch) -> bool:
        """Whether it may wait for others: what takes long would make them wait, too."""
        waits = command.replication is not None or command.indexes is not None
        is_patch = any(isinstance(each, PatchDocument) for each in command.commands)
        return self.is_known and not waits and not is_patch

    def lost(self) -> Any:
        return may_have_happened(FateUnknown("the shared request was given up"))

    def asked(self, command: Command[Any], known_raft_index: int | None, request_id: str) -> Asked:
        request = command.to_request()
        pairs = (*request.query, ("raft-request-id", request_id))
        query = "&".join([f"{name}={quote(each, safe='')}" for name, each in pairs])
        line = query.encode() + b" " + (request.body or b"")
        return Asked(command, known_raft_index, max(len(line), _FAIR_SIZE), request_id, line)

    def carry(self, executor: Carrier, group: Sequence[Asked]) -> Steps[list[Any]]:
        together = SaveTogether(tuple(each.command for each in group), tuple(e.line for e in group))
        try:
            answers = yield from executor.execute(together)
        except BadRequest as error:  # the request as a whole: nothing was written
            if error.kind == "RouteNotFoundException" or error.status == 404:
                self.is_known = False
            return [Told.ALONE] * len(group)
        except QuothError as error:
            return [copy(error) for _ in group]  # each adds its own traceback
        # No node carried it out by then, so it may be offered again, as it is alone.
        return [Told.ALONE if isinstance(each, NotSent) else each for each in answers]


# So that there are at most SAVED_TOGETHER_MAX in one request.
_FAIR_SIZE = SAVED_TOGETHER_BYTES_MAX // SAVED_TOGETHER_MAX


@dataclass(frozen=True, slots=True)
class SaveTogether:
    """Several saves in one request. The result has a result or a QuothError for each, in order."""

    commands: tuple[Command[Any], ...]
    lines: tuple[bytes, ...]
    is_read: ClassVar[bool] = False
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        return WireRequest("POST", ROUTE, (), b"\n".join(self.lines), headers=headers)

    def read(self, reply: Reply) -> list[Any]:
        if reply.is_missing:
            raise BadRequest(f"there is no {ROUTE}", status=404)
        found = reply.json()["Results"]
        if len(found) != len(self.commands):
            raise FateUnknown(f"{len(self.commands)} saves were sent, {len(found)} answered")
        return [_outcome(each, part) for each, part in zip(self.commands, found, strict=True)]


def _outcome(command: Command[Any], part: JsonObject) -> Any:
    status, found = int(part["StatusCode"]), part["Result"]
    if status >= 300:
        headers = {name.lower(): value for name, value in (part.get("Headers") or {}).items()}
        error = error_of(HttpResponse(status, headers, orjson.dumps(found)))
        if error is not None:
            return may_have_happened(error) if isinstance(error, FateUnknown) else error
    try:
        return read_reply(command, Reply(status, parsed=found))
    except QuothError as error:
        return error
