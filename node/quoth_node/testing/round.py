"""One round of a run: workloads under faults, then health, last reads, and the verdict.

Each round has databases of its own, so keys are new and what must be remembered stays small,
however long the run is.
"""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, Protocol, runtime_checkable

from quoth import AsyncDocumentStore, ConcurrencyError, Indefinite, NotSent
from quoth.operations import CreateDatabaseOperation, DeleteDatabaseOperation
from quoth_node.testing.agreement import disagreements
from quoth_node.testing.checkers.verdict import Violation
from quoth_node.testing.clock import RunClock, pause
from quoth_node.testing.cluster import Cluster
from quoth_node.testing.history import Operation
from quoth_node.testing.leaders import Leaders
from quoth_node.testing.nemesis import Nemesis
from quoth_node.testing.schedule import Planned
from quoth_node.testing.watch import watch
from quoth_node.testing.workloads.speaker import NotDone, Open
from quoth_node.testing.workloads.workload import Client, Surroundings, Workload

SETTLE_SECONDS = 1.0  # of load after the last fault: what healing is worth
HANG_SECONDS = 90.0  # a step that takes longer in a cluster that is well hangs
END_SECONDS_MAX = 300.0  # of preparing, and of last reads
SICK_SECONDS_MAX = 20.0  # ... in a cluster that did not get well, which is wrong enough
AGAIN_MAX, AGAIN_SECONDS = 5, 1.0  # attempts to prepare, and what is between them
RETRY_SECONDS = 0.02  # after an operation that came to nothing; else a dead node is asked too often


@runtime_checkable
class Proving(Protocol):
    """A workload with promises that only a cluster without some of its nodes can prove."""

    async def prove(self, cluster: Cluster, around: Surroundings, chance: Random) -> None:
        """Do to the cluster what proves them, and undo it."""


@dataclass(slots=True)
class Act:
    """A workload in this round."""

    workload: Workload
    around: Surroundings
    clients: int
    violations: list[Violation] = field(default_factory=list)
    is_ready: bool = False  # it is prepared

    @property
    def operations(self) -> list[Operation]:
        """What its clients did."""
        return self.around.recorder.operations


