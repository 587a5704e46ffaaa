"""The closed set of replicated commands, and their bytes.

A command carries all that a step needs and may not look up: the time, the proposer's tag, random
ids. Two nodes that apply it to equal states reach equal states. Numbers in `CODEC` are for ever.
"""

from dataclasses import dataclass

from quoth_cluster.codec import Codec
from quoth_cluster.sequence_commands import CLASSES as SEQUENCE_CLASSES
from quoth_cluster.sequence_commands import SequenceCommand, TakeNumbers

DOCUMENT_ID_BYTES_MAX = 512
COMPARE_EXCHANGE_KEY_BYTES_MAX = 512
ATOMIC_GUARD_PREFIX = "rvn-atomic/"


@dataclass(frozen=True, slots=True)
class PutDocument:
    """Store a document. In a batch, `users|` takes the next identity, `users/` the next etag."""

    document_id: str
    body: bytes  # JSON object without @metadata
    metadata: bytes  # JSON object: what is kept of @metadata, @collection included if given
    collection: str  # '@empty' if the document names none
    expected_change_vector: str | None = None  # None: no check; '': must be new
    original_change_vector: str | None = None  # what the client loaded; proves an atomic guard


@dataclass(frozen=True, slots=True)
class DeleteDocument:
    """Delete a document, or with `prefixed` every document whose id starts with `document_id`."""

    document_id: str
    expected_change_vector: str | None = None
    original_change_vector: str | None = None
    prefixed: bool = False


@dataclass(frozen=True, slots=True)
class PutCompareExchange:
    """Set a compare-exchange value iff its index is the expected one; 0: it must not exist."""

    key: str
    expected_index: int
    value: bytes  # JSON object: {"Object": ...} and perhaps "@metadata"


@dataclass(frozen=True, slots=True)
class DeleteCompareExchange:
    """Delete a compare-exchange value iff its index is the expected one."""

    key: str
    expected_index: int


@dataclass(frozen=True, slots=True)
class SaveBatch:
    """A single-node transaction: all of `commands` or none."""

    database: str
    at_micros: int
    node_tag: str
    commands: tuple[PutDocument | DeleteDocument, ...]
    request_id: str | None = None
    keep_equal: bool = False  # a document that is stored just so already is not written again


@dataclass(frozen=True, slots=True)
class CheckDocument:
    """Go on only while a document is the one that was read; '': while there is none."""

    document_id: str
    expected_change_vector: str


@dataclass(frozen=True, slots=True)
class CheckCompareExchange:
    """Go on only while a compare-exchange value is the one that was read; 0: there is none."""

    key: str
    expected_index: int


@dataclass(frozen=True, slots=True)
class CheckSeparator:
    """Go on only while this separates the parts of ids: it says which ids are made."""

    separator: str


@dataclass(frozen=True, slots=True)
class SaveCheckedBatch:
    """A single-node transaction that rests on what was read: all of `commands`, or none.

    The checks look at the state before the commands.
    """

    database: str
    at_micros: int
    node_tag: str
    checks: tuple[CheckDocument | CheckCompareExchange | CheckSeparator, ...]
    commands: tuple[PutDocument | DeleteDocument, ...]
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class ClusterTransaction:
    """A cluster transaction: compare-exchange values, documents and their guards, or nothing."""

    database: str
    at_micros: int
    node_tag: str
    documents: tuple[PutDocument | DeleteDocument, ...]
    compare_exchange: tuple[PutCompareExchange | DeleteCompareExchange, ...]
    atomic_guards: bool = True
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class CheckPrefix:
    """Go on only while no document whose id begins so has come, changed or gone."""

    prefix: str


@dataclass(frozen=True, slots=True)
class CheckCollection:
    """Go on only while no document of a collection has come, changed or gone; '': of any."""

    collection: str


@dataclass(frozen=True, slots=True)
class CheckKeys:
    """Go on only while the compare-exchange values whose keys begin so are those that were read.

    They were so many, and none had an index above this one.
    """

    prefix: str
    count: int
    newest_index: int


ReadCheck = CheckDocument | CheckCompareExchange | CheckPrefix | CheckCollection | CheckKeys


@dataclass(frozen=True, slots=True)
class SerializableTransaction:
    """A cluster transaction that rests on all that its session has read, or nothing.

    The checks look at the state before it. Prefixes and collections may not have changed since the
    etag `since_etag`. Nodes of before it do not know this command, and stop at it.
    """

    database: str
    at_micros: int
    node_tag: str
    database_id: str  # of the database that was read; '': nothing was
    since_etag: int
    checks: tuple[ReadCheck, ...]
    documents: tuple[PutDocument | DeleteDocument, ...]
    compare_exchange: tuple[PutCompareExchange | DeleteCompareExchange, ...]
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class SaveNumbered:
    """A transaction whose documents get numbers of sequences: all of it, or no number is taken."""

    # Without a request id of its own.
    batch: SaveBatch | SaveCheckedBatch | ClusterTransaction | SerializableTransaction
    takings: tuple[TakeNumbers, ...]
    request_id: str | None = None

    @property
    def database(self) -> str:
        """The database it goes to."""
        return self.batch.database


