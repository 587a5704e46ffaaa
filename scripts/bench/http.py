"""How fast nodes answer: `python -m scripts.bench.http`.

One node and three nodes, real processes on loopback, 1, 16 and 64 connections spread over all nodes
as the official Python client spreads its requests. The load comes from one more process of the same
machine, so what it takes is part of the figures. Every row is the median of several rounds. The
last column is what all nodes together use of a processor for one request, by the kernel's count,
which does not depend on what else the machine does.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import orjson
import uvloop
from rich.console import Console
from rich.table import Table

from scripts.bench.load import Asked, Measured, ask, measure
from scripts.bench.process import processor_seconds
from scripts.local_cluster import LocalCluster

DATABASE = "bench"
DOCUMENTS = 1_000  # that loads ask for
CONNECTIONS = (1, 16, 64)
DOCUMENT = {"name": "a user of the bench", "age": 42, "tags": ["one", "two"], "text": "x" * 100}
METADATA = {"@collection": "Users"}
PATH = f"/databases/{DATABASE}"
Row = dict[str, object]


def put(run: str, query: str = "") -> Callable[[int], Asked]:
    """A save of one new document, as clients send it."""

    def make(number: int) -> Asked:
        document = {**DOCUMENT, "@metadata": METADATA}
        command = {"Id": f"users/{run}/{number}", "ChangeVector": None, "Document": document}
        body = orjson.dumps({"Commands": [{**command, "Type": "PUT"}]})
        return ask("POST", f"{PATH}/bulk_docs{query}", body, status=201)

    return make


def load(_: str) -> Callable[[int], Asked]:
    """A load of one of the stored documents."""
    return lambda number: ask("GET", f"{PATH}/docs?id=known/{number % DOCUMENTS}", status=200)


def create_in_cluster(run: str) -> Callable[[int], Asked]:
    """A cluster transaction that creates one compare-exchange value."""

    def make(number: int) -> Asked:
        command = {"Id": f"cx/{run}/{number}", "Document": {"Object": number}, "Index": 0}
        commands = [{**command, "Type": "CompareExchangePUT"}]
        body = orjson.dumps({"Commands": commands, "TransactionMode": "ClusterWide"})
        return ask("POST", f"{PATH}/bulk_docs", body, status=201)

    return make


def put_compare_exchange(run: str) -> Callable[[int], Asked]:
    """A compare-exchange value by itself."""

    def make(number: int) -> Asked:
        target = f"{PATH}/cmpxchg?key=put/{run}/{number}&index=0"
        return ask("PUT", target, b'{"Object":1}', status=200)

    return make


def next_identity(_: str) -> Callable[[int], Asked]:
    """The next number of one series."""
    asked = ask("POST", f"{PATH}/identity/next?name=users", status=200)
    return lambda number: asked


def put_majority(run: str) -> Callable[[int], Asked]:
    """A save that waits until a majority has applied it."""
    return put(run, "?waitForReplicasTimeout=00:00:15&numberOfReplicasToWaitFor=majority")


WORK = {
    "put": put,
    "put, majority": put_majority,
    "load": load,
    "cluster-wide create": create_in_cluster,
    "PUT /cmpxchg": put_compare_exchange,
    "identity/next": next_identity,
}


def prepare(url: str) -> None:
    """A database with documents to load."""
    _send(url, "PUT", f"/admin/databases?name={DATABASE}", {"DatabaseName": DATABASE})
    document = {**DOCUMENT, "@metadata": METADATA}
    commands = [
        {"Id": f"known/{at}", "ChangeVector": None, "Document": document, "Type": "PUT"}
        for at in range(DOCUMENTS)
    ]
    _send(url, "POST", f"{PATH}/bulk_docs", {"Commands": commands})


def _send(url: str, method: str, target: str, body: object) -> None:
    with urlopen(Request(url + target, method=method, data=orjson.dumps(body))) as answer:
        assert answer.status == 201, answer.status


def rows(cluster: LocalCluster, wanted: argparse.Namespace) -> Iterator[Row]:
    """Measure what is wanted, a row for each kind of work and number of connections."""
    urls, pids = cluster.urls, [cluster.pid(tag) for tag in cluster.tags]
    for name in wanted.work or WORK:
        for connections in wanted.connections or CONNECTIONS:
            rounds: list[Measured] = []
            used = -processor_seconds(pids)
            for number in range(wanted.rounds):
                run = f"{time.time_ns()}-{number}"
                work = measure(
                    urls, WORK[name](run), connections=connections, seconds=wanted.seconds
                )
                rounds.append(uvloop.run(work))
            used += processor_seconds(pids)
            middle = statistics.median_low([one.per_second for one in rounds])
            found = next(one for one in rounds if one.per_second == middle)
            print(f"{len(urls)} nodes, {name}, {connections}: {middle:,.0f}/s", file=sys.stderr)
            yield {
                "nodes": len(urls),
                "work": name,
                "connections": connections,
                "per_second": round(found.per_second, 1),
                "p50_ms": round(found.p50_ms, 2),
                "p99_ms": round(found.p99_ms, 2),
                "processor_us": round(used / sum(one.count for one in rounds) * 1e6, 1),
            }


def main() -> None:
    """Run, and print a table, or JSON with --json."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bench.http", description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="*", default=[1, 3], help="sizes of clusters")
    parser.add_argument("--work", nargs="*", choices=sorted(WORK), help="only these kinds")
    parser.add_argument("--connections", type=int, nargs="*", help="at once; 1 16 64 if left out")
    parser.add_argument("--rounds", type=int, default=3, help="rounds per row; the median is shown")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round")
    parser.add_argument("--json", action="store_true", help="one JSON array instead of a table")
    wanted = parser.parse_args()
    measured: list[Row] = []
    for nodes in wanted.nodes:
        with tempfile.TemporaryDirectory() as folder:
            with LocalCluster(Path(folder) / "cluster", nodes=nodes) as cluster:
                prepare(cluster.urls[0])
                measured += rows(cluster, wanted)
    if wanted.json:
        print(json.dumps(measured, indent=2))
        return
    table = Table("nodes", "work", "connections", "per second", "p50 ms", "p99 ms", "cpu us")
    for row in measured:
        cells = row.values()
        table.add_row(*(f"{cell:,}" if isinstance(cell, float) else str(cell) for cell in cells))
    Console().print(table)


if __name__ == "__main__":
    main()
