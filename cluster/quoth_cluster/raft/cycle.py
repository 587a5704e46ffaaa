"""The cycle: the one loop that feeds the engine, and the one place where durability is waited for.

    take what came in -> let the engine handle it, one tick -> tell the applier what is committed
    and durable here -> if the journal is dirty, fsync it in a worker thread -> only then release
    the messages produced -> tell the applier what is committed and durable now

No acknowledgement, vote or own count ever rests on bytes that could be lost, and while one fsync
runs the next batch gathers: group commit without timers.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from quoth_cluster.raft.applier import Applier
from quoth_cluster.raft.engine import Engine
from quoth_cluster.raft.entry import pack_commands
from quoth_cluster.raft.journal import Journal
from quoth_cluster.raft.proposals import ENTRIES_IN_FLIGHT_MAX, Proposals

TICK_SECONDS = 0.02
INBOX_MAX = 4_096  # messages of peers that wait for the cycle; over it their links wait
INBOX_BYTES_MAX = 16 * 1024 * 1024  # of their slots

T = TypeVar("T")

log = logging.getLogger(__name__)


class Cycle:
    """Drives one engine. Whatever touches the engine's log happens between two awaits here."""

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        proposals: Proposals,
        applier: Applier,
        *,
        send: Callable[[str, dict[str, Any]], bool],
        on_configuration: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._proposals = proposals
        self._applier = applier
        self._send = send
        self._on_configuration = on_configuration
        self._moves_seen = journal.membership_moves
        self._inbox: list[tuple[str, bytes, dict[str, Any]]] = []
        self._inbox_bytes = 0
        self._todo: list[Callable[[], None]] = []
        self._between: list[tuple[Callable[[], Awaitable[None]], asyncio.Future[None]]] = []
        self._holds = 0  # by how many the proposals are held
        self._trim_index = 0
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._wake = asyncio.Event()
        self._news = asyncio.Event()  # replaced at each change of role, leader or term
        self._seen: tuple[int, str | None, bool] = (0, None, False)

    async def accept(self, tag: str, incarnation: bytes, message: dict[str, Any]) -> None:
        """Take a raft message of a peer; waits while too many wait already."""
        await self._has_room.wait()
        self._inbox.append((tag, incarnation, message))
        self._inbox_bytes += _bytes_in(message)
        if len(self._inbox) >= INBOX_MAX or self._inbox_bytes >= INBOX_BYTES_MAX:
            self._has_room.clear()
        self._wake.set()

    def wake(self) -> None:
        """Something waits to be proposed."""
        self._wake.set()

    async def run_inside(self, step: Callable[[], T]) -> T:
        """Run `step` where the engine may be touched; what it returned."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def run() -> None:
            if not future.done():
                future.set_result(step())

        self._todo.append(run)
        self._wake.set()
        return await future

    async def run_between(self, step: Callable[[], Awaitable[None]]) -> None:
        """Run `step` between two turns: nothing else touches engine or journal until it is done."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._between.append((step, future))
        self._wake.set()
        await future

    @contextmanager
    def holding_proposals(self) -> Iterator[None]:
        """Meanwhile what is proposed here waits, so that a follower can come to hold all."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            self._wake.set()

    def trim_to(self, log_index: int) -> None:
        """The log up to `log_index` is not needed here any more."""
        self._trim_index = max(self._trim_index, log_index)

    async def news(self, *, seconds: float) -> None:
        """Return at the next change of role, leader or term, or when the time is over."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return

    async def run(self, disk: ThreadPoolExecutor) -> None:
        """Turn until cancelled. A Fatal ends the node: nothing more is acknowledged."""
        loop = asyncio.get_running_loop()
        while True:
            await self._work_or_tick()
            self._step()
            self._hand_on()  # what this turn has told committed does not wait for what it wrote
            if self._journal.is_dirty:
                await loop.run_in_executor(disk, self._journal.sync)
            for tag, message in self._engine.take_messages():
                self._send(tag, message)
            self._hand_on()
            if self._counts_only_itself():
                self._wake.set()
            self._tell_news()
            if self._journal.membership_moves != self._moves_seen:
                self._moves_seen = self._journal.membership_moves
                self._on_configuration()
            if self._trim_index > self._journal.base_index:
                self._journal.trim_to(min(self._trim_index, self._journal.synced_index))
                # The names of files are made durable one by one: not on the loop.
                await loop.run_in_executor(disk, self._journal.remove_trimmed)
            while self._between:
                step, future = self._between.pop(0)
                await step()
                if not future.done():
                    future.set_result(None)

    def _hand_on(self) -> None:
        """What is committed and durable here may be applied; by members who are durable, too."""
        synced = self._journal.synced_index
        if self._journal.last_membership_index() <= synced:
            self._applier.committed(min(self._engine.commit_index, synced))

    async def _work_or_tick(self) -> None:
        try:
            async with asyncio.timeout(TICK_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return
        finally:
            self._wake.clear()

    def _step(self) -> None:
        """One turn without waiting: messages, proposals, a tick."""
        inbox, self._inbox = self._inbox, []
        self._inbox_bytes = 0
        self._has_room.set()
        for tag, incarnation, message in inbox:
            self._engine.receive(tag, message, incarnation=incarnation)
        todo, self._todo = self._todo, []
        for run in todo:
            run()
        self._engine.tick()
        self._propose()

    def _propose(self) -> None:
        if not self._engine.is_leader:
            self._proposals.turn_all_away("this node does not lead")
            return
        while len(self._proposals) and not self._holds:
            if self._journal.last_index - self._engine.commit_index >= ENTRIES_IN_FLIGHT_MAX:
                return  # the acknowledgement that makes room also wakes the cycle
            batch = self._proposals.next_batch(self._engine.term)
            if batch and self._engine.propose(pack_commands(batch)) is None:
                raise AssertionError("a leader takes what is proposed to it")

    def _counts_only_itself(self) -> bool:
        """A leader alone commits what is durable at its next turn; no acknowledgement wakes it."""
        engine = self._engine
        is_open = engine.commit_index < self._journal.synced_index
        return is_open and engine.is_leader and not engine.others

    def _tell_news(self) -> None:
        engine = self._engine
        seen = (engine.term, engine.leader, engine.is_leader)
        if seen == self._seen:
            return
        if seen[1] != self._seen[1]:
            log.info("term %d: the leader is %s", engine.term, engine.leader or "not known")
        self._seen = seen
        self._news.set()
        self._news = asyncio.Event()


def _bytes_in(message: dict[str, Any]) -> int:
    """About how much a message holds; it is not checked yet."""
    entries = message.get("entries")
    if not isinstance(entries, list):
        return 0
    contents = (entry[0] for entry in entries if isinstance(entry, list) and entry)
    return sum(len(content) for content in contents if isinstance(content, bytes))
