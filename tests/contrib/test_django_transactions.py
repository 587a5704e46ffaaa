"""Numbers follow the transactions of Django: commits, rollbacks, savepoints, and what goes wrong.

The journal of quoth and the rows of the shop are compared after each story.
"""

import asyncio
import inspect
import logging
import socket
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sequences as django_sequences
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import SynchronousOnlyOperation
from django.db import DatabaseError, IntegrityError, OperationalError, connections, transaction
from django.db.transaction import TransactionManagementError
from django.test import override_settings
from django.utils import timezone

from quoth import NotSent
from quoth.contrib.django import sequences
from quoth.contrib.django.sequences import Sequence, get_next_value, get_next_values
from quoth.contrib.django.stores import stores
from quoth.contrib.django.transactions import is_certainly_refused
from tests.contrib.journal import (
    OUTSIDE,
    RESERVED,
    VOID,
    command,
    committed,
    invoice,
    numbers,
    reasons,
    rows_of,
    states,
    unconfirmed,
    verify,
)


class ChangedItsMind(Exception):
    """A reason to roll back."""


def test_the_functions_have_the_parameters_of_django_sequences(shop: Any) -> None:
    def parameters(thing: Any) -> list[tuple[Any, ...]]:
        found = inspect.signature(thing).parameters.values()
        return [(each.name, each.kind, each.default) for each in found]

    names = ("get_next_value", "get_next_values", "get_last_value", "delete", "Sequence")
    for name in names:
        assert parameters(getattr(sequences, name)) == parameters(getattr(django_sequences, name))
    for name in names[:-1]:
        theirs = getattr(django_sequences.Sequence, name)
        assert parameters(getattr(Sequence, name)) == parameters(theirs)


def test_a_number_is_reserved_until_the_commit(using: str, series: str) -> None:
    with transaction.atomic(using=using):
        assert invoice(using, series) == 1
        assert states(series) == {1: RESERVED}
    assert states(series) == {1: OUTSIDE}
    assert unconfirmed(using, series) == 0
    assert "1 in use" in verify(using, series)


def test_what_is_rolled_back_is_given_back(using: str, series: str) -> None:
    with pytest.raises(ChangedItsMind), transaction.atomic(using=using):
        assert [invoice(using, series) for _ in range(3)] == [1, 2, 3]
        assert list(get_next_values(2, series, using=using)) == [4, 5]
        raise ChangedItsMind
    assert states(series) == {}
    assert committed(using, series) == 1
    assert numbers(using, series) == [1]


def test_a_number_that_others_have_passed_is_void_with_a_reason(using: str, series: str) -> None:
    with pytest.raises(ChangedItsMind), transaction.atomic(using=using):
        assert get_next_value(series, using=using) == 1
        with ThreadPoolExecutor(1) as thread:
            # Nobody waits for the open transaction.
            assert thread.submit(_taken_outside, using, series).result() == 2
        raise ChangedItsMind
    assert states(series) == {1: VOID, 2: OUTSIDE}
    assert reasons(series) == {1: "rolled back"}


def test_a_savepoint_gives_back_what_was_taken_in_it(using: str, series: str) -> None:
    with transaction.atomic(using=using):
        assert invoice(using, series) == 1
        with pytest.raises(ChangedItsMind), transaction.atomic(using=using):
            assert invoice(using, series) == 2
            with transaction.atomic(using=using):
                assert invoice(using, series) == 3
            raise ChangedItsMind
        assert states(series) == {1: RESERVED}
        with transaction.atomic(using=using):
            assert invoice(using, series) == 2
    assert states(series) == {1: OUTSIDE, 2: OUTSIDE}
    assert "2 in use" in verify(using, series)


def test_a_block_without_a_savepoint_takes_all_down_with_it(using: str, series: str) -> None:
    with transaction.atomic(using=using):
        invoice(using, series)
        with pytest.raises(ChangedItsMind), transaction.atomic(using=using, savepoint=False):
            invoice(using, series)
            raise ChangedItsMind
        with pytest.raises(TransactionManagementError, match="current transaction"):
            get_next_value(series, using=using)
        assert states(series) == {1: RESERVED, 2: RESERVED}
    assert (states(series), numbers(using, series)) == ({}, [])


