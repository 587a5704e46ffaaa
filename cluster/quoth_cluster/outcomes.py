"""What a step answers: accepted or refused, as values. The answers memory keeps their bytes."""

from dataclasses import dataclass
from enum import StrEnum

from quoth_cluster.codec import Codec
from quoth_cluster.sequence_outcomes import CLASSES as SEQUENCE_CLASSES
from quoth_cluster.sequence_outcomes import SequenceOutcome, Taken


class Refusal(StrEnum):
    """Why a step changed nothing; all are definite."""

    NO_DATABASE = "no-database"
    DATABASE_EXISTS = "database-exists"
    DATABASE_DISABLED = "database-disabled"
    DATABASE_LOCKED = "database-locked"  # its lock mode forbids to delete it
    DATABASE_ETAG = "database-etag"  # its record is not the one that was read
    EXPIRY = "expiry"  # the @expires of a compare-exchange value is no time
    CHANGE_VECTOR = "change-vector"  # optimistic concurrency; expected and actual are given
    ATOMIC_GUARD = "atomic-guard"  # a single-node write over a guard it does not know
    CLUSTER_TRANSACTION = "cluster-transaction"  # violations are listed
    SERIALIZATION = "serialization"  # what was read has changed; violations are listed
    GUARD_KEY = "guard-key"  # atomic guards are not for users to change
    COLLECTION = "collection"  # a document cannot change its collection
    NO_INDEX = "no-index"
    INDEX_LOCKED = "index-locked"  # its lock mode forbids to change it
    INDEX_KEPT = "index-kept"  # its lock mode forbids to delete it
    NO_SEQUENCE = "no-sequence"
    SEQUENCE_PARAMETERS = "sequence-parameters"  # they are not those of the sequence
    SEQUENCE_ENDED = "sequence-ended"  # it has no such number any more
    NUMBER_PLACE = "number-place"  # a number cannot be written where it should be
    NO_RESERVATION = "no-reservation"  # confirmed or released before, or never made
    INVALID = "invalid"  # the command makes no sense as it stands


@dataclass(frozen=True, slots=True)
class Violation:
    """One failed check of a cluster transaction.

    Of a serializable one, a document, a prefix or a collection has for its expected index the etag
    since which it was not to change, and for its actual one the etag of the change.
    """

    kind: str  # 'CompareExchange', 'Document'; if serializable also 'Prefix', 'Collection'
    key: str
    expected_index: int
    actual_index: int  # -1 if missing


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was changed, and why, in the official words."""

    refusal: str  # a Refusal
    message: str
    document_id: str | None = None
    expected_change_vector: str | None = None
    actual_change_vector: str | None = None
    violations: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True)
class DocumentPut:
    """One document stored."""

    document_id: str
    collection: str
    change_vector: str
    at_micros: int


@dataclass(frozen=True, slots=True)
class DocumentDeleted:
    """One DELETE carried out; `deleted` is False if there was nothing."""

    document_id: str
    deleted: bool
    change_vector: str | None  # of the tombstone, in a cluster transaction
    at_micros: int


@dataclass(frozen=True, slots=True)
class BatchSaved:
    """A batch saved: result i answers command i."""

    results: tuple[DocumentPut | DocumentDeleted, ...]
    last_etag: int
    collections: tuple[str, ...] = ()  # those it touched


@dataclass(frozen=True, slots=True)
class CompareExchangeChanged:
    """One compare-exchange value changed within a cluster transaction."""

    key: str
    deleted: bool


@dataclass(frozen=True, slots=True)
class TransactionSaved:
    """A cluster transaction saved. Its index is the command's index."""

    documents: tuple[DocumentPut | DocumentDeleted, ...]
    compare_exchange: tuple[CompareExchangeChanged, ...]
    last_etag: int
    command_index: int
    collections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NumberedSaved:
    """A transaction saved, with the numbers that its documents got: one `Taken` per taking."""

    saved: BatchSaved | TransactionSaved
    taken: tuple[Taken, ...]


@dataclass(frozen=True, slots=True)
class CompareExchangeAnswer:
    """The answer to a single compare-exchange change: the value after it, and its index."""

    successful: bool
    index: int
    value: bytes | None


