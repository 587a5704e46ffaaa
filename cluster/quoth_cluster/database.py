"""A database as this node has it open: its record, its environment, how far it has come."""

from contextlib import AbstractContextManager
from pathlib import Path

from quoth_cluster import indexes
from quoth_cluster.databases import DatabaseRecord
from quoth_cluster.errors import CorruptFile
from quoth_cluster.log import Position
from quoth_cluster.store import keys, schema
from quoth_cluster.store.environment import Environment, ReadTxn, WriteTxn
from quoth_cluster.upgrade import upgrade

STORE_KIND = "database"


class Database:
    """Readers use `read` and `size_bytes`, from any thread; the rest is the machine's."""

    def __init__(self, record: DatabaseRecord, environment: Environment) -> None:
        """Use `open` or `create`."""
        self.record = record
        self.environment = environment
        self.position = Position()  # of the last command addressed to it that is committed here
        self.is_dirty = False  # committed, but a power cut may take the last commit back
        self.has_indexes = False  # or had some

    @classmethod
    def create(cls, record: DatabaseRecord, folder: Path, *, map_bytes: int) -> "Database":
        """An empty database in a folder that must not exist yet."""
        path = folder / record.folder
        assert not path.exists(), "no two databases have the same folder"
        environment = Environment.open(path, map_bytes=map_bytes, durable=False)
        database = cls(record, environment)
        database.is_dirty = True
        with environment.write() as txn:
            write_store_kind(txn, STORE_KIND)
        return database

    @classmethod
    def open(cls, record: DatabaseRecord, folder: Path, *, map_bytes: int) -> "Database":
        """The database in its folder. Raises CorruptFile if it is not there."""
        path = folder / record.folder
        if not path.exists():
            raise CorruptFile(f"the database '{record.name}' is recorded, but {path} is missing")
        database = cls(record, Environment.open(path, map_bytes=map_bytes, durable=False))
        database.is_dirty = True  # what a killed process committed may not be on the disk
        with database.read() as txn:
            check_store_kind(txn, STORE_KIND)
        upgrade(database.environment, STORE_KIND)
        with database.read() as txn:
            database.position = load_position(txn)
            database.has_indexes = indexes.changed_at(txn) > 0
        return database

    def make_durable(self) -> None:
        """Return when all that was committed survives a power cut."""
        if self.is_dirty:
            self.environment.sync()
            self.is_dirty = False

    def read(self) -> AbstractContextManager[ReadTxn]:
        """A snapshot. Raises Closed if the database was deleted meanwhile."""
        return self.environment.read()

    def size_bytes(self) -> int:
        """What it takes on disk."""
        return self.environment.size_bytes()


def write_store_kind(txn: WriteTxn, kind: str) -> None:
    """Say what an environment holds, and in which format."""
    txn.put(keys.STORE, schema.STORE.pack(kind))


def check_store_kind(txn: ReadTxn, kind: str) -> None:
    """Raise CorruptFile or NewerFormat if the environment holds anything else."""
    value = txn.get(keys.STORE)
    found = schema.STORE.unpack(value)[0][0] if value is not None else None
    if found != kind:
        raise CorruptFile(f"holds {found}, not a {kind}")


def load_position(txn: ReadTxn) -> Position:
    """How far this environment has come."""
    value = txn.get(keys.POSITION)
    return Position(*schema.POSITION.unpack(value)[0]) if value is not None else Position()


def store_position(txn: WriteTxn, position: Position) -> None:
    """Note how far this environment has come; only ever further."""
    before = load_position(txn)
    assert before.log_index <= position.log_index, f"{before} -> {position}"
    assert before.command_index <= position.command_index, f"{before} -> {position}"
    txn.put(keys.POSITION, schema.POSITION.pack(position.log_index, position.command_index))
