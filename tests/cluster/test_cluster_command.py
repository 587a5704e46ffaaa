"""`quoth cluster start` keeps its contract: other programs rely on its words exactly."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import requests

from scripts.local_cluster import LocalCluster, free_ports, quoth, wait_for

SOON_SECONDS = 30.0


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `quoth ARGUMENTS` to its end."""
    return subprocess.run(
        quoth(*arguments), capture_output=True, text=True, timeout=60, check=False
    )


def one_line(finished: subprocess.CompletedProcess[str]) -> str:
    """The one line it said on stderr; it said nothing on stdout."""
    assert finished.stdout == ""
    (line,) = finished.stderr.splitlines()
    assert line.startswith("quoth: ")
    return line


def is_gone(pid: int) -> bool | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A dead child of a killed supervisor may wait for init to take note.
    state = Path(f"/proc/{pid}/stat")
    return (state.exists() and ") Z " in state.read_text()) or None


def make_database(url: str) -> None:
    """Create the database of these stories."""
    requests.put(
        f"{url}/admin/databases", params={"name": "shop"}, json={"DatabaseName": "shop"}, timeout=30
    ).raise_for_status()


def put(url: str, document_id: str) -> int:
    """The status of a write."""
    answer = requests.put(
        f"{url}/databases/shop/docs", params={"id": document_id}, json={"n": 1}, timeout=30
    )
    return int(answer.status_code)


def get(url: str, document_id: str) -> int:
    """The status of a read."""
    answer = requests.get(f"{url}/databases/shop/docs", params={"id": document_id}, timeout=30)
    return int(answer.status_code)


def test_one_ready_line_names_every_node_and_each_answers(cluster: LocalCluster) -> None:
    assert cluster.urls == [cluster.url(tag) for tag in ("A", "B", "C")]
    for tag in cluster.tags:
        assert requests.get(f"{cluster.url(tag)}/build/version", timeout=10).ok
    pids = {cluster.pid(tag) for tag in cluster.tags}
    assert len(pids) == 3 and cluster.process.pid not in pids
    assert cluster.next_line(0.2) is None, "nothing else is said on stdout"
    assert cluster.stop() == 0
    assert cluster.next_line(0.2) is None
    assert cluster.errors == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_all_and_the_data_is_there_again(tmp_path: Path, number: int) -> None:
    first = LocalCluster(tmp_path / "cluster")
    with first:
        make_database(first.urls[0])
        assert put(first.urls[1], "orders/1") == 201
        pids = [first.pid(tag) for tag in first.tags]
        first.process.send_signal(number)
        assert first.process.wait(20) == 0
        assert all(is_gone(pid) for pid in pids)
        assert not (first.folder / "A" / "node.pid").exists()
    with LocalCluster(tmp_path / "cluster", port=first.port) as again:
        assert again.urls == first.urls
        assert all(get(url, "orders/1") == 200 for url in again.urls)


def test_a_node_that_dies_is_reported_and_the_others_go_on(cluster: LocalCluster) -> None:
    make_database(cluster.urls[0])
    victim = next(tag for tag in cluster.tags if tag != cluster.leader())
    cluster.kill(victim)
    wait_for(lambda: cluster.errors or None, SOON_SECONDS, "nothing was reported")
    assert cluster.errors == f"quoth: node {victim} ended with exit code -9 (SIGKILL)\n"
    assert put(cluster.url(cluster.leader()), "orders/1") == 201
    assert cluster.stop() == 0


def test_a_node_that_dies_is_started_again_if_that_is_wanted(tmp_path: Path) -> None:
    with LocalCluster(tmp_path / "cluster", options=("--restart",)) as cluster:
        leader, term = cluster.leader(), cluster.term()
        before = cluster.pid(leader)
        cluster.kill(leader)
        cluster.leader(after_term=term)
        wait_for(
            lambda: (cluster.is_running(leader) and cluster.pid(leader) != before) or None,
            SOON_SECONDS,
            "it was not started again",
        )
        cluster.wait_until_ready(leader)
        assert f"node {leader} ended with exit code -9 (SIGKILL); it is started" in cluster.errors


def test_nodes_do_not_outlive_a_killed_supervisor(cluster: LocalCluster) -> None:
    pids = [cluster.pid(tag) for tag in cluster.tags]
    cluster.process.kill()
    for pid in pids:
        wait_for(lambda pid=pid: is_gone(pid), SOON_SECONDS, f"process {pid} lives on")  # type: ignore[misc]


