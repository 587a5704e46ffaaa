"""A cluster whose nodes live in network namespaces: the kernel loses what they say."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest

from quoth_node.testing import Cluster
from quoth_node.testing.abilities import find_abilities
from quoth_node.testing.clock import wait_for
from quoth_node.testing.namespaces import Namespaces
from quoth_node.testing.netns import RUN_FOLDER

PATIENCE_SECONDS = 90.0
LISTENING = "0A"  # proc(5), /proc/net/tcp
LOOPBACK_WORD = "0100007F"  # 127.0.0.1, as /proc/net/tcp writes it

try:
    ABLE = find_abilities(Random())
except OSError as error:
    pytest.skip(f"no network namespaces here: {error}", allow_module_level=True)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("namespaces") / "c", network="namespaces") as running:
        ask(running.urls[0], "admin/databases?name=shop", {"DatabaseName": "shop"})
        yield running


@pytest.fixture
def cluster(shared: Cluster) -> Iterator[Cluster]:
    """Three nodes or more without faults; each test may do what it likes to their network."""
    yield shared
    shared.heal()
    converge(shared)
    assert shared.deaths == []


def ask(url: str, path: str, body: object) -> Any:
    request = Request(f"{url}/{path}", data=json.dumps(body).encode(), method="PUT")
    request.add_header("Content-Type", "application/json")
    with urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        return json.load(answer)


def write(cluster: Cluster, tag: str) -> None:
    """Put a value of its own into the log, by one node."""
    key = f"written/{uuid4()}"
    path = f"databases/shop/cmpxchg?key={key}&index=0"
    assert ask(cluster.url(tag), path, {"Object": tag})["Successful"]


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
    write(cluster, second)
    cluster.heal()
    converge(cluster)
    status = cluster.log_status(first)
    assert status is not None
    assert status["Term"] > term


def test_a_leader_that_is_not_heard_is_replaced_though_it_hears(cluster: Cluster) -> None:
    first, term = cluster.leader(), cluster.term()
    for other in cluster.tags:
        if other != first:
            cluster.cut(first, other, one_way=True)
    second = cluster.leader(after_term=term, timeout_seconds=PATIENCE_SECONDS)
    assert second != first
    write(cluster, second)
    cluster.heal()
    converge(cluster)


def test_followers_that_do_not_hear_each_other_are_no_harm(cluster: Cluster) -> None:
    leader, term = cluster.leader(), cluster.term()
    one, other = (tag for tag in cluster.tags if tag != leader)
    cluster.cut(one, other)
    for tag in cluster.tags:
        write(cluster, tag)
    assert cluster.leader() == leader
    assert cluster.term() == term


def test_links_that_are_reset_come_back(cluster: Cluster) -> None:
    if ABLE.resets is not None:
        pytest.skip(ABLE.resets)
    for tag in cluster.tags:
        for other in cluster.tags:
            if tag < other:
                cluster.reset(tag, other)
    write(cluster, cluster.leader(timeout_seconds=PATIENCE_SECONDS))


def test_a_member_that_is_cut_off_is_removed_and_comes_back_as_a_new_one(cluster: Cluster) -> None:
    cut_off = next(tag for tag in cluster.tags if tag != cluster.leader())
    before = cluster.network.place(cut_off)
    cluster.isolate(cut_off)
    cluster.remove(cut_off)
    cluster.heal()
    converge(cluster)
    cluster.add(cut_off)
    converge(cluster)
    assert cluster.network.place(cut_off) != before
    assert cluster.tags == ["A", "B", "C"]


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
