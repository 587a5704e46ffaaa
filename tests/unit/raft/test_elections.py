"""When a node asks to stand, and when it stands."""

from pathlib import Path

from quoth_cluster.clock import SeededChance, SystemClock
from quoth_cluster.raft.elections import Elections
from quoth_cluster.raft.journal import Journal
from quoth_cluster.raft.syncobj import Timing


class StillClock(SystemClock):
    """Time that moves by hand."""

    now = 1_000.0

    def monotonic(self) -> float:
        return self.now


def test_nodes_that_split_the_votes_do_not_ask_again_together(tmp_path: Path) -> None:
    """They once waited equally long after each try, and split the votes for ever."""
    clock, timing = StillClock(), Timing()
    nodes = [
        Elections(
            *(tag, Journal.open(tmp_path / tag)),
            timing=timing,
            clock=clock,
            chance=SeededChance(ord(tag)),
        )
        for tag in "ABC"
    ]
    for node in nodes:
        node.stand()
    stood_at = clock.now
    asked_at: dict[int, float] = {}
    while len(asked_at) < len(nodes):
        clock.now += 0.01
        for at, node in enumerate(nodes):
            if at not in asked_at and node.ask(1) is not None:
                asked_at[at] = clock.now
    first, second, third = sorted(asked_at.values())
    assert stood_at + timing.election_timeout_min <= first < second < third
    assert third <= stood_at + timing.election_timeout_max + 0.02


def test_a_node_stands_only_for_as_long_as_the_library_does_not_call_an_election(
    tmp_path: Path,
) -> None:
    clock, timing = StillClock(), Timing()
    node = Elections(
        "A", Journal.open(tmp_path / "A"), timing=timing, clock=clock, chance=SeededChance(1)
    )
    node.stand()
    clock.now += timing.election_timeout_min - 0.01
    assert node.ask(1) is None and node.stands
    clock.now += 0.02
    node.ask(1)
    assert not node.stands
