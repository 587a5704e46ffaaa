"""How fast documents are indexed and queries answered: `python -m scripts.bench.indexing`.

One node, a real process on loopback, with 100,000 small documents. An index is defined, and the
time until it has read them all is taken. Then an automatic index answers queries by one field, on 1
and on 16 connections, with parameters that differ each time; and single documents are saved while
an index is built, to see what building costs those who write. Figures are medians of rounds.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import orjson
import uvloop
from rich.console import Console
from rich.table import Table

from scripts.bench.http import put
from scripts.bench.load import Asked, Measured, ask, measure
from scripts.bench.process import Memory, family, processor_seconds
from scripts.local_cluster import LocalCluster

DATABASE = "bench"
PATH = f"/databases/{DATABASE}"
DOCUMENTS = 100_000
BATCH = 2_000
CITIES = 500
KEPT = 8  # indexes, to see what one takes in memory
PATIENCE_SECONDS = 300.0
MAP = "from u in docs.Users select new { u.name, u.age }"
COUNTS = "from u in docs.Users select new { u.city, Count = 1, Age = u.age }"
REDUCE = (
    "from r in results group r by r.city into g "
    "select new { city = g.Key, Count = g.Sum(x => x.Count), Age = g.Sum(x => x.Age) }"
)


@dataclass(frozen=True)
class Figure:
    """One thing that was measured."""

    what: str
    value: float
    unit: str


def send(url: str, method: str, target: str, body: object = None) -> Any:
    """One request that must succeed; its answer."""
    data = None if body is None else orjson.dumps(body)
    with urlopen(Request(url + target, method=method, data=data)) as answer:
        content = answer.read()
    return orjson.loads(content) if content else None


def fill(url: str, documents: int) -> None:
    """A database with small documents."""
    send(url, "PUT", f"/admin/databases?name={DATABASE}", {"DatabaseName": DATABASE})
    for first in range(0, documents, BATCH):
        commands = [
            {"Id": f"users/{at}", "ChangeVector": None, "Type": "PUT", "Document": document(at)}
            for at in range(first, min(first + BATCH, documents))
        ]
        send(url, "POST", f"{PATH}/bulk_docs", {"Commands": commands})


def document(at: int) -> dict[str, Any]:
    body = {"name": f"Name {at % 50_000}", "age": at % 90, "city": f"City {at % CITIES}"}
    return {**body, "@metadata": {"@collection": "Users"}}


def define(url: str, name: str, *, reduce: str | None = None) -> None:
    maps = [MAP if reduce is None else COUNTS]
    definition = {"Name": name, "Maps": maps, "Reduce": reduce}
    send(url, "PUT", f"{PATH}/admin/indexes", {"Indexes": [definition]})


def until_read(url: str, name: str) -> dict[str, Any]:
    """What is told of an index once it has read everything."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        (told,) = send(url, "GET", f"{PATH}/indexes/stats?name={name}")["Results"]
        if not told["IsStale"]:
            assert told["ErrorsCount"] == 0, told
            return dict(told)
        assert time.monotonic() < deadline, "the index does not come to its end"
        time.sleep(0.02)


def build(url: str, name: str, documents: int, *, reduce: str | None = None) -> float:
    """Documents a second, from the definition of an index to the end of its building."""
    began = time.monotonic()
    define(url, name, reduce=reduce)
    until_read(url, name)
    per_second = documents / (time.monotonic() - began)
    send(url, "DELETE", f"{PATH}/indexes?name={name}")
    return per_second


def by_name(number: int) -> Asked:
    """A query by one field, for another value each time."""
    name = f"name {number * 7 % 50_000}"
    body = {"Query": "from 'Users' where name = $p0", "QueryParameters": {"p0": name}}
    return ask("POST", f"{PATH}/queries?queryHash=1", orjson.dumps(body), status=200)


