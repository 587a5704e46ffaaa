"""One user program with three clients: `python -m scripts.bench client`.

The same program, with quoth's asynchronous client, its synchronous one and RavenDB's official one,
against the same node: one session after another, and 32 at once (tasks or threads). Each client
runs in a process of its own, in turns; every figure is the median of several rounds, and in
brackets stands how many times that is of the official client. Node and client share the machine.

The first column is no client at all: requests whose bytes were made before, and answers that nobody
reads. No client that asks one after another can be faster than that. How long the disk takes for a
few bytes is told below: a save waits until the disk has it.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from rich.console import Console
from rich.table import Table

from scripts.bench import http, load
from scripts.local_cluster import LocalCluster

DATABASE = http.DATABASE
NO_CLIENT = "no client"
CLIENTS = (NO_CLIENT, "official", "sync", "async")
WORK = ("query", "load", "store", "create")  # the reads first: nothing changes under them
KNOWN, GROUPS = 1_000, 100  # documents that are read, and how many different names they have
SYNC_BYTES, SYNCS = 4_096, 200


@dataclass
class User:
    """What the program stores."""

    Id: str | None = None
    name: str = ""
    age: int = 0
    text: str = ""


def user(number: int) -> User:
    return User(name=f"name {number % GROUPS}", age=number % 90, text="x" * 100)


# The program. `session` makes a new session; `unique` names what this worker alone writes.


def blocking_program(store: Any, cluster_wide: Any) -> dict[str, Callable[[str], None]]:
    """With clients that block."""

    def save(unique: str) -> None:
        with store.open_session() as session:
            session.store(user(len(unique)), f"users/{unique}")
            session.save_changes()

    def load(unique: str) -> None:
        with store.open_session() as session:
            assert session.load(f"known/{hash(unique) % KNOWN}", User).name

    def query(unique: str) -> None:
        name = f"name {hash(unique) % GROUPS}"
        with store.open_session() as session:
            found = list(session.query(object_type=User).where_equals("name", name).take(10))
            assert len(found) == 10, found

    def create(unique: str) -> None:
        with store.open_session(session_options=cluster_wide()) as session:
            session.advanced.cluster_transaction.create_compare_exchange_value(unique, 1)
            session.save_changes()

    return {"store": save, "load": load, "query": query, "create": create}


def awaited_program(store: Any, cluster_wide: Any) -> dict[str, Callable[[str], Awaitable[None]]]:
    """The same with the one that is awaited."""

    async def save(unique: str) -> None:
        async with store.open_session() as session:
            await session.store(user(len(unique)), f"users/{unique}")
            await session.save_changes()

    async def load(unique: str) -> None:
        async with store.open_session() as session:
            assert (await session.load(f"known/{hash(unique) % KNOWN}", User)).name

    async def query(unique: str) -> None:
        name = f"name {hash(unique) % GROUPS}"
        async with store.open_session() as session:
            asked = session.query(object_type=User).where_equals("name", name).take(10)
            found = [each async for each in asked]
            assert len(found) == 10, found

    async def create(unique: str) -> None:
        async with store.open_session(session_options=cluster_wide()) as session:
            session.advanced.cluster_transaction.create_compare_exchange_value(unique, 1)
            await session.save_changes()

    return {"store": save, "load": load, "query": query, "create": create}


@dataclass(frozen=True)
class Measured:
    """One piece of work in one process. `processor_us` is what the client used for each."""

    per_second: float
    processor_us: float


def measured(count: int, seconds: float, processor_seconds: float) -> Measured:
    return Measured(count / seconds, processor_seconds / count * 1e6)


def in_threads(once: Callable[[str], None], run: str, at_once: int, seconds: float) -> Measured:
    counts, errors = [0] * at_once, list[BaseException]()
    began, used = time.monotonic(), time.process_time()

    def repeat(number: int) -> None:
        try:
            while time.monotonic() - began < seconds:
                once(f"{run}/{number}/{counts[number]}")
                counts[number] += 1
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=repeat, args=(number,)) for number in range(at_once)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    if errors:
        raise errors[0]
    return measured(sum(counts), time.monotonic() - began, time.process_time() - used)


async def in_tasks(
    once: Callable[[str], Awaitable[None]], run: str, at_once: int, seconds: float
) -> Measured:
    counts = [0] * at_once
    began, used = time.monotonic(), time.process_time()

    async def repeat(number: int) -> None:
        while time.monotonic() - began < seconds:
            await once(f"{run}/{number}/{counts[number]}")
            counts[number] += 1

    await asyncio.gather(*map(repeat, range(at_once)))
    return measured(sum(counts), time.monotonic() - began, time.process_time() - used)


def work(wanted: argparse.Namespace) -> dict[str, Measured]:
    """What one process does: all the work with one client."""
    client, url, at_once, seconds = wanted.client, wanted.url, wanted.at_once, wanted.seconds
    run = f"{client}-{at_once}-{time.time_ns()}"
    if client == NO_CLIENT:
        return {
            name: asyncio.run(no_client(name, url, run, at_once, seconds)) for name in wanted.work
        }
    if client == "async":
        return asyncio.run(work_awaited(wanted.work, url, run, at_once, seconds))
    if client == "official":
        from ravendb import DocumentStore, SessionOptions
        from ravendb.documents.session.misc import TransactionMode
    else:
        from quoth import DocumentStore, SessionOptions, TransactionMode
    found = {}
    with DocumentStore(url, DATABASE) as store:
        store.initialize()

        def cluster_wide() -> Any:
            return SessionOptions(transaction_mode=TransactionMode.CLUSTER_WIDE)

        program = blocking_program(store, cluster_wide)
        for name in wanted.work:
            in_threads(program[name], f"{run}-warm", at_once, 0.1)
            found[name] = in_threads(program[name], run, at_once, seconds)
    return found


async def work_awaited(
    names: Iterable[str], url: str, run: str, at_once: int, seconds: float
) -> dict[str, Measured]:
    from quoth import AsyncDocumentStore, SessionOptions, TransactionMode

    found = {}
    async with AsyncDocumentStore(url, DATABASE) as store:

        def cluster_wide() -> SessionOptions:
            return SessionOptions(transaction_mode=TransactionMode.CLUSTER_WIDE)

        program = awaited_program(store, cluster_wide)
        for name in names:
            await in_tasks(program[name], f"{run}-warm", at_once, 0.1)
            found[name] = await in_tasks(program[name], run, at_once, seconds)
    return found


def asks_query(_: str) -> Callable[[int], load.Asked]:
    """The query of the program, as bytes."""

    def make(number: int) -> load.Asked:
        query = {"Query": "from 'Users' where name = $p0 limit 0, 10"}
        body = json.dumps({**query, "QueryParameters": {"p0": f"name {number % GROUPS}"}})
        return load.ask("POST", f"{http.PATH}/queries", body.encode(), status=200)

    return make


BYTES: dict[str, Callable[[str], Callable[[int], load.Asked]]] = {
    "store": http.put,
    "load": http.load,
    "query": asks_query,
    "create": http.create_in_cluster,
}


async def no_client(name: str, url: str, run: str, at_once: int, seconds: float) -> Measured:
    """What the node does by itself."""
    used = time.process_time()
    found = await load.measure([url], BYTES[name](run), connections=at_once, seconds=seconds)
    return Measured(found.per_second, (time.process_time() - used) / found.count * 1e6)


def prepare(url: str) -> None:
    """A database, the documents that are read, and the index that a query makes."""
    body = json.dumps({"DatabaseName": DATABASE}).encode()
    urlopen(Request(f"{url}/admin/databases?name={DATABASE}", body, method="PUT")).close()
    from quoth import DocumentStore

    with DocumentStore(url, DATABASE) as store:
        with store.open_session() as session:
            for number in range(KNOWN):
                session.store(user(number), f"known/{number}")
            session.save_changes()
        with store.open_session() as session:
            asked = session.query(object_type=User).where_equals("name", "name 1")
            assert len(list(asked.wait_for_non_stale_results())) == KNOWN // GROUPS


def sync_ms(folder: Path) -> float:
    """How long the disk takes to have a few bytes for good; the median."""
    taken = []
    with open(folder / "sync", "wb", buffering=0) as file:
        for _ in range(SYNCS):
            file.write(os.urandom(SYNC_BYTES))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1_000


def run_worker(client: str, url: str, at_once: int, wanted: argparse.Namespace) -> dict[str, Any]:
    """A process of its own; what it measured."""
    options = ("--client", client, "--url", url, "--at-once", str(at_once))
    command = [sys.executable, "-m", "scripts.bench.client", *options]
    command += ["--seconds", str(wanted.seconds), "--work", *wanted.work]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


Figures = dict[tuple[str, int, str], list[dict[str, float]]]  # work, at once, client


def rounds(url: str, wanted: argparse.Namespace) -> Figures:
    """All figures. Who begins changes from round to round."""
    figures: Figures = {}
    for number in range(wanted.rounds):
        for at_once in wanted.at_once_each:
            turn = number % len(CLIENTS)
            for client in (*CLIENTS[turn:], *CLIENTS[:turn]):
                for name, found in run_worker(client, url, at_once, wanted).items():
                    figures.setdefault((name, at_once, client), []).append(found)
                print(f"round {number + 1}: {client}, {at_once} at once", file=sys.stderr)
    return figures


def table_of(figures: Figures, wanted: argparse.Namespace) -> Table:
    table = Table("work", "at once", *CLIENTS, "cpu us", title="per second, and what a client uses")
    for name in wanted.work:
        for at_once in wanted.at_once_each:
            rows = [figures[name, at_once, client] for client in CLIENTS]
            speeds = [statistics.median(each["per_second"] for each in row) for row in rows]
            used = [statistics.median(each["processor_us"] for each in row) for row in rows]
            official = speeds[CLIENTS.index("official")]
            cells = [f"{speed:,.0f} ({speed / official:.1f}x)" for speed in speeds]
            costs = " / ".join(f"{each:,.0f}" for each in used)
            table.add_row(name, str(at_once), *cells, costs)
    return table


def main() -> None:
    """Run, and print the table; with --client, be one of the processes."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bench client", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="the median of them is shown")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each work in each round")
    parser.add_argument("--work", nargs="*", choices=WORK, default=list(WORK))
    parser.add_argument("--at-once-each", type=int, nargs="*", default=[1, 32], metavar="COUNT")
    parser.add_argument("--client", choices=CLIENTS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--at-once", type=int, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.client:
        found = work(wanted)
        print(json.dumps({name: vars(each) for name, each in found.items()}))
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder  # the official client remembers nodes there
        with LocalCluster(Path(folder) / "cluster", nodes=1) as cluster:
            prepare(cluster.urls[0])
            before = sync_ms(Path(folder))
            figures = rounds(cluster.urls[0], wanted)
            after = sync_ms(Path(folder))
    console = Console(width=120)
    console.print(table_of(figures, wanted))
    disk = f"{before:.2f} ms before, {after:.2f} ms after"
    console.print(f"the disk takes {disk} for {SYNC_BYTES:,} bytes")
    console.print(f"{wanted.rounds} rounds of {wanted.seconds:g} s; {os.cpu_count()} processors")


if __name__ == "__main__":
    main()
