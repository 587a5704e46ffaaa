"""Groups on loopback, in one process: real links, real journals, a plain state machine."""

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from quoth_cluster.clock import SeededChance, SystemClock
from quoth_cluster.log import Member, Vote
from quoth_cluster.raft.group import LOG_KEEP_BYTES, LOG_KEEP_SLOTS, RaftGroup
from quoth_cluster.raft.journal import SEGMENT_BYTES, Journal
from quoth_cluster.raft.link import Identity
from quoth_cluster.raft.neighbours import Contact
from quoth_cluster.raft.syncobj import Timing
from tests.unit.raft.plain_machine import PlainMachine

PATIENCE = 15.0


class Running:
    """One node of a group, that can be stopped and started again."""

    def __init__(self, tag: str, folder: Path, contacts: Sequence[Contact] = ()) -> None:
        self.tag = tag
        self.folder = folder
        self.contacts = contacts
        self.port = 0
        self.segment_bytes = SEGMENT_BYTES
        self.log_keep_slots = LOG_KEEP_SLOTS
        self.log_keep_bytes = LOG_KEEP_BYTES
        folder.mkdir()

    async def start(self) -> None:
        self.machine = PlainMachine(self.folder / "machine")
        self.journal = Journal.open(
            self.folder / "journal",
            segment_bytes=self.segment_bytes,
            new_incarnation=os.urandom(16),
        )
        self.group = RaftGroup(
            Identity("cluster", "main", self.tag),
            self.journal,
            self.machine,
            timing=Timing(heartbeat=0.05, election_timeout_min=0.3, election_timeout_max=0.6),
            clock=SystemClock(),
            chance=SeededChance(ord(self.tag)),
            contacts=self.contacts,
            log_keep_slots=self.log_keep_slots,
            log_keep_bytes=self.log_keep_bytes,
        )
        self.port = await self.group.links.listen("127.0.0.1", self.port)
        self.group.links.advertise(f"127.0.0.1:{self.port}")
        self.threads = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        disk, writer = self.threads
        self.task = asyncio.create_task(self.group.run(disk=disk, writer=writer))

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])
        for thread in self.threads:
            thread.shutdown()
        self.journal.close()

    @property
    def member(self) -> Member:
        return Member(self.tag, f"http://127.0.0.1:1{self.tag}", f"127.0.0.1:{self.port}")

    @property
    def promotable(self) -> Member:
        return replace(self.member, vote=Vote.PROMOTABLE)

    async def propose(self, command: bytes) -> int:
        applied = await self.group.propose(command, timeout_seconds=PATIENCE)
        assert applied.outcome == command
        return applied.command_index
