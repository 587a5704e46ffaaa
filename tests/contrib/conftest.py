"""The shop, on SQLite and on PostgreSQL, with a node of quoth beside it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import django
import pytest
from django.core.management import call_command
from django.db import connections

from quoth import CreateDatabaseOperation, DatabaseRecord, DocumentStore
from scripts import postgresql
from scripts.local_cluster import LocalCluster

ROOT = Path(__file__).parents[2]
_series = count(1)


@dataclass(frozen=True)
class Shop:
    """What the project is started with, here and in other processes."""

    environment: dict[str, str]
    databases: tuple[str, ...]

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """A process of the shop."""
        return subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **self.environment, **environment},
        )

    def run(self, *arguments: str, **environment: str) -> str:
        """What a process of the shop prints; it must end well."""
        process = self.start(*arguments, **environment)
        printed, _ = process.communicate(timeout=60)
        assert process.returncode == 0, printed
        return printed


@pytest.fixture(scope="session")
def shop_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """A cluster of one node, with the database of the shop."""
    with LocalCluster(tmp_path_factory.mktemp("node") / "cluster", nodes=1) as running:
        with DocumentStore(running.urls) as store:
            store.maintenance.server.send(CreateDatabaseOperation(DatabaseRecord("shop")))
        yield running


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, shop_node: LocalCluster) -> Iterator[Shop]:
    """The project, set up in this process, with its tables."""
    with ExitStack() as stack:
        databases: dict[str, dict[str, Any]] = {
            "sqlite": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(tmp_path_factory.mktemp("shop") / "shop.sqlite3"),
                "OPTIONS": {"timeout": 30},
            }
        }
        if postgresql.missing() is None:
            databases["postgresql"] = stack.enter_context(postgresql.running())
        environment = {
            "DJANGO_SETTINGS_MODULE": "tests.contrib.shop.settings",
            "SHOP_DATABASES": json.dumps(databases),
            "SHOP_QUOTH": shop_node.urls[0],
        }
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in environment.items():
            patch.setenv(name, value)
        django.setup()
        stack.callback(connections.close_all)
        for alias in databases:
            call_command("migrate", database=alias, run_syncdb=True, verbosity=0)
        yield Shop(environment, tuple(databases))


@pytest.fixture(params=["sqlite", "postgresql"])
def using(request: pytest.FixtureRequest, shop: Shop) -> Iterator[str]:
    """The alias of a database of the shop."""
    alias = str(request.param)
    if alias not in shop.databases:
        pytest.skip(str(postgresql.missing()))
    yield alias
    connections[alias].close()


@pytest.fixture
def series() -> str:
    """A sequence never used before."""
    return f"series {next(_series)}"
