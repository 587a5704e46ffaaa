"""retry: what a program does over several documents, as if nobody else were there."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, overload

from quoth.asynchronous.session import AsyncSession
from quoth.asynchronous.store import AsyncDocumentStore
from quoth.store_core import ATTEMPTS
from quoth.synchronous.session import Session
from quoth.synchronous.store import DocumentStore

T = TypeVar("T")


@overload
def retry(
    store: AsyncDocumentStore,
    function: Callable[[AsyncSession], Awaitable[T]],
    *,
    attempts: int = ATTEMPTS,
    database: str | None = None,
) -> Coroutine[Any, Any, T]: ...
@overload
def retry(
    store: DocumentStore,
    function: Callable[[Session], T],
    *,
    attempts: int = ATTEMPTS,
    database: str | None = None,
) -> T: ...


def retry(
    store: AsyncDocumentStore | DocumentStore,
    function: Callable[[Any], Any],
    *,
    attempts: int = ATTEMPTS,
    database: str | None = None,
) -> Any:
    """Run a function in a serializable session and save it; again, while others are faster.

        async def transfer(session: AsyncSession) -> None:
            giver = await session.load("accounts/1", Account)
            taker = await session.load("accounts/2", Account)
            giver.balance -= 10
            taker.balance += 10

        await retry(store, transfer)

    All that the function reads is of one state of the database, and its changes are saved only if
    all of that still stands; else it is run again in a new session, after a pause that grows. So it
    changes nothing but the session, and does not save by itself. With a DocumentStore the function
    is an ordinary one, and nothing is awaited. `store.retry` is the same.

    attempts: how often it is run at most.
    database: another one than the store's.

    Returns what the function returned. Raises SerializationConflict, with its `attempts` and the
    last `violations`, when every attempt met other changes; whatever the function raises; and
    FateUnknown if nobody can tell whether it was saved: then it is not run again.
    """
    return store.retry(function, attempts=attempts, database=database)
