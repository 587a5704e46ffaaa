"""Processes write, sync or not, are killed, and lose power: what was synced is there."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from quoth_node.testing.power import layer
from quoth_node.testing.power.loss import SECTOR, Mode, redo, undo
from quoth_node.testing.power.record import Entry, Kind, entries
from quoth_node.testing.power.replay import PowerCut, power_loss
from quoth_node.testing.powers import FOLDER_VARIABLE, RECORDS_VARIABLE

SEEDS = 12
needs_compiler = pytest.mark.skipif(layer.why_not() is not None, reason=str(layer.why_not()))

# A process that says what it has done, and then is killed.
BEFORE = """
import json, os, signal, sys
folder = sys.argv[1]
def path(name): return os.path.join(folder, name)
def write(name, data, at=0, sync=False, flags=0):
    fd = os.open(path(name), os.O_RDWR | os.O_CREAT | flags, 0o600)
    os.pwrite(fd, data, at)
    if sync: os.fsync(fd)
    os.close(fd)
def sync(): 
    fd = os.open(folder, os.O_RDONLY); os.fsync(fd); os.close(fd)
"""
AFTER = "\nos.kill(os.getpid(), signal.SIGKILL)\n"
PYTHON = """
from pathlib import Path
from quoth_node.testing.power.python_recorder import PythonRecorder
PythonRecorder(Path(os.environ["RECORDS"])).install()
"""


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return layer.build(tmp_path_factory.mktemp("layer"))


class Place:
    """A folder that processes write into, and their records."""

    def __init__(self, folder: Path, library: Path | None) -> None:
        self.folder, self.records = folder / "data", folder / "records"
        self.folder.mkdir()
        self.records.mkdir()
        self._library = library

    def run(self, program: str) -> None:
        """Run it until it kills itself."""
        environment = {**os.environ, "RECORDS": str(self.records)}
        if self._library is not None:
            environment |= {"LD_PRELOAD": str(self._library)}
            environment |= {FOLDER_VARIABLE: str(self.folder), RECORDS_VARIABLE: str(self.records)}
        command = [sys.executable, "-c", BEFORE + program + AFTER, str(self.folder)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr

    def lose(self, seed: int, mode: Mode | None = None) -> PowerCut:
        return power_loss(self.folder, self.records, Random(seed), mode=mode)

    def read(self, name: str) -> bytes | None:
        path = self.folder / name
        return path.read_bytes() if path.exists() else None


@pytest.fixture
def place(tmp_path: Path, library: Path) -> Callable[[int], Place]:
    """A new place for each seed."""

    def new(seed: int) -> Place:
        folder = tmp_path / str(seed)
        folder.mkdir()
        return Place(folder, library)

    return new


@needs_compiler
def test_what_was_synced_is_there_and_the_rest_has_its_chance(
    place: Callable[[int], Place],
) -> None:
    fates = set()
    for seed in range(SEEDS):
        here = place(seed)
        here.run("write('a', b'1' * 3000, sync=True); sync(); write('a', b'2' * 3000, at=2000)")
        here.lose(seed)
        found = here.read("a")
        assert found is not None and found[:2000] == b"1" * 2000, f"seed {seed}"
        # Each sector is as it was, as it was to be, or zeros where the length grew alone.
        for at in range(2048, len(found), SECTOR):
            assert set(found[at : at + SECTOR]) <= {ord("1"), ord("2"), 0}, f"seed {seed}"
        fates.add(found)
    assert b"1" * 3000 in fates, "lost altogether once"
    assert len(fates) > 3, "and torn in many ways"


@needs_compiler
def test_a_name_is_there_when_its_folder_was_synced(place: Callable[[int], Place]) -> None:
    fates = set()
    for seed in range(SEEDS):
        here = place(seed)
        here.run(
            "write('old', b'old', sync=True); write('doomed', b'd', sync=True); sync();"
            "write('new', b'new', sync=True); os.rename(path('new'), path('old'));"
            "os.unlink(path('doomed')); os.mkdir(path('folder'))"
        )
        here.lose(seed)
        old, doomed = here.read("old"), here.read("doomed")
        assert old in (b"old", b"new") and doomed in (None, b"d"), f"seed {seed}"
        fates.add((old, here.read("new"), doomed, (here.folder / "folder").is_dir()))
    assert (b"old", None, b"d", False) in fates, "all undone, the new file's own name as well"
    assert (b"new", None, None, True) in fates, "all of it there"
    assert (b"new", None, b"d", False) in fates, "in order up to some point"


@needs_compiler
def test_a_kill_alone_loses_nothing_and_what_it_left_unsynced_stays_so(
    place: Callable[[int], Place],
) -> None:
    here = place(0)
    here.run("write('a', b'1' * 600, sync=True); sync(); write('a', b'2' * 600)")
    assert here.read("a") == b"2" * 600
    here.run("write('b', b'3' * 10, sync=True); sync()")  # another life: it never synced `a`
    here.lose(0, Mode.LOST)
    assert (here.read("a"), here.read("b")) == (b"1" * 600, b"3" * 10)
    here.run("write('a', b'4' * 600, sync=True)")
    here.lose(0, Mode.LOST)
    assert here.read("a") == b"4" * 600


@needs_compiler
def test_a_write_that_syncs_itself_is_there(place: Callable[[int], Place]) -> None:
    here = place(0)
    here.run(
        "write('a', b'1' * 2048, sync=True); sync(); write('a', b'2' * 512, at=512);"
        "write('a', b'3' * 512, at=1024, flags=os.O_DSYNC)"
    )
    here.lose(0, Mode.LOST)
    assert here.read("a") == b"1" * 1024 + b"3" * 512 + b"1" * 512


@needs_compiler
def test_a_file_that_is_cut_off_or_emptied_comes_back(place: Callable[[int], Place]) -> None:
    here = place(0)
    here.run(
        "write('a', b'1' * 2000, sync=True); write('b', b'2' * 2000, sync=True); sync();"
        "fd = os.open(path('a'), os.O_RDWR); os.ftruncate(fd, 10);"
        "open(path('b'), 'wb').write(b'new')"
    )
    assert (here.read("a"), here.read("b")) == (b"1" * 10, b"new")
    here.lose(0, Mode.LOST)
    assert (here.read("a"), here.read("b")) == (b"1" * 2000, b"2" * 2000)


@needs_compiler
def test_a_copy_is_recorded_too(place: Callable[[int], Place]) -> None:
    here = place(0)
    here.run(
        "import shutil; write('a', b'1' * 2000, sync=True); write('b', b'', sync=True); sync();"
        "shutil.copyfile(path('a'), path('b'))"
    )
    assert here.read("b") == b"1" * 2000
    here.lose(0, Mode.LOST)
    assert here.read("b") == b""


LMDB = """
import lmdb
env = lmdb.open(folder, map_size=1 << 24, sync={sync}, metasync={metasync})
sync()
for number in range(60):
    with env.begin(write=True) as txn:
        txn.put(b"%06d" % number, b"x" * (number * 37 % 900))
