"""What the open transaction of a connection has reserved, and when its fate is known.

Django tells of commits (`on_commit`) and never of rollbacks. It does drop the callbacks of what is
rolled back, savepoints included. So each reservation registers a callback, and after every call
that can end work (`rollback`, `savepoint_rollback`, `close`), which are wrapped on the connection,
those whose callback is gone are released. Only what was never handed to COMMIT is: then it is
certain. The deletion of a sequence is written down and followed like a reservation; what is rolled
back of that is forgotten.

    OPEN ──callback dropped──> released
      └──commit()──> IN_DOUBT ──it returned──> COMMITTED ──the app's table──> confirmed or released
             │           └──it was refused, for certain──> OPEN
             └──no answer: forgotten here; the app's table tells, see `confirming`
"""

import logging
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from django.db import DatabaseError, Error, IntegrityError, connections

from quoth.contrib.django.confirming import AWAY, confirm_committed, written
from quoth.contrib.django.stores import stores
from quoth.errors import QuothError
from quoth.operations.sequences import ReleaseNumbersOperation

NAME = "_quoth_transaction"
ROLLED_BACK = "rolled back"
SQLITE_REFUSED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CONSTRAINT)
log = logging.getLogger("quoth.django")


class Fate(Enum):
    """How far the transaction of a reservation is."""

    OPEN = "open"
    IN_DOUBT = "in doubt"
    COMMITTED = "committed"


@dataclass(eq=False, slots=True)
class Reserved:
    """What an open transaction has written down: a reservation, or a deletion (see `models`).

    `callback` is what Django holds for it.
    """

    store: str
    sequence_name: str
    token: int
    is_deletion: bool = False
    callback: Callable[[], None] | None = None
    fate: Fate = Fate.OPEN


def transaction_of(using: str) -> "Transaction":
    """What is reserved on the connection of this thread to a database."""
    connection = connections[using]
    found: Transaction | None = vars(connection).get(NAME)
    if found is None:
        found = Transaction(connection)
        setattr(connection, NAME, found)
    return found


class Transaction:
    """The reservations of one connection, in the order in which they were made."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._using: str = connection.alias
        self._reserved: list[Reserved] = []
        self._commit = connection.commit
        self._hooks = connection.run_and_clear_commit_hooks
        connection.commit = self._committing
        connection.run_and_clear_commit_hooks = self._running_hooks
        for name in ("rollback", "savepoint_rollback", "close"):
            setattr(connection, name, self._ending(getattr(connection, name)))

    def add(self, reserved: Reserved) -> None:
        """Remember what the open transaction has written down."""
        reserved.callback = lambda: self._is_committed(reserved)
        self._reserved.append(reserved)
        self._connection.on_commit(reserved.callback, robust=True)

    def deletes(self, store: str, sequence_name: str) -> bool:
        """Whether the open transaction deletes a sequence."""
        wanted = (store, sequence_name)
        tokens = [
            each.token
            for each in self._reserved
            if each.is_deletion and (each.store, each.sequence_name) == wanted
        ]
        # A savepoint by hand may have taken it back.
        return bool(tokens) and bool(written(self._using, tokens))

    def release_dropped(self) -> None:
        """Release what was rolled back; the last first, so that all of it can be given back."""
        held = self._held()
        dropped = [
            each
            for each in reversed(self._reserved)
            if each.fate is Fate.OPEN and id(each.callback) not in held
        ]
        for each in dropped:
            self._reserved.remove(each)
        release(dropped)

    def _held(self) -> set[int]:
        return {id(entry[1]) for entry in self._connection.run_on_commit}

    def _committing(self) -> None:
        mine = [each for each in self._reserved if each.fate is Fate.OPEN]
        for each in mine:
            each.fate = Fate.IN_DOUBT
        try:
            self._commit()
        except BaseException as error:
            if is_certainly_refused(self._connection.vendor, error):
                for each in mine:
                    each.fate = Fate.OPEN
            else:
                for each in mine:
                    self._reserved.remove(each)
                    log.warning("number %s of %s: nobody knows whether it is committed",
                                each.token, each.sequence_name)  # fmt: skip
            raise
        for each in mine:
            each.fate = Fate.COMMITTED

    def _running_hooks(self) -> None:
        try:
            self._hooks()
        finally:
            # A callback of the project that raised has kept ours from being called.
            self._settle()

    def _is_committed(self, reserved: Reserved) -> None:
        if reserved in self._reserved:
            # Tests call callbacks in a transaction that is never committed.
            reserved.fate = Fate.COMMITTED
            self._settle()

    def _settle(self) -> None:
        mine = [each for each in self._reserved if each.fate is Fate.COMMITTED]
        if not mine:
            return
        self._reserved = [each for each in self._reserved if each.fate is not Fate.COMMITTED]
        try:
            present = confirm_committed(self._using, [each.token for each in mine])
        except Error as error:
            log.error("numbers could not be confirmed, and will be later: %s", error)
            return
        # ... to a savepoint that Django did not keep account of.
        release([each for each in reversed(mine) if (each.store, each.token) not in present])

    def _ending(self, end: Callable[..., None]) -> Callable[..., None]:
        def ending(*arguments: Any) -> None:
            end(*arguments)
            if self._reserved:
                self.release_dropped()

        return ending


def release(dropped: Iterable[Reserved]) -> None:
    """Say that nobody has the numbers. If that fails, the end of the lease says so."""
    away: set[str] = set()
    for each in dropped:
        if each.is_deletion:
            continue
        if each.store in away:
            log.warning("number %s of %s was rolled back, and is not released: quoth is away",
                        each.token, each.sequence_name)  # fmt: skip
            continue
        operation = ReleaseNumbersOperation(each.sequence_name, each.token, ROLLED_BACK)
        try:
            stores[each.store].send(operation)
        except QuothError as error:
            log.warning("numbers of %s that were rolled back could not be released: %s",
                        each.sequence_name, error)  # fmt: skip
            if isinstance(error, AWAY):
                away.add(each.store)  # to wait as long for each would keep the program


def is_certainly_refused(vendor: str, error: BaseException) -> bool:
    """Whether a COMMIT that raised this has certainly not been carried out.

    Only where the database has answered: a constraint that is checked at the end, or a conflict of
    transactions. SQLite cannot tell after an error of its disk what the file will be found to hold.
    """
    if isinstance(error, IntegrityError):
        return True
    if not isinstance(error, DatabaseError):
        return False
    cause = error.__cause__
    if vendor == "sqlite":
        return (getattr(cause, "sqlite_errorcode", 0) & 0xFF) in SQLITE_REFUSED
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or ""
    # Class 40 is "transaction rollback"; 40003 says that nobody knows.
    return str(state).startswith("40") and state != "40003"
