"""What a node holds in memory after a million commands: `python -m scripts.bench.memory`.

Three nodes, as `quoth cluster start` starts them: real journals, the real state. Every command is a
request of its own with an id of its own, and stores one small document; the ids of the documents
come back, so the state does not grow and what grows is a leak. Listens on loopback, in a temporary
folder that is removed afterwards.

    python -m scripts.bench.memory                      a million; some ten minutes
    python -m scripts.bench.memory --commands 100000    a look
    python -m scripts.bench.memory --one-down           a follower is killed at the first sample
                                                        and comes back at the end
    python -m scripts.bench.memory --connections 2      few commands an entry, so that more entries
                                                        come to the same number; slow

RssAnon is what counts: RSS has the pages of LMDB's map in it.
"""

import argparse
import asyncio
import itertools
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from scripts.bench.connection import Connection
from scripts.bench.process import Memory
from scripts.local_cluster import LocalCluster, quoth, wait_for

MB = 1_000_000
DOCUMENTS = 10_000
BODY = b'{"name":"' + b"x" * 80 + b'","@metadata":{"@collection":"Small"}}'
CATCH_UP_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One node after so many commands."""

    commands: int
    seconds: float
    tag: str
    resident_bytes: int
    anonymous_bytes: int
    journal_bytes: int


class Load:
    """Commands on their way, and what the nodes come to meanwhile."""

    def __init__(self, cluster: LocalCluster, *, commands: int, every: int, on_first: str) -> None:
        self.cluster = cluster
        self.samples: list[Sample] = []
        self._numbers = iter(range(1, commands + 1))
        self._every = every
        self._down = on_first  # the tag of a node to kill at the first sample, or nothing
        self._killed = ""
        self._began = time.perf_counter()
        self._done = 0

    async def run(self, connections: int) -> None:
        """All commands, over so many connections to all nodes that stay."""
        urls = [self.cluster.url(tag) for tag in self.cluster.tags if tag != self._down]
        self.sample()
        async with asyncio.TaskGroup() as tasks:
            for url in itertools.islice(itertools.cycle(urls), connections):
                tasks.create_task(self._write(url))

    async def _write(self, url: str) -> None:
        async with Connection(url) as connection:
            for number in self._numbers:
                target = f"id=small/{number % DOCUMENTS}&raft-request-id=bench-{number}"
                await connection.send("PUT", f"/databases/bench/docs?{target}", BODY)
                self._done += 1
                if self._done % self._every == 0:
                    self.sample()

    def sample(self) -> None:
        """Look at every node that lives."""
        seconds = time.perf_counter() - self._began
        for tag in self.cluster.tags:
            if tag == self._killed:
                continue
            memory = Memory.of(self.cluster.pid(tag))
            size = size_of(self.cluster.folder / tag / "journal")
            figures = (memory.resident, memory.anonymous, size)
            self.samples.append(Sample(self._done, seconds, tag, *figures))
        speed = f"{self._done / seconds:,.0f}/s" if self._done else "begins"
        print(f"{self._done:,} commands, {speed}", file=sys.stderr)
        if self._down and not self._killed and self._done:
            self.cluster.kill(self._down)
            self._killed = self._down


def size_of(folder: Path) -> int:
    """What the files of a folder come to; one may go meanwhile."""
    sizes = 0
    for path in folder.iterdir():
        try:
            sizes += path.stat().st_size
        except FileNotFoundError:
            continue
    return sizes


async def create_database(url: str) -> None:
    async with Connection(url) as connection:
        await connection.send("PUT", "/admin/databases?name=bench", b'{"DatabaseName":"bench"}')


@contextmanager
def node_again(cluster: LocalCluster, tag: str) -> Iterator[subprocess.Popen[bytes]]:
    """A killed node, started by itself."""
    port = cluster.url(tag).rpartition(":")[2]
    arguments = quoth("node", "start", "--tag", tag, "--port", port)
    process = subprocess.Popen(
        [*arguments, "--data", str(cluster.folder / tag)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(STOP_SECONDS_MAX)


def catch_up(cluster: LocalCluster, tag: str) -> float:
    """Start a killed node again; the seconds until it has all that the leader had then."""
    leader = cluster.log_status(next(other for other in cluster.tags if other != tag))
    assert leader is not None, "the others live"
    began = time.perf_counter()
    with node_again(cluster, tag):
        wait_for(
            lambda: has_applied(cluster, tag, leader["AppliedIndex"]) or None,
            CATCH_UP_SECONDS_MAX,
            f"node {tag} did not catch up",
        )
        return time.perf_counter() - began


def has_applied(cluster: LocalCluster, tag: str, log_index: int) -> bool:
    status = cluster.log_status(tag)
    return status is not None and status["AppliedIndex"] >= log_index


def show(samples: Sequence[Sample]) -> None:
    """A row for each sample, in it all nodes."""
    tags = sorted({sample.tag for sample in samples})
    table = Table("commands", *(f"{tag} {what}" for tag in tags for what in ("RSS", "anon")))
    table.add_column("journal", justify="right")
    for commands, group in itertools.groupby(samples, lambda sample: sample.commands):
        found = {sample.tag: sample for sample in group}
        figures = list[str]()
        for tag in tags:
            sample = found.get(tag)
            figures += ["", ""] if sample is None else in_mb(sample)
        journal = max(sample.journal_bytes for sample in found.values())
        table.add_row(f"{commands:,}", *figures, f"{journal / MB:.0f}")
    Console(soft_wrap=True).print("MB of each node: RSS, RssAnon, and the largest journal", table)


def in_mb(sample: Sample) -> list[str]:
    return [f"{size / MB:.1f}" for size in (sample.resident_bytes, sample.anonymous_bytes)]


def growth(samples: Sequence[Sample], tag: str) -> str:
    """From the first fifth of the commands to the end, in words."""
    own = [sample for sample in samples if sample.tag == tag]
    first = next(one for one in own if one.commands >= own[-1].commands / 5)
    grown = own[-1].anonymous_bytes - first.anonymous_bytes
    between = f"from {first.commands:,} to {own[-1].commands:,} commands"
    per_command = grown / max(1, own[-1].commands - first.commands)
    return f"{tag}: RssAnon {grown / MB:+.1f} MB {between}, {per_command:+.2f} bytes a command"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--commands", type=int, default=1_000_000)
    parser.add_argument("--every", type=int, default=50_000, help="commands between two samples")
    parser.add_argument("--connections", type=int, default=256)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--one-down", action="store_true", help="without one follower")
    parser.add_argument("--config", type=Path, help="settings of the nodes, TOML")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main() -> int:
    """Run, and print a table, or JSON with --json."""
    wanted = options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = () if wanted.config is None else ("--config", str(wanted.config.absolute()))
    try:
        with (
            TemporaryDirectory(prefix="quoth-memory-") as folder,
            LocalCluster(
                Path(folder) / "cluster", nodes=wanted.nodes, options=settings
            ) as cluster,
        ):
            asyncio.run(create_database(cluster.urls[0]))
            leader = cluster.leader()
            down = next(tag for tag in cluster.tags if tag != leader) if wanted.one_down else ""
            load = Load(
                cluster, commands=wanted.commands, every=wanted.every, on_first=down
            )
            asyncio.run(load.run(wanted.connections))
            back_seconds = catch_up(cluster, down) if down else None
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 1
    if wanted.json:
        found = {"leader": leader, "samples": [asdict(sample) for sample in load.samples]}
        print(json.dumps(found | {"catch_up_seconds": back_seconds}, indent=2))
        return 0
    show(load.samples)
    print(f"the leader was {leader}")
    for tag in cluster.tags:
        if tag != down:
            print(growth(load.samples, tag))
    if back_seconds is not None:
        print(f"node {down}, down meanwhile, had all of it {back_seconds:.1f} s after its start")
    return 0


if __name__ == "__main__":
    sys.exit(main())
