"""How fast documents go in: `python -m scripts.bench.bulk_insert`.

Clusters of one node and of three, in processes of their own, on loopback, journals on disk. The
client sends a body that was made before, as fast as the server takes it. Meanwhile another one asks
for something small again and again: the slowest answer says how long the event loop stood still.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from scripts.local_cluster import LocalCluster

PIECE_BYTES = 65_536
ANSWER_SECONDS_MAX = 120.0
DATABASE = "bench"


@dataclass(frozen=True)
class Round:
    """What one body came to; the median round of several."""

    nodes: int
    sent_to: str
    compressed: bool
    documents_per_second: float
    megabytes_per_second: float  # of JSON
    cpu_micros_per_document: float  # of all nodes together
    slowest_other_ms: float


def body_of(documents: int, *, prefix: str, size: int) -> list[bytes]:
    """A body in pieces, of documents whose JSON takes about `size` bytes each."""
    head = '{"Id":"%s/%d","Type":"PUT","Document":{"name":"%s","age":%d,'
    metadata = '"@metadata":{"@collection":"Users","Raven-Python-Type":"app.User"}}}'
    text = "x" * max(size - 100, 1)
    commands = (head % (prefix, n, text, n) + metadata for n in range(documents))
    whole = f"[{','.join(commands)}]".encode()
    return [whole[at : at + PIECE_BYTES] for at in range(0, len(whole), PIECE_BYTES)]


def compressed(pieces: list[bytes]) -> list[bytes]:
    """The pieces as one gzip stream."""
    deflate = zlib.compressobj(zlib.Z_BEST_SPEED, wbits=zlib.MAX_WBITS | 16)
    return [part for piece in pieces if (part := deflate.compress(piece))] + [deflate.flush()]


def connect(url: str) -> HTTPConnection:
    return HTTPConnection(urlsplit(url).netloc, timeout=ANSWER_SECONDS_MAX)


def ask(connection: HTTPConnection, method: str, path: str, body: str | None = None) -> bytes:
    """An answer that must be a good one."""
    connection.request(method, path, body=body)
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status < 300, content
    return content


def cpu_seconds(cluster: LocalCluster) -> float:
    """What all nodes have spent so far, by the system's own count."""
    ticks = 0
    for tag in cluster.tags:
        fields = Path(f"/proc/{cluster.pid(tag)}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # user and system time
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def pinging(url: str) -> Iterator[list[float]]:
    """The seconds that small requests take meanwhile."""
    took, ended = list[float](), Event()

    def ping() -> None:
        connection = connect(url)
        while not ended.wait(0.002):
            asked = time.perf_counter()
            ask(connection, "GET", "/build/version")
            took.append(time.perf_counter() - asked)

    pinger = Thread(target=ping)
    pinger.start()
    try:
        yield took
    finally:
        ended.set()
        pinger.join()


def measure(
    cluster: LocalCluster, tag: str, pieces: list[bytes], documents: int, *, gzip: bool
) -> Round:
    """Send one body, and take the time until the answer."""
    url = cluster.url(tag)
    connection = connect(url)
    operations = f"/databases/{DATABASE}/operations"
    operation = json.loads(ask(connection, "GET", f"{operations}/next-operation-id"))["Id"]
    sent = compressed(pieces) if gzip else pieces
    headers = {"Content-Encoding": "gzip"} if gzip else {}
    spent = cpu_seconds(cluster)
    with pinging(url) as others:
        began = time.perf_counter()
        path = f"/databases/{DATABASE}/bulk_insert?id={operation}"
        connection.request("POST", path, iter(sent), headers, encode_chunked=True)
        answer = connection.getresponse()
        took = time.perf_counter() - began
    assert answer.status == 201, answer.read()
    answer.read()
    state = json.loads(ask(connection, "GET", f"{operations}/state?id={operation}"))
    assert state["Result"]["DocumentsProcessed"] == documents, state
    return Round(
        cluster.nodes,
        "leader" if tag == cluster.leader() else "follower",
        gzip,
        documents / took,
        sum(map(len, pieces)) / took / 1e6,
        (cpu_seconds(cluster) - spent) / documents * 1e6,
        max(others, default=0.0) * 1e3,
    )


def run(nodes: int, *, documents: int, rounds: int, size: int) -> list[Round]:
    """The rows of a cluster of `nodes`."""
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(Path(folder) / "c", nodes=nodes) as cluster,
    ):
        record = json.dumps({"DatabaseName": DATABASE})
        ask(connect(cluster.urls[0]), "PUT", f"/admin/databases?name={DATABASE}", record)
        leader = cluster.leader()
        follower = next((tag for tag in cluster.tags if tag != leader), None)
        ways = [(leader, False), (leader, True)] + ([(follower, False)] if follower else [])
        for number, (tag, gzip) in enumerate(ways):
            several = []
            for attempt in range(rounds):
                pieces = body_of(documents, prefix=f"r{number}-{attempt}", size=size)
                several.append(measure(cluster, tag, pieces, documents, gzip=gzip))
            middle = statistics.median_low([one.documents_per_second for one in several])
            rows.append(next(one for one in several if one.documents_per_second == middle))
    return rows


def main() -> None:
    """Run, and print a table, or JSON with --json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds per row; the median is shown")
    parser.add_argument("--documents", type=int, default=50_000, help="of each round")
    parser.add_argument("--size", type=int, default=200, help="bytes of JSON of a document")
    parser.add_argument("--nodes", type=int, nargs="*", default=[1, 3])
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows = [
        row
        for nodes in asked.nodes
        for row in run(nodes, documents=asked.documents, rounds=asked.rounds, size=asked.size)
    ]
    if asked.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    table = Table(
        "nodes", "sent to", "gzip", "documents/s", "MB/s", "CPU us/document", "slowest other ms"
    )
    for row in rows:
        table.add_row(
            str(row.nodes),
            row.sent_to,
            "yes" if row.compressed else "no",
            f"{row.documents_per_second:,.0f}",
            f"{row.megabytes_per_second:.1f}",
            f"{row.cpu_micros_per_document:.0f}",
            f"{row.slowest_other_ms:.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
