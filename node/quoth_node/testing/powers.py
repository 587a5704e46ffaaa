"""Whether nodes of a cluster under test can lose power, or only be killed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from quoth_node.testing.network import CannotFault


class Recording(Protocol):
    """Knows what of the files of nodes is on disk, and what only looks so."""

    def require(self) -> None:
        """Raise CannotFault if power cannot be lost."""

    def environment(self, tag: str) -> Mapping[str, str]:
        """What the process of a node has to be started with."""

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

    def power_loss(self, tags: Sequence[str]) -> Any:
        """Raises CannotFault."""
        self.require()


def open_recording(folder: Path) -> Recording:
    """Record what the nodes in `folder` write. Raises CannotFault if this machine cannot."""
    raise CannotFault(f"what nodes in {folder} write cannot be recorded here")
