"""A state of a gigabyte handed to a new node: `python -m scripts.bench.snapshot --gigabytes 1`.

Three nodes, as `quoth cluster start` starts them, are filled with documents that nothing can
compress, until their logs do not begin at the beginning any more. A fourth node is started and
added, while writers go on at the leader. Watched meanwhile: the memory of leader and receiver, what
the writers get acknowledged and how long that takes, and who leads. At the end all is stopped, and
every key and value of the new node is compared with the leader's. Exit code 1 if they differ, if
either side took 100 MB more than before, or if the writers waited for a second.

    python -m scripts.bench.snapshot --gigabytes 0.1        a look
    python -m scripts.bench.snapshot --gigabytes 1 --document-bytes 1000000

Listens on loopback, in a temporary folder that is removed afterwards; that takes some six times the
disk space of the state.
"""

import argparse
import asyncio
import base64
import hashlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from quoth_cluster import totals
from quoth_cluster.machine import DATABASE_MAP_BYTES
from quoth_cluster.store.environment import Environment
from scripts.bench.connection import Connection
from scripts.bench.process import Memory
from scripts.local_cluster import LocalCluster, free_ports, quoth, wait_for

MB, GB = 10**6, 10**9
NEW = "D"
# The state is the point here, not the log: all but a little of it is let go at once.
SETTINGS = "[raft]\nlog_keep_slots = 64\nlog_segment_bytes = 16777216\ncheckpoint_ms = 1000\n"
EXTRA_BYTES_MAX = 100 * MB
PAUSE_SECONDS_MAX = 1.0
FILLERS, WRITERS = 8, 8
SMALL_BYTES = 1_000
SAMPLE_SECONDS = 0.02
QUIET_SECONDS = 5.0  # of writing alone, before and after
READY_SECONDS_MAX = 600.0
STOP_SECONDS_MAX = 60.0


@dataclass(slots=True)
class Watched:
    """The memory of one process: what it was, and the most it came to since."""

    pid: int
    before: Memory
    most: Memory

    @classmethod
    def begin(cls, pid: int) -> "Watched":
        now = Memory.of(pid)
        return cls(pid, now, now)

    def look(self) -> None:
        self.most = self.most.peak(Memory.of(self.pid))

    @property
    def extra_bytes(self) -> int:
        return self.most.anonymous - self.before.anonymous


