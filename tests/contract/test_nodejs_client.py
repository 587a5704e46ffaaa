"""The official Node.js client, unchanged, against one real node and against three.

The stories are in `nodejs/stories`, in its own language. Each is a test of its own here, with a new
database; those of dead and dying nodes have clusters of their own.
"""

import json
import re
from collections.abc import Iterator

import pytest
import requests

from scripts.local_cluster import LocalCluster, wait_for
from tests.contract.conftest import make_database
from tests.contract.nodejs_process import (
    LEFT_OUT,
    SOURCE,
    Storyteller,
    install,
    is_left_out,
    printed_by,
    told_in,
)
from tests.house.source import ROOT
from tests.house.test_readme import BLOCK

pytestmark = pytest.mark.skipif(is_left_out(), reason=f"{LEFT_OUT} is set")

FILES = sorted(path.name for path in (SOURCE / "stories").iterdir())
EVERY = [story for file in FILES for story in told_in(file)]
# These need nodes that die.
WITH_A_DEAD_NODE = told_in("dead_node.js")
WITH_A_DYING_LEADER = told_in("dying_leader.js")
ELSEWHERE = told_in("lost_answers.js")  # by test_at_most_once.py
OTHERS = (*WITH_A_DEAD_NODE, *WITH_A_DYING_LEADER, *ELSEWHERE)
PEACEFUL = [story for story in EVERY if story not in OTHERS]


@pytest.mark.parametrize("story", PEACEFUL)
def test_on_one_node(teller: Storyteller, node_url: str, story: str) -> None:
    teller.tell(story, urls=[node_url], database=make_database(node_url))


@pytest.mark.parametrize("story", PEACEFUL)
def test_on_three_nodes(teller: Storyteller, shared_cluster: LocalCluster, story: str) -> None:
    urls = shared_cluster.urls
    teller.tell(story, urls=urls, database=make_database(urls[0]))


@pytest.fixture(scope="module")
def wounded_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """Three nodes; one that is killed stays dead."""
    with LocalCluster(tmp_path_factory.mktemp("wounded") / "cluster") as running:
        yield running


@pytest.fixture(scope="module")
def hardy_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """Three nodes; one that dies is started again."""
    folder = tmp_path_factory.mktemp("hardy") / "cluster"
    with LocalCluster(folder, options=("--restart",)) as running:
        yield running


@pytest.mark.parametrize("story", WITH_A_DEAD_NODE)
def test_with_a_dead_node(teller: Storyteller, wounded_cluster: LocalCluster, story: str) -> None:
    cluster = wounded_cluster

    def kill_a_follower(wish: str) -> object:
        assert wish == "let a follower be dead"
        leader = cluster.leader()
        follower = next(tag for tag in cluster.tags if tag != leader)
        if all(cluster.is_running(tag) for tag in cluster.tags):
            cluster.kill(follower)
            wait_for(lambda: not cluster.is_running(follower) or None, 10.0, "it lives")
        dead = next(tag for tag in cluster.tags if not cluster.is_running(tag))
        return {"dead": cluster.url(dead), "alive": cluster.url(leader)}

    database = make_database(cluster.url(cluster.leader()))
    teller.tell(story, urls=cluster.urls, database=database, grant=kill_a_follower)


@pytest.mark.parametrize("story", WITH_A_DYING_LEADER)
def test_with_a_dying_leader(teller: Storyteller, hardy_cluster: LocalCluster, story: str) -> None:
    cluster = hardy_cluster

    def kill_the_leader(wish: str) -> object:
        assert wish == "kill the leader"
        cluster.kill(cluster.leader())
        return "done"

    for tag in cluster.tags:
        cluster.wait_until_ready(tag)
    database = make_database(cluster.urls[0])
    teller.tell(story, urls=cluster.urls, database=database, grant=kill_the_leader)


def test_a_story_that_does_not_hold_fails_with_its_words(
    teller: Storyteller, node_url: str
) -> None:
    with pytest.raises(AssertionError, match="there is no story named 'nothing'"):
        teller.tell("nothing", urls=[node_url], database="none")


def test_the_readme_prints_what_it_says(node_url: str) -> None:
    blocks = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    [(program, expected)] = [
        (text, blocks[number + 1][1]) for number, (kind, text) in enumerate(blocks) if kind == "js"
    ]
    database = make_database(node_url)
    requests.put(
        f"{node_url}/databases/{database}/docs",
        params={"id": "companies/24"},
        json={"name": "RavenDB", "@metadata": {"@collection": "Companies"}},
        timeout=30,
    ).raise_for_status()
    program = program.replace("http://127.0.0.1:8080", node_url).replace('"shop"', f'"{database}"')
    assert printed_by(install(), program) == expected


def test_without_node_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match=rf"Install Node\.js 20 or newer, or set {LEFT_OUT}=1"):
        install()


def test_versions_are_exact_and_no_registry_is_named() -> None:
    package = json.loads((SOURCE / "package.json").read_text(encoding="utf-8"))
    lock = (SOURCE / "package-lock.json").read_text(encoding="utf-8")
    for version in package["dependencies"].values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert "://" not in lock and '"resolved"' not in lock
    for name, installed in json.loads(lock)["packages"].items():
        assert not name or installed["integrity"].startswith("sha512-")
