"""Whatever a crash leaves of a snapshot, only whole files replace a state."""

import errno
import random
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import google_crc32c
import pytest

from quoth_cluster.errors import CorruptFile, Fatal, NoCopy
from quoth_cluster.log import Position
from quoth_cluster.raft import snapshot_store
from quoth_cluster.raft.disk import RealDisk
from quoth_cluster.raft.snapshot_store import Manifest, SnapshotFile, SnapshotStore
from tests.simulator.disks import Interrupted, SimDisk

FOLDER = Path("/A/snapshots")
CONTENTS = {"group/data": b"g" * 40, "databases/db/data": b"d" * 70}
OTHER_CONTENTS = {"databases/gone/data": b"x" * 50}
CHUNK_BYTES = 16
POWER_CUTS = range(60)


def snapshot(contents: dict[str, bytes], name: str = "first") -> Manifest:
    files = tuple(
        SnapshotFile(path, len(content), google_crc32c.value(content))
        for path, content in contents.items()
    )
    return Manifest(name, 40, 3, ((2, b"\x4d"),), files)


def give(store: SnapshotStore, manifest: Manifest, contents: dict[str, bytes]) -> None:
    """All that is not there yet, in chunks."""
    have = store.begin(manifest)
    for at, file in enumerate(manifest.files):
        content = contents[file.path]
        for offset in range(have[at], file.size, CHUNK_BYTES):
            store.write(file, offset, content[offset : offset + CHUNK_BYTES])


def found(disk: SimDisk, folder: Path) -> dict[str, bytes]:
    """What is in a folder, by path."""
    contents = {}
    for name in disk.names(folder) if disk.exists(folder) else ():
        try:
            inner = found(disk, folder / name)
        except FileNotFoundError:
            file = disk.open(folder / name)
            contents[name] = file.read(0, file.size())
        else:
            contents |= {f"{name}/{path}": content for path, content in inner.items()}
    return contents


def rebooted(disk: SimDisk) -> SnapshotStore:
    disk.fuse = None
    disk.lose_power()
    return SnapshotStore(FOLDER, disk=disk)


@pytest.mark.parametrize("seed", POWER_CUTS)
def test_what_power_left_of_a_transfer_is_not_taken_for_whole(seed: int) -> None:
    dice = random.Random(seed)
    disk = SimDisk(dice)
    manifest = snapshot(CONTENTS)
    give(SnapshotStore(FOLDER, disk=disk), manifest, CONTENTS)
    store = rebooted(disk)
    store.open()
    give(store, manifest, CONTENTS)
    if store.verify(manifest) is not None:
        give(store, manifest, CONTENTS)
        assert store.verify(manifest) is None, "the second time nothing of the first is left"
    assert found(disk, store.incoming) == CONTENTS


@pytest.mark.parametrize("seed", POWER_CUTS)
def test_what_was_verified_outlives_power(seed: int) -> None:
    disk = SimDisk(random.Random(seed))
    store = SnapshotStore(FOLDER, disk=disk)
    give(store, snapshot(CONTENTS), CONTENTS)
    assert store.verify(snapshot(CONTENTS)) is None
    store.start_installing(snapshot(CONTENTS))
    again = rebooted(disk)
    assert again.open() == snapshot(CONTENTS)
    assert found(disk, again.incoming) == CONTENTS


@pytest.mark.parametrize("calls", range(30))
def test_a_crash_while_another_snapshot_begins_mixes_nothing(calls: int) -> None:
    for seed in range(100):
        disk = SimDisk(random.Random(seed))
        store = SnapshotStore(FOLDER, disk=disk)
        give(store, snapshot(OTHER_CONTENTS), OTHER_CONTENTS)
        assert store.verify(snapshot(OTHER_CONTENTS)) is None
        disk.fuse = calls
        with suppress(Interrupted):
            store.begin(snapshot(CONTENTS, "second"))
        again = rebooted(disk)
        give(again, snapshot(CONTENTS, "second"), CONTENTS)
        if again.verify(snapshot(CONTENTS, "second")) is not None:
            give(again, snapshot(CONTENTS, "second"), CONTENTS)
            assert again.verify(snapshot(CONTENTS, "second")) is None
        assert found(disk, again.incoming) == CONTENTS, f"seed {seed}"


@pytest.mark.parametrize("calls", range(20))
def test_an_install_is_noted_whole_or_not_at_all(calls: int) -> None:
    for seed in range(20):
        disk = SimDisk(random.Random(seed))
        store = SnapshotStore(FOLDER, disk=disk)
        give(store, snapshot(CONTENTS), CONTENTS)
        assert store.verify(snapshot(CONTENTS)) is None
        disk.fuse = calls
        with suppress(Interrupted):
            store.start_installing(snapshot(CONTENTS))
            store.installed()
        assert rebooted(disk).open() in (None, snapshot(CONTENTS))


