"""R7: numbers of sequences have no gap and no duplicate, whoever dies or asks again.

    invoices   one number, taken by the save of the document that is named by it
    ranges     several that follow each other, taken by the save of the document that holds them
    tickets    taken by themselves, for a holder outside

Who speaks plain HTTP sends a request under one id up to five times, also while the one before is
under way. Some clients die: they ask, and never hear an answer. At the end every node tells who
holds which number, and all numbers are looked up in their documents through every node.
"""

import asyncio
from collections.abc import Sequence
from random import Random

from quoth_node.proving.asking import asking
from quoth_node.proving.sequences import Proof, Wrong
from quoth_node.testing.checkers import gapless
from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.clock import pause
from quoth_node.testing.history import Operation
from quoth_node.testing.workloads.own import Own, reading_errors
from quoth_node.testing.workloads.plain import Plain
from quoth_node.testing.workloads.speaker import Json, NotDone, Open, Strange
from quoth_node.testing.workloads.speakers import Speakers
from quoth_node.testing.workloads.workload import READER, Client, Surroundings

NAMES = ("invoices", "ranges", "tickets")
COUNT_MAX = 5  # numbers at a time
DEATHS = 0.08  # of all operations
TRIES_MAX = 5  # of one request
IMPATIENT_SECONDS = (0.004, 0.03, 5.0)
ROUTE = "/quoth/sequences"
LISTINGS_MAX, AGAIN_SECONDS = 5, 1.0  # at the end, until all nodes tell the same


class Sequences:
    """The workload."""

    name = "sequences"
    goal = "R7"
    clients = 6
    floor_per_minute = 300

    def __init__(self) -> None:
        self._speakers = Speakers()

    async def prepare(self, around: Surroundings) -> None:
        """Nothing has to be there."""

    def client(self, number: int, around: Surroundings, chance: Random) -> Client:
        if number % 2 == 0:
            plain = self._speakers.plain(around, first=number)
            return PlainTaker(number, plain, around, chance)
        return OwnTaker(number, self._speakers.own(around), around, chance)

    async def finish(self, around: Surroundings) -> None:
        """Ask every node who holds which number, and look all up in their documents."""
        async with self._speakers.plain(around) as plain:
            await plain.learn_nodes()
            for name in NAMES:
                for node, url in plain.urls.items():
                    await self._audit(around, name, node, url)
                await self.list_holders(plain, around, name)

    async def _audit(self, around: Surroundings, name: str, node: str, url: str) -> None:
        call = around.recorder.now()
        async with asking(url, around.database) as door:
            proof = Proof(door, name)
            wrong = [told.what async for told in proof.tell() if isinstance(told, Wrong)]
        around.recorder.note(
            client=READER, key=name, f="audit", output=wrong, call=call, ok=True, node=node
        )

    async def list_holders(self, plain: Plain, around: Surroundings, name: str) -> None:
        """What every node has itself. Nodes that differ are asked again before it is noted: a take
        whose answer nobody waits for may come in between.
        """
        for left in reversed(range(LISTINGS_MAX)):
            listed: list[tuple[str, int, dict[int, str]]] = []
            for node in list(plain.urls):
                call = around.recorder.now()
                held = await _holders(plain, name, node)
                listed.append((node, call, held))
            if all(held == listed[0][2] for *_, held in listed) or not left:
                break
            await pause(AGAIN_SECONDS)
        for node, call, held in listed:
            around.recorder.note(
                client=READER, key=name, f="holders", output=held, call=call, ok=True, node=node
            )

    def check(self, operations: Sequence[Operation]) -> list[Violation]:
        found = [
            Violation(anomaly="audit", key=one.key, told=f"{one.node}: {wrong}", evidence=(one,))
            for one in operations
            if one.f == "audit"
            for wrong in one.output
        ]
        return [*found, *gapless.check([one for one in operations if one.f != "audit"])]


async def _holders(plain: Plain, name: str, node: str) -> dict[int, str]:
    """Who holds each number, as a node has it itself, page by page."""
    holders: dict[int, str] = {}
    start: int | None = 1
    while start is not None:
        params = [("name", name), ("start", str(start)), ("pageSize", "10000")]
        asked = plain.ask("GET", f"{ROUTE}/holders", params, node=node, is_local=True)
        answer = await asked
        if "Results" not in answer.content:
            raise Strange(f"{node} has yet to hear of the database, or of the sequence '{name}'")
        page = answer.content
        for row in page["Results"]:
            for at in range(row["Count"]):
                # These sequences begin with 1 and never begin anew.
                holders[row["Ordinal"] + at] = row.get("Holder") or row.get("Reason") or ""
        start = page["NextStart"]
    return holders


