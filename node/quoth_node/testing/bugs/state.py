"""Bugs of what applies commands. All nodes err alike, unless a memory ends with its process."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from quoth_cluster import (
    batch,
    client_configuration,
    documents,
    identities,
    numbered,
    round,
    sequences,
    transaction,
)
from quoth_cluster.answers import Answers
from quoth_cluster.commands import NextIdentity, PutDocument, SaveBatch
from quoth_cluster.databases import fold_name
from quoth_cluster.dispatch import carry_out
from quoth_cluster.outcomes import IdentityValue, Outcome, Refused
from quoth_cluster.round import Round
from quoth_cluster.step import Step
from quoth_node.testing.bugs.bug import Bug, Swap

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
        writing = self._write_database(database)
        writing.position = done  # it is noted how far it is
        record, running = self._record_of(database), writing.running
        separator = client_configuration.separator(record.client, self.group.client.json)
        carry_out(
            writing.txn,
            record,
            command,
            running=running,
            command_index=at,
            separator=separator,
        )
        return None

    return ((Round, "_step_in_database", step_in_database),)


def _delete_resurrected() -> tuple[Swap, ...]:
    real = Round._step_in_database

    def step_in_database(self: Round, command: Any) -> Outcome | None:
        """What the log behind the last checkpoint has put, and is not there, is put anew."""
        told = real(self, command)
        database = self.group.databases.get(fold_name(getattr(command, "database", "")))
        if told is not None or database is None:
            return told  # this process is the first that carries it out
        changes = getattr(command, "commands", ()) or getattr(command, "documents", ())
        writing = self._write_database(database)
        writing.position = database.position
        missing = tuple(
            replace(one, expected_change_vector=None, original_change_vector=None)
            for one in changes
            if isinstance(one, PutDocument)
            and not one.document_id.endswith(("|", "/"))
            and documents.load(writing.txn, one.document_id) is None
        )
        if missing:
            at, record = self.position.command_index, self._record_of(database)
            again = SaveBatch(record.name, command.at_micros, command.node_tag, missing)
            carry_out(
                writing.txn,
                record,
                again,
                running=writing.running,
                command_index=at,
                separator="/",
            )
        return None

    return ((Round, "_step_in_database", step_in_database),)


def _guard_not_checked() -> tuple[Swap, ...]:
    def check_indexes(step: Step, command: Any, guarded: Iterable[Any]) -> Refused | None:
        """Whoever comes last is right."""
        return None

    return ((transaction, "_check_indexes", check_indexes),)


def _identity_from_memory() -> tuple[Swap, ...]:
    real = identities.step_next
    memory: dict[tuple[str, str | Refused], int] = {}

    def step_next(step: Step, command: NextIdentity) -> IdentityValue | Refused:
        """Read once; after that it is counted what was told, and documents take numbers too."""
        told = real(step, command)
        if isinstance(told, Refused):
            return told
        key = (str(step.txn.path), identities._checked(command.name))
        memory[key] = memory.get(key, told.value - 1) + 1
        return IdentityValue(memory[key])

    return ((identities, "step_next", step_next),)


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
    def answered(given: Answers, command: Any, carry_out: Callable[[], Outcome]) -> Outcome:
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
        "delete-resurrected",
        "a start puts anew what the log has put since the last checkpoint and has deleted since",
        workloads=("set",),
        faults=("kill",),
        checker="an element that was removed is there",
        swaps=_delete_resurrected,
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
        "the next number of an identity is the one after the last that this process told",
        workloads=("identities",),
        faults=(),
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
        workloads=("sequences", "list-append"),
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
