"""A state machine for stories about the log: a list of commands, in memory."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from quoth_cluster.log import LogEntry, Position, Stepped


@dataclass(frozen=True)
class FrozenCommands:
    """What a machine held at one moment."""

    position: Position
    commands: tuple[bytes, ...]
    members_command_index: int

    def copy_to(self, folder: Path) -> list[Path]:
        """One file, in a folder of its own."""
        (folder / "plain").mkdir(parents=True)
        told = [self.position.log_index, self.position.command_index, self.members_command_index]
        content = json.dumps([told, [command.hex() for command in self.commands]])
        (folder / "plain" / "commands.json").write_text(content)
        return [Path("plain/commands.json")]

    def release(self) -> None:
        return None


class PlainMachine:
    """Keeps commands in a list; forgets at a restart what has no checkpoint, as memory does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.position = Position()
        self.applied = Position()
        self.commands: list[bytes] = []
        self.members_command_index = 0
        if (folder / "state").exists():
            self._load(folder / "state")

    def apply(self, entries: Sequence[LogEntry]) -> list[tuple[Stepped, ...]]:
        return [self._step(entry) for entry in entries]

    def checkpoint(self) -> None:
        frozen = self.freeze()
        target = self.folder / "state"
        target.parent.mkdir(parents=True, exist_ok=True)
        for file in target.rglob("*.json"):
            file.unlink()
        for part in (target / "plain", target):
            if part.exists():
                part.rmdir()
        frozen.copy_to(target)
        self.position = self.applied

    def freeze(self) -> FrozenCommands:
        return FrozenCommands(self.applied, tuple(self.commands), self.members_command_index)

    def install(self, copy: Path) -> None:
        self._load(copy)
        self.checkpoint()

    def _load(self, folder: Path) -> None:
        told, commands = json.loads((folder / "plain" / "commands.json").read_text())
        self.applied = self.position = Position(told[0], told[1])
        self.members_command_index = told[2]
        self.commands = [bytes.fromhex(command) for command in commands]

    def _step(self, entry: LogEntry) -> tuple[Stepped, ...]:
        command_index = self.applied.command_index
        steps = []
        if entry.membership is not None:
            command_index += 1
            self.members_command_index = command_index
            steps.append(Stepped(command_index, None))
        for command in entry.commands:
            command_index += 1
            self.commands.append(command)
            steps.append(Stepped(command_index, command))
        self.applied = Position(entry.log_index, command_index)
        return tuple(steps)
