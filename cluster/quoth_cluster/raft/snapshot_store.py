"""Snapshots on the disk of a node: one it gives to others, one it is being given.

    snapshots/outgoing/            files of the state, copied; told by a manifest in memory
    snapshots/incoming/            files as they arrive
    snapshots/incoming.manifest    what they must become; it is what the sender said
    snapshots/installing           the manifest again: from here on a restart finishes the install

What is outgoing is made anew after a restart; what is incoming goes on where it was if the same
snapshot is offered again. Until it is verified it is a hint only: after a power cut it may have the
right size and the wrong content, and `incoming.manifest` may be anything. Every file has a
checksum, verified before anything is replaced. `installing` is whole or not there.
"""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Protocol

import google_crc32c
import msgpack

from quoth_cluster.errors import CorruptFile, Fatal, MalformedValue, NoCopy
from quoth_cluster.log import Position
from quoth_cluster.raft.disk import Disk, DiskFile, RealDisk

VERSION = 1
CHUNK_BYTES = 1024 * 1024
FILES_MAX = 100_000
MANIFEST_BYTES_MAX = 32 * 1024 * 1024


class Frozen(Protocol):
    """A state that is held while it is copied."""

    @property
    def position(self) -> Position:
        """The last command it holds."""

    def copy_to(self, folder: Path) -> list[Path]:
        """Write it into a new folder; the files, relative to it."""

    def release(self) -> None:
        """Let it go."""


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """One file: where it goes, how long it is, what it sums up to."""

    path: str
    size: int
    checksum: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot is: all that the log came to up to one slot."""

    name: str  # of this copy; two copies of one slot need not be equal byte by byte
    log_index: int
    term: int
    memberships: tuple[tuple[int, bytes], ...]  # every membership slot up to there
    files: tuple[SnapshotFile, ...]

    def pack(self) -> bytes:
        """Its bytes on the wire and on disk."""
        files = [[file.path, file.size, file.checksum] for file in self.files]
        memberships = [list(pair) for pair in self.memberships]
        parts = [VERSION, self.name, self.log_index, self.term, memberships, files]
        return bytes(msgpack.packb(parts))

    @classmethod
    def unpack(cls, data: bytes) -> "Manifest":
        """The manifest in `data`. Raises MalformedValue, also for paths that lead elsewhere."""
        try:
            version, name, log_index, term, memberships, files = msgpack.unpackb(data)
            if version != VERSION or len(files) > FILES_MAX:
                raise MalformedValue(f"a manifest of version {version}, of {len(files)} files")
            manifest = cls(
                str(name),
                int(log_index),
                int(term),
                tuple((int(at), bytes(content)) for at, content in memberships),
                tuple(SnapshotFile(str(path), int(size), int(crc)) for path, size, crc in files),
            )
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            raise MalformedValue(f"a manifest does not open: {error}") from error
        for file in manifest.files:
            path = PurePosixPath(file.path)
            if path.is_absolute() or ".." in path.parts or not path.parts or file.size < 0:
                raise MalformedValue(f"a manifest names the file {file.path!r}")
        return manifest


class SnapshotStore:
    """The folder of snapshots of one node. Its calls wait for the disk: for worker threads.

    All raise Fatal if the disk fails.
    """

    def __init__(self, folder: Path, *, disk: Disk | None = None) -> None:
        self._folder = folder
        self._disk = disk or RealDisk()
        self.outgoing = folder / "outgoing"
        self.incoming = folder / "incoming"
        self._incoming_manifest = folder / "incoming.manifest"
        self._installing = folder / "installing"
        self._reading = Lock()  # held while outgoing files are read, or change
        self._outgoing_name: str | None = None

    def open(self) -> Manifest | None:
        """Prepare the folder; the manifest of an install that a crash interrupted, if any."""
        with _fatal(self._folder):
            self._disk.make_folder(self._folder)
            self._disk.remove_folder(self.outgoing)
            if not self._disk.exists(self._installing):
                return None
            stored = self._content_of(self._installing)
        return _open_stored(stored, self._installing)

    # -- giving

    def take(
        self, frozen: Frozen, *, name: str, term: int, memberships: tuple[tuple[int, bytes], ...]
    ) -> Manifest:
        """Copy a frozen state, in the place of the copy before.

        Raises NoCopy if there is no room for it, or the disk fails.
        """
        try:
            self.forget_outgoing()
            paths = frozen.copy_to(self.outgoing)
            files = tuple(self._describe(path) for path in paths)
        except CorruptFile:
            raise
        except (OSError, Fatal) as error:
            # Nothing of this node rests on the copy: a full disk must not end it.
            self.forget_outgoing()
            raise NoCopy(f"the state was not copied to {self.outgoing}: {error}") from error
        with self._reading:
            self._outgoing_name = name
        return Manifest(name, frozen.position.log_index, term, memberships, files)

    def read(self, name: str, file: SnapshotFile, offset: int) -> bytes | None:
        """The next chunk of a file of the copy `name`; None if another copy took its place."""
        with _fatal(self._folder), self._reading:
            if name != self._outgoing_name:
                return None
            with closing(self._disk.open(self.outgoing / file.path)) as source:
                data = source.read(offset, CHUNK_BYTES)
        if not data:
            raise CorruptFile(f"{self.outgoing / file.path} is shorter than it was: {offset} bytes")
        return data

    def forget_outgoing(self) -> None:
        """Nobody needs the copy any more."""
        with _fatal(self._folder), self._reading:
            self._outgoing_name = None
            self._disk.remove_folder(self.outgoing)

    # -- being given

    def begin(self, manifest: Manifest) -> list[int]:
        """Get ready for a snapshot; how much of each file is here from an earlier attempt."""
        with _fatal(self._folder):
            self._disk.make_folder(self._folder)
            if not self._expects(manifest):
                self._disk.remove_folder(self.incoming)
                # Files of another snapshot must not come back after the new manifest is there.
                self._disk.sync_folder(self._folder)
                self._write_durably(self._incoming_manifest, manifest.pack())
            self._disk.make_folder(self.incoming)
            return [self._size(file) for file in manifest.files]

    def write(self, file: SnapshotFile, offset: int, chunk: bytes) -> None:
        """Append a chunk of an incoming file; the caller knows that it is the next one."""
        with _fatal(self._folder), closing(self._open_incoming(file)) as target:
            target.truncate(offset)
            target.write(offset, chunk)

    def verify(self, manifest: Manifest) -> str | None:
        """What is wrong with the incoming files; None if each is whole, and durable now."""
        with _fatal(self._folder):
            for file in manifest.files:
                with closing(self._open_incoming(file)) as arrived:
                    is_whole = arrived.size() == file.size
                    if is_whole and checksum_of(arrived) == file.checksum:
                        arrived.sync()
                        continue
                self._disk.remove_folder(self.incoming)
                return f"{file.path} did not arrive whole"
            for folder in sorted(self._incoming_folders(manifest)):
                self._disk.sync_folder(folder)
            return None

    def start_installing(self, manifest: Manifest) -> None:
        """From here on a restart finishes the install."""
        with _fatal(self._folder):
            self._write_durably(self._installing, manifest.pack())

    def installed(self) -> None:
        """The state is in its place."""
        with _fatal(self._folder):
            self._disk.remove(self._installing)
            self._disk.remove(self._incoming_manifest)
            self._disk.sync_folder(self._folder)
            self._disk.remove_folder(self.incoming)

    def forget_incoming(self) -> None:
        """It is not needed: the log was faster."""
        with _fatal(self._folder):
            self._disk.remove(self._incoming_manifest)
            self._disk.remove_folder(self.incoming)

    # -- inside

    def _describe(self, path: Path) -> SnapshotFile:
        with closing(self._disk.open(self.outgoing / path)) as file:
            return SnapshotFile(path.as_posix(), file.size(), checksum_of(file))

    def _expects(self, manifest: Manifest) -> bool:
        """Whether what is incoming is of this very snapshot. A torn manifest is of none."""
        path = self._incoming_manifest
        packed = manifest.pack()
        return self._disk.exists(path) and self._content_of(path) == _sealed(packed)

    def _size(self, file: SnapshotFile) -> int:
        path = self.incoming / file.path
        if not self._disk.exists(path):
            return 0
        with closing(self._disk.open(path)) as arrived:
            return min(arrived.size(), file.size)

    def _open_incoming(self, file: SnapshotFile) -> DiskFile:
        path = self.incoming / file.path
        self._disk.make_folder(path.parent, durably=False)
        return self._disk.open(path)

    def _incoming_folders(self, manifest: Manifest) -> set[Path]:
        """Every folder from the incoming one down to the files."""
        folders = {self.incoming}
        for file in manifest.files:
            above = PurePosixPath(file.path).parents
            folders |= {self.incoming / folder for folder in above}
        return folders

    def _content_of(self, path: Path) -> bytes:
        with closing(self._disk.open(path)) as file:
            return file.read(0, file.size())

    def _write_durably(self, path: Path, data: bytes) -> None:
        new = path.with_name(path.name + ".new")
        with closing(self._disk.open(new)) as target:
            target.truncate(0)
            target.write(0, _sealed(data))
            target.sync()
        self._disk.replace(new, path)
        self._disk.sync_folder(self._folder)


def checksum_of(file: DiskFile) -> int:
    """CRC32C of a file, read in pieces."""
    checksum = offset = 0
    while chunk := file.read(offset, CHUNK_BYTES):
        checksum = google_crc32c.extend(checksum, chunk)
        offset += len(chunk)
    return checksum


def _sealed(data: bytes) -> bytes:
    return int(google_crc32c.value(data)).to_bytes(4, "little") + data


def _open_stored(stored: bytes, path: Path) -> Manifest:
    data = stored[4:]
    if _sealed(data) != stored:
        raise CorruptFile(f"{path} does not match its checksum")
    return Manifest.unpack(data)


class _fatal:
    """Turn an error of the disk into Fatal."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, OSError):
            raise Fatal(f"the snapshots in {self._folder} failed: {error}") from error
