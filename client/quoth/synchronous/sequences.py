# Made from asynchronous/sequences.py by `python -m scripts.twins`: change that one.
"""Sequences: `store.sequences`, numbers without gaps for programs without a session."""

from collections.abc import Collection, Iterator
from collections.abc import Sequence as Row
from typing import Self

from quoth.errors import BadRequest
from quoth.operations.sequences import (
    NO_SEQUENCE,
    PAGE_SIZE,
    DeleteSequenceOperation,
    GetHoldersOperation,
    GetSequenceOperation,
    GetSequencesOperation,
    HoldersPage,
    ReserveNumbersOperation,
    SequencePage,
    TakeNumbersOperation,
)
from quoth.sequences import (
    INITIAL_VALUE,
    LEASE_SECONDS,
    HeldNumbers,
    NumberState,
    SequenceInfo,
    SequenceUse,
    TakenNumbers,
)
from quoth.synchronous.carrier import Carrier
from quoth.synchronous.reservation import Reservation


class Sequences:
    """The functions of django-sequences, bound to a store, and what they lack.

        number = store.sequences.get_next_value("invoices")

    **What is guaranteed.** Nobody else gets the number, and the next caller gets the one after it.
    A caller that dies between taking a number and using it, or whose request is FateUnknown, leaves
    a number that no invoice has: the journal then says that `holder`, somebody outside, has it.
    django-sequences prevents that only if number and invoice are saved in one transaction of one
    relational database. Two ways here have no such gap:

    * `session.advanced.sequences.next_value` takes the number in the save that writes it;
    * `reserve` takes it for a while, and what was not confirmed is void in the journal.

    `using` is the name of a database, None for the store's own. An initial value of 1 claims
    nothing of a sequence that is there; any other, and a reset value, must be those it was made
    with, or the call raises BadRequest and takes nothing.
    """

    def __init__(self, carry: Carrier) -> None:
        self._carry = carry

    # As in django-sequences.

    def get_next_value(
        self,
        sequence_name: str = "default",
        initial_value: int = INITIAL_VALUE,
        reset_value: int | None = None,
        *,
        nowait: bool = False,
        using: str | None = None,
        holder: str = "",
    ) -> int:
        """Take the next number, at once and for good. The class says what that guarantees.

        There is no lock to wait for, so `nowait` changes nothing, on the first call or later: it is
        there so that calls need not be changed. `holder` is written into the journal.
        """
        use = SequenceUse(sequence_name, initial_value, reset_value)
        return (self._take(use, 1, holder, using)).values[0]

    def get_next_values(
        self,
        batch_size: int,
        sequence_name: str = "default",
        initial_value: int = INITIAL_VALUE,
        reset_value: int | None = None,
        *,
        nowait: bool = False,
        using: str | None = None,
        holder: str = "",
    ) -> Row[int]:
        """Take so many numbers, 10,000 at most, that follow each other: a `range`.

        A list if the sequence began anew among them. As `get_next_value` in all else.
        """
        use = SequenceUse(sequence_name, initial_value, reset_value)
        return (self._take(use, batch_size, holder, using)).values

    def get_last_value(
        self, sequence_name: str = "default", *, using: str | None = None
    ) -> int | None:
        """The number that was taken last, None if none was. Another may be taken meanwhile."""
        found = self.get(sequence_name, using=using)
        return None if found is None else found.last_value

    def delete(self, sequence_name: str = "default", *, using: str | None = None) -> bool:
        """Forget a sequence, and who holds its numbers; whether there was one.

        The next number is the initial value again: documents keep theirs, which are then no longer
        the only ones.
        """
        found: bool = self._carry.execute(DeleteSequenceOperation(sequence_name), using)
        return found

    def Sequence(
        self,
        sequence_name: str = "default",
        initial_value: int = INITIAL_VALUE,
        reset_value: int | None = None,
        *,
        using: str | None = None,
    ) -> "Sequence":
        """One sequence as an object, which is also an iterator of its next numbers."""
        use = SequenceUse(sequence_name, initial_value, reset_value)
        return Sequence(self, use, using)

    # Numbers for a while.

    def reserve(
        self,
        sequence_name: str = "default",
        count: int = 1,
        *,
        initial_value: int = INITIAL_VALUE,
        reset_value: int | None = None,
        holder: str = "",
        lease_seconds: float = LEASE_SECONDS,
        using: str | None = None,
    ) -> Reservation:
        """Numbers for a while: confirmed when the block ends well, released when it fails.

            with store.sequences.reserve("invoices") as reservation:
                write_elsewhere(reservation.value, fence=reservation.token)
                reservation.holder = "row 7 of the ledger"

        `holder` says who has them for the journal. See Reservation for what becomes of the
        numbers when the program dies, and for use without a block.
        """
        use = SequenceUse(sequence_name, initial_value, reset_value)
        operation = ReserveNumbersOperation(use, count, holder, lease_seconds)
        return Reservation(operation, self._carry, using)

    # What there is.

    def get(
        self, sequence_name: str = "default", *, using: str | None = None
    ) -> SequenceInfo | None:
        """What is known of one sequence, None if there is none of that name."""
        try:
            found: SequenceInfo | None = self._carry.execute(
                GetSequenceOperation(sequence_name), using
            )
        except BadRequest as error:
            if error.kind == NO_SEQUENCE:
                return None
            raise
        return found

    def holders(
        self,
        sequence_name: str = "default",
        *,
        start: int = 1,
        page_size: int = PAGE_SIZE,
        using: str | None = None,
    ) -> Iterator[HeldNumbers]:
        """The journal: who holds which numbers, in the order in which they were taken.

        From the `start`-th number on; asked for page by page. Raises BadRequest if there is no such
        sequence.
        """
        ordinal: int | None = start
        while ordinal is not None:
            page: HoldersPage = self._carry.execute(
                GetHoldersOperation(sequence_name, ordinal, page_size), using
            )
            for row in page.rows:
                if row is not None:
                    yield row
            ordinal = page.next_start

    def holders_of(
        self, sequence_name: str, values: Collection[int], *, using: str | None = None
    ) -> dict[int, HeldNumbers | None]:
        """Who holds these numbers, 1,024 at most; None for one that was never taken."""
        wanted = tuple(dict.fromkeys(values))
        if not wanted:
            return {}
        page: HoldersPage = self._carry.execute(
            GetHoldersOperation(sequence_name, values=wanted), using
        )
        return dict(zip(wanted, page.rows, strict=True))

    def voided(
        self, sequence_name: str = "default", *, start: int = 1, using: str | None = None
    ) -> Iterator[HeldNumbers]:
        """The numbers that nobody has, with the reason why: the explained gaps of a sequence."""
        for row in self.holders(sequence_name, start=start, using=using):
            if row.state is NumberState.VOID:
                yield row

    def list(self, *, using: str | None = None) -> Iterator[SequenceInfo]:
        """All sequences in the order of their names; asked for page by page."""
        after, is_more = "", True
        while is_more:
            page: SequencePage = self._carry.execute(GetSequencesOperation(after), using)
            for each in page.sequences:
                yield each
                after = each.name
            is_more = page.next_after is not None

    def _take(self, use: SequenceUse, count: int, holder: str, using: str | None) -> TakenNumbers:
        operation = TakeNumbersOperation(use, count, holder)
        taken: TakenNumbers = self._carry.execute(operation, using)
        return taken


class Sequence:
    """One sequence: `store.sequences.Sequence("invoices")`. Iterating takes numbers, without end.

    What a number that was taken guarantees, and what not, is said at Sequences.
    """

    def __init__(self, sequences: Sequences, use: SequenceUse, using: str | None) -> None:
        self._sequences = sequences
        self._use = use
        self._using = using

    @property
    def sequence_name(self) -> str:
        """What it is called."""
        return self._use.name

    def get_next_value(self, *, nowait: bool = False, holder: str = "") -> int:
        """Take the next number."""
        return (self._sequences._take(self._use, 1, holder, self._using)).values[0]

    def get_next_values(
        self, batch_size: int, *, nowait: bool = False, holder: str = ""
    ) -> Row[int]:
        """Take so many numbers that follow each other."""
        return (self._sequences._take(self._use, batch_size, holder, self._using)).values

    def get_last_value(self) -> int | None:
        """The number that was taken last, None if none was."""
        return self._sequences.get_last_value(self._use.name, using=self._using)

    def delete(self) -> bool:
        """Forget the sequence, and who holds its numbers; whether there was one."""
        return self._sequences.delete(self._use.name, using=self._using)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> int:
        return self.get_next_value()
