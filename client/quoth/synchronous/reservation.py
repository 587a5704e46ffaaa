# Made from asynchronous/reservation.py by `python -m scripts.twins`: change that one.
"""Reservation: numbers of a sequence for a while."""

import logging
from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from quoth.errors import Misuse, QuothError
from quoth.operations.sequences import (
    ConfirmNumbersOperation,
    ReleaseNumbersOperation,
    ReserveNumbersOperation,
    check_confirmation,
)
from quoth.reserving import is_certain_failure, reason_of
from quoth.sequences import ReservedNumbers, TakenNumbers
from quoth.synchronous.carrier import Carrier

log = logging.getLogger("quoth")


class Reservation:
    """Numbers of a sequence until they are confirmed or released, or their time is over.

        with store.sequences.reserve("invoices", holder="ledger") as reservation:
            print(reservation.value, reservation.token, reservation.until)

    At the end of the block

    * they are confirmed, if it ended well: `document_id` (with `path`) or else `holder` has them;
    * they are released if it raised an Exception: the next caller takes them, or, if others were
      taken since, they are void in the journal for that reason;
    * nothing is sent if the block may have done its work all the same: FateUnknown, what was done
      and not seen elsewhere in time (ReplicationTimeout), TimeoutError and ConnectionError of
      others, a cancelled task, Ctrl-C, and what came of these. When the lease ends they are void,
      and never given to another. Confirm them if they were used after all: that is taken later as
      well, `was_void` then tells that it was late.

    So a program that dies leaves numbers that are void, with the reason in the journal, and a gap
    that is explained. A block that raises something else after its work was done elsewhere must not
    let it out: the number would be released though it is used.

    Without a block, as by callbacks of another transaction: `begin`, then `confirm` or `release`.
    The `token` grows with every reservation: whoever writes elsewhere under it can refuse one that
    is lower than what was seen. A lease cannot be made longer: ask for what the work may take.
    """

    def __init__(
        self, operation: ReserveNumbersOperation, carry: Carrier, database: str | None
    ) -> None:
        self.holder: str | None = operation.holder
        self.document_id: str | None = None
        self.path: str | None = None
        self._operation = operation
        self._carry = carry
        self._database = database
        self._reserved: ReservedNumbers | None = None
        self._ended: TakenNumbers | None = None

    @property
    def sequence_name(self) -> str:
        """The sequence they are of."""
        return self._operation.use.name

    @property
    def values(self) -> Sequence[int]:
        """The numbers. Raises Misuse before `begin`."""
        return self._known().values

    @property
    def value(self) -> int:
        """The number, or the first of several."""
        return self._known().values[0]

    @property
    def token(self) -> int:
        """The fencing token."""
        return self._known().token

    @property
    def until(self) -> datetime:
        """When they are void unless confirmed before, in UTC by the cluster's clock."""
        return self._known().until

    @property
    def is_open(self) -> bool:
        """Whether it has begun, and has been neither confirmed nor released by this object."""
        return self._reserved is not None and self._ended is None

    def begin(self) -> Self:
        """Reserve. One of unknown fate (FateUnknown) leaves numbers that are void in time."""
        if self._reserved is not None:
            raise Misuse("this reservation has begun already: reserve again for other numbers")
        self._reserved = self._carry.execute(self._operation, self._database)
        return self

    def confirm(
        self,
        *,
        holder: str | None = None,
        document_id: str | None = None,
        path: str | None = None,
    ) -> TakenNumbers:
        """Say who has the numbers; without arguments what `document_id` or `holder` says.

        `path` is a JSON pointer to where they stand in the document (`/Number`), which is checked.
        Raises BadRequest if the reservation was released before. After FateUnknown it can be called
        again: BadRequest of kind ReservationEndedException then says that the first one was done.
        """
        if holder is None and document_id is None:
            document_id, path = self.document_id, path or self.path
            holder = self.holder if document_id is None else None
        check_confirmation(holder, document_id, path)
        operation = ConfirmNumbersOperation(
            self.sequence_name, self._open().token, holder, document_id, path
        )
        ended: TakenNumbers = self._carry.execute(operation, self._database)
        self._ended = ended
        return ended

    def release(self, reason: str) -> TakenNumbers:
        """Say that nobody has the numbers, and why. Only who certainly did not use them may."""
        operation = ReleaseNumbersOperation(self.sequence_name, self._open().token, reason)
        ended: TakenNumbers = self._carry.execute(operation, self._database)
        self._ended = ended
        return ended

    def __enter__(self) -> Self:
        return self.begin()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.is_open:
            return
        if error is None:
            self.confirm()
        elif is_certain_failure(error):
            try:
                self.release(reason_of(error))
            except QuothError as refused:
                # What failed first is what the program must hear; time ends the reservation.
                error.add_note(f"and the numbers could not be released: {refused}")
                log.warning("numbers of %s were not released: %s", self.sequence_name, refused)

    def _known(self) -> ReservedNumbers:
        if self._reserved is None:
            raise Misuse("the reservation has not begun: use it in a with block, or call begin()")
        return self._reserved

    def _open(self) -> ReservedNumbers:
        known = self._known()
        if self._ended is not None:
            raise Misuse("the reservation has been confirmed or released already")
        return known
