"""A transaction whose documents get numbers of sequences, all in one storage transaction.

    which numbers -> into bodies and ids -> the transaction as any other -> who holds which

Where the batch may be refused after something was written the caller gives a draft to throw away,
so whatever is refused has taken no number. A number belongs to the document of its first place.
That document must come out of the transaction as it went in: no later command of it may touch it,
and it must not lose a number that it had. A document that is named by its number is new.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from quoth_cluster import batch, documents, identities, sequences, serializable, transaction
from quoth_cluster.checks import IDENTITY_END
from quoth_cluster.commands import (
    ClusterTransaction,
    DeleteDocument,
    PutDocument,
    SaveBatch,
    SaveCheckedBatch,
    SaveNumbered,
    SerializableTransaction,
)
from quoth_cluster.documents import fold_id
from quoth_cluster.number_places import Filling, NoPlace, Value, filled, id_with, values_in
from quoth_cluster.outcomes import (
    BatchSaved,
    DocumentDeleted,
    DocumentPut,
    NumberedSaved,
    Refusal,
    Refused,
    TransactionSaved,
)
from quoth_cluster.sequence_commands import NumberPlace, SequenceUse, TakeNumbers
from quoth_cluster.sequence_outcomes import Taken
from quoth_cluster.sequences import COUNT_MAX, TAKINGS_MAX, Numbers, NumberState, Sequence
from quoth_cluster.step import Step, invalid

PLACES_MAX = 2 * COUNT_MAX
BYTES_READ_MAX = 256 * 1024 * 1024  # of documents as they stand: others wait meanwhile

DocumentCommand = PutDocument | DeleteDocument


@dataclass(frozen=True, slots=True)
class Taking:
    """What one command takes, with its places made out."""

    use: SequenceUse
    count: int
    places: list[NumberPlace]

    @property
    def name(self) -> str:
        return self.use.name


@dataclass(slots=True)
class Written:
    """What one document of the transaction gets."""

    fillings: list[Filling] = field(default_factory=list)
    sequences: list[Sequence] = field(default_factory=list)  # of the filling at that position
    id_number: int | None = None


def save(step: Step, command: SaveNumbered) -> NumberedSaved | Refused:
    """Take the numbers, write them into the documents, and save these; or nothing."""
    commands = _documents_of(command)
    takings = _open_takings(command.takings, commands)
    if isinstance(takings, Refused):
        return takings
    taken = _take_all(step, takings)
    if isinstance(taken, Refused):
        return taken
    parts, latest = taken
    gets = _written(takings, parts, latest)
    if isinstance(gets, Refused):
        return gets
    numbered = _with_numbers(gets, commands)
    if isinstance(numbered, Refused):
        return numbered
    if (refused := _named_already(step, gets, numbered)) is not None:
        return refused
    if (lost := _lost_number(step, gets, commands)) is not None:
        return _save_in_vain(step, command, numbered) or lost
    saved = _save(step, command, numbered)
    if isinstance(saved, Refused):
        return saved
    results = saved.results if isinstance(saved, BatchSaved) else saved.documents
    if (refused := _check_untouched(takings, results, commands)) is not None:
        return refused
    for sequence in latest.values():
        sequences.store(step.txn, sequence)
    for taking, part in zip(takings, parts, strict=True):
        for row in _rows(taking, part, results, command.batch.at_micros):
            sequences.note(step.txn, latest[part.name], row)
    return NumberedSaved(saved, tuple(parts))


def _documents_of(command: SaveNumbered) -> tuple[DocumentCommand, ...]:
    if isinstance(command.batch, SaveBatch | SaveCheckedBatch):
        return command.batch.commands
    return command.batch.documents


def _save(
    step: Step, command: SaveNumbered, numbered: tuple[DocumentCommand, ...]
) -> BatchSaved | TransactionSaved | Refused:
    match command.batch:
        case SaveBatch() as plain:
            tag, keeps = plain.node_tag, plain.keep_equal
            whole = SaveBatch(plain.database, plain.at_micros, tag, numbered, None, keeps)
            return batch.save_batch(step, whole)
        case SaveCheckedBatch() as checked:
            return batch.save_checked_batch(step, replace(checked, commands=numbered))
        case ClusterTransaction() as agreed:
            return transaction.save_transaction(step, replace(agreed, documents=numbered))
        case SerializableTransaction() as rested:
            return serializable.save_transaction(step, replace(rested, documents=numbered))


def _save_in_vain(
    step: Step, command: SaveNumbered, numbered: tuple[DocumentCommand, ...]
) -> Refused | None:
    """Why it would be refused anyway: that somebody was faster is the better reason to tell."""
    draft = step.txn.draft()
    trial = replace(step, txn=draft, totals=step.totals.copy(), collections={}, touched=set())
    saved = _save(trial, command, numbered)
    draft.abort()
    return saved if isinstance(saved, Refused) else None


# What is asked for


def _open_takings(
    takings: tuple[TakeNumbers, ...], commands: tuple[DocumentCommand, ...]
) -> list[Taking] | Refused:
    """What is taken, as far as it can be told without looking at what is stored."""
    if not 1 <= len(takings) <= TAKINGS_MAX:
        return invalid(f"A transaction takes numbers 1 to {TAKINGS_MAX} times, not {len(takings)}.")
    counts = sum(taking.count for taking in takings if taking.count > 0)
    # An array of all numbers is as many places as it has.
    places = sum(
        1 if index is not None else max(taking.count, 1)
        for taking in takings
        for index in taking.indexes
    )
    if counts > COUNT_MAX or places > PLACES_MAX:
        return invalid(
            f"A transaction takes {COUNT_MAX} numbers and writes them into {PLACES_MAX} places at "
            f"most, not {counts} and {places}."
        )
    opened = [Taking(taking.use, taking.count, taking.places) for taking in takings]
    for taking in opened:
        for place in taking.places:
            if (why := _wrong_with(place, taking, commands)) is not None:
                return _no_place(f"A number of '{taking.name}': {why}")
        own = {place.index for place in taking.places} - {None}
        if len(own) not in (0, taking.count):
            return _no_place(
                f"Of {taking.count} numbers of '{taking.name}' {len(own)} have a place of "
                "their own: all must have one, or all stand in one array."
            )
        if not taking.places:
            return _no_place(f"Numbers of '{taking.name}' have no place in any document.")
    return opened


def _wrong_with(
    place: NumberPlace, taking: Taking, commands: tuple[DocumentCommand, ...]
) -> str | None:
    if not 0 <= place.command < len(commands):
        return f"there is no document command {place.command}"
    command = commands[place.command]
    if not isinstance(command, PutDocument):
        return f"command {place.command} puts no document"
    if place.index is not None and not 0 <= place.index < taking.count:
        return f"number {place.index} of {taking.count} is asked for, counted from 0"
    if place.path is None and place.index is None:
        return "an id holds one number, not all of a range"
    return None


def _no_place(message: str, document_id: str | None = None) -> Refused:
    return Refused(Refusal.NUMBER_PLACE, f"{message} Nothing was saved.", document_id=document_id)


# Taking and writing


def _take_all(
    step: Step, takings: Iterable[Taking]
) -> tuple[list[Taken], dict[str, Sequence]] | Refused:
    """What each gets, and what becomes of the sequences. Nothing is stored yet."""
    parts: list[Taken] = []
    latest: dict[str, Sequence] = {}
    for taking in takings:
        name = taking.name
        sequence = sequences.use(
            step.txn,
            taking.use,
            number=sequences.new_number(step.command_index, len(latest)),
            known=latest.get(name),
        )
        if isinstance(sequence, Refused):
            return sequence
        taken = sequences.take(sequence, taking.count)
        if isinstance(taken, Refused):
            return taken
        latest[name], part = taken
        parts.append(part)
    return parts, latest


def _written(
    takings: list[Taking], parts: list[Taken], latest: dict[str, Sequence]
) -> dict[int, Written] | Refused:
    """What each document command gets, by its position."""
    written: dict[int, Written] = {}
    for taking, part in zip(takings, parts, strict=True):
        values = part.values
        for place in taking.places:
            gets = written.setdefault(place.command, Written())
            value: Value = list(values) if place.index is None else values[place.index]
            if place.path is not None:
                gets.fillings.append(Filling(place.path, value))
                gets.sequences.append(latest[part.name])
            elif gets.id_number is not None or not isinstance(value, int):
                return _no_place(f"Command {place.command}: its id holds one number.")
            else:
                gets.id_number = value
    return written


def _with_numbers(
    written: dict[int, Written], commands: tuple[DocumentCommand, ...]
) -> tuple[DocumentCommand, ...] | Refused:
    """The commands with all numbers in their places."""
    numbered = list(commands)
    for at, gets in written.items():
        command = commands[at]
        assert isinstance(command, PutDocument), "checked before"
        filled_in = _fill(command, gets)
        if isinstance(filled_in, Refused):
            return filled_in
        numbered[at] = filled_in
    return tuple(numbered)


def _fill(command: PutDocument, gets: Written) -> PutDocument | Refused:
    document_id, body, expected = command.document_id, command.body, command.expected_change_vector
    try:
        if gets.id_number is not None:
            if document_id.endswith(IDENTITY_END):
                raise NoPlace("its id is made by a number or by an identity, not by both")
            document_id = id_with(document_id, gets.id_number)
            expected = expected or ""
        if gets.fillings:
            body = filled(body, gets.fillings)
    except NoPlace as why:
        return _no_place(f"The document '{document_id}': {why}.", document_id)
    # Not by `replace`, which takes longer than all the rest of it.
    return PutDocument(
        document_id,
        body,
        command.metadata,
        command.collection,
        expected,
        command.original_change_vector,
    )


def _named_already(
    step: Step, written: dict[int, Written], numbered: tuple[DocumentCommand, ...]
) -> Refused | None:
    """Refuse a document that is named by its number, and is there."""
    for at, gets in written.items():
        if gets.id_number is None:
            continue
        document_id = numbered[at].document_id
        if (existing := documents.load(step.txn, document_id)) is not None:
            return Refused(
                Refusal.CHANGE_VECTOR,
                f"The document '{document_id}' exists, and a document that is named by its number "
                "is new: no number was taken. Delete or rename it first.",
                document_id=document_id,
                expected_change_vector="",
                actual_change_vector=existing.change_vector,
            )
    return None


def _lost_number(
    step: Step, written: dict[int, Written], commands: tuple[DocumentCommand, ...]
) -> Refused | None:
    """Refuse to write over a number that the document holds: that one would be nowhere then."""
    ids = _ids_of(step, commands)
    looked_at: set[bytes] = set()
    bytes_read = 0
    for at, gets in sorted(written.items()):
        document_id, folded = ids[at], fold_id(ids[at])
        # One that is named by its number is new, and one that is written twice is refused later.
        if gets.id_number is not None or folded in looked_at:
            continue
        looked_at.add(folded)
        existing = documents.load(step.txn, document_id)
        if existing is None:
            continue
        bytes_read += existing.json_bytes
        if bytes_read > BYTES_READ_MAX:
            most = f"{BYTES_READ_MAX // 1024**2} MiB"
            return invalid(f"Documents that get numbers in one transaction are {most} at most.")
        stand = values_in(existing.body, gets.fillings)
        for sequence, filling, found in zip(gets.sequences, gets.fillings, stand, strict=False):
            first = found[0] if isinstance(found, list) and found else found
            if type(first) is int and _holds(step, sequence, first, document_id, filling.path):
                return _no_place(
                    f"The document '{document_id}' holds the number {first} of "
                    f"'{sequence.name}' at '{filling.path}' already, and would lose it.",
                    document_id,
                )
    return None


def _ids_of(step: Step, commands: tuple[DocumentCommand, ...]) -> list[str]:
    """The ids of the documents; those that an identity makes as they will be."""
    latest: dict[bytes, int] = {}
    ids: list[str] = []
    for command in commands:
        document_id = command.document_id
        if isinstance(command, PutDocument) and document_id.endswith(IDENTITY_END):
            folded = fold_id(document_id)
            number = latest.get(folded, identities.latest(step.txn, document_id)) + 1
            latest[folded] = number
            document_id = f"{document_id.removesuffix(IDENTITY_END)}{step.separator}{number}"
        ids.append(document_id)
    return ids


def _holds(step: Step, sequence: Sequence, value: int, document_id: str, path: str) -> bool:
    """Whether the document holds this number there, as it stands before the transaction."""
    known = sequences.get(step.txn, sequence.name)
    ordinal = known.ordinal_of(value) if known is not None else None
    if known is None or ordinal is None:
        return False
    row = sequences.numbers_at(step.txn, known, ordinal)
    return row is not None and row.path == path and is_held_by(row, document_id)


def is_held_by(row: Numbers, document_id: str) -> bool:
    """Whether that document holds the numbers of the row."""
    return row.state is NumberState.DOCUMENT and fold_id(row.holder) == fold_id(document_id)


# Who holds them


def _check_untouched(
    takings: list[Taking],
    results: tuple[DocumentPut | DocumentDeleted, ...],
    commands: tuple[DocumentCommand, ...],
) -> Refused | None:
    """Refuse a transaction that changes a document again after it got its number."""
    if len(results) == 1:
        return None
    ids = [fold_id(result.document_id) for result in results]
    first = {folded: at for at, folded in reversed(list(enumerate(ids)))}
    last = {folded: at for at, folded in enumerate(ids)}
    cleared = {  # by prefix, where it is last deleted
        ids[at]: at
        for at, command in enumerate(commands)
        if isinstance(command, DeleteDocument) and command.prefixed
    }
    lengths = sorted({len(prefix) for prefix in cleared})
    for place in (place for taking in takings for place in taking.places):
        at, folded = place.command, ids[place.command]
        is_named = place.path is None  # then it is new, and nobody has put it before
        if (
            last[folded] > at
            or (is_named and first[folded] < at)
            or any(cleared.get(folded[:length], -1) > at for length in lengths)
        ):
            document_id = results[at].document_id
            return _no_place(
                f"The document '{document_id}' gets a number, and another command of the same "
                "transaction changes or deletes it.",
                document_id,
            )
    return None


def _rows(
    taking: Taking,
    part: Taken,
    results: tuple[DocumentPut | DocumentDeleted, ...],
    at_micros: int,
) -> Iterable[Numbers]:
    """Who holds the numbers: the document of the first place of each."""
    first: dict[int, NumberPlace] = {}
    for place in taking.places:
        if place.index is not None:
            first.setdefault(place.index, place)
            known = first[place.index]
            # The same document, by its id first: where in it tells more.
            if known.path is None and known.command == place.command and place.path is not None:
                first[place.index] = place
    if not first:
        place = taking.places[0]
        holder = results[place.command].document_id
        state = NumberState.DOCUMENT
        yield Numbers(part.ordinal, part.count, state, at_micros, holder, place.path, is_array=True)
        return
    for index in range(part.count):
        place = first[index]
        yield Numbers(
            part.ordinal + index,
            1,
            NumberState.DOCUMENT,
            at_micros,
            results[place.command].document_id,
            place.path,
        )
