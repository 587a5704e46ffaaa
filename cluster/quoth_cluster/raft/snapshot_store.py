"""Snapshots on the disk of a node: one it gives to others, one it is being given.

    snapshots/outgoing/            files of the state, copied; told by a manifest in memory
    snapshots/incoming/            files as they arrive
    snapshots/incoming.manifest    what they must become; it is what the sender said
    snapshots/installing           the manifest again: from here on a restart finishes the install

What is outgoing is made anew after a restart; what is incoming goes on where it was if the same
snapshot is offered again. Every file has a checksum, verified before anything is replaced.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

import google_crc32c
import msgpack

from quoth_cluster.errors import CorruptFile, Fatal, MalformedValue
from quoth_cluster.log import Position
from quoth_cluster.raft.disk import RealDisk

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
        """Write it into a new folder, durably; the files, relative to it."""

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

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._disk = RealDisk()
        self.outgoing = folder / "outgoing"
        self.incoming = folder / "incoming"
        self._incoming_manifest = folder / "incoming.manifest"
        self._installing = folder / "installing"

    def open(self) -> Manifest | None:
        """Prepare the folder; the manifest of an install that a crash interrupted, if any."""
        self._disk.make_folder(self._folder)
        shutil.rmtree(self.outgoing, ignore_errors=True)
        if not self._installing.exists():
            return None
        return self._read_manifest(self._installing)

    # -- giving

    def take(
        self, frozen: Frozen, *, name: str, term: int, memberships: tuple[tuple[int, bytes], ...]
    ) -> Manifest:
        """Copy a frozen state, in the place of the copy before."""
        with _fatal(self._folder):
            shutil.rmtree(self.outgoing, ignore_errors=True)
            paths = frozen.copy_to(self.outgoing)
            files = tuple(
                SnapshotFile(
                    path.as_posix(),
                    (self.outgoing / path).stat().st_size,
                    checksum_of(self.outgoing / path),
                )
                for path in paths
            )
        return Manifest(name, frozen.position.log_index, term, memberships, files)

    def read(self, file: SnapshotFile, offset: int) -> bytes:
        """The next chunk of an outgoing file."""
        with _fatal(self._folder), (self.outgoing / file.path).open("rb") as source:
            source.seek(offset)
            return source.read(CHUNK_BYTES)

    def forget_outgoing(self) -> None:
        """Nobody needs it any more."""
        shutil.rmtree(self.outgoing, ignore_errors=True)

    # -- being given

    def begin(self, manifest: Manifest) -> list[int]:
        """Get ready for a snapshot; how much of each file is here from an earlier attempt."""
        with _fatal(self._folder):
            self._disk.make_folder(self._folder)
            same = self._incoming_manifest.exists() and (
                self._incoming_manifest.read_bytes()[4:] == manifest.pack()
            )
            if not same:
                shutil.rmtree(self.incoming, ignore_errors=True)
                self._write_durably(self._incoming_manifest, manifest.pack())
            self._disk.make_folder(self.incoming)
            return [self._size(file) for file in manifest.files]

    def write(self, file: SnapshotFile, offset: int, chunk: bytes) -> None:
        """Append a chunk of an incoming file; the caller knows that it is the next one."""
        path = self.incoming / file.path
        with _fatal(self._folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("r+b" if path.exists() else "wb") as target:
                target.seek(offset)
                target.truncate()
                target.write(chunk)

    def verify(self, manifest: Manifest) -> str | None:
        """What is wrong with the incoming files; None if each is whole, and durable now."""
        with _fatal(self._folder):
            for file in manifest.files:
                path = self.incoming / file.path
                if self._size(file) != file.size or checksum_of(path) != file.checksum:
                    shutil.rmtree(self.incoming, ignore_errors=True)
                    return f"{file.path} did not arrive whole"
                with path.open("rb") as source:
                    os.fsync(source.fileno())
            for folder in sorted({self.incoming, *self.incoming.rglob("*")}):
                if folder.is_dir():
                    self._disk.sync_folder(folder)
            return None

    def start_installing(self, manifest: Manifest) -> None:
        """From here on a restart finishes the install."""
        with _fatal(self._folder):
            self._write_durably(self._installing, manifest.pack())

    def installed(self) -> None:
        """The state is in its place."""
        with _fatal(self._folder):
            self._installing.unlink(missing_ok=True)
            self._incoming_manifest.unlink(missing_ok=True)
            self._disk.sync_folder(self._folder)
            shutil.rmtree(self.incoming, ignore_errors=True)

    def _size(self, file: SnapshotFile) -> int:
        path = self.incoming / file.path
        return min(path.stat().st_size, file.size) if path.exists() else 0

    def _write_durably(self, path: Path, data: bytes) -> None:
        new = path.with_name(path.name + ".new")
        with new.open("wb") as target:
            target.write(google_crc32c.value(data).to_bytes(4, "little") + data)
            target.flush()
            os.fsync(target.fileno())
        new.replace(path)
        self._disk.sync_folder(self._folder)

    def _read_manifest(self, path: Path) -> Manifest:
        with _fatal(self._folder):
            stored = path.read_bytes()
        data = stored[4:]
        if google_crc32c.value(data).to_bytes(4, "little") != stored[:4]:
            raise CorruptFile(f"{path} does not match its checksum")
        return Manifest.unpack(data)


def checksum_of(path: Path) -> int:
    """CRC32C of a file, read in pieces."""
    checksum = 0
    with path.open("rb") as source:
        while chunk := source.read(CHUNK_BYTES):
            checksum = google_crc32c.extend(checksum, chunk)
    return checksum


class _fatal:
    """Turn an error of the disk into Fatal."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, OSError):
            raise Fatal(f"the snapshots in {self._folder} failed: {error}") from error


