"""The functions of django-sequences, with the same names and parameters.

    from quoth.contrib.django.sequences import get_next_value

`using` is the alias of the database of Django whose transaction has the number; None asks the
routers where they write UnconfirmedNumbers, which is "default" where there are none. The entry of
QUOTH that has this alias, else its entry "default", says which database of quoth has the sequence.
Entries of their own keep sequences of one name apart, one entry shares them.

What is guaranteed is said at `quoth.contrib.django`. Errors are those of quoth: NotSent if no node
was reached, FateUnknown if the answer was lost (what was reserved is void when the lease ends, what
was taken outside of a transaction may be taken), BadRequest if the sequence was made with
another initial value or reset value.
"""

from collections.abc import Sequence as Row
from datetime import timedelta
from secrets import randbelow
from typing import Any

from django.db import connections, router
from django.db.transaction import TransactionManagementError
from django.utils import timezone
from django.utils.asyncio import async_unsafe

from quoth.contrib.django.confirming import table
from quoth.contrib.django.stores import StoreSettings, settings_for, stores
from quoth.contrib.django.transactions import Reserved, Transaction, release, transaction_of
from quoth.operations.sequences import ReserveNumbersOperation
from quoth.sequences import ReservedNumbers, SequenceUse


def get_next_value(
    sequence_name: str = "default",
    initial_value: int = 1,
    reset_value: int | None = None,
    *,
    nowait: bool = False,
    using: str | None = None,
) -> int:
    """The next number of a sequence.

    In a transaction it is reserved until that ends; outside it is taken at once. Nobody waits for
    anybody, so `nowait` changes nothing. `initial_value` begins a new sequence; of one that is
    there 1 claims nothing, any other value must be its own. A sequence with a `reset_value` begins
    anew before it reaches it, also for callers that do not name it.

    Raises ValueError for a reset value that is not above the initial value.
    """
    return _next(1, sequence_name, initial_value, reset_value, using)[0]


def get_next_values(
    batch_size: int,
    sequence_name: str = "default",
    initial_value: int = 1,
    *,
    nowait: bool = False,
    using: str | None = None,
) -> Row[int]:
    """So many numbers, 10,000 at most, that follow each other: a `range`.

    A list if the sequence has a reset value and began anew among them.
    """
    return _next(batch_size, sequence_name, initial_value, None, using)


def get_last_value(sequence_name: str = "default", *, using: str | None = None) -> int | None:
    """The last number, None if there is none. Those of open transactions count."""
    _check_may_wait()
    using = using or router.db_for_read(table())
    entry = settings_for(using)
    if connections[using].in_atomic_block and transaction_of(using).deletes(
        entry.alias, sequence_name
    ):
        return None
    return stores[entry.alias].sequences.get_last_value(sequence_name)


def delete(sequence_name: str = "default", *, using: str | None = None) -> bool:
    """Delete a sequence, and the journal of its numbers; whether there was one.

    In a transaction that is done when it is committed, and until then it has no more numbers of it.
    Others must not take any between the call and the commit: those would be given out again.
    """
    using = _database(using)
    entry = settings_for(using)
    sequences = stores[entry.alias].sequences
    if not connections[using].in_atomic_block:
        return sequences.delete(sequence_name)
    connections[using].validate_no_broken_transaction()
    _check_mode(using)
    transaction = transaction_of(using)
    transaction.release_dropped()
    found = sequences.get(sequence_name)
    if found is None or transaction.deletes(entry.alias, sequence_name):
        return False
    deletion = Reserved(entry.alias, sequence_name, -1 - randbelow(2**62), is_deletion=True)
    _write_down(using, deletion, entry, first_value=found.taken, count=0, holder=entry.holder)
    transaction.add(deletion)
    return True


