"""Every workload on real nodes: it has work to do, its verdict is clean, and a lie is found.

All of them run at once; in the midst of it the leader is killed, and comes back. Then what promises
there are is proven. Each history is judged as it is, and with something in it that must not be.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest

from quoth import AsyncDocumentStore
from quoth.operations import CreateDatabaseOperation
from quoth_node.testing.clock import RunClock, pause
from quoth_node.testing.cluster import Cluster
from quoth_node.testing.history import Operation
from quoth_node.testing.workloads.catalogue import CATALOGUE
from quoth_node.testing.workloads.promises import Promises
from quoth_node.testing.workloads.recorder import Recorder
from quoth_node.testing.workloads.workload import Client, Surroundings, Workload

SEED = "workloads 1"
ENOUGH = 40  # operations of each workload that are done, before the kill and after it
PATIENCE_SECONDS = 120.0
History = Sequence[Operation]


@dataclass(frozen=True, slots=True)
class Played:
    """A workload, and what its clients did."""

    workload: Workload
    around: Surroundings

    @property
    def done(self) -> int:
        return sum(one.ok is True for one in self.around.recorder.operations)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Played]]:
    """All workloads by name, after they have run."""
    print(f"seed {SEED}")
    folder: Path = tmp_path_factory.mktemp("workloads")
    with Cluster(folder / "cluster", network="none") as cluster:
        yield asyncio.run(play(cluster))
        assert cluster.deaths == []


async def play(cluster: Cluster) -> dict[str, Played]:
    clock, plays = RunClock(), {}
    for name, make in CATALOGUE.items():
        workload = make()
        plays[name] = Played(
            workload,
            Surroundings(
                urls={tag: cluster.url(tag) for tag in cluster.tags},
                database=name,
                recorder=Recorder(workload.name, now=clock),
                seed=SEED,
            ),
        )
    async with AsyncDocumentStore(list(cluster.urls)) as store:
        for name in plays:
            await store.maintenance.server.send(CreateDatabaseOperation(name))
    is_over = asyncio.Event()
    async with asyncio.timeout(PATIENCE_SECONDS):
        async with asyncio.TaskGroup() as group:
            for one in plays.values():
                await one.workload.prepare(one.around)
                for number in range(one.workload.clients):
                    chance = Random(f"{SEED} {one.workload.name} {number}")
                    client = one.workload.client(number, one.around, chance)
                    group.create_task(work(client, is_over))
            await wait_for_more(plays)
            await asyncio.to_thread(replace_the_leader, cluster)
            await wait_for_more(plays)
            is_over.set()
        for one in plays.values():
            await one.workload.finish(one.around)
        promises = plays[Promises.name]
        assert isinstance(promises.workload, Promises)
        await promises.workload.prove(cluster, promises.around, Random(SEED), proofs=1)
    return plays


async def work(client: Client, is_over: asyncio.Event) -> None:
    try:
        while not is_over.is_set():
            await client.step()
    finally:
        await client.close()


async def wait_for_more(plays: Mapping[str, Played]) -> None:
    """Return when every workload has done more."""
    enough = {name: one.done + ENOUGH for name, one in plays.items()}
    while any(one.done < enough[name] for name, one in plays.items()):
        await pause(0.02)


def replace_the_leader(cluster: Cluster) -> None:
    """Kill it, and start it again when there is another."""
    leader, term = cluster.leader(), cluster.term()
    cluster.kill(leader)
    cluster.leader(after_term=term)
    cluster.restart(leader)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_workload_works_and_finds_nothing_wrong(played: Mapping[str, Played], name: str) -> None:
    one = played[name]
    assert [str(wrong) for wrong in one.workload.check(one.around.recorder.operations)] == []
    assert one.done > 2 * ENOUGH
    clients = {each.client for each in one.around.recorder.operations if each.ok}
    assert clients >= set(range(one.workload.clients)), "each has done something"


def test_nobody_told_what_became_of_some(played: Mapping[str, Played]) -> None:
    unknown = [
        each
        for one in played.values()
        for each in one.around.recorder.operations
        if each.ok is None
    ]
    assert unknown and all(each.returned is None for each in unknown)


def last(history: History, is_it: Callable[[Operation], bool]) -> int:
    """Where the last one is that is so."""
    return max(at for at, one in enumerate(history) if one.ok and is_it(one))


def lied(history: History, at: int, output: object) -> list[Operation]:
    """A history in which one was told something else."""
    return [*history[:at], replace(history[at], output=output), *history[at + 1 :]]


def a_value_that_nobody_wrote(history: History) -> list[Operation]:
    return lied(history, last(history, lambda one: one.f == "read"), -2)


def a_write_that_was_never_made(history: History) -> list[Operation]:
    read = {one.output for one in history if one.f == "read"}
    at = last(history, lambda one: one.f == "cas" and one.input[1] in read)
    return [*history[:at], *history[at + 1 :]]


def a_coin_too_much(history: History) -> list[Operation]:
    at = last(history, lambda one: one.f == "read" and one.key == "mixed")
    account, balance = next(iter(history[at].output.items()))
    return lied(history, at, {**history[at].output, account: balance + 1})


def an_append_that_is_gone(history: History) -> list[Operation]:
    """Its readers see only what was before it."""
    at = last(
        history, lambda one: len(one.output) == 2 and one.output[1][0] == "append"
        and any(element == one.output[1][2] for each in history if each.ok and each is not one
                for f, _, elements in each.output if f == "r" for element in elements)
    )  # fmt: skip
    gone = history[at].output[1][2]

    def without(one: Operation) -> Operation:
        if not one.ok:
            return one
        output = [
            [f, name, [each for each in found if each != gone] if f == "r" else found]
            for f, name, found in one.output
        ]
        return replace(one, output=output)

    return [without(one) for one in history]


def an_element_that_is_gone(history: History) -> list[Operation]:
    finals = [one for one in history if one.f == "read" and one.input[:1] == ("final",)]
    gone = finals[0].output[0]
    return [
        replace(one, output=[each for each in one.output if each != gone]) if one in finals else one
        for one in history
    ]


def a_number_given_twice(history: History) -> list[Operation]:
    at = last(history, lambda one: one.f == "next")
    before = last(history[:at], lambda one: one.f == "next" and one.key == history[at].key)
    return lied(history, at, history[before].output)


def a_number_that_nobody_holds(history: History) -> list[Operation]:
    return [
        replace(one, output={n: who for n, who in one.output.items() if n != 3})
        if one.f == "holders"
        else one
        for one in history
    ]


def an_audit_that_complains(history: History) -> list[Operation]:
    return lied(history, last(history, lambda one: one.f == "audit"), ["number 3 is gone"])


def a_promise_that_nobody_kept(history: History) -> list[Operation]:
    at = last(history, lambda one: one.f == "local" and bool(one.input[0]))
    key = history[at].key
    return [
        replace(one, output=None) if one.key == key and one.f == "local" else one for one in history
    ]


def a_step_back(history: History) -> list[Operation]:
    at = last(history, lambda one: one.f == "read" and one.output[0] > 1)
    return lied(history, at, [0, None])


LIES: Sequence[tuple[str, Callable[[History], list[Operation]]]] = (
    ("registers", a_value_that_nobody_wrote),
    ("registers", a_write_that_was_never_made),
    ("bank", a_coin_too_much),
    ("list-append", an_append_that_is_gone),
    ("set", an_element_that_is_gone),
    ("identities", a_number_given_twice),
    ("sequences", a_number_that_nobody_holds),
    ("sequences", an_audit_that_complains),
    ("promises", a_promise_that_nobody_kept),
    ("sessions", a_step_back),
)


@pytest.mark.parametrize(("name", "lie"), LIES, ids=[lie.__name__ for _, lie in LIES])
def test_a_lie_is_found(
    played: Mapping[str, Played], name: str, lie: Callable[[History], list[Operation]]
) -> None:
    one = played[name]
    history = sorted(one.around.recorder.operations, key=lambda each: (each.call, each.client))
    assert one.workload.check(lie(history)) != []
