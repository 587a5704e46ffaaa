"""R8: when a save has waited for n other nodes, so many have applied it.

Clients save documents and wait for some replicas, or a majority; after a wait for all others they
look at every node, also at one that is cut off. At the end of a round `prove` lets them save once
more, kills nodes in the midst of it, and reads at every node that is left what that node has
itself: of n nodes and the one that answered, at most as many lack the document as died.
"""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Protocol

from quoth_node.testing.checkers import promise
from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.clock import pause
from quoth_node.testing.history import Operation
from quoth_node.testing.workloads.plain import Answer, Plain
from quoth_node.testing.workloads.recorder import Recorder
from quoth_node.testing.workloads.speaker import NotDone, Open, Speaker
from quoth_node.testing.workloads.speakers import Speakers
from quoth_node.testing.workloads.workload import READER, Surroundings

SAVERS, SAVED_MIN, SAVED_MAX = 6, 10, 60  # of one proof: clients, and saves before the kill
PROOFS = 3
PATIENCE_READS, PAUSE_SECONDS = 100, 0.05
PROOF_SECONDS_MAX = 60.0
MAJORITY = -1
LOOK_SECONDS_MAX = 0.5  # at one node
ALL_OTHERS = 0.15  # of all saves: while a node is down these wait in vain


class Nodes(Protocol):
    """What a proof needs of a cluster; quoth_node.testing.Cluster is one. All of it blocks."""

    @property
    def tags(self) -> list[str]:
        """The members."""

    def kill(self, *tags: str) -> None:
        """End nodes at once."""

    def restart(self, *tags: str) -> None:
        """Start nodes again that are down; return when they are back."""


class Promises:
    """The workload."""

    name = "promises"
    goal = "R8"
    clients = 4
    floor_per_minute = 200

    def __init__(self) -> None:
        self._speakers = Speakers()
        self.saved: list[tuple[str, int]] = []  # acknowledged: document and value, oldest first

    async def prepare(self, around: Surroundings) -> None:
        """Nothing has to be there."""

    def client(self, number: int, around: Surroundings, chance: Random) -> "Saver":
        return Saver(number, self, self._speakers.open(number, around), around, chance)

    def reader(self, around: Surroundings) -> Plain:
        """Who asks nodes for what they have themselves."""
        return self._speakers.plain(around)

    async def finish(self, around: Surroundings) -> None:
        """Read at every node what it has itself of what was acknowledged last."""
        async with self._speakers.plain(around) as plain:
            await plain.learn_nodes()
            for node in plain.urls:
                await self._catch_up(plain, node)
                await self._read_local(plain, around, node, self.saved[-SAVED_MAX:], ())

    async def prove(
        self, cluster: Nodes, around: Surroundings, chance: Random, *, proofs: int = PROOFS
    ) -> None:
        """Save, kill, and read at those that are left; some times. All nodes run afterwards.

        One node alone promises nothing of others.
        Raises TimeoutError if too little is saved in time for a proof.
        """
        for number in range(proofs if len(cluster.tags) > 1 else 0):
            await self._prove_once(cluster, around, chance, number)

    async def _prove_once(
        self, cluster: Nodes, around: Surroundings, chance: Random, number: int
    ) -> None:
        tags = list(cluster.tags)
        replicas = chance.randint(1, len(tags) - 1)
        killed = tuple(sorted(chance.sample(tags, chance.randint(1, replicas))))
        before, enough = len(self.saved), chance.randint(SAVED_MIN, SAVED_MAX)
        savers = [
            Saver(
                READER + 1 + number * SAVERS + one,
                self,
                self._speakers.open(one, around),
                around,
                Random(f"{chance.random()}"),
                replicas=replicas,
            )
            for one in range(SAVERS)
        ]
        async with self._speakers.plain(around) as plain:
            await plain.learn_nodes()  # while they can be asked
            try:
                async with asyncio.timeout(PROOF_SECONDS_MAX), asyncio.TaskGroup() as group:
                    tasks = [group.create_task(saver.go_on()) for saver in savers]
                    while len(self.saved) < before + enough:
                        await pause(PAUSE_SECONDS / 10)
                    await asyncio.to_thread(cluster.kill, *killed)
                    for task in tasks:
                        task.cancel()
            finally:
                for saver in savers:
                    await saver.close()
            saved = self.saved[before:]
            for node in tags:
                if node not in killed:
                    await self._read_local(plain, around, node, saved, killed)
        await asyncio.to_thread(cluster.restart, *killed)

    async def _catch_up(self, plain: Plain, node: str) -> None:
        """A current read, so that what the node has itself is no older than now."""
        for _ in range(PATIENCE_READS):
            try:
                await plain.ask("GET", "/docs", [("id", "p/none")], node=node)
                return
            except (NotDone, Open):
                await pause(PAUSE_SECONDS)
        raise Open(f"{node} does not answer")

    async def _read_local(
        self,
        plain: Plain,
        around: Surroundings,
        node: str,
        saved: Sequence[tuple[str, int]],
        killed: tuple[str, ...],
    ) -> None:
        for document_id, _ in saved:
            call = around.recorder.now()
            answer = await plain.ask(
                "GET", "/docs", [("id", document_id)], node=node, is_local=True
            )
            note_look(around.recorder, answer, document_id, call, node, killed)

    def check(self, operations: Sequence[Operation]) -> list[Violation]:
        return promise.check(operations)


