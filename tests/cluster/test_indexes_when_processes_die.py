"""Whoever dies while indexes are built, they end up right, and nobody is left behind."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.local_cluster import LocalCluster, wait_for
from tests.cluster.indexed import (
    BY_CITY,
    BY_NAME,
    counts,
    define,
    gone,
    indexers,
    is_alive,
    make,
    query,
    save,
    stats,
    until_read,
    user,
)

USERS = 24_000
BATCH = 2_000
CITIES = ("Oslo", "Rome", "Bonn")


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[LocalCluster]:
    """One node, running; started again when it dies."""
    with LocalCluster(tmp_path / "cluster", nodes=1, options=("--restart",)) as running:
        yield running


def fill(url: str) -> None:
    """Users, a tenth of whom are deleted again."""
    make(url)
    for start in range(0, USERS, BATCH):
        users = [user(number, CITIES[number % 3]) for number in range(start, start + BATCH)]
        assert save(url, *users).status_code == 201
    assert save(url, *(gone(number) for number in range(0, USERS, 10))).status_code == 201


def indexer_of(cluster: LocalCluster) -> int:
    """The process that builds the indexes of node A."""
    node = cluster.pid("A")
    return wait_for(lambda: next(iter(indexers(node)), None), 30, "no indexer was started")


def mapped(told: dict[str, dict[str, Any]]) -> int:
    return sum(int(row["MapAttempts"]) for row in told.values())


def until_more_is_read(url: str, than: int) -> None:
    """Return when more documents are mapped, or all are read."""

    def more() -> bool | None:
        told = stats(url)
        return mapped(told) > than or not any(row["IsStale"] for row in told.values()) or None

    wait_for(more, 60, f"nothing is indexed: {stats(url)}")


def kill(pid: int) -> None:
    """End an indexer as the system would that has no memory left."""
    os.kill(pid, signal.SIGKILL)
    until_gone(pid)


def until_gone(pid: int) -> None:
    wait_for(lambda: None if is_alive(pid) else True, 30, f"process {pid} lives on")


def check_all_is_right(url: str) -> None:
    until_read(url)
    left = USERS - USERS // 10
    assert query(url, "from index 'Users/ByName'", PageSize=0)["TotalResults"] == left
    assert counts(url) == {city: left // 3 for city in CITIES}
    found = query(url, "from index 'Users/ByName' where name = 'name 10' or name = 'name 11'")
    assert [row["name"] for row in found["Results"]] == ["Name 11"]


def test_a_killed_indexer_goes_on_where_it_was(alone: LocalCluster) -> None:
    url = alone.urls[0]
    fill(url)
    define(url, BY_NAME, BY_CITY)
    killed = set()
    for _ in range(4):
        pid, read = indexer_of(alone), mapped(stats(url))
        until_more_is_read(url, read)
        kill(pid)
        killed.add(pid)
    check_all_is_right(url)
    assert len(killed) == 4, "each time another was started"
    assert {row["Status"] for row in stats(url).values()} == {"Running"}


def test_a_killed_node_takes_its_indexer_with_it_and_goes_on(alone: LocalCluster) -> None:
    url = alone.urls[0]
    fill(url)
    define(url, BY_NAME, BY_CITY)
    for _ in range(2):
        pid = indexer_of(alone)
        until_more_is_read(url, 0)
        alone.kill("A")
        until_gone(pid)
        alone.wait_until_ready("A")
    check_all_is_right(url)


def test_a_node_that_is_stopped_ends_its_indexer(alone: LocalCluster) -> None:
    url = alone.urls[0]
    make(url)
    assert not indexers(alone.pid("A")), "there is nothing to index"
    define(url, BY_NAME)
    pid = indexer_of(alone)
    assert alone.stop() == 0
    assert not is_alive(pid)
