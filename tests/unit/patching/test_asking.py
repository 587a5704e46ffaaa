"""Who is asked to compute a patch, how often, and what its silence means."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quoth_cluster.errors import FateUnknown, NoAnswer, NotAsked, NotProposed, NotReadable, TooLarge
from quoth_cluster.machine import Machine
from quoth_cluster.raft.door import Role
from quoth_node.patching import PatchesSaved
from tests.unit.patching.ground import Ground


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
