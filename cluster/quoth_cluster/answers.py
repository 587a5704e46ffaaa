"""What was answered to which request id, so that a repeated request gets its first answer.

The last `ANSWERS_MAX` are kept, in each database and in the group. Sequences are without gaps, so
the one that falls out is the one that many before the newest.
"""

from quoth_cluster import outcomes
from quoth_cluster.outcomes import Outcome, Refusal, Refused
from quoth_cluster.store import keys
from quoth_cluster.store.environment import ReadTxn, WriteTxn
from quoth_cluster.store.schema import ANSWER, ANSWERED

ANSWERS_MAX = 10_000
REQUEST_ID_BYTES_MAX = 512


def recall(txn: ReadTxn, request_id: str, *, kind: str) -> Outcome | None:
    """The answer given before to this id, or None.

    `kind` tells the commands apart: an id that was used for another one is refused.
    """
    if not 0 < len(request_id.encode()) <= REQUEST_ID_BYTES_MAX:
        return Refused(Refusal.INVALID, f"A request id has 1 to {REQUEST_ID_BYTES_MAX} bytes.")
    value = txn.get(_key(request_id))
    if value is None:
        return None
    (remembered_id, remembered_kind, _), outcome = ANSWER.unpack(value)
    assert remembered_id == request_id, "the key follows from the id"
    if remembered_kind != kind:
        message = f"The request id '{request_id}' was used for a {remembered_kind} before."
        return Refused(Refusal.INVALID, message)
    return outcomes.decode(outcome)


def remember(
    txn: WriteTxn, request_id: str, *, kind: str, outcome: Outcome, answers_max: int = ANSWERS_MAX
) -> None:
    """Keep the first answer to an id, and let go of the oldest one if there are too many."""
    sequence = _last_sequence(txn) + 1
    raw = outcomes.encode(outcome)
    txn.put(_key(request_id), ANSWER.pack(request_id, kind, sequence, raw=raw))
    txn.put(keys.of_number(keys.ANSWERED, sequence), ANSWERED.pack(request_id))
    if sequence > answers_max:
        _forget(txn, sequence - answers_max)


def _forget(txn: WriteTxn, sequence: int) -> None:
    key = keys.of_number(keys.ANSWERED, sequence)
    value = txn.get(key)
    assert value is not None, "sequences are without gaps"
    (request_id,), _ = ANSWERED.unpack(value)
    was_there = txn.delete(_key(request_id)) and txn.delete(key)
    assert was_there, "each sequence has its answer"


def _last_sequence(txn: ReadTxn) -> int:
    for key, _ in txn.scan(keys.ANSWERED, reverse=True):
        return keys.number_of(key)
    return 0


def _key(request_id: str) -> bytes:
    return keys.of_text(keys.ANSWERS, request_id.encode())
