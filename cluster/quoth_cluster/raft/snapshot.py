"""A state handed from the leader to a node that the log does not reach, or to a new one.

    leader                                  the node behind
    begin(term, manifest)               ->  what it has of it already, or: past it
    chunk(file, offset, data, checksum) ->  what it has now
    end                                 ->  verified, installed, durable

The leader freezes its state between two entries, copies it beside its work, and sends the copy in
numbered, checksummed chunks, one at a time. The receiver replaces its state only with files that
are whole (findings s3, s4), only by newer state (s2), and finishes what it began after a crash
(s5).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import google_crc32c

from quoth_cluster.clock import Chance
from quoth_cluster.errors import MalformedValue, NoAnswer, NoCopy, NotAsked
from quoth_cluster.raft import rules
from quoth_cluster.raft.calls import Calls
from quoth_cluster.raft.cycle import Cycle
from quoth_cluster.raft.inside import Inside
from quoth_cluster.raft.journal import Journal, Mark
from quoth_cluster.raft.snapshot_store import Manifest, SnapshotStore

# An answer may be lost with its link. Asking again costs one small message, also while the end is
# still being carried out: who asks anew waits behind it, and hears "past it" once it is done.
ANSWER_SECONDS = 2.0
RETRY_SECONDS = 0.2
NO_COPY_SECONDS = 2.0  # then it is tried again
HOLD_SECONDS = 120.0  # how long the log is kept for one that was given a state
CAUGHT_UP_SLOTS = 100
REST_SECONDS = 10.0  # a transfer that broke goes on with the same copy before that
# A node applies one slot of a few commands in the time in which it takes in so much of a state.
BYTES_PER_SLOT = 4096

log = logging.getLogger(__name__)
Body = dict[str, Any]


class Host(Inside, Protocol):
    """What the group does for its snapshots."""

    async def freeze_and_copy(self, store: SnapshotStore, name: str) -> Manifest:
        """A manifest of the state as it is now, copied into the store."""

    async def install(self, manifest: Manifest, store: SnapshotStore) -> None:
        """Replace state and log by the verified incoming files of the store."""

    @property
    def applied_index(self) -> int:
        """How far this node's state has come."""


