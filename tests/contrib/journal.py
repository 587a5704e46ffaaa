"""What the tests ask of quoth and of the shop about one series of invoices."""

from io import StringIO
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.db import transaction

from quoth import NumberState
from quoth.contrib.django.sequences import get_next_value
from quoth.contrib.django.stores import stores

OUTSIDE, RESERVED, VOID = NumberState.OUTSIDE, NumberState.RESERVED, NumberState.VOID


def rows_of(model: str, using: str) -> Any:
    """The rows of a model, which cannot be imported before the project is set up."""
    return apps.get_model(model).objects.using(using)


def states(series: str) -> dict[int, NumberState]:
    """What the journal says of each number."""
    sequences = stores["default"].sequences
    if sequences.get(series) is None:
        return {}
    return {
        number: row.state
        for row in sequences.holders(series)
        for number in range(row.number, row.number + row.count)
    }


def reasons(series: str) -> dict[int, str | None]:
    """Why numbers are void."""
    return {row.number: row.reason for row in stores["default"].sequences.voided(series)}


def numbers(using: str, series: str) -> list[int]:
    """The numbers of committed invoices."""
    rows = rows_of("shop.Invoice", using).filter(series=series).order_by("number")
    return list(rows.values_list("number", flat=True))


def unconfirmed(using: str, series: str) -> int:
    """How many rows of the app stand for a series."""
    return len(rows_of("quoth.UnconfirmedNumbers", using).filter(sequence_name=series))


def invoice(using: str, series: str) -> int:
    """Write an invoice in the open transaction."""
    number = get_next_value(series, using=using)
    rows_of("shop.Invoice", using).create(series=series, number=number)
    return number


def committed(using: str, series: str) -> int:
    """An invoice that is committed."""
    with transaction.atomic(using=using):
        return invoice(using, series)


def verify(using: str, series: str, *more: str) -> str:
    """What the command says of the series. Raises CommandError if it is not proven."""
    return command("verify", series, "--database", using, "--field", "shop.Invoice.number",
                   "--filter", f"series={series}", *more)  # fmt: skip


def command(*arguments: str) -> str:
    """What `manage.py quoth_sequences` prints."""
    printed = StringIO()
    call_command("quoth_sequences", *arguments, stdout=printed)
    return printed.getvalue()
