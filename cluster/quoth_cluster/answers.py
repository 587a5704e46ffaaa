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


class Answers:
    """The answers in one environment, as one transaction gives more of them.

    Nobody else may write them meanwhile: the oldest and the newest are read once.
    """

    def __init__(self, txn: WriteTxn) -> None:
        self._txn = txn
        self._newest = self._oldest = _NOBODY
        self._is_open = False

    def recall(self, request_id: str, *, kind: str) -> Outcome | None:
        """The answer given before to this id, or None."""
        return recall(self._txn, request_id, kind=kind)

    def remember(
        self,
        request_id: str,
        *,
        kind: str,
        outcome: Outcome,
        answers_max: int = ANSWERS_MAX,
        bytes_max: int = ANSWER_BYTES_MAX,
    ) -> None:
        """Keep the first answer to an id, and let go of the oldest ones if there are too many."""
        assert answers_max > 0 <= bytes_max, "the newest stays"
        if not self._is_open:
            self._open()
        raw = outcomes.encode(outcome)
        sequence, counted = self._newest.sequence + 1, self._newest.bytes_up_to + len(raw)
        self._txn.put(_key(request_id), ANSWER.pack(request_id, kind, sequence, raw=raw))
        self._txn.put(_row(sequence), ANSWERED.pack(request_id, counted))
        self._newest = newest = _Answered(sequence, request_id, counted)
        if self._oldest is _NOBODY:
            self._oldest = newest
        while (
            self._oldest.sequence <= sequence - answers_max
            or self._oldest.bytes_up_to < counted - bytes_max
        ):
            self._forget_oldest()

    def _open(self) -> None:
        for key, value in self._txn.scan(keys.ANSWERED):
            self._oldest = _answered(key, value)
            break
        for key, value in self._txn.scan(keys.ANSWERED, reverse=True):
            self._newest = _answered(key, value)
            break
        self._is_open = True

    def _forget_oldest(self) -> None:
        oldest = self._oldest
        key, behind = _row(oldest.sequence), _row(oldest.sequence + 1)
        was_there = self._txn.delete(_key(oldest.request_id)) and self._txn.delete(key)
        assert was_there, "each sequence has its answer"
        value = self._txn.get(behind)
        assert value is not None, "sequences are without gaps, and the newest stays"
        self._oldest = _answered(behind, value)


@dataclass(frozen=True, slots=True)
class _Answered:
    """One row of the order in which answers were given."""

    sequence: int
    request_id: str
    bytes_up_to: int


_NOBODY = _Answered(0, "", 0)


def _answered(key: bytes, value: bytes) -> _Answered:
    (request_id, bytes_up_to), _ = ANSWERED.unpack(value)
    return _Answered(keys.number_of(key), request_id, bytes_up_to)


def _row(sequence: int) -> bytes:
    return keys.of_number(keys.ANSWERED, sequence)


def _key(request_id: str) -> bytes:
    return keys.of_text(keys.ANSWERS, request_id.encode())
