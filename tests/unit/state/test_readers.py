"""Readers in other threads, while databases change, come and go."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from quoth_cluster import documents
from quoth_cluster.commands import DeleteDatabases, SaveBatch
from quoth_cluster.machine import Machine
from quoth_cluster.store.environment import Closed, Environment
from tests.unit.state.story import AT, MAP_BYTES, Story, create, put

READERS = 4
ROUNDS = 20


def test_every_snapshot_is_whole(tmp_path: Path) -> None:
    """Two documents of one batch are always equally old, and no reader meets a closed file."""
    story, done = Story(tmp_path / "state"), Event()
    with ThreadPoolExecutor(READERS) as pool:
        reading = [pool.submit(read_until, done, story.machine) for _ in range(READERS)]
        try:
            for _ in range(ROUNDS):
                story.run(create("short"))
                for number in range(3):
                    body = b'{"n":%d}' % number
                    both = (put("users/1", body=body), put("users/2", body=body))
                    story.run(SaveBatch("short", AT, "A", both))
                story.run(DeleteDatabases(("short",), hard=True))
        finally:
            done.set()
        assert sum(future.result() for future in reading) > 0
    story.machine.close()
    again = Machine.open(tmp_path / "state", map_bytes=MAP_BYTES)
    assert [record.name for record in again.databases()] == ["db"]
    again.close()


def read_until(done: Event, machine: Machine) -> int:
    """How many snapshots with both documents were seen."""
    seen = 0
    while not done.wait(0.0005):  # let the writer have the interpreter
        database = machine.database("short")
        if database is None:
            continue
        try:
            with database.read() as txn:
                found = [document.body for document in documents.oldest_first(txn)]
        except Closed:
            continue
        assert len(found) in (0, 2) and len(set(found)) <= 1
        seen += len(found) == 2
    return seen


HOLDS = """
import sys
from pathlib import Path
from quoth_cluster.store.environment import Environment

environment = Environment.open_reader(Path(sys.argv[1]), map_bytes=int(sys.argv[2]))
with environment.read() as txn:
    print(txn.get(b"k").decode(), flush=True)
    sys.stdin.read()
"""


def test_another_process_reads_and_its_death_costs_nothing(tmp_path: Path) -> None:
    with pytest.raises(Closed):
        Environment.open_reader(tmp_path / "e", map_bytes=MAP_BYTES)
    environment = Environment.open(tmp_path / "e", map_bytes=MAP_BYTES)
    with environment.write() as txn:
        txn.put(b"k", b"seen")
    command = [sys.executable, "-c", HOLDS, str(tmp_path / "e"), str(environment.map_bytes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"seen\n"
        assert str(reader.pid) in environment._environment.readers()
        reader.kill()
    environment.forget_dead_readers()
    assert str(reader.pid) not in environment._environment.readers()
    environment.close()
    environment.forget_dead_readers()
    assert environment.map_bytes == 0
