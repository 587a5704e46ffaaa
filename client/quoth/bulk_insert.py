"""Many documents at once, in chunks of about 1 MB, each sent as a whole. It waits for nothing.

    entity -> its id -> bytes -> chunk -> (full: waiting to be sent) -> what became of it

A chunk is an operation of its own. A node stores one of this size all at once or not at all, and
can be asked afterwards how the operation ended, so that the fate of nearly every document is known
even when a connection breaks. There are never more than a few chunks in memory.
"""

import gzip
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from quoth.commands import Reply, TakeHiLoRange, WireRequest, fold
from quoth.conventions import Conventions
from quoth.errors import BulkInsertAborted, FateUnknown, Misuse, QuothError
from quoth.hilo import HiLo
from quoth.loading import check_id
from quoth.operations.checks import flag
from quoth.operations.kinds import DatabaseWrite
from quoth.operations.running import OperationState, OperationStatus
from quoth.serialization import METADATA, encode, get_identity, set_identity, to_document
from quoth.tracking import SERVER_KEYS

CHUNK_BYTES_MAX = 1_000_000
CHUNK_DOCUMENTS_MAX = 1_000
COMPRESSION_LEVEL = 1  # the wire is fast; more costs more than it saves


@dataclass(frozen=True, slots=True)
class BulkInsertOptions:
    """How documents are stored.

    use_compression: send them compressed, which a slow network is glad of.
    skip_overwrite_if_unchanged: leave a document alone that is stored just so already.
    """

    use_compression: bool = False
    skip_overwrite_if_unchanged: bool = False


@dataclass(frozen=True, slots=True)
class BulkInsertProgress:
    """What is stored so far. `last_processed_id` is one of the documents stored last."""

    documents_processed: int
    batch_count: int
    last_processed_id: str | None


OnProgress = Callable[[BulkInsertProgress], object]


@dataclass(slots=True)
class Chunk:
    """Documents that are sent together: their ids, and their commands as JSON."""

    ids: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)  # folded ids
    commands: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, document_id: str, command: bytes) -> None:
        self.ids.append(document_id)
        self.names.add(fold(document_id))
        self.commands.append(command)
        self.size += len(command) + 1

    def has_room(self, command: bytes) -> bool:
        """Whether one more may come; a document that is too large by itself comes alone."""
        if not self.ids:
            return True
        fits = self.size + len(command) <= CHUNK_BYTES_MAX
        return fits and len(self.ids) < CHUNK_DOCUMENTS_MAX


@dataclass(frozen=True, slots=True)
class InsertDocuments(DatabaseWrite):
    """Store the documents of a chunk as one operation."""

    operation_id: int
    commands: tuple[bytes, ...]
    options: BulkInsertOptions

    def to_request(self) -> WireRequest:
        query = (
            ("id", str(self.operation_id)),
            ("skipOverwriteIfUnchanged", flag(self.options.skip_overwrite_if_unchanged)),
        )
        body = b"[" + b",".join(self.commands) + b"]"
        headers: dict[str, str] = {}
        if self.options.use_compression:
            body = gzip.compress(body, COMPRESSION_LEVEL, mtime=0)
            headers["Content-Encoding"] = "gzip"
        return WireRequest("POST", "/bulk_insert", query, body, headers=headers)

    def read(self, reply: Reply) -> None:
        return None


