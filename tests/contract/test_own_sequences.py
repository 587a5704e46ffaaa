"""Sequences through our client and real nodes: numbers without a gap, whoever fails on the way."""

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
import requests

from quoth import (
    AsyncDocumentStore,
    BadRequest,
    ConcurrencyError,
    DocumentStore,
    FateUnknown,
    NumberState,
    SessionOptions,
    TransactionMode,
)
from quoth_node.testing.checkers.uniqueness import Taken, given_backwards, given_twice
from scripts.local_cluster import LocalCluster, quoth
from tests.client.test_session_sequences import KINDS
from tests.contract.conftest import make_database
from tests.contract.cutting_proxy import Proxies, proxies

MODES = {
    "single-node": SessionOptions(),
    "cluster-wide": SessionOptions(transaction_mode=TransactionMode.CLUSTER_WIDE),
    "serializable": SessionOptions(isolation="serializable"),
}
ANSWER_SECONDS_MAX = 60.0


@dataclass
class Invoice:
    number: int = 0
    lines: list[Any] = field(default_factory=list)
    Id: str | None = None


@pytest.fixture
def store(node_url: str, database: str) -> Iterator[DocumentStore]:
    with DocumentStore(node_url, database) as opened:
        yield opened


@pytest.fixture(scope="module")
def between(shared_cluster: LocalCluster) -> Iterator[Proxies]:
    """Proxies in front of three nodes."""
    with proxies(shared_cluster.urls) as opened:
        yield opened


@pytest.mark.parametrize("options", MODES.values(), ids=MODES)
def test_a_session_saves_numbers_and_sees_no_more_changes(
    store: DocumentStore, options: SessionOptions
) -> None:
    kinds = [make for name, make in KINDS.items() if name != "dictionary"]
    with store.open_session(options) as session:
        sequences = session.advanced.sequences
        number = sequences.next_value("invoices", initial_value=100)
        invoice = Invoice(number, [{"again": number}, *sequences.next_values(2, "lines")])
        session.store(invoice, f"invoices/{number:06}")
        entities = [make(sequences.next_value("kinds")) for make in kinds]
        for entity in entities:
            session.store(entity)
        session.save_changes()
        assert invoice == Invoice(100, [{"again": 100}, 1, 2], "invoices/000100")
        assert [entity.number for entity in entities] == list(range(1, len(kinds) + 1))
        assert not session.has_changes()
        invoice.lines.append("more")
        session.save_changes()
    with store.open_session(options) as session:
        loaded = session.load("invoices/000100", Invoice)
        assert loaded == Invoice(100, [{"again": 100}, 1, 2, "more"], "invoices/000100")
        loaded.lines = session.advanced.sequences.next_values(3, "lines")
        session.save_changes()
        assert loaded.lines == [3, 4, 5] and not session.has_changes()
    held = list(store.sequences.holders("lines"))
    assert [(each.number, each.count, each.path, each.is_array) for each in held] == [
        *((1, 1, "/lines/1", False), (2, 1, "/lines/2", False)),
        (3, 3, "/lines", True),
    ]


@pytest.mark.parametrize("options", [MODES["single-node"], MODES["cluster-wide"]])
def test_a_refused_save_has_taken_nothing_and_is_made_again(
    store: DocumentStore, options: SessionOptions
) -> None:
    with store.open_session(options) as session:
        session.store(Invoice(0, ["theirs"]), "taken")
        session.save_changes()
    with store.open_session(options) as session:
        mine = Invoice(0)
        number = session.advanced.sequences.next_value("i")
        invoice = Invoice(number)
        session.store(mine, "taken", None if options.is_cluster_wide else "")
        session.store(invoice, f"i/{number}")
        with pytest.raises(ConcurrencyError):
            session.save_changes()
        assert store.sequences.get("i") is None
        session.advanced.evict(mine)
        session.save_changes()
        assert (invoice.number, invoice.Id) == (1, "i/1")
    assert store.sequences.get_last_value("i") == 1


