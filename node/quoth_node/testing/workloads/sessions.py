"""R9: a session sees what it has written, and never goes back, whichever nodes answer it.

Documents hold a version that is only ever written under the change vector of the one before, and
compare-exchange values likewise under their index, so the versions of a key are numbered in their
order whoever writes them. A document is written in one mode only: a cluster transaction checks its
guard, which others leave as it is, so it would not see what they wrote. Those who speak plain HTTP
ask any node, request by request. What they have written in a cluster transaction they read again
from what another node has itself, and tell it no more than the index of their command.
"""

from collections.abc import Sequence
from random import Random
from typing import Any

from quoth_node.testing.checkers import sessions
from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.history import Operation
from quoth_node.testing.workloads.plain import Plain
from quoth_node.testing.workloads.recorder import Notes
from quoth_node.testing.workloads.speaker import Found, Json, Mode, Speaker, Writes
from quoth_node.testing.workloads.speakers import Speakers
from quoth_node.testing.workloads.workload import READER, Surroundings

CHECKED = (Mode.SINGLE, Mode.CLUSTER)
SHARED = tuple(f"shared/{mode.value}/{number}" for mode in CHECKED for number in range(2))
VALUES = tuple(f"values/{number}" for number in range(2))
OWN_KEYS = 1  # documents of each mode that only one session writes
DOES = ("read", "read-all", "write", "write-two", "write-value")
WEIGHTS = (35, 15, 25, 10, 15)
SINCE = ("since",)  # a read that rests on an index alone
SINCE_MIN = 50  # then one of them comes through, whatever the faults


class Sessions:
    """The workload."""

    name = "sessions"
    goal = "R9"
    clients = 6
    floor_per_minute = 500

    def __init__(self) -> None:
        self._speakers = Speakers()

    async def prepare(self, around: Surroundings) -> None:
        """Nothing has to be there."""

    def client(self, number: int, around: Surroundings, chance: Random) -> "SessionClient":
        speaker: Speaker = (
            Plain(around.urls, around.database, chance=chance)
            if number % 2 == 0
            else self._speakers.own(around)
        )
        return SessionClient(number, speaker, around, chance)

    async def finish(self, around: Surroundings) -> None:
        """One more session reads every shared key through every node."""
        async with self._speakers.plain(around) as plain:
            await plain.learn_nodes()
            reader = SessionClient(READER, plain, around, Random(around.seed))
            for key in (*SHARED, *VALUES):
                for _ in plain.urls:
                    await reader.read([key])

    def check(self, operations: Sequence[Operation]) -> list[Violation]:
        found = sessions.check(operations)
        again = [one for one in operations if tuple(one.input) == SINCE]
        if len(again) >= SINCE_MIN and not any(one.ok for one in again):
            told = f"of {len(again)} documents none was read again by the index of its command"
            one = again[-1]
            found.append(
                Violation(anomaly="never-read-again", key=one.key, told=told, evidence=(one,))
            )
        return found


class SessionClient:
    """One session."""

    def __init__(self, number: int, speaker: Speaker, around: Surroundings, chance: Random) -> None:
        self._number = number
        self._speaker = speaker
        self._recorder = around.recorder
        self._note = Notes(around.recorder, number, speaker)
        self._chance = chance
        self._written = 0
        self._own = tuple(
            f"own/{mode.value}/{number}/{one}" for mode in CHECKED for one in range(OWN_KEYS)
        )

    async def step(self) -> None:
        [does] = self._chance.choices(DOES, WEIGHTS)
        documents = (*SHARED, *self._own)
        match does:
            case "read":
                await self.read([self._chance.choice((*documents, *VALUES))])
            case "read-all":
                await self.read(SHARED)
            case "write":
                await self._write_documents(1)
            case "write-two":
                await self._write_documents(2)
            case _:
                await self._write([self._chance.choice(VALUES)], Mode.CLUSTER)

    async def close(self) -> None:
        await self._speaker.close()

    async def read(self, keys: Sequence[str]) -> None:
        """Read documents, or a value."""
        ids, values = parted(keys)

        def look(found: Found) -> None:
            seen.update({**found.documents, **found.values})

        seen: dict[str, Any] = {}
        call = self._recorder.now()
        ok, _ = await self._recorder.outcome(
            self._speaker.transact(ids, values, look, mode=Mode.CLUSTER)
        )
        if ok:
            for key in keys:
                self._note(key, "read", (), version_of(seen[key]), call, True)

    async def _write_documents(self, count: int) -> None:
        mode = self._chance.choice(CHECKED)
        written = [key for key in (*SHARED, *self._own) if mode.value in key.split("/")]
        await self._write(self._chance.sample(written, count), mode)

    async def _write(self, keys: Sequence[str], mode: Mode) -> None:
        """The next versions of some keys, of what is read just before."""
        ids, values = parted(keys)
        self._written += 1
        value = f"{self._number}.{self._written}"
        seen: dict[str, Any] = {}
        asked_at = self._recorder.now()

        def decide(found: Found) -> Writes:
            nonlocal asked_at
            seen.update({**found.documents, **found.values})
            for key in keys:
                self._note(key, "read", (), version_of(seen[key]), asked_at, True)
            asked_at = self._recorder.now()
            after = {key: next_of(seen[key], value) for key in keys}
            return Writes({key: after[key] for key in ids}, {key: after[key] for key in values})

        ok, index = await self._recorder.outcome(
            self._speaker.transact(ids, values, decide, mode=mode)
        )
        for key in seen:  # nothing, if not even the read was answered
            written = tuple(version_of(next_of(seen[key], value)))
            self._note(key, "write", written, None, asked_at, ok)
        if ids and index is not None and isinstance(self._speaker, Plain):
            await self._read_since(self._speaker, ids, index)

    async def _read_since(self, plain: Plain, ids: Sequence[str], index: int) -> None:
        """Read documents again from a node that may not be asked how current it is."""
        call = self._recorder.now()
        ok, found = await self._recorder.outcome(plain.load_since(ids, index))
        for one in ids:
            document = found[one] if found else None
            told = version_of(document.body if document else None) if ok else None
            self._note(one, "read", SINCE, told, call, ok)


def parted(keys: Sequence[str]) -> tuple[list[str], list[str]]:
    """Those that are documents, and those that are compare-exchange values."""
    return [key for key in keys if key not in VALUES], [key for key in keys if key in VALUES]


def version_of(held: Json | None) -> list[Any]:
    """What a key holds: its version and the value that tells who wrote it; 0 for nothing."""
    return [held["version"], held["value"]] if held else [0, None]


def next_of(held: Json | None, value: str) -> Json:
    """What comes after what a key holds."""
    return {"version": (held["version"] if held else 0) + 1, "value": value}