def test_a_savepoint_by_hand_is_found_out_at_the_commit(using: str, series: str) -> None:
    with transaction.atomic(using=using):
        assert invoice(using, series) == 1
        savepoint = transaction.savepoint(using=using)
        assert invoice(using, series) == 2
        # Django keeps the callbacks of what was done since.
        transaction.savepoint_rollback(savepoint, using=using)
        assert invoice(using, series) == 3
    assert numbers(using, series) == [1, 3]
    assert states(series) == {1: OUTSIDE, 2: VOID, 3: OUTSIDE}
    assert "2 in use, 1 void" in verify(using, series)


def test_set_rollback_rolls_back(using: str, series: str) -> None:
    with transaction.atomic(using=using):
        invoice(using, series)
        transaction.set_rollback(True, using=using)
    assert (states(series), numbers(using, series)) == ({}, [])


def test_a_connection_that_is_closed_in_a_transaction_gives_back(using: str, series: str) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(using=using):
        invoice(using, series)
        connections[using].close()
        assert states(series) == {}
        invoice(using, series)
    assert committed(using, series) == 1
    assert numbers(using, series) == [1]


def test_a_server_that_ends_the_connection_before_the_commit_gives_back(
    using: str, series: str
) -> None:
    if using != "postgresql":
        pytest.skip("SQLite has no server")
    with pytest.raises(DatabaseError), transaction.atomic(using=using):
        invoice(using, series)
        with connections[using].cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    connections[using].close()
    assert (states(series), numbers(using, series)) == ({}, [])


async def test_views_that_are_coroutines_take_numbers_in_threads(using: str, series: str) -> None:
    def view() -> int:
        try:
            return committed(using, series)
        finally:
            connections[using].close()

    assert await sync_to_async(view)() == 1
    side_by_side = (sync_to_async(view, thread_sensitive=False)() for _ in range(4))
    assert sorted(await asyncio.gather(*side_by_side)) == [2, 3, 4, 5]
    assert states(series) == dict.fromkeys(range(1, 6), OUTSIDE)


def test_a_commit_that_is_refused_gives_back(using: str, series: str) -> None:
    with pytest.raises(IntegrityError), transaction.atomic(using=using):
        invoice(using, series)
        rows_of("shop.Payment", using).create(invoice_id=-1)  # looked at by COMMIT
    assert (states(series), numbers(using, series)) == ({}, [])


@pytest.mark.parametrize("was_done", [False, True])
def test_a_commit_without_an_answer_releases_nothing(
    using: str, series: str, was_done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connections[using]
    commit = connection._commit

    def lost() -> None:
        if was_done:
            commit()
        connection.connection.close()
        raise OperationalError if using == "postgresql" else KeyboardInterrupt

    with pytest.raises((KeyboardInterrupt, DatabaseError)), transaction.atomic(using=using):
        invoice(using, series)
        monkeypatch.setattr(connection, "_commit", lost)
    monkeypatch.undo()
    connection.close()
    assert states(series) == {1: RESERVED}
    assert numbers(using, series) == ([1] if was_done else [])
    assert unconfirmed(using, series) == (1 if was_done else 0)


def test_only_what_a_server_has_answered_is_certain() -> None:
    def raised(state: str | None) -> DatabaseError:
        error, cause = DatabaseError("COMMIT"), Exception("of the driver")
        cause.sqlstate = state  # type: ignore[attr-defined]
        error.__cause__ = cause
        return error

    told = {state: is_certainly_refused("postgresql", raised(state))
            for state in ("40001", "40P01", "40003", "57P01", "08006", None)}  # fmt: skip
    assert [state for state, certain in told.items() if certain] == ["40001", "40P01"]
    assert is_certainly_refused("postgresql", IntegrityError())

    def raised_by_sqlite(code: int) -> DatabaseError:
        error, cause = OperationalError("COMMIT"), Exception("of the driver")
        cause.sqlite_errorcode = code  # type: ignore[attr-defined]
        error.__cause__ = cause
        return error

    told_by_sqlite = {
        code: is_certainly_refused("sqlite", raised_by_sqlite(code))
        for code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_SNAPSHOT, sqlite3.SQLITE_FULL,
                     sqlite3.SQLITE_IOERR, sqlite3.SQLITE_IOERR_FSYNC)
    }  # fmt: skip
    assert [code for code, certain in told_by_sqlite.items() if certain] == [
        *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_SNAPSHOT),
    ]
    assert not is_certainly_refused("sqlite", KeyboardInterrupt())