class Sequence:
    """One sequence as an object, which is also an iterator of its numbers, without end."""

    def __init__(
        self,
        sequence_name: str = "default",
        initial_value: int = 1,
        reset_value: int | None = None,
        *,
        using: str | None = None,
    ) -> None:
        _check(initial_value, reset_value)
        self.sequence_name = sequence_name
        self.initial_value = initial_value
        self.reset_value = reset_value
        self.using = using

    def get_last_value(self) -> int | None:
        """The last number, None if there is none."""
        return get_last_value(self.sequence_name, using=self.using)

    def get_next_value(self, *, nowait: bool = False) -> int:
        """The next number, as the function of this name."""
        return _next(1, self.sequence_name, self.initial_value, self.reset_value, self.using)[0]

    def get_next_values(self, batch_size: int, *, nowait: bool = False) -> Row[int]:
        """So many numbers that follow each other, as the function of this name."""
        return _next(
            batch_size, self.sequence_name, self.initial_value, self.reset_value, self.using
        )

    def delete(self) -> bool:
        """Delete the sequence; whether there was one."""
        return delete(self.sequence_name, using=self.using)

    def __iter__(self) -> "Sequence":
        return self

    def __next__(self) -> int:
        return self.get_next_value()


def _next(
    count: int,
    sequence_name: str,
    initial_value: int,
    reset_value: int | None,
    using: str | None,
) -> Row[int]:
    _check(initial_value, reset_value)
    using = _database(using)
    entry = settings_for(using)
    holder = entry.holder or f"the Django database {using}"
    connection = connections[using]
    if connection.in_atomic_block:
        use = SequenceUse(sequence_name, initial_value, reset_value)
        operation = ReserveNumbersOperation(use, count, holder, entry.lease_seconds)
        connection.validate_no_broken_transaction()
        _check_mode(using)
        return _reserve(transaction_of(using), operation, using, entry)
    if not connection.get_autocommit():
        raise TransactionManagementError(
            "in a transaction that is managed by hand nobody tells whether it is committed:"
            " take numbers in transaction.atomic()"
        )
    sequences = stores[entry.alias].sequences
    return sequences.get_next_values(
        count, sequence_name, initial_value, reset_value, holder=holder
    )


def _reserve(
    transaction: Transaction, operation: ReserveNumbersOperation, using: str, entry: StoreSettings
) -> Row[int]:
    name = operation.use.name
    transaction.release_dropped()
    if transaction.deletes(entry.alias, name):
        raise TransactionManagementError(
            f"this transaction deletes the sequence {name!r}: take numbers when it is committed"
        )
    numbers: ReservedNumbers = stores[entry.alias].send(operation)
    holder = operation.holder
    reserved = Reserved(entry.alias, name, numbers.token)
    values = numbers.values
    try:
        _write_down(using, reserved, entry, first_value=values[0], count=len(values), holder=holder)
    except Exception:
        release([reserved])  # nobody has heard of them
        raise
    transaction.add(reserved)
    return values


def _write_down(using: str, reserved: Reserved, entry: StoreSettings, **row: Any) -> None:
    table().objects.using(using).create(
        store=reserved.store,
        sequence_name=reserved.sequence_name,
        token=reserved.token,
        due=timezone.now() + timedelta(seconds=entry.lease_seconds),
        **row,
    )


def _check_mode(using: str) -> None:
    """Raise TransactionManagementError where a block commits behind the back of Django."""
    connection = connections[using]
    if connection.vendor == "sqlite" and not connection.commit_on_exit:
        raise TransactionManagementError(
            "with autocommit off, atomic() on SQLite commits at its end, and rollback() takes"
            " nothing back: leave autocommit on"
        )


@async_unsafe
def _check_may_wait() -> None:
    """In a coroutine all other tasks would wait, too: Django forbids that."""


def _database(using: str | None) -> str:
    _check_may_wait()
    found: str = router.db_for_write(table()) if using is None else using
    return found


def _check(initial_value: int, reset_value: int | None) -> None:
    if reset_value is not None and reset_value <= initial_value:
        raise ValueError("reset_value must be greater than initial_value")
