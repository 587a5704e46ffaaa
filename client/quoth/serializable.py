"""Serializable sessions: what was read, and that a save rests on all of it. Pure.

A layer between the core of a session and its shell. No command gets around it: reads become reads
of one state, a save takes along what was read, and a read it does not know is refused.

    core ── GetDocuments ──> Isolation ── ReadPinned ──> shell        read set <── what was read
    core ── SaveBatch ────>  Isolation ── Commit ─────>  shell

The first answer pins its state. A node gives a later answer only if it stood at the pin, or else if
the whole read set still stands: then the pin moves up. Else the session is in conflict for good. So
whatever the program holds in its hands is of one state, also before it saves.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from quoth.batches import (
    BatchResult,
    DeleteDocument,
    DeleteValue,
    PatchDocument,
    PutDocument,
    PutValue,
    SaveBatch,
)
from quoth.commands import Command, Reply, TakeHiLoRange, WireRequest, fold, read_reply
from quoth.errors import Definite, FateUnknown, Misuse, SerializationConflict
from quoth.multi_get import MultiGet
from quoth.queries.index_query import RunQuery
from quoth.reads import (
    GetDocuments,
    GetDocumentsStartingWith,
    GetIfChanged,
    GetValues,
    GetValuesStartingWith,
    HeadDocument,
)
from quoth.serialization import METADATA, JsonObject, encode
from quoth.steps import Steps, ask

T = TypeVar("T")
READS_MAX = 10_000  # what a node looks through
RANGES_MAX = 100  # prefixes and collections of them, and as many prefixes of keys
SENT_ALONG_MAX = 64  # reads that a request carries unasked, which saves a second one
QUERY = "Query"
OPEN_ENDING = "|"  # of an id that the server completes


@dataclass(slots=True)
class ReadSet:
    """Everything a session has read, each with the version it had."""

    documents: dict[str, str] = field(default_factory=dict)  # id: change vector, "" for none
    values: dict[str, int] = field(default_factory=dict)  # key: index, 0 for none
    prefixes: dict[str, None] = field(default_factory=dict)
    collections: dict[str, None] = field(default_factory=dict)
    keys: dict[str, tuple[int, int]] = field(
        default_factory=dict
    )  # prefix: count, index of the newest

    def __len__(self) -> int:
        ranges = len(self.prefixes) + len(self.collections) + len(self.keys)
        return len(self.documents) + len(self.values) + ranges

    def add(self, wire: JsonObject) -> None:
        """What a node says it has read."""
        self.documents.update(wire["Documents"])
        self.values.update(wire["Values"])
        self.prefixes.update(dict.fromkeys(wire["Prefixes"]))
        self.collections.update(dict.fromkeys(wire["Collections"]))
        self.keys.update((prefix, (count, newest)) for prefix, count, newest in wire["Keys"])
        if len(self) > READS_MAX:
            raise Misuse(
                f"a serializable session reads {READS_MAX} things at most: do it in parts,"
                " or read by prefix, which counts once"
            )
        if max(len(self.prefixes) + len(self.collections), len(self.keys)) > RANGES_MAX:
            raise Misuse(
                f"a serializable session reads {RANGES_MAX} prefixes and collections at most, and"
                f" {RANGES_MAX} prefixes of keys: do it in parts, or load by ids and keys"
            )

    def to_wire(self) -> JsonObject:
        return {
            "Documents": list(self.documents.items()),
            "Values": list(self.values.items()),
            "Prefixes": list(self.prefixes),
            "Collections": list(self.collections),
            "Keys": [(prefix, *told) for prefix, told in self.keys.items()],
        }

    def wrote(self, batch: SaveBatch, result: BatchResult) -> None:
        """A batch was written: what it wrote is known as it became."""
        # By folded names: they may have been read in another case, or written in two.
        documents: dict[str, tuple[str, str]] = {}
        values: dict[str, tuple[str, int]] = {}
        for command, told in zip(batch.commands, result.results, strict=True):
            match command:
                case PutDocument():
                    documents[fold(told["@id"])] = told["@id"], told["@change-vector"]
                case DeleteDocument(document_id=name):
                    documents[fold(name)] = name, ""
                case PutValue(key=key):
                    values[fold(key)] = key, told["Index"]
                case DeleteValue(key=key):
                    values[fold(key)] = key, 0
        self.documents = {n: v for n, v in self.documents.items() if fold(n) not in documents}
        self.documents.update(documents.values())
        self.values = {n: i for n, i in self.values.items() if fold(n) not in values}
        self.values.update(values.values())
        self.keys = {
            prefix: _counted(prefix, told, batch, result) for prefix, told in self.keys.items()
        }


@dataclass(frozen=True, slots=True)
class PinnedAnswer:
    """What was read, as of `pin`; None if that takes the whole read set to tell."""

    pin: JsonObject
    results: tuple[Any, ...]
    read: JsonObject


@dataclass(frozen=True, slots=True)
class ReadPinned:
    """Reads of one state. `reads` None: the read set is not sent, as it is long."""

    commands: tuple[Command[Any], ...]
    pin: JsonObject | None
    reads: JsonObject | None
    is_read: ClassVar[bool] = True
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        wire: JsonObject = {"Reads": [_to_wire(each) for each in self.commands], "Pin": self.pin}
        if self.reads is not None:
            wire["ReadSet"] = self.reads
        wait_seconds = sum(each.to_request().wait_seconds for each in self.commands)
        path = "/serializable/read"
        return WireRequest("POST", path, body=encode(wire), wait_seconds=wait_seconds)

    def read(self, reply: Reply) -> PinnedAnswer | None:
        found = reply.json()
        if found["IsMoved"]:
            return None
        answers = found["Answers"]
        if len(answers) != len(self.commands):
            raise FateUnknown(f"{len(self.commands)} reads were sent, {len(answers)} answered")
        results = tuple(map(_result, self.commands, answers))
        return PinnedAnswer(found["Pin"], results, found["Read"])


@dataclass(frozen=True, slots=True)
class Committed:
    """A save of a serializable session, and the state that it left."""

    result: BatchResult
    pin: JsonObject


@dataclass(frozen=True, slots=True)
class Commit:
    """Write a batch, if all that was read still stands."""

    batch: SaveBatch
    pin: JsonObject | None
    reads: JsonObject
    is_read: ClassVar[bool] = False
    is_for_database: ClassVar[bool] = True

    def to_request(self) -> WireRequest:
        ordinary = self.batch.to_request()
        body = encode({"Commands": self.batch.to_wire(), "Pin": self.pin, "ReadSet": self.reads})
        path = "/serializable/commit"
        return WireRequest("POST", path, ordinary.query, body, ordinary.wait_seconds)

    def read(self, reply: Reply) -> Committed:
        return Committed(self.batch.read(reply), reply.json()["Pin"])


class Isolation:
    """What one serializable session has read, and what became of that."""

    def __init__(self) -> None:
        self.reads = ReadSet()
        self.has_saved = False  # or may have, since the session began
        self._pin: JsonObject | None = None
        self._conflict: SerializationConflict | None = None
        self._reads_so_far = 0  # answers taken in; tells whether another task has read meanwhile
        self._reading = 0  # how many reads are under way
        self._is_committing = False
        self._is_in_doubt = False  # a save may have been made, and the session does not know it

    def reset(self) -> None:
        """Forget what was read: what comes is another transaction."""
        self.reads, self._pin, self._conflict = ReadSet(), None, None
        self._is_in_doubt = False
        self._reads_so_far += 1

    def check(self) -> None:
        """Raise the conflict that the session has met, or Misuse if a save of it is in doubt."""
        if self._conflict is not None:
            known = self._conflict
            raise SerializationConflict(str(known), known.violations)
        if self._is_in_doubt:
            raise Misuse("the last save of this session may have been made, so what it has read may"
                         " be no more: clear() it, and read what is there")  # fmt: skip

    def carry(self, steps: Steps[T]) -> Steps[T]:
        """The same steps, their commands made serializable."""
        try:
            command = next(steps)
            while True:
                try:
                    result = yield from self._answer(command)
                except BaseException as error:
                    command = steps.throw(error)
                else:
                    command = steps.send(result)
        except StopIteration as done:
            found: T = done.value
            return found

    def _answer(self, command: Command[Any]) -> Steps[Any]:
        if isinstance(command, TakeHiLoRange):
            return (yield from ask(command))  # ids are the store's, and no transaction's
        self.check()
        if self._is_committing:
            raise Misuse("the session is saving just now: wait for it, or open another session")
        ours = self.reads
        try:
            if isinstance(command, SaveBatch):
                return (yield from self._commit(command))
            if isinstance(command, MultiGet):
                found = yield from self._read_alone_from_saves(command.commands)
                return [(each, None) for each in found]
            (result,) = yield from self._read_alone_from_saves((command,))
            return result
        except SerializationConflict as conflict:
            if self.reads is ours:  # else it was cleared meanwhile
                self._conflict = conflict
            raise

    def _read_alone_from_saves(self, commands: tuple[Command[Any], ...]) -> Steps[tuple[Any, ...]]:
        self._reading += 1
        try:
            return (yield from self._read(commands))
        finally:
            self._reading -= 1

    def _read(self, commands: tuple[Command[Any], ...]) -> Steps[tuple[Any, ...]]:
        wires = [_to_wire(each) for each in commands]  # what cannot be read so is told at once
        if len(wires) > 1 and any(each["Type"] == QUERY for each in wires):
            # A query waits for its index, and comes alone.
            found: list[Any] = []
            for each in commands:
                found += yield from self._read((each,))
            return tuple(found)
        sends_all = False
        while True:
            pin, so_far = self._pin, self._reads_so_far
            is_short = len(self.reads) <= SENT_ALONG_MAX
            along = self.reads.to_wire() if pin and (sends_all or is_short) else None
            answer = yield from ask(ReadPinned(commands, pin, along))
            if answer is None:
                assert along is None, "with all that was read a node can tell"
                sends_all = True
            elif answer.pin == self._pin or so_far == self._reads_so_far:
                self._pin = answer.pin
                self._reads_so_far += 1
                self.reads.add(answer.read)
                return answer.results
            # Else another task has read meanwhile, and nobody has compared the two.

    def _commit(self, batch: SaveBatch) -> Steps[BatchResult]:
        if self._reading:
            # What comes during a save was neither checked by it, nor read after it.
            raise Misuse("the session is reading just now: wait for that before it saves")
        self._is_committing = True
        try:
            reads = self._reads_of(batch)
            done = yield from ask(Commit(batch, self._pin, reads))
        except SerializationConflict as conflict:
            raise self._explained(conflict) from conflict
        except (Definite, Misuse):  # Misuse: nothing was sent
            raise
        except BaseException:  # also when nobody waits for it any more
            self._is_in_doubt = self.has_saved = True
            raise
        finally:
            self._is_committing = False
        self.has_saved = True
        self._pin = done.pin
        self._reads_so_far += 1
        self.reads.wrote(batch, done.result)
        return done.result

    def _explained(self, conflict: SerializationConflict) -> SerializationConflict:
        """The same; of what was never read it says that it had to be new."""
        known = {fold(name) for name in self.reads.documents}
        unread = [v.key for v in conflict.violations if v.kind == "Document"]
        unread = [name for name in unread if fold(name) not in known]
        if not unread:
            return conflict
        text = (
            f"{conflict} This session has not loaded {unread[0]!r}, so it had to be new, or as a"
            " query or a prefix had it: to overwrite a document, load it first."
        )
        return SerializationConflict(text, conflict.violations)

    def _reads_of(self, batch: SaveBatch) -> JsonObject:
        """The read set, and what the writes themselves expect."""
        wire = self.reads.to_wire()
        documents, values = wire["Documents"], wire["Values"]
        named = {  # by a number: what is named so is new, and nobody knows yet how
            place.command for each in batch.takings for place in each.places if place.path is None
        }
        known = {fold(name) for name in self.reads.documents}
        for position, command in enumerate(batch.commands):
            match command:
                case PutDocument() if position in named:
                    continue
                case PutDocument() | DeleteDocument():
                    expected = _expected(command)
                    if fold(command.document_id) not in known and expected is not None:
                        documents.append((command.document_id, expected))
                    if command.change_vector is not None:
                        documents.append((command.document_id, command.change_vector))
                case PutValue() | DeleteValue():
                    values.append((command.key, command.index))
                case PatchDocument():
                    raise Misuse("a serializable session has no patches: load, change and save")
        return wire


def _expected(command: PutDocument | DeleteDocument) -> str | None:
    """What a document must be that was not read by its id; None if that does not matter.

    One that came by a prefix or a query is known by its change vector, and one that was never read
    must be new.
    """
    if command.original_change_vector is not None:
        return command.original_change_vector
    if isinstance(command, DeleteDocument) or command.document_id.endswith(OPEN_ENDING):
        return None
    return "" if command.change_vector is None else None


def _counted(
    prefix: str, told: tuple[int, int], batch: SaveBatch, result: BatchResult
) -> tuple[int, int]:
    """Number and newest index of the values of a prefix, after a batch has changed some of them."""
    count, newest = told
    for command, became in zip(batch.commands, result.results, strict=True):
        if isinstance(command, PutValue | DeleteValue) and _begins(command.key, prefix):
            if isinstance(command, PutValue):
                newest = max(newest, became["Index"])
                count += command.index == 0
            else:
                count -= command.index != 0
    return count, newest


def _begins(key: str, prefix: str) -> bool:
    return fold(key).startswith(fold(prefix))


def _to_wire(command: Command[Any]) -> JsonObject:
    """A read as the route of serializable sessions is asked for it."""
    match command:
        case GetDocuments():
            wire = {"Type": "Documents", "Ids": command.ids, "Includes": command.includes}
            return {**wire, "ValueIncludes": command.value_includes}
        case HeadDocument() | GetIfChanged():
            return {"Type": "Documents", "Ids": [command.document_id]}
        case GetDocumentsStartingWith():
            return {
                "Type": "Prefix",
                "StartsWith": command.prefix,
                "Matches": command.matches,
                "Exclude": command.exclude,
                "StartAfter": command.start_after,
                "Start": command.start,
                "PageSize": command.page_size,
            }
        case GetValues():
            return {"Type": "Values", "Keys": command.keys}
        case RunQuery():
            return {"Type": QUERY, "Query": command.query.to_json()}
        case GetValuesStartingWith():
            wire = {"Type": "Keys", "StartsWith": command.prefix}
            return {**wire, "Start": command.start, "PageSize": command.page_size}
    raise Misuse(
        f"a serializable session cannot do this ({type(command).__name__}), for nothing could"
        " check it when it saves: use another session"
    )


def _result(command: Command[Any], answer: JsonObject) -> Any:
    """The result of a read, from the body that its ordinary route would have given."""
    match command:
        case HeadDocument():
            (found,) = answer["Results"]
            return None if found is None else found[METADATA]["@change-vector"]
        case GetIfChanged():
            (found,) = answer["Results"]
            known = command.change_vector
            if found is not None and found[METADATA]["@change-vector"] == known:
                return False, None
            return True, found
    return read_reply(command, Reply(200, parsed=answer))
