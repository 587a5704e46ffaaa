"""The definitions of indexes: what every node builds for itself, agreed by all.

A definition is JSON that nothing here looks into. Names are compared without regard to case.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from quoth_cluster.commands import ChangeIndexes, DeleteIndex, PutIndex
from quoth_cluster.outcomes import IndexDeleted, IndexesChanged, IndexPut, Refusal, Refused
from quoth_cluster.step import Step, check_time, invalid, is_json_object
from quoth_cluster.store import keys
from quoth_cluster.store.environment import ReadTxn
from quoth_cluster.store.schema import INDEX, INDEXES_CHANGED

INDEXES_MAX = 500  # of one database
DEFINITION_BYTES_MAX = 1_048_576
DEFINITIONS_BYTES_MAX = 16 * 1_048_576  # of all indexes of one database
NAME_BYTES_MAX = 480
AUTOMATIC_PREFIX = "auto/"
STATIC, AUTOMATIC = "static", "automatic"
LOCK_MODES = ("Unlock", "LockedIgnore", "LockedError")
PRIORITIES = ("Low", "Normal", "High")
STATES = ("Normal", "Disabled", "Idle", "Error")


@dataclass(frozen=True, slots=True)
class IndexRecord:
    """One index as the cluster knows it."""

    name: str
    kind: str  # STATIC or AUTOMATIC
    definition: bytes  # JSON object
    lock_mode: str = "Unlock"
    priority: str = "Normal"
    state: str = "Normal"
    defined_index: int = 0  # command index of the last change of the definition
    created_index: int = 0
    created_micros: int = 0


def load(txn: ReadTxn, name: str) -> IndexRecord | None:
    """The index of that name, in whatever case it is written."""
    value = txn.get(_key(name))
    return None if value is None else _decode(value)


def every(txn: ReadTxn) -> list[IndexRecord]:
    """All indexes, by name."""
    return list(_scan(txn))


def changed_at(txn: ReadTxn) -> int:
    """The command index of the last change of any of them; 0 if there was none."""
    value = txn.get(keys.INDEXES_CHANGED)
    if value is None:
        return 0
    command_index: int = INDEXES_CHANGED.unpack(value)[0][0]
    return command_index


def step_put(step: Step, command: PutIndex) -> IndexPut | Refused:
    """Define an index, or say that it stands as it is."""
    refused = _check(command)
    if refused is not None:
        return refused
    existing = load(step.txn, command.name)
    if existing is not None and existing.kind != command.kind:
        return invalid(f"'{existing.name}' is an index of another kind.")
    if existing is None:
        known = _new(step, command)
    elif existing.kind == AUTOMATIC and existing.name == command.name:
        # The name says all of the definition, however a node of another release writes it.
        return IndexPut(existing.name, existing.defined_index, changed=False)
    else:
        known = existing
    record = replace(
        known,
        name=command.name if command.kind == AUTOMATIC else known.name,
        definition=command.definition,
        lock_mode=command.lock_mode or known.lock_mode,
        priority=command.priority or known.priority,
        state=command.state or known.state,
    )
    if record == existing:
        return IndexPut(existing.name, existing.defined_index, changed=False)
    if known.lock_mode == "LockedIgnore":
        return IndexPut(known.name, known.defined_index, changed=False)
    if known.lock_mode == "LockedError":
        return Refused(
            Refusal.INDEX_LOCKED,
            f"Cannot edit existing index {known.name} with lock mode {known.lock_mode}",
        )
    leaving = _superseded(step, command)
    refused = _check_room(step, record, leaving)
    if refused is not None:
        return refused
    if record.definition != known.definition:
        record = replace(record, defined_index=step.command_index)
    for key in leaving:
        step.txn.delete(key)
    _store(step, record)
    return IndexPut(record.name, record.defined_index, changed=True)


def step_delete(step: Step, command: DeleteIndex) -> IndexDeleted | Refused:
    """Delete an index; one that is not there is told, a locked one stays."""
    existing = load(step.txn, command.name)
    if existing is None:
        return IndexDeleted(command.name, found=False)
    if existing.lock_mode == "LockedIgnore":
        return IndexDeleted(existing.name, found=True)
    if existing.lock_mode == "LockedError":
        return Refused(
            Refusal.INDEX_KEPT,
            f"Cannot delete existing index {existing.name} with lock mode {existing.lock_mode}",
        )
    step.txn.delete(_key(existing.name))
    _note_change(step)
    return IndexDeleted(existing.name, found=True)


def step_change(step: Step, command: ChangeIndexes) -> IndexesChanged | Refused:
    """Change lock mode, priority or state of indexes: of all that are named, or of none."""
    for value, known in (
        (command.lock_mode, LOCK_MODES),
        (command.priority, PRIORITIES),
        (command.state, STATES),
    ):
        if value is not None and value not in known:
            return invalid(f"'{value[:64]}' is none of {', '.join(known)}.")
    if len(command.names) > INDEXES_MAX:
        return invalid(f"A database has at most {INDEXES_MAX} indexes.")
    records = [load(step.txn, name) for name in command.names]
    for name, record in zip(command.names, records, strict=True):
        if record is None:
            return Refused(Refusal.NO_INDEX, f"There is no index named '{name[:200]}'.")
        if record.kind == AUTOMATIC and command.lock_mode is not None:
            return invalid(
                f"'{record.name}' is an automatic index; lock modes are for static ones."
            )
    for record in records:
        assert record is not None, "looked at above"
        changed = replace(
            record,
            lock_mode=command.lock_mode or record.lock_mode,
            priority=command.priority or record.priority,
            state=command.state or record.state,
        )
        if changed != record:
            _store(step, changed)
    return IndexesChanged(step.command_index)


def _new(step: Step, command: PutIndex) -> IndexRecord:
    return IndexRecord(
        command.name,
        command.kind,
        b"",
        created_index=step.command_index,
        created_micros=command.at_micros,
    )


def _superseded(step: Step, command: PutIndex) -> list[bytes]:
    """Keys of the automatic indexes that a new one does all of."""
    found = (load(step.txn, name) for name in command.supersedes)
    narrower = {_key(one.name) for one in found if one is not None and one.kind == AUTOMATIC}
    return sorted(narrower - {_key(command.name)})


def _check_room(step: Step, record: IndexRecord, leaving: Sequence[bytes]) -> Refused | None:
    """What all indexes of a database take has a limit; those that leave make room."""
    gone = {_key(record.name), *leaving}
    others = [one for one in _scan(step.txn) if _key(one.name) not in gone]
    if len(others) >= INDEXES_MAX:
        return invalid(f"A database has at most {INDEXES_MAX} indexes.")
    if sum(len(one.definition) for one in (*others, record)) > DEFINITIONS_BYTES_MAX:
        return invalid(
            f"The definitions of all indexes have at most {DEFINITIONS_BYTES_MAX} bytes."
        )
    return None


def _check(command: PutIndex) -> Refused | None:
    if command.kind not in (STATIC, AUTOMATIC):
        return invalid(f"An index is {STATIC} or {AUTOMATIC}.")
    if (refused := check_time(command.at_micros)) is not None:
        return refused
    if len(command.supersedes) > INDEXES_MAX:
        return invalid(f"A database has at most {INDEXES_MAX} indexes.")
    if not command.name.strip() or len(command.name.encode()) > NAME_BYTES_MAX:
        return invalid(f"The name of an index has 1 to {NAME_BYTES_MAX} bytes.")
    is_automatic = keys.fold_text(command.name).startswith(AUTOMATIC_PREFIX)
    if is_automatic is not (command.kind == AUTOMATIC):
        return invalid(
            f"Index name '{command.name}' is not allowed: names of automatic indexes, and no "
            "others, begin with 'Auto/'."
        )
    if len(command.definition) > DEFINITION_BYTES_MAX or not is_json_object(command.definition):
        return invalid(
            f"The definition of an index is a JSON object of at most {DEFINITION_BYTES_MAX} bytes."
        )
    for value, known in (
        (command.lock_mode, LOCK_MODES),
        (command.priority, PRIORITIES),
        (command.state, STATES),
    ):
        if value is not None and value not in known:
            return invalid(f"'{value[:64]}' is none of {', '.join(known)}.")
    return None


def _scan(txn: ReadTxn) -> Iterator[IndexRecord]:
    values = keys.scan_text(txn, keys.INDEXES, b"", text_of=_folded_name_in)
    return map(_decode, values)


def _store(step: Step, record: IndexRecord) -> None:
    packed = INDEX.pack(
        *(record.name, record.kind, record.lock_mode, record.priority, record.state),
        *(record.defined_index, record.created_index, record.created_micros),
        raw=record.definition,
    )
    step.txn.put(_key(record.name), packed)
    _note_change(step)


def _note_change(step: Step) -> None:
    step.txn.put(keys.INDEXES_CHANGED, INDEXES_CHANGED.pack(step.command_index))


def _decode(value: bytes) -> IndexRecord:
    (name, kind, lock, priority, state, defined, created, micros), definition = INDEX.unpack(value)
    return IndexRecord(name, kind, definition, lock, priority, state, defined, created, micros)


def _key(name: str) -> bytes:
    return keys.of_text(keys.INDEXES, keys.fold(name))


def _folded_name_in(value: bytes) -> bytes:
    return keys.fold(INDEX.unpack(value)[0][0])
