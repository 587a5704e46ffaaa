"""What runs longer than a request of a client waits: how far each has come, and how it ended.

Kept in memory, on the node that runs it, up to a limit. Any node answers for any operation: it asks
the others over their links. A restart forgets the operations of a node, and no id comes twice.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from quoth_cluster.commands import TakeIndex, encode
from quoth_cluster.errors import Busy, NoAnswer, NotAsked, NotReadable
from quoth_cluster.raft.door import RaftLog

TOPIC = "operations"
KEPT_MAX = 1_000  # those that ended go first, the oldest first
RUNNING_MAX = 100
ASK_SECONDS_MAX = 5.0
IDS_PER_INDEX = 1_024  # ids stay below 2**53, which JSON keeps exactly, for 2**43 command indexes
ID_MAX = 2**53 - 1
NOBODY = b"null"


class Status(StrEnum):
    """How an operation stands; the words of the wire."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAULTED = "Faulted"
    CANCELED = "Canceled"


class OperationKilled(Exception):
    """Somebody asked for the end of an operation before it had ended by itself."""


class OperationExists(Exception):
    """An operation of that id is known here already."""


Values = Mapping[str, Any]  # JSON


@dataclass(slots=True)
class Operation:
    """One operation of this node. Invariant: once it has ended, nothing of it changes."""

    operation_id: int
    database: str  # folded; '' for one of the whole server
    status: Status = Status.IN_PROGRESS
    progress: Values | None = None
    result: Values | None = None
    is_killed: bool = False
    _interrupt: Callable[[], None] | None = field(default=None, repr=False)

    def kill(self) -> None:
        """Ask it to end; it does so when it comes to it."""
        if self.status is Status.IN_PROGRESS:
            self.is_killed = True
            if self._interrupt is not None:
                self._interrupt()

    def check(self) -> None:
        """Raise OperationKilled if it should end."""
        if self.is_killed:
            raise OperationKilled("The operation was canceled")

    def interrupted_by(self, interrupt: Callable[[], None] | None) -> None:
        """While it waits for something, a kill is told by calling `interrupt`."""
        self._interrupt = interrupt

    def end(self, status: Status, result: Values | None) -> None:
        """Note how it ended; only the first end counts."""
        if self.status is Status.IN_PROGRESS:
            self.status, self.result = status, result

    def state(self) -> bytes:
        """What clients are told of it."""
        told = {"Status": self.status, "Progress": self.progress, "Result": self.result}
        return orjson.dumps(told)


class OperationIds:
    """Numbers that no other node, and no other life of this one, gives.

    Each is a command index of this cluster with a count behind it; the log is asked for an index
    once in `IDS_PER_INDEX` ids.
    """

    def __init__(self, raft: RaftLog) -> None:
        self._raft = raft
        self._left = iter(range(0))
        self._taking = asyncio.Lock()

    async def take(self, *, timeout_seconds: float) -> int:
        """The next id. Raises NotProposed, FateUnknown: then none was given."""
        async with self._taking:
            if (operation_id := next(self._left, None)) is not None:
                return operation_id
            applied = await self._raft.propose(encode(TakeIndex()), timeout_seconds=timeout_seconds)
            first = applied.command_index * IDS_PER_INDEX
            assert first + IDS_PER_INDEX <= ID_MAX, "ids are exact in JSON"
            self._left = iter(range(first + 1, first + IDS_PER_INDEX))
            return first


class Operations:
    """The operations of this node, and the way to those of the others."""

    def __init__(self, raft: RaftLog) -> None:
        self.ids = OperationIds(raft)
        self._raft = raft
        self._kept: dict[int, Operation] = {}
        raft.answer(TOPIC, self._answer)

    def begin(self, operation_id: int, database: str) -> Operation:
        """A new operation. Raises OperationExists, Busy."""
        if operation_id in self._kept:
            raise OperationExists(f"An operation with the id {operation_id} exists already")
        running = [one for one in self._kept.values() if one.status is Status.IN_PROGRESS]
        if len(running) >= RUNNING_MAX:
            raise Busy(f"{RUNNING_MAX} operations are running on this node already")
        while len(self._kept) >= KEPT_MAX:
            oldest = next(i for i, one in self._kept.items() if one.status != Status.IN_PROGRESS)
            del self._kept[oldest]
        operation = Operation(operation_id, database.lower())
        self._kept[operation_id] = operation
        return operation

    async def state(self, operation_id: int, database: str) -> bytes | None:
        """What is told of an operation, wherever it runs; None if nobody knows it.

        An empty `database` finds those of all. Raises NotReadable if somebody could not be asked.
        """
        return await self._find("state", operation_id, database)

    async def kill(self, operation_id: int, database: str) -> bool:
        """Ask an operation to end, wherever it runs; False if nobody knows it.

        Raises NotReadable if somebody could not be asked.
        """
        return await self._find("kill", operation_id, database) is not None

    async def _find(self, verb: str, operation_id: int, database: str) -> bytes | None:
        found = self._do(verb, operation_id, database)
        if found is not None:
            return found
        status = self._raft.status()
        others = [member.tag for member in status.members if member.tag != status.node_tag]
        question = orjson.dumps({"do": verb, "id": operation_id, "database": database})
        answers = await asyncio.gather(*(self._ask(tag, question) for tag in others))
        for answer in answers:
            if isinstance(answer, bytes) and answer != NOBODY:
                return answer
        silent = [tag for tag, answer in zip(others, answers, strict=True) if answer is None]
        if silent:
            raise NotReadable(
                f"Operation {operation_id} is unknown here, and nodes {', '.join(silent)} "
                "could not be asked"
            )
        return None

    async def _ask(self, tag: str, question: bytes) -> bytes | None:
        """What `tag` says; None if it does not."""
        try:
            return await self._raft.ask(tag, TOPIC, question, timeout_seconds=ASK_SECONDS_MAX)
        except (NotAsked, NoAnswer):
            return None

    def _do(self, verb: str, operation_id: int, database: str) -> bytes | None:
        operation = self._kept.get(operation_id)
        if operation is None or (database and operation.database != database.lower()):
            return None
        if verb == "kill":
            operation.kill()
        return operation.state()

    async def _answer(self, question: bytes) -> bytes:
        asked = orjson.loads(question)
        return self._do(str(asked["do"]), int(asked["id"]), str(asked["database"])) or NOBODY
