"""A node keeps its indexer alive, and tells it again what the one before knew."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from socket import socket, socketpair

import pytest

from quoth_cluster.clock import SystemClock
from quoth_cluster.commands import PutIndex
from quoth_cluster.indexes import STATIC
from quoth_cluster.machine import Database, Machine
from quoth_node.indexing import indexer as room
from quoth_node.indexing.built import Activity, BuiltIndex
from quoth_node.indexing.definition import Definition
from quoth_node.indexing.indexer import Indexer, open_indexer
from quoth_node.indexing.messages import (
    Advanced,
    Check,
    Command,
    Condemn,
    Done,
    Frames,
    Look,
    Looked,
    Pause,
    Report,
    Reset,
    Sources,
    Stop,
    Works,
    command_in,
    framed,
)
from quoth_node.indexing.refusal import DefinitionRefused
from quoth_node.indexing.worker import Worker
from tests.unit.indexing.thread import IndexerThread
from tests.unit.state.story import AT, Story, create, put

PATIENCE_SECONDS = 20.0
BY_NAME = Definition(name="N", maps=("from u in docs.Users select new { u.name }",))
DEFINE = PutIndex("db", "N", STATIC, BY_NAME.to_json(), AT)


@dataclass
class Puppet:
    """Fulfils `Worker`; says what the test lets it say."""

    end: socket = field(init=False)
    heard: asyncio.Queue[Command] = field(default_factory=asyncio.Queue)
    killed: int = 0
    _theirs: socket = field(init=False)
    _frames: Frames = field(default_factory=Frames)

    def __post_init__(self) -> None:
        self.end, self._theirs = socketpair()
        self._theirs.setblocking(False)

    def say(self, *reports: Report) -> None:
        self._theirs.sendall(b"".join(map(framed, reports)))

    def die(self) -> None:
        self._theirs.close()

    async def hear(self, kind: type[Command]) -> Command:
        """The next command of a kind; what comes before it is passed over."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                while self.heard.empty():
                    data = await asyncio.get_running_loop().sock_recv(self._theirs, 65_536)
                    for body in self._frames.feed(data):
                        self.heard.put_nowait(command_in(body))
                command = self.heard.get_nowait()
                if isinstance(command, kind):
                    return command

    async def ended(self) -> None:
        """It is gone as soon as its end is closed."""

    async def kill(self) -> None:
        self.killed += 1
        self.die()


@dataclass
class Node:
    """A machine, its indexer, and the puppets that were started, one after the other."""

    story: Story
    indexer: Indexer
    started: asyncio.Queue[Puppet] = field(default_factory=asyncio.Queue)

    @property
    def database(self) -> Database:
        database = self.story.machine.database("db")
        assert database is not None
        return database

    async def puppet(self) -> Puppet:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.started.get()


@asynccontextmanager
async def running(
    folder: Path, start: Callable[[Machine], Worker] | None = None
) -> AsyncIterator[Node]:
    story = Story(folder / "state")
    started: asyncio.Queue[Puppet] = asyncio.Queue()

    async def start_puppet() -> Worker:
        if start is not None:
            return start(story.machine)
        puppet = Puppet()
        started.put_nowait(puppet)
        return puppet

    indexer = Indexer(folder / "indexes", story.machine, SystemClock(), start_puppet)
    async with open_indexer(indexer):
        await asyncio.sleep(0)
        yield Node(story, indexer, started)
        while not started.empty():
            started.get_nowait().die()
    story.machine.close()


@pytest.fixture
async def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Node]:
    monkeypatch.setattr(room, "BACKOFF_SECONDS_MIN", 0.001)
    monkeypatch.setattr(room, "BACKOFF_SECONDS_MAX", 0.002)
    monkeypatch.setattr(room, "STOP_SECONDS_MAX", 0.05)
    async with running(tmp_path) as node:
        yield node


async def test_no_indexer_is_started_for_nothing(node: Node) -> None:
    node.story.save(put("users/1"))
    await asyncio.sleep(0)
    assert node.started.empty()
    node.story.run(DEFINE)
    sources = await (await node.puppet()).hear(Sources)
    assert isinstance(sources, Sources)
    assert [source.name for source in sources.sources] == ["db"]


async def test_looks_come_together_while_one_is_not_answered(node: Node) -> None:
    node.story.run(DEFINE)
    puppet = await node.puppet()
    assert await puppet.hear(Look) == Look(hurries=True)
    for number in range(20):
        node.story.save(put(f"users/{number}"))
        await asyncio.sleep(0)
    puppet.say(Looked(1))
    assert await puppet.hear(Look) == Look(hurries=False)
    node.indexer.hurry()
    node.indexer.hurry()
    assert await puppet.hear(Look) == Look(hurries=True)
    puppet.say(Looked(2))
    assert await puppet.hear(Look) == Look(hurries=True)
    puppet.say(Looked(1))
    node.story.run_all(create("bare"), create("other"), replace(DEFINE, database="other"))
    told = await puppet.hear(Sources)
    assert isinstance(told, Sources)
    assert sorted(source.name for source in told.sources) == ["db", "other"]
    assert puppet.heard.qsize() <= 1, "no look was sent twice"


