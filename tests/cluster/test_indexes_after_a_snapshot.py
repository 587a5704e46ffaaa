"""An indexer goes on with the state that took the place of the one it read."""

import os
import signal
from pathlib import Path

from scripts.local_cluster import wait_for
from tests.cluster.indexed import (
    BY_CITY,
    BY_NAME,
    counts,
    define,
    gone,
    indexers,
    make,
    query,
    save,
    stats,
    until_read,
    user,
)
from tests.cluster.test_nodes_that_lost_the_log import first_segment, started

WRITES_MAX = 5_000


def deleted_files(pid: int) -> list[str]:
    """What a process has open though it has no name any more."""
    links = [os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()]
    return [link for link in links if link.endswith("(deleted)")]


def test_an_indexer_lives_through_an_installed_snapshot(tmp_path: Path) -> None:
    with started(tmp_path) as cluster:
        leader = cluster.leader()
        here = cluster.url(leader)
        victim = next(tag for tag in cluster.tags if tag != leader)
        make(here)
        define(here, BY_NAME, BY_CITY)
        save(here, user(0, "Oslo"), user(1, "Oslo"))
        there = cluster.url(victim)
        wait_for(lambda: len(stats(there)) == 2 or None, 30, "no indexes")
        until_read(there)
        (indexer,) = indexers(cluster.pid(victim))
        os.kill(cluster.pid(victim), signal.SIGSTOP)
        try:
            save(here, gone(0))
            written = 1
            while first_segment(cluster, leader) == "0000000001.log":
                written += 1
                save(here, user(written, "Rome"))
                assert written < WRITES_MAX, "the log is never trimmed"
        finally:
            os.kill(cluster.pid(victim), signal.SIGCONT)
        expected = {"Oslo": 1, "Rome": written - 1}
        wait_for(lambda: counts(there) == expected or None, 30, "the node does not catch up")
        until_read(there)
        names = query(there, "from index 'Users/ByName'", PageSize=0)["TotalResults"]
        assert names == written
        assert first_segment(cluster, victim) != "0000000001.log", "it did not come by the log"
        assert indexers(cluster.pid(victim)) == [indexer], "it is the same process"
        wait_for(lambda: not deleted_files(indexer) or None, 10, f"{deleted_files(indexer)}")