@dataclass(slots=True)
class Round:
    """What happens in it is found in `acts`, `defects`, `violations`, and in the nemesis."""

    number: int
    acts: list[Act]
    cluster: Cluster
    nemesis: Nemesis
    leaders: Leaders
    clock: RunClock
    say: Callable[[str], None]
    keep: bool = False
    defects: list[str] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)  # of the cluster as a whole
    is_well: bool = True  # the cluster, as far as this round has seen
    start: int = 0  # of the load, in microseconds of the run
    end: int = 0

    async def play(self, plans: Iterator[Planned], *, seconds: float) -> None:
        """All but the verdict. What goes wrong is written down, and not raised."""
        store = AsyncDocumentStore(list(self.cluster.urls))
        try:
            await self._prepare(store)
            await self._suffer(plans, seconds)
            self.say("reading what must be there")
            await self._finish()
            if not self.keep:
                for act in self.acts:
                    database = act.around.database
                    operation = DeleteDatabaseOperation(database, hard_delete=True)
                    delete = partial(store.maintenance.server.send, operation)
                    await self._try(f"delete {database}", surely(delete))
        finally:
            await store.close()

    async def judge(self) -> None:
        """Check what clients were told."""
        self.say("checking")
        for act in self.acts:
            ordered = sorted(act.operations, key=lambda one: (one.call, one.client))
            try:
                act.violations += await asyncio.to_thread(act.workload.check, ordered)
            except Exception:
                self.defects.append(f"check {act.workload.name}: {traceback.format_exc()}")

    async def _prepare(self, store: AsyncDocumentStore) -> None:
        for act in self.acts:
            name, database = act.workload.name, act.around.database
            create = partial(store.maintenance.server.send, CreateDatabaseOperation(database))
            made = await self._try(f"create {database}", surely(create))
            prepare = partial(act.workload.prepare, act.around)
            act.is_ready = made and await self._try(f"prepare {name}", surely(prepare))

    async def _suffer(self, plans: Iterator[Planned], seconds: float) -> None:
        """Load and faults; when it ends the cluster is well, if it can be."""
        stop, deaf = asyncio.Event(), asyncio.Event()
        self.start = self.clock()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(watch(self._urls, self.leaders, now=self.clock, stop=deaf))
            driven = [
                tasks.create_task(self._drive(act, number, stop))
                for act in self.acts
                if act.is_ready
                for number in range(act.clients)
            ]
            # The clients go on while the cluster gets well.
            try:
                await asyncio.to_thread(self.nemesis.play, plans, seconds=seconds)
            except Exception:
                self.defects.append(f"faults, round {self.number}: {traceback.format_exc()}")
            await self._recover()
            await _pause(stop, SETTLE_SECONDS)
            self.end = self.clock()
            stop.set()
            if driven:
                _, hanging = await asyncio.wait(driven, timeout=HANG_SECONDS)
                for task in hanging:
                    self.defects.append(f"{task.get_name()} hangs in a cluster that is well")
                    task.cancel()
            deaf.set()

    async def _recover(self) -> None:
        try:
            await asyncio.to_thread(self.nemesis.recover)
        except Exception as error:
            self.is_well = False
            told = f"the cluster does not get well again: {error!r}"
            self.violations.append(Violation(anomaly="wedged", key="cluster", told=told))
            self.defects.append(f"recovery, round {self.number}: {traceback.format_exc()}")

    async def _finish(self) -> None:
        ready = [act for act in self.acts if act.is_ready]
        for act in ready:
            await self._try(f"finish {act.workload.name}", act.workload.finish(act.around))
        for act in ready:
            await self._try(f"compare nodes after {act.workload.name}", self._compare(act))
        for act in ready:
            if isinstance(act.workload, Proving):
                chance = Random(f"{act.around.seed}/prove")
                proof = act.workload.prove(self.cluster, act.around, chance)
                if not await self._try(f"prove {act.workload.name}", proof):
                    await self._recover()

    async def _compare(self, act: Act) -> None:
        act.violations += await disagreements(self._urls(), act.around.database)

    def _urls(self) -> dict[str, str]:
        return {tag: self.cluster.url(tag) for tag in list(self.cluster.tags)}

    async def _drive(self, act: Act, number: int, stop: asyncio.Event) -> None:
        """One client, until `stop`. A step that raises is a defect, and the end of this client."""
        name = f"{act.workload.name}, client {number}, round {self.number}"
        asyncio.current_task().set_name(name)  # type: ignore[union-attr]
        client: Client | None = None
        try:
            client = act.workload.client(number, act.around, Random(f"{act.around.seed}/{number}"))
            while not stop.is_set():
                known = len(act.operations)
                await client.step()
                if not any(one.ok for one in act.operations[known:]):
                    await _pause(stop, RETRY_SECONDS)
        except Exception:
            self.defects.append(f"{name}: {traceback.format_exc()}")
        finally:
            if client is not None:
                await client.close()

    async def _try(self, what: str, doing: Coroutine[Any, Any, object]) -> bool:
        """Whether it was done; if not, that is a defect of this run."""
        try:
            async with asyncio.timeout(END_SECONDS_MAX if self.is_well else SICK_SECONDS_MAX):
                await doing
        except Exception:
            self.defects.append(f"{what}, round {self.number}: {traceback.format_exc()}")
            return False
        return True


async def surely(doing: Callable[[], Awaitable[object]]) -> None:
    """Do what may be done twice until somebody says that it is done.

    A cluster that is well elects leaders, too, and nobody may tell what became of a request then.
    Raises what the last of AGAIN_MAX attempts did.
    """
    is_open = False
    for left in reversed(range(AGAIN_MAX)):
        try:
            await doing()
            return
        except ConcurrencyError:
            if not is_open:
                raise
            return  # an attempt that nobody told of was carried out
        except (Indefinite, NotSent, NotDone, Open) as error:
            is_open = is_open or isinstance(error, Indefinite)
            if not left:
                raise
        await pause(AGAIN_SECONDS)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    """Return after so long, or when `stop` is set."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
