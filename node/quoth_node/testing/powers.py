"""Whether nodes of a cluster under test can lose power, or only be killed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Protocol

from quoth_node.folder import create_folder
from quoth_node.testing.network import CannotFault
from quoth_node.testing.power import layer
from quoth_node.testing.power.replay import PowerCut, power_loss

POWER_FOLDER = "power"  # in that of the cluster: the layer, and what nodes have not synced
FOLDER_VARIABLE, RECORDS_VARIABLE = "QUOTH_POWER_FOLDER", "QUOTH_POWER_RECORDS"


class Recording(Protocol):
    """Knows what of the files of nodes is on disk, and what only looks so."""

    def require(self) -> None:
        """Raise CannotFault if power cannot be lost."""

    def environment(self, tag: str) -> Mapping[str, str]:
        """What the process of a node has to be started with."""

    def wish(self, tag: str) -> str | None:
        """What its launcher is asked for (`launcher`, "power")."""

    def power_loss(self, tags: Sequence[str]) -> Any:
        """Lose what nodes that were killed have not synced; what that was, for people."""


class NoRecording:
    """Nodes write as they do."""

    def require(self) -> None:
        """Raises CannotFault."""
        raise CannotFault("this cluster was started without power=True, so it cannot lose power")

    def environment(self, tag: str) -> Mapping[str, str]:
        """Nothing."""
        return {}

    def wish(self, tag: str) -> str | None:
        """Nothing."""
        return None

    def power_loss(self, tags: Sequence[str]) -> Any:
        """Raises CannotFault."""
        self.require()


class FolderRecording:
    """Records in a folder; how they come there is told by those below.

    Records outlive a process: what one has not synced, no later one has.
    """

    def __init__(self, folder: Path, chance: Random) -> None:
        self._folder, self._chance = folder, chance
        self._power = folder / POWER_FOLDER
        self._power.mkdir(exist_ok=True)

    def require(self) -> None:
        """Power can be lost."""

    def power_loss(self, tags: Sequence[str]) -> PowerCut:
        """Lose, keep or tear by chance."""
        lost = PowerCut()
        for tag in tags:
            lost += power_loss(self._folder / tag, self._records(tag), self._chance)
        return lost

    def _records(self, tag: str) -> Path:
        folder = self._power / tag
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder


class LayerRecording(FolderRecording):
    """All calls of libc that change files are recorded, those of LMDB and SQLite, too."""

    def __init__(self, folder: Path, chance: Random) -> None:
        """Raises OSError if the layer does not compile."""
        super().__init__(folder, chance)
        self._library = layer.build(self._power)

    def environment(self, tag: str) -> Mapping[str, str]:
        """The library, and what it shall record where."""
        create_folder(self._folder / tag)
        return {
            "LD_PRELOAD": str(self._library),
            FOLDER_VARIABLE: str(self._folder / tag),
            RECORDS_VARIABLE: str(self._records(tag)),
        }

    def wish(self, tag: str) -> str | None:
        """Nothing."""
        return None


class PythonRecording(FolderRecording):
    """What Python writes is recorded: the log and snapshots, not LMDB and SQLite."""

    def environment(self, tag: str) -> Mapping[str, str]:
        """Nothing."""
        return {}

    def wish(self, tag: str) -> str | None:
        """Where to."""
        return str(self._records(tag))


def open_recording(folder: Path, chance: Random) -> Recording:
    """Record what the nodes in `folder` write. Raises CannotFault if this machine cannot."""
    if layer.why_not() is not None:
        return PythonRecording(folder, chance)
    try:
        return LayerRecording(folder, chance)
    except OSError as error:
        raise CannotFault(str(error)) from error