class Saver:
    """One client of them."""

    def __init__(
        self,
        number: int,
        workload: Promises,
        speaker: Speaker,
        around: Surroundings,
        chance: Random,
        *,
        replicas: int = 0,
    ) -> None:
        """`replicas`: how many each save waits for; 0: one number or another."""
        self._number = number
        self._workload = workload
        self._speaker = speaker
        self._recorder = around.recorder
        self._chance = chance
        self._replicas = replicas
        self._plain = workload.reader(around)
        self._nodes = len(around.urls)
        self._saved = 0

    async def step(self) -> None:
        self._saved += 1
        value = self._number * 1_000_000 + self._saved
        document_id = f"p/{self._number}/{self._saved}"
        asked = self._replicas or self._wanted()
        # A majority counts the node that answers.
        replicas = self._nodes // 2 if asked == MAJORITY else asked
        call = self._recorder.now()
        ok: bool | None = None
        try:
            ok, _ = await self._recorder.outcome(
                self._speaker.put_document(document_id, {"value": value}, replicas=asked)
            )
        finally:  # also if it is cancelled: then nobody knows
            self._recorder.note(
                client=self._number,
                key=document_id,
                f="save",
                input=(value, replicas),
                call=call,
                ok=ok,
                node=self._speaker.node,
            )
            if ok:
                self._workload.saved.append((document_id, value))
        if ok and replicas == self._nodes - 1:
            await self._look_everywhere(document_id)

    async def _look_everywhere(self, document_id: str) -> None:
        """What all were waited for is on each node now, one that is cut off among them."""
        await self._plain.learn_nodes()  # one that has joined may have been one of those
        for node in list(self._plain.urls):
            call = self._recorder.now()
            try:
                answer = await self._plain.ask(
                    "GET",
                    "/docs",
                    [("id", document_id)],
                    node=node,
                    is_local=True,
                    seconds_max=LOOK_SECONDS_MAX,
                )
            except (NotDone, Open):
                continue  # it is down, or paused
            note_look(self._recorder, answer, document_id, call, node, ())

    def _wanted(self) -> int:
        if self._chance.random() < ALL_OTHERS:
            return self._nodes - 1
        fewer: int = self._chance.choice((*range(1, self._nodes - 1), MAJORITY))
        return fewer

    async def go_on(self) -> None:
        """Save until cancelled."""
        while True:
            await self.step()

    async def close(self) -> None:
        await self._speaker.close()
        await self._plain.close()


def note_look(
    recorder: Recorder,
    answer: Answer,
    document_id: str,
    call: int,
    node: str,
    killed: tuple[str, ...],
) -> None:
    """Write down what a node has itself of a document."""
    found = answer.content.get("Results")
    recorder.note(
        client=READER,
        key=document_id,
        f="local",
        input=(list(killed),),
        output=found[0]["value"] if found else None,
        call=call,
        ok=True,
        node=node,
    )
