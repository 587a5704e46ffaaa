"""One node of the simulated cluster: what outlives a process, and the lives of the process."""

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from quoth_cluster.errors import ClusterError, Fatal
from quoth_cluster.log import Change, LogEntry, Member, MembershipChange
from quoth_cluster.raft.entry import Slot, pack_membership
from quoth_cluster.raft.group import RaftGroup
from quoth_cluster.raft.journal import Journal
from quoth_cluster.raft.link import Identity
from quoth_cluster.raft.neighbours import Contact
from quoth_cluster.raft.snapshot import adopt
from quoth_cluster.raft.snapshot_store import SnapshotStore
from quoth_cluster.raft.syncobj import Timing
from quoth_cluster.state_copy import replace_state
from tests.simulator import registers
from tests.simulator.disks import Interrupted, SimDisk
from tests.simulator.links import SimLinks
from tests.simulator.network import Network
from tests.simulator.registers import Registers, State, Store
from tests.simulator.virtual_time import (
    NodeLoop,
    SimChance,
    SimClock,
    SimExecutor,
    SimTask,
    Time,
    Violation,
)
from tests.simulator.watch import Watch

CLUSTER, GROUP = "cluster", "main"


@dataclass(slots=True)
class Life:
    """One run of the process."""

    loop: NodeLoop
    journal: Journal
    machine: Registers
    group: RaftGroup
    links: SimLinks
    disk_worker: SimExecutor
    writer: SimExecutor
    other_worker: SimExecutor
    task: SimTask
    is_stopping: bool = False

    @property
    def workers(self) -> tuple[SimExecutor, ...]:
        return self.disk_worker, self.writer, self.other_worker


