"""R3: transactions read lists and append to them; what they saw tells in which order they were.

Lists are documents, some of the serializable ones compare-exchange values. The modes have lists of
their own, for they promise different things, and each client has its turn in all that it speaks:

    serializable   sessions of `quoth`: strictly serializable, what was only read included
    cluster        cluster transactions under atomic guards: what was written is checked; what was
                   only read is of the state that one request saw
    single         batches under change vectors: the same, for what one batch writes
"""

from collections.abc import Sequence
from random import Random

from quoth_node.testing.checkers import list_append
from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.history import Operation
from quoth_node.testing.workloads.rotation import Rotation
from quoth_node.testing.workloads.speaker import Found, Mode, Speaker, Writes
from quoth_node.testing.workloads.speakers import Speakers
from quoth_node.testing.workloads.workload import READER, Surroundings

LIVE, APPENDS_MAX = 5, 48  # lists in use of each mode; how long each grows
TOUCHED_MAX = 3  # lists in one transaction

LEVELS = {
    Mode.SERIALIZABLE: "strict-serializable",
    Mode.CLUSTER: "checked-writes",
    Mode.SINGLE: "checked-writes",
}

Asked = list[tuple[str, str, int | None]]  # ("append", list, element) or ("r", list, None)


class ListAppend:
    """The workload. Operations of a mode have its name as their key."""

    name = "list-append"
    goal = "R3"
    clients = 6
    floor_per_minute = 300

    def __init__(self) -> None:
        self._speakers = Speakers()
        self.lists = {mode: Rotation(f"{mode.value}/", LIVE, APPENDS_MAX) for mode in Mode}
        self.elements = 0  # the last one made; none is made twice

    async def prepare(self, around: Surroundings) -> None:
        """Nothing has to be there: a list begins with its first element."""

    def client(self, number: int, around: Surroundings, chance: Random) -> "ListClient":
        return ListClient(number, self, self._speakers.open(number, around), around, chance)

    async def finish(self, around: Surroundings) -> None:
        """Read the lists that are in use through every node, and those before them once."""
        async with self._speakers.plain(around) as plain:
            await plain.learn_nodes()
            reader = ListClient(READER, self, plain, around, Random(around.seed))
            for mode in (Mode.SINGLE, Mode.CLUSTER):
                for _ in plain.urls:
                    await reader.transact(mode, self.lists[mode].keys, ())
                for name in self.lists[mode].retired:
                    await reader.transact(mode, [name], ())
        own = self._speakers.own(around)
        reader = ListClient(READER, self, own, around, Random(around.seed))
        lists = self.lists[Mode.SERIALIZABLE]
        for names in (lists.keys, *([name] for name in lists.retired)):
            await reader.transact(Mode.SERIALIZABLE, names, ())
        await reader.close()

    def check(self, operations: Sequence[Operation]) -> list[Violation]:
        found: list[Violation] = []
        for mode in Mode:
            of_mode = [one for one in operations if one.key == mode.value]
            found += list_append.check(of_mode, level=LEVELS[mode])
        return found


class ListClient:
    """One client of them."""

    def __init__(
        self,
        number: int,
        workload: ListAppend,
        speaker: Speaker,
        around: Surroundings,
        chance: Random,
    ) -> None:
        self._number = number
        self._workload = workload
        self._speaker = speaker
        self._recorder = around.recorder
        self._chance = chance

    async def step(self) -> None:
        mode = self._chance.choice(self._speaker.modes)
        count = self._chance.randint(1, TOUCHED_MAX)
        names = self._workload.lists[mode].sample(self._chance, count)
        appended = self._chance.sample(names, self._chance.randint(0, len(names)))
        await self.transact(mode, names, appended)

    async def close(self) -> None:
        await self._speaker.close()

    async def transact(self, mode: Mode, names: Sequence[str], appended: Sequence[str]) -> None:
        """Read lists, then append an element of its own to some of them."""
        elements = {name: self._element() for name in appended}
        asked: Asked = [("r", name, None) for name in names]
        asked += [("append", name, element) for name, element in elements.items()]
        lists: dict[str, list[int]] = {}

        def decide(found: Found) -> Writes | None:
            for name, body in found.documents.items():
                lists[name] = body["elements"] if body else []
            for name, value in found.values.items():
                lists[name] = value or []
            after = {name: [*lists[name], element] for name, element in elements.items()}
            if not after:
                return None
            return Writes(
                {one: {"elements": after[one]} for one in after if one not in keys},
                {one: after[one] for one in after if one in keys},
            )

        keys = [one for one in names if mode is Mode.SERIALIZABLE and is_value(one)]
        ids = [one for one in names if one not in keys]
        call = self._recorder.now()
        ok, index = await self._recorder.outcome(
            self._speaker.transact(ids, keys, decide, mode=mode)
        )
        told = [
            (f, name, lists.get(name) if f == "r" and ok else element) for f, name, element in asked
        ]
        self._recorder.note(
            client=self._number,
            key=mode.value,
            f="txn",
            input=tuple(list(one) for one in asked),
            output=[list(one) for one in told] if ok else None,
            call=call,
            ok=ok,
            index=index,
            node=self._speaker.node,
        )
        for name in appended:
            self._workload.lists[mode].count(name, is_unknown=ok is None)

    def _element(self) -> int:
        self._workload.elements += 1
        return self._workload.elements


def is_value(name: str) -> bool:
    """Whether a list is a compare-exchange value: every third is."""
    return int(name.rsplit("/", 1)[1]) % 3 == 0
