"""What both kinds of store share, and what sessions share through them; it waits for nothing."""

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeVar

from quoth.bulk_insert import BulkInsertCore, BulkInsertOptions
from quoth.caching import AnswerCache
from quoth.clock import Clock, SystemClock
from quoth.commands import Command, ReturnHiLoRange
from quoth.conventions import Conventions
from quoth.core import SessionCore
from quoth.errors import BadRequest, DatabaseDoesNotExist, Misuse, QuothError
from quoth.events import Events
from quoth.executor import Executor, Pause, WireSteps
from quoth.hilo import HiLo
from quoth.manner import PLAIN, Manner
from quoth.options import LoadBalanceBehavior, SessionOptions, TransactionMode
from quoth.topology import normal_urls

T = TypeVar("T")
URL_DEFAULT = "http://127.0.0.1:8080"
ATTEMPTS = 10  # of what is run again while others are faster
NOT_AWAITED = (
    "the function gave a coroutine that nobody awaits, so it has done nothing: an `async def` goes"
    " with an AsyncDocumentStore, any other function with a DocumentStore"
)
log = logging.getLogger("quoth")


class StoreCore:
    """One executor and one HiLo per database. Used by any number of threads.

    Invariant: from the first use on, urls, database and conventions stay what they are, and the
    process is the one that used it first.
    """

    def __init__(
        self,
        urls: str | Sequence[str] | None,
        database: str | None,
        conventions: Conventions | None,
        clock: Clock | None = None,
    ) -> None:
        self.urls = _checked(URL_DEFAULT if urls is None else urls)
        self.database = database
        self.conventions = conventions or Conventions()
        self.clock = clock or SystemClock()
        self.events = Events()
        self.identifier: str | None = None
        self.is_closed = False
        self._process_id: int | None = None
        self._cache: AnswerCache | None = None
        self._executors: dict[str | None, Executor] = {}
        self._hilos: dict[str, HiLo] = {}

    def set_urls(self, urls: str | Sequence[str]) -> None:
        self._check_unused("urls")
        self.urls = _checked(urls)

    def set_database(self, database: str | None) -> None:
        self._check_unused("database")
        self.database = database

    def set_conventions(self, conventions: Conventions) -> None:
        self._check_unused("conventions")
        self.conventions = conventions

    def use(self) -> None:
        """The store is used now. Raises Misuse if it cannot be."""
        if self.is_closed:
            raise Misuse("the store is closed")
        if self._process_id is None:
            self.conventions.freeze()
            self._cache = AnswerCache(self.conventions.cache_bytes_max)
            self._process_id = os.getpid()  # last: another thread may go on from here
        elif self._process_id != os.getpid():
            # Its connections and the ids lent to it are its parent's.
            raise Misuse("this store was used before a fork: open one in each process")

    def new_session_core(self, options: SessionOptions, database: str | None) -> SessionCore:
        self.use()
        name = self.name_of(database)
        options = replace(options, database=name, request_executor=None)
        hilo = self._hilos.setdefault(name, HiLo())
        return SessionCore(options, self.conventions, hilo, self.events)

    def manner_of(self, options: SessionOptions, database: str | None) -> Manner:
        """How the requests of a new session go."""
        conventions, context = self.conventions, None
        select = conventions.load_balancer_per_session_context_selector
        by_context = conventions.load_balance_behavior is LoadBalanceBehavior.USE_SESSION_CONTEXT
        if by_context and select is not None:
            context = select(self.name_of(database))
        if context is None and not options.no_caching:
            return PLAIN
        return Manner(context, options.no_caching)

    def new_bulk_insert_core(
        self, database: str, options: BulkInsertOptions | None
    ) -> BulkInsertCore:
        self.use()
        hilo = self._hilos.setdefault(database, HiLo())
        return BulkInsertCore(options or BulkInsertOptions(), self.conventions, hilo, database)

    def executor_for(self, command: Command[Any], database: str | None) -> Executor:
        """What carries a command: for a database, the one named or else the store's own."""
        self.use()
        return self.executor_of(self.name_of(database) if command.is_for_database else None)

    def executor_of(self, database: str | None) -> Executor:
        executor = self._executors.get(database)
        if executor is None:
            made = Executor(
                self.urls,
                database,
                conventions=self.conventions,
                clock=self.clock,
                cache=self._cache,
            )
            executor = self._executors.setdefault(database, made)
        return executor

    def pause(self, seconds: float) -> WireSteps[None]:
        """Wait for about so long, so that those who met do not meet again."""
        yield Pause(seconds * self.clock.jitter())

    def close(self) -> WireSteps[None]:
        """Give back the ids that were lent and not used."""
        if self.is_closed:
            return
        if self._process_id == os.getpid():
            try:
                yield from self._return_ranges()
            except QuothError as error:
                # Numbers that are not given back are only skipped, so nobody waits again for a
                # cluster that did not answer once.
                log.debug("ids were not given back: %s", error)
        self.is_closed = True

    def _return_ranges(self) -> WireSteps[None]:
        for database, hilo in list(self._hilos.items()):
            for tag, end, last in hilo.give_back():
                command = ReturnHiLoRange(tag, end, last)
                try:
                    yield from self.executor_for(command, database).execute(command)
                except (BadRequest, DatabaseDoesNotExist) as error:
                    log.debug("ids of %s were not given back: %s", tag, error)

    def name_of(self, database: str | None) -> str:
        name = database or self.database
        if not name:
            raise Misuse("no database: name it when making the store, or here")
        return name

    def name(self) -> str:
        """What the store is called: its nodes and its database, unless it was given a name."""
        urls = ",".join(self.urls)
        return self.identifier or (f"{urls} (DB: {self.database})" if self.database else urls)

    def _check_unused(self, what: str) -> None:
        if self._process_id is not None or self.conventions.is_frozen:
            raise Misuse(f"the {what} of a store must be set before it is first used")


def _checked(urls: str | Sequence[str]) -> tuple[str, ...]:
    given = [urls] if isinstance(urls, str) or not isinstance(urls, Iterable) else list(urls)
    if not all(isinstance(each, str) for each in given):
        raise Misuse(f"a store is given one URL or a list of them, not {urls!r:.80}")
    found = normal_urls(given)
    if not found or not all(each.startswith(("http://", "https://")) for each in found):
        raise Misuse(f"a URL begins with http:// or https://: {', '.join(found)}")
    return found


def options_of(
    database: str | SessionOptions | None,
    options: SessionOptions | None,
    *,
    no_tracking: bool,
    transaction_mode: TransactionMode,
    optimistic_concurrency: bool,
    no_caching: bool,
    request_executor: Any,
    isolation: Literal["serializable"] | None,
) -> SessionOptions:
    """The options of a session, given as one value or one by one."""
    given = database if isinstance(database, SessionOptions) else options
    if given is not None:
        return given
    assert not isinstance(database, SessionOptions), "taken above"
    return SessionOptions(
        database,
        no_tracking,
        transaction_mode,
        optimistic_concurrency,
        no_caching=no_caching,
        request_executor=request_executor,
        isolation=isolation,
    )
