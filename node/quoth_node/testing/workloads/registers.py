"""R1: compare-exchange values and documents are linearizable registers.

Keys `v...` are compare-exchange values: changed under the index that was read before. As values are
unique this is a compare-and-set by value. Keys `d...` are documents, which can also be written and
deleted blindly. All clients work on a few keys at a time; these rotate.

A compare-and-set that failed tells which other value was there. One that was not even tried (503,
no connection) tells nothing, and is not written down; nor is one of a document that was refused,
for its answer does not tell the value, and every unknown write could explain it.
"""

from collections.abc import Sequence
from random import Random
from typing import Any

from quoth_node.testing.checkers import index_witness, linearizability
from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.history import ABSENT, Operation
from quoth_node.testing.workloads.recorder import Notes
from quoth_node.testing.workloads.rotation import Rotation
from quoth_node.testing.workloads.speaker import Document, Held, NotDone, Open, Speaker
from quoth_node.testing.workloads.speakers import Speakers
from quoth_node.testing.workloads.workload import READER, Surroundings

LIVE, OPERATIONS_MAX = 2, 400  # of each kind; operations on one key
DOES = ("read", "cas", "write", "delete")
ONLY_READS_EACH = 4  # of the clients
WEIGHTS = (40, 35, 15, 10)


class Registers:
    """The workload."""

    name = "registers"
    goal = "R1"
    clients = 8
    floor_per_minute = 600

    def __init__(self) -> None:
        self._speakers = Speakers()
        self.values = Rotation("v", LIVE, OPERATIONS_MAX)
        self.documents = Rotation("d", LIVE, OPERATIONS_MAX)

    async def prepare(self, around: Surroundings) -> None:
        """Nothing has to be there."""

    def client(self, number: int, around: Surroundings, chance: Random) -> "RegistersClient":
        return RegistersClient(number, self, self._speakers.open(number, around), around, chance)

    async def finish(self, around: Surroundings) -> None:
        """Read all keys that are in use through every node, and those before them once."""
        async with self._speakers.plain(around) as plain:
            reader = RegistersClient(READER, self, plain, around, Random(around.seed))
            await plain.learn_nodes()
            for key in (*self.values.keys, *self.documents.keys):
                for _ in plain.urls:
                    await reader.read(key)
            for key in (*self.values.retired, *self.documents.retired):
                await reader.read(key)

    def check(self, operations: Sequence[Operation]) -> list[Violation]:
        # Nodes tell no index of documents, and a witness that knows none would search for long.
        of_values = [one for one in operations if one.key.startswith("v")]
        return [*linearizability.check(operations), *index_witness.check(of_values)]


class RegistersClient:
    """One client of them."""

    def __init__(
        self,
        number: int,
        registers: Registers,
        speaker: Speaker,
        around: Surroundings,
        chance: Random,
    ) -> None:
        self._number = number
        self._registers = registers
        self._speaker = speaker
        self._recorder = around.recorder
        self._notes = Notes(around.recorder, number, speaker)
        self._chance = chance
        # Who also writes waits for a node that is cut off, instead of reading there.
        self._only_reads = number % ONLY_READS_EACH == 0
        self._written = 0
        self._seen: dict[str, Held | Document | None] = {}  # what was read of each key last

    async def step(self) -> None:
        rotation = self._chance.choice((self._registers.values, self._registers.documents))
        key = rotation.pick(self._chance)
        [does] = self._chance.choices(DOES, WEIGHTS)
        if does == "read" or key not in self._seen or self._only_reads:
            await self.read(key)
        elif key.startswith("v"):
            await self._change_value(key, is_delete=does == "delete")
        elif does == "cas":
            await self._change_document(key)
        else:
            await self._write_document(key, is_delete=does == "delete")

    async def close(self) -> None:
        await self._speaker.close()

    async def read(self, key: str) -> None:
        """Read one register."""
        call = self._recorder.now()
        seen: Held | Document | None
        try:
            if key.startswith("v"):
                seen = await self._speaker.get_value(key)
            else:
                seen = (await self._speaker.load([key]))[key]
        except (NotDone, Open):
            return
        self._seen[key] = seen
        self._note(key, "read", (), value_of(seen), call, True, index=index_of(seen))

    async def _change_value(self, key: str, *, is_delete: bool) -> None:
        held = self._seen.pop(key)
        assert not isinstance(held, Document), "of a value"
        old, index = value_of(held), held.index if held else 0
        new = ABSENT if is_delete and held else self._unique()
        call = self._recorder.now()
        try:
            if new == ABSENT:
                told = await self._speaker.delete_value(key, index)
            else:
                told = await self._speaker.put_value(key, new, index)
        except NotDone:
            return
        except Open:
            self._note(key, "cas", (old, new), None, call, None)
            return
        if told.is_done:
            self._note(key, "cas", (old, new), None, call, True, told.index)
        else:
            self._seen[key] = held = told.held
            self._note(key, "cas", (old, new), value_of(held), call, False, index_of(held))

    async def _change_document(self, key: str) -> None:
        document = self._seen.pop(key)
        assert not isinstance(document, Held), "of a document"
        old, new = value_of(document), self._unique()
        vector = document.vector if document else ""
        call = self._recorder.now()
        try:
            await self._speaker.put_document(key, {"value": new}, vector)
        except NotDone:
            return  # also if it was refused, for nobody told by what
        except Open:
            self._note(key, "cas", (old, new), None, call, None)
        else:
            self._note(key, "cas", (old, new), None, call, True)

    async def _write_document(self, key: str, *, is_delete: bool) -> None:
        self._seen.pop(key)
        new = ABSENT if is_delete else self._unique()
        call = self._recorder.now()
        try:
            if is_delete:
                await self._speaker.delete_document(key)
            else:
                await self._speaker.put_document(key, {"value": new})
        except NotDone:
            self._note(key, "write", (new,), None, call, False)
        except Open:
            self._note(key, "write", (new,), None, call, None)
        else:
            self._note(key, "write", (new,), None, call, True)

    def _unique(self) -> int:
        self._written += 1
        return self._number * 1_000_000 + self._written

    def _note(
        self,
        key: str,
        f: str,
        input: tuple[int, ...],
        output: Any,
        call: int,
        ok: bool | None,
        index: int | None = None,
    ) -> None:
        self._notes(key, f, input, output, call, ok, index)
        rotation = self._registers.values if key.startswith("v") else self._registers.documents
        rotation.count(key, is_unknown=ok is None)


def value_of(seen: Held | Document | None) -> int:
    """What a register holds."""
    if seen is None:
        return ABSENT
    return int(seen.value if isinstance(seen, Held) else seen.body["value"])


def index_of(seen: Held | Document | None) -> int | None:
    """The index of the command that set it, where it is told."""
    return seen.index if isinstance(seen, Held) else None
