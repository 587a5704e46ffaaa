"""The one place that names every command of a database and the step that carries it out."""

from typing import TypeAlias

from quoth_cluster import (
    batch,
    compare_exchange,
    expiring,
    hilo,
    identities,
    indexes,
    numbered,
    reservations,
    serializable,
    transaction,
)
from quoth_cluster.commands import (
    ChangeCompareExchange,
    ChangeIndexes,
    ClusterTransaction,
    DeleteIndex,
    ExpireCompareExchange,
    NextHiLo,
    NextIdentity,
    PutIndex,
    ReturnHiLo,
    SaveBatch,
    SaveCheckedBatch,
    SaveNumbered,
    SeedIdentity,
    SerializableTransaction,
)
from quoth_cluster.databases import DatabaseRecord
from quoth_cluster.outcomes import Outcome, Refused
from quoth_cluster.running import Running
from quoth_cluster.sequence_commands import SequenceCommand
from quoth_cluster.step import Step
from quoth_cluster.store.environment import WriteTxn

DatabaseCommand: TypeAlias = (
    SaveBatch
    | SaveCheckedBatch
    | ClusterTransaction
    | SerializableTransaction
    | ChangeCompareExchange
    | NextIdentity
    | SeedIdentity
    | NextHiLo
    | ReturnHiLo
    | ExpireCompareExchange
    | PutIndex
    | DeleteIndex
    | ChangeIndexes
    | SaveNumbered
    | SequenceCommand
)


def carry_out(
    txn: WriteTxn,
    record: DatabaseRecord,
    command: DatabaseCommand,
    *,
    running: Running,
    command_index: int,
    separator: str,
) -> Outcome:
    """Step one command into `txn` and `running`: all of it, or nothing if it is refused."""
    drafted = _may_stop_midway(command)
    target = txn.draft() if drafted else txn
    step = Step(
        target,
        record,
        running.totals.copy(),
        command_index,
        separator=separator,
        known=running.collections,
    )
    outcome = _step(step, command)
    refused = isinstance(outcome, Refused)
    if not refused:
        running.accept(step.totals, step.collections)
    if drafted:
        target.abort() if refused else target.commit()
    return outcome


def _may_stop_midway(command: DatabaseCommand) -> bool:
    if isinstance(command, SaveBatch | SaveCheckedBatch):
        return batch.may_stop_midway(command)
    if isinstance(command, SaveNumbered):
        return _may_stop_midway(command.batch)  # what comes behind it is not refused if it is one
    return isinstance(command, ClusterTransaction | SerializableTransaction)


def _step(step: Step, command: DatabaseCommand) -> Outcome:
    match command:
        case SaveBatch():
            return batch.save_batch(step, command)
        case SaveCheckedBatch():
            return batch.save_checked_batch(step, command)
        case ClusterTransaction():
            return transaction.save_transaction(step, command)
        case SerializableTransaction():
            return serializable.save_transaction(step, command)
        case ChangeCompareExchange():
            return compare_exchange.step_change(step, command)
        case NextIdentity():
            return identities.step_next(step, command)
        case SeedIdentity():
            return identities.step_seed(step, command)
        case NextHiLo():
            return hilo.step_next(step, command)
        case ReturnHiLo():
            return hilo.step_return(step, command)
        case ExpireCompareExchange():
            return expiring.step_expire(step, command)
        case PutIndex():
            return indexes.step_put(step, command)
        case DeleteIndex():
            return indexes.step_delete(step, command)
        case ChangeIndexes():
            return indexes.step_change(step, command)
        case SaveNumbered():
            return numbered.save(step, command)
        case _:
            return reservations.step_sequence(step, command)
