"""Nodes under test: real processes are killed, stopped in their tracks and cut off, and come back.

What is tried here is the harness (`quoth_node.testing`), and with it what it is for.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from quoth_node.testing import CannotFault, Cluster, NodeEnded
from quoth_node.testing.clock import wait_for

PATIENCE_SECONDS = 60.0
REQUEST_SECONDS_MAX = 30.0


@pytest.fixture(scope="module")
def running_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three nodes, proxies between them."""
    folder = tmp_path_factory.mktemp("harness") / "cluster"
    with Cluster(folder, nodes=3, network="proxies") as running:
        requests.put(
            f"{running.urls[0]}/admin/databases",
            params={"name": "shop"},
            json={"DatabaseName": "shop"},
            timeout=REQUEST_SECONDS_MAX,
        ).raise_for_status()
        yield running


@pytest.fixture
def cluster(running_cluster: Cluster) -> Iterator[Cluster]:
    """The same three nodes for every test, which may leave them in any state."""
    yield running_cluster
    running_cluster.resume()
    running_cluster.heal()
    running_cluster.restart()
    settle(running_cluster)
    died, running_cluster.deaths = running_cluster.deaths, []
    assert died == []


def settle(cluster: Cluster) -> str:
    """Return the leader when all nodes agree on it."""

    def agreed() -> str | None:
        statuses = [cluster.log_status(tag) for tag in cluster.tags]
        leaders = {status["Leader"] if status else None for status in statuses}
        return leaders.pop() if len(leaders) == 1 else None

    return wait_for(agreed, PATIENCE_SECONDS, "the nodes do not agree on a leader")


def others(cluster: Cluster, *tags: str) -> list[str]:
    return [tag for tag in cluster.tags if tag not in tags]


def put(cluster: Cluster, tag: str, document_id: str, **options: Any) -> requests.Response:
    options.setdefault("timeout", REQUEST_SECONDS_MAX)
    url = f"{cluster.url(tag)}/databases/shop/docs"
    return requests.put(url, params={"id": document_id}, json={"n": 1}, **options)


def get(cluster: Cluster, tag: str, document_id: str, **options: Any) -> requests.Response:
    options.setdefault("timeout", REQUEST_SECONDS_MAX)
    url = f"{cluster.url(tag)}/databases/shop/docs"
    return requests.get(url, params={"id": document_id}, **options)


def holds(cluster: Cluster, tag: str, document_id: str) -> bool | None:
    """Whether a node has the document itself, whatever the others know; None if it has not."""
    url = f"{cluster.url(tag)}/databases/shop/docs"
    parameters = {"id": document_id, "consistency": "local"}
    answer = requests.get(url, params=parameters, timeout=REQUEST_SECONDS_MAX)
    return answer.status_code == 200 or None


def is_answered(call: Any, *arguments: Any) -> bool:
    """Whether a node can serve a request within seconds."""
    try:
        return bool(call(*arguments, timeout=3.0).status_code < 300)
    except requests.RequestException:
        return False


def test_a_node_that_was_killed_comes_back_with_its_data(cluster: Cluster) -> None:
    victim = others(cluster, cluster.leader())[0]
    assert put(cluster, victim, "kept/1").status_code == 201
    former = cluster.pid(victim)
    cluster.kill(victim)
    assert not cluster.is_running(victim) and cluster.log_status(victim) is None
    assert put(cluster, others(cluster, victim)[0], "kept/2").status_code == 201
    cluster.restart()
    assert cluster.is_running(victim) and cluster.pid(victim) != former
    assert holds(cluster, victim, "kept/1") and holds(cluster, victim, "kept/2")


def test_a_paused_leader_is_replaced_and_follows_when_it_goes_on(cluster: Cluster) -> None:
    leader, term = settle(cluster), cluster.term()
    cluster.pause(leader)
    successor = cluster.leader(after_term=term, timeout_seconds=PATIENCE_SECONDS)
    assert successor != leader and cluster.is_running(leader)
    assert put(cluster, successor, "paused/1").status_code == 201
    cluster.resume()
    wait_for(lambda: holds(cluster, leader, "paused/1"), PATIENCE_SECONDS, "it does not catch up")
    status = cluster.log_status(leader)
    assert status is not None and status["Leader"] != leader


def test_a_leader_cut_off_serves_nothing_current_and_steps_down(cluster: Cluster) -> None:
    leader, term = settle(cluster), cluster.term()
    assert put(cluster, leader, "cut/1").status_code == 201
    cluster.isolate(leader)
    successor = cluster.leader(after_term=term, timeout_seconds=PATIENCE_SECONDS)
    assert put(cluster, successor, "cut/2").status_code == 201
    assert not is_answered(get, cluster, leader, "cut/1"), "a read without a quorum may be old"
    assert not is_answered(put, cluster, leader, "cut/3")
    assert holds(cluster, leader, "cut/1") and not holds(cluster, leader, "cut/2")

    def stepped_down() -> bool | None:
        status = cluster.log_status(leader)
        return bool(status and status["Role"] != "Leader") or None

    wait_for(stepped_down, PATIENCE_SECONDS, "it believes that it leads")
    cluster.heal()
    assert settle(cluster)
    wait_for(lambda: holds(cluster, leader, "cut/2"), PATIENCE_SECONDS, "it does not catch up")
    assert is_answered(get, cluster, leader, "cut/1")