class BulkInsertCore:
    """The state and the decisions of one bulk insert.

    Invariant: every document taken in is in the chunk being filled, in one that waits, in one on
    its way, or counted: stored, of unknown fate, or not stored.
    """

    def __init__(
        self, options: BulkInsertOptions, conventions: Conventions, hilo: HiLo, database: str
    ) -> None:
        self.options = options
        self._database = database
        self.is_open = False
        self._conventions = conventions
        self._hilo = hilo
        self._filling = Chunk()
        self._waiting: deque[Chunk] = deque()
        self._under_way: list[Chunk] = []
        self._watchers: list[OnProgress] = []
        self._news: list[BulkInsertProgress] = []
        self._stored = self._batches = 0
        self._unknown: list[str] = []
        self._not_stored: list[str] = []
        self._why: QuothError | None = None

    @property
    def has_failed(self) -> bool:
        """Whether a chunk could not be stored, so that no other is sent."""
        return self._why is not None

    def watch(self, on_progress: OnProgress) -> None:
        self._watchers.append(on_progress)

    def check_open(self) -> None:
        if not self.is_open:
            raise Misuse("a bulk insert is used within its block: with store.bulk_insert() as ...")

    # Ids.

    def id_of(self, entity: object) -> str | None:
        """The id an entity carries, or the next one of its kind; None: a range must be borrowed."""
        found = get_identity(entity, identity_property=self._identity_of(entity))
        found = found or self._conventions.generate_document_id(self._database, entity)
        return found or self._hilo.take(self._tag_of(entity))

    def borrowing(self, entity: object) -> TakeHiLoRange:
        """What is to be asked when `id_of` has none."""
        tag = self._tag_of(entity)
        return TakeHiLoRange(tag, self._hilo.last_range(tag))

    def lend(self, entity: object, lent: Any) -> None:
        self._hilo.lend(self._tag_of(entity), lent)

    def _identity_of(self, entity: object) -> str | None:
        return self._conventions.get_identity_property_name(type(entity))

    def _tag_of(self, entity: object) -> str:
        if entity is None or isinstance(entity, str | int | float | list | tuple | type):
            raise Misuse(f"an entity is an object with fields or a dictionary, not {entity!r:.80}")
        if isinstance(entity, dict):
            raise Misuse("a dictionary has no class to make an id from: give one,"
                         " as in store_as(entity, 'companies/1')")  # fmt: skip
        return self._conventions.id_prefix_of(type(entity))

    # Documents.

    def add(self, entity: object, key: str, metadata: Mapping[str, Any] | None) -> None:
        """Take a document in."""
        check_id(key)
        if key.endswith("|"):
            raise Misuse(f"a bulk insert cannot take numbers of identities: {key!r}")
        if "\0" in key:  # its node would refuse the whole chunk
            raise Misuse(f"a document id cannot hold a NUL character: {key!r:.80}")
        identity_property = self._identity_of(entity)
        document = to_document(entity, identity_property=identity_property)
        told = self._conventions.new_metadata(entity, key) | dict(metadata or {})
        document[METADATA] = {name: each for name, each in told.items() if name not in SERVER_KEYS}
        command = encode({"Id": key, "Type": "PUT", "Document": document})
        if not key.endswith("/"):
            set_identity(entity, key, identity_property=identity_property)
        if not self._filling.has_room(command):
            self.end_chunk()
        self._filling.add(key, command)

    def end_chunk(self) -> None:
        """What was being filled waits to be sent, if there is anything in it."""
        if self._filling.ids:
            self._waiting.append(self._filling)
            self._filling = Chunk()

    @property
    def has_waiting(self) -> bool:
        """Whether a chunk is to be sent."""
        return bool(self._waiting)

    @property
    def must_wait(self) -> bool:
        """Whether the next chunk changes a document of one on its way: the last given must win."""
        names = self._waiting[0].names
        return any(not names.isdisjoint(other.names) for other in self._under_way)

    def send_next(self) -> Chunk:
        """The chunk that has waited longest; it is on its way from now on."""
        chunk = self._waiting.popleft()
        self._under_way.append(chunk)
        return chunk

    def inserting(self, chunk: Chunk, operation_id: int) -> InsertDocuments:
        return InsertDocuments(operation_id, tuple(chunk.commands), self.options)

    # What became of them.

    def stored(self, chunk: Chunk) -> None:
        """A chunk is stored."""
        self._landed(chunk)
        self._stored += len(chunk.ids)
        self._batches += 1
        self._news.append(BulkInsertProgress(self._stored, self._batches, chunk.ids[-1]))

    def not_stored(self, chunk: Chunk, why: QuothError | None = None) -> None:
        """A chunk is certainly not stored; None: it was not even sent."""
        self._landed(chunk)
        self._not_stored.extend(chunk.ids)
        self._why = self._why or why

    def unknown(self, chunk: Chunk, why: QuothError) -> None:
        """Nobody knows whether a chunk is stored."""
        self._landed(chunk)
        self._unknown.extend(chunk.ids)
        self._why = self._why or why

    def left(self, chunk: Chunk) -> None:
        """Nobody waits for the answer any more; it may have come."""
        if any(each is chunk for each in self._under_way):
            self.unknown(chunk, FateUnknown("the bulk insert was interrupted"))

    def _landed(self, chunk: Chunk) -> None:
        self._under_way = [each for each in self._under_way if each is not chunk]

    def tell_progress(self) -> None:
        """Tell those who watch, within a call of theirs: what they raise is raised there."""
        news, self._news = self._news, []
        for progress in news:
            for each in self._watchers:
                each(progress)

    def drop_rest(self) -> None:
        """What is not on its way is not sent any more."""
        self.end_chunk()
        while self._waiting:
            self.not_stored(self._waiting.popleft())

    def answer_lost(self, chunk: Chunk, state: OperationState | None, lost: FateUnknown) -> None:
        """What the state of its operation tells of a chunk whose answer was lost.

        `state` None: no node knows of the operation, or none could be asked.
        """
        if state is None or state.status is OperationStatus.IN_PROGRESS:
            self.unknown(chunk, lost)
        elif state.status is OperationStatus.COMPLETED:
            self.stored(chunk)
        elif state.is_refused:
            self.not_stored(chunk, lost)
        else:
            self.unknown(chunk, lost)

    def aborted(self) -> BulkInsertAborted:
        """What to tell when not all could be stored."""
        assert self._why is not None, "asked only after a failure"
        unknown = f", the fate of {len(self._unknown)} is unknown" if self._unknown else ""
        error = BulkInsertAborted(
            f"{self._why}. {self._stored} documents are stored{unknown},"
            f" {len(self._not_stored)} are not",
            stored=self._stored,
            unknown_ids=self._unknown,
            not_stored_ids=self._not_stored,
        )
        error.__cause__ = self._why
        return error