@pytest.mark.parametrize("options", MODES.values(), ids=MODES)
def test_parameters_must_be_those_of_the_sequence(
    store: DocumentStore, options: SessionOptions
) -> None:
    assert store.sequences.get_next_value("i") == 1
    with store.open_session(options) as session:
        session.store(Invoice(session.advanced.sequences.next_value("i", initial_value=5)), "x")
        with pytest.raises(BadRequest, match="initial") as raised:
            session.save_changes()
        assert raised.value.kind == "SequenceParametersException"
    assert store.sequences.get_last_value("i") == 1


def test_numbers_outside_are_those_of_the_seed(store: DocumentStore) -> None:
    sequences = store.sequences
    assert sequences.get_last_value("shipments") is None
    assert sequences.get_next_value("shipments", initial_value=1_000) == 1_000
    assert sequences.get_next_value("shipments", nowait=True) == 1_001
    assert sequences.get_next_values(3, "shipments") == range(1_002, 1_005)
    loop = sequences.Sequence("loop", 3, reset_value=6)
    assert [next(loop) for _ in range(4)] == [3, 4, 5, 3]
    assert sequences.get_next_values(3, "loop") == [4, 5, 3] and loop.get_last_value() == 3
    assert [each.name for each in sequences.list()] == ["loop", "shipments"]
    assert sequences.delete("shipments") and not sequences.delete("shipments")
    assert sequences.get_next_value("shipments") == 1


def test_reservations_are_confirmed_released_and_void(store: DocumentStore) -> None:
    sequences = store.sequences
    with sequences.reserve("i", holder="row 1") as first:
        assert first.value == 1
    with pytest.raises(ValueError, match="rolled back"), sequences.reserve("i") as second:
        raise ValueError("rolled back")
    with sequences.reserve("i", 2, holder="rows 2, 3") as third:
        assert list(third.values) == [2, 3] and third.token > second.token > first.token
    with pytest.raises(ValueError, match="too late"), sequences.reserve("i"):
        sequences.get_next_value("i", holder="a quick one")
        raise ValueError("too late")
    with store.open_session() as session, sequences.reserve("i") as fifth:
        session.store(Invoice(fifth.value), "ledger/6")
        session.save_changes()
        fifth.document_id, fifth.path = "ledger/6", "/number"
    rows = [(each.number, each.count, each.state) for each in sequences.holders("i")]
    assert rows == [
        (1, 1, NumberState.OUTSIDE),
        (2, 2, NumberState.OUTSIDE),
        (4, 1, NumberState.VOID),
        (5, 1, NumberState.OUTSIDE),
        (6, 1, NumberState.DOCUMENT),
    ]
    (void,) = sequences.voided("i")
    assert (void.number, void.reason) == (4, "ValueError: too late")


def test_a_lease_that_ends_is_void_and_confirmed_late(store: DocumentStore) -> None:
    sequences = store.sequences
    reservation = sequences.reserve("i", holder="me", lease_seconds=0.01)
    with pytest.raises(FateUnknown), reservation:
        raise FateUnknown("of something else")
    deadline = time.monotonic() + ANSWER_SECONDS_MAX
    while not (void := list(sequences.voided("i"))):
        assert time.monotonic() < deadline, "nobody has ended the lease"
        time.sleep(0.05)
    assert void[0].number == 1 and void[0].reason
    assert sequences.get_next_value("i") == 2
    assert reservation.confirm(holder="found out").was_void
    assert list(sequences.voided("i")) == []


