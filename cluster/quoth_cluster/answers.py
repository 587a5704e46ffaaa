"""What was answered to which request id, so that a repeated request gets its first answer.

The last `ANSWERS_MAX` are kept, in each database and in the group, and fewer if they have more than
`ANSWER_BYTES_MAX`, for an answer may hold a value as large as a request. Sequences are without
gaps, and each tells how many bytes there are up to it, so a difference is what some have together.
"""

from dataclasses import dataclass

from quoth_cluster import outcomes
from quoth_cluster.outcomes import Outcome, Refusal, Refused
from quoth_cluster.store import keys
from quoth_cluster.store.environment import ReadTxn, WriteTxn
from quoth_cluster.store.schema import ANSWER, ANSWERED

ANSWERS_MAX = 10_000
ANSWER_BYTES_MAX = 64 * 1024 * 1024  # besides the oldest one's
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
    txn: WriteTxn,
    request_id: str,
    *,
    kind: str,
    outcome: Outcome,
    answers_max: int = ANSWERS_MAX,
    bytes_max: int = ANSWER_BYTES_MAX,
) -> None:
    """Keep the first answer to an id, and let go of the oldest ones if there are too many."""
    newest = _end(txn, reverse=True)
    sequence, counted = (newest.sequence + 1, newest.bytes_up_to) if newest else (1, 0)
    raw = outcomes.encode(outcome)
    counted += len(raw)
    txn.put(_key(request_id), ANSWER.pack(request_id, kind, sequence, raw=raw))
    txn.put(keys.of_number(keys.ANSWERED, sequence), ANSWERED.pack(request_id, counted))
    while (oldest := _end(txn)) is not None and (
        oldest.sequence <= sequence - answers_max or oldest.bytes_up_to < counted - bytes_max
    ):
        _forget(txn, oldest)


@dataclass(frozen=True, slots=True)
class _Answered:
    """One row of the order in which answers were given."""

    sequence: int
    request_id: str
    bytes_up_to: int


def _end(txn: ReadTxn, *, reverse: bool = False) -> _Answered | None:
    """The oldest, or the newest."""
    for key, value in txn.scan(keys.ANSWERED, reverse=reverse):
        (request_id, bytes_up_to), _ = ANSWERED.unpack(value)
        return _Answered(keys.number_of(key), request_id, bytes_up_to)
    return None


def _forget(txn: WriteTxn, one: _Answered) -> None:
    key = keys.of_number(keys.ANSWERED, one.sequence)
    was_there = txn.delete(_key(one.request_id)) and txn.delete(key)
    assert was_there, "each sequence has its answer"


def _key(request_id: str) -> bytes:
    return keys.of_text(keys.ANSWERS, request_id.encode())
