"""A database in memory, so that the real steps run within the simulator's state machine.

Rows are never changed in place once they are committed: a state of the machine keeps them as they
were. Files of a snapshot name them by their digest; what was once in a state is found by it.
"""

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

from quoth_cluster import outcomes, round
from quoth_cluster.answers import Answers
from quoth_cluster.commands import SaveNumbered, decode
from quoth_cluster.databases import DatabaseRecord
from quoth_cluster.dispatch import carry_out
from quoth_cluster.outcomes import Outcome
from quoth_cluster.running import Running
from quoth_cluster.sequence_commands import SequenceCommand
from quoth_cluster.store.environment import WriteTxn

Rows = dict[bytes, bytes]
DATABASE_ID = "UwSrJxnBKEyy1t80ndJZBA"
RECORD = DatabaseRecord("db", DATABASE_ID, DATABASE_ID, DATABASE_ID, b"{}", 0, 1)
KNOWN: dict[bytes, Rows] = {}  # of this run


class MapTxn(WriteTxn):
    """The one writer, of rows in memory."""

    def __init__(self, rows: Rows, owner: object, parent: "MapTxn | None" = None) -> None:
        self.rows = dict(rows)
        self.owner = owner  # the life of a state machine; only planted bugs look at it
        self.path = Path("/memory")
        self._parent = parent

    def get(self, key: bytes) -> bytes | None:
        return self.rows.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        self.rows[key] = value

    def delete(self, key: bytes) -> bool:
        return self.rows.pop(key, None) is not None

    def scan(
        self, prefix: bytes, *, start: bytes | None = None, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        keys = sorted(key for key in self.rows if key.startswith(prefix))
        if start is not None:
            keys = [key for key in keys if (key <= start if reverse else key >= start)]
        for key in reversed(keys) if reverse else keys:
            yield key, self.rows[key]

    def draft(self) -> "MapTxn":
        return MapTxn(self.rows, self.owner, self)

    def commit(self) -> None:
        assert self._parent is not None, "only a draft is committed here"
        self._parent.rows = self.rows

    def abort(self) -> None:
        return None


def stepped(rows: Rows, command: bytes, command_index: int, owner: object) -> tuple[Rows, Outcome]:
    """The rows after a command, and its outcome: by the very code that a node runs."""
    txn = MapTxn(rows, owner)
    opened, running = decode(command), Running.of(txn)
    assert isinstance(opened, SaveNumbered | SequenceCommand)
    outcome = round.answered(
        Answers(txn),
        opened,
        lambda: carry_out(
            txn, RECORD, opened, running=running, command_index=command_index, separator="/"
        ),
    )
    running.store(txn)
    return txn.rows, outcome


def packed(outcome: Outcome) -> bytes:
    """What all nodes must come to."""
    return outcomes.encode(outcome)


def noted(rows: Rows) -> bytes:
    """The digest of rows, which are found by it from now on."""
    digest = blake2b(repr(sorted(rows.items())).encode(), digest_size=8).digest()
    KNOWN[digest] = rows
    return digest
