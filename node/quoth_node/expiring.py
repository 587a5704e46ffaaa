"""The leader proposes that what has come due ends: compare-exchange values, reserved numbers.

The state decides which. Every round looks at the first row of two indexes in each database, so it
costs next to nothing where nothing expires. Who believes to lead may propose, even twice: what is
gone is not deleted again.
"""

import logging
from collections.abc import Awaitable, Callable

from quoth_cluster import reservations
from quoth_cluster.clock import Clock
from quoth_cluster.commands import Command, ExpireCompareExchange, encode
from quoth_cluster.errors import FateUnknown, NotProposed, NotReadable
from quoth_cluster.expiry import next_due
from quoth_cluster.machine import Machine
from quoth_cluster.outcomes import CompareExchangeExpired
from quoth_cluster.raft.door import RaftLog, Role
from quoth_cluster.sequence_commands import TendSequences
from quoth_cluster.sequence_outcomes import SequencesTended

ROUND_SECONDS = 1.0
PROPOSAL_SECONDS_MAX = 15.0

log = logging.getLogger(__name__)


async def expire_values(
    raft: RaftLog, machine: Machine, clock: Clock, *, sleep: Callable[[float], Awaitable[None]]
) -> None:
    """Look for what is due, until cancelled."""
    while True:
        if not await expire_due(raft, machine, clock):
            await sleep(ROUND_SECONDS)


async def expire_due(raft: RaftLog, machine: Machine, clock: Clock) -> bool:
    """Have what is due ended, if this node leads; whether there is more of it."""
    if raft.status().role is not Role.LEADER:
        return False
    at_micros, more = clock.now_micros(), False
    for record in machine.databases():
        for command in [] if record.disabled else due_in(machine, record.name, at_micros):
            try:
                applied = await raft.propose(encode(command), timeout_seconds=PROPOSAL_SECONDS_MAX)
            except (NotProposed, FateUnknown) as error:
                # The next leader, or the next round, finds it again.
                log.info("what is due in %s has not ended yet: %s", record.name, error)
                continue
            if isinstance(applied.outcome, CompareExchangeExpired | SequencesTended):
                more = more or applied.outcome.more
    return more


def due_in(machine: Machine, name: str, at_micros: int) -> list[Command]:
    """What to propose for one database."""
    database = machine.database(name)
    if database is None:
        return []
    try:
        with database.read() as txn:
            values_at, numbers_at = next_due(txn), reservations.next_due(txn)
    except NotReadable:  # it was deleted just now
        return []
    commands: list[Command] = []
    if values_at is not None and values_at <= at_micros:
        commands.append(ExpireCompareExchange(name, at_micros))
    if numbers_at is not None and numbers_at <= at_micros:
        commands.append(TendSequences(name, at_micros))
    return commands
