"""DocumentStore: the synchronous way in, method by method the twin of AsyncDocumentStore."""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from quoth.commands import Command
from quoth.conventions import Conventions
from quoth.options import SessionOptions, TransactionMode
from quoth.portal import Portal
from quoth.store import ATTEMPTS, URL_DEFAULT, StoreCore, session_options
from quoth.synchronous.retrying import Retrying
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
    ) -> Session:
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

        def execute(command: Command[Any], known_raft_index: int | None) -> Any:
            return self._portal.run(self._core.execute(command, options.database, known_raft_index))

        return Session(self._core.new_session_core(options), execute)

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

    def send(self, operation: Command[T], *, database: str | None = None) -> T:
        """Do something outside a session, as in `store.send(NextIdentityFor("bills|"))`."""
        return self._portal.run(self._core.execute(operation, database))

    def close(self) -> None:
        """Give back unused ids and close every connection."""
        if not self._portal.is_closed:
            self._portal.run(self._core.close())
            self._portal.close()

    def _pause(self, seconds: float) -> None:
        self._portal.run(self._core.pause(seconds))