class Node:
    """A node, up or down."""

    def __init__(
        self,
        tag: str,
        *,
        time: Time,
        network: Network,
        watch: Watch,
        dice: random.Random,
        timing: Timing,
        segment_bytes: int,
        log_keep_slots: int,
        trace: Callable[..., None],
    ) -> None:
        self.tag = tag
        self.me = Member(tag, f"http://{tag}", f"{tag}:1")
        self._make_disk(dice)
        self.life: Life | None = None
        self.contacts: list[Contact] = []
        self.disk_seconds = 0.0  # how slow the disk is at the moment
        self.copy_seconds = 0.0  # ... at copying and checking a state
        self.births = 0
        self.wipes = 0
        self.on_end: Callable[[Node], None] = lambda _node: None
        self.on_turn_as_leader: Callable[[Node], None] = lambda _node: None
        self.on_installed: Callable[[Node], None] = lambda _node: None
        self.on_removed: Callable[[Node], None] = lambda _node: None
        self.on_death: Callable[[Life], None] = lambda _life: None
        self._time = time
        self._network = network
        self._watch = watch
        self._dice = dice
        self._timing = timing
        self._segment_bytes = segment_bytes
        self._log_keep_slots = log_keep_slots
        self._trace = trace
        self._seen: tuple[int, bool, str | None] = (0, False, None)

    @property
    def incarnation(self) -> bytes:
        """Of the node as it is now; what `me` says, once it is a member."""
        return f"{self.tag}{self.wipes}".encode()

    @property
    def folder(self) -> Path:
        return Path("/", self.tag)

    @property
    def is_up(self) -> bool:
        return self.life is not None

    @property
    def leads(self) -> bool:
        return self.life is not None and self.life.group.engine.is_leader

    def found(self, members: Iterable[Member]) -> None:
        """A log that starts with the same configuration everywhere."""
        incarnation = self.incarnation
        journal = Journal.open(self._journal_folder, disk=self.disk, new_incarnation=incarnation)
        for at, member in enumerate(members):
            change = MembershipChange(Change.ADD, member)
            journal.append(Slot(2 + at, 0, pack_membership(change)))
        journal.sync()
        journal.close()

    def wipe(self, contacts: Iterable[Contact]) -> None:
        """A new, empty node under the same tag, that knows whom to ask."""
        assert not self.is_up
        self.wipes += 1
        self._make_disk(self._dice)
        self.contacts = list(contacts)
        self._trace("wipe", self.tag)

    def start(self) -> None:
        """Begin a life; nothing if the node dies while it opens its journal."""
        assert self.life is None
        self._trace("start", self.tag)
        self.births += 1
        self.disk.repair()
        self.disk.failures = 0
        self.disk.fuse = self._dice.randrange(12) if self._dice.random() < 0.05 else None
        snapshots = SnapshotStore(self.folder / "snapshots", disk=self.disk)
        try:
            journal = self._open_journal(snapshots)
        except Interrupted:
            self._trace("died while opening", self.tag)
            self.disk.fuse = None
            self.on_end(self)
            return
        except Fatal as error:
            self._watch.fail(f"{self.tag} does not open its journal: {error}")
        self.disk.fuse = None
        try:
            self._live(journal, snapshots)
        except Fatal as error:
            self._watch.fail(f"{self.tag} does not start: {error}")

    def _open_journal(self, snapshots: SnapshotStore) -> Journal:
        """As the real node opens it: an install that a crash interrupted is finished."""
        interrupted = snapshots.open()
        if interrupted is not None:
            self._trace("finishes an install", self.tag, interrupted.log_index)
            replace_state(self.store.folder, snapshots.incoming, disk=self.disk)
        journal = Journal.open(
            self._journal_folder,
            disk=self.disk,
            segment_bytes=self._segment_bytes,
            new_incarnation=self.incarnation,
        )
        if interrupted is not None:
            adopt(journal, interrupted)
            snapshots.installed()
        self.store.open()
        self._watch.on_found(self.tag, self.store.now.commits[-1])
        return journal

    def _live(self, journal: Journal, snapshots: SnapshotStore) -> None:
        loop = NodeLoop(self._time, after_turn=self._after_turn, on_error=self._on_error)
        machine = registers.Registers(self.store, self._on_apply, self._on_install)
        chance = SimChance(random.Random(self._dice.getrandbits(64)))
        group = RaftGroup(
            Identity(CLUSTER, GROUP, self.tag),
            journal,
            machine,
            timing=self._timing,
            clock=SimClock(self._time),
            chance=chance,
            contacts=self.contacts,
            make_links=cast(Any, partial(SimLinks, network=self._network, loop=loop)),
            snapshots=snapshots,
            log_keep_slots=self._log_keep_slots,
        )
        self._watch.attend(self.tag, journal, group.engine, SimClock(self._time), self._timing)
        links: object = group.links
        assert isinstance(links, SimLinks)
        links.listen_at(self.me.peer_address)
        disk_worker = SimExecutor(self._time, loop, self._dice, self._sync_seconds)
        writer = SimExecutor(self._time, loop, self._dice, self._apply_seconds)
        other_worker = SimExecutor(self._time, loop, self._dice, self._copy_seconds)
        loop.other_worker = other_worker
        running = group.run(disk=disk_worker, writer=writer)  # type: ignore[arg-type]
        task = loop.create_task(running)
        workers = (disk_worker, writer, other_worker)
        self.life = Life(loop, journal, machine, group, links, *workers, task)
        task.add_done_callback(partial(self._on_run_ended, self.life))
        loop.create_task(self._watch_for_removal(self.life))
        self._time.after(0.0, lambda: None, loop=loop)

    async def _watch_for_removal(self, life: Life) -> None:
        """As the real node does: one that is told it was removed has no more to do."""
        while True:
            await life.group.link_news(seconds=1.0)
            if life.group.removal() is not None:
                self._trace("removed", self.tag)
                self.on_removed(self)
                self.stop()
                return

    def kill(self, *, power: bool = False, fuse: int | None = None) -> None:
        """End the life in the middle of whatever it does, after `fuse` more calls of its disk."""
        life = self.life
        assert life is not None
        self._trace("power" if power else "kill", self.tag)
        for worker in life.workers:
            job = worker.unfinished_job()
            if job is not None and (fuse is not None or self._dice.random() < 0.7):
                self.disk.fuse = self._dice.randrange(5) if fuse is None else fuse
                with suppress(Interrupted, ClusterError):
                    job()
                self.disk.fuse = None
        self._bury(life, silently=power)
        if power:
            self.disk.lose_power()
            self.store.lose_power(self._dice)

    def stop(self) -> None:
        """End the life in good order; it takes a moment."""
        life = self.life
        if life is not None and not life.is_stopping:
            self._trace("stop", self.tag)
            life.is_stopping = True
            life.task.cancel()
            self._time.after(0.0, lambda: None, loop=life.loop)

    def end(self) -> None:
        """The run is over."""
        if self.life is not None:
            life, self.life = self.life, None
            life.loop.die()

    def pause(self) -> None:
        if self.life is not None:
            self._trace("pause", self.tag)
            self.life.loop.is_paused = True

    def resume(self) -> None:
        if self.life is not None and self.life.loop.is_paused:
            self._trace("resume", self.tag)
            self.life.loop.resume()

    # -- inside

    @property
    def _journal_folder(self) -> Path:
        return self.folder / "journal"

    def _make_disk(self, dice: random.Random) -> None:
        self.disk = SimDisk(dice)
        self.store = Store(self.disk, self.folder / "state")
        self.store.found()

    def _bury(self, life: Life, *, silently: bool) -> None:
        self.life = None
        self.on_death(life)
        self._network.life_ends(life.links, silently=silently)
        life.loop.die()
        self._network.forget(life.links)

    def _on_run_ended(self, life: Life, task: SimTask) -> None:
        if self.life is not life:
            return
        error = None if task.cancelled() else task.exception()
        errors = list(_innermost(error)) if error is not None else []
        for one in errors:
            if isinstance(one, Violation):
                raise one
            if not isinstance(one, Fatal) or not self.disk.failures:
                self._watch.fail(f"{self.tag} ends by {type(one).__name__}: {one}")
        if errors:
            self._trace("stopped by its disk", self.tag)
            self._time.after(0.0, self._end_of, life)
        else:
            assert life.is_stopping
            self._time.after(0.0, self._end_in_order, life)

    def _end_in_order(self, life: Life) -> None:
        if self.life is life:
            for worker in life.workers:
                with suppress(ClusterError):
                    worker.finish()
            self._end_of(life)

    def _end_of(self, life: Life) -> None:
        if self.life is life:
            self._bury(life, silently=False)
            self.on_end(self)

    def _after_turn(self) -> None:
        life = self.life
        if life is None or life.task.done():
            return  # an error may end the engine in the middle of a step; nothing of it leaves
        engine = life.group.engine
        seen = (engine.term, engine.is_leader, engine.leader)
        if seen != self._seen:
            self._seen = seen
            self._trace("stands", self.tag, *seen)
            if seen[1]:
                self._watch.on_leader(self.tag, seen[0], life.journal)
        if seen[1]:
            self.on_turn_as_leader(self)

    def _on_apply(self, entry: LogEntry, state: State) -> None:
        self._trace("apply", self.tag, entry.log_index, entry.term, state.digest)
        self._watch.on_apply(self.tag, entry, state)

    def _on_install(self, state: State, before: int) -> None:
        self._trace("install", self.tag, state.position.log_index, state.digest)
        self._watch.on_install(self.tag, state, before)
        self.on_installed(self)

    def _on_error(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Violation):
            raise error
        self._watch.fail(f"{self.tag}: {context.get('message')}: {error!r}")

    def _sync_seconds(self) -> float:
        roll = self._dice.random()
        if roll < 0.9:
            return self._dice.uniform(0.0001, 0.004) + self.disk_seconds
        return self._dice.uniform(0.004, 0.1) + self.disk_seconds

    def _copy_seconds(self) -> float:
        return self._apply_seconds() + self._dice.uniform(0.0, self.copy_seconds)

    def _apply_seconds(self) -> float:
        if self._dice.random() < 0.95:
            return self._dice.uniform(0.0, 0.002)
        return self._dice.uniform(0.0, 0.2)


def _innermost(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _innermost(one)
    else:
        yield error
