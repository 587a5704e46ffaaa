"""The leader proposes that values whose time has come are deleted; the state decides which.

Every round looks at the first row of one index in each database, so it costs next to nothing where
nothing expires. Who believes to lead may propose, even twice: what is gone is not deleted again.
"""

import logging
from collections.abc import Awaitable, Callable

from quoth_cluster.clock import Clock
from quoth_cluster.commands import ExpireCompareExchange, encode
from quoth_cluster.errors import FateUnknown, NotProposed, NotReadable
from quoth_cluster.expiry import next_due
from quoth_cluster.machine import Machine
from quoth_cluster.outcomes import CompareExchangeExpired
from quoth_cluster.raft.door import RaftLog, Role

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
    """Have what is due deleted, if this node leads; whether there is more of it."""
    if raft.status().role is not Role.LEADER:
        return False
    at_micros, more = clock.now_micros(), False
    for record in machine.databases():
        if record.disabled or not is_due(machine, record.name, at_micros):
            continue
        command = ExpireCompareExchange(record.name, at_micros)
        try:
            applied = await raft.propose(encode(command), timeout_seconds=PROPOSAL_SECONDS_MAX)
        except (NotProposed, FateUnknown) as error:
            # The next leader, or the next round, finds it again.
            log.info("values that are due in %s are not deleted yet: %s", record.name, error)
            continue
        if isinstance(applied.outcome, CompareExchangeExpired):
            more = more or applied.outcome.more
    return more


def is_due(machine: Machine, name: str, at_micros: int) -> bool:
    database = machine.database(name)
    if database is None:
        return False
    try:
        with database.read() as txn:
            due = next_due(txn)
    except NotReadable:  # it was deleted just now
        return False
    return due is not None and due <= at_micros
