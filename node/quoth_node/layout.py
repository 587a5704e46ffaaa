"""The folder of a local cluster, `DIR/<tag>` per node, and who must do what to start it. Pure.

Who has a cluster id goes on with it. If nobody has one, the first node founds and the others join;
if somebody has, nobody may found again: a node whose disk was lost joins like a new one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase

from quoth_node.config import require
from quoth_node.errors import BadFolder
from quoth_node.folder import RECORD_NAME, NodeRecord, read_record

NODES_MAX = len(ascii_uppercase)
NODES_DEFAULT = 3


@dataclass(frozen=True, slots=True)
class StartPlan:
    """First `together`, all at once; then `one_by_one`, each when the one before it is ready."""

    together: tuple[str, ...]  # tags that are members already, or the one that founds
    one_by_one: tuple[str, ...]  # tags that join

    @property
    def tags(self) -> tuple[str, ...]:
        """All nodes, in the order of their ports."""
        return tuple(sorted(self.together + self.one_by_one))


def plan_start(records: Mapping[str, NodeRecord], *, nodes: int | None) -> StartPlan:
    """Who starts how: every node found, and more until there are `nodes` (None: those found, or 3).

    Raises BadConfig for an impossible number.
    """
    require(nodes is None or 1 <= nodes <= NODES_MAX, f"--nodes must be 1..{NODES_MAX}")
    count = nodes or (0 if records else NODES_DEFAULT)
    tags = sorted({*records, *ascii_uppercase[:count]})
    members = [tag for tag in tags if tag in records and records[tag].cluster_id is not None]
    together = members or tags[:1]
    return StartPlan(tuple(together), tuple(tag for tag in tags if tag not in together))


def find_records(folder: Path) -> dict[str, NodeRecord]:
    """The records of the nodes that have used a folder here.

    Raises BadFolder for an unreadable one, or if `folder` belongs to a single node.
    """
    if not folder.exists():
        return {}
    if not folder.is_dir():
        raise BadFolder(f"data folder {folder} is not a folder")
    if (folder / RECORD_NAME).exists():
        raise BadFolder(f"data folder {folder} belongs to one node, not to a cluster of its own")
    records = {tag: read_record(folder / tag) for tag in ascii_uppercase}
    return {tag: record for tag, record in records.items() if record is not None}


def port_of(tag: str, first_port: int) -> int:
    """The HTTP port of a node: the first port plus its place in the alphabet."""
    return first_port + ascii_uppercase.index(tag)
