"""Processes of the shop that work side by side, are forked, and die at the worst moment."""

from signal import SIGKILL

import pytest
from django.conf import settings
from django.core.management.base import CommandError
from django.db import connections, transaction
from django.test import override_settings

from scripts.local_cluster import wait_for
from tests.contrib.conftest import Shop
from tests.contrib.journal import (
    OUTSIDE,
    RESERVED,
    VOID,
    command,
    committed,
    invoice,
    numbers,
    reasons,
    states,
    unconfirmed,
    verify,
)

WORK = "tests.contrib.shop.work"
SHORT, LONG = "0.2", "600"
WAIT_SECONDS_MAX = 30.0


def test_eight_processes_at_once(shop: Shop, using: str, series: str) -> None:
    said = shop.run(WORK, "many", using, series, "8", "5", "4")
    assert said.split() == ["ended", *["0"] * 8]
    written, told = numbers(using, series), states(series)
    assert len(written) == 40
    void = [number for number, state in told.items() if state is VOID]
    assert sorted([*written, *void]) == list(range(1, len(told) + 1))
    assert set(reasons(series).values()) <= {"rolled back"}
    assert unconfirmed(using, series) == 0
    assert f"{len(told)} numbers: 40 in use" in verify(using, series)


def test_processes_that_die_at_any_place(shop: Shop, using: str, series: str) -> None:
    said = shop.run(WORK, "dying", using, series, "6", "3", SHOP_LEASE_SECONDS="1")
    assert said.split() == ["ended", *[str(int(SIGKILL))] * 6]
    wait_for(lambda: RESERVED not in states(series).values() or None, WAIT_SECONDS_MAX, "no end")
    # Two had committed, and told nobody: the journal has been too early.
    assert len(numbers(using, series)) == 6 * 3 + 2
    command("recover", "--database", using)
    told = states(series)
    assert [number for number, state in told.items() if state is OUTSIDE] == numbers(using, series)
    silent = [why for why in reasons(series).values() if why != "rolled back"]
    assert silent == ["the reservation ended without a word; it was for 'the shop'"] * 4
    assert f"{len(told)} numbers: 20 in use" in verify(using, series)


def test_a_process_that_dies_before_the_commit_leaves_a_void_number(
    shop: Shop, using: str, series: str
) -> None:
    assert committed(using, series) == 1
    assert killed(shop, "before_commit", using, series, SHORT) == 2
    wait_for(lambda: states(series)[2] is VOID or None, WAIT_SECONDS_MAX, "no end of the lease")
    assert states(series) == {1: OUTSIDE, 2: VOID}
    assert reasons(series) == {2: "the reservation ended without a word; it was for 'the shop'"}
    assert committed(using, series) == 3
    assert "3 numbers: 2 in use, 1 void" in verify(using, series)
    assert command("voided", series).startswith("2\t")


def test_a_process_that_dies_after_the_commit_is_found_out_in_time(
    shop: Shop, using: str, series: str
) -> None:
    assert killed(shop, "after_commit", using, series, LONG) == 1
    assert states(series) == {1: RESERVED}
    assert unconfirmed(using, series) == 1
    assert f"{series} 1\tdone" in command("recover", "--database", using)
    assert states(series) == {1: OUTSIDE}
    assert "1 in use" in verify(using, series)


def test_a_number_that_was_void_too_early_is_put_right_by_the_next_commit(
    shop: Shop, using: str, series: str
) -> None:
    assert killed(shop, "after_commit", using, series, SHORT) == 1
    wait_for(lambda: states(series)[1] is VOID or None, WAIT_SECONDS_MAX, "no end of the lease")
    with pytest.raises(CommandError, match="not proven: 1 wrong"):
        verify(using, series)
    # Nobody else gets it, and whoever commits next tells quoth.
    assert committed(using, series) == 2
    assert states(series) == {1: OUTSIDE, 2: OUTSIDE}
    assert unconfirmed(using, series) == 0
    assert "2 in use" in verify(using, series)


def test_a_transaction_that_outlives_its_lease_keeps_its_number(using: str, series: str) -> None:
    short = {"default": {**settings.QUOTH["default"], "LEASE_SECONDS": 0.05}}
    with override_settings(QUOTH=short), transaction.atomic(using=using):
        invoice(using, series)
        wait_for(lambda: states(series)[1] is VOID or None, WAIT_SECONDS_MAX, "no end of it")
    assert states(series) == {1: OUTSIDE}
    assert "1 in use" in verify(using, series)


def test_the_readme_of_django_sequences_works_with_another_import(
    shop: Shop, using: str, series: str
) -> None:
    shop.run(WORK, "readme", using, series, SHOP_DEFAULT=using)
    assert numbers(using, series) == [1, 2]
    assert states(series) == {1: OUTSIDE, 2: OUTSIDE}


def killed(shop: Shop, action: str, using: str, series: str, lease_seconds: str) -> int:
    """Kill -9 a process that has said its number, and return that."""
    connections[using].close()
    process = shop.start(WORK, action, using, series, SHOP_LEASE_SECONDS=lease_seconds)
    assert process.stdout is not None
    number = int(process.stdout.readline())
    process.kill()
    process.communicate()
    return number