@dataclass(slots=True)
class Writers:
    """Small documents written one after the other, by several at once."""

    url: str
    is_over: bool = False  # each ends with its answer, so that nothing is under way afterwards
    answered: list[tuple[float, float]] = field(default_factory=list)  # when, and after how long
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def run(self) -> None:
        """Until it is over; a write that fails ends the measurement."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(WRITERS):
                tasks.create_task(self._write())

    async def _write(self) -> None:
        body = document(SMALL_BYTES)
        async with Connection(self.url) as connection:
            while not self.is_over:
                number, began = next(self._numbers), time.perf_counter()
                await connection.send("PUT", f"/databases/bench/docs?id=small/{number}", body)
                now = time.perf_counter()
                self.answered.append((now, now - began))

    def between(self, start: float, end: float) -> "Writing":
        """What was acknowledged from `start` to `end`."""
        found = [(at, took) for at, took in self.answered if start <= at <= end]
        ordered = sorted(took for _, took in found)
        times = [start, *(at for at, _ in found), end]
        gaps = ((later - earlier, earlier) for earlier, later in itertools.pairwise(times))
        pause, paused_at = max(gaps)
        return Writing(
            seconds=end - start,
            acknowledged=len(ordered),
            p50_ms=ordered[len(ordered) // 2] * 1e3,
            p99_ms=ordered[len(ordered) * 99 // 100] * 1e3,
            longest_ms=ordered[-1] * 1e3,
            pause_ms=pause * 1e3,
            paused_at_seconds=paused_at - start,
        )


@dataclass(frozen=True, slots=True)
class Writing:
    """How writing went for a while."""

    seconds: float
    acknowledged: int
    p50_ms: float
    p99_ms: float
    longest_ms: float
    pause_ms: float  # the longest without an acknowledgement
    paused_at_seconds: float


@dataclass(frozen=True, slots=True)
class State:
    """What a stopped node has on disk."""

    documents: int
    last_etag: int
    digest: str  # of every key and value

    @classmethod
    def of(cls, folder: Path) -> "State":
        (path,) = (folder / "state" / "databases").iterdir()
        environment = Environment.open(path, map_bytes=DATABASE_MAP_BYTES)
        digest = hashlib.blake2b(digest_size=16)
        with environment.read() as txn:
            for pair in txn.scan(b""):
                for part in pair:
                    digest.update(len(part).to_bytes(8, "big") + part)
            counted = totals.load(txn)
        environment.close()
        return cls(counted.documents, counted.last_etag, digest.hexdigest())


@dataclass(slots=True)
class Found:
    """All that was measured."""

    state_bytes: int = 0
    installed_seconds: float = 0.0
    ready_seconds: float = 0.0
    leader_stayed: bool = False
    memory: dict[str, Watched] = field(default_factory=dict)
    writing: dict[str, Writing] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)

    def complaints(self) -> list[str]:
        """What is not as it must be."""
        told = [
            f"the {who} took {watched.extra_bytes / MB:.0f} MB more"
            for who, watched in self.memory.items()
            if watched.extra_bytes > EXTRA_BYTES_MAX
        ]
        pause = self.writing["during"].pause_ms
        if pause > PAUSE_SECONDS_MAX * 1e3:
            told.append(f"nothing was acknowledged for {pause:,.0f} ms")
        if not self.leader_stayed:
            told.append("the leader lost its leadership")
        if self.states["leader"] != self.states["receiver"]:
            told.append("the new node has another state")
        return told


def document(size: int) -> bytes:
    """JSON of so many bytes that nothing can compress further than base64 allows."""
    text = base64.b64encode(os.urandom(size * 3 // 4 + 3)).decode()[: size - 50]
    return f'{{"data":"{text}","@metadata":{{"@collection":"Large"}}}}'.encode()


async def fill(url: str, *, size: int, document_bytes: int) -> None:
    """Documents until they come to `size` bytes."""
    numbers = iter(range(size // document_bytes))

    async def put() -> None:
        async with Connection(url) as connection:
            for number in numbers:
                target = f"/databases/bench/docs?id=large/{number}"
                await connection.send("PUT", target, document(document_bytes))

    async with Connection(url) as connection:
        await connection.send("PUT", "/admin/databases?name=bench", b'{"DatabaseName":"bench"}')
    async with asyncio.TaskGroup() as tasks:
        for _ in range(FILLERS):
            tasks.create_task(put())


@contextmanager
def new_node(cluster: LocalCluster, settings: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A node that waits to be added. What it says goes beside its folder."""
    arguments = quoth("node", "start", "--tag", NEW, "--port", cluster.url(NEW).rpartition(":")[2])
    arguments += ["--data", str(cluster.folder / NEW), "--config", str(settings)]
    arguments += ["--join", cluster.urls[0], "--wait-to-be-added"]
    with (cluster.folder / f"{NEW}.log").open("wb") as said:
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def status_of(connection: Connection) -> dict[str, Any]:
    status: dict[str, Any] = json.loads(await connection.send("GET", "/admin/cluster/log"))
    return status


async def add(leader_url: str, connection: Connection, url: str) -> None:
    """Make the new node a member."""
    info = json.loads(await connection.send("GET", "/admin/cluster/join-info"))
    target = f"/admin/cluster/node?tag={NEW}&url={url}&peer={info['PeerAddress']}"
    async with Connection(leader_url) as leader:
        await leader.send("PUT", target)


async def hand_over(cluster: LocalCluster, leader: str, pid: int, found: Found) -> None:
    """Add the new node while writers write, and watch until it has all they wrote."""
    memory = found.memory
    writers = Writers(cluster.url(leader))
    leader_url, url = cluster.url(leader), cluster.url(NEW)
    async with Connection(leader_url) as old, Connection(url) as new, asyncio.TaskGroup() as tasks:
        term = (await status_of(old))["Term"]
        writing = tasks.create_task(writers.run())
        began = time.perf_counter()
        await asyncio.sleep(QUIET_SECONDS)
        memory |= {"leader": Watched.begin(cluster.pid(leader)), "receiver": Watched.begin(pid)}
        added = time.perf_counter()
        adding = tasks.create_task(add(leader_url, new, url))
        installed = ready = 0.0
        while not ready:
            await asyncio.sleep(SAMPLE_SECONDS)
            now = time.perf_counter()
            if now - added > READY_SECONDS_MAX:
                raise TimeoutError(f"node {NEW} is no member after {READY_SECONDS_MAX:g} s")
            for watched in memory.values():
                watched.look()
            if not adding.done():
                continue
            status = await status_of(new)
            if not installed and status["AppliedIndex"] > 1:
                installed = now
            votes = {row["Tag"]: row["Vote"] for row in status["Members"]}
            if installed and votes.get(NEW) == "member":
                ready = now
        await asyncio.sleep(QUIET_SECONDS)
        end = time.perf_counter()
        writers.is_over = True
        await writing
        status = await status_of(old)
        found.leader_stayed = status["Term"] == term and status["Leader"] == leader
        # Another process has no event to wait for.
        while (await status_of(new))["AppliedIndex"] < status["LastLogIndex"]:  # noqa: ASYNC110
            await asyncio.sleep(SAMPLE_SECONDS)
    found.installed_seconds, found.ready_seconds = installed - added, ready - added
    found.writing["before"] = writers.between(began, added)
    found.writing["during"] = writers.between(added, ready)
    found.writing["after"] = writers.between(ready, end)


