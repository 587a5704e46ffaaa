"""Nodes that the log does not reach any more, on real processes."""

import shutil
from pathlib import Path

import requests

from scripts.local_cluster import LocalCluster, wait_for

SOON_SECONDS = 30.0
SETTINGS = """
[raft]
checkpoint_ms = 100
log_keep_slots = 20
log_segment_bytes = 20000
"""


def put(url: str, number: int) -> None:
    body = {"n": number, "text": "x" * 500, "@metadata": {"@collection": "Notes"}}
    where = f"{url}/databases/shop/docs"
    stored = requests.put(where, params={"id": f"notes/{number}"}, json=body, timeout=30)
    assert stored.status_code == 201, stored.text


def count(url: str) -> int:
    answer = requests.get(f"{url}/databases/shop/collections/stats", timeout=30)
    return int(answer.json()["CountOfDocuments"]) if answer.status_code == 200 else -1


def first_segment(cluster: LocalCluster, tag: str) -> str:
    return min(path.name for path in (cluster.folder / tag / "journal").iterdir())


def fill(cluster: LocalCluster, url: str, *, tags: list[str], written: int) -> int:
    """Write until the logs of `tags` have let go of their beginning."""
    while any(first_segment(cluster, tag) == "0000000001.log" for tag in tags):
        written += 1
        put(url, written)
        assert written < 5_000, "the log is never trimmed"
    return written


def started(tmp_path: Path) -> LocalCluster:
    settings = tmp_path / "settings.toml"
    settings.write_text(SETTINGS)
    options = ("--restart", "--config", str(settings))
    return LocalCluster(tmp_path / "cluster", options=options)


def test_a_node_that_lost_its_disk_comes_back_under_its_name(tmp_path: Path) -> None:
    with started(tmp_path) as cluster:
        url = cluster.urls[0]
        requests.put(f"{url}/admin/databases?name=shop", json={"DatabaseName": "shop"}, timeout=30)
        leader = cluster.leader()
        victim = next(tag for tag in cluster.tags if tag != leader)
        url = cluster.url(leader)
        written = fill(cluster, url, tags=[leader], written=0)
        cluster.kill(victim)
        shutil.rmtree(cluster.folder / victim)
        put(url, written + 1)
        wait_for(
            lambda: _counts(cluster.url(victim), written + 1) or None,
            SOON_SECONDS,
            f"{victim} does not come back with the data",
        )
        put(cluster.url(victim), written + 2)
        assert count(url) == written + 2
        assert first_segment(cluster, victim) != "0000000001.log", "it did not come by the log"
        cluster.kill(leader)
        wait_for(
            lambda: _counts(cluster.url(victim), written + 2) or None,
            SOON_SECONDS,
            f"{victim} does not make a quorum with the third node",
        )


def _counts(url: str, expected: int) -> bool:
    try:
        return count(url) == expected
    except requests.RequestException:
        return False
