"""The state of a node: what the committed log comes to, in memory-mapped files.

    folder/group/                    members, database records, and the position of the group
    folder/databases/<record.folder> one environment per database, with a position of its own

Every command gets the next command index. `apply` carries out entries in one storage transaction
per touched database, which notes in the same transaction how far it has come. `position` is the
group's: all up to there survives a power cut. After a restart the log is replayed from there, and a
database that is further along skips what it has.

The order of becoming durable makes that true:

    databases commit -> databases are synced -> group commits records, members, position
    -> files of deleted databases are removed

Applying is total: what users do wrong is an outcome. What raises is Fatal, and the machine then
refuses to go on, because its memory and its files may no longer agree.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from quoth_cluster import client_configuration, databases, members
from quoth_cluster.client_configuration import ClientConfiguration
from quoth_cluster.database import (
    Database,
    check_store_kind,
    load_position,
    store_position,
    write_store_kind,
)
from quoth_cluster.databases import DatabaseRecord, fold_name
from quoth_cluster.errors import Fatal
from quoth_cluster.log import LogEntry, Member, Position, Stepped
from quoth_cluster.round import Group, Round, open_entry, remove_folder
from quoth_cluster.state_copy import (
    DATABASES_FOLDER,
    GROUP_FOLDER,
    GROUP_MAP_BYTES,
    FrozenState,
    replace_state,
)
from quoth_cluster.store.environment import Environment, ReadTxn, make_folder
from quoth_cluster.upgrade import upgrade

GIB = 2**30
DATABASE_MAP_BYTES = 64 * GIB  # address space, not disk: the files grow as they are written
STORE_KIND = "group"

__all__ = ["Database", "Machine"]


class Machine:
    """Applies entries in one thread; everything else may be asked from any thread."""

    def __init__(self, root: Path, opened: "Opened", map_bytes: int) -> None:
        """Use `open`."""
        self._root = root
        self._map_bytes = map_bytes
        self._working = Lock()
        self._failed: BaseException | None = None
        self.on_applied: Callable[[], None] = lambda: None  # in the thread that applies
        self._take(opened)

    @classmethod
    def open(cls, folder: Path, *, map_bytes: int = DATABASE_MAP_BYTES) -> "Machine":
        """The machine whose files are in `folder`; a new one if there are none.

        Raises Fatal, with the folder named, if they cannot be opened or trusted.
        """
        return cls(folder, _open(folder, map_bytes), map_bytes)

    def _take(self, opened: "Opened") -> None:
        self._environment = opened.environment
        self._group = opened.group  # replaced as a whole, after the commit
        self._applied = opened.position
        self._position = opened.position  # invariant: not beyond `_applied`

    @property
    def position(self) -> Position:
        """All up to here is applied and survives a power cut; replay starts behind it."""
        return self._position

    @property
    def applied(self) -> Position:
        """The last command applied in this process; replay moves it on from `position`."""
        return self._applied

    def apply(self, entries: Sequence[LogEntry]) -> list[tuple[Stepped, ...]]:
        """Carry out entries, in order, in one storage transaction per database.

        One tuple per entry, in it one Stepped per command. A change of membership has no outcome,
        nor has a command that the database had before a restart.
        Raises Fatal: what was not committed is gone, and the machine applies nothing any more.
        """
        with self._work():
            opened = [open_entry(entry) for entry in entries]
            round_ = Round(
                self._group,
                self._applied,
                environment=self._environment,
                folder=self._root / DATABASES_FOLDER,
                map_bytes=self._map_bytes,
            )
            try:
                stepped = [round_.step(entry) for entry in opened]
                is_durable = round_.commit()
            except BaseException:
                round_.abort()
                raise
            self._group = round_.group
            self._applied = round_.position
            if is_durable:
                self._position = round_.position
            round_.remove_left()
            self.on_applied()
            return stepped

    def members(self) -> dict[str, Member]:
        """The members of the cluster by tag, as applied here."""
        return dict(self._group.members)

    @property
    def members_command_index(self) -> int:
        """The command index of the last change of membership applied here."""
        return self._group.members_command_index

    @property
    def client_configuration(self) -> ClientConfiguration:
        """What the server tells clients, as applied here."""
        return self._group.client

    def database(self, name: str) -> Database | None:
        """The database of that name, in whatever case it is written."""
        return self._group.databases.get(fold_name(name))

    def open_databases(self) -> list[Database]:
        """All databases as this node has them open now."""
        return list(self._group.databases.values())

    def databases(self) -> list[DatabaseRecord]:
        """All records, by name."""
        by_name = sorted(self._group.databases.items())
        return [database.record for _, database in by_name]

    def checkpoint(self) -> None:
        """Move `position` up to `applied`: the log before it is not needed here any more."""
        with self._work():
            for database in self._group.databases.values():
                database.make_durable()
            if self._position != self._applied:
                with self._environment.write() as txn:
                    store_position(txn, self._applied)
                self._position = self._applied

    def freeze(self) -> FrozenState:
        """All that is applied now, to be copied while more is applied. Release it."""
        with self._work():
            frozen = [self._environment.freeze()]
            try:
                for database in self._group.databases.values():
                    frozen.append(database.environment.freeze())
            except BaseException:
                for one in frozen:
                    one.release()
                raise
            return FrozenState(self._applied, frozen[0], tuple(frozen[1:]))

    def install(self, copy: Path) -> None:
        """Go on with the state in `copy`, a folder as `FrozenState.copy_to` makes it.

        The former state is gone, the folder is used up, and who wants to read former databases is
        answered `Closed`. Who reads already goes on with what it sees: its files have no name any
        more, and are gone when it leaves. Durable at return; may be repeated after a crash.
        Raises Fatal.
        """
        with self._work():
            for database in self._group.databases.values():
                database.environment.close()
            self._environment.close()
            replace_state(self._root, copy)
            self._take(_open(self._root, self._map_bytes))
            self.on_applied()

    def close(self) -> None:
        """Let go of the files, after the work at hand; what has no checkpoint is replayed later."""
        with self._working:
            for database in self._group.databases.values():
                database.environment.close()
            self._environment.close()

    @contextmanager
    def _work(self) -> Iterator[None]:
        """Only one thread at a time, and nothing after a failure."""
        if self._failed is not None:
            raise Fatal(f"the state failed before: {self._failed}") from self._failed
        alone = self._working.acquire(blocking=False)
        assert alone, "one thread applies"
        try:
            yield
        except BaseException as error:
            self._failed = error
            raise
        finally:
            self._working.release()


@dataclass(frozen=True, slots=True)
class Opened:
    """What is in the folder of a machine."""

    environment: Environment
    group: Group
    position: Position


def _open(folder: Path, map_bytes: int) -> Opened:
    environment = Environment.open(folder / GROUP_FOLDER, map_bytes=GROUP_MAP_BYTES)
    _found_if_new(environment)
    # A process killed within a commit leaves what the kernel knows and the disk may not; the
    # position must be durable before the log behind it is let go.
    environment.sync()
    with environment.read() as txn:
        check_store_kind(txn, STORE_KIND)
    upgrade(environment, STORE_KIND)
    with environment.read() as txn:
        position = load_position(txn)
        records = list(databases.every(txn))
        left = databases.left_folders(txn)
        client = client_configuration.load(txn)
        member_by_tag, changed_at = members.every(txn), members.changed_at(txn)
    _sweep(folder / DATABASES_FOLDER, left | {record.folder for record in records})
    by_name = {
        fold_name(record.name): Database.open(
            record, folder / DATABASES_FOLDER, map_bytes=map_bytes
        )
        for record in records
    }
    return Opened(environment, Group(by_name, member_by_tag, changed_at, client), position)


def _found_if_new(environment: Environment) -> None:
    """Write what an empty environment of the group begins with."""
    with environment.write() as txn:
        if _is_empty(txn):
            write_store_kind(txn, STORE_KIND)
            store_position(txn, Position())


def _is_empty(txn: ReadTxn) -> bool:
    return next(txn.scan(b""), None) is None


def _sweep(folder: Path, known: set[str]) -> None:
    """Remove what an interrupted creation or deletion left: folders that no record names."""
    try:
        make_folder(folder)
        found = sorted(folder.iterdir())
    except OSError as error:
        raise Fatal(f"{folder} cannot be read: {error}") from error
    for path in found:
        if path.name not in known:
            remove_folder(path)
