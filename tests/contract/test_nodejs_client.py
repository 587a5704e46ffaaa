"""The official Node.js client, unchanged, against one real node and against three.

The stories are in `nodejs/stories`, in its own language. Each is a test of its own here, with a new
database; those that kill nodes have a cluster of their own.
"""

import json
import re
from collections.abc import Iterator

import pytest

from scripts.local_cluster import LocalCluster
from tests.contract.conftest import make_database
from tests.contract.nodejs_process import (
    LEFT_OUT,
    SOURCE,
    Storyteller,
    is_left_out,
    storyteller,
    told_in,
)

pytestmark = pytest.mark.skipif(is_left_out(), reason=f"{LEFT_OUT} is set")

FILES = sorted(path.name for path in (SOURCE / "stories").iterdir())
EVERY = [story for file in FILES for story in told_in(file)]
# These kill nodes.
DEADLY = [*told_in("failover.js"), *(story for story in EVERY if story.startswith("with one node"))]
PEACEFUL = [story for story in EVERY if story not in DEADLY]


@pytest.fixture(scope="module")
def teller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storyteller]:
    with storyteller(tmp_path_factory.mktemp("nodejs") / "printed") as running:
        yield running


@pytest.mark.parametrize("story", PEACEFUL)
def test_on_one_node(teller: Storyteller, node_url: str, story: str) -> None:
    teller.tell(story, urls=[node_url], database=make_database(node_url))


@pytest.mark.parametrize("story", PEACEFUL)
def test_on_three_nodes(teller: Storyteller, shared_cluster: LocalCluster, story: str) -> None:
    urls = shared_cluster.urls
    teller.tell(story, urls=urls, database=make_database(urls[0]))


@pytest.mark.parametrize("story", DEADLY)
def test_when_nodes_die(teller: Storyteller, cluster: LocalCluster, story: str) -> None:
    def grant(wish: str) -> object:
        leader = cluster.leader()
        follower = next(tag for tag in cluster.tags if tag != leader)
        killed = {"kill the leader": leader, "kill a follower": follower}[wish]
        cluster.kill(killed)
        return {"killed": killed}

    teller.tell(story, urls=cluster.urls, database=make_database(cluster.urls[0]), grant=grant)


def test_a_story_that_does_not_hold_fails_with_its_words(
    teller: Storyteller, node_url: str
) -> None:
    with pytest.raises(AssertionError, match="there is no story named 'nothing'"):
        teller.tell("nothing", urls=[node_url], database="none")


def test_versions_are_exact_and_no_registry_is_named() -> None:
    package = json.loads((SOURCE / "package.json").read_text(encoding="utf-8"))
    lock = (SOURCE / "package-lock.json").read_text(encoding="utf-8")
    for version in package["dependencies"].values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert "://" not in lock and '"resolved"' not in lock
    for name, installed in json.loads(lock)["packages"].items():
        assert not name or installed["integrity"].startswith("sha512-")
