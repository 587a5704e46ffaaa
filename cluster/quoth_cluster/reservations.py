"""Numbers for those outside of the database: issued at once, or reserved, confirmed, released.

A reservation ends in one of three ways, and each leaves its numbers with a holder, or a reason:

* confirmed: somebody has them;
* released by who reserved them, who says that nobody has them: they are given back if no number was
  taken since, else they are void;
* its time is over: they are void, and never given to another, since who reserved them may have used
  them. A confirmation that comes after all is taken: it tells the truth, and harms nobody.

No clock decides here: the leader proposes `TendSequences` with a time, as it does for
compare-exchange values. The token of a reservation is the index of the command that made it, so it
is nobody else's and grows: whoever keeps the highest one seen can tell a late comer.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from quoth_cluster import documents, sequences
from quoth_cluster.checks import check_id
from quoth_cluster.number_places import NoPlace, is_whole, value_in
from quoth_cluster.outcomes import Refusal, Refused
from quoth_cluster.sequence_commands import (
    ConfirmNumbers,
    DeleteSequence,
    IssueNumbers,
    ReleaseNumbers,
    ReserveNumbers,
    SequenceCommand,
    SequenceUse,
    TendSequences,
)
from quoth_cluster.sequence_outcomes import (
    NumbersConfirmed,
    NumbersIssued,
    NumbersReleased,
    NumbersReserved,
    SequenceDeleted,
    SequenceOutcome,
    SequencesTended,
    Taken,
)
from quoth_cluster.sequences import Numbers, NumberState, Sequence
from quoth_cluster.step import Step, check_time, invalid
from quoth_cluster.store import keys
from quoth_cluster.store.environment import ReadTxn, WriteTxn
from quoth_cluster.store.schema import RESERVATION, RESERVATION_DUE, SEQUENCE_LEFT

HOLDER_BYTES_MAX = 512
RESERVED_MICROS_MAX = 7 * 24 * 60 * 60 * 1_000_000
VOIDED_AT_ONCE_MAX = 1_000
REMOVED_AT_ONCE_MAX = 10_000
TIME_IS_OVER = "the reservation ended without a word"


def step_sequence(step: Step, command: SequenceCommand) -> SequenceOutcome | Refused:
    """Carry out one command about a sequence."""
    match command:
        case IssueNumbers():
            return _issue(step, command)
        case ReserveNumbers():
            return _reserve(step, command)
        case ConfirmNumbers():
            return _confirm(step, command)
        case ReleaseNumbers():
            return _release(step, command)
        case DeleteSequence():
            return _delete(step, command)
        case TendSequences():
            return _tend(step, command)


def next_due(txn: ReadTxn) -> int | None:
    """When there is something to tend next; None if there is nothing."""
    for _ in txn.scan(keys.SEQUENCES_LEFT):
        return 0
    for key, _ in txn.scan(keys.RESERVATIONS_DUE):
        return keys.numbers_of(key)[0]
    return None


def _issue(step: Step, command: IssueNumbers) -> NumbersIssued | Refused:
    refused = check_time(command.at_micros) or _check_text("holder", command.holder)
    taken = refused or _take(step, command.use, command.count)
    if isinstance(taken, Refused):
        return taken
    sequence, part = taken
    row = Numbers(part.ordinal, part.count, NumberState.OUTSIDE, command.at_micros, command.holder)
    sequences.note(step.txn, sequence, row)
    sequences.store(step.txn, sequence)
    return NumbersIssued(part)


def _reserve(step: Step, command: ReserveNumbers) -> NumbersReserved | Refused:
    at, until = command.at_micros, command.until_micros
    refused = check_time(at) or check_time(until) or _check_text("holder", command.holder)
    if refused is None and not at < until <= at + RESERVED_MICROS_MAX:
        seconds = RESERVED_MICROS_MAX // 1_000_000
        refused = invalid(f"A reservation lasts more than 0 and at most {seconds} seconds.")
    taken = refused or _take(step, command.use, command.count)
    if isinstance(taken, Refused):
        return taken
    sequence, part = taken
    token = step.command_index
    row = Numbers(
        part.ordinal,
        part.count,
        NumberState.RESERVED,
        at,
        command.holder,
        token=token,
        until_micros=until,
    )
    sequences.note(step.txn, sequence, row)
    step.txn.put(_key(sequence, token), RESERVATION.pack(part.ordinal))
    step.txn.put(_due_key(sequence, row), RESERVATION_DUE.pack(sequence.name))
    sequences.store(step.txn, replace(sequence, reserved=sequence.reserved + part.count))
    return NumbersReserved(part, token, until)


def _confirm(step: Step, command: ConfirmNumbers) -> NumbersConfirmed | Refused:
    holder = command.holder
    # An id is measured as it is compared: it may have more bytes as it is written.
    wrong = check_id(holder) if command.is_document else _check_text("holder", holder)
    found = check_time(command.at_micros) or wrong or _find(step.txn, command.name, command.token)
    if isinstance(found, Refused):
        return found
    sequence, row = found
    part = sequence.part(row.ordinal, row.count)
    if command.is_document:
        existing = documents.load(step.txn, holder)
        if existing is None:
            return _not_there(f"There is no document '{holder}' to hold {_told(part)}.", holder)
        holder = existing.document_id
        if (refused := _check_stands(existing, part, command.path)) is not None:
            return refused
    elif command.path is not None:
        return invalid("Only a document has a path.")
    was_void = row.state is NumberState.VOID
    _end(step.txn, sequence, row)
    confirmed = Numbers(
        row.ordinal,
        row.count,
        NumberState.DOCUMENT if command.is_document else NumberState.OUTSIDE,
        command.at_micros,
        holder,
        command.path,
        is_array=row.count > 1 and command.path is not None,
    )
    sequences.note(step.txn, sequence, confirmed)
    if was_void:
        sequences.store(step.txn, replace(sequence, void=sequence.void - row.count))
    else:
        sequences.store(step.txn, replace(sequence, reserved=sequence.reserved - row.count))
    return NumbersConfirmed(part, was_void)


def _release(step: Step, command: ReleaseNumbers) -> NumbersReleased | Refused:
    refused = check_time(command.at_micros) or _check_text("reason", command.reason)
    found = refused or _find(step.txn, command.name, command.token)
    if isinstance(found, Refused):
        return found
    sequence, row = found
    part = sequence.part(row.ordinal, row.count)
    _end(step.txn, sequence, row)
    was_reserved = row.state is NumberState.RESERVED
    reserved = sequence.reserved - (row.count if was_reserved else 0)
    if was_reserved and row.end == sequence.taken + 1:
        step.txn.delete(keys.of_numbers(keys.NUMBERS, sequence.number, row.ordinal))
        given_back = replace(sequence, taken=sequence.taken - row.count, reserved=reserved)
        sequences.store(step.txn, given_back)
        return NumbersReleased(part, given_back=True)
    void = Numbers(row.ordinal, row.count, NumberState.VOID, command.at_micros, command.reason)
    sequences.note(step.txn, sequence, void)
    more = row.count if was_reserved else 0
    sequences.store(step.txn, replace(sequence, reserved=reserved, void=sequence.void + more))
    return NumbersReleased(part, given_back=False)


def _delete(step: Step, command: DeleteSequence) -> SequenceDeleted | Refused:
    if (refused := sequences.check_name(command.name)) is not None:
        return refused
    sequence = sequences.get(step.txn, command.name)
    if sequence is None:
        return SequenceDeleted(command.name, found=False)
    sequences.forget(step.txn, sequence)
    left = keys.of_numbers(keys.SEQUENCES_LEFT, sequence.number)
    step.txn.put(left, SEQUENCE_LEFT.pack(sequence.name))
    return SequenceDeleted(sequence.name, found=True)


def _tend(step: Step, command: TendSequences) -> SequencesTended | Refused:
    if (refused := check_time(command.at_micros)) is not None:
        return refused
    # The map must not change under a scan; one more is read to tell whether there are more.
    due = list(islice(_due(step.txn, command.at_micros), VOIDED_AT_ONCE_MAX + 1))
    voided = sum(_void(step, *one, command.at_micros) for one in due[:VOIDED_AT_ONCE_MAX])
    removed, more = _remove_left(step.txn)
    return SequencesTended(voided, removed, more or len(due) > VOIDED_AT_ONCE_MAX)


# Reservations


def _take(step: Step, use: SequenceUse, count: int) -> tuple[Sequence, Taken] | Refused:
    sequence = sequences.use(step.txn, use, number=sequences.new_number(step.command_index))
    return sequence if isinstance(sequence, Refused) else sequences.take(sequence, count)


def _find(txn: ReadTxn, name: str, token: int) -> tuple[Sequence, Numbers] | Refused:
    """What a token may be used for: reserved numbers, or those that became void by time."""
    if (refused := sequences.check_name(name)) is not None:
        return refused
    sequence = sequences.get(txn, name)
    if sequence is None:
        return Refused(Refusal.NO_SEQUENCE, f"There is no sequence '{name}'.")
    value = txn.get(_key(sequence, token)) if 0 < token < 2**63 else None
    row = None
    if value is not None:
        row = sequences.numbers_at(txn, sequence, RESERVATION.unpack(value)[0][0])
    if row is None:
        return Refused(
            Refusal.NO_RESERVATION,
            f"The sequence '{name}' has no open reservation {token}: it was confirmed or released "
            "before, or never made.",
        )
    assert row.token == token, "a reservation is that of its row"
    return sequence, row


def _end(txn: WriteTxn, sequence: Sequence, row: Numbers) -> None:
    """The token of a row is used up."""
    assert row.token is not None
    txn.delete(_key(sequence, row.token))
    if row.state is NumberState.RESERVED:
        was_there = txn.delete(_due_key(sequence, row))
        assert was_there, "what is reserved comes due"


def _due(txn: ReadTxn, at_micros: int) -> Iterator[tuple[bytes, str]]:
    for key, value in txn.scan(keys.RESERVATIONS_DUE):
        if keys.numbers_of(key)[0] > at_micros:
            return
        yield key, RESERVATION_DUE.unpack(value)[0][0]


def _void(step: Step, key: bytes, name: str, at_micros: int) -> bool:
    """Numbers whose time is over are void, but may be confirmed yet."""
    step.txn.delete(key)
    _, number, ordinal = keys.numbers_of(key)
    sequence = sequences.get(step.txn, name)
    if sequence is None or sequence.number != number:
        return False  # it was deleted
    row = sequences.numbers_at(step.txn, sequence, ordinal)
    assert row is not None and row.state is NumberState.RESERVED, "only what is reserved comes due"
    reason = f"{TIME_IS_OVER}; it was for '{row.holder}'" if row.holder else TIME_IS_OVER
    void = Numbers(ordinal, row.count, NumberState.VOID, at_micros, reason, token=row.token)
    sequences.note(step.txn, sequence, void)
    changed = replace(
        sequence, reserved=sequence.reserved - row.count, void=sequence.void + row.count
    )
    sequences.store(step.txn, changed)
    return True


def _remove_left(txn: WriteTxn) -> tuple[int, bool]:
    """Some rows of deleted sequences go; how many, and whether there are more."""
    left = next(txn.scan(keys.SEQUENCES_LEFT), None)
    if left is None:
        return 0, False
    (number,) = keys.numbers_of(left[0])
    rows = [
        key
        for kind in (keys.NUMBERS, keys.RESERVATIONS)
        for key, _ in islice(txn.scan(keys.of_numbers(kind, number)), REMOVED_AT_ONCE_MAX + 1)
    ]
    for key in rows[:REMOVED_AT_ONCE_MAX]:
        txn.delete(key)
    if len(rows) > REMOVED_AT_ONCE_MAX:
        return REMOVED_AT_ONCE_MAX, True
    txn.delete(left[0])
    more = next(txn.scan(keys.SEQUENCES_LEFT), None) is not None
    return len(rows), more


def _check_stands(
    existing: documents.StoredDocument, part: Taken, path: str | None
) -> Refused | None:
    """Refuse a document that does not hold the numbers where it is said to."""
    if path is None:
        return None
    try:
        found = value_in(existing.body, path)
    except NoPlace as why:
        return _not_there(f"The document '{existing.document_id}': {why}.", existing.document_id)
    values = list(part.values)
    expected: object = values if part.count > 1 else values[0]
    if found == expected and is_whole(found):
        return None
    return _not_there(
        f"The document '{existing.document_id}' does not hold {_told(part)} at '{path}'.",
        existing.document_id,
    )


def _not_there(message: str, document_id: str) -> Refused:
    return Refused(Refusal.NUMBER_PLACE, message, document_id=document_id)


def _told(part: Taken) -> str:
    values = part.values
    if part.count == 1:
        return f"the number {values[0]}"
    return f"the {part.count} numbers from {values[0]} on"


def _check_text(what: str, text: str) -> Refused | None:
    if len(text.encode()) <= HOLDER_BYTES_MAX:
        return None
    return invalid(f"The {what} of a number has {HOLDER_BYTES_MAX} bytes at most.")


def _key(sequence: Sequence, token: int) -> bytes:
    return keys.of_numbers(keys.RESERVATIONS, sequence.number, token)


def _due_key(sequence: Sequence, row: Numbers) -> bytes:
    assert row.until_micros is not None
    return keys.of_numbers(keys.RESERVATIONS_DUE, row.until_micros, sequence.number, row.ordinal)
