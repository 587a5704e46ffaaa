"""Tells quoth which numbers committed transactions have, by what stands in the app's table.

A committed row of UnconfirmedNumbers is the proof that its numbers are used. A confirmation may be
sent any number of times, and also after the lease: so whoever sees such a row may send it.

A committed row may also say that a sequence is deleted. Who has committed it does that; others do
it in his place only if no number was taken since, which would be given to another again.
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
from quoth.errors import BadRequest, Indefinite, NotSent, QuothError
from quoth.operations.sequences import NO_SEQUENCE, ConfirmNumbersOperation
from quoth.sequences import NumberState, TakenNumbers

if TYPE_CHECKING:
    from quoth.contrib.django.models import UnconfirmedNumbers

LEFT_AT_ONCE_MAX = 100
RETRY = timedelta(seconds=60)
ENDED = "ReservationEndedException"
AWAY = (NotSent, Indefinite)  # whoever asks next will not be answered either
log = logging.getLogger("quoth.django")


class Told(Enum):
    """What became of a row."""

    DONE = "done"
    LATE = "late"  # the journal had called the numbers void
    DELETED = "deleted"  # there is no such sequence any more
    WRONG = "wrong"  # the journal says that somebody else has them
    OVERTAKEN = "overtaken"  # the sequence was to be deleted, and has gone on since
    FAILED = "failed"  # quoth refused
    UNANSWERED = "unanswered"


NOT_YET = (Told.WRONG, Told.FAILED, Told.UNANSWERED)


def table() -> Any:
    """The class UnconfirmedNumbers, which cannot be imported before the apps are loaded."""
    return apps.get_model("quoth", "UnconfirmedNumbers")


def written(using: str, tokens: Collection[int]) -> "list[UnconfirmedNumbers]":
    """The rows of these tokens, those of deletions last."""
    rows = table().objects.using(using).filter(token__in=tokens)
    return sorted(rows, key=lambda row: (row.is_deletion, row.pk))


def confirm_committed(using: str, tokens: Collection[int]) -> set[tuple[str, int]]:
    """Carry out what the rows of these tokens say, and some that others have left behind.

    To be called when nothing can be rolled back any more. Returns the stores and tokens that have
    a row.
    """
    mine = written(using, tokens)
    left = table().objects.using(using).filter(due__lt=timezone.now()).exclude(token__in=tokens)
    _confirm(using, [*mine, *left.order_by("due")[:LEFT_AT_ONCE_MAX]], mine=frozenset(tokens))
    return {(row.store, row.token) for row in mine}


def recover(using: str) -> "list[tuple[UnconfirmedNumbers, Told]]":
    """Carry out every row that stands in the table of a database now; what became of each."""
    return _confirm(using, table().objects.using(using).order_by("due").iterator())


def _confirm(
    using: str, rows: "Iterable[UnconfirmedNumbers]", *, mine: Collection[int] = ()
) -> "list[tuple[UnconfirmedNumbers, Told]]":
    told: list[tuple[UnconfirmedNumbers, Told]] = []
    away: set[str] = set()
    for row in rows:
        # To wait as long for each would keep the program.
        outcome = Told.UNANSWERED if row.store in away else tell(row, is_mine=row.token in mine)
        if outcome is Told.UNANSWERED:
            away.add(row.store)
        told.append((row, outcome))
    again = [row.pk for row, outcome in told if outcome in NOT_YET]
    over = [row.pk for row, outcome in told if outcome not in NOT_YET]
    objects = table().objects.using(using)
    if over:
        objects.filter(pk__in=over).delete()
    if again:
        objects.filter(pk__in=again).update(due=timezone.now() + RETRY)
    return told


def tell(row: "UnconfirmedNumbers", *, is_mine: bool = False) -> Told:
    """Confirm the numbers of one row, or delete the sequence."""
    try:
        store = stores[row.store]
        if row.is_deletion:
            return _delete(store, row, is_mine)
        operation = ConfirmNumbersOperation(row.sequence_name, row.token, row.holder)
        try:
            taken: TakenNumbers = store.send(operation)
        except BadRequest as error:
            return _refused(store, row, error)
    except (QuothError, ImproperlyConfigured) as error:
        log.error("%s: quoth could not be told, and will be later: %s", row, error)
        return Told.UNANSWERED if isinstance(error, AWAY) else Told.FAILED
    if taken.was_void:
        log.warning("%s was confirmed late: its reservation had ended", row)
    return Told.LATE if taken.was_void else Told.DONE


def _delete(store: DocumentStore, row: "UnconfirmedNumbers", is_mine: bool) -> Told:
    if not is_mine:
        info = store.sequences.get(row.sequence_name)
        if info is not None and info.taken != row.first_value:
            log.warning("%s is not deleted: it had %s numbers when that was committed, and has %s",
                        row.sequence_name, row.first_value, info.taken)  # fmt: skip
            return Told.OVERTAKEN
    store.sequences.delete(row.sequence_name)
    return Told.DONE


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
