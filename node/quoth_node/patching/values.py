"""What is asked of the leader, and what it answers: values, and their bytes between nodes.

Numbers in `CODEC` are for ever, as those of commands are.
"""

from dataclasses import dataclass
from enum import StrEnum

from quoth_cluster.codec import Codec
from quoth_cluster.commands import CheckDocument, DeleteDocument, PutDocument
from quoth_cluster.outcomes import DocumentDeleted, DocumentPut, Refused, Violation
from quoth_cluster.sequence_commands import TakeNumbers
from quoth_cluster.sequence_outcomes import Taken


class PatchStatus(StrEnum):
    """What became of one document; the words of the wire."""

    MISSING = "DocumentDoesNotExist"
    CREATED = "Created"
    PATCHED = "Patched"
    SKIPPED = "Skipped"
    NOT_MODIFIED = "NotModified"


@dataclass(frozen=True, slots=True)
class Script:
    """A script and its arguments."""

    text: str
    arguments: bytes  # JSON object


@dataclass(frozen=True, slots=True)
class PatchDocument:
    """Run a script on one document, or make it where it is missing."""

    document_id: str
    script: Script
    expected_change_vector: str | None = None  # None: no check; '': must be missing
    if_missing: Script | None = None  # run on an empty document instead
    create_if_missing: PutDocument | None = None  # stored instead, before `if_missing`
    skips_on_mismatch: bool = False  # a mismatch is an answer, not an error
    returns_document: bool = False


@dataclass(frozen=True, slots=True)
class PatchTarget:
    """One document of many."""

    document_id: str
    expected_change_vector: str | None = None


@dataclass(frozen=True, slots=True)
class PatchDocuments:
    """Run one script on many documents."""

    targets: tuple[PatchTarget, ...]
    script: Script
    if_missing: Script | None = None


@dataclass(frozen=True, slots=True)
class JsonPatchDocument:
    """Apply RFC 6902 operations to one document."""

    document_id: str
    operations: bytes  # JSON array
    expected_change_vector: str | None = None
    returns_document: bool = False


@dataclass(frozen=True, slots=True)
class TrackDocuments:
    """Refuse the batch unless every one of these is as it was read."""

    checks: tuple[CheckDocument, ...]


@dataclass(frozen=True, slots=True)
class ForceRevision:
    """Answered, and nothing else: there are no revisions."""

    document_id: str


PatchCommand = (
    PutDocument
    | DeleteDocument
    | PatchDocument
    | PatchDocuments
    | JsonPatchDocument
    | TrackDocuments
    | ForceRevision
)


@dataclass(frozen=True, slots=True)
class PatchBatch:
    """The question: a batch of which something must be computed first."""

    database: str
    commands: tuple[PatchCommand, ...]
    patience_ms: int
    request_id: str | None = None
    is_test: bool = False  # evaluate, and write nothing
    returns_debug: bool = False
    is_alone: bool = False  # one patch by itself, not a batch: errors name no position
    takings: tuple[TakeNumbers, ...] = ()  # their places name one of `commands`


@dataclass(frozen=True, slots=True)
class Patched:
    """What became of one document."""

    kind: str  # the type of its command: 'PATCH' or 'JsonPatch'
    document_id: str
    status: str  # a PatchStatus
    change_vector: str | None = None
    at_micros: int | None = None
    collection: str | None = None
    document: bytes | None = None  # JSON, if it was asked for
    original: bytes | None = None
    debug: bytes | None = None


@dataclass(frozen=True, slots=True)
class PatchedMany:
    """What became of many documents."""

    results: tuple[Patched, ...]


@dataclass(frozen=True, slots=True)
class Tracked:
    """Everything tracked was as it had been read."""


@dataclass(frozen=True, slots=True)
class RevisionNotForced:
    """There is no revision of this document."""

    document_id: str


PatchResult = DocumentPut | DocumentDeleted | Patched | PatchedMany | Tracked | RevisionNotForced


@dataclass(frozen=True, slots=True)
class PatchesSaved:
    """The answer: result i answers command i. Without an index nothing had to be written."""

    results: tuple[PatchResult, ...]
    log_index: int | None = None
    command_index: int | None = None
    last_etag: int = 0
    collections: tuple[str, ...] = ()
    taken: tuple[Taken, ...] = ()  # one for each taking


@dataclass(frozen=True, slots=True)
class PatchesFailed:
    """The answer: which error it was, by the name of its class, and in which words."""

    kind: str
    message: str


PatchAnswer = PatchesSaved | PatchesFailed | Refused

CODEC = Codec(
    {
        1: PutDocument,
        2: DeleteDocument,
        3: CheckDocument,
        4: Script,
        5: PatchDocument,
        6: PatchTarget,
        7: PatchDocuments,
        8: JsonPatchDocument,
        9: TrackDocuments,
        10: ForceRevision,
        11: PatchBatch,
        12: DocumentPut,
        13: DocumentDeleted,
        14: Patched,
        15: PatchedMany,
        16: Tracked,
        17: RevisionNotForced,
        18: PatchesSaved,
        19: PatchesFailed,
        20: Refused,
        21: Violation,
        22: TakeNumbers,
        23: Taken,
    }
)


def decode_answer(data: bytes) -> PatchAnswer:
    """The answer in `data`. Raises MalformedValue or NewerFormat."""
    answer: PatchAnswer = CODEC.decode(data, PatchAnswer.__args__)
    return answer