def test_a_callback_that_fails_keeps_no_number_unconfirmed(using: str, series: str) -> None:
    def fails() -> None:
        raise ChangedItsMind

    with pytest.raises(ChangedItsMind), transaction.atomic(using=using):
        transaction.on_commit(fails, using=using)
        invoice(using, series)
    assert numbers(using, series) == [1]
    assert states(series) == {1: OUTSIDE}


def test_a_callback_may_begin_transactions_and_roll_them_back(using: str, series: str) -> None:
    seen: list[int] = []

    def another() -> None:
        with pytest.raises(ChangedItsMind), transaction.atomic(using=using):
            seen.append(invoice(using, series))
            raise ChangedItsMind
        seen.append(committed(using, series))

    with transaction.atomic(using=using):
        transaction.on_commit(another, using=using)
        assert invoice(using, series) == 1
    assert seen == [2, 2]
    assert numbers(using, series) == [1, 2]
    assert states(series) == {1: OUTSIDE, 2: OUTSIDE}


def test_what_quoth_could_not_be_told_is_told_with_the_next_commit(
    using: str, series: str, shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    away = {"default": {**settings.QUOTH["default"], "URLS": ["http://127.0.0.1:9"]}}
    with override_settings(), caplog.at_level(logging.ERROR, "quoth.django"):
        with transaction.atomic(using=using):
            assert invoice(using, series) == 1
            settings.QUOTH = away
            _reopen()
    _reopen()
    assert "quoth could not be told" in caplog.text
    assert (states(series), unconfirmed(using, series)) == ({1: RESERVED}, 1)
    _make_due(using, series)
    committed(using, f"{series}, another")
    assert (states(series), unconfirmed(using, series)) == ({1: OUTSIDE}, 0)


def test_nothing_is_reserved_when_quoth_is_away(using: str, series: str) -> None:
    with override_settings(QUOTH={"default": {"URLS": "http://127.0.0.1:9", "DATABASE": "shop"}}):
        with pytest.raises(NotSent), transaction.atomic(using=using):
            invoice(using, series)
    assert states(series) == {}


def test_a_node_that_does_not_answer_is_waited_for_once(
    using: str, series: str, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        away = {"default": {**settings.QUOTH["default"], "URLS": [url]}}

        def goes_away() -> None:
            settings.QUOTH = away
            _reopen()
            stores["default"].conventions.request_timeout_seconds = 0.2

        with override_settings(), caplog.at_level(logging.WARNING, "quoth.django"):
            with pytest.raises(ChangedItsMind), transaction.atomic(using=using):
                for _ in range(4):
                    invoice(using, series)
                goes_away()
                raise ChangedItsMind
        _reopen()
        assert caplog.text.count("could not be released") == 1
        assert caplog.text.count("quoth is away") == 3
        with override_settings():
            with transaction.atomic(using=using):
                for _ in range(4):
                    invoice(using, series)
                goes_away()
        _reopen()
        assert caplog.text.count("quoth could not be told") == 1
    assert unconfirmed(using, series) == 4
    assert command("recover", "--database", using).count(f"{series} ") == 4
    assert states(series) == {**dict.fromkeys(range(1, 5), RESERVED),
                              **dict.fromkeys(range(5, 9), OUTSIDE)}  # fmt: skip


def test_autocommit_may_be_off_where_that_is_kept(using: str, series: str) -> None:
    transaction.set_autocommit(False, using=using)
    try:
        if using == "sqlite":
            # There atomic() commits at its end, and a rollback takes nothing back.
            with (
                pytest.raises(TransactionManagementError, match="leave autocommit on"),
                transaction.atomic(using=using),
            ):
                invoice(using, series)
            with (
                pytest.raises(TransactionManagementError, match="leave autocommit on"),
                transaction.atomic(using=using),
            ):
                sequences.delete(series, using=using)
            assert states(series) == {}
            return
        with transaction.atomic(using=using):
            assert invoice(using, series) == 1
        transaction.commit(using=using)
        with transaction.atomic(using=using):
            assert invoice(using, series) == 2
        assert states(series) == {1: RESERVED, 2: RESERVED}
        transaction.rollback(using=using)
        assert states(series) == {1: RESERVED}
    finally:
        transaction.rollback(using=using)
        transaction.set_autocommit(True, using=using)
    # Django calls back only now.
    assert states(series) == {1: OUTSIDE}
    assert numbers(using, series) == [1]


def test_each_database_has_its_own_fate(shop: Any, series: str) -> None:
    if len(shop.databases) < 2:
        pytest.skip("there is but one database")
    with pytest.raises(ChangedItsMind), transaction.atomic(using="sqlite"):
        assert invoice("sqlite", series) == 1
        with transaction.atomic(using="postgresql"):
            assert invoice("postgresql", series) == 2
        # Of a database that is in no transaction, at once and for good.
        assert get_next_value(series, using="postgresql") == 3
        raise ChangedItsMind
    assert states(series) == {1: VOID, 2: OUTSIDE, 3: OUTSIDE}
    assert (numbers("sqlite", series), numbers("postgresql", series)) == ([], [2])


def test_outside_of_a_transaction_a_number_is_taken_at_once(using: str, series: str) -> None:
    assert get_next_value(series, using=using) == 1
    assert get_next_values(3, series, using=using) == range(2, 5)
    assert states(series) == dict.fromkeys(range(1, 5), OUTSIDE)
    assert sequences.get_last_value(series, using=using) == 4
    transaction.set_autocommit(False, using=using)
    try:
        with pytest.raises(TransactionManagementError, match=r"transaction\.atomic"):
            get_next_value(series, using=using)
    finally:
        transaction.rollback(using=using)
        transaction.set_autocommit(True, using=using)


async def test_a_coroutine_must_not_wait(shop: Any, series: str) -> None:
    for waits in (get_next_value, sequences.get_last_value, sequences.delete):
        with pytest.raises(SynchronousOnlyOperation):
            waits(series)


def test_parameters_mean_what_they_meant(using: str, series: str) -> None:
    seconds = Sequence(series, initial_value=0, reset_value=3, using=using)
    with transaction.atomic(using=using):
        assert [next(seconds) for _ in range(5)] == [0, 1, 2, 0, 1]
        assert seconds.get_next_value(nowait=True) == 2
    assert seconds.get_last_value() == 2
    with pytest.raises(ValueError, match="greater than initial_value"):
        get_next_value(series, 3, 3)
    with pytest.raises(ValueError, match="greater than initial_value"):
        Sequence(series, 3, 3)


def test_threads_have_transactions_of_their_own(using: str, series: str) -> None:
    def work(number: int) -> None:
        try:
            for attempt in range(4):
                try:
                    with transaction.atomic(using=using):
                        invoice(using, series)
                        if (number + attempt) % 3 == 0:
                            raise ChangedItsMind
                except ChangedItsMind:
                    continue
        finally:
            connections[using].close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(8)))
    told = states(series)
    assert [each for each, state in told.items() if state is OUTSIDE] == numbers(using, series)
    assert sorted(told) == list(range(1, len(told) + 1))
    assert set(told.values()) <= {OUTSIDE, VOID}
    verify(using, series)


def _taken_outside(using: str, series: str) -> int:
    try:
        return get_next_value(series, using=using)
    finally:
        connections[using].close()


def _make_due(using: str, series: str) -> None:
    rows = rows_of("quoth.UnconfirmedNumbers", using).filter(sequence_name=series)
    rows.update(due=timezone.now())


def _reopen() -> None:
    stores.close()
