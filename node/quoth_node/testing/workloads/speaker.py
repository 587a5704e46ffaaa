"""One face for every client of a workload, so that each workload is written once.

What a client was told is one of four: an answer, NotDone (surely without effect), its kind Refused
(somebody else was first), or Open (nobody told; it may have taken effect, or may yet). Anything
else is Strange: an answer that no client should get.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

Json = dict[str, Any]


class NotDone(Exception):
    """Surely not carried out, now or later."""


class Refused(NotDone):
    """Surely not carried out, because what was expected is no more."""


class Open(Exception):
    """Nobody told whether it was carried out."""


class Strange(Exception):
    """An answer that no client should get."""


class DatabaseMissing(Strange):
    """The node knows no such database."""


class Mode(Enum):
    """How a transaction is made.

    SINGLE: a batch under the change vectors that were read. CLUSTER: a cluster transaction with
    atomic guards. SERIALIZABLE: a serializable session of `quoth`; others have none.
    """

    SINGLE = "single"
    CLUSTER = "cluster"
    SERIALIZABLE = "serializable"


@dataclass(frozen=True, slots=True)
class Held:
    """A compare-exchange value, and the index of the command that set it."""

    value: Any
    index: int


@dataclass(frozen=True, slots=True)
class Changed:
    """Whether a compare-exchange value was changed; if not, `held` is what stands."""

    is_done: bool
    held: Held | None
    index: int | None = None  # of the command that changed it


@dataclass(frozen=True, slots=True)
class Document:
    """A document without its metadata, and its change vector."""

    body: Json
    vector: str
    metadata: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """What a transaction has read; None where there is nothing."""

    documents: Mapping[str, Json | None]
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Writes:
    """What a transaction writes: bodies of documents, compare-exchange values. All or nothing."""

    documents: Mapping[str, Json] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


Decide = Callable[[Found], Writes | None]


class Speaker(Protocol):
    """A client of one database.

    Every method raises NotDone, Open or Strange. Bodies of documents may not be changed by callers.
    """

    modes: tuple[Mode, ...]
    node: str  # tag of the node that was asked last; empty where the client chooses and keeps quiet

    async def get_value(self, key: str) -> Held | None:
        """A compare-exchange value."""

    async def get_values(self, keys: Sequence[str]) -> dict[str, Held | None]:
        """Several, of one snapshot."""

    async def put_value(self, key: str, value: Any, index: int) -> Changed:
        """Set a value that has this index; 0: that is not there."""

    async def delete_value(self, key: str, index: int) -> Changed:
        """Delete a value that has this index."""

    async def load(self, ids: Sequence[str]) -> dict[str, Document | None]:
        """Documents, of one snapshot."""

    async def load_prefix(self, prefix: str) -> dict[str, Json]:
        """All documents whose ids begin so, by their ids, of one snapshot."""

    async def put_document(
        self, document_id: str, body: Json, vector: str | None = None, *, replicas: int = 0
    ) -> str:
        """Store a document; its id. `vector` None: whatever is there; "": it must be new.

        The answer waits for so many other nodes that have applied it, a majority if below 0.
        """

    async def delete_document(self, document_id: str) -> None:
        """Delete a document, if there is one."""

    async def transact(
        self, ids: Sequence[str], keys: Sequence[str], decide: Decide, *, mode: Mode
    ) -> int | None:
        """Read, decide, write what was decided. The log index where it is told.

        Documents are read from one snapshot, and values from one; both from the same if the mode is
        SERIALIZABLE. A read that fails is NotDone. `decide` may return None: nothing is written.
        """

    async def next_identity(self, name: str) -> int:
        """Take the next number of an identity."""

    async def seed_identity(self, name: str, value: int) -> int:
        """Let an identity go on from this number, if that is higher; its latest afterwards."""

    async def close(self) -> None:
        """Let go of connections."""
