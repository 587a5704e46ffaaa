"""What the layer that records must not miss, and what it must not break."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from quoth_node.testing.power import layer
from quoth_node.testing.power.loss import (
    SECTOR,
    Mode,
    Step,
    as_done,
    is_explained,
    play,
    redo,
    undo,
)
from quoth_node.testing.power.record import Entry, Kind
from quoth_node.testing.power.replay import PowerCut, power_loss, record_name, settle
from quoth_node.testing.powers import FOLDER_VARIABLE, RECORDS_VARIABLE

pytestmark = pytest.mark.skipif(layer.why_not() is not None, reason=str(layer.why_not()))
SEEDS = 12
BEFORE = """
import mmap, os, signal, sys
from pathlib import Path
folder = Path(sys.argv[1])
def write(name, data, at=0, sync=False):
    fd = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600)
    os.pwrite(fd, data, at)
    if sync: os.fsync(fd)
    os.close(fd)
def sync(path=folder):
    fd = os.open(path, os.O_RDONLY); os.fsync(fd); os.close(fd)
"""
AFTER = "\nos.kill(os.getpid(), signal.SIGKILL)\n"


class Place:
    """A folder that processes write into, and their records."""

    def __init__(self, folder: Path, library: Path) -> None:
        self.folder, self.records, self._library = folder / "data", folder / "records", library
        self.folder.mkdir(parents=True)
        self.records.mkdir()

    def run(self, program: str) -> None:
        """Run it until it kills itself."""
        layered = {"LD_PRELOAD": str(self._library), FOLDER_VARIABLE: str(self.folder)}
        environment = {**os.environ, **layered, RECORDS_VARIABLE: str(self.records)}
        command = [sys.executable, "-c", BEFORE + program + AFTER, str(self.folder)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr

    def lose(self, seed: int = 0, mode: Mode | None = Mode.LOST) -> PowerCut:
        return power_loss(self.folder, self.records, Random(seed), mode=mode)

    def read(self, name: str) -> bytes | None:
        path = self.folder / name
        return path.read_bytes() if path.exists() else None


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return layer.build(tmp_path_factory.mktemp("layer"))


@pytest.fixture
def place(tmp_path: Path, library: Path) -> Callable[[int], Place]:
    """A new place for each seed."""
    return lambda seed: Place(tmp_path / str(seed), library)


def test_lmdb_can_be_copied_under_the_layer(place: Callable[[int], Place]) -> None:
    # It writes a copy with O_DIRECT, so it matters where in memory the bytes lie.
    here = place(0)
    here.run(
        """
import lmdb
env = lmdb.open(str(folder / "env"), map_size=1 << 26)
with env.begin(write=True) as txn:
    for number in range(2000): txn.put(b"%06d" % number, b"x" * 500)
for compact in (True, False):
    copy = folder / f"copy-{compact}"
    copy.mkdir()
    env.copy(str(copy), compact=compact)
    with open(copy / "data.mdb", "rb") as file: os.fsync(file.fileno())
    sync(copy)
sync()
"""
    )
    whole = here.read("copy-True/data.mdb"), here.read("copy-False/data.mdb")
    here.lose()
    assert (here.read("copy-True/data.mdb"), here.read("copy-False/data.mdb")) == whole


def test_names_in_a_folder_do_not_become_durable_by_renaming_it(
    place: Callable[[int], Place],
) -> None:
    found = set()
    for seed in range(SEEDS):
        here = place(seed)
        here.run(
            "os.mkdir(folder / 'new'); write('new/a', b'a', sync=True);"
            "write('new/b.new', b'b', sync=True);"
            "os.rename(folder / 'new/b.new', folder / 'new/b');"
            "os.rename(folder / 'new', folder / 'old'); sync()"
        )
        here.lose(seed)
        found.add(tuple(sorted(os.listdir(here.folder / "old"))))
    assert found == {(), ("a",), ("a", "b.new"), ("a", "b")}


def test_what_was_refused_is_not_undone(place: Callable[[int], Place]) -> None:
    for seed in range(SEEDS):
        here = place(seed)
        here.run(
            """
write("kept", b"kept", sync=True); os.mkdir(folder / "full"); write("full/a", b"a", sync=True)
sync(folder / "full"); sync()
for refused in (
    lambda: os.rename(folder / "no-such", folder / "kept"),
    lambda: os.rmdir(folder / "full"),
    lambda: os.unlink(folder / "full"),
    lambda: os.link(folder / "no-such", folder / "other"),
):
    try: refused()
    except OSError: continue
    raise AssertionError
