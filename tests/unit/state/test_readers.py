"""Readers in other threads, while databases change, come and go."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from quoth_cluster import documents
from quoth_cluster.commands import DeleteDatabases, SaveBatch
from quoth_cluster.machine import Machine
from quoth_cluster.store.environment import Closed
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
