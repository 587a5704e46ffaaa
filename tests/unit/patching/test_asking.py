"""Who is asked to compute a patch, how often, and what its silence means."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quoth_cluster.errors import (
    Busy,
    FateUnknown,
    NoAnswer,
    NotAsked,
    NotProposed,
    NotReadable,
    TooLarge,
)
from quoth_cluster.machine import Machine
from quoth_cluster.raft.door import Role
from quoth_node.patching import PatchBatch, PatchesSaved
from quoth_node.patching.values import CODEC
from quoth_node.scripting import Missing, Ran, ScriptTask
from tests.unit.patching.ground import Ground, patch


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    machine = Machine.open(tmp_path, map_bytes=2**28)
    standing = Ground(machine)
    await standing.create()
    await standing.put("users/1", n=1)
    yield standing
    machine.close()


class Failing:
    """Asks through a plain log, after so many failures."""

    def __init__(self, ground: Ground, *errors: Exception) -> None:
        self.asked = 0
        self._errors = list(errors)
        self._ask = ground.log.ask
        ground.log.ask = self.ask  # type: ignore[method-assign]

    async def ask(self, tag: str, topic: str, body: bytes, *, timeout_seconds: float) -> bytes:
        self.asked += 1
        if self._errors:
            raise self._errors.pop(0)
        return await self._ask(tag, topic, body, timeout_seconds=timeout_seconds)


async def test_a_leader_that_was_not_reached_is_asked_again(ground: Ground) -> None:
    failing = Failing(ground, NotAsked("the link is down"), NotAsked("still"))
    reads = ground.log.reads
    assert isinstance(await ground.patch("users/1", "this.n += 1"), PatchesSaved)
    assert (failing.asked, ground.load("users/1")) == (3, {"n": 2})
    assert ground.log.reads == reads + 2, "each time a leader was found first"


async def test_a_leader_that_is_never_reached_has_done_nothing(ground: Ground) -> None:
    failing = Failing(ground, *[NotAsked("the link is down")] * 100)
    with pytest.raises(NotProposed, match="could not be asked: the link is down"):
        await ground.patch("users/1", "this.n += 1")
    assert failing.asked < 20, "nor is it asked for ever"


async def test_silence_is_never_asked_twice(ground: Ground) -> None:
    failing = Failing(ground, NoAnswer("the link broke"))
    with pytest.raises(FateUnknown, match="node A, may have saved it"):
        await ground.patch("users/1", "this.n += 1")
    assert failing.asked == 1


async def test_a_question_over_the_limit_is_told_as_that(ground: Ground) -> None:
    failing = Failing(ground, TooLarge("a question of 80 MiB"))
    with pytest.raises(TooLarge):
        await ground.patch("users/1", "this.n += 1")
    assert failing.asked == 1


async def test_without_a_leader_one_is_waited_for(ground: Ground) -> None:
    ground.log.role = Role.FOLLOWER

    async def elected(*, timeout_seconds: float) -> None:
        ground.log.role = Role.LEADER

    ground.log.current = elected  # type: ignore[method-assign]
    assert isinstance(await ground.patch("users/1", "this.n += 1"), PatchesSaved)


async def test_without_a_leader_in_time_nothing_was_written(ground: Ground) -> None:
    ground.log.role = Role.FOLLOWER
    ground.log.current_fails = NotReadable("no quorum confirmed the read")
    with pytest.raises(NotProposed, match="no quorum"):
        await ground.patch("users/1", "this.n += 1")


async def test_what_is_not_applied_here_in_time_is_not_told_as_a_failure(ground: Ground) -> None:
    async def behind(command_index: int, *, timeout_seconds: float) -> bool:
        return False

    ground.log.wait_for_command = behind  # type: ignore[method-assign]
    with pytest.raises(FateUnknown, match="was saved, and is not applied on this node yet"):
        await ground.patch("users/1", "this.n += 1")
    assert ground.load("users/1") == {"n": 2}


class Hanging:
    """Scripts that never end."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def run(self, task: ScriptTask) -> Ran | Missing:
        self.begun.set()
        await asyncio.Event().wait()
        raise AssertionError("never set")


def listen(ground: Ground) -> list[tuple[float, int]]:
    """Stop listening in time, as the real log does; how long each question may take, and works."""
    asked: list[tuple[float, int]] = []
    ask = ground.log.ask

    async def listening(tag: str, topic: str, body: bytes, *, timeout_seconds: float) -> bytes:
        asked.append((timeout_seconds, CODEC.decode(body, PatchBatch).patience_ms))
        try:
            async with asyncio.timeout(timeout_seconds):
                return await ask(tag, topic, body, timeout_seconds=timeout_seconds)
        except TimeoutError as error:
            raise NoAnswer("not answered in time") from error

    ground.log.ask = listening  # type: ignore[method-assign]
    return asked


async def test_a_leader_out_of_time_is_heard_to_have_written_nothing(tmp_path: Path) -> None:
    machine = Machine.open(tmp_path, map_bytes=2**28)
    hanging = Hanging()
    ground = Ground(machine, hanging)
    await ground.create()
    await ground.put("users/1", n=1)
    await ground.put("users/2", n=1)
    listen(ground)
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(ground.patch("users/1", "this.n += 1"))
        await hanging.begun.wait()
        with pytest.raises(Busy, match="waited for its turn"):
            await ground.save(patch("users/1", "this.n += 1"), patience_ms=20)
        with pytest.raises(Busy, match="not evaluated in time; nothing was written"):
            await ground.save(patch("users/2", "this.n = 1"), patience_ms=20)
        first.cancel()
    machine.close()


async def test_a_leader_found_late_works_as_long_as_there_is_time_and_is_heard_to_the_end(
    ground: Ground,
) -> None:
    asked = listen(ground)
    await ground.save(patch("users/1", "this.n += 1"), patience_ms=5_000)
    ground.log.role = Role.FOLLOWER

    async def elected(*, timeout_seconds: float) -> None:
        ground.clock.micros += 4_000_000
        ground.log.role = Role.LEADER

    ground.log.current = elected  # type: ignore[method-assign]
    await ground.save(patch("users/1", "this.n += 1"), patience_ms=5_000)
    assert asked == [(7.0, 5_000), (3.0, 1_000)]
