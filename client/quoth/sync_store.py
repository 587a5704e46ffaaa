"""DocumentStore: the synchronous way in, method by method the twin of AsyncDocumentStore."""

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from quoth.bulk_insert import BulkInsertOptions
from quoth.commands import Command
from quoth.conventions import Conventions
from quoth.indexes.creation import AbstractIndexCreationTaskBase, put_indexes
from quoth.operations.indexes import PutIndexResult
from quoth.options import SessionOptions, TransactionMode
from quoth.portal import Portal
from quoth.store import URL_DEFAULT, StoreCore, session_options
from quoth.synchronous.bulk_insert import BulkInsertOperation
from quoth.synchronous.carrier import Carrier
from quoth.synchronous.maintenance import MaintenanceOperationExecutor, OperationExecutor
from quoth.synchronous.session import Session
from quoth.transport import Transport

T = TypeVar("T")


class DocumentStore:
    """The synchronous way in; any number of threads may share one, each with its own sessions.

        with DocumentStore(["http://a:8080", "http://b:8080"], "shop") as store:
            with store.open_session() as session:
                session.store(Company(name="Quoth"))
                session.save_changes()

    `urls` are the nodes to begin with; the others are found through them. `transport` replaces the
    network, see MockTransport.
    """

    def __init__(
        self,
        urls: str | Sequence[str] = URL_DEFAULT,
        database: str | None = None,
        *,
        conventions: Conventions | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._core = StoreCore(urls, database, conventions=conventions, transport=transport)
        self._portal = Portal("quoth client")
        self._carrier = Carrier(self._execute, self._pause, self._core.clock.monotonic)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def urls(self) -> tuple[str, ...]:
        """The nodes this store begins with."""
        return self._core.urls

    @property
    def database(self) -> str | None:
        """The database sessions open unless told another one."""
        return self._core.database

    @property
    def conventions(self) -> Conventions:
        """How documents are named and requests timed; frozen by the first use."""
        return self._core.conventions

    @property
    def maintenance(self) -> MaintenanceOperationExecutor:
        """Sends operations on the database, and through `server` on databases and the cluster."""
        return MaintenanceOperationExecutor(self._carrier)

    @property
    def operations(self) -> OperationExecutor:
        """Sends operations on documents and compare-exchange values."""
        return OperationExecutor(self._carrier)

    def initialize(self) -> Self:
        """Freeze the conventions now; otherwise the first use does."""
        self._core.conventions.freeze()
        return self

    def open_session(
        self,
        database: str | SessionOptions | None = None,
        *,
        no_tracking: bool = False,
        transaction_mode: TransactionMode = TransactionMode.SINGLE_NODE,
        optimistic_concurrency: bool = False,
    ) -> Session:
        """A new session. It opens nothing on the server and is cheap: one per piece of work.

        All choices may be given as one SessionOptions in place of the database.
        """
        options = session_options(
            database,
            no_tracking=no_tracking,
            transaction_mode=transaction_mode,
            optimistic_concurrency=optimistic_concurrency,
        )

        def execute(command: Command[Any], known_raft_index: int | None) -> Any:
            return self._portal.run(self._core.execute(command, options.database, known_raft_index))

        return Session(self._core.new_session_core(options), execute)

    def _execute(self, command: Command[Any], database: str | None) -> Any:
        return self._portal.run(self._core.execute(command, database))

    def _pause(self, seconds: float) -> None:
        self._portal.run(self._core.clock.sleep(seconds))

    def bulk_insert(
        self, database: str | None = None, options: BulkInsertOptions | None = None
    ) -> BulkInsertOperation:
        """Store many documents fast: `with store.bulk_insert() as bulk_insert: ...`."""
        name = self._core.name_of(database)
        core = self._core.new_bulk_insert_core(name, options)
        return BulkInsertOperation(core, name, self._carrier)

    def execute_index(
        self, task: AbstractIndexCreationTaskBase, database: str | None = None
    ) -> list[PutIndexResult]:
        """Put the index that a class stands for."""
        return self.execute_indexes([task], database)

    def execute_indexes(
        self, tasks: Iterable[AbstractIndexCreationTaskBase], database: str | None = None
    ) -> list[PutIndexResult]:
        """Put the indexes that classes stand for: all of them, or none if one cannot be built."""
        return self.maintenance.for_database(database).send(put_indexes(tasks))

    def send(self, operation: Command[T], *, database: str | None = None) -> T:
        """Carry out an operation of any kind: `store.send(GetStatisticsOperation())`."""
        return self._portal.run(self._core.execute(operation, database))

    def close(self) -> None:
        """Give back unused ids and close every connection."""
        if not self._portal.is_closed:
            self._portal.run(self._core.close())
            self._portal.close()
