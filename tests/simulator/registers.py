"""A small state machine that keeps its state as the real one does: a database and the group.

The database commits with every call of `apply`, with its own position; kill -9 keeps that, power
loss may go back to any commit since it was last synced. The group's position, which replay starts
after, moves in `checkpoint` only. What the database has already, a replay skips.

    state/group/data             where it is, and the members
    state/databases/db/data      what the registers hold

The files on the simulated disk are what the state began with: nothing, or a snapshot. Only their
place is changed by an install, as the real one does it, so what power takes of them is missing. The
commits since then are not in them, but beside them in memory.
"""

import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import google_crc32c
import msgpack

from quoth_cluster.errors import CorruptFile, Fatal
from quoth_cluster.log import Change, LogEntry, Member, Position, Stepped, Vote
from quoth_cluster.state_copy import replace_state
from tests.simulator import rows as database
from tests.simulator.disks import SimDisk
from tests.simulator.rows import Rows

PUT, CAS, ADD, TAKE = "put", "cas", "add", "take"
GROUP_FILE, DATABASE_FILE = Path("group", "data"), Path("databases", "db", "data")
FILLING = bytes(range(60))  # so that each file is several chunks


def pack(uid: int, verb: str, key: str, *values: int | bytes) -> bytes:
    """A command; its uid is in no other."""
    return bytes(msgpack.packb([uid, verb, key, *values]))


@dataclass(frozen=True, slots=True)
class Value:
    """What a register holds, and the command that wrote it."""

    value: int
    command_index: int


@dataclass(frozen=True, slots=True)
class State:
    """All of it at one moment. Nothing in it is ever changed in place."""

    position: Position
    digest: int  # of all that was applied, in order
    registers: dict[str, Value]
    members: dict[str, Member]
    members_command_index: int = 0
    rows: Rows = field(default_factory=dict)  # what commands on sequences have written

    def write(self, disk: SimDisk, folder: Path) -> None:
        """All of it, as files."""
        position = [self.position.log_index, self.position.command_index]
        registers = [[key, held.value, held.command_index] for key, held in self.registers.items()]
        members = [[m.tag, m.url, m.peer_address, m.vote.value] for m in self.members.values()]
        parts = [position, self.digest, members, self.members_command_index]
        _write_file(disk, folder / GROUP_FILE, parts)
        noted = database.noted(self.rows)
        _write_file(disk, folder / DATABASE_FILE, [position, self.digest, registers, noted])

    @staticmethod
    def read(disk: SimDisk, folder: Path) -> "State":
        """What is in the files of `folder`. Raises CorruptFile."""
        group = _read_file(disk, folder / GROUP_FILE)
        stored = _read_file(disk, folder / DATABASE_FILE)
        position, digest, members, members_command_index = group
        if [position, digest] != stored[:2]:
            raise CorruptFile(f"{folder} holds files of {group} and of {stored}")
        return State(
            Position(*position),
            digest,
            {key: Value(value, at) for key, value, at in stored[2]},
            {tag: Member(tag, url, address, Vote(vote)) for tag, url, address, vote in members},
            members_command_index,
            database.KNOWN[stored[3]],
        )


EMPTY = State(Position(1, 0), 0, {}, {})


@dataclass(slots=True)
class Commits:
    """What was committed since the files that hold `base` were put in their place.

    Invariant: commits[0] is as durable as the files, and not behind `position`.
    """

    base: State
    commits: list[State]
    position: Position


@dataclass(slots=True)
class Store:
    """What outlives a process."""

    disk: SimDisk
    folder: Path
    now: Commits = field(default_factory=lambda: Commits(EMPTY, [EMPTY], Position()))
    before: Commits | None = None  # what was in the place of the files before

    def found(self) -> None:
        """The files of a new, empty state."""
        for file in (GROUP_FILE, DATABASE_FILE):
            self.disk.make_folder((self.folder / file).parent)
        EMPTY.write(self.disk, self.folder)
        self.sync()
        for file in (GROUP_FILE, DATABASE_FILE):
            self.disk.sync_folder((self.folder / file).parent)

    def lose_power(self, dice: random.Random) -> None:
        for known in (self.now, self.before):
            if known is not None:
                known.commits = [dice.choice(known.commits)]

    def open(self) -> None:
        """Go on with what the files say. Raises CorruptFile."""
        found = State.read(self.disk, self.folder)
        for known in (self.now, self.before):
            if known is not None and known.base == found:
                self.now = known
                return
        self._go_on_with(found)

    def install(self, copy: Path) -> None:
        """Go on with another state; durable."""
        replace_state(self.folder, copy, disk=self.disk)
        self._go_on_with(State.read(self.disk, self.folder))

    def sync(self) -> None:
        """As a checkpoint does it: what is in the files, not their names."""
        try:
            for file in (GROUP_FILE, DATABASE_FILE):
                self.disk.open(self.folder / file).sync()
        except OSError as error:
            raise Fatal(f"{self.folder} failed: {error}") from error

    def _go_on_with(self, found: State) -> None:
        self.before, self.now = self.now, Commits(found, [found], found.position)