class Snapshots:
    """Sends to those behind, receives from a leader."""

    def __init__(
        self,
        host: Host,
        cycle: Cycle,
        calls: Calls,
        journal: Journal,
        store: SnapshotStore,
        *,
        chance: Chance,
        log_keep_slots: int,
    ) -> None:
        self._host = host
        self._cycle = cycle
        self._calls = calls
        self._journal = journal
        self._store = store
        self._chance = chance
        self._log_keep_slots = log_keep_slots
        self._outgoing: Manifest | None = None
        self._taken_from: int | None = None  # a copy is being made of the state at, or after
        self._sending: set[str] = set()
        self._held: dict[str, float] = {}  # whom the log is kept for, and until when
        self._rests_until = 0.0  # the copy: who reads it may come again
        self._no_copy_before = 0.0
        self._taking = asyncio.Lock()
        self._receiving = asyncio.Lock()
        self._incoming: Manifest | None = None
        self._have: list[int] = []  # bytes of each incoming file

    @property
    def held_index(self) -> int | None:
        """The log behind a snapshot on its way is needed until it has arrived.

        Also while the copy is made: else it might be of no use when it is done.
        """
        if self._taken_from is not None:
            return self._taken_from
        if self._outgoing is None:
            return None
        start = self._outgoing.log_index
        if self._sending:
            return start
        # Who has the state needs the log behind it, or would need another state soon.
        engine = self._host.engine
        return min((max(start, engine.match_index(tag)) for tag in self._held), default=None)

    # -- sending

    async def run(self) -> None:
        """As the leader, serve those behind; until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._let_go()
                may_begin = self._host.clock.monotonic() >= self._no_copy_before
                for tag in self._host.engine.behind if may_begin else ():
                    # Another incarnation than the configuration means is to be added anew first.
                    is_there = self._host.links.is_up(tag) and self._host.counts(tag)
                    if tag not in self._sending and is_there:
                        self._sending.add(tag)
                        tasks.create_task(self._serve(tag), name=f"snapshot to {tag}")
                await self._forget_stale()
                await self._cycle.news(seconds=RETRY_SECONDS)

    async def _serve(self, tag: str) -> None:
        try:
            log_index = await self._send_to(tag)
        except (NotAsked, NoAnswer) as error:
            log.info("the snapshot for node %s stopped: %s", tag, error)
        except NoCopy as error:
            log.warning("node %s is behind, and %s", tag, error)
            self._no_copy_before = self._host.clock.monotonic() + NO_COPY_SECONDS
        else:
            if log_index is not None and self._host.counts(tag):
                engine = self._host.engine
                arrived = log_index
                await self._cycle.run_inside(lambda: engine.caught_up_by_snapshot(tag, arrived))
                log.info("node %s has a snapshot up to slot %d", tag, arrived)
        finally:
            self._sending.discard(tag)
            self._rests_until = self._host.clock.monotonic() + REST_SECONDS

    async def _send_to(self, tag: str) -> int | None:
        """The slot that `tag` has come to, or None if it has to be tried again."""
        manifest = await self._current()
        engine = self._host.engine
        begin = {"step": "begin", "term": engine.term, "manifest": manifest.pack()}
        answer = await self._ask(tag, begin)
        past = answer.get("past")
        if isinstance(past, int):
            return past
        for number, file in enumerate(manifest.files):
            offset = self._offset(answer, number)
            while offset is not None and offset < file.size:
                if tag not in engine.behind:
                    return None
                data = await self._in_thread(self._store.read, manifest.name, file, offset)
                if data is None:
                    return None  # a newer copy took its place
                chunk = {"step": "chunk", "name": manifest.name, "file": number, "data": data}
                checksum = google_crc32c.value(data)
                answer = await self._ask(tag, {**chunk, "offset": offset, "checksum": checksum})
                offset = self._offset(answer, number)
            if offset is None:
                log.info("node %s did not take a chunk: %s", tag, answer.get("refused"))
                return None
        self._held[tag] = self._host.clock.monotonic() + HOLD_SECONDS
        end = {"step": "end", "name": manifest.name}
        answer = await self._ask(tag, end)
        if answer.get("installed") == manifest.log_index:
            return manifest.log_index
        log.info("node %s did not install the snapshot: %s", tag, answer.get("refused"))
        return None

    async def _current(self) -> Manifest:
        """A snapshot from which this log goes on: the last one, or a new one."""
        async with self._taking:
            last = self._outgoing
            if last is None or self._is_stale(last):
                name = self._chance.uuid().hex
                self._outgoing = None  # its files go first, whatever becomes of the new one
                self._taken_from = self._host.applied_index
                try:
                    self._outgoing = await self._host.freeze_and_copy(self._store, name)
                finally:
                    self._taken_from = None
                log.info("took a snapshot at slot %d", self._outgoing.log_index)
            assert self._outgoing is not None
            return self._outgoing

    def _let_go(self) -> None:
        """Of the log for those that have caught up, or took too long."""
        engine, now = self._host.engine, self._host.clock.monotonic()
        enough = engine.commit_index - CAUGHT_UP_SLOTS
        for tag, until in list(self._held.items()):
            has_caught_up = tag not in engine.behind and engine.match_index(tag) >= enough
            if has_caught_up or now >= until or not engine.is_leader:
                del self._held[tag]

    def _is_stale(self, last: Manifest) -> bool:
        """Whether this log does not go on from the copy any more."""
        return last.log_index < self._journal.base_index

    def _is_old(self, last: Manifest) -> bool:
        """Whether to apply what came since takes longer than to make and send a new copy.

        Not while anybody may still need it: who is to read another copy begins anew.
        """
        is_needed = self._held or self._host.clock.monotonic() < self._rests_until
        slots = self._host.applied_index - last.log_index
        copy_bytes = sum(file.size for file in last.files)
        is_long = slots > self._log_keep_slots and slots * BYTES_PER_SLOT > copy_bytes
        return is_long and not is_needed

    async def _forget_stale(self) -> None:
        """A copy that is of no use any more takes the disk of a second state."""
        last = self._outgoing
        is_useless = last is not None and (self._is_stale(last) or self._is_old(last))
        if is_useless and not self._sending:  # and nobody begins to: that is `run`, too
            self._outgoing = None
            await self._in_thread(self._store.forget_outgoing)

    async def _ask(self, tag: str, body: Body) -> Body:
        return await self._calls.ask(tag, "snapshot", body, timeout_seconds=ANSWER_SECONDS)

    @staticmethod
    def _offset(answer: Body, number: int) -> int | None:
        have = answer.get("have")
        if isinstance(have, list) and number < len(have) and isinstance(have[number], int):
            return int(have[number])
        return None

    # -- receiving

    async def on_message(self, message: Body) -> Body:
        """Answer one step of a sender."""
        steps: dict[str, Callable[[Body], Awaitable[Body]]] = {
            "begin": self._on_begin,
            "chunk": self._on_chunk,
            "end": self._on_end,
        }
        step = steps.get(str(message.get("step")))
        if step is None:
            return {"refused": "an unknown step"}
        async with self._receiving:
            return await step(message)

    async def _on_begin(self, message: Body) -> Body:
        term, packed = message.get("term"), message.get("manifest")
        if not isinstance(term, int) or not isinstance(packed, bytes):
            return {"refused": "the message is malformed"}
        if term < self._host.engine.term:
            return {"refused": "a newer leader is known"}
        try:
            manifest = Manifest.unpack(packed)
        except MalformedValue as error:
            return {"refused": str(error)}
        if not rules.accepts_snapshot(manifest.log_index, self._host.applied_index):
            return {"past": self._host.applied_index}
        self._have = await self._in_thread(self._store.begin, manifest)
        self._incoming = manifest
        return {"have": self._have}

    async def _on_chunk(self, message: Body) -> Body:
        manifest = self._incoming
        if manifest is None or message.get("name") != manifest.name:
            return {"refused": "another snapshot is expected"}
        number, offset, data = message.get("file"), message.get("offset"), message.get("data")
        is_named = isinstance(number, int) and 0 <= number < len(manifest.files)
        if not is_named or not isinstance(data, bytes):
            return {"refused": "the message is malformed"}
        assert isinstance(number, int)
        file = manifest.files[number]
        fits = self._have[number] + len(data) <= file.size and len(data) > 0
        is_sound = google_crc32c.value(data) == message.get("checksum")
        # A chunk out of turn or damaged is answered with what is here, and so sent again (s4).
        if rules.is_next_chunk(offset, self._have[number]) and fits and is_sound:
            await self._in_thread(self._store.write, file, self._have[number], data)
            self._have[number] += len(data)
        return {"have": self._have}

    async def _on_end(self, message: Body) -> Body:
        manifest = self._incoming
        if manifest is None or message.get("name") != manifest.name:
            return {"refused": "another snapshot is expected"}
        wrong = await self._in_thread(self._store.verify, manifest)
        self._incoming = None
        if wrong is not None:
            return {"refused": wrong}
        await self._host.install(manifest, self._store)
        return {"installed": manifest.log_index}

    @staticmethod
    async def _in_thread(call: Callable[..., Any], *arguments: object) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, call, *arguments)


def adopt(journal: Journal, manifest: Manifest) -> None:
    """Let the log go on behind an installed snapshot; durable at return, and may be repeated."""
    if manifest.log_index <= journal.base_index:
        return
    if journal.term_at(manifest.log_index) == manifest.term:
        return  # the log holds that very slot: what comes behind it is still good
    memberships = dict(manifest.memberships)
    journal.reset(Mark(manifest.log_index, manifest.term), memberships)