@dataclass(frozen=True, slots=True)
class IdentityValue:
    """The number taken, or the latest after seeding."""

    value: int


@dataclass(frozen=True, slots=True)
class HiLoRange:
    """Ids `low` to `high` are lent to one client."""

    prefix: str
    low: int
    high: int
    size: int
    node_tag: str
    at_micros: int


@dataclass(frozen=True, slots=True)
class HiLoReturned:
    """The rest was taken back, or was not the last range."""


@dataclass(frozen=True, slots=True)
class DatabaseCreated:
    """A database exists from this command on."""

    name: str
    command_index: int


@dataclass(frozen=True, slots=True)
class DatabasesDeleted:
    """The names that existed and are gone."""

    names: tuple[str, ...]
    command_index: int


@dataclass(frozen=True, slots=True)
class IndexTaken:
    """Nothing changed; the number is the command's index."""


@dataclass(frozen=True, slots=True)
class DatabaseChanged:
    """The record of a database holds the change from this command on."""

    name: str
    command_index: int


@dataclass(frozen=True, slots=True)
class Toggled:
    """What became of one database that was to be disabled or enabled."""

    name: str
    found: bool
    changed: bool  # False: it was so already


@dataclass(frozen=True, slots=True)
class DatabasesToggled:
    """The databases that were named, in that order."""

    databases: tuple[Toggled, ...]
    command_index: int


@dataclass(frozen=True, slots=True)
class DatabasesLocked:
    """All databases that were named have the lock mode."""

    command_index: int


@dataclass(frozen=True, slots=True)
class ClientConfigurationPut:
    """The server's configuration for clients stands."""

    command_index: int


@dataclass(frozen=True, slots=True)
class CompareExchangeExpired:
    """So many values are gone; `more` of them are due."""

    deleted: int
    more: bool


@dataclass(frozen=True, slots=True)
class IndexPut:
    """An index stands as it was defined at `command_index`."""

    name: str
    command_index: int
    changed: bool  # by this command


@dataclass(frozen=True, slots=True)
class IndexDeleted:
    """An index is gone; but if its lock mode passes deletions over, it stays."""

    name: str
    found: bool


@dataclass(frozen=True, slots=True)
class IndexesChanged:
    """All indexes that were named are as was said."""

    command_index: int


Outcome = (
    Refused
    | BatchSaved
    | TransactionSaved
    | CompareExchangeAnswer
    | IdentityValue
    | HiLoRange
    | HiLoReturned
    | DatabaseCreated
    | DatabasesDeleted
    | IndexTaken
    | DatabaseChanged
    | DatabasesToggled
    | DatabasesLocked
    | ClientConfigurationPut
    | CompareExchangeExpired
    | IndexPut
    | IndexDeleted
    | IndexesChanged
    | NumberedSaved
    | SequenceOutcome
)

CODEC = Codec(
    {
        1: Violation,
        2: Refused,
        3: DocumentPut,
        4: DocumentDeleted,
        5: BatchSaved,
        6: CompareExchangeChanged,
        7: TransactionSaved,
        8: CompareExchangeAnswer,
        9: IdentityValue,
        10: HiLoRange,
        11: HiLoReturned,
        12: DatabaseCreated,
        13: DatabasesDeleted,
        17: IndexTaken,
        20: DatabaseChanged,
        21: Toggled,
        22: DatabasesToggled,
        23: DatabasesLocked,
        24: ClientConfigurationPut,
        25: CompareExchangeExpired,
        26: IndexPut,
        27: IndexDeleted,
        28: IndexesChanged,
        41: NumberedSaved,
        **SEQUENCE_CLASSES,
    }
)


def encode(outcome: Outcome) -> bytes:
    """The bytes of an outcome, as the answers memory keeps them."""
    return CODEC.encode(outcome)


def decode(data: bytes) -> Outcome:
    """The outcome in `data`. Raises MalformedValue or NewerFormat."""
    outcome: Outcome = CODEC.decode(data, Outcome.__args__)
    return outcome
