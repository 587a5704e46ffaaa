"""One call of `apply`: entries stepped into open transactions, then committed in due order."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from quoth_cluster import administration, client_configuration, databases, members
from quoth_cluster.answers import Answers
from quoth_cluster.batch import rests_on_checks
from quoth_cluster.client_configuration import ClientConfiguration
from quoth_cluster.commands import (
    ChangeDatabase,
    Command,
    CreateDatabase,
    DeleteDatabases,
    LockDatabases,
    PutClientConfiguration,
    SaveCheckedBatch,
    SaveNumbered,
    TakeIndex,
    ToggleDatabases,
    decode,
)
from quoth_cluster.database import Database, store_position
from quoth_cluster.databases import DatabaseRecord, fold_name
from quoth_cluster.dispatch import DatabaseCommand, carry_out
from quoth_cluster.errors import Fatal, MalformedValue, NewerFormat
from quoth_cluster.log import LogEntry, Member, MembershipChange, Position, Stepped
from quoth_cluster.outcomes import (
    ClientConfigurationPut,
    DatabaseChanged,
    DatabaseCreated,
    DatabasesDeleted,
    DatabasesLocked,
    DatabasesToggled,
    IndexPut,
    IndexTaken,
    Outcome,
    Refused,
    Toggled,
)
from quoth_cluster.running import Running
from quoth_cluster.step import check_time
from quoth_cluster.store.environment import Environment, WriteTxn, naming, sync_folder

GroupCommand: TypeAlias = (
    CreateDatabase
    | DeleteDatabases
    | ChangeDatabase
    | ToggleDatabases
    | LockDatabases
    | PutClientConfiguration
)
Answerable: TypeAlias = DatabaseCommand | GroupCommand  # may carry a request id


@dataclass(frozen=True, slots=True)
class Group:
    """The state of the group as readers see it: a value, replaced as a whole."""

    databases: dict[str, Database] = field(default_factory=dict)  # by folded name
    members: dict[str, Member] = field(default_factory=dict)
    members_command_index: int = 0
    client: ClientConfiguration = field(default_factory=ClientConfiguration)


@dataclass(frozen=True, slots=True)
class OpenedEntry:
    """A log entry with its commands decoded."""

    entry: LogEntry
    commands: tuple[Command, ...]


def open_entry(entry: LogEntry) -> OpenedEntry:
    """Decode the commands of an entry, before anything is touched.

    Raises MalformedValue or NewerFormat, naming the entry.
    """
    assert entry.membership is None or not entry.commands, "an entry changes one thing"
    try:
        return OpenedEntry(entry, tuple(decode(command) for command in entry.commands))
    except (MalformedValue, NewerFormat) as error:
        raise type(error)(f"log entry {entry.log_index}: {error}") from error


@dataclass(slots=True)
class Writing:
    """A database that this round writes to, and the last command it carries out there."""

    database: Database
    txn: WriteTxn
    position: Position
    running: Running
    answers: Answers


@dataclass(frozen=True, slots=True)
class Leaving:
    """A deleted database, whose files go when the deletion is durable."""

    database: Database
    hard: bool


class Round:
    """Entries on their way into storage. Used once: `step` each, then `commit` or `abort`."""

    def __init__(
        self,
        group: Group,
        position: Position,
        *,
        environment: Environment,
        folder: Path,
        map_bytes: int,
    ) -> None:
        self.group = group
        self.position = position  # of the last command stepped
        self._environment = environment  # of the group
        self._folder = folder  # of the databases
        self._map_bytes = map_bytes
        self._group_txn: WriteTxn | None = None
        self._writing: dict[str, Writing] = {}  # by folder
        self._created: list[Database] = []
        self._leaving: list[Leaving] = []
        self._records: dict[str, DatabaseRecord] = {}  # as changed here, by folder

    def step(self, opened: OpenedEntry) -> tuple[Stepped, ...]:
        """Carry out one entry; an entry that carries nothing only moves the position."""
        entry = opened.entry
        assert entry.log_index > self.position.log_index, f"{entry.log_index} after {self.position}"
        self.position = Position(entry.log_index, self.position.command_index)
        if entry.membership is not None:
            return (self._change_members(entry.membership),)
        return tuple(self._step_command(command) for command in opened.commands)

    def commit(self) -> bool:
        """Make it all readable. Whether it is durable by itself, without replay."""
        for writing in self._writing.values():
            with naming(writing.database.environment.path):
                writing.running.store(writing.txn)
                store_position(writing.txn, writing.position)
            writing.txn.commit()
            writing.database.position = writing.position
            writing.database.is_dirty = True
        if self._group_txn is None:
            return False
        # The group's position promises what the databases hold up to there.
        for database in self.group.databases.values():
            database.make_durable()
        store_position(self._group_txn, self.position)
        self._group_txn.commit()
        for database in self.group.databases.values():
            database.record = self._record_of(database)
        return True

    def abort(self) -> None:
        """Forget it all. The folder of a database that was created is swept at the next start."""
        for writing in self._writing.values():
            writing.txn.abort()
        if self._group_txn is not None:
            self._group_txn.abort()
        for database in self._created:
            database.environment.close()

    def remove_left(self) -> None:
        """Close deleted databases and remove their files; only after the commit."""
        for leaving in self._leaving:
            leaving.database.environment.close()
            if leaving.hard:
                remove_folder(leaving.database.environment.path)

    # One command

    def _step_command(self, command: Command) -> Stepped:
        command_index = self._take_index()
        outcome: Outcome | None
        match command:
            case (
                CreateDatabase()
                | DeleteDatabases()
                | ChangeDatabase()
                | ToggleDatabases()
                | LockDatabases()
                | PutClientConfiguration()
            ):
                given = Answers(self._write_group())
                outcome = answered(given, command, lambda: self._step_in_group(command))
            case TakeIndex():
                outcome = IndexTaken()
            case _:
                outcome = self._step_in_database(command)
        return Stepped(command_index, outcome)

    def _step_in_group(self, command: GroupCommand) -> Outcome:
        match command:
            case CreateDatabase():
                return self._create_database(command)
            case DeleteDatabases():
                return self._delete_databases(command)
            case ChangeDatabase():
                return self._change_database(command)
            case ToggleDatabases():
                return self._toggle_databases(command)
            case LockDatabases():
                return self._lock_databases(command)
            case PutClientConfiguration():
                return self._put_client_configuration(command)

    def _step_in_database(self, command: DatabaseCommand) -> Outcome | None:
        """Its outcome; None if the database had it before a restart: nobody waits for it."""
        database = self.group.databases.get(fold_name(command.database))
        if database is None:
            return databases.missing(command.database)
        record = self._record_of(database)
        if record.disabled:
            # Without an answer to remember: sent again once it is enabled, it is carried out.
            return databases.disabled(record)
        done = database.position
        has_it = self.position.command_index <= done.command_index
        assert has_it == (self.position.log_index <= done.log_index), "a replay leaves nothing out"
        if has_it:
            return None
        writing = self._write_database(database)
        txn, running = writing.txn, writing.running
        command_index = self.position.command_index
        separator = client_configuration.separator(record.client, self.group.client.json)
        with naming(database.environment.path):
            outcome = answered(
                writing.answers,
                command,
                lambda: carry_out(
                    txn,
                    record,
                    command,
                    running=running,
                    command_index=command_index,
                    separator=separator,
                ),
            )
        if isinstance(outcome, IndexPut):
            database.has_indexes = True
        return outcome

    def _create_database(self, command: CreateDatabase) -> Outcome:
        refused = (
            check_time(command.at_micros)
            or administration.check_settings(command.settings)
            or administration.check_lock(command.lock_mode)
            or (client_configuration.check(command.client) if command.client else None)
        )
        if refused is not None:
            return refused
        record = databases.create(
            self._write_group(), command, command_index=self.position.command_index
        )
        if isinstance(record, Refused):
            return record
        database = Database.create(record, self._folder, map_bytes=self._map_bytes)
        self._created.append(database)
        self._set_databases({**self.group.databases, fold_name(record.name): database})
        return DatabaseCreated(record.name, record.command_index)

    def _delete_databases(self, command: DeleteDatabases) -> Outcome:
        names = dict.fromkeys(map(fold_name, command.names))
        found = filter(None, map(self.group.databases.get, names))
        records = [self._record_of(database) for database in found]
        deletable = administration.to_delete(records)
        if isinstance(deletable, Refused):
            return deletable
        remaining = dict(self.group.databases)
        for record in deletable:
            database = remaining.pop(fold_name(record.name))
            databases.delete(self._write_group(), record, hard=command.hard)
            if (writing := self._writing.pop(record.folder, None)) is not None:
                writing.txn.abort()
            self._leaving.append(Leaving(database, command.hard))
        self._set_databases(remaining)
        deleted = tuple(record.name for record in deletable)
        return DatabasesDeleted(deleted, self.position.command_index)

    def _change_database(self, command: ChangeDatabase) -> Outcome:
        database = self.group.databases.get(fold_name(command.name))
        if database is None:
            return databases.missing(command.name)
        record = administration.changed(
            self._record_of(database),
            command,
            members=self.group.members.keys(),
            command_index=self.position.command_index,
        )
        if isinstance(record, Refused):
            return record
        self._set_record(record)
        return DatabaseChanged(record.name, self.position.command_index)

    def _toggle_databases(self, command: ToggleDatabases) -> Outcome:
        index, told = self.position.command_index, []
        for name in command.names:
            database = self.group.databases.get(fold_name(name))
            if database is None:
                told.append(Toggled(name, found=False, changed=False))
                continue
            record = self._record_of(database)
            changes = record.disabled != command.disabled
            if changes:
                self._set_record(replace(record, disabled=command.disabled, changed_index=index))
            told.append(Toggled(record.name, found=True, changed=changes))
        return DatabasesToggled(tuple(told), index)

    def _lock_databases(self, command: LockDatabases) -> Outcome:
        if (refused := administration.check_lock(command.mode)) is not None:
            return refused
        found = {name: self.group.databases.get(fold_name(name)) for name in command.names}
        for name, database in found.items():
            if database is None:
                return databases.missing(name)
        index = self.position.command_index
        for database in found.values():
            assert database is not None, "just looked for"
            record = self._record_of(database)
            if record.lock_mode != command.mode:
                self._set_record(replace(record, lock_mode=command.mode, changed_index=index))
        return DatabasesLocked(index)

    def _put_client_configuration(self, command: PutClientConfiguration) -> Outcome:
        if (refused := client_configuration.check(command.configuration)) is not None:
            return refused
        index = self.position.command_index
        configuration = ClientConfiguration(command.configuration, index)
        client_configuration.store(self._write_group(), configuration)
        self.group = replace(self.group, client=configuration)
        return ClientConfigurationPut(index)

    def _change_members(self, membership: MembershipChange) -> Stepped:
        command_index = self._take_index()
        txn = self._write_group()
        members.change(txn, membership, command_index=command_index)
        self.group = replace(
            self.group, members=members.every(txn), members_command_index=command_index
        )
        return Stepped(command_index, None)

    # What it writes to

    def _take_index(self) -> int:
        """Every command and every change of membership has an index of its own."""
        self.position = Position(self.position.log_index, self.position.command_index + 1)
        return self.position.command_index

    def _write_group(self) -> WriteTxn:
        if self._group_txn is None:
            self._group_txn = self._environment.begin()
        return self._group_txn

    def _write_database(self, database: Database) -> Writing:
        folder = database.record.folder
        if (writing := self._writing.get(folder)) is None:
            txn = database.environment.begin()
            with naming(txn.path):
                running = Running.of(txn)
            writing = Writing(database, txn, self.position, running, Answers(txn))
            self._writing[folder] = writing
        writing.position = self.position
        return writing

    def _record_of(self, database: Database) -> DatabaseRecord:
        """The record as it stands here; readers see it after the commit."""
        return self._records.get(database.record.folder, database.record)

    def _set_record(self, record: DatabaseRecord) -> None:
        databases.store(self._write_group(), record)
        self._records[record.folder] = record

    def _set_databases(self, changed: dict[str, Database]) -> None:
        self.group = replace(self.group, databases=changed)


def answered(given: Answers, command: Answerable, carry_out: Callable[[], Outcome]) -> Outcome:
    """The outcome of a command, or the first answer to its request id."""
    if command.request_id is None:
        return carry_out()
    kind = type(command).__name__
    if (first := given.recall(command.request_id, kind=kind)) is not None:
        return first
    outcome = carry_out()
    if not _is_overtaken(command, outcome):
        given.remember(command.request_id, kind=kind, outcome=outcome)
    return outcome


def _is_overtaken(command: Answerable, outcome: Outcome) -> bool:
    """Whether somebody was faster than what was computed: it is computed again, for the same id."""
    batch = command.batch if isinstance(command, SaveNumbered) else command
    return (
        isinstance(batch, SaveCheckedBatch)
        and isinstance(outcome, Refused)
        and rests_on_checks(batch.checks, outcome)
    )


def remove_folder(path: Path) -> None:
    """Remove a folder and all in it. Raises Fatal naming it."""
    try:
        shutil.rmtree(path)
        sync_folder(path.parent)
    except OSError as error:
        raise Fatal(f"{path} cannot be removed: {error}") from error
