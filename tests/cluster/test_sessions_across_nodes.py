"""Sessions that go from node to node see a world that only goes forward, also when leaders die.

Several clients send each request to another node than the one before: saves of their own and of
shared documents, loads, pages, compare-exchange values, identities. The leader is killed twice and
comes back. Then the whole history is checked.
"""

import os
import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from quoth_node.testing.checkers.sessions import Did, Kind, broken_guarantees
from quoth_node.testing.checkers.uniqueness import (
    Created,
    Taken,
    created_twice,
    given_backwards,
    given_twice,
)
from scripts.local_cluster import LocalCluster, wait_for
from tests.cluster.roaming import Roamer
from tests.contract.conftest import make_database

SESSIONS = 4
REQUESTS = 1_200
KILLS = 2
PATIENCE_SECONDS = 30.0


@pytest.fixture
def hardy_cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    """Three nodes; one that dies is started again."""
    with LocalCluster(tmp_path / "cluster", options=("--restart",)) as running:
        yield running


@pytest.fixture
def seed() -> int:
    """Of what the sessions do; printed when the test fails."""
    chosen = int(os.environ.get("QUOTH_SEED") or random.randrange(1_000_000))
    print(f"QUOTH_SEED={chosen}")
    return chosen


def test_sessions_that_roam_only_go_forward(hardy_cluster: LocalCluster, seed: int) -> None:
    cluster = hardy_cluster
    database = make_database(cluster.urls[0])
    roamers = [
        Roamer(f"session-{number}", cluster.urls, database=database, seed=seed)
        for number in range(SESSIONS)
    ]
    with running(roamers):
        for kill in range(1, KILLS + 1):
            wait_until_told(roamers, kill * REQUESTS // (KILLS + 1))
            leader, term = cluster.leader(), cluster.term()
            cluster.kill(leader)
            cluster.leader(after_term=term)
            cluster.wait_until_ready(leader)
        wait_until_told(roamers, REQUESTS)
    last = Roamer("afterwards", cluster.urls, database=database, seed=seed)
    last.read_everything()

    assert [line for line in cluster.errors.splitlines() if "SIGKILL" not in line] == []
    history = [did for roamer in (*roamers, last) for did in roamer.history]
    taken = [number for roamer in roamers for number in roamer.taken]
    assert [strange for roamer in roamers for strange in roamer.strange] == []
    assert [str(broken) for broken in broken_guarantees(history)] == []
    assert went_back(history) == []
    assert written_twice(history) == []
    assert given_twice(taken) == [] and given_backwards(taken) == []


@contextmanager
def running(roamers: list[Roamer]) -> Iterator[None]:
    """Within the block they roam."""
    for roamer in roamers:
        roamer.start()
    try:
        yield
    finally:
        for roamer in roamers:
            roamer.stop()
        for roamer in roamers:
            roamer.join()


def wait_until_told(roamers: list[Roamer], count: int) -> None:
    wait_for(
        lambda: sum(roamer.told for roamer in roamers) >= count or None,
        PATIENCE_SECONDS,
        f"{count} requests are not answered",
    )


def went_back(history: list[Did]) -> list[str]:
    """Keys that somebody saw older than somebody else had been told before."""
    told: dict[str, list[Taken]] = defaultdict(list)
    for did in history:
        if did.certain:
            told[did.key].append(Taken(did.version, did.asked_at, did.told_at))
    return [
        f"{key}: version {late.number} after version {early.number}"
        for key, versions in told.items()
        for early, late in given_backwards(versions)
    ]


def written_twice(history: list[Did]) -> list[str]:
    """Versions that two sessions were told they had written, or that were read as two values."""
    values = {(did.key, did.version, did.value) for did in history if did.kind is Kind.READ}
    written = {
        (did.key, did.version, did.value)
        for did in history
        if did.kind is Kind.WRITE and did.certain
    }
    return created_twice(
        Created(f"version {version} of {key}", value) for key, version, value in values | written
    )
