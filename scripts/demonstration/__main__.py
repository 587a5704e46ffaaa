"""Start a cluster, run every scenario with both clients, kill the leader, tell what held."""

import os
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from scripts.demonstration.report import Report
from scripts.local_cluster import LocalCluster


def main() -> int:
    """The exit code: 0 if every promise held."""
    # A stop from outside ends like Ctrl-C: the cluster is stopped and the folder removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    width = None if sys.stdout.isatty() else 110
    report = Report(Console(highlight=False, soft_wrap=True, width=width))
    try:
        with TemporaryDirectory(prefix="quoth-demo-") as folder:
            _demonstrate(report, Path(folder))
        return report.finish()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 1


def _demonstrate(report: Report, folder: Path) -> None:
    # The official client keeps what it knows of clusters in the user's cache folder.
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    # Only now, so that they see it.
    from scripts.demonstration import beyond, failover, official, ours

    cluster = LocalCluster(folder / "cluster", options=("--restart",))
    report.part("cluster", "three nodes on this machine, each a process of its own")
    report.say(f"quoth {' '.join(cluster.command[3:])}")
    try:
        with report.step("a leader is elected and every node answers") as step:
            cluster.start()
            step.detail = " ".join(cluster.urls)
        if cluster.urls:
            official.run(report, cluster.urls, "official")
            ours.run(report, cluster.urls, "ours")
            beyond.run(report, cluster.urls, "ours")
            failover.run(report, cluster, "ours")
    finally:
        code = cluster.stop()
    report.part("end", "the cluster is stopped")
    with report.step("SIGTERM stops every node, exit code 0"):
        if code != 0:
            raise RuntimeError(f"exit code {code}: {cluster.errors}")


if __name__ == "__main__":
    sys.exit(main())
