"""`quoth cluster status`, `add` and `remove`, against real nodes."""

import json
import subprocess
from pathlib import Path
from typing import Any

import requests

from scripts.local_cluster import LocalCluster, free_ports, quoth, wait_for

SOON_SECONDS = 30.0


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        quoth(*arguments), capture_output=True, text=True, timeout=60, check=False
    )


def status(url: str) -> dict[str, Any]:
    finished = run("cluster", "status", "--url", url, "--json")
    assert finished.returncode == 0, finished.stderr
    content: dict[str, Any] = json.loads(finished.stdout)
    return content


def test_status_shows_every_member_to_people_and_to_programs(cluster: LocalCluster) -> None:
    table = run("cluster", "status", "--url", cluster.urls[2])
    assert table.returncode == 0
    assert all(url in table.stdout for url in cluster.urls)
    assert table.stdout.count("Follower") == 2 and table.stdout.count("Leader") == 1
    shown = status(cluster.urls[1])
    assert [node["Tag"] for node in shown["Nodes"]] == ["A", "B", "C"]
    assert shown["Leader"] == cluster.leader()
    assert all(node["Reachable"] and node["Lag"] == 0 for node in shown["Nodes"])
    assert all(node["AppliedIndex"] <= node["CommitIndex"] for node in shown["Nodes"])


def test_status_tells_who_does_not_answer(cluster: LocalCluster) -> None:
    victim = next(tag for tag in cluster.tags if tag != cluster.leader())
    cluster.kill(victim)
    shown = status(cluster.url(cluster.leader()))
    reachable = {node["Tag"]: node["Reachable"] for node in shown["Nodes"]}
    assert reachable == {tag: tag != victim for tag in cluster.tags}
    table = run("cluster", "status", "--url", cluster.url(cluster.leader()))
    assert "unreachable" in table.stdout
    finished = run("cluster", "status", "--url", cluster.url(victim))
    assert finished.returncode == 1
    assert len(finished.stderr.splitlines()) == 1 and "cannot be reached" in finished.stderr


def test_a_node_is_removed_and_another_one_joins(cluster: LocalCluster, tmp_path: Path) -> None:
    url = cluster.urls[0]
    requests.put(
        f"{url}/admin/databases", params={"name": "shop"}, json={"DatabaseName": "shop"}, timeout=30
    )
    stored = requests.put(
        f"{url}/databases/shop/docs", params={"id": "orders/1"}, json={"n": 1}, timeout=30
    )
    assert stored.status_code == 201
    removed = run("cluster", "remove", "C", "--url", url)
    assert (removed.returncode, removed.stdout) == (0, "C is not a member any more\n")
    assert [node["Tag"] for node in status(cluster.url(cluster.leader()))["Nodes"]] == ["A", "B"]
    again = run("cluster", "remove", "C", "--url", url)
    assert again.returncode == 1 and len(again.stderr.splitlines()) == 1

    port = free_ports(1)
    newcomer = subprocess.Popen(
        quoth(
            *("node", "start", "--tag", "D", "--port", str(port), "--join", url),
            *("--data", str(tmp_path / "D")),
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert newcomer.stdout is not None
        assert newcomer.stdout.readline().decode() == f"ready http://127.0.0.1:{port}\n"
        found = requests.get(
            f"http://127.0.0.1:{port}/databases/shop/docs", params={"id": "orders/1"}, timeout=30
        )
        assert found.status_code == 200
        assert [node["Tag"] for node in status(url)["Nodes"]] == ["A", "B", "D"]
        twice = run("cluster", "add", f"D=http://127.0.0.1:{port}", "--url", url)
        assert twice.returncode == 1 and len(twice.stderr.splitlines()) == 1
    finally:
        newcomer.terminate()
        assert newcomer.wait(20) == 0


def test_a_node_that_waits_is_added(cluster: LocalCluster, tmp_path: Path) -> None:
    port = free_ports(1)
    waiting = subprocess.Popen(
        quoth(
            *("node", "start", "--tag", "D", "--port", str(port), "--join", cluster.urls[0]),
            *("--data", str(tmp_path / "D"), "--wait-to-be-added"),
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: _answers(url), SOON_SECONDS, "it does not answer")
        assert len(status(cluster.urls[0])["Nodes"]) == 3
        added = run("cluster", "add", f"D={url}", "--url", cluster.urls[1])
        assert (added.returncode, added.stdout) == (0, "D is a member\n"), added.stderr
        assert waiting.stdout is not None
        assert waiting.stdout.readline().decode() == f"ready {url}\n"
        assert [node["Tag"] for node in status(url)["Nodes"]] == ["A", "B", "C", "D"]
    finally:
        waiting.terminate()
        assert waiting.wait(20) == 0


def _answers(url: str) -> bool | None:
    try:
        return bool(requests.get(f"{url}/setup/alive", timeout=5).ok)
    except requests.ConnectionError:
        return None


def test_a_node_of_another_cluster_is_not_added(cluster: LocalCluster, tmp_path: Path) -> None:
    with LocalCluster(tmp_path / "other", nodes=1) as other:
        finished = run("cluster", "add", f"A={other.urls[0]}", "--url", cluster.urls[0])
    assert finished.returncode == 1
    assert "belongs to another cluster" in finished.stderr
    assert len(status(cluster.urls[0])["Nodes"]) == 3


def test_a_removed_leader_hands_over(cluster: LocalCluster) -> None:
    leader = cluster.leader()
    other = next(tag for tag in cluster.tags if tag != leader)
    removed = run("cluster", "remove", leader, "--url", cluster.url(other))
    assert removed.returncode == 0, removed.stderr
    shown = wait_for(lambda: _led(cluster.url(other), leader), SOON_SECONDS, "nobody leads")
    assert leader not in {node["Tag"] for node in shown["Nodes"]}


def _led(url: str, removed: str) -> dict[str, Any] | None:
    shown = status(url)
    return shown if shown["Leader"] not in (None, removed) else None


def test_a_member_becomes_a_watcher_and_a_member_again(cluster: LocalCluster) -> None:
    url, tag = cluster.urls[0], next(t for t in cluster.tags if t != cluster.leader())
    demoted = run("cluster", "demote", tag, "--url", url)
    assert (demoted.returncode, demoted.stdout) == (0, f"{tag} is a watcher\n"), demoted.stderr
    topology = requests.get(f"{url}/cluster/topology", timeout=30).json()["Topology"]
    assert list(topology["Watchers"]) == [tag] and tag not in topology["Members"]
    again = run("cluster", "demote", tag, "--url", url)
    assert again.returncode == 1 and "a watcher already" in again.stderr
    promoted = run("cluster", "promote", tag, "--url", url)
    assert promoted.returncode == 0, promoted.stderr
    wait_for(lambda: _is_member(url, tag) or None, SOON_SECONDS, f"{tag} does not vote again")


def _is_member(url: str, tag: str) -> bool:
    topology = requests.get(f"{url}/cluster/topology", timeout=30).json()["Topology"]
    return tag in topology["Members"]


def test_words_that_name_no_node_are_refused() -> None:
    for arguments in (("remove", "nobody"), ("add", "D"), ("add", "D=nowhere")):
        finished = run("cluster", *arguments)
        assert finished.returncode == 2
        assert len(finished.stderr.splitlines()) == 1
