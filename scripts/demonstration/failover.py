"""The leader is killed while both clients write, and nothing that was acknowledged is lost."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Event, Thread

import ravendb

from quoth import DocumentStore
from scripts.demonstration.raw import expect_everywhere
from scripts.demonstration.report import Report, expect
from scripts.demonstration.shop import Order
from scripts.local_cluster import LocalCluster, wait_for

PART = "killed leader"
WRITES_BEFORE, WRITES_AFTER = 50, 50
WRITE_SECONDS_MAX = 20.0
Write = Callable[[str], None]


class Writer:
    """Writes one document after another and remembers which were acknowledged."""

    def __init__(self, name: str, write: Write) -> None:
        self.name = name
        self.acknowledged: list[str] = []
        self.in_doubt = 0  # whose answer never came, or said so
        self._write = write
        self._stop = Event()
        self._thread = Thread(target=self._run, name=f"writer {name}", daemon=True)

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(WRITE_SECONDS_MAX)

    def wait_for_more(self, count: int) -> None:
        """Return when `count` more writes are acknowledged."""
        enough = len(self.acknowledged) + count
        wait_for(
            lambda: len(self.acknowledged) >= enough or None,
            WRITE_SECONDS_MAX,
            f"{self.name} has {len(self.acknowledged)} acknowledged writes, not {enough}",
        )

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            document_id = f"orders/{self.name}-{number}"
            try:
                self._write(document_id)
            except Exception:  # a write that fails is no promise; only what was acknowledged counts
                self.in_doubt += 1
            else:
                self.acknowledged.append(document_id)


def run(report: Report, cluster: LocalCluster, database: str) -> None:
    """Kill the leader with SIGKILL in the middle of a writing loop."""
    report.part(PART, "both clients write, one document after another, while the leader dies")
    with ExitStack() as stack:
        official = stack.enter_context(_official_writes(cluster.urls, database))
        ours = stack.enter_context(_our_writes(cluster.urls, database))
        writers = (Writer("official", official), Writer("ours", ours))
        killed = _kill_while_writing(report, cluster, writers)
    acknowledged = [document_id for writer in writers for document_id in writer.acknowledged]
    for writer in writers:
        told = f"{len(writer.acknowledged)} acknowledged, {writer.in_doubt} in doubt"
        report.say(f"{writer.name}: {told}")
    with report.step("every acknowledged write is on each surviving node") as step:
        survivors = [cluster.url(tag) for tag in cluster.tags if tag != killed]
        expect_everywhere(survivors, database, acknowledged)
        step.detail = f"{len(acknowledged)} documents on {len(survivors)} nodes"
    with report.step("the killed node comes back and has every one of them, too") as step:
        cluster.wait_until_ready(killed)
        expect_everywhere([cluster.url(killed)], database, acknowledged)
        step.detail = f"node {killed}, {len(acknowledged)} documents"


def _kill_while_writing(
    report: Report, cluster: LocalCluster, writers: Sequence[Writer]
) -> str:
    killed = cluster.leader()
    with report.step("writing goes on after the leader is killed") as step, ExitStack() as stack:
        for writer in writers:
            stack.enter_context(writer)
        for writer in writers:
            writer.wait_for_more(WRITES_BEFORE)
        killed, term = cluster.leader(), cluster.term()
        report.say(f"the leader is {killed}, process {cluster.pid(killed)}: kill -9")
        cluster.kill(killed)
        elected = cluster.leader(after_term=term)
        report.say(f"the leader is {elected}, in a later term")
        for writer in writers:
            writer.wait_for_more(WRITES_AFTER)
        # The supervisor reports every node that ends, and has seen one.
        ended = cluster.errors.splitlines()
        expect(len(ended) == 1, f"more than one node has ended: {ended}")
        step.detail = f"{killed} led, then {elected}"
    return killed


@contextmanager
def _official_writes(urls: Sequence[str], database: str) -> Iterator[Write]:
    with ravendb.DocumentStore(list(urls), database) as store:
        store.initialize()

        def write(document_id: str) -> None:
            with store.open_session() as session:
                session.store(Order(), document_id)
                session.save_changes()

        yield write


@contextmanager
def _our_writes(urls: Sequence[str], database: str) -> Iterator[Write]:
    with DocumentStore(urls, database) as store:

        def write(document_id: str) -> None:
            with store.open_session() as session:
                session.store(Order(), document_id)
                session.save_changes()

        yield write
