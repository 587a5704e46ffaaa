"""After a save: waiting until indexes have read past it, on every node that is up.

Clients spread their requests, so the next query may reach any node. Each is asked over its link how
its own indexes stand; one that is known to be down, or falls silent, does not hold the save up.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgpack

from quoth_cluster.errors import MalformedValue, NoAnswer, NotAsked
from quoth_cluster.indexes import every as every_index
from quoth_cluster.machine import Database, Machine
from quoth_cluster.raft.door import RaftLog
from quoth_cluster.store.environment import Closed
from quoth_cluster.store.keys import fold_text
from quoth_node.database.waiting import IndexesWanted
from quoth_node.indexing.built import Activity, BuiltIndex
from quoth_node.querying.live import LiveIndexes

TOPIC = "indexes"
NAMES_MAX = 500
SECONDS_MAX = 600.0
QUESTION_SECONDS = 1.0  # of the wait, by one question
ANSWER_SECONDS = 1.0  # for the answer to come, beyond the wait itself
SILENT_MAX = 2  # questions in a row without an answer
NOT_THERE = "all, for the save is not there yet"

log = logging.getLogger(__name__)


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
        asked = partial(
            self._until_read,
            about=[database, list(wanted.names), list(collections), last_etag, command_index],
            seconds=wanted.timeout_seconds,
        )
        here = self._here(database, wanted, tuple(collections), last_etag)
        found = await asyncio.gather(here, *(asked(tag) for tag in self._up()))
        return _worst([lagging for lagging in found if lagging is not None])

    # -- inside

    def _up(self) -> list[str]:
        """The other nodes, but for those that are known to be down."""
        return [peer.tag for peer in self._raft.status().peers if peer.connected]

    async def _until_read(self, tag: str, *, about: list[Any], seconds: float) -> Lagging | None:
        """What lags on another node at the end; None also if it is down, or falls silent."""
        clock = self._live.clock
        deadline, silent = clock.monotonic() + seconds, 0
        while True:
            # An answer may be lost with its link, so a long wait is many short questions.
            left = max(0.0, deadline - clock.monotonic())
            wait = min(left, QUESTION_SECONDS)
            question = bytes(msgpack.packb([*about, wait]))
            try:
                answer = await self._raft.ask(
                    tag, TOPIC, question, timeout_seconds=wait + ANSWER_SECONDS
                )
            except NotAsked:
                return None  # its indexes are asked when it is back
            except NoAnswer:
                silent += 1
                if silent >= SILENT_MAX or tag not in self._up():
                    log.info("node %s does not say how its indexes stand", tag)
                    return None
                continue
            silent = 0
            lagging = _lagging_on(tag, answer)
            if lagging is None or left <= wait:
                return lagging

    async def _answer(self, question: bytes) -> bytes:
        match msgpack.unpackb(question):
            case [str(name), list(names), list(collections), int(etag), int(command), seconds]:
                wait = min(float(seconds), SECONDS_MAX)
            case _:
                raise MalformedValue("a question about indexes is malformed")
        clock = self._live.clock
        deadline = clock.monotonic() + wait
        is_there = await self._raft.wait_for_command(command, timeout_seconds=wait)
        found: Lagging | None = Lagging(etag, 0, (NOT_THERE,), ())
        if is_there:
            wanted = IndexesWanted(max(0.0, deadline - clock.monotonic()), tuple(names[:NAMES_MAX]))
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

        try:
            if await self._live.until(reached, wanted.timeout_seconds):
                return None
            unknown = self._unknown(database, wanted)
        except Closed:  # it was deleted meanwhile
            return None
        behind = self._behind(database, wanted, collections, etag)
        if not behind and not unknown:
            return None
        return Lagging(
            etag,
            len(self._relevant(database, wanted, collections)) + len(unknown),
            (*(index.name for index in behind), *unknown),
            tuple(index.name for index in behind if index.activity is Activity.PAUSED),
        )

    def _unknown(self, database: Database, wanted: IndexesWanted) -> list[str]:
        """Indexes that are defined, and not begun here: the indexer does not come so far."""
        known = {fold_text(index.name) for index in self._live.indexer.every(database)}
        names = {fold_text(name) for name in wanted.names}
        with database.read() as txn:
            records = every_index(txn)
        return [
            record.name
            for record in records
            if fold_text(record.name) not in known
            and record.state != "Disabled"
            and (not names or fold_text(record.name) in names)
        ]

    def _relevant(
        self, database: Database, wanted: IndexesWanted, collections: tuple[str, ...]
    ) -> list[BuiltIndex]:
        names = {fold_text(name) for name in wanted.names}
        found = []
        for index in self._live.indexer.every(database):
            is_named = not names or fold_text(index.name) in names
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


def _lagging_on(tag: str, answer: bytes) -> Lagging | None:
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