"""
READ_LMDB = """
import lmdb
env = lmdb.open(folder, map_size=1 << 24)
with env.begin() as txn:
    for number, (key, value) in enumerate(txn.cursor()):
        assert (key, value) == (b"%06d" % number, b"x" * (number * 37 % 900))
    print(txn.stat()["entries"])
"""


def entries_of_lmdb(here: Place) -> int | None:
    """How many there are, in order from the first; None if it does not open."""
    command = [sys.executable, "-c", BEFORE + READ_LMDB, str(here.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 else None


@needs_compiler
def test_lmdb_keeps_its_commits_and_loses_them_if_it_does_not_sync(
    place: Callable[[int], Place],
) -> None:
    found: dict[tuple[bool, bool], set[int | None]] = {}
    for number, (sync, metasync) in enumerate([(True, True), (True, False), (False, False)]):
        for seed in range(SEEDS // 2):
            here = place(1000 * number + seed)
            here.run(LMDB.format(sync=sync, metasync=metasync))
            here.lose(seed)
            found.setdefault((sync, metasync), set()).add(entries_of_lmdb(here))
    assert found[True, True] == {60}
    assert found[True, False] <= {59, 60}, "the last one at most"
    assert found[False, False] != {60}


SQLITE = """
import apsw
db = apsw.Connection(path("db"))
db.execute("PRAGMA journal_mode=WAL"); db.execute("PRAGMA synchronous={how}")
db.execute("CREATE TABLE t(n)")
sync()
for number in range(40):
    db.execute("INSERT INTO t VALUES (?)", (number,))
