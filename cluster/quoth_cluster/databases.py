"""The databases of the group: their records, and the folders their files lie in."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from quoth_cluster.commands import CreateDatabase
from quoth_cluster.outcomes import Refusal, Refused
from quoth_cluster.store import keys
from quoth_cluster.store.environment import ReadTxn, WriteTxn
from quoth_cluster.store.schema import DATABASE, LEFT_FOLDER

NAME_BYTES_MAX = 512
SETTINGS_BYTES_MAX = 64 * 1024
# Each takes 64 GiB of address space and two file descriptors on every node, whether used or not.
DATABASES_MAX = 256
_ID = re.compile(r"[A-Za-z0-9+/_=-]{1,64}")  # nothing that separates parts of a change vector
MAIN_GROUP = "main"
# What may change of a record, in the order of its layout.
CHANGEABLE = (
    "changed_index",
    "disabled",
    "lock_mode",
    "client",
    "client_index",
    "members_order",
    "order_fixed",
    "order_index",
    "dynamic_distribution",
    "unused_ids",
)


@dataclass(frozen=True, slots=True)
class DatabaseRecord:
    """A database, as the cluster agreed on it."""

    name: str
    database_id: str
    topology_id: str
    cluster_transaction_id: str
    settings: bytes  # JSON object
    at_micros: int
    command_index: int  # of the command that created it; never used twice
    group: str = MAIN_GROUP
    changed_index: int = 0  # of the last command that changed it; 0: none has
    disabled: bool = False
    lock_mode: str = "Unlock"  # a LockMode
    client: bytes = b""  # client configuration, a JSON object; empty: it has none of its own
    client_index: int = 0  # of the command that set it
    members_order: tuple[str, ...] = ()  # tags of nodes as clients are to prefer them
    order_fixed: bool = False
    order_index: int = 0  # of the command that set it
    dynamic_distribution: bool = False
    unused_ids: tuple[str, ...] = ()

    @property
    def etag(self) -> int:
        """The index of the command that made the record what it is."""
        return max(self.command_index, self.changed_index)

    @property
    def folder(self) -> str:
        """The name of its folder: no part of it is chosen by a user."""
        urlsafe = self.database_id.replace("+", "-").replace("/", "_").rstrip("=")
        return f"{self.command_index}-{urlsafe}"


def fold_name(name: str) -> str:
    """How names are compared."""
    return keys.fold_text(name)


def missing(name: str) -> Refused:
    """There is no such database."""
    return Refused(Refusal.NO_DATABASE, f"Database '{name}' does not exist.")


def disabled(record: DatabaseRecord) -> Refused:
    """The database is there, and serves nobody."""
    return Refused(Refusal.DATABASE_DISABLED, f"{record.name} has been disabled")


def is_id(text: str) -> bool:
    """Whether `text` can be an id within a change vector."""
    return _ID.fullmatch(text) is not None


def create(
    txn: WriteTxn, command: CreateDatabase, *, command_index: int
) -> DatabaseRecord | Refused:
    """Record a database; its environment is for the caller to open."""
    if txn.get(_key(command.name)) is not None:
        message = f"Database '{command.name}' already exists!"
        return Refused(Refusal.DATABASE_EXISTS, message)
    if not 0 < len(command.name.encode()) <= NAME_BYTES_MAX:
        return Refused(Refusal.INVALID, f"A database name has 1 to {NAME_BYTES_MAX} bytes.")
    if sum(1 for _ in txn.scan(keys.DATABASES)) >= DATABASES_MAX:
        message = f"A cluster holds at most {DATABASES_MAX} databases: delete one first."
        return Refused(Refusal.INVALID, message)
    ids = (command.database_id, command.topology_id, command.cluster_transaction_id)
    if not all(map(is_id, ids)):
        return Refused(Refusal.INVALID, f"The ids of a database are base64, these are not: {ids}")
    record = DatabaseRecord(
        command.name,
        *ids,
        command.settings,
        command.at_micros,
        command_index,
        disabled=command.disabled,
        lock_mode=command.lock_mode,
        client=command.client,
        client_index=command_index if command.client else 0,
    )
    store(txn, record)
    return record


def store(txn: WriteTxn, record: DatabaseRecord) -> None:
    """Keep a record as it is."""
    changeable = (getattr(record, name) for name in CHANGEABLE)
    packed = DATABASE.pack(
        record.name,
        record.database_id,
        record.topology_id,
        record.cluster_transaction_id,
        record.at_micros,
        record.command_index,
        record.group,
        record.folder,
        *changeable,
        raw=record.settings,
    )
    txn.put(_key(record.name), packed)


def delete(txn: WriteTxn, record: DatabaseRecord, *, hard: bool) -> None:
    """Forget a database; unless `hard`, remember that its folder is to be left alone."""
    was_there = txn.delete(_key(record.name))
    assert was_there, "only a recorded database is deleted"
    if not hard:
        txn.put(keys.LEFT_FOLDERS + record.folder.encode(), LEFT_FOLDER.pack(record.name))


def every(txn: ReadTxn) -> Iterator[DatabaseRecord]:
    """All records, by name."""
    for value in keys.scan_text(txn, keys.DATABASES, b"", text_of=_text_of):
        yield _decode(value)


def left_folders(txn: ReadTxn) -> set[str]:
    """Folders of databases whose files were to be left."""
    return {key[1:].decode() for key, _ in txn.scan(keys.LEFT_FOLDERS)}


def _key(name: str) -> bytes:
    return keys.of_text(keys.DATABASES, keys.fold(name))


def _text_of(value: bytes) -> bytes:
    return keys.fold(_decode(value).name)


def _decode(value: bytes) -> DatabaseRecord:
    header, settings = DATABASE.unpack(value)
    name, database_id, topology_id, transaction_id, at_micros, index, group, folder = header[:8]
    record = DatabaseRecord(
        name, database_id, topology_id, transaction_id, settings, at_micros, index, group
    )
    record = replace(record, **dict(zip(CHANGEABLE, header[8:], strict=True)))
    assert record.folder == folder, "the folder follows from the record"
    return record
