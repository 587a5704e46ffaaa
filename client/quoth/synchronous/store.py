# Made from asynchronous/store.py by `python -m scripts.twins`: change that one.
"""DocumentStore: where a program meets the cluster. One per process is enough.

It owns what sessions share: the connections, what is known of the nodes, and the ranges of ids.
"""

from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from quoth.bulk_insert import BulkInsertOptions
from quoth.commands import Command
from quoth.conventions import Conventions
from quoth.errors import Misuse
from quoth.events import Events, WithEvents
from quoth.indexes.creation import AbstractIndexCreationTaskBase, put_indexes
from quoth.operations.indexes import PutIndexResult
from quoth.options import SessionOptions, TransactionMode
from quoth.store_core import ATTEMPTS, StoreCore, options_of
from quoth.synchronous.bulk_insert import BulkInsertOperation
from quoth.synchronous.carrier import Carrier
from quoth.synchronous.maintenance import MaintenanceOperationExecutor, OperationExecutor
from quoth.synchronous.network import Network
from quoth.synchronous.request_executor import RequestExecutor
from quoth.synchronous.retrying import Retrying
from quoth.synchronous.sequences import Sequences
from quoth.synchronous.session import Session
from quoth.transport import Transport

T = TypeVar("T")


class DocumentStore(WithEvents):
    """The synchronous way in.

        with DocumentStore(["http://a:8080", "http://b:8080"], "shop") as store:
            with store.open_session() as session:
                session.store(Company(name="Quoth"))
                session.save_changes()

    `urls` are the nodes to begin with, http://127.0.0.1:8080 if none are named; others are found
    through them. `transport` replaces the network, see MockTransport.

    Many sessions share a store. DocumentStore is for the tasks of one event loop,
    DocumentStore for any number of threads. After a fork each process opens its own.
    """

    def __init__(
        self,
        urls: str | Sequence[str] | None = None,
        database: str | None = None,
        *,
        conventions: Conventions | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._core = StoreCore(urls, database, conventions)
        self._network = Network(transport, self._core.clock)
        pause, monotonic = self._network.pause, self._core.clock.monotonic
        self._carrier = Carrier(self._execute, pause, monotonic)

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
        """The nodes this store begins with; may be set until it is first used."""
        return self._core.urls

    @urls.setter
    def urls(self, urls: str | Sequence[str]) -> None:
        self._core.set_urls(urls)

    @property
    def database(self) -> str | None:
        """The database sessions open unless told another one; may be set until the first use."""
        return self._core.database

    @database.setter
    def database(self, database: str | None) -> None:
        self._core.set_database(database)

    @property
    def conventions(self) -> Conventions:
        """How documents are named and requests timed; frozen by the first use."""
        return self._core.conventions

    @conventions.setter
    def conventions(self, conventions: Conventions) -> None:
        self._core.set_conventions(conventions)

    @property
    def identifier(self) -> str:
        """What logs may call the store: its nodes and database, unless set to something else."""
        return self._core.name()

    @identifier.setter
    def identifier(self, identifier: str) -> None:
        self._core.identifier = identifier

    @property
    def maintenance(self) -> MaintenanceOperationExecutor:
        """Sends operations on the database, and through `server` on databases and the cluster."""
        return MaintenanceOperationExecutor(self._carrier)

    @property
    def operations(self) -> OperationExecutor:
        """Sends operations on documents and compare-exchange values."""
        return OperationExecutor(self._carrier)

    @property
    def sequences(self) -> Sequences:
        """Numbers without gaps, for programs without a session; those of a session are better."""
        return Sequences(self._carrier)

    def initialize(self) -> Self:
        """Freeze the conventions now; otherwise the first use does."""
        self._core.conventions.freeze()
        return self

    def open_session(
        self,
        database: str | SessionOptions | None = None,
        session_options: SessionOptions | None = None,
        *,
        no_tracking: bool = False,
        transaction_mode: TransactionMode = TransactionMode.SINGLE_NODE,
        optimistic_concurrency: bool = False,
        no_caching: bool = False,
        request_executor: RequestExecutor | None = None,
        isolation: Literal["serializable"] | None = None,
    ) -> Session:
        """A new session. It opens nothing on the server and is cheap: one per piece of work.

        All choices may be given as one SessionOptions in place of the database.
        """
        options = options_of(
            database,
            session_options,
            no_tracking=no_tracking,
            transaction_mode=transaction_mode,
            optimistic_concurrency=optimistic_concurrency,
            no_caching=no_caching,
            request_executor=request_executor,
            isolation=isolation,
        )
        executor = options.request_executor or self.get_request_executor(options.database)
        if not isinstance(executor, RequestExecutor):
            raise Misuse("request_executor is what get_request_executor of this store gave")
        core = self._core.new_session_core(options, executor.database)
        manner = self._core.manner_of(options, executor.database)
        if manner != executor.manner:
            executor = RequestExecutor(self._core, self._network, executor.database, manner)
        return Session(core, executor)

    def get_request_executor(self, database: str | None = None) -> RequestExecutor:
        """What carries the requests of a database, None for the store's own."""
        name = self._core.name_of(database)
        return RequestExecutor(self._core, self._network, name)

    def retry(
        self,
        function: Callable[[Session], T],
        *,
        attempts: int = ATTEMPTS,
        database: str | None = None,
    ) -> T:
        """Run a function in a serializable session and save it; again, while others are faster.

        See `quoth.retry`, which is the same and says all.
        """
        options = SessionOptions(database, isolation="serializable")
        retrying = Retrying(lambda: self.open_session(options), self._pause)
        return retrying(function, attempts)

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
        return RequestExecutor(self._core, self._network, database)(operation)

    def _execute(self, command: Command[Any], database: str | None) -> Any:
        return RequestExecutor(self._core, self._network, database)(command)

    def close(self) -> None:
        """Give back unused ids and close every connection."""
        try:
            self._network.run(self._core.close())
        finally:
            self._network.close()

    def _pause(self, seconds: float) -> None:
        self._network.run(self._core.pause(seconds))

    @property
    def _events(self) -> Events:
        return self._core.events
