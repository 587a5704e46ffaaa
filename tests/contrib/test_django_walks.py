"""Random programs of transactions, savepoints, failures and callbacks: the journal has the rows."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from django.db import DatabaseError, IntegrityError, connections, transaction

from tests.contrib.journal import (
    OUTSIDE,
    VOID,
    invoice,
    numbers,
    rows_of,
    states,
    unconfirmed,
    verify,
)

TRANSACTIONS, DEPTH_MAX = 12, 4


class ChangedItsMind(Exception):
    """A reason to roll back."""


class Program:
    """One thread's: transactions in which anything may follow anything."""

    def __init__(self, random: Random, using: str, series: str) -> None:
        self._random = random
        self._using = using
        self._series = series
        self._steps: dict[Callable[[int], None], float] = {
            self._invoice: 8,
            self._savepoint_by_hand: 2,
            self._duplicate: 1.5,
            self._change_of_mind: 1,
            self._failing_callback: 1,
            self._working_callback: 1,
            self._block: 4,
        }

    def run(self) -> None:
        """All of it."""
        try:
            for _ in range(TRANSACTIONS):
                self._attempt(depth=0)
        finally:
            connections[self._using].close()

    def _attempt(self, depth: int) -> None:
        try:
            with transaction.atomic(using=self._using):
                self._some_steps(depth)
        except (ChangedItsMind, ZeroDivisionError, DatabaseError):
            return  # it is what was to be tried

    def _some_steps(self, depth: int) -> None:
        for _ in range(self._random.randint(1, 3)):
            (step,) = self._random.choices(list(self._steps), list(self._steps.values()))
            step(depth)
            if transaction.get_rollback(using=self._using):
                return

    def _invoice(self, depth: int) -> None:
        invoice(self._using, self._series)

    def _savepoint_by_hand(self, depth: int) -> None:
        savepoint = transaction.savepoint(using=self._using)
        self._invoice(depth)
        end = self._random.choice([transaction.savepoint_rollback, transaction.savepoint_commit])
        end(savepoint, using=self._using)

    def _duplicate(self, depth: int) -> None:
        try:
            with transaction.atomic(using=self._using):
                self._invoice(depth)
                for _ in range(2):
                    rows_of("shop.Invoice", self._using).create(series=self._series, number=-1)
        except IntegrityError:
            return

    def _change_of_mind(self, depth: int) -> None:
        if self._random.random() < 0.5:
            raise ChangedItsMind
        transaction.set_rollback(True, using=self._using)

    def _failing_callback(self, depth: int) -> None:
        transaction.on_commit(lambda: 1 // 0, using=self._using)

    def _working_callback(self, depth: int) -> None:
        transaction.on_commit(lambda: self._attempt(DEPTH_MAX), using=self._using)

    def _block(self, depth: int) -> None:
        if depth == DEPTH_MAX:
            return
        has_savepoint = self._random.random() < 0.7
        try:
            with transaction.atomic(using=self._using, savepoint=has_savepoint):
                self._some_steps(depth + 1)
        except ChangedItsMind:
            if self._random.random() < 0.3:
                raise


@pytest.mark.parametrize("seed", range(3))
def test_the_journal_has_exactly_the_rows(using: str, series: str, seed: int) -> None:
    print(f"seed {seed}")
    # Programs that read and then write stand in each other's way on SQLite.
    many = 3 if using == "postgresql" else 1
    programs = [Program(Random(f"{seed} {each}"), using, series) for each in range(many)]
    with ThreadPoolExecutor(many) as threads:
        list(threads.map(Program.run, programs))
    told = states(series)
    assert [each for each, state in told.items() if state is OUTSIDE] == numbers(using, series)
    assert sorted(told) == list(range(1, len(told) + 1))
    assert set(told.values()) <= {OUTSIDE, VOID}
    assert unconfirmed(using, series) == 0
    assert "in use" in verify(using, series)