def asked(cluster: LocalCluster, connections: int, rounds: int, seconds: float) -> list[Figure]:
    """Queries a second, and what one costs the node."""
    pids = [cluster.pid(tag) for tag in cluster.tags]
    used, found = -processor_seconds(pids), []
    for _ in range(rounds):
        work = measure(cluster.urls, by_name, connections=connections, seconds=seconds)
        found.append(uvloop.run(work))
    used += processor_seconds(pids)
    what = f"queries on an automatic index, {connections} at once"
    cost = used / sum(one.count for one in found) * 1e6
    return [
        Figure(what, statistics.median(one.per_second for one in found), "a second"),
        Figure(f"{what}, p50", statistics.median(one.p50_ms for one in found), "ms"),
        Figure(f"{what}, the node's processor", cost, "us a query"),
    ]


def saved(url: str, seconds: float, *, builds: bool) -> Measured:
    """Saves of one document, one after the other, while an index is built or nothing is."""
    if builds:
        define(url, "Beside", reduce=REDUCE)
    run = f"{time.time_ns()}"
    make: Callable[[int], Asked] = put(run)
    measured = uvloop.run(measure([url], make, connections=1, seconds=seconds))
    if builds:
        send(url, "DELETE", f"{PATH}/indexes?name=Beside")
    return measured


def held(cluster: LocalCluster, url: str) -> list[Figure]:
    """What the processes of the node ask for in memory for each index that is there and asked."""

    def megabytes() -> float:
        pids = (one for tag in cluster.tags for one in family(cluster.pid(tag)))
        return sum(Memory.of(pid).anonymous for pid in pids) / 1_000_000

    found = []
    for kind, reduce in (("map", None), ("map-reduce", REDUCE)):
        before = megabytes()
        for at in range(KEPT):
            name = f"Kept/{kind}/{at}"
            define(url, name, reduce=reduce)
            until_read(url, name)
            send(url, "POST", f"{PATH}/queries", {"Query": f"from index '{name}' limit 10"})
        grown = (megabytes() - before) / KEPT
        found.append(Figure(f"memory of one more {kind} index of {KEPT}, RssAnon", grown, "MB"))
    return found


def figures(cluster: LocalCluster, wanted: argparse.Namespace) -> list[Figure]:
    url, count, rounds = cluster.urls[0], wanted.documents, wanted.rounds
    fill(url, count)
    maps = [build(url, f"Map{at}", count) for at in range(rounds)]
    groups = [build(url, f"Groups{at}", count, reduce=REDUCE) for at in range(rounds)]
    found = [
        Figure("one map index", statistics.median(maps), "documents/s"),
        Figure("one map-reduce index", statistics.median(groups), "documents/s"),
    ]
    query = {"Query": "from 'Users' where name = 'name 1'"}
    send(url, "POST", f"{PATH}/queries", query)  # makes the automatic index
    for connections in (1, 16):
        found += asked(cluster, connections, rounds, wanted.seconds)
    for builds in (False, True):
        measured = saved(url, wanted.save_seconds, builds=builds)
        beside = "while an index is built" if builds else "with nothing else to do"
        found.append(Figure(f"save of one document {beside}, p50", measured.p50_ms, "ms"))
        found.append(Figure(f"save of one document {beside}, p99", measured.p99_ms, "ms"))
    return [*found, *held(cluster, url)]


def main() -> None:
    """Run, and print a table, or JSON with --json."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bench.indexing", description=__doc__)
    parser.add_argument("--documents", type=int, default=DOCUMENTS, help="to be indexed")
    parser.add_argument("--rounds", type=int, default=3, help="rounds per figure")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round of queries")
    parser.add_argument(
        "--save-seconds", type=float, default=1.0, help="of saves; building must take longer"
    )
    parser.add_argument("--json", action="store_true", help="one JSON array instead of a table")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        with LocalCluster(Path(folder) / "cluster", nodes=1) as cluster:
            found = figures(cluster, wanted)
    if wanted.json:
        print(json.dumps([asdict(one) for one in found], indent=2))
        return
    table = Table("what", "value", "unit")
    for one in found:
        table.add_row(one.what, f"{one.value:,.2f}", one.unit)
    Console().print(table)


if __name__ == "__main__":
    main()