"""
        )
        cut = here.lose(seed)
        assert cut.names == 0, f"seed {seed}: {cut}"
        names = sorted(str(path.relative_to(here.folder)) for path in here.folder.rglob("*"))
        assert names == ["full", "full/a", "kept"], f"seed {seed}"


@pytest.mark.parametrize(
    "program",
    [
        "os.truncate(folder / 'a', 10)",
        "fd = os.open(folder / 'a', os.O_RDWR); os.posix_fallocate(fd, 0, 5000)",
        "import ctypes; fd = os.open(folder / 'a', os.O_RDWR);"
        "ctypes.CDLL(None).fallocate(fd, 0, ctypes.c_long(0), ctypes.c_long(5000))",
        "fd = os.open(folder / 'a', os.O_RDWR); os.writev(fd, [b'2' * 700, b'3' * 900])",
        "fd = os.open(folder / 'a', os.O_RDWR); os.pwritev(fd, [b'2' * 700, b'3' * 900], 300)",
        "fd = os.open(folder / 'a', os.O_RDWR | os.O_APPEND); os.write(fd, b'2' * 700)",
        "open(folder / 'a', 'ab').write(b'2' * 700)",
        "os.fork() or (write('a', b'2' * 700), os._exit(0)); os.wait()",
    ],
    ids=[
        *("truncate", "posix-fallocate", "fallocate", "writev", "pwritev"),
        *("append", "open-to-append", "fork"),
    ],
)
def test_every_way_to_change_a_file_is_recorded(
    program: str, place: Callable[[int], Place]
) -> None:
    here = place(0)
    here.run(f"write('a', b'1' * 2000, sync=True); sync(); {program}")
    assert here.read("a") != b"1" * 2000
    cut = here.lose()
    assert here.read("a") == b"1" * 2000
    assert not cut.uncovered


def test_a_link_is_a_name_like_others(place: Callable[[int], Place]) -> None:
    here = place(0)
    here.run("write('a', b'1', sync=True); sync(); os.link(folder / 'a', folder / 'b')")
    fates = set()
    for seed in range(SEEDS):
        here = place(1 + seed)
        here.run("write('a', b'1', sync=True); sync(); os.link(folder / 'a', folder / 'b')")
        here.lose(seed)
        fates.add((here.read("a"), here.read("b")))
    assert fates == {(b"1", b"1"), (b"1", None)}


def test_a_map_that_is_written_is_told(place: Callable[[int], Place]) -> None:
    here = place(0)
    here.run(
        "write('a', b'1' * 4096, sync=True); sync(); fd = os.open(folder / 'a', os.O_RDWR);"
        "mmap.mmap(fd, 4096)[:4] = b'2222'"
    )
    [told] = here.lose().uncovered
    assert told == f"{here.folder / 'a'} (mmap)"


def test_a_change_that_was_not_seen_is_told_and_the_file_left_alone(
    place: Callable[[int], Place],
) -> None:
    here = place(0)
    here.run("write('a', b'1' * 2000, sync=True); sync(); write('a', b'2' * 1000)")
    with (here.folder / "a").open("r+b") as file:  # this process has no layer
        file.write(b"?")
    [told] = here.lose().uncovered
    assert told == f"{here.folder / 'a'} (content)"
    assert here.read("a") == b"?" + b"2" * 999 + b"1" * 1000


def test_what_a_killed_process_did_not_come_to_is_not_in_its_record(
    place: Callable[[int], Place],
) -> None:
    here = place(0)
    here.run("write('a', b'1' * 2000, sync=True); sync(); write('a', b'2' * 10)")
    of_file, of_folder = (here.records / record_name(p) for p in (here.folder / "a", here.folder))
    not_done = Entry(Kind.CHANGE, 9, 100, 2000, 2000, b"1" * 50, b"3" * 50)
    whole = of_file.read_bytes()
    of_file.write_bytes(whole + not_done.pack())
    made = Entry(Kind.MADE, 9, 0, 0, 0, f"{here.folder / 'b'}\0".encode(), b"")
    of_folder.write_bytes(made.pack())
    settle(here.folder, here.records)
    assert of_file.read_bytes() == whole
    assert of_folder.read_bytes() == b""
    of_file.write_bytes(whole + not_done.pack()[:-7])  # nor one it did not come to write down
    settle(here.folder, here.records)
    assert of_file.read_bytes() == whole


def test_an_entry_is_as_much_as_was_done() -> None:
    entry = Entry(Kind.CHANGE, 1, 5, 10, 13, b"abcde", b"ABCDEFGH")
    assert as_done(entry, b"ABCDEFGH", 13) == entry
    assert as_done(entry, b"abcde", 10) is None
    part = as_done(entry, b"ABCde", 10)
    assert part is not None and (part.after, part.size_after) == (b"ABC", 10)
    cut = Entry(Kind.CHANGE, 1, 4, 10, 4, b"efghij", b"")
    assert as_done(cut, b"", 4) == cut
    assert as_done(cut, b"", 10) is None


def test_a_sector_is_there_with_all_that_came_before_it() -> None:
    # Two writes to one sector and a third that begins in it, none of them synced.
    writes = ((0, b"A" * 100), (100, b"B" * 100), (200, b"C" * SECTOR))
    content, done = bytearray(), []
    for at, data in writes:
        before, size = bytes(content[at : at + len(data)]), len(content)
        play(content, [Step(at, data)])
        done.append(Entry(Kind.CHANGE, 0, at, size, len(content), before, data))
    found = set()
    for seed in range(100):
        lost = bytearray(content)
        play(lost, undo(done))
        assert not lost
        play(lost, redo(done, Mode.SHUFFLED, Random(seed)))
        first = bytes(lost[:SECTOR]).rstrip(b"\0")
        found.add(first)
    whole = b"A" * 100 + b"B" * 100 + b"C" * (SECTOR - 200)
    assert found == {b"", whole[:100], whole[:200], whole}


def test_a_file_is_explained_by_its_record_or_not() -> None:
    done = [
        Entry(Kind.CHANGE, 0, 2, 4, 6, b"cd", b"CDEF"),
        Entry(Kind.CHANGE, 1, 5, 6, 5, b"F", b""),
    ]
    assert is_explained(b"abCDE", done)
    assert not is_explained(b"abCDE!", done)
    assert not is_explained(b"abCdE", done)
