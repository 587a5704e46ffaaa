"""The whole state as files: copied from a machine that goes on, and put in the place of another.

    folder/group/data.mdb, folder/databases/<record.folder>/data.mdb

A copy is what all environments held after one command: frozen together between two rounds of
`apply`, then copied beside it. Its group holds the position of that command, so nothing before it
is replayed over it.
"""

from dataclasses import dataclass
from pathlib import Path

from quoth_cluster.database import store_position
from quoth_cluster.errors import Fatal
from quoth_cluster.log import Position
from quoth_cluster.raft.disk import Disk, RealDisk
from quoth_cluster.store.environment import DATA_FILE, Environment, Frozen, sync_folder

GROUP_FOLDER = "group"
DATABASES_FOLDER = "databases"
GROUP_MAP_BYTES = 2**30
OLD_SUFFIX = ".old"


@dataclass(frozen=True, slots=True)
class FrozenState:
    """All environments at one position. Release it."""

    position: Position
    group: Frozen
    databases: tuple[Frozen, ...]

    def copy_to(self, folder: Path) -> list[Path]:
        """Write the copy into `folder`, which must not exist; durable at return.

        The files, relative to it. Takes as long as it takes: for a worker thread. Raises Fatal.
        """
        self.group.copy_to(folder / GROUP_FOLDER)
        for database in self.databases:
            database.copy_to(folder / DATABASES_FOLDER / database.path.name)
        self._store_position(folder / GROUP_FOLDER)
        (folder / DATABASES_FOLDER).mkdir(exist_ok=True)
        sync_folder(folder / DATABASES_FOLDER)
        sync_folder(folder)
        return sorted(path.relative_to(folder) for path in folder.rglob(DATA_FILE))

    def release(self) -> None:
        """Let the environments reuse the space; once."""
        for frozen in (self.group, *self.databases):
            frozen.release()

    def _store_position(self, folder: Path) -> None:
        # The group's own position may lag behind what the databases hold; in the copy it need not.
        environment = Environment.open(folder, map_bytes=GROUP_MAP_BYTES)
        with environment.write() as txn:
            store_position(txn, self.position)
        environment.sync()
        environment.close()


def replace_state(folder: Path, copy: Path, *, disk: Disk | None = None) -> None:
    """Put `copy` in the place of the state in `folder`; `copy` is used up. Durable at return.

    May be repeated after a crash at any point, and then does what is left. Raises Fatal.
    """
    disk = disk or RealDisk()
    old = folder.with_name(folder.name + OLD_SUFFIX)
    try:
        if disk.exists(copy):
            if disk.exists(folder):
                disk.remove_folder(old)
                disk.replace(folder, old)
            disk.replace(copy, folder)
            disk.sync_folder(copy.parent)
            disk.sync_folder(folder.parent)
        disk.remove_folder(old)
    except OSError as error:
        raise Fatal(f"the state in {folder} cannot be replaced by {copy}: {error}") from error
