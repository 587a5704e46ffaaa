"""A small state machine that keeps its state as the real one does: a database and the group.

The database commits with every call of `apply`, with its own position; kill -9 keeps that, power
loss may go back to any commit since it was last synced. The group's position, which replay starts
after, moves in `checkpoint` only. What the database has already, a replay skips.
"""

import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgpack

from quoth_cluster.log import Change, LogEntry, Member, Position, Stepped, Vote

PUT, CAS, ADD = "put", "cas", "add"


def pack(uid: int, verb: str, key: str, *values: int) -> bytes:
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

    def pack(self) -> bytes:
        """All of it, as a snapshot."""
        position = [self.position.log_index, self.position.command_index]
        registers = [[key, held.value, held.command_index] for key, held in self.registers.items()]
        members = [[m.tag, m.url, m.peer_address, m.vote.value] for m in self.members.values()]
        parts = [position, self.digest, registers, members, self.members_command_index]
        return bytes(msgpack.packb(parts))

    @staticmethod
    def unpack(data: bytes) -> "State":
        position, digest, registers, members, members_command_index = msgpack.unpackb(data)
        return State(
            Position(*position),
            digest,
            {key: Value(value, at) for key, value, at in registers},
            {tag: Member(tag, url, address, Vote(vote)) for tag, url, address, vote in members},
            members_command_index,
        )


EMPTY = State(Position(1, 0), 0, {}, {})


@dataclass(slots=True)
class Store:
    """What outlives a process. Invariant: commits[0] is synced and not behind `position`."""

    commits: list[State]
    position: Position

    def lose_power(self, dice: random.Random) -> None:
        self.commits = [dice.choice(self.commits)]

    def install(self, state: State) -> None:
        """Go on with another state; durable."""
        self.commits = [state]
        self.position = state.position


@dataclass(frozen=True, slots=True)
class FrozenState:
    """A state as the snapshots hold it. Nothing in it changes, so nothing need be held."""

    state: State

    @property
    def position(self) -> Position:
        return self.state.position

    def release(self) -> None:
        return None


def new_store() -> Store:
    return Store([EMPTY], Position())


class Registers:
    """One life of the state machine. Fulfils `StateMachine`."""

    def __init__(
        self,
        store: Store,
        on_apply: Callable[[LogEntry, State], None],
        on_install: Callable[[State], None],
    ) -> None:
        self._store = store
        self._on_apply = on_apply
        self._on_install = on_install
        self._replayed = store.position  # how far this life has come
        self.skips_what_it_has = True  # for planted bugs

    @property
    def position(self) -> Position:
        return self._store.position

    @property
    def state(self) -> State:
        """What a reader sees: the last commit."""
        return self._store.commits[-1]

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
            self._store.commits.append(state)
        if entries:
            self._replayed = Position(entries[-1].log_index, command_index)
        return answers

    def checkpoint(self) -> None:
        # A replay may not have come to what the database holds already.
        del self._store.commits[:-1]
        self._store.position = self._replayed

    @property
    def members_command_index(self) -> int:
        return self.state.members_command_index

    def freeze(self) -> "FrozenState":
        return FrozenState(self.state)

    def install(self, copy: "FrozenState") -> None:
        self._store.install(copy.state)
        self._replayed = copy.state.position
        self._on_install(copy.state)

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
        for command in entry.commands:
            command_index += 1
            outcome = None if is_known else step(registers, command, command_index)
            digest = zlib.crc32(command, digest)
            steps.append(Stepped(command_index, outcome))
        if not is_known:
            position = Position(entry.log_index, command_index)
            state = State(position, digest, registers, members, members_command_index)
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
