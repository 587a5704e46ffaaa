"""The pytest plugin: nodes for tests of applications, in any project that has `quoth[server]`.

    def test_an_order_is_kept(quoth_server):               # one node
        store = DocumentStore([quoth_server.url], "shop")

    def test_orders_survive_a_leader(quoth_cluster):
        cluster = quoth_cluster(3)                         # a `Cluster`, running
        cluster.kill(cluster.leader())

Both are of one test, and end with it. A node that ended though nobody ended it is an error of the
test. When a test fails, the last words of its nodes are part of the report; `--quoth-keep` leaves
their folders. Clusters block: in an async test, `await asyncio.to_thread(cluster.restart)`.

pytest loads this file in every project, so it imports next to nothing.
"""

import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from quoth_node.testing.cluster import Cluster

TAIL_LINES = 40
TAIL_BYTES_MAX = 64 * 1_024
USED = pytest.StashKey[list["Cluster"]]()  # by a test
FAILED = pytest.StashKey[bool]()


class Server:
    """One node, a cluster of one."""

    def __init__(self, cluster: "Cluster") -> None:
        self.cluster = cluster

    @property
    def url(self) -> str:
        """Where it answers."""
        return self.cluster.url("A")

    def restart(self) -> None:
        """Kill it, and start it again: what it acknowledged is there."""
        self.cluster.kill("A")
        self.cluster.restart()


def pytest_addoption(parser: pytest.Parser) -> None:
    """See --help."""
    group = parser.getgroup("quoth", "nodes of quoth")
    group.addoption(
        "--quoth-keep", action="store_true", help="Keep the folders of nodes when a test failed."
    )
    group.addoption(
        "--quoth-network",
        default="proxies",
        metavar="NAME",
        help="What lies between nodes: proxies (default), namespaces, auto or none.",
    )


@pytest.fixture
def quoth_cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., "Cluster"]]:
    """`quoth_cluster(3)` is a running `quoth_node.testing.Cluster` of three nodes.

    Takes what `Cluster` takes, but for the folder. May be called more than once. Its nodes can lose
    power, which makes single saves some 20 % slower; `power=False` does without.
    """
    node = request.node
    used = node.stash.setdefault(USED, [])
    folders: list[Path] = []

    def start(nodes: int = 3, **options: Any) -> "Cluster":
        from quoth_node.testing.cluster import Cluster
        from quoth_node.testing.server import ServerMissing

        options.setdefault("network", request.config.getoption("--quoth-network"))
        options.setdefault("power", True)
        folders.append(tmp_path_factory.mktemp("quoth"))
        cluster = Cluster(folders[-1] / "cluster", nodes=nodes, **options)
        used.append(cluster)
        try:
            return cluster.start()
        except ServerMissing as error:
            pytest.fail(str(error), pytrace=False)

    yield start
    for cluster in used:
        cluster.stop()
    if not (node.stash.get(FAILED, False) and request.config.getoption("--quoth-keep")):
        for folder in folders:
            shutil.rmtree(folder)
    deaths = [told for cluster in used for told in cluster.deaths]
    if deaths:
        pytest.fail("\n".join(deaths), pytrace=False)


@pytest.fixture
def quoth_server(quoth_cluster: Callable[..., "Cluster"]) -> Server:
    """One node: `quoth_server.url`."""
    return Server(quoth_cluster(1, network="none", power=False))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what the nodes of a failed test said last."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
        for cluster in item.stash.get(USED, []):
            for path in sorted(cluster.folder.glob("*/node.log")):
                report.sections.append((f"node {path.parent.name} said in {path}", _tail(path)))
    return report


def _tail(path: Path) -> str:
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - TAIL_BYTES_MAX))
        lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-TAIL_LINES:])
