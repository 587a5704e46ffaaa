"""AsyncDocumentStore: where a program meets the cluster. One per process is enough.

It owns what sessions share: the connections, what is known of the nodes, and the ranges of ids.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from quoth.asynchronous.retrying import AsyncRetrying
from quoth.asynchronous.session import AsyncSession
from quoth.clock import Clock, SystemClock
from quoth.commands import Command, ReturnHiLoRange
from quoth.conventions import Conventions
from quoth.core import SessionCore
from quoth.errors import Misuse, QuothError
from quoth.executor import Executor
from quoth.hilo import HiLo
from quoth.options import SessionOptions, TransactionMode
from quoth.topology import normal_urls
from quoth.transport import AiohttpTransport, Transport

T = TypeVar("T")
ATTEMPTS = 10  # of what is run again while others are faster
URL_DEFAULT = "http://127.0.0.1:8080"
log = logging.getLogger("quoth")


class StoreCore:
    """What both stores share: one executor and one HiLo per database, over one transport."""

    def __init__(
        self,
        urls: str | Sequence[str],
        database: str | None,
        *,
        conventions: Conventions | None,
        transport: Transport | None,
        clock: Clock | None = None,
    ) -> None:
        self.urls = normal_urls(urls)
        if not all(each.startswith(("http://", "https://")) for each in self.urls):
            raise Misuse(f"a URL begins with http:// or https://: {', '.join(self.urls)}")
        self.database = database
        self.conventions = conventions or Conventions()
        self.transport = transport or AiohttpTransport()
        self._clock = clock or SystemClock()
        self._executors: dict[str | None, Executor] = {}
        self._hilos: dict[str, HiLo] = {}

    def new_session_core(self, options: SessionOptions) -> SessionCore:
        self.conventions.freeze()
        options = replace(options, database=self.name_of(options.database))
        assert options.database is not None
        hilo = self._hilos.setdefault(options.database, HiLo())
        return SessionCore(options, self.conventions, hilo)

    async def execute(
        self, command: Command[T], database: str | None, known_raft_index: int | None = None
    ) -> T:
        self.conventions.freeze()
        name = self.name_of(database) if command.is_for_database else None
        executor = self._executors.get(name)
        if executor is None:
            executor = self._executors[name] = Executor(
                self.urls,
                name,
                transport=self.transport,
                conventions=self.conventions,
                clock=self._clock,
            )
        return await executor.execute(command, known_raft_index=known_raft_index)

    async def pause(self, seconds: float) -> None:
        """Wait for about so long, so that those who met do not meet again."""
        await self._clock.sleep(seconds * self._clock.jitter())

    async def close(self) -> None:
        """Give back the ids that were lent and not used, then let go of the connections."""
        try:
            for database, hilo in list(self._hilos.items()):
                for tag, end, last in hilo.give_back():
                    await self._return_range(database, ReturnHiLoRange(tag, end=end, last=last))
        finally:
            await self.transport.close()

    async def _return_range(self, database: str, command: ReturnHiLoRange) -> None:
        try:
            await self.execute(command, database)
        except QuothError as error:
            # Numbers that are not given back are only skipped.
            log.debug("ids of %s were not given back: %s", command.tag, error)

    def name_of(self, database: str | None) -> str:
        name = database or self.database
        if not name:
            raise Misuse("no database: name it when making the store, or here")
        return name


def session_options(
    database: str | SessionOptions | None,
    *,
    no_tracking: bool,
    transaction_mode: TransactionMode,
    optimistic_concurrency: bool,
    isolation: Literal["serializable"] | None,
) -> SessionOptions:
    """The options of a session, given as one value or one by one."""
    if isinstance(database, SessionOptions):
        return database
    return SessionOptions(
        database, no_tracking, transaction_mode, optimistic_concurrency, isolation
    )


class AsyncDocumentStore:
    """The asynchronous way in; it belongs to the event loop it is first used in.

        async with AsyncDocumentStore(["http://a:8080", "http://b:8080"], "shop") as store:
            async with store.open_session() as session:
                await session.store(Company(name="Quoth"))
                await session.save_changes()

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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

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
    def maintenance(self) -> Self:
        """The store itself: here for programs that know RavenDB's clients."""
        return self

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
        isolation: Literal["serializable"] | None = None,
    ) -> AsyncSession:
        """A new session. It opens nothing on the server and is cheap: one per piece of work.

        All choices may be given as one SessionOptions in place of the database.
        """
        options = session_options(
            database,
            no_tracking=no_tracking,
            transaction_mode=transaction_mode,
            optimistic_concurrency=optimistic_concurrency,
            isolation=isolation,
        )

        async def execute(command: Command[Any], known_raft_index: int | None) -> Any:
            return await self._core.execute(command, options.database, known_raft_index)

        return AsyncSession(self._core.new_session_core(options), execute)

    async def retry(
        self,
        function: Callable[[AsyncSession], Awaitable[T]],
        *,
        attempts: int = ATTEMPTS,
        database: str | None = None,
    ) -> T:
        """Run a function in a serializable session and save it; again, while others are faster.

        See `quoth.retry`, which is the same and says all.
        """
        options = SessionOptions(database, isolation="serializable")
        retrying = AsyncRetrying(lambda: self.open_session(options), self._core.pause)
        return await retrying(function, attempts)

    async def send(self, operation: Command[T], *, database: str | None = None) -> T:
        """Do something outside a session, as in `await store.send(NextIdentityFor("bills|"))`."""
        return await self._core.execute(operation, database)

    async def close(self) -> None:
        """Give back unused ids and close every connection."""
        await self._core.close()