def test_who_is_heard_and_hears_nothing_falls_behind(cluster: Cluster) -> None:
    leader = settle(cluster)
    deaf = others(cluster, leader)[0]
    cluster.cut(leader, deaf, one_way=True)
    third = others(cluster, leader, deaf)[0]
    assert put(cluster, third, "deaf/1").status_code == 201
    if cluster.leader(timeout_seconds=PATIENCE_SECONDS) == leader:
        assert not holds(cluster, deaf, "deaf/1")
    cluster.heal()
    settle(cluster)
    wait_for(lambda: holds(cluster, deaf, "deaf/1"), PATIENCE_SECONDS, "it does not catch up")


def test_a_slow_and_lossy_network_loses_nothing(cluster: Cluster) -> None:
    leader = settle(cluster)
    for other in others(cluster, leader):
        cluster.delay(leader, other, milliseconds=30, jitter_milliseconds=20)
        cluster.lose(leader, other, percent=2)
    acknowledged = [f"slow/{n}" for n in range(10) if put(cluster, leader, f"slow/{n}").ok]
    assert len(acknowledged) >= 5
    cluster.heal()
    settle(cluster)
    for tag in cluster.tags:
        for document_id in acknowledged:
            assert get(cluster, tag, document_id).status_code == 200


def test_a_stalled_follower_gets_all_of_it_later(cluster: Cluster) -> None:
    leader = settle(cluster)
    slow, other = others(cluster, leader)
    cluster.stall(leader, slow)
    cluster.stall(other, slow)
    assert put(cluster, leader, "stalled/1").status_code == 201
    assert not holds(cluster, slow, "stalled/1")
    cluster.heal()
    wait_for(lambda: holds(cluster, slow, "stalled/1"), PATIENCE_SECONDS, "it gets nothing")


def test_connections_that_were_reset_are_made_anew(cluster: Cluster) -> None:
    leader = settle(cluster)
    for other in others(cluster, leader):
        cluster.reset(leader, other)
    wait_for(
        lambda: is_answered(put, cluster, leader, "reset/1") or None,
        PATIENCE_SECONDS,
        "it does not come back",
    )


def test_a_node_joins_leaves_and_joins_again(cluster: Cluster) -> None:
    assert put(cluster, "A", "members/1").status_code == 201
    cluster.add("D")
    assert cluster.tags == ["A", "B", "C", "D"] and len(cluster.urls) == 4
    assert get(cluster, "D", "members/1").status_code == 200
    cluster.isolate("D")  # proxies stand between it and the others as well
    assert not is_answered(get, cluster, "D", "members/1")
    cluster.heal()
    settle(cluster)
    cluster.remove("D")
    assert cluster.tags == ["A", "B", "C"] and not cluster.is_running("D")
    assert (cluster.folder / "removed" / "D-1" / "node.json").exists()
    cluster.add("D")  # a new node of the old name
    assert get(cluster, "D", "members/1").status_code == 200
    cluster.remove("D")


def test_a_node_that_ends_by_itself_is_noticed(cluster: Cluster) -> None:
    victim = others(cluster, cluster.leader())[0]
    os.kill(cluster.pid(victim), signal.SIGKILL)  # not by the harness
    (death,) = wait_for(lambda: cluster.deaths or None, PATIENCE_SECONDS, "nobody noticed")
    assert f"node {victim} ended with exit code -9 (SIGKILL)" in death
    with pytest.raises(NodeEnded, match="SIGKILL"):
        cluster.wait_until_ready(victim)
    cluster.deaths.clear()


def test_power_cannot_be_lost_unless_it_was_asked_for(cluster: Cluster) -> None:
    with pytest.raises(CannotFault, match="power=True"):
        cluster.power_loss("A")
    assert all(cluster.is_running(tag) for tag in cluster.tags), "nothing was done"


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Cluster(tmp_path / "one", nodes=2) as cluster:
        cluster.pause("B")
        raise KeyboardInterrupt
    assert processes_of(tmp_path) == []
    assert cluster.deaths == []


def test_a_node_that_cannot_start_says_why(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path / "one", nodes=1, settings=tmp_path / "none.toml")
    with pytest.raises(NodeEnded, match=r"ended with exit code 2: settings file .*none\.toml"):
        cluster.start()
    assert processes_of(tmp_path) == []


def test_nodes_do_not_outlive_a_harness_that_was_killed(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from quoth_node.testing import Cluster\n"
        "cluster = Cluster(Path(sys.argv[1]), nodes=1).start()\n"
        "print('started', flush=True); sys.stdin.read()"
    )
    harness = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "one")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with harness:
        assert harness.stdout is not None
        assert harness.stdout.readline() == b"started\n"
        assert processes_of(tmp_path) != []
        harness.kill()
    wait_for(lambda: processes_of(tmp_path) == [] or None, PATIENCE_SECONDS, "a node lives on")


def processes_of(folder: Path) -> list[str]:
    """The command lines of processes that are told this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        if any(str(folder).encode() in word for word in words):
            found.append(b" ".join(words).decode())
    return found
