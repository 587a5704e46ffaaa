"""Processes of the shop: `python -m tests.contrib.shop.work ACTION USING SERIES ...`."""

import os
import signal
import sys
from collections.abc import Callable

import django

django.setup()

from django.db import connections, transaction  # noqa: E402

from quoth.contrib.django.sequences import get_next_value  # noqa: E402
from tests.contrib.shop.models import Invoice  # noqa: E402


class ChangedItsMind(Exception):
    """A reason to roll back."""


def invoice(using: str, series: str) -> int:
    """A new invoice, in the open transaction."""
    number = get_next_value(series, using=using)
    Invoice.objects.using(using).create(series=series, number=number)
    return number


def many(using: str, series: str, processes: str, invoices: str, rollback_each: str) -> None:
    """Fork, as servers of applications do, and write invoices in each process."""
    each, every = int(invoices), int(rollback_each)
    _fork(using, series, int(processes), lambda _: _write(using, series, each, every))


def dying(using: str, series: str, processes: str, invoices: str) -> None:
    """Write invoices in forked processes that die in the middle of one, each at another place."""
    each = int(invoices)
    _fork(using, series, int(processes), lambda number: _die(using, series, each, number % 3))


def _fork(using: str, series: str, processes: int, work: Callable[[int], None]) -> None:
    get_next_value(f"{series} of the parent", using=using)  # its store is in use when it forks
    connections.close_all()
    children = []
    for number in range(processes):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                work(number)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    print("ended", *(os.waitpid(child, 0)[1] for child in children))


def _die(using: str, series: str, invoices: int, place: int) -> None:
    _write(using, series, invoices, rollback_each=3)
    with transaction.atomic(using=using):
        if place == 0:
            transaction.on_commit(_kill_me, using=using)
        if place == 1:
            get_next_value(series, using=using)
            _kill_me()
        invoice(using, series)
        if place == 2:
            _kill_me()


def _kill_me() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _write(using: str, series: str, invoices: int, rollback_each: int) -> None:
    written = attempt = 0
    while written < invoices:
        attempt += 1
        try:
            with transaction.atomic(using=using):
                invoice(using, series)
                if attempt % rollback_each == 0:
                    raise ChangedItsMind
            written += 1
        except ChangedItsMind:
            continue


def before_commit(using: str, series: str) -> None:
    """Say the number, and wait to be killed before the commit."""
    with transaction.atomic(using=using):
        _say_and_wait(invoice(using, series))


def after_commit(using: str, series: str) -> None:
    """Commit, and wait to be killed before quoth is told."""
    with transaction.atomic(using=using):
        taken: list[int] = []
        transaction.on_commit(lambda: _say_and_wait(*taken), using=using)
        taken.append(invoice(using, series))


def readme(using: str, series: str) -> None:
    """What the README of django-sequences shows, with another import."""
    from django.db import transaction

    from quoth.contrib.django.sequences import Sequence, get_next_value

    with transaction.atomic():
        Invoice.objects.create(series=series, number=get_next_value(series))

    invoice_numbers = Sequence(series)

    with transaction.atomic():
        Invoice.objects.create(series=series, number=next(invoice_numbers))


def _say_and_wait(number: int) -> None:
    print(number, flush=True)
    sys.stdin.read()


ACTIONS: dict[str, Callable[..., None]] = {
    each.__name__: each for each in (many, dying, before_commit, after_commit, readme)
}

if __name__ == "__main__":
    ACTIONS[sys.argv[1]](*sys.argv[2:])
