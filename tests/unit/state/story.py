"""What the stories about the state are told with: one machine, fed entry by entry."""

from pathlib import Path

from hypothesis import HealthCheck, settings

from quoth_cluster.commands import (
    ClusterTransaction,
    Command,
    CreateDatabase,
    DeleteCompareExchange,
    DeleteDocument,
    PutCompareExchange,
    PutDocument,
    SaveBatch,
    encode,
)
from quoth_cluster.compare_exchange import CompareExchangeValue
from quoth_cluster.compare_exchange import get as get_value
from quoth_cluster.documents import StoredDocument, load
from quoth_cluster.log import LogEntry
from quoth_cluster.machine import Machine
from quoth_cluster.store.environment import Environment

STEADY = settings(  # the same examples in every run
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
AT = 1_700_000_000_123_456
AT_WIRE = "2023-11-14T22:13:20.1234560Z"
DATABASE_ID = "UwSrJxnBKEyy1t80ndJZBA"
TOPOLOGY_ID = "xDSTFMhCc0qMGGIZWdCbkQ"
TRANSACTION_ID = "eGbHrZhud0O08ypumYDW+A"
MAP_BYTES = 2**28
BODY = b'{"name":"x"}'


class Story:
    """A machine with the database `db`, and what was fed to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.machine = Machine.open(folder, map_bytes=MAP_BYTES)
        self.log: list[LogEntry] = []
        self.run(create("db"))

    def entry(self, *commands: Command) -> LogEntry:
        """The next entry of the log."""
        entry = LogEntry(len(self.log) + 1, 1, tuple(encode(command) for command in commands))
        self.log.append(entry)
        return entry

    def run_all(self, *commands: Command) -> list[object]:
        """Apply one entry; the outcomes of its commands."""
        (stepped,) = self.machine.apply([self.entry(*commands)])
        return [one.outcome for one in stepped]

    def run(self, command: Command) -> object:
        """Apply an entry with one command; its outcome."""
        (outcome,) = self.run_all(command)
        return outcome

    def save(
        self, *commands: PutDocument | DeleteDocument, request_id: str | None = None
    ) -> object:
        """Save a single-node transaction."""
        return self.run(SaveBatch("db", AT, "A", commands, request_id))

    def agree(
        self,
        *commands: PutDocument | DeleteDocument | PutCompareExchange | DeleteCompareExchange,
        guards: bool = True,
    ) -> object:
        """Save a cluster transaction."""
        return self.run(transaction(*commands, guards=guards))

    @property
    def command_index(self) -> int:
        """The index of the last command."""
        return self.machine.applied.command_index

    def load(self, document_id: str) -> StoredDocument | None:
        """The document as it stands."""
        database = self.machine.database("db")
        assert database is not None
        with database.read() as txn:
            return load(txn, document_id)

    def loaded(self, document_id: str) -> StoredDocument:
        """The document, which must be there."""
        document = self.load(document_id)
        assert document is not None
        return document

    def value(self, key: str) -> CompareExchangeValue | None:
        """The compare-exchange value as it stands."""
        database = self.machine.database("db")
        assert database is not None
        with database.read() as txn:
            return get_value(txn, key)

    def dump(self) -> dict[str, dict[bytes, bytes]]:
        """All that is stored, by environment."""
        return dump(self.machine)


def dump(machine: Machine) -> dict[str, dict[bytes, bytes]]:
    """All that a machine has stored, by environment: checkpoint first to compare two."""
    everything = {"group": rows(machine._environment)}
    for record in machine.databases():
        database = machine.database(record.name)
        assert database is not None
        everything[record.name] = rows(database.environment)
    return everything


def rows(environment: Environment) -> dict[bytes, bytes]:
    """All keys and values."""
    with environment.read() as txn:
        return dict(txn.scan(b""))


def create(name: str, *, request_id: str | None = None) -> CreateDatabase:
    """The command that creates a database."""
    return CreateDatabase(name, AT, DATABASE_ID, TOPOLOGY_ID, TRANSACTION_ID, b"{}", request_id)


def put(
    document_id: str,
    *,
    expected: str | None = None,
    original: str | None = None,
    collection: str = "Users",
    body: bytes = BODY,
    metadata: bytes | None = None,
) -> PutDocument:
    """Store a document."""
    if metadata is None:
        metadata = b'{"@collection":"%b"}' % collection.encode()
    return PutDocument(document_id, body, metadata, collection, expected, original)


def delete(
    document_id: str,
    *,
    expected: str | None = None,
    original: str | None = None,
    prefixed: bool = False,
) -> DeleteDocument:
    """Delete a document."""
    return DeleteDocument(document_id, expected, original, prefixed)


def transaction(
    *commands: PutDocument | DeleteDocument | PutCompareExchange | DeleteCompareExchange,
    guards: bool = True,
    request_id: str | None = None,
) -> ClusterTransaction:
    """A cluster transaction on `db`."""
    changes = [c for c in commands if isinstance(c, PutCompareExchange | DeleteCompareExchange)]
    documents = [c for c in commands if isinstance(c, PutDocument | DeleteDocument)]
    return ClusterTransaction(
        "db", AT, "A", tuple(documents), tuple(changes), guards, request_id
    )
