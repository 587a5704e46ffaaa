"""After a save: waiting until indexes have read past it, on every node that is up.

Clients spread their requests, so the next query may reach any node. Each is asked over its link how
its own indexes stand; one that is known to be down, or falls silent, does not hold the save up.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import msgpack

from quoth_cluster.errors import MalformedValue, NoAnswer, NotAsked
from quoth_cluster.machine import Database, Machine
from quoth_cluster.raft.door import RaftLog
from quoth_node.database.waiting import IndexesWanted
from quoth_node.indexing.built import Activity, BuiltIndex
from quoth_node.querying.live import LiveIndexes

TOPIC = "indexes"
NAMES_MAX = 500
SECONDS_MAX = 600.0
ANSWER_SECONDS = 1.0  # for the answer to come, beyond the wait itself


@dataclass(frozen=True, slots=True)
class Lagging:
    """What was not reached in time."""

    etag: int
    relevant: int
    stale: tuple[str, ...]
    paused: tuple[str, ...]


class Covering:
    """Waits for the indexes of all nodes."""

    def __init__(self, raft: RaftLog, machine: Machine, live: LiveIndexes, node_tag: str) -> None:
        self._raft = raft
        self._machine = machine
        self._live = live
        self._node_tag = node_tag
        raft.answer(TOPIC, self._answer)

    async def wait(
        self,
        database: str,
        wanted: IndexesWanted,
        *,
        collections: Sequence[str],
        last_etag: int,
        command_index: int,
    ) -> Lagging | None:
        """Wait until all indexes that a save touches have read it; what lags if they do not.

        Names of indexes that do not exist are passed over.
        """
        status = self._raft.status()
        up = [peer.tag for peer in status.peers if peer.connected]
        question: bytes = msgpack.packb(
            [
                *(database, list(wanted.names), list(collections), last_etag, command_index),
                wanted.timeout_seconds,
            ]
        )
        here = self._here(database, wanted, tuple(collections), last_etag)
        found = await asyncio.gather(
            here, *(self._ask(tag, question, wanted.timeout_seconds) for tag in up)
        )
        return _worst([lagging for lagging in found if lagging is not None])

    # -- inside

    async def _ask(self, tag: str, question: bytes, seconds: float) -> Lagging | None:
        try:
            answer = await self._raft.ask(
                tag, TOPIC, question, timeout_seconds=seconds + ANSWER_SECONDS
            )
        except (NotAsked, NoAnswer):
            return None  # down, or fallen silent: its indexes are asked when it is back
        match msgpack.unpackb(answer):
            case None:
                return None
            case [int(etag), int(relevant), list(stale), list(paused)]:
                return Lagging(
                    etag,
                    relevant,
                    tuple(f"{name} on node {tag}" for name in stale),
                    tuple(f"{name} on node {tag}" for name in paused),
                )
        raise MalformedValue(f"node {tag} answers something else about its indexes")

    async def _answer(self, question: bytes) -> bytes:
        match msgpack.unpackb(question):
            case [str(name), list(names), list(collections), int(etag), int(command), seconds]:
                wait = min(float(seconds), SECONDS_MAX)
            case _:
                raise MalformedValue("a question about indexes is malformed")
        await self._raft.wait_for_command(command, timeout_seconds=wait)
        wanted = IndexesWanted(wait, tuple(names[:NAMES_MAX]))
        found = await self._here(name, wanted, tuple(collections), etag)
        if found is None:
            return bytes(msgpack.packb(None))
        return bytes(
            msgpack.packb([found.etag, found.relevant, list(found.stale), list(found.paused)])
        )

    async def _here(
        self, name: str, wanted: IndexesWanted, collections: tuple[str, ...], etag: int
    ) -> Lagging | None:
        """The same for the indexes of this node."""
        database = self._machine.database(name)
        if database is None:
            return None

        def reached() -> bool | None:
            if not self._live.indexer.is_current(database):
                return None
            return True if not self._behind(database, wanted, collections, etag) else None

        if await self._live.until(reached, wanted.timeout_seconds):
            return None
        behind = self._behind(database, wanted, collections, etag)
        if not behind:
            return None
        return Lagging(
            etag,
            len(self._relevant(database, wanted, collections)),
            tuple(index.name for index in behind),
            tuple(index.name for index in behind if index.activity is Activity.PAUSED),
        )

    def _relevant(
        self, database: Database, wanted: IndexesWanted, collections: tuple[str, ...]
    ) -> list[BuiltIndex]:
        names = {name.lower() for name in wanted.names}
        found = []
        for index in self._live.indexer.every(database):
            is_named = not names or index.name.lower() in names
            touched = names or any(index.reads(collection) for collection in collections)
            if is_named and touched and index.activity is not Activity.DISABLED:
                found.append(index)
        return found

    def _behind(
        self,
        database: Database,
        wanted: IndexesWanted,
        collections: tuple[str, ...],
        etag: int,
    ) -> list[BuiltIndex]:
        relevant = self._relevant(database, wanted, collections)
        return [
            index
            for index in relevant
            if index.etag < etag and index.activity is not Activity.FAULTY
        ]


def _worst(found: list[Lagging]) -> Lagging | None:
    """One account of all nodes that lag."""
    if not found:
        return None
    return Lagging(
        found[0].etag,
        max(one.relevant for one in found),
        tuple(name for one in found for name in one.stale),
        tuple(name for one in found for name in one.paused),
    )
