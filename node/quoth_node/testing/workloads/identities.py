"""R6: numbers of an identity are given once, and never go back.

They are taken by themselves, or by a document that is stored as `name|` and gets its number; now
and then somebody lets the series go on from a higher one.
"""

from collections.abc import Sequence
from random import Random

from quoth_node.testing.checkers import uniqueness
from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.history import Operation
from quoth_node.testing.workloads.recorder import Notes
from quoth_node.testing.workloads.speaker import Speaker
from quoth_node.testing.workloads.speakers import Speakers
from quoth_node.testing.workloads.workload import READER, Surroundings

NAMES = ("bills", "orders", "tickets")
DOES = ("next", "store", "seed")
WEIGHTS = (70, 25, 5)
LEAP_MAX = 20  # how far a series may be seeded ahead


class Identities:
    """The workload."""

    name = "identities"
    goal = "R6"
    clients = 4
    floor_per_minute = 400

    def __init__(self) -> None:
        self._speakers = Speakers()

    async def prepare(self, around: Surroundings) -> None:
        """Nothing has to be there."""

    def client(self, number: int, around: Surroundings, chance: Random) -> "IdentityClient":
        return IdentityClient(number, self._speakers.open(number, around), around, chance)

    async def finish(self, around: Surroundings) -> None:
        """Take one more number of each series through every node."""
        async with self._speakers.plain(around) as plain:
            await plain.learn_nodes()
            taker = IdentityClient(READER, plain, around, Random(around.seed))
            for name in NAMES:
                for _ in plain.urls:
                    await taker.take(name)

    def check(self, operations: Sequence[Operation]) -> list[Violation]:
        return uniqueness.check(operations)


class IdentityClient:
    """One client of them."""

    def __init__(self, number: int, speaker: Speaker, around: Surroundings, chance: Random) -> None:
        self._number = number
        self._speaker = speaker
        self._recorder = around.recorder
        self._notes = Notes(around.recorder, number, speaker)
        self._chance = chance
        self._latest = dict.fromkeys(NAMES, 0)

    async def step(self) -> None:
        name = self._chance.choice(NAMES)
        [does] = self._chance.choices(DOES, WEIGHTS)
        if does == "next":
            await self.take(name)
        elif does == "store":
            await self._store(name)
        else:
            await self._seed(name)

    async def close(self) -> None:
        await self._speaker.close()

    async def take(self, name: str) -> None:
        """Take the next number of a series."""
        call = self._recorder.now()
        ok, number = await self._recorder.outcome(self._speaker.next_identity(f"{name}|"))
        self._note(name, "next", (), number, call, ok)

    async def _store(self, name: str) -> None:
        call = self._recorder.now()
        ok, stored = await self._recorder.outcome(
            self._speaker.put_document(f"{name}|", {"by": self._number})
        )
        number = None if stored is None else int(stored.rsplit("/", 1)[1])
        self._note(name, "next", (), number, call, ok)

    async def _seed(self, name: str) -> None:
        value = self._latest[name] + self._chance.randint(1, LEAP_MAX)
        call = self._recorder.now()
        ok, _ = await self._recorder.outcome(self._speaker.seed_identity(f"{name}|", value))
        self._note(name, "seed", (value,), None, call, ok)

    def _note(
        self,
        name: str,
        f: str,
        input: tuple[int, ...],
        number: int | None,
        call: int,
        ok: bool | None,
    ) -> None:
        if number is not None:
            self._latest[name] = number
        self._notes(name, f, input, number, call, ok)
