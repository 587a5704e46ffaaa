"""Tells quoth which numbers committed transactions have, by what stands in the app's table.

A committed row of UnconfirmedNumbers is the proof that its numbers are used. A confirmation may be
sent any number of times, and also after the lease: so whoever sees such a row may send it.
"""

import logging
from collections.abc import Collection, Iterable
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from quoth import DocumentStore
from quoth.contrib.django.stores import stores
from quoth.errors import BadRequest, QuothError
from quoth.operations.sequences import NO_SEQUENCE, ConfirmNumbersOperation
from quoth.sequences import NumberState, TakenNumbers

if TYPE_CHECKING:
    from quoth.contrib.django.models import UnconfirmedNumbers

LEFT_AT_ONCE_MAX = 100
RETRY = timedelta(seconds=60)
ENDED = "ReservationEndedException"
log = logging.getLogger("quoth.django")


class Told(Enum):
    """What became of a confirmation."""

    DONE = "done"
    LATE = "late"  # the journal had called the numbers void
    DELETED = "deleted"  # there is no such sequence any more
    WRONG = "wrong"  # the journal says that somebody else has them
    FAILED = "failed"  # quoth did not answer, or refused


def table() -> Any:
    """The class UnconfirmedNumbers, which cannot be imported before the apps are loaded."""
    return apps.get_model("quoth", "UnconfirmedNumbers")


def confirm_committed(using: str, tokens: Collection[int]) -> set[tuple[str, int]]:
    """Confirm the rows of these reservations, and some that others have left behind.

    To be called when nothing can be rolled back any more. Returns the stores and tokens that have
    a row.
    """
    rows = table().objects.using(using)
    mine = list(rows.filter(token__in=tokens))
    left = rows.filter(due__lt=timezone.now()).exclude(token__in=tokens)
    _confirm(using, [*mine, *left.order_by("due")[:LEFT_AT_ONCE_MAX]])
    return {(row.store, row.token) for row in mine}


def recover(using: str) -> "list[tuple[UnconfirmedNumbers, Told]]":
    """Confirm every row that stands in the table of a database now, and say what became of each."""
    return _confirm(using, table().objects.using(using).order_by("due").iterator())


def _confirm(
    using: str, rows: "Iterable[UnconfirmedNumbers]"
) -> "list[tuple[UnconfirmedNumbers, Told]]":
    told = [(row, tell(row)) for row in rows]
    over = [row.pk for row, outcome in told if outcome in (Told.DONE, Told.LATE, Told.DELETED)]
    again = [row.pk for row, outcome in told if outcome in (Told.WRONG, Told.FAILED)]
    objects = table().objects.using(using)
    if over:
        objects.filter(pk__in=over).delete()
    if again:
        objects.filter(pk__in=again).update(due=timezone.now() + RETRY)
    return told


def tell(row: "UnconfirmedNumbers") -> Told:
    """Confirm the numbers of one row."""
    operation = ConfirmNumbersOperation(row.sequence_name, row.token, row.holder)
    try:
        store = stores[row.store]
        try:
            taken: TakenNumbers = store.send(operation)
        except BadRequest as error:
            return _refused(store, row, error)
    except (QuothError, ImproperlyConfigured) as error:
        log.error("%s could not be confirmed, and will be later: %s", row, error)
        return Told.FAILED
    if taken.was_void:
        log.warning("%s was confirmed late: its reservation had ended", row)
    return Told.LATE if taken.was_void else Told.DONE


def _refused(store: DocumentStore, row: "UnconfirmedNumbers", error: BadRequest) -> Told:
    if error.kind == NO_SEQUENCE:
        log.warning("%s is of a sequence that was deleted", row)
        return Told.DELETED
    if error.kind != ENDED:
        raise error
    # It was confirmed before, and the answer, or whoever waited for it, was lost.
    found = store.sequences.holders_of(row.sequence_name, [row.first_value])[row.first_value]
    if found is not None and found.state is NumberState.OUTSIDE and found.holder == row.holder:
        return Told.DONE
    log.error("%s (token %s) is used by a committed row, and the journal has %s", row, row.token,
              found)  # fmt: skip
    return Told.WRONG
