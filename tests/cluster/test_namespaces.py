"""A cluster whose nodes live in network namespaces: the kernel loses what they say."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from quoth_node.testing import Cluster
from quoth_node.testing.clock import wait_for
from quoth_node.testing.namespaces import Namespaces, usable
from quoth_node.testing.netns import RUN_FOLDER

PATIENCE_SECONDS = 90.0
LISTENING = "0A"  # proc(5), /proc/net/tcp
LOOPBACK_WORD = "0100007F"  # 127.0.0.1, as /proc/net/tcp writes it

MISSING = usable()
pytestmark = pytest.mark.skipif(MISSING is not None, reason=f"no network namespaces: {MISSING}")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", network="namespaces") as running:
        yield running


def write(cluster: Cluster, tag: str, name: str) -> None:
    """Put a value into the log by one node."""
    body = json.dumps({"Object": name}).encode()
    url = f"{cluster.url(tag)}/databases/none/cmpxchg?key={name}&index=0"
    with urlopen(Request(url, data=body, method="PUT"), timeout=PATIENCE_SECONDS) as answer:
        assert json.load(answer)["Successful"]


def agreed(cluster: Cluster) -> bool | None:
    """Whether all nodes know one leader and have applied the same entries, to the last."""
    statuses = [cluster.log_status(tag) for tag in cluster.tags]
    said = {
        (status["Leader"], status["Term"], status["AppliedIndex"], status["LastLogIndex"])
        for status in statuses
        if status is not None
    }
    if None in statuses or len(said) != 1:
        return None
    leader, _, applied, last = said.pop()
    return (leader is not None and applied == last) or None


def converge(cluster: Cluster) -> None:
    wait_for(lambda: agreed(cluster), PATIENCE_SECONDS, "the nodes do not agree")


def test_a_leader_that_is_cut_off_is_replaced_and_follows_when_healed(cluster: Cluster) -> None:
    first, term = cluster.leader(), cluster.term()
    cluster.isolate(first)
    second = cluster.leader(after_term=term, timeout_seconds=PATIENCE_SECONDS)
    assert second != first
    status = cluster.log_status(first)
    assert status is not None, "clients still reach it"
    assert status["Term"] == term, "it has heard nothing of the later term"
    cluster.heal()
    converge(cluster)
    status = cluster.log_status(first)
    assert status is not None
    assert status["Term"] > term
    assert cluster.deaths == []


def test_a_leader_that_is_not_heard_is_replaced_though_it_hears(cluster: Cluster) -> None:
    first, term = cluster.leader(), cluster.term()
    for other in cluster.tags:
        if other != first:
            cluster.cut(first, other, one_way=True)
    assert cluster.leader(after_term=term, timeout_seconds=PATIENCE_SECONDS) != first
    cluster.heal()
    converge(cluster)
    assert cluster.deaths == []


def test_a_link_that_is_cut_leaves_a_majority_that_works(cluster: Cluster) -> None:
    leader = cluster.leader()
    follower, other = (tag for tag in cluster.tags if tag != leader)
    cluster.cut(follower, other)
    cluster.wait_until_ready(leader)
    term = cluster.term()
    cluster.kill(other)
    cluster.heal()
    cluster.restart(other)
    converge(cluster)
    assert cluster.term() >= term


def test_members_come_and_go_also_while_others_are_cut_off(cluster: Cluster) -> None:
    cluster.add("D")
    converge(cluster)
    leader = cluster.leader()
    cut_off = next(tag for tag in cluster.tags if tag not in (leader, "D"))
    cluster.isolate(cut_off)
    cluster.remove(cut_off)
    cluster.heal()
    converge(cluster)
    cluster.add(cut_off)
    converge(cluster)
    assert cluster.tags == ["A", "B", "C", "D"]
    assert cluster.deaths == []


def of_this_process() -> set[str]:
    """The namespaces that this process has made."""
    found = RUN_FOLDER.iterdir() if RUN_FOLDER.is_dir() else ()
    return {path.name for path in found if path.name.startswith(f"quoth-{os.getpid()}-")}


def listeners_of_the_machine() -> list[tuple[str, int]]:
    """Where anybody listens in the namespace of this process: address as a word, and port."""
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    places = [row[1].split(":") for row in rows if row[3] == LISTENING]
    return [(address, int(port, 16)) for address, port in places]


def test_on_the_machine_it_listens_on_the_loopback_only(cluster: Cluster) -> None:
    ports = {int(url.rpartition(":")[2]) for url in cluster.urls}
    places = [place for place in listeners_of_the_machine() if place[1] in ports]
    assert sorted(places) == sorted((LOOPBACK_WORD, port) for port in ports)
    of_nodes = {Path(f"/proc/{cluster.pid(tag)}/ns/net").readlink() for tag in cluster.tags}
    assert len(of_nodes) == 3, "each is in a namespace of its own"
    assert Path("/proc/self/ns/net").readlink() not in of_nodes


class Surprise(Exception):
    """Something goes wrong in a test that uses a cluster."""


def test_nothing_is_left_after_an_exception(tmp_path: Path) -> None:
    namespaces, threads = of_this_process(), set(threading.enumerate())
    interfaces = socket.if_nameindex()
    pids, urls = [], []
    with pytest.raises(Surprise), Cluster(tmp_path / "c", nodes=2, network="namespaces") as cluster:
        assert isinstance(cluster.network, Namespaces)
        pids = [cluster.pid(tag) for tag in cluster.tags]
        urls = cluster.urls
        assert of_this_process() > namespaces
        cluster.cut("A", "B")
        cluster.pause("B")
        raise Surprise
    assert of_this_process() == namespaces
    assert socket.if_nameindex() == interfaces
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    for url in urls:
        socket.create_server(("127.0.0.1", int(url.rpartition(":")[2]))).close()
    wait_for(
        lambda: set(threading.enumerate()) <= threads or None,
        PATIENCE_SECONDS,
        "a thread is left",
    )