@dataclass(frozen=True, slots=True)
class FrozenState:
    """A state as the snapshots hold it. Nothing in it changes, so nothing need be held."""

    state: State
    disk: SimDisk

    @property
    def position(self) -> Position:
        return self.state.position

    def copy_to(self, folder: Path) -> list[Path]:
        self.state.write(self.disk, folder)
        return [DATABASE_FILE, GROUP_FILE]

    def release(self) -> None:
        return None


def _write_file(disk: SimDisk, path: Path, parts: list[object]) -> None:
    packed = bytes(msgpack.packb([*parts, FILLING]))
    disk.make_folder(path.parent, durably=False)
    disk.open(path).write(0, google_crc32c.value(packed).to_bytes(4, "little") + packed)


def _read_file(disk: SimDisk, path: Path) -> list[Any]:
    if not disk.exists(path):
        raise CorruptFile(f"{path} is missing")
    file = disk.open(path)
    stored = file.read(0, file.size())
    if google_crc32c.value(stored[4:]).to_bytes(4, "little") != stored[:4]:
        raise CorruptFile(f"{path} does not match its checksum")
    parts: list[Any] = msgpack.unpackb(stored[4:])
    return parts[:-1]


class Registers:
    """One life of the state machine. Fulfils `StateMachine`."""

    def __init__(
        self,
        store: Store,
        on_apply: Callable[[LogEntry, State], None],
        on_install: Callable[[State, int], None],
    ) -> None:
        self._store = store
        self._on_apply = on_apply
        self._on_install = on_install
        self._replayed = store.now.position  # how far this life has come
        self.skips_what_it_has = True  # for planted bugs

    @property
    def position(self) -> Position:
        return self._store.now.position

    @property
    def state(self) -> State:
        """What a reader sees: the last commit."""
        return self._store.now.commits[-1]

    def apply(self, entries: Sequence[LogEntry]) -> list[tuple[Stepped, ...]]:
        state = self.state
        command_index = state.position.command_index
        # A replay starts behind the database: count the commands as they were counted then.
        if entries and entries[0].log_index <= state.position.log_index:
            command_index = self._replayed_from(entries[0])
        answers = []
        for entry in entries:
            steps, command_index, state = self._step(entry, command_index, state)
            answers.append(steps)
        if state is not self.state:
            self._store.now.commits.append(state)
        if entries:
            self._replayed = Position(entries[-1].log_index, command_index)
        return answers

    def checkpoint(self) -> None:
        # A replay may not have come to what the database holds already.
        self._store.sync()
        del self._store.now.commits[:-1]
        self._store.now.position = self._replayed

    @property
    def members_command_index(self) -> int:
        return self.state.members_command_index

    def freeze(self) -> "FrozenState":
        return FrozenState(self.state, self._store.disk)

    def install(self, copy: Path) -> None:
        before = self.state.position.log_index
        self._store.install(copy)
        self._replayed = self.state.position
        self._on_install(self.state, before)

    def _replayed_from(self, entry: LogEntry) -> int:
        expected = max(self._replayed.log_index, 1) + 1
        assert entry.log_index == expected, "a replay leaves nothing out"
        return self._replayed.command_index

    def _step(
        self, entry: LogEntry, command_index: int, state: State
    ) -> tuple[tuple[Stepped, ...], int, State]:
        is_known = self.skips_what_it_has and entry.log_index <= state.position.log_index
        registers = state.registers if is_known or not entry.commands else dict(state.registers)
        members, digest = state.members, state.digest
        members_command_index = state.members_command_index
        steps = []
        if entry.membership is not None:
            command_index += 1
            members_command_index = command_index
            steps.append(Stepped(command_index, None))
            members = dict(members)
            member = entry.membership.member
            if entry.membership.change is Change.REMOVE:
                members.pop(member.tag, None)
            else:
                members[member.tag] = member
        rows = state.rows
        for command in entry.commands:
            command_index += 1
            outcome: object = None
            digest = zlib.crc32(command, digest)
            if not is_known:
                _, verb, _, *values = msgpack.unpackb(command)
                if verb == TAKE:
                    rows, taken = database.stepped(rows, values[0], command_index, self)
                    outcome, digest = taken, zlib.crc32(database.packed(taken), digest)
                else:
                    outcome = step(registers, command, command_index)
            steps.append(Stepped(command_index, outcome))
        if not is_known:
            position = Position(entry.log_index, command_index)
            state = State(position, digest, registers, members, members_command_index, rows)
            self._on_apply(entry, state)
        return tuple(steps), command_index, state


def step(registers: dict[str, Value], command: bytes, command_index: int) -> tuple[bool, int]:
    """Carry out one command; whether it was done, and what the register held before."""
    _, verb, key, *values = msgpack.unpackb(command)
    before = registers[key].value if key in registers else 0
    if verb == PUT:
        registers[key] = Value(values[0], command_index)
        return True, before
    if verb == CAS:
        if before != values[0]:
            return False, before
        registers[key] = Value(values[1], command_index)
        return True, before
    assert verb == ADD
    registers[key] = Value(before + values[0], command_index)
    return True, before
