"""Compare-exchange values whose time has come are deleted, on every node at the same command.

Nobody's clock decides in the state: the leader proposes a command with a time when something is
due, and every node deletes what had come due by that time. Proposed twice, or late, it does no
harm: a value that was changed since has another time, or none.

An atomic guard takes over the time of its document. It goes at that time only if its document is
gone: as long as the document is there, its change vector names the guard, and without it no cluster
transaction could change the document any more.
"""

from itertools import islice

from quoth_cluster import compare_exchange, documents, expiry
from quoth_cluster.commands import ATOMIC_GUARD_PREFIX, ExpireCompareExchange
from quoth_cluster.outcomes import CompareExchangeExpired, Refused
from quoth_cluster.step import Step, check_time

EXPIRED_AT_ONCE_MAX = 1_000


def step_expire(step: Step, command: ExpireCompareExchange) -> CompareExchangeExpired | Refused:
    """Delete what is due, up to a limit."""
    if (refused := check_time(command.at_micros)) is not None:
        return refused
    # The map must not change under a scan; one more is read to tell whether there are more.
    due = list(islice(expiry.due(step.txn, command.at_micros), EXPIRED_AT_ONCE_MAX + 1))
    deleted = 0
    for key in due[:EXPIRED_AT_ONCE_MAX]:
        if _guards_a_document(step, key):
            compare_exchange.outlive(step, key)
        else:
            deleted += compare_exchange.delete(step, key)
    return CompareExchangeExpired(deleted, more=len(due) > EXPIRED_AT_ONCE_MAX)


def _guards_a_document(step: Step, key: str) -> bool:
    if not compare_exchange.is_guard_key(key):
        return False
    return documents.load(step.txn, key[len(ATOMIC_GUARD_PREFIX) :]) is not None