def test_a_port_in_use_is_one_line_and_exit_code_2(cluster: LocalCluster, tmp_path: Path) -> None:
    taken = str(cluster.port + 1)
    finished = run("cluster", "start", "--port", taken, "--data", str(tmp_path / "other"))
    assert finished.returncode == 2
    assert f"port {taken} is in use" in one_line(finished)
    finished = run("node", "start", "--tag", "X", "--port", taken, "--data", str(tmp_path / "x"))
    assert finished.returncode == 2
    assert f"port {taken} is in use" in one_line(finished)


def test_a_folder_in_use_is_one_line_and_exit_code_2(cluster: LocalCluster) -> None:
    port = str(free_ports(3))
    pids = [cluster.pid(tag) for tag in cluster.tags]
    finished = run("cluster", "start", "--port", port, "--data", str(cluster.folder))
    assert finished.returncode == 2
    assert "is in use by process" in one_line(finished)
    folder = str(cluster.folder / "A")
    finished = run("node", "start", "--tag", "A", "--port", port, "--data", folder)
    assert finished.returncode == 2
    assert f"data folder {folder} is in use by process {pids[0]}" in one_line(finished)
    assert [cluster.pid(tag) for tag in cluster.tags] == pids, "those who hold it are not disturbed"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{nope", "is unreadable"),
        ('{"format_version": 999}', "was written by a newer version"),
        (
            '{"format_version": 1, "tag": "B", "cluster_id": null, "peer_port": 0,'
            ' "join_url": null}',
            "belongs to node B, not to A",
        ),
    ],
)
def test_a_folder_that_is_not_this_nodes_is_refused(
    tmp_path: Path, content: str, said: str
) -> None:
    folder = tmp_path / "cluster" / "A"
    folder.mkdir(parents=True)
    (folder / "node.json").write_text(content)
    port = str(free_ports(3))
    alone = run("node", "start", "--tag", "A", "--port", port, "--data", str(folder))
    together = run("cluster", "start", "--port", port, "--data", str(tmp_path / "cluster"))
    for finished in (alone, together):
        assert finished.returncode == 2
        assert said in one_line(finished)
    assert (folder / "node.json").read_text() == content


def test_a_cluster_whose_second_node_fails_does_not_start(tmp_path: Path) -> None:
    cluster = LocalCluster(tmp_path / "cluster", nodes=2)
    folder = cluster.folder / "B"
    folder.mkdir(parents=True)
    (folder / "something").write_text("of somebody else")
    with pytest.raises(RuntimeError, match=r"node B: data folder .* is not empty"):
        cluster.start()
    assert cluster.process.returncode == 2
    assert len(cluster.errors.splitlines()) == 1
    assert not (cluster.folder / "A" / "node.pid").exists(), "the first node was stopped"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "there is no TLS"),
        (["--nodes", "0"], "--nodes must be 1..26"),
        (["--port", "65535"], "port 65537"),
        (["--config", "missing.toml"], "cannot be read"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    finished = run("cluster", "start", "--data", str(tmp_path / "cluster"), *arguments)
    assert finished.returncode == 2
    assert said in one_line(finished)
    assert not (tmp_path / "cluster").exists()


def test_settings_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    for content, said in {
        "nope = [": "is not TOML",
        "[raft]\nheartbeat = 1": "unknown setting raft.heartbeat",
        "[raft]\nheartbeat_ms = 'x'": "raft.heartbeat_ms must be a whole number",
        "[raft]\nheartbeat_ms = 500": "more than three times",
    }.items():
        settings.write_text(content)
        finished = run(
            *("node", "start", "--tag", "A", "--data", str(tmp_path / "a")),
            *("--config", str(settings)),
        )
        assert finished.returncode == 2
        assert said in one_line(finished)


def test_a_cluster_starts_again_without_a_node_that_was_removed(tmp_path: Path) -> None:
    with LocalCluster(tmp_path / "cluster") as cluster:
        url = cluster.urls[0]
        gone = next(tag for tag in cluster.tags if tag != cluster.leader())
        removed = subprocess.run(
            quoth("cluster", "remove", gone, "--url", url),
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert removed.returncode == 0, removed.stderr
        expected = [cluster.url(tag) for tag in cluster.tags if tag != gone]
        port = cluster.port
    with LocalCluster(tmp_path / "cluster", port=port) as again:
        assert again.urls == expected


def test_a_cluster_starts_again_with_a_node_that_lost_its_folder(tmp_path: Path) -> None:
    with LocalCluster(tmp_path / "cluster") as cluster:
        urls, port = cluster.urls, cluster.port
        lost = next(tag for tag in cluster.tags if tag != cluster.leader())
    shutil.rmtree(tmp_path / "cluster" / lost)
    with LocalCluster(tmp_path / "cluster", port=port) as again:
        assert sorted(again.urls) == sorted(urls)
