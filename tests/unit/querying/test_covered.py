"""A save waits for the indexes of all nodes that are up, and for nobody else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgpack
import pytest

from quoth_cluster.commands import PutIndex
from quoth_cluster.errors import MalformedValue, NoAnswer, NotAsked
from quoth_cluster.indexes import STATIC
from quoth_cluster.raft.door import PeerStatus, RaftLog
from quoth_node.database.waiting import IndexesWanted
from quoth_node.indexing.definition import Definition
from quoth_node.indexing.indexer import Indexer
from quoth_node.indexing.worker import Worker
from quoth_node.querying.covered import Covering, Lagging
from quoth_node.querying.live import LiveIndexes
from tests.unit.state.story import AT, Story, put

BY_NAME = Definition(name="N", maps=("from u in docs.Users select new { u.name }",))
Said = bytes | Exception


@dataclass
class MovingClock:
    """A clock that goes on by a second whenever somebody was asked."""

    seconds: float = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now_micros(self) -> int:
        return AT


@dataclass
class Peers:
    """Fulfils what of `RaftLog` is used: other nodes that say what they were told to."""

    clock: MovingClock
    says: dict[str, list[Said]] = field(default_factory=dict)  # the last one again and again
    down: set[str] = field(default_factory=set)
    is_there: bool = True
    asked: list[tuple[str, float]] = field(default_factory=list)
    answers: Callable[[bytes], Awaitable[bytes]] | None = None

    def answer(self, topic: str, answer: Callable[[bytes], Awaitable[bytes]]) -> None:
        self.answers = answer

    def status(self) -> Any:
        return SimpleNamespace(
            peers=[PeerStatus(tag, tag not in self.down) for tag in sorted(self.says)]
        )

    async def wait_for_command(self, command_index: int, *, timeout_seconds: float) -> bool:
        return self.is_there

    async def ask(self, tag: str, topic: str, body: bytes, *, timeout_seconds: float) -> bytes:
        self.asked.append((tag, msgpack.unpackb(body)[-1]))
        self.clock.seconds += 1
        script = self.says[tag]
        said = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(said, Exception):
            raise said
        return said


READ = bytes(msgpack.packb(None))
LAGS = bytes(msgpack.packb([7, 1, ["N"], []]))


@dataclass
class Here:
    story: Story
    peers: Peers
    covering: Covering

    async def wait(self, seconds: float = 5.0, *names: str) -> Lagging | None:
        wanted = IndexesWanted(seconds, names)
        return await self.covering.wait(
            "db", wanted, collections=["Users"], last_etag=7, command_index=9
        )


async def never() -> Worker:
    raise OSError("no process can be started")


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Here]:
    """A node whose indexer never starts."""
    story, clock = Story(tmp_path / "state"), MovingClock()
    peers = Peers(clock)
    raft = cast(RaftLog, peers)
    indexer = Indexer(tmp_path / "indexes", story.machine, clock, never)
    live = LiveIndexes(raft, story.machine, indexer, clock)
    yield Here(story, peers, Covering(raft, story.machine, live, "A"))
    story.machine.close()


async def test_nothing_is_waited_for_where_there_is_no_index(here: Here) -> None:
    here.peers.says = {"B": [READ], "C": [READ]}
    assert await here.wait() is None
    assert sorted(tag for tag, _ in here.peers.asked) == ["B", "C"]


async def test_a_long_wait_is_many_short_questions(here: Here) -> None:
    here.peers.says = {"B": [LAGS, LAGS, NoAnswer("its link broke"), LAGS, READ]}
    assert await here.wait(30) is None
    assert here.peers.asked == [("B", 1.0)] * 5


async def test_who_lags_to_the_end_is_told(here: Here) -> None:
    here.peers.says = {"B": [LAGS]}
    assert await here.wait(3) == Lagging(7, 1, ("N on node B",), ())
    assert [seconds for _, seconds in here.peers.asked] == [1.0, 1.0, 1.0]


async def test_who_is_down_is_not_asked(here: Here) -> None:
    here.peers.says, here.peers.down = {"B": [LAGS], "C": [READ]}, {"B"}
    assert await here.wait() is None
    assert [tag for tag, _ in here.peers.asked] == ["C"]


@pytest.mark.parametrize("said", [NotAsked("gone"), NoAnswer("silent")])
async def test_who_is_gone_or_silent_holds_nobody_up(here: Here, said: Exception) -> None:
    here.peers.says = {"B": [said]}
    assert await here.wait(600) is None
    assert len(here.peers.asked) <= 2


async def test_an_index_that_is_not_begun_here_is_told(here: Here) -> None:
    here.story.run(PutIndex("db", "N", STATIC, BY_NAME.to_json(), AT))
    here.story.save(put("users/1"))
    assert await here.wait(0.0) == Lagging(7, 1, ("N",), ())
    assert await here.wait(0.0, "Other") is None


async def test_a_node_answers_for_itself(here: Here) -> None:
    assert here.peers.answers is not None
    question = ["db", [], ["Users"], 7, 9, 0.0]
    assert await here.peers.answers(bytes(msgpack.packb(question))) == READ
    here.peers.is_there = False
    late = msgpack.unpackb(await here.peers.answers(bytes(msgpack.packb(question))))
    assert late == [7, 0, ["all, for the save is not there yet"], []]
    here.peers.is_there = True
    here.story.run(PutIndex("db", "N", STATIC, BY_NAME.to_json(), AT))
    lags = msgpack.unpackb(await here.peers.answers(bytes(msgpack.packb(question))))
    assert lags == [7, 1, ["N"], []]
    with pytest.raises(MalformedValue):
        await here.peers.answers(bytes(msgpack.packb(["db", 5])))
    await asyncio.sleep(0)
