"""How fast three processes agree: `python -m scripts.bench.log`.

Three nodes in three processes on loopback, journals on disk (fdatasync before anything rests on
it), a state machine that only counts. The proposers sit in the leader's process, so this is the log
alone, without HTTP and documents.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from quoth_cluster.clock import SeededChance, SystemClock
from quoth_cluster.log import Change, LogEntry, Member, MembershipChange, Position, Stepped, Vote
from quoth_cluster.raft.group import RaftGroup
from quoth_cluster.raft.journal import Journal
from quoth_cluster.raft.link import Identity
from quoth_cluster.raft.neighbours import Contact
from quoth_cluster.raft.snapshot_store import Frozen
from quoth_cluster.raft.syncobj import Timing

COMMAND_BYTES = 100
PROPOSERS = (1, 16, 64, 256)


class Counter:
    """A state machine that counts."""

    def __init__(self) -> None:
        self.position = Position()
        self.members_command_index = 0
        self._count = 0

    def apply(self, entries: Sequence[LogEntry]) -> list[tuple[Stepped, ...]]:
        return [self._step(entry) for entry in entries]

    def checkpoint(self) -> None:
        return None

    def freeze(self) -> Frozen:
        raise AssertionError("nothing is trimmed here")

    def install(self, copy: Path) -> None:
        raise AssertionError("nothing is trimmed here")

    def _step(self, entry: LogEntry) -> tuple[Stepped, ...]:
        first = self._count + 1
        self._count += len(entry.commands) + (entry.membership is not None)
        return tuple(Stepped(number, None) for number in range(first, self._count + 1))


@dataclass(frozen=True)
class Round:
    """What one number of proposers came to; the median round of several."""

    proposers: int
    commands_per_second: float
    entries_per_second: float
    p50_ms: float
    p99_ms: float


async def start(tag: str, folder: Path, contacts: Sequence[Contact]) -> tuple[RaftGroup, Member]:
    """A node's group, listening but not running yet."""
    group = RaftGroup(
        Identity("bench", "main", tag),
        Journal.open(folder / "journal"),
        Counter(),
        timing=Timing(),
        clock=SystemClock(),
        chance=SeededChance(),
        contacts=contacts,
    )
    port = await group.links.listen("127.0.0.1", 0)
    group.links.advertise(f"127.0.0.1:{port}")
    return group, Member(tag, f"http://{tag}", f"127.0.0.1:{port}", Vote.PROMOTABLE)


async def follow(tag: str, folder: Path, contact: Contact) -> None:
    """A follower: prints its address and takes part until it is killed."""
    group, me = await start(tag, folder, [contact])
    print(me.peer_address, flush=True)
    await group.run(disk=ThreadPoolExecutor(1), writer=ThreadPoolExecutor(1))


async def measure(group: RaftGroup, proposers: int, seconds: float) -> Round:
    """Propose as fast as answers come, and take the times."""
    command, latencies = bytes(COMMAND_BYTES), list[float]()
    before, began = group.status().last_log_index, time.perf_counter()
    end = began + seconds

    async def propose() -> None:
        while (asked := time.perf_counter()) < end:
            await group.propose(command, timeout_seconds=30)
            latencies.append(time.perf_counter() - asked)

    await asyncio.gather(*(propose() for _ in range(proposers)))
    took = time.perf_counter() - began
    ordered = sorted(latencies)
    return Round(
        proposers,
        len(ordered) / took,
        (group.status().last_log_index - before) / took,
        ordered[len(ordered) // 2] * 1e3,
        ordered[len(ordered) * 99 // 100] * 1e3,
    )


async def lead(folder: Path, *, rounds: int, seconds: float) -> list[Round]:
    """Lead two followers in processes of their own, and measure."""
    group, me = await start("A", folder / "A", [])
    running = asyncio.create_task(
        group.run(disk=ThreadPoolExecutor(1), writer=ThreadPoolExecutor(1))
    )
    await group.found(Member(me.tag, me.url, me.peer_address))
    processes = []
    try:
        for tag in "BC":
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "scripts.bench.log", "--follow", tag),
                *("--folder", str(folder / tag), "--contact", me.peer_address),
                stdout=asyncio.subprocess.PIPE,
            )
            processes.append(process)
            assert process.stdout is not None
            address = (await process.stdout.readline()).decode().strip()
            member = Member(tag, f"http://{tag}", address, Vote.PROMOTABLE)
            await group.change_membership(MembershipChange(Change.ADD, member), timeout_seconds=30)
            while group.members()[tag].vote is not Vote.MEMBER:
                await group.link_news(seconds=0.05)
        measured = []
        for proposers in PROPOSERS:
            several = [await measure(group, proposers, seconds) for _ in range(rounds)]
            middle = statistics.median_low([one.commands_per_second for one in several])
            measured.append(next(one for one in several if one.commands_per_second == middle))
        return measured
    finally:
        for process in processes:
            process.kill()
            await process.wait()
        running.cancel()
        await asyncio.wait([running])


def main() -> None:
    """Run, and print a table, or JSON with --json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds per row; the median is shown")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--follow", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--contact", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.follow:
        asyncio.run(follow(wanted.follow, wanted.folder, Contact("A", wanted.contact)))
        return
    with tempfile.TemporaryDirectory() as folder:
        measured = asyncio.run(
            lead(Path(folder), rounds=wanted.rounds, seconds=wanted.seconds)
        )
    if wanted.json:
        print(json.dumps([vars(one) for one in measured], indent=2))
        return
    table = Table("proposers", "commands/s", "entries/s", "p50 ms", "p99 ms")
    for one in measured:
        figures = (one.commands_per_second, one.entries_per_second)
        table.add_row(
            str(one.proposers), *(f"{n:,.0f}" for n in figures), f"{one.p50_ms:.2f}",
            f"{one.p99_ms:.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