def measure(folder: Path, *, size: int, document_bytes: int) -> Found:
    """All of it, in `folder`."""
    found = Found()
    settings = folder / "settings.toml"
    settings.write_text(SETTINGS)
    port = free_ports(4)
    cluster = LocalCluster(folder / "cluster", port=port, options=("--config", str(settings)))
    with cluster:
        leader = cluster.leader()
        began = time.perf_counter()
        asyncio.run(fill(cluster.url(leader), size=size, document_bytes=document_bytes))
        say(f"filled with {size / GB:g} GB in {time.perf_counter() - began:.0f} s")
        wait_for(lambda: is_trimmed(cluster, leader) or None, 60.0, "the log was not trimmed")
        with new_node(cluster, settings) as process:
            wait_for(lambda: cluster.log_status(NEW), 30.0, f"node {NEW} does not answer")
            say(f"{leader} leads; {NEW} is added")
            asyncio.run(hand_over(cluster, leader, process.pid, found))
        say(f"{NEW} is a member; comparing the states")
    for who, tag in (("leader", leader), ("receiver", NEW)):
        found.states[who] = State.of(cluster.folder / tag)
    found.state_bytes = sum(
        path.stat().st_size for path in (cluster.folder / leader / "state").rglob("data.mdb")
    )
    return found


def is_trimmed(cluster: LocalCluster, tag: str) -> bool:
    """Whether the log of a node does not begin at the beginning any more."""
    names = [path.name for path in (cluster.folder / tag / "journal").iterdir()]
    return "0000000001.log" not in names


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def show(found: Found) -> None:
    """What was found, in tables."""
    console = Console(highlight=False, soft_wrap=True)
    rate = found.state_bytes / MB / found.installed_seconds
    console.print(
        f"a state of {found.state_bytes / GB:.2f} GB: installed {found.installed_seconds:.1f} s "
        f"after the node was added ({rate:.0f} MB/s), a member after {found.ready_seconds:.1f} s"
    )
    table = Table("MB", "RssAnon before", "most", "extra", "RSS before", "most")
    for who, watched in found.memory.items():
        before, most = watched.before, watched.most
        sizes = [before.anonymous, most.anonymous, watched.extra_bytes]
        sizes += [before.resident, most.resident]
        table.add_row(who, *(f"{size / MB:,.1f}" for size in sizes))
    console.print(table)
    names = ("number", "a second", "p50 ms", "p99 ms", "longest", "pause", "at")
    table = Table("writes", *names)
    for when, writing in found.writing.items():
        latencies = (writing.p50_ms, writing.p99_ms, writing.longest_ms, writing.pause_ms)
        speed = writing.acknowledged / writing.seconds
        counts = (f"{writing.acknowledged:,}", f"{speed:,.0f}")
        paused_at = f"{writing.paused_at_seconds:.1f} s"
        table.add_row(when, *counts, *(f"{latency:,.1f}" for latency in latencies), paused_at)
    console.print(table)
    for who, state in found.states.items():
        console.print(f"{who}: {state.documents:,} documents, digest {state.digest}")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=1.0, help="of documents")
    parser.add_argument("--document-bytes", type=int, default=64_000, help="of each document")
    parser.add_argument("--folder", type=Path, help="where to work, instead of the system's")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main() -> int:
    """Run, and print tables, or JSON with --json; 1 if something is not as it must be."""
    wanted = options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    size = int(wanted.gigabytes * GB)
    try:
        with TemporaryDirectory(prefix="quoth-snapshot-", dir=wanted.folder) as folder:
            found = measure(Path(folder), size=size, document_bytes=wanted.document_bytes)
    except KeyboardInterrupt:
        say("stopped")
        return 1
    if wanted.json:
        print(json.dumps(asdict(found), indent=2))
    else:
        show(found)
    for complaint in found.complaints():
        say(f"not as it must be: {complaint}")
    return 1 if found.complaints() else 0


if __name__ == "__main__":
    sys.exit(main())
