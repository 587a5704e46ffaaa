"""Current reads on every node: one quorum round for all reads that wait.

A leader that still leads knows the commit index that covers every acknowledged write (Raft
dissertation, 6.4). It asks its peers whether its term is still the newest they know; a majority
of yes, itself included, came after the read began, so no newer leader had acknowledged anything
before.
A follower asks its leader, then waits until it has applied that far itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable

from quoth_cluster.errors import NoAnswer, NotAsked
from quoth_cluster.raft.calls import Calls
from quoth_cluster.raft.inside import Inside
from quoth_cluster.raft.journal import Journal
from quoth_cluster.raft.patience import within


class ReadIndex:
    """Where current reads of one node begin."""

    def __init__(self, group: Inside, calls: Calls, journal: Journal) -> None:
        self._group = group
        self._calls = calls
        self._journal = journal
        self._confirming = Rounds(self._confirm_leadership)
        self._asking = Rounds(self._ask_leader)

    async def run(self) -> None:
        """Serve rounds until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._confirming.run(), name="leader rounds")
            tasks.create_task(self._asking.run(), name="rounds of reads")

    async def confirm(self) -> int | None:
        """As the leader: join the next quorum round; the commit index then, or None."""
        return await self._confirming.join()

    async def ask(self, *, seconds: float) -> int | None:
        """On any node: the slot that a read which begins now must wait for, or None.

        Raises TimeoutError when the time is over.
        """
        if (alone := self._alone()) is not None:
            return alone
        return await within(self._asking.join(), seconds)

    def _alone(self) -> int | None:
        """The commit index, if this node leads and is a quorum by itself: nobody need be asked."""
        engine = self._group.engine
        if not engine.is_leader or engine.others:
            return None
        commit_index = engine.commit_index
        return commit_index if self._journal.term_at(commit_index) == engine.term else None

    async def _confirm_leadership(self) -> int | None:
        """One quorum round: is the term this node leads still the newest a majority knows?"""
        engine = self._group.engine
        term, commit_index = engine.term, engine.commit_index
        # Until an entry of its own term is committed, a leader does not know what is (6.4).
        if not engine.is_leader or self._journal.term_at(commit_index) != term:
            return None
        others = sorted(engine.others)
        if not others:
            return commit_index
        needed = (len(others) + 1) // 2
        agreed = await count_yes((self._agrees(tag, term) for tag in others), enough=needed)
        still_leads = engine.is_leader and engine.term == term
        return commit_index if agreed >= needed and still_leads else None

    async def _agrees(self, tag: str, term: int) -> bool:
        seconds = self._group.timing.election_timeout_min
        try:
            answer = await self._calls.ask(tag, "term", {}, timeout_seconds=seconds)
        except (NotAsked, NoAnswer):
            return False
        return answer.get("term") == term and self._group.counts(tag)

    async def _ask_leader(self) -> int | None:
        engine = self._group.engine
        leader = engine.leader
        if leader is None or not engine.is_member:
            return None
        if leader == self._group.identity.tag:
            return await self.confirm()
        seconds = self._group.timing.election_timeout_max
        try:
            answer = await self._calls.ask(leader, "read_index", {}, timeout_seconds=seconds)
        except (NotAsked, NoAnswer):
            return None
        log_index = answer.get("log_index")
        return log_index if isinstance(log_index, int) else None


class Rounds:
    """Runs one round at a time; whoever joins takes part in the next that starts after."""

    def __init__(self, run_one: Callable[[], Awaitable[int | None]]) -> None:
        self._run_one = run_one
        self._joined: list[asyncio.Future[int | None]] = []
        self._wake = asyncio.Event()

    def join(self) -> asyncio.Future[int | None]:
        """To become the log index to wait for, or None if no quorum confirmed it."""
        future: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._joined.append(future)
        self._wake.set()
        return future

    async def run(self) -> None:
        """Serve rounds until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            # A round that starts now began after each of these joined; later ones get the next.
            joined, self._joined = self._joined, []
            result = await self._run_one()
            for future in joined:
                if not future.done():
                    future.set_result(result)


async def count_yes(answers: Iterable[Coroutine[None, None, bool]], *, enough: int) -> int:
    """How many of the answers are yes; once `enough` are, the rest are not waited for."""
    yes = 0
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(answer) for answer in answers]  # in order: runs can be replayed
        waiting = set(asked)
        while waiting and yes < enough:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            yes += sum(task.result() for task in done)
        for task in asked:
            task.cancel()
    return yes
