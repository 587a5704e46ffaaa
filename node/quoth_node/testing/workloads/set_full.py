"""R4: what was acknowledged stays, on every node; what was deleted does not come back.

Elements are documents, each stored by one client in one of the ways there are, and some deleted by
that client later. At the end every node is asked for all of them: what it has itself, and what it
says when it has made sure that it is up to date.
"""

from collections.abc import Awaitable, Sequence
from random import Random

from quoth_node.testing.checkers import set_full
from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.clock import pause
from quoth_node.testing.history import Operation
from quoth_node.testing.workloads.plain import Plain
from quoth_node.testing.workloads.recorder import Notes
from quoth_node.testing.workloads.speaker import Found, Json, Mode, NotDone, Open, Speaker, Writes
from quoth_node.testing.workloads.speakers import Speakers
from quoth_node.testing.workloads.workload import READER, Surroundings

ELEMENTS_MAX = 1_000  # of one set, then another one begins
REMOVES, READS = 0.15, 0.02  # of all operations
PATIENCE_READS, PAUSE_SECONDS = 200, 0.1  # at the end


class SetFull:
    """The workload."""

    name = "set"
    goal = "R4"
    clients = 5
    floor_per_minute = 400

    def __init__(self) -> None:
        self._speakers = Speakers()
        self._added = 0
        self.sets = ["s1"]

    async def prepare(self, around: Surroundings) -> None:
        """Nothing has to be there."""

    def client(self, number: int, around: Surroundings, chance: Random) -> "SetClient":
        return SetClient(number, self, self._speakers.open(number, around), around, chance)

    def new(self) -> tuple[str, int]:
        """The set that is in use, and an element that nobody else has."""
        self._added += 1
        if self._added % ELEMENTS_MAX == 0:
            self.sets.append(f"s{len(self.sets) + 1}")
        return self.sets[-1], self._added

    async def finish(self, around: Surroundings) -> None:
        """Ask every node for every set, both ways."""
        async with self._speakers.plain(around) as plain:
            await plain.learn_nodes()
            for name in self.sets:
                for node in plain.urls:
                    for is_local in (False, True):
                        await self._read_all(plain, around, name, node, is_local=is_local)

    async def _read_all(
        self, plain: Plain, around: Surroundings, name: str, node: str, *, is_local: bool
    ) -> None:
        """The current read comes first: it lets the node catch up with what was acknowledged."""
        for _ in range(PATIENCE_READS):
            call = around.recorder.now()
            try:
                found = await plain.load_prefix(f"{name}/", node=node, is_local=is_local)
            except (NotDone, Open):
                await pause(PAUSE_SECONDS)
                continue
            around.recorder.note(
                client=READER,
                key=name,
                f="read",
                input=("final", "local") if is_local else ("final",),
                output=elements_of(found),
                call=call,
                ok=True,
                node=node,
            )
            return
        raise Open(f"{node} does not tell its part of {name}")

    def check(self, operations: Sequence[Operation]) -> list[Violation]:
        return set_full.check(operations)


class SetClient:
    """One client of them."""

    def __init__(
        self,
        number: int,
        workload: SetFull,
        speaker: Speaker,
        around: Surroundings,
        chance: Random,
    ) -> None:
        self._workload = workload
        self._speaker = speaker
        self._recorder = around.recorder
        self._note = Notes(around.recorder, number, speaker)
        self._chance = chance
        self._added: list[tuple[str, int]] = []  # acknowledged, and not deleted

    async def step(self) -> None:
        die = self._chance.random()
        if die < READS:
            await self._read(self._workload.sets[-1])
        elif die < READS + REMOVES and self._added:
            at = self._chance.randrange(len(self._added))
            await self._remove(*self._added.pop(at))
        else:
            await self._add(*self._workload.new())

    async def close(self) -> None:
        await self._speaker.close()

    async def _add(self, name: str, element: int) -> None:
        document_id, body = f"{name}/{element}", {"element": element}
        ways: list[Awaitable[object]] = []
        way = self._chance.choice(("put", *self._speaker.modes))
        if isinstance(way, Mode):

            def decide(_: Found) -> Writes:
                return Writes({document_id: body})

            ways.append(self._speaker.transact([document_id], (), decide, mode=way))
        else:
            ways.append(self._speaker.put_document(document_id, body))
        call = self._recorder.now()
        ok, _ = await self._recorder.outcome(ways[0])
        self._note(name, "add", (element,), None, call, ok)
        if ok:
            self._added.append((name, element))

    async def _remove(self, name: str, element: int) -> None:
        call = self._recorder.now()
        ok, _ = await self._recorder.outcome(self._speaker.delete_document(f"{name}/{element}"))
        self._note(name, "remove", (element,), None, call, ok)

    async def _read(self, name: str) -> None:
        call = self._recorder.now()
        ok, found = await self._recorder.outcome(self._speaker.load_prefix(f"{name}/"))
        if ok and found is not None:
            self._note(name, "read", (), elements_of(found), call, True)


def elements_of(found: dict[str, Json]) -> list[int]:
    """The elements of a set, from its documents."""
    return sorted(int(body["element"]) for body in found.values())
