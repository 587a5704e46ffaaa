"""Bugs of what applies commands. All nodes err alike, unless a memory ends with its process."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from quoth_cluster import (
    batch,
    client_configuration,
    identities,
    numbered,
    round,
    sequences,
    transaction,
)
from quoth_cluster.databases import fold_name
from quoth_cluster.dispatch import carry_out
from quoth_cluster.outcomes import IdentityValue, Outcome, Refused
from quoth_cluster.round import Round
from quoth_cluster.step import Step
from quoth_cluster.store.environment import WriteTxn
from quoth_node.testing.bugs.bug import Bug, Swap

STORED_EACH = 16  # numbers between two that are written down
TORN_EACH = 8  # commands between two that are torn


def _applied_twice() -> tuple[Swap, ...]:
    real = Round._step_in_database

    def step_in_database(self: Round, command: Any) -> Outcome | None:
        """A command that the database has from before the restart is carried out once more."""
        database = self.group.databases.get(fold_name(command.database))
        done = database.position if database is not None else None
        if database is None or done is None or self._record_of(database).disabled:
            return real(self, command)
        at = self.position.command_index
        if at > done.command_index:
            return real(self, command)
        txn = self._write_database(database)
        self._writing[database.record.folder].position = done  # it is noted how far it is
        record = self._record_of(database)
        separator = client_configuration.separator(record.client, self.group.client.json)
        carry_out(txn, record, command, command_index=at, separator=separator)
        return None

    return ((Round, "_step_in_database", step_in_database),)


def _guard_not_checked() -> tuple[Swap, ...]:
    def check_indexes(step: Step, command: Any, guarded: Iterable[Any]) -> Refused | None:
        """Whoever comes last is right."""
        return None

    return ((transaction, "_check_indexes", check_indexes),)


def _identity_from_memory() -> tuple[Swap, ...]:
    real = identities.take
    memory: dict[tuple[str, str], int] = {}

    def take(step: Step, name: str) -> IdentityValue | Refused:
        """The next number is the next this process knows of; some are written down."""
        draft = step.txn.draft()  # the real thing says what is stored, and leaves nothing behind
        trial = replace(step, txn=draft, totals=replace(step.totals))
        told = real(trial, name)
        draft.abort()
        if isinstance(told, Refused):
            return told
        checked = identities._checked(name)
        assert isinstance(checked, str), "it was not refused"
        key = (str(step.txn.path), checked)
        memory[key] = value = max(memory.get(key, 0) + 1, told.value)
        if value % STORED_EACH == 1:
            identities._store(step, checked, value, is_new=told.value == 1)
        return IdentityValue(value)

    return ((identities, "take", take),)


def _sequence_number_reused() -> tuple[Swap, ...]:
    real_take, real_commit, real_abort = numbered._take_all, Round.commit, Round.abort
    seen: dict[tuple[str, str], sequences.Sequence] = {}  # as it was when this round began

    def take_all(step: Step, takings: Any) -> Any:
        """The sequence is read once for all commands that are applied together."""
        known: dict[str, sequences.Sequence] = {}
        for taking in takings:
            stored = sequences.get(step.txn, taking.name)
            if stored is not None:
                known[taking.name] = seen.setdefault((str(step.txn.path), taking.name), stored)
        draft = step.txn.draft()
        for sequence in known.values():
            sequences.store(draft, sequence)
        taken = real_take(replace(step, txn=draft), takings)
        draft.abort()
        return taken

    def commit(self: Round) -> bool:
        seen.clear()
        return real_commit(self)

    def abort(self: Round) -> None:
        seen.clear()
        real_abort(self)

    return (
        (numbered, "_take_all", take_all),
        (Round, "commit", commit),
        (Round, "abort", abort),
    )


def _request_id_forgotten() -> tuple[Swap, ...]:
    def answered(txn: WriteTxn, command: Any, carry_out: Callable[[], Outcome]) -> Outcome:
        """A request is as new as it was the first time."""
        return carry_out()

    return ((round, "answered", answered),)


def _torn_batch() -> tuple[Swap, ...]:
    left = [0]  # how many changes of the command under way are still to be lost

    def torn(real: Callable[..., Any]) -> Callable[..., Any]:
        """Of several changes of one command the first half is told done, and lost."""

        def save(step: Step, command: Any, **named: Any) -> Any:
            changes = command.commands if hasattr(command, "commands") else command.documents
            values = getattr(command, "compare_exchange", ())
            is_torn = step.command_index % TORN_EACH == 0 and len(changes) + len(values) > 1
            left[0] = max(1, len(changes) // 2) if is_torn and changes else 0
            try:
                return real(step, command, **named)
            finally:
                left[0] = 0

        return save

    def losing(real: Callable[..., Any]) -> Callable[..., Any]:
        def change(step: Step, *given: Any) -> Any:
            if not left[0]:
                return real(step, *given)
            left[0] -= 1
            draft = step.txn.draft()
            trial = replace(step, txn=draft, totals=replace(step.totals), collections={})
            told = real(trial, *given)
            draft.abort()
            return told

        return change

    return (
        (batch, "save_batch", torn(batch.save_batch)),
        (batch, "_change_document", losing(batch._change_document)),
        (transaction, "save_transaction", torn(transaction.save_transaction)),
        (transaction, "_change_document", losing(transaction._change_document)),
    )


BUGS = (
    Bug(
        "applied-twice-after-restart",
        "a start applies what the log holds behind the last checkpoint, stored already or not",
        workloads=("identities", "sequences"),
        faults=("kill",),
        checker="uniqueness of numbers",
        swaps=_applied_twice,
    ),
    Bug(
        "guard-not-checked",
        "a cluster-wide transaction compares neither guards nor compare-exchange indexes",
        workloads=("bank",),
        faults=(),
        checker="the sum of all accounts",
        swaps=_guard_not_checked,
    ),
    Bug(
        "identity-from-memory",
        "an identity is the next number that the process remembers; each 16th is written down",
        workloads=("identities",),
        faults=("kill",),
        checker="uniqueness of numbers",
        swaps=_identity_from_memory,
    ),
    Bug(
        "sequence-number-reused",
        "commands that are applied together see the sequence as it was before the first",
        workloads=("sequences",),
        faults=(),
        checker="uniqueness of numbers",
        swaps=_sequence_number_reused,
    ),
    Bug(
        "request-id-forgotten",
        "a request that is sent again under its id is carried out again",
        workloads=("sequences", "append"),
        faults=("kill",),
        checker="one answer for each request",
        swaps=_request_id_forgotten,
    ),
    Bug(
        "torn-batch",
        "of every 8th command with several changes the first half is lost",
        workloads=("bank",),
        faults=(),
        checker="the sum of all accounts",
        swaps=_torn_batch,
    ),
)