"""


@needs_compiler
def test_sqlite_keeps_its_commits_if_it_is_told_to_sync(place: Callable[[int], Place]) -> None:
    import apsw

    counts: dict[str, set[int]] = {"FULL": set(), "OFF": set()}
    for number, how in enumerate(counts):
        for seed in range(SEEDS):
            here = place(1000 * number + seed)
            here.run(SQLITE.format(how=how))
            here.lose(seed, Mode.LOST)
            db = apsw.Connection(str(here.folder / "db"))
            [(is_whole,)] = db.execute("PRAGMA integrity_check")
            is_there = db.execute("SELECT 1 FROM sqlite_schema WHERE name = 't'").fetchall()
            count = len(db.execute("SELECT n FROM t").fetchall()) if is_there else 0
            db.close()
            assert is_whole == "ok", f"seed {seed}"
            counts[how].add(count)
    assert counts["FULL"] == {40}
    assert counts["OFF"] != {40}


JOURNAL = """
from pathlib import Path
from quoth_cluster.raft.disk import RealDisk
disk = RealDisk()
log = Path(folder) / "log"
disk.make_folder(log)
file = disk.open(log / "segment")
disk.sync_folder(log)
file.write(0, b"1" * 5000)
file.sync()
file.write(5000, b"2" * 5000)
new = disk.open(log / "other")
"""


@pytest.mark.parametrize("by", ["layer", "python"])
def test_both_recorders_know_what_the_door_to_the_disk_has_synced(
    by: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if by == "layer" and (why := layer.why_not()) is not None:
        pytest.skip(why)
    library = request.getfixturevalue("library") if by == "layer" else None
    fates = set()
    for seed in range(SEEDS):
        folder = tmp_path / str(seed)
        folder.mkdir()
        here = Place(folder, library)
        here.run(JOURNAL if by == "layer" else PYTHON + JOURNAL)
        cut = here.lose(seed)
        assert cut.changes == 1 and cut.names == 1, f"seed {seed}: {cut}"
        found = here.read("log/segment")
        assert found is not None and found[:5000] == b"1" * 5000, f"seed {seed}"
        fates.add((len(found), (here.folder / "log" / "other").exists()))
    assert (5000, False) in fates
    assert len(fates) > 3


def test_an_entry_that_was_cut_short_was_not_made() -> None:
    first = Entry(Kind.CHANGE, 1, 0, 10, 10, b"old", b"new")
    second = Entry(Kind.CHANGE, 2, 5, 10, 10, b"OLD", b"NEW")
    data = first.pack() + second.pack()
    assert list(entries(data)) == [first, second]
    assert all(list(entries(data[:end])) == [first] for end in range(len(first.pack()), len(data)))
    with pytest.raises(ValueError, match="not an entry"):
        list(entries(b"?" + data))


def test_undone_and_done_again_a_file_is_what_it_was() -> None:
    for seed in range(50):
        chance = Random(seed)
        content = bytearray(chance.randbytes(chance.randrange(2000)))
        before, done = bytes(content), []
        for _ in range(8):
            done.append(changed(content, chance))
        after = bytes(content)
        for steps, wanted in ((undo(done), before), (redo(done, Mode.KEPT, chance), after)):
            for step in steps:
                if step.data is None:
                    del content[step.offset :]
                    content.extend(bytes(step.offset - len(content)))
                else:
                    content.extend(bytes(max(0, step.offset - len(content))))
                    content[step.offset : step.offset + len(step.data)] = step.data
            assert bytes(content) == wanted, f"seed {seed}"


def changed(content: bytearray, chance: Random) -> Entry:
    """Write somewhere, or cut it, or let it grow; the entry that says so."""
    size = len(content)
    if chance.random() < 0.3:
        length = chance.randrange(2500)
        cut = bytes(content[length:])
        del content[length:]
        content.extend(bytes(length - len(content)))
        return Entry(Kind.CHANGE, 0, min(size, length), size, length, cut, b"")
    at, data = chance.randrange(size + 300), chance.randbytes(chance.randrange(1, 1500))
    before = bytes(content[at : at + len(data)])
    content.extend(bytes(max(0, at - size)))
    content[at : at + len(data)] = data
    return Entry(Kind.CHANGE, 0, at, size, len(content), before, data)


def test_a_cut_is_told_in_words() -> None:
    cut = PowerCut(2, 5, 900, ("lost", "lost"), 3, 1) + PowerCut(names=1)
    assert str(cut) == (
        "5 unsynced changes (900 bytes) of 2 files: 2 lost; 1 of 4 unsynced names undone"
    )
    assert json.dumps(str(cut))
