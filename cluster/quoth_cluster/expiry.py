"""When compare-exchange values end by themselves: `@metadata.@expires` names their time.

Rows ordered by time find those that are due. Invariant: a row stands exactly as long as the value
with that time does.
"""

import re
from collections.abc import Iterator
from datetime import date

import orjson

from quoth_cluster.clock import MICROS_PER_SECOND
from quoth_cluster.outcomes import Refusal, Refused
from quoth_cluster.store import keys
from quoth_cluster.store.environment import ReadTxn, WriteTxn
from quoth_cluster.store.schema import EXPIRY

EPOCH_DAY = date(1970, 1, 1).toordinal()
TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?)?"
    r"(?:Z|([+-])([0-9]{2}):([0-9]{2}))?"
)


def read_time(text: str) -> int | None:
    """Microseconds since 1970 of an ISO date; None if it is none. Without a zone it is UTC.

    The time before 1970 is 1970: it is over anyway. Read here, digit by digit, so that it means the
    same with every version of Python.
    """
    match = TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hours, minutes, seconds = (int(part or 0) for part in match.groups()[:6])
    ahead_hours, ahead_minutes = int(match[9] or 0), int(match[10] or 0)
    if hours > 23 or minutes > 59 or seconds > 59 or ahead_hours > 23 or ahead_minutes > 59:
        return None
    try:
        days = date(year, month, day).toordinal() - EPOCH_DAY
    except ValueError:
        return None
    ahead = (ahead_hours * 60 + ahead_minutes) * (-1 if match[8] == "-" else 1)
    whole = ((days * 24 + hours) * 60 + minutes - ahead) * 60 + seconds
    fraction = int((match[7] or "0")[:6].ljust(6, "0"))
    return max(whole * MICROS_PER_SECOND + fraction, 0)


def of_value(key: str, value: bytes) -> int | Refused | None:
    """When a compare-exchange value expires; None: never; refused where it names no time."""
    if b'"@expires"' not in value:
        return None
    try:
        metadata = orjson.loads(value).get("@metadata")
    except orjson.JSONDecodeError:
        return None
    if not isinstance(metadata, dict) or metadata.get("@expires") is None:
        return None
    named = metadata["@expires"]
    at_micros = read_time(named) if isinstance(named, str) else None
    if at_micros is None:
        return Refused(
            Refusal.EXPIRY,
            f"The due date format for compare exchange '{key}' is not valid: '{named}'. "
            "Use the following format: 2030-01-02T03:04:05.0000000Z",
        )
    return at_micros


def note(txn: WriteTxn, key: str, at_micros: int) -> None:
    """The value of `key` expires at that time."""
    folded = keys.fold(key)
    row = keys.of_number_and_text(keys.EXPIRIES, at_micros, folded)
    txn.put(row, EXPIRY.pack(raw=folded))


def forget(txn: WriteTxn, key: str, at_micros: int) -> None:
    """The value of `key` that expires at that time is no more, or is another one."""
    was_there = txn.delete(keys.of_number_and_text(keys.EXPIRIES, at_micros, keys.fold(key)))
    assert was_there, "every value that expires has its row"


def due(txn: ReadTxn, at_micros: int) -> Iterator[str]:
    """Folded keys whose time has come, the earliest first."""
    for row, value in txn.scan(keys.EXPIRIES):
        if keys.leading_number_of(row) > at_micros:
            return
        _, folded = EXPIRY.unpack(value)
        yield folded.decode()


def next_due(txn: ReadTxn) -> int | None:
    """When the next value expires; None if none does."""
    for row, _ in txn.scan(keys.EXPIRIES):
        return keys.leading_number_of(row)
    return None