def test_who_resends_with_the_same_id_gets_the_same_number(
    between: Proxies, shared_cluster: LocalCluster
) -> None:
    database = make_database(shared_cluster.urls[0])
    with (
        DocumentStore(between.urls, database) as store,
        store.open_session() as session,
    ):
        invoice = Invoice(session.advanced.sequences.next_value("i"))
        session.store(invoice, f"i/{invoice.number}")
        between.cut_next("POST", "/bulk_docs")
        with pytest.raises(FateUnknown):
            session.save_changes()
        (cut,) = between.sent("/bulk_docs")
        answers = [
            requests.post(f"{url}{cut.target}", data=cut.body, timeout=30)
            for url in shared_cluster.urls
        ]
        assert {answer.content for answer in answers} == {cut.answer}
        assert answers[0].json()["Results"][-1]["Numbers"] == [1]
        for call in (
            lambda: store.sequences.get_next_value("i"),
            lambda: store.sequences.reserve("i").begin(),
        ):
            between.cut_next("POST", "/quoth/sequences")
            with pytest.raises(FateUnknown):
                call()
            (cut,) = between.sent("/quoth/sequences")
            for url in shared_cluster.urls:
                again = requests.post(f"{url}{cut.target}", data=cut.body, timeout=30)
                first, told = json.loads(cut.answer), again.json()
                # The index is that of the log, and a resend is in the log, too.
                assert told.pop("TransactionIndex") > first.pop("TransactionIndex")
                assert told == first and again.status_code == 200
        assert store.sequences.get_last_value("i") == 3


@pytest.mark.parametrize("callers", [1, 16, 64])
@pytest.mark.parametrize("options", MODES.values(), ids=MODES)
async def test_callers_that_are_cancelled_leave_no_gap(
    shared_cluster: LocalCluster, options: SessionOptions, callers: int
) -> None:
    database = make_database(shared_cluster.urls[0])
    dice, taken = random.Random(callers), []
    names = count(1)

    async with AsyncDocumentStore(shared_cluster.urls, database) as store:

        async def take() -> None:
            asked_at = time.monotonic()
            async with store.open_session(options) as session:
                number = session.advanced.sequences.next_value("i")
                invoice = Invoice(number, [next(names)])
                await session.store(invoice, f"i/{number}")
                await session.save_changes()
                assert invoice.Id == f"i/{invoice.number}"
                taken.append(Taken(invoice.number, asked_at, time.monotonic()))

        async def call() -> None:
            for _ in range(max(2, 64 // callers)):
                dies_after = dice.uniform(0.0, 0.02) if dice.random() < 0.25 else None
                with suppress(TimeoutError):
                    async with asyncio.timeout(dies_after):
                        await take()

        await asyncio.gather(*(call() for _ in range(callers)))
        await take()
        last = await store.sequences.get_last_value("i")
    assert last == max(each.number for each in taken)
    assert given_twice(taken) == [] and given_backwards(taken) == []
    await asyncio.to_thread(prove, shared_cluster, database, last)


KILLED = """
import sys
from quoth import DocumentStore
urls, database = sys.argv[1].split(","), sys.argv[2]
with DocumentStore(urls, database) as store:
    while True:
        with store.open_session() as session:
            number = session.advanced.sequences.next_value("i")
            session.store({"number": number}, f"i/{number}")
            session.save_changes()
        print(number.value, flush=True)
"""


def test_callers_that_are_killed_leave_no_gap(shared_cluster: LocalCluster) -> None:
    database = make_database(shared_cluster.urls[0])
    told: list[int] = []
    arguments = [sys.executable, "-c", KILLED, ",".join(shared_cluster.urls), database]
    for dies_after in (3, 5):
        running = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(3)]
        for each in running:
            assert each.stdout is not None
            told += [int(each.stdout.readline()) for _ in range(dies_after)]
        for each in running:
            each.kill()  # most of them wait for an answer
        for each in running:
            told += map(int, each.communicate()[0].split())
    assert len(set(told)) == len(told) >= 24
    with DocumentStore(shared_cluster.urls, database) as store:
        last = store.sequences.get_last_value("i")
    assert last is not None and last >= max(told)
    prove(shared_cluster, database, last)


def prove(cluster: LocalCluster, database: str, last: int) -> None:
    """Each number from 1 to the last is in its own document, and nothing else is there."""
    command = ("sequence", "verify", "i", "--database", database, "--url", cluster.urls[0])
    proven = subprocess.run(quoth(*command), capture_output=True, text=True, check=False)
    assert proven.returncode == 0, proven.stdout[-2_000:] + proven.stderr
    lines = [line.split("\t") for line in proven.stdout.splitlines()]
    assert [line[:3] for line in lines] == [
        [str(number), "document", f"i/{number}"] for number in range(1, last + 1)
    ]
