"""What can go wrong, told by what the caller may do about it.

    QuothError
    ├── Misuse                       the client was asked for what it cannot do; nothing was sent
    │   └── WrongType                a value does not fit the type, in either direction
    ├── Definite                     it did not happen, and never will
    │   ├── NotSent                  no node carried it out; safe to do again
    │   │   └── DatabaseDisabled         ... once an operator has enabled the database
    │   ├── ConcurrencyError         someone else was first: load again and decide again
    │   │   └── ClusterTransactionConflict   ... and here is everything that was in the way
    │   │       └── SerializationConflict    ... of a serializable session, reads included
    │   ├── DatabaseDoesNotExist
    │   ├── IndexDoesNotExist
    │   ├── NoSuchDocument
    │   └── BadRequest               the server refused it; doing it again will not help
    ├── Indefinite                   a write may have happened
    │   ├── FateUnknown              read what is there before doing it again
    │   ├── OperationFailed          it changed some documents, and not the others
    │   │   └── OperationCanceled    ... because somebody killed it
    │   └── BulkInsertAborted        it stored some documents, and says which it did not
    ├── Unassured                    it did happen; what was to be waited for did not, in time
    │   ├── ReplicationTimeout
    │   ├── IndexTimeout
    │   └── OperationTimeout         an operation still goes on
    └── UnexpectedResults            a query was answered, and not with what was asked for
        ├── NoResult                 there is none
        ├── ManyResults              there is more than one
        └── StaleResults             the index had not caught up in time

A read changes nothing, so for a read `Indefinite` only says that there is no answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class QuothError(Exception):
    """Anything this client raises on purpose."""


class Misuse(QuothError):
    """The client was asked for something it cannot do. Nothing was sent."""


class WrongType(Misuse):
    """A value cannot be written as JSON, or a document does not fit the type asked for."""


class Definite(QuothError):
    """It did not happen, and never will."""


class NotSent(Definite):
    """No node carried it out: none was reached, or each said so. Safe to do again."""


class DatabaseDisabled(NotSent):
    """An operator has disabled the database: nothing is read or written until it is enabled."""


class ConcurrencyError(Definite):
    """The document is no longer what the session saw. Load it again and decide again.

    `document_id`, `expected_change_vector` and `actual_change_vector` are None where the server
    did not tell.
    """

    def __init__(
        self,
        message: str,
        *,
        document_id: str | None = None,
        expected_change_vector: str | None = None,
        actual_change_vector: str | None = None,
    ) -> None:
        super().__init__(message)
        self.document_id = document_id
        self.expected_change_vector = expected_change_vector
        self.actual_change_vector = actual_change_vector


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that stood in the way of a cluster transaction.

    `kind` is `Document` (then `key` is the atomic guard, `rvn-atomic/` and the document's id) or
    `CompareExchange`. An index of 0 means "must not exist yet"; an actual index of -1 "is missing".
    In a SerializationConflict the key of a `Document` is its id, of a `Prefix` or a `Collection`
    its name ("" for all documents); it was not to change after the expected index, an etag, and
    the actual one is the etag of the change. `Database`: the database is another one by now.
    """

    kind: str
    key: str
    expected_index: int
    actual_index: int


class ClusterTransactionConflict(ConcurrencyError):
    """A cluster transaction met other values than it was built on; none of it was done."""

    def __init__(self, message: str, violations: Sequence[Violation] = ()) -> None:
        super().__init__(message)
        self.violations = tuple(violations)


class SerializationConflict(ClusterTransactionConflict):
    """What a serializable session has read is no more; nothing was written. Do it all again.

    `violations` name what has changed. `attempts` is how many times `retry` had tried.
    """

    def __init__(
        self, message: str, violations: Sequence[Violation] = (), *, attempts: int = 1
    ) -> None:
        super().__init__(message, violations)
        self.attempts = attempts


class DatabaseDoesNotExist(Definite):
    """The cluster has no database of that name."""


class IndexDoesNotExist(Definite):
    """The database has no index of that name."""


class NoSuchDocument(Definite):
    """The document is gone."""


class BadRequest(Definite):
    """The server refused it for good. `status` is HTTP's, `kind` the server's word for it."""

    def __init__(self, message: str, *, status: int, kind: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


class Indefinite(QuothError):
    """A write may have happened, or may yet."""


class FateUnknown(Indefinite):
    """The request went out and no answer that can be trusted came back.

    What a write would have changed must be read before it is done again.
    """


class OperationFailed(Indefinite):
    """An operation over many documents ended early; what it had done by then stays.

    `processed` documents of `total` were certainly done, None if nobody knows how many there are.
    `__cause__` is why.
    """

    def __init__(self, message: str, *, processed: int, total: int | None) -> None:
        super().__init__(message)
        self.processed = processed
        self.total = total


class OperationCanceled(OperationFailed):
    """Somebody killed the operation before it had come to its end."""


class BulkInsertAborted(Indefinite):
    """A bulk insert could not store all documents; those it had stored stay. `__cause__` is why.

    `stored` is how many documents certainly are, `unknown_ids` those of which nobody knows, and
    `not_stored_ids` those that certainly are not: they can be sent again.
    """

    def __init__(
        self,
        message: str,
        *,
        stored: int,
        unknown_ids: Sequence[str],
        not_stored_ids: Sequence[str],
    ) -> None:
        super().__init__(message)
        self.stored = stored
        self.unknown_ids = tuple(unknown_ids)
        self.not_stored_ids = tuple(not_stored_ids)


class Unassured(QuothError):
    """The write is stored. What the session wanted to wait for did not come in time."""


class ReplicationTimeout(Unassured):
    """The write is stored, and not yet known to be on as many nodes as were asked for."""


class IndexTimeout(Unassured):
    """The write is stored, and indexes have not caught up with it."""


class OperationTimeout(Unassured):
    """An operation goes on: it had not ended in the time there was. Wait again, or kill it."""


class UnexpectedResults(QuothError):
    """A query was answered, and not with what was asked for."""


class NoResult(UnexpectedResults):
    """`first()` or `single()` found nothing."""


class ManyResults(UnexpectedResults):
    """`single()` found more than one result."""


class StaleResults(UnexpectedResults):
    """The index had not caught up with all changes in the time that the query was to wait."""