@pytest.mark.parametrize("left", [b"", b"\x00" * 30, b"torn"])
def test_a_torn_note_of_what_is_incoming_is_only_a_lost_hint(tmp_path: Path, left: bytes) -> None:
    store = SnapshotStore(tmp_path)
    give(store, snapshot(CONTENTS), CONTENTS)
    (tmp_path / "incoming.manifest").write_bytes(left)
    assert store.begin(snapshot(CONTENTS)) == [0, 0]


@pytest.mark.parametrize("left", [b"", b"\x00" * 30, b"torn"])
def test_a_damaged_note_of_an_install_stops_the_node(tmp_path: Path, left: bytes) -> None:
    SnapshotStore(tmp_path).start_installing(snapshot(CONTENTS))
    (tmp_path / "installing").write_bytes(left)
    with pytest.raises(CorruptFile, match="installing"):
        SnapshotStore(tmp_path).open()


def test_an_empty_file_arrives_without_a_chunk(tmp_path: Path) -> None:
    contents = {**CONTENTS, "databases/empty/lock": b""}
    store = SnapshotStore(tmp_path)
    give(store, snapshot(contents), contents)
    assert store.verify(snapshot(contents)) is None
    assert (store.incoming / "databases/empty/lock").read_bytes() == b""


@dataclass(frozen=True)
class FrozenFiles:
    """A state that is some files."""

    contents: dict[str, bytes]

    @property
    def position(self) -> Position:
        return Position(40, 30)

    def copy_to(self, folder: Path) -> list[Path]:
        for path, content in self.contents.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        return [Path(path) for path in self.contents]

    def release(self) -> None:
        return None


def test_who_reads_a_copy_is_told_that_another_took_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_store, "CHUNK_BYTES", CHUNK_BYTES)
    store = SnapshotStore(tmp_path)
    first = store.take(FrozenFiles(CONTENTS), name="first", term=3, memberships=())
    assert store.read("first", first.files[0], 0) == b"g" * CHUNK_BYTES
    second = store.take(FrozenFiles(OTHER_CONTENTS), name="second", term=3, memberships=())
    assert store.read("first", first.files[0], CHUNK_BYTES) is None
    assert store.read("second", second.files[0], 48) == b"xx"
    (store.outgoing / second.files[0].path).write_bytes(b"x")
    with pytest.raises(CorruptFile, match="shorter"):
        store.read("second", second.files[0], 16)


def test_a_full_or_failing_disk_stops_the_node() -> None:
    disk = SimDisk(random.Random(1))
    store = SnapshotStore(FOLDER, disk=disk)
    give(store, snapshot(CONTENTS), CONTENTS)
    disk.is_full = True
    with pytest.raises(Fatal, match="no space"):
        store.write(snapshot(CONTENTS).files[0], 0, b"again")
    disk.repair()
    store.begin(snapshot(OTHER_CONTENTS, "second"))
    give(store, snapshot(CONTENTS), CONTENTS)
    disk.fails_sync = True
    for call in (store.verify, store.begin, store.start_installing):
        with pytest.raises(Fatal, match="the disk failed"):
            call(snapshot(CONTENTS, "third" if call == store.begin else "first"))


class WatchedDisk(RealDisk):
    """Remembers what was synced."""

    def __init__(self) -> None:
        self.synced: list[Path] = []

    def sync_folder(self, folder: Path) -> None:
        self.synced.append(folder)
        super().sync_folder(folder)


def test_a_folder_made_by_a_life_that_was_killed_is_made_durable(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    disk = WatchedDisk()
    disk.make_folder(tmp_path / "made")
    assert disk.synced == [tmp_path]


@dataclass
class NoRoom:
    """A state whose copy does not fit on the disk; or is damaged, which is another matter."""

    disk: SimDisk
    error: Exception
    position: Position = field(default_factory=lambda: Position(40, 40))

    def copy_to(self, folder: Path) -> list[Path]:
        self.disk.make_folder(folder)
        self.disk.open(folder / "data").write(0, b"half of it")
        raise self.error

    def release(self) -> None:
        return None


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "no space is left"), Fatal("the copy failed: no space is left")]
)
def test_a_copy_that_finds_no_room_leaves_nothing_and_ends_nobody(error: Exception) -> None:
    disk = SimDisk(random.Random(1))
    store = SnapshotStore(FOLDER, disk=disk)
    assert store.open() is None
    with pytest.raises(NoCopy, match="no space"):
        store.take(NoRoom(disk, error), name="first", term=3, memberships=())
    assert not disk.exists(store.outgoing)


def test_a_damaged_state_is_no_matter_of_room() -> None:
    disk = SimDisk(random.Random(1))
    store = SnapshotStore(FOLDER, disk=disk)
    assert store.open() is None
    with pytest.raises(CorruptFile):
        store.take(NoRoom(disk, CorruptFile("damaged")), name="first", term=3, memberships=())
