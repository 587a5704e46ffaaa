"""`manage.py quoth_sequences`, and what `manage.py check` says."""

import unittest
from typing import Any

import pytest
import sequences as django_sequences
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import TestCase, override_settings

from quoth.contrib.django import sequences
from quoth.contrib.django.checks import check_isolation, check_settings, check_transactions
from quoth.contrib.django.sequences import get_next_value, get_next_values
from quoth.contrib.django.stores import settings_for, stores
from tests.contrib.conftest import Shop
from tests.contrib.journal import OUTSIDE, RESERVED, command, committed, rows_of, states, verify

ENTRY = {"URLS": ["http://127.0.0.1:8080"], "DATABASE": "shop"}


def test_sequences_are_listed(using: str, series: str) -> None:
    committed(using, series)
    get_next_values(4, series, using=using)
    head, *rows = command("list", "--database", using).splitlines()
    assert head.split("\t")[:3] == ["name", "last value", "taken"]
    assert f"{series}\t5\t5\t0\t0\t1\t-" in rows


def test_verify_finds_what_contradicts_the_journal(using: str, series: str) -> None:
    invoices = rows_of("shop.Invoice", using)
    for _ in range(4):
        committed(using, series)
    assert "4 numbers: 4 in use" in verify(using, series)

    get_next_value(series, using=using)  # taken outside of a transaction, and never saved
    invoices.filter(series=series, number=2).delete()
    invoices.create(series=series, number=99)
    with pytest.raises(CommandError, match="not proven: 3 wrong"):
        verify(using, series)
    # Without the rows only the journal is proven.
    assert "5 numbers: 5 in use" in command("verify", series, "--database", using)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("verify", "no such"), "there is no sequence 'no such'"),
        (("verify", "SERIES", "--field", "number"), "app.Model.field"),
        (("verify", "SERIES", "--field", "shop.Bill.number"), "Bill"),
        (("verify", "SERIES", "--field", "shop.Invoice.amount"), "amount"),
        (("voided", "no such"), "no sequence"),
        (("verify", "SERIES", "--field", "shop.Invoice.number", "--filter", "payment__at=soon"),
         "soon"),
        (("list", "--database", "nowhere"), "nowhere"),
        (("recover", "--database", "nowhere"), "nowhere"),
        (("move", "no such"), "no sequence no such"),
    ],
)
def test_wrong_words_are_told(
    shop: Shop, series: str, arguments: tuple[str, ...], complaint: str
) -> None:
    committed("sqlite", series)
    told = [series if each == "SERIES" else each for each in arguments]
    if complaint is None:
        with (
            override_settings(QUOTH={"archive": ENTRY}),
            pytest.raises(CommandError, match="QUOTH"),
        ):
            command(*told)
        return
    with pytest.raises(CommandError, match=complaint):
        command(*told)


def test_sequences_go_on_where_django_sequences_was(using: str, series: str) -> None:
    other = f"{series} from 1000"
    for _ in range(3):
        django_sequences.get_next_value(series, using=using)
    django_sequences.get_next_values(12_000, other, initial_value=1000, using=using)

    assert f"{series}\t3\t3 taken" in command("move", series, "--database", using)
    moved = command("move", other, "--initial-value", "1000", "--database", using)
    assert moved == f"{other}\t12999\t12000 taken\n"
    assert command("move", other, "--database", using) == f"{other}\t12999\t0 taken\n"

    assert states(series) == dict.fromkeys((1, 2, 3), OUTSIDE)
    assert committed(using, series) == 4
    assert get_next_value(other, initial_value=1000, using=using) == 13_000
    with pytest.raises(CommandError, match="is at 4 in quoth, and at 3 in sequences_sequence"):
        command("move", series, "--database", using)


def test_a_sequence_that_was_deleted_needs_no_confirmation(using: str, series: str) -> None:
    rows = rows_of("quoth.UnconfirmedNumbers", using)
    committed(using, series)
    row = {"store": "default", "sequence_name": series, "token": 2**62, "first_value": 1,
           "count": 1, "holder": "the shop", "due": "2024-01-01T00:00:00Z"}  # fmt: skip
    rows.create(**row)
    # The token was used up, and the journal has the number for this holder.
    assert f"{series} 1\tdone" in command("recover", "--database", using)
    rows.create(**{**row, "holder": "somebody else"})
    with pytest.raises(CommandError, match="1 of 1 could not be confirmed"):
        command("recover", "--database", using)
    sequences.delete(series, using=using)
    assert f"{series} 1\tdeleted" in command("recover", "--database", using)
    assert not rows.filter(sequence_name=series).exists()


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        (None, "QUOTH is missing"),
        ({}, "QUOTH is missing"),
        ({"default": {"DATABASE": "shop"}}, r"QUOTH\['default'\] lacks URLS"),
        ({"default": {**ENTRY, "LEASE": 3}}, "has LEASE, which is none of"),
        ({"default": {**ENTRY, "LEASE_SECONDS": 0}}, "a lease has"),
        ({"default": {**ENTRY, "URLS": ["nowhere"]}}, "nowhere"),
        ({"default": {**ENTRY, "URLS": [7]}}, "list of texts"),
        ({"default": {**ENTRY, "URLS": 7}}, "list of texts"),
        ({"default": {**ENTRY, "HOLDER": "\ud800"}}, "HOLDER cannot be sent"),
        ({"default": "http://127.0.0.1:8080"}, "must be a dictionary"),
    ],
)
def test_wrong_settings_are_told(shop: Shop, setting: Any, complaint: str) -> None:
    with override_settings(QUOTH=setting):
        (error,) = check_settings()
        assert error.id == "quoth.E001"
        with pytest.raises(ImproperlyConfigured, match=complaint):
            get_next_value("any")


def test_a_database_has_the_entry_of_its_name(shop: Shop) -> None:
    with override_settings(QUOTH={"default": ENTRY, "archive": {**ENTRY, "DATABASE": "old"}}):
        assert settings_for("archive").database == "old"
        assert settings_for("sqlite").database == "shop"
        assert stores["archive"].database == "old"
    with override_settings(QUOTH={"archive": ENTRY}):
        with pytest.raises(CommandError, match='no entry "sqlite", and no "default"'):
            command("list", "--database", "sqlite")


def test_the_project_is_checked(shop: Shop, using: str) -> None:
    call_command("check", databases=[using])
    call_command("makemigrations", "quoth", check=True, dry_run=True, verbosity=0)
    assert not check_isolation()
    assert not check_transactions(databases=[using])
    dirty = {**settings.DATABASES[using], "OPTIONS": {"isolation_level": "READ UNCOMMITTED"}}
    with pytest.warns(UserWarning), override_settings(DATABASES={using: dirty}):
        found = [error.id for error in check_isolation()]
    # PostgreSQL takes it for READ COMMITTED.
    assert found == ([] if using == "postgresql" else ["quoth.E002"])


def test_tests_of_a_project_give_their_numbers_back(shop: Shop, series: str) -> None:
    class ATest(TestCase):
        databases = "__all__"

        def runTest(self) -> None:
            assert get_next_value(series) == 1
            assert states(series) == {1: RESERVED}
            with self.captureOnCommitCallbacks(execute=True):
                assert committed("default", f"{series}, told") == 1
            assert states(f"{series}, told") == {1: OUTSIDE}

    result = unittest.TestResult()
    unittest.TestSuite([ATest()]).run(result)
    assert result.testsRun == 1 and result.wasSuccessful(), [*result.errors, *result.failures]
    assert states(series) == {}
