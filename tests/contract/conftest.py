"""A real node for the tests that speak the protocol, started once."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
import ravendb
import requests

from scripts.local_cluster import LocalCluster
from tests.contract.nodejs_process import Storyteller, storyteller

numbers = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One process tells all stories of Node.js: two would install its client into one folder."""
    for item in items:
        if "nodejs" in item.nodeid or "teller" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("nodejs"))


@pytest.fixture(scope="session", autouse=True)
def isolated_client_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The official client remembers topologies in the user's cache folder; not those of tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("client-cache")))
        assert "XDG_CACHE_HOME" in os.environ
        yield


@pytest.fixture(scope="session")
def node_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster of one node."""
    with LocalCluster(tmp_path_factory.mktemp("one") / "cluster", nodes=1) as running:
        yield running.urls[0]


@pytest.fixture(scope="session")
def teller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storyteller]:
    """The official Node.js client, which tells the stories of `nodejs/`."""
    with storyteller(tmp_path_factory.mktemp("nodejs") / "printed") as running:
        yield running


@pytest.fixture
def database(node_url: str) -> Iterator[str]:
    """A new database on the node of `node_url`."""
    with a_database(node_url) as name:
        yield name


@pytest.fixture
def cluster_database(shared_cluster: LocalCluster) -> Iterator[str]:
    """A new database on the three nodes."""
    with a_database(shared_cluster.urls[0]) as name:
        yield name


@pytest.fixture(params=["one node", "three nodes"])
def store(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A store of the official client, with a new database."""
    if request.param == "one node":
        urls = [request.getfixturevalue("node_url")]
    else:
        running: LocalCluster = request.getfixturevalue("shared_cluster")
        urls = running.urls
    with a_database(urls[0]) as name, ravendb.DocumentStore(urls, name) as opened:
        opened.initialize()
        yield opened


@contextmanager
def a_database(url: str) -> Iterator[str]:
    """A new database, which goes with its test: a cluster holds only so many."""
    name = make_database(url)
    yield name
    # A test may have deleted it, or left its cluster without a majority.
    delete = {"DatabaseNames": [name], "HardDelete": True}
    requests.delete(f"{url}/admin/databases", json=delete, timeout=30)


def make_database(url: str) -> str:
    """Create a database with a name never used before."""
    name = f"db{next(numbers)}"
    answer = requests.put(
        f"{url}/admin/databases", params={"name": name}, json={"DatabaseName": name}, timeout=30
    )
    assert answer.status_code == 201, answer.text
    return name
