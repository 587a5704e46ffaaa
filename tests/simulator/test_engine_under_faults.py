"""Whatever the network, the disks and kill -9 do, the log of a cluster has one history."""

import os
from pathlib import Path

import pytest

from tests.simulator.engine_world import World

FIRST_SEED = int(os.environ.get("QUOTH_FIRST_SEED", "0"))
SEEDS = range(FIRST_SEED, FIRST_SEED + int(os.environ.get("QUOTH_SEEDS", "40")))


def storm(world: World, seconds: float) -> None:
    """Random crashes, cuts, pauses and stalls under a stream of proposals."""
    dice = world.dice
    for _ in range(int(seconds / 0.1)):
        tag = dice.choice(world.tags)
        event = dice.random()
        node = world.nodes[tag]
        if event < 0.03 and node.is_up:
            world.crash(tag)
        elif event < 0.13 and not node.is_up:
            world.start(tag)
        elif event < 0.16 and node.is_up:
            node.paused_until = world.clock.now + dice.uniform(0.1, 3.0)
        elif event < 0.20:
            world.cut(tag, dice.choice([other for other in world.tags if other != tag]))
        elif event < 0.24:
            world.heal()
        elif event < 0.26 and node.is_up:
            source = dice.choice([other for other in world.tags if other != tag])
            world.disconnect(source, tag)
            world.connect(source, tag)
        world.is_stormy = True
        for _ in range(10):
            if dice.random() < 0.5:
                world.propose(dice.choice(world.tags))
            world.step()


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    # A crash here drops what was not written yet; whether the kernel wrote it is not the question.
    monkeypatch.setattr(os, "fdatasync", lambda _fd: None)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_history_through_a_storm(seed: int, tmp_path: Path) -> None:
    world = World(seed, tmp_path, size=3 if seed % 3 else 5)
    storm(world, 20.0)
    world.heal()
    before = len(world.committed)
    world.run(4.0)
    leader = world.leader()
    assert leader is not None, "a calm cluster has a leader"
    assert world.propose(leader) is not None, "and takes proposals"
    world.run(1.0)
    assert len(world.committed) > before, "and commits them"
    world.check_settled()
    assert len(world.acknowledged) > 20, "a storm that lets nothing through tests nothing"


def test_the_same_seed_gives_the_same_history(tmp_path: Path) -> None:
    histories = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        world = World(4711, tmp_path / name)
        storm(world, 10.0)
        histories.append((world.committed, world.leaders, world.clock.now))
    assert histories[0] == histories[1]
