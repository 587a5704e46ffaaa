"""What every test may use: clusters of real processes, started by the real command line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local_cluster import LocalCluster


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    """Three nodes of the test's own, running."""
    with LocalCluster(tmp_path / "cluster") as running:
        yield running


@pytest.fixture(scope="session")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """Three nodes that many tests use; each test makes a database of its own and kills nobody."""
    with LocalCluster(tmp_path_factory.mktemp("shared") / "cluster") as running:
        yield running
