"""The pytest plugin in a project that knows nothing of this one but what is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT_SECONDS_MAX = 300.0

GOOD = """
import asyncio
from dataclasses import dataclass

import pytest

from quoth import AsyncDocumentStore, CreateDatabaseOperation, DocumentStore


@dataclass
class Order:
    number: int


def test_an_order_is_kept(quoth_server):
    with DocumentStore([quoth_server.url], "shop") as store:
        store.maintenance.server.send(CreateDatabaseOperation("shop"))
        with store.open_session() as session:
            session.store(Order(1), "orders/1")
            session.save_changes()
        quoth_server.restart()
        with store.open_session() as session:
            assert session.load("orders/1", Order) == Order(1)


@pytest.mark.asyncio
async def test_orders_survive_the_leader(quoth_cluster):
    cluster = await asyncio.to_thread(quoth_cluster, 3)
    async with AsyncDocumentStore(cluster.urls, "shop") as store:
        await store.maintenance.server.send(CreateDatabaseOperation("shop"))
        async with store.open_session() as session:
            await session.store(Order(2), "orders/2")
            await session.save_changes()
        leader, term = await asyncio.to_thread(cluster.leader), cluster.term()
        await asyncio.to_thread(cluster.isolate, leader)
        await asyncio.to_thread(cluster.leader, after_term=term)
        await asyncio.to_thread(cluster.heal)
        await asyncio.to_thread(cluster.power_loss)
        await asyncio.to_thread(cluster.restart)
        async with store.open_session() as session:
            assert await session.load("orders/2", Order) == Order(2)
"""

BAD = """
import os
import signal


def test_fails(quoth_server):
    assert quoth_server.url == "no url"


def test_a_node_dies(quoth_server):
    os.kill(quoth_server.cluster.pid("A"), signal.SIGKILL)
    while not quoth_server.cluster.deaths:
        pass
"""

WITHOUT = """
import sys

def test_nothing_was_loaded():
    loaded = {name.split(".")[0] for name in sys.modules}
    assert not {"aiohttp", "lmdb", "typer", "quoth", "quoth_cluster"} & loaded
    assert "quoth_node.testing.cluster" not in sys.modules


def test_it_needs_the_server(monkeypatch, request):
    from quoth_node.testing import server

    monkeypatch.setattr(server, "NEEDED", ("json", "no_such_database"))
    request.getfixturevalue("quoth_server")
"""


def run(folder: Path, test: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a project of one file in `folder`."""
    (folder / "test_it.py").write_text(test, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, "test_it.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PROJECT_SECONDS_MAX,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a project of its own."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return folder


def test_applications_are_tested_with_nodes(project: Path) -> None:
    finished = run(project, GOOD, "--basetemp", str(project / "temp"))
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "2 passed" in finished.stdout
    assert list((project / "temp").glob("quoth*/*")) == [], "folders of nodes are taken away"


def test_a_failure_shows_what_nodes_said(project: Path) -> None:
    finished = run(project, BAD, "--basetemp", str(project / "temp"), "--quoth-keep")
    assert finished.returncode == 1
    assert "1 failed, 1 passed, 1 error" in finished.stdout
    assert "node A said in" in finished.stdout and "node A is ready at" in finished.stdout
    assert "node A ended with exit code -9 (SIGKILL)" in finished.stdout
    assert len(list((project / "temp").glob("quoth*/cluster/A/node.json"))) >= 1


def test_it_costs_nothing_and_says_what_is_missing(project: Path) -> None:
    finished = run(project, WITHOUT, "-p", "no:pytest_asyncio")
    assert "1 failed, 1 passed" in finished.stdout, finished.stdout
    assert "pip install 'quoth[server]'" in finished.stdout