class Taking:
    """What the two kinds of clients have in common: whose turn it is, and what is written down."""

    def __init__(self, number: int, around: Surroundings, chance: Random) -> None:
        self.number = number
        self.chance = chance
        self.recorder = around.recorder
        self._asked = 0

    def begin(self) -> tuple[str, int, str]:
        """A sequence, how many numbers, and a name that nothing else has."""
        self._asked += 1
        name = self.chance.choice(NAMES)
        count = 1 if name == "invoices" else self.chance.randint(1, COUNT_MAX)
        return name, count, f"{self.number}-{self._asked}"

    def dies(self) -> bool:
        """Whether the client asks and does not live to hear of it."""
        return self.chance.random() < DEATHS

    def note(
        self,
        name: str,
        count: int,
        unique: str,
        numbers: Sequence[int] | None,
        call: int,
        ok: bool | None,
        node: str = "",
    ) -> None:
        """Write down what became of it."""
        self.recorder.note(
            client=self.number,
            key=name,
            f="take",
            input=(count,) if name == "invoices" else (count, holder_of(name, unique)),
            output=None if numbers is None else list(numbers),
            call=call,
            ok=ok,
            node=node,
        )


class PlainTaker:
    """A client that speaks plain HTTP and asks again under the same id."""

    def __init__(self, number: int, plain: Plain, around: Surroundings, chance: Random) -> None:
        self._taking = Taking(number, around, chance)
        self._plain = plain
        self._chance = chance
        self._seed = around.seed

    async def step(self) -> None:
        name, count, unique = self._taking.begin()
        dies = self._taking.dies()
        request_id = f"{self._seed}-{unique}"
        call = self._taking.recorder.now()
        numbers: list[int] | None = None
        ok: bool | None = False
        for tried in range(1, 1 if dies else self._chance.randint(1, TRIES_MAX) + 1):
            seconds = self._chance.choice(IMPATIENT_SECONDS)
            first = numbers
            try:
                numbers = await self._send(name, count, unique, request_id, seconds)
            except NotDone:
                continue  # if one before it is open, so it stays
            except Open:
                ok = None if numbers is None else ok  # what was told once is told
                continue
            if first not in (None, numbers):
                raise Strange(f"the request {request_id} was told {first}, then {numbers}")
            ok = True
            if tried > 1 or self._chance.random() < 0.8:
                break
        if dies:
            ok, numbers = None, None
            await self._ask_and_die(name, count, unique, request_id)
        self._taking.note(name, count, unique, numbers, call, ok, self._plain.node)

    async def close(self) -> None:
        await self._plain.close()

    async def _ask_and_die(self, name: str, count: int, unique: str, request_id: str) -> None:
        """Send it and close the connection; whatever comes is not heard."""
        try:
            await self._send(name, count, unique, request_id, IMPATIENT_SECONDS[0])
        except (NotDone, Open):
            return

    async def _send(
        self, name: str, count: int, unique: str, request_id: str, seconds: float
    ) -> list[int]:
        if name == "tickets":
            taken = await self._plain.ask(
                "POST",
                f"{ROUTE}/take",
                [("raft-request-id", request_id)],
                {"Name": name, "Count": count, "Holder": unique},
                seconds_max=seconds,
            )
            numbers: list[int] = taken.content["Numbers"]
            return numbers
        saved = await self._plain.save(
            batch(name, count, unique), request_id=request_id, seconds_max=seconds
        )
        numbers = saved.content["Results"][-1]["Numbers"]
        return numbers


class OwnTaker:
    """A client that is `quoth`; when it dies its task is cancelled."""

    def __init__(self, number: int, own: Own, around: Surroundings, chance: Random) -> None:
        self._taking = Taking(number, around, chance)
        self._own = own
        self._chance = chance

    async def step(self) -> None:
        name, count, unique = self._taking.begin()
        call = self._taking.recorder.now()
        seconds = IMPATIENT_SECONDS[0] if self._taking.dies() else None
        try:
            async with asyncio.timeout(seconds):
                ok, numbers = await self._taking.recorder.outcome(self._take(name, count, unique))
        except TimeoutError:
            ok, numbers = None, None
        self._taking.note(name, count, unique, numbers, call, ok)

    async def close(self) -> None:
        await self._own.close()

    async def _take(self, name: str, count: int, unique: str) -> Sequence[int]:
        if name == "tickets":
            async with reading_errors():
                return await self._own.store.sequences.get_next_values(count, name, holder=unique)
        async with self._own.store.open_session() as session:
            numbers = session.advanced.sequences.next_values(count, name)
            if name == "invoices":
                document: Json = {"Number": numbers[0]}
                await session.store(document, f"invoices/{numbers[0]}")
            else:
                await session.store({"Numbers": list(numbers)}, holder_of(name, unique))
            async with reading_errors():
                await session.save_changes()
            return [int(one) for one in numbers]


def holder_of(name: str, unique: str) -> str:
    """Who has the numbers then; that of an invoice is named by its number."""
    return f"ranges/{unique}" if name == "ranges" else unique


def batch(name: str, count: int, unique: str) -> list[Json]:
    """Commands that store a document with its numbers."""
    if name == "invoices":
        places: list[Json] = [{"Command": 0, "InId": True}, {"Command": 0, "Path": "/Number"}]
        document_id = "invoices/{number}"
        document: Json = {"Number": None}
    else:
        document_id = holder_of(name, unique)
        places = [{"Command": 0, "Path": "/Numbers", "All": True}]
        document = {"Numbers": None}
    document["@metadata"] = {"@collection": name.capitalize()}
    return [
        {"Type": "PUT", "Id": document_id, "Document": document},
        {"Type": "QuothTakeNumbers", "Sequence": name, "Count": count, "Places": places},
    ]