async def test_a_new_indexer_is_told_what_the_former_knew(node: Node) -> None:
    node.story.run(DEFINE)
    first = await node.puppet()
    async with asyncio.TaskGroup() as tasks:
        pausing = tasks.create_task(node.indexer.pause(node.database, None, is_paused=True))
        pause = await first.hear(Pause)
        assert isinstance(pause, Pause)
        first.say(Done(pause.ticket))
        await pausing
        resetting = tasks.create_task(node.indexer.reset(node.database, "N"))
        await first.hear(Reset)
        first.die()
        second = await node.puppet()
        await second.hear(Sources)
        folder = node.database.record.folder
        assert await second.hear(Pause) == Pause(0, folder, None, True)
        again = await second.hear(Reset)
        assert isinstance(again, Reset) and not resetting.done()
        second.say(Done(again.ticket))
    assert node.indexer.is_resting(node.database)


async def die_at_work(node: Node, times: int, *reports: Report) -> None:
    for _ in range(times):
        puppet = await node.puppet()
        await puppet.hear(Look)
        puppet.say(*reports)
        await asyncio.sleep(0)
        puppet.die()


async def test_a_definition_that_ends_it_again_and_again_is_condemned(node: Node) -> None:
    node.story.run(DEFINE)
    await die_at_work(node, room.DEATHS_MAX, Works("d1"), Works("d1", maps=True))
    last = await node.puppet()
    condemned = await last.hear(Condemn)
    assert isinstance(condemned, Condemn)
    assert (condemned.digest, condemned.reason) == ("d1", "its work ended the indexer 5 times")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(node.indexer.reset(node.database, "N"))
        reset = await last.hear(Reset)
        assert isinstance(reset, Reset)
        last.say(Done(reset.ticket))
    last.die()
    pardoned = await node.puppet()
    assert isinstance(await pardoned.hear(Command), Sources)  # type: ignore[arg-type]


async def test_a_definition_that_ends_its_compiler_is_refused(node: Node) -> None:
    async with asyncio.TaskGroup() as tasks:
        checking = tasks.create_task(refusal_of(node.indexer, b"{}"))
        puppet = await node.puppet()
        check = await puppet.hear(Check)
        assert isinstance(check, Check)
        puppet.die()  # of something else: it is asked again
        puppet = await node.puppet()
        again = await puppet.hear(Check)
        assert again == check
        puppet.say(Works(check.digest))
        await asyncio.sleep(0)
        puppet.die()
    assert "it ends the engine that compiles it" in str(checking.result())
    await (await node.puppet()).hear(Look)


async def refusal_of(indexer: Indexer, definition: bytes) -> DefinitionRefused | None:
    """Why a definition is not taken."""
    try:
        await indexer.check(definition)
    except DefinitionRefused as error:
        return error
    return None


async def test_who_dies_at_something_else_is_nobodys_fault(node: Node) -> None:
    node.story.run(DEFINE)
    await die_at_work(node, 4, Works("d1", maps=True))
    survived = Works("d1", maps=True), Works("d2", maps=True), Works()
    await die_at_work(node, 4, *survived)
    await die_at_work(node, 4, Works("d1", maps=True))
    assert isinstance(await (await node.puppet()).hear(Command), Sources)  # type: ignore[arg-type]


async def test_one_that_is_stuck_is_killed(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "WORK_SECONDS_MAX", 0.01)
    node.story.run(DEFINE)
    puppet = await node.puppet()
    puppet.say(Works("d1", maps=True))
    await node.puppet()
    assert puppet.killed == 1


async def test_one_that_does_not_stop_in_time_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "STOP_SECONDS_MAX", 0.05)
    async with asyncio.TaskGroup() as tasks:
        async with running(tmp_path) as node:
            node.story.run(DEFINE)
            puppet = await node.puppet()
            asked = tasks.create_task(puppet.hear(Stop))
    assert puppet.killed == 1 and asked.result() == Stop()


async def until(node: Node, holds: Callable[[BuiltIndex], bool]) -> BuiltIndex:
    """The index, once it is so."""
    news = asyncio.Event()
    node.indexer.on_news = news.set
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            index = node.indexer.index(node.database, "n")
            if index is not None and node.indexer.is_current(node.database) and holds(index):
                return index
            node.indexer.hurry()
            await news.wait()
            news.clear()


async def test_what_it_builds_is_seen_by_the_node(tmp_path: Path) -> None:
    workers: list[IndexerThread] = []

    def start(machine: Machine) -> Worker:
        workers.append(IndexerThread(tmp_path / "indexes", machine, SystemClock()))
        return workers[-1]

    async with running(tmp_path, start) as node:
        node.story.run(DEFINE)
        node.story.save(put("users/1", body=b'{"name":"Ann"}'))
        index = await until(node, lambda index: index.etag == 1)
        assert index.terms("name", None, 10) == ["ann"]
        await node.indexer.pause(node.database, "N", is_paused=True)
        assert index.activity is Activity.PAUSED
        node.story.save(put("users/2", body=b'{"name":"Bob"}'))
        await workers[0].kill()
        await node.indexer.reset(node.database, "N")
        anew = await until(node, lambda index: index.etag == 0)
        assert anew.activity is Activity.PAUSED and anew.folder != index.folder
        await node.indexer.pause(node.database, None, is_paused=False)
        anew = await until(node, lambda index: index.etag == 2)
        assert anew.terms("name", None, 10) == ["ann", "bob"]
        assert await refusal_of(node.indexer, BY_NAME.to_json()) is None
        bad = Definition(name="N", maps=("from u in docs.Users\nselec u",))
        refused = await refusal_of(node.indexer, bad.to_json())
        assert refused is not None
        assert (refused.part, refused.text, refused.line) == ("Maps", bad.maps[0], 2)
    assert len(workers) == 2


def test_an_advance_is_told_in_few_bytes() -> None:
    told = framed(Advanced("2-M68dfmDKTwWiMKQQJNnTKA", "Users/ByName", 10**9, 10**9, AT))
    assert len(told) < 80