@dataclass(frozen=True, slots=True)
class ChangeCompareExchange:
    """One compare-exchange change by itself; a mismatch is an answer, not an error."""

    database: str
    command: PutCompareExchange | DeleteCompareExchange
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class NextIdentity:
    """Take the next number after `name`, as in 'orders|' -> 17."""

    database: str
    name: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class SeedIdentity:
    """Set the latest number of `name`; lower than the current one only with `force`."""

    database: str
    name: str
    value: int
    force: bool = False
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class NextHiLo:
    """Lend a range of ids to one client."""

    database: str
    tag: str
    last_batch_size: int
    last_range_at_micros: int | None
    last_max: int
    at_micros: int
    node_tag: str
    separator: str = "/"
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class ReturnHiLo:
    """Give back the unused rest of a range, if it was the last one lent."""

    database: str
    tag: str
    last: int
    end: int
    at_micros: int
    node_tag: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class CreateDatabase:
    """Create a database on every node. The ids are random and made by the proposer."""

    name: str
    at_micros: int
    database_id: str  # 22 characters of base64, as change vectors carry it
    topology_id: str
    cluster_transaction_id: str
    settings: bytes  # JSON object
    request_id: str | None = None
    disabled: bool = False
    lock_mode: str = "Unlock"  # a LockMode
    client: bytes = b""  # client configuration, a JSON object; empty: none


@dataclass(frozen=True, slots=True)
class ChangeDatabase:
    """Change what stands in the record of one database; None leaves a thing as it is."""

    name: str
    expected_etag: int | None = None  # None: whatever it is
    settings: bytes | None = None  # JSON object
    disabled: bool | None = None
    lock_mode: str | None = None
    client: bytes | None = None  # client configuration, a JSON object
    members_order: tuple[str, ...] | None = None  # the tags of all members
    order_fixed: bool | None = None
    dynamic_distribution: bool | None = None
    unused_ids: tuple[str, ...] | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class ToggleDatabases:
    """Disable or enable databases by name. Unknown names are told, and are no error."""

    names: tuple[str, ...]
    disabled: bool
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class LockDatabases:
    """Say of databases whether they may be deleted: of all that are named, or of none."""

    names: tuple[str, ...]
    mode: str  # a LockMode
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class PutClientConfiguration:
    """Set the configuration that clients of every database take, but where it has its own."""

    configuration: bytes  # JSON object
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class ExpireCompareExchange:
    """Delete the compare-exchange values whose time had come at `at_micros`, the earliest first."""

    database: str
    at_micros: int
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteDatabases:
    """Delete databases by name; with `hard` their files too. Unknown names are no error."""

    names: tuple[str, ...]
    hard: bool
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class PutIndex:
    """Define an index, or change its definition."""

    database: str
    name: str
    kind: str  # 'static' or 'automatic'
    definition: bytes  # JSON object
    at_micros: int
    supersedes: tuple[str, ...] = ()  # automatic indexes that this one does all of
    lock_mode: str | None = None  # None: as it is
    priority: str | None = None
    state: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteIndex:
    """Delete an index. An unknown name is told, and is no error."""

    database: str
    name: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class ChangeIndexes:
    """Change lock mode, priority or state of indexes; None leaves a thing as it is."""

    database: str
    names: tuple[str, ...]
    lock_mode: str | None = None
    priority: str | None = None
    state: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class TakeIndex:
    """Change nothing: its command index is a number that nobody else in the cluster ever gets."""


Command = (
    SaveBatch
    | ClusterTransaction
    | ChangeCompareExchange
    | NextIdentity
    | SeedIdentity
    | NextHiLo
    | ReturnHiLo
    | CreateDatabase
    | DeleteDatabases
    | SaveCheckedBatch
    | TakeIndex
    | ChangeDatabase
    | ToggleDatabases
    | LockDatabases
    | PutClientConfiguration
    | ExpireCompareExchange
    | PutIndex
    | DeleteIndex
    | ChangeIndexes
    | SerializableTransaction
    | SaveNumbered
    | SequenceCommand
)

CODEC = Codec(
    {
        1: PutDocument,
        2: DeleteDocument,
        3: PutCompareExchange,
        4: DeleteCompareExchange,
        5: SaveBatch,
        6: ClusterTransaction,
        7: ChangeCompareExchange,
        8: NextIdentity,
        9: SeedIdentity,
        10: NextHiLo,
        11: ReturnHiLo,
        12: CreateDatabase,
        13: DeleteDatabases,
        14: CheckDocument,
        15: CheckCompareExchange,
        16: SaveCheckedBatch,
        17: TakeIndex,
        20: ChangeDatabase,
        21: ToggleDatabases,
        22: LockDatabases,
        23: PutClientConfiguration,
        24: ExpireCompareExchange,
        25: CheckSeparator,
        26: PutIndex,
        27: DeleteIndex,
        28: ChangeIndexes,
        29: CheckPrefix,
        30: CheckCollection,
        31: SerializableTransaction,
        32: CheckKeys,
        43: SaveNumbered,
        **SEQUENCE_CLASSES,
    }
)


def encode(command: Command) -> bytes:
    """The bytes of a command, as the log carries them."""
    return CODEC.encode(command)


def decode(data: bytes) -> Command:
    """The command in `data`.

    Raises MalformedValue or NewerFormat.
    """
    command: Command = CODEC.decode(data, Command.__args__)
    return command
