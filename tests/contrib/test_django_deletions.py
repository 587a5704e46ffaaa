"""A sequence is deleted exactly if the transaction that deletes it is committed."""

import logging
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, connections, transaction
from django.test import override_settings
from django.utils import timezone

from quoth.contrib.django import sequences
from quoth.contrib.django.stores import stores
from tests.contrib.journal import (
    OUTSIDE,
    RESERVED,
    command,
    committed,
    invoice,
    numbers,
    rows_of,
    states,
    unconfirmed,
)


class ChangedItsMind(Exception):
    """A reason to roll back."""


def test_a_deletion_follows_its_transaction(using: str, series: str) -> None:
    committed(using, series)
    with pytest.raises(ChangedItsMind), transaction.atomic(using=using):
        assert sequences.delete(series, using=using)
        assert not sequences.delete(series, using=using)
        assert sequences.get_last_value(series, using=using) is None
        with pytest.raises(transaction.TransactionManagementError, match="deletes the sequence"):
            sequences.get_next_value(series, using=using)
        raise ChangedItsMind
    assert states(series) == {1: OUTSIDE}
    with transaction.atomic(using=using):
        assert invoice(using, series) == 2
        assert sequences.delete(series, using=using)
        assert states(series) == {1: OUTSIDE, 2: RESERVED}
    assert states(series) == {}
    assert not sequences.delete(series, using=using)
    assert unconfirmed(using, series) == 0


def test_a_deletion_is_taken_back_with_a_savepoint(using: str, series: str) -> None:
    committed(using, series)
    with transaction.atomic(using=using):
        with pytest.raises(ChangedItsMind), transaction.atomic(using=using):
            assert sequences.delete(series, using=using)
            raise ChangedItsMind
        assert invoice(using, series) == 2
        savepoint = transaction.savepoint(using=using)
        assert sequences.delete(series, using=using)
        transaction.savepoint_rollback(savepoint, using=using)
        assert invoice(using, series) == 3
    assert states(series) == dict.fromkeys((1, 2, 3), OUTSIDE)
    assert numbers(using, series) == [1, 2, 3]


def test_a_transaction_that_only_seems_to_be_committed_deletes_nothing(
    using: str, series: str
) -> None:
    committed(using, series)
    with transaction.atomic(using=using):
        sequences.delete(series, using=using)
        rows_of("shop.Invoice", using).filter(series=series).delete()
        with connections[using].cursor() as cursor, pytest.raises(DatabaseError):
            cursor.execute("SELECT nonsense")
    # PostgreSQL answers ROLLBACK to such a COMMIT, and Django does not look.
    was_committed = numbers(using, series) == []
    assert was_committed == (using == "sqlite")
    assert states(series) == ({} if was_committed else {1: OUTSIDE})


def test_a_callback_that_fails_does_not_keep_a_sequence(using: str, series: str) -> None:
    def fails() -> None:
        raise ChangedItsMind

    committed(using, series)
    with pytest.raises(ChangedItsMind), transaction.atomic(using=using):
        transaction.on_commit(fails, using=using)
        sequences.delete(series, using=using)
    assert states(series) == {}


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_deletion_that_quoth_was_not_told_is_done_later_unless_the_sequence_has_gone_on(
    using: str, series: str, goes_on: bool, shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    committed(using, series)
    away = {"default": {**settings.QUOTH["default"], "URLS": ["http://127.0.0.1:9"]}}
    with override_settings(), caplog.at_level(logging.ERROR, "quoth.django"):
        with transaction.atomic(using=using):
            assert sequences.delete(series, using=using)
            settings.QUOTH = away
            stores.close()
    stores.close()
    assert f"the deletion of {series}: quoth could not be told" in caplog.text
    assert (states(series), unconfirmed(using, series)) == ({1: OUTSIDE}, 1)
    if goes_on:
        assert committed(using, series) == 2
        assert f"the deletion of {series}\tovertaken" in command("recover", "--database", using)
        assert states(series) == {1: OUTSIDE, 2: OUTSIDE}
    else:
        rows = rows_of("quoth.UnconfirmedNumbers", using).filter(sequence_name=series)
        rows.update(due=timezone.now())
        committed(using, f"{series}, another")
        assert states(series) == {}
    assert unconfirmed(using, series) == 0
