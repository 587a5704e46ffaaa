"""Real nodes that are killed, clients of every kind: what all of them saw has a serial order.

python -m tests.cluster.test_strict_serializability 300    # seconds, of which some are kills
"""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests

from quoth_node.testing.checkers.strict_serializability import Transaction, is_explained
from scripts.local_cluster import LocalCluster
from tests.cluster.serializable_play import Player

PLAYERS = 6
TURNS = 5  # transactions of each player in one round
ROUNDS = 8
KILLS_EVERY = 4  # rounds


@contextmanager
def playing(folder: Path) -> Iterator[tuple[LocalCluster, list[Player]]]:
    """Players on three nodes; a node that dies is started again."""
    with LocalCluster(folder / "cluster", options=("--restart",)) as cluster:
        requests.put(
            f"{cluster.urls[0]}/admin/databases",
            params={"name": "play"},
            json={"DatabaseName": "play"},
            timeout=30,
        ).raise_for_status()
        yield (
            cluster,
            [Player(f"p{n}", cluster.urls, database="play", seed=7) for n in range(PLAYERS)],
        )


def play(cluster: LocalCluster, players: Sequence[Player], number: int) -> list[Transaction]:
    """One round, on documents and values of its own; in some the leader dies."""
    threads = [one.play(f"r{number}/", TURNS) for one in players]
    if number % KILLS_EVERY == 1:
        leader, term = cluster.leader(), cluster.term()
        cluster.kill(leader)
        cluster.leader(after_term=term)
        cluster.wait_until_ready(leader, timeout_seconds=60.0)
    for thread in threads:
        thread.join(300.0)
        assert not thread.is_alive(), f"{thread.name} hangs"
    players[0].look_at_everything()
    return [one for player in players for one in player.history]


def test_what_sessions_on_dying_nodes_saw_has_a_serial_order(tmp_path: Path) -> None:
    with playing(tmp_path) as (cluster, players):
        for number in range(ROUNDS):
            history = play(cluster, players, number)
            assert [one.strange for one in players if one.strange] == []
            assert is_explained(history), history
        assert sum(one.saves for one in players) > ROUNDS
        assert sum(one.conflicts for one in players) > ROUNDS


def main() -> int:
    """Rounds for some seconds; 1 if one has no serial order."""
    deadline = time.monotonic() + float(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder, playing(Path(folder)) as (cluster, players):
        number = transactions = doubtful = 0
        while time.monotonic() < deadline:
            history = play(cluster, players, number)
            number += 1
            transactions += len(history)
            doubtful += sum(not one.is_certain for one in history)
            if not is_explained(history):
                print(*history, sep="\n")
                return 1
        saves, conflicts = (
            sum(one.saves for one in players),
            sum(one.conflicts for one in players),
        )
        print(f"{number} rounds, {transactions} transactions, {doubtful} of them in doubt,"
              f" {saves} saves and {conflicts} conflicts of sessions")  # fmt: skip
        print(*(line for one in players for line in one.strange), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
