"""Compare-exchange values: key, value, and the index of the command that set it.

A command has its own index even when several share one log entry, so an index never comes back and
whoever changes a value under the index they read changes what they read. A missing key has index 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from quoth_cluster import expiry, totals
from quoth_cluster.commands import (
    ATOMIC_GUARD_PREFIX,
    COMPARE_EXCHANGE_KEY_BYTES_MAX,
    ChangeCompareExchange,
    DeleteCompareExchange,
    PutCompareExchange,
)
from quoth_cluster.errors import CorruptFile
from quoth_cluster.outcomes import CompareExchangeAnswer, Refused
from quoth_cluster.step import Step, invalid, is_json_object
from quoth_cluster.store import keys
from quoth_cluster.store.environment import ReadTxn, WriteTxn
from quoth_cluster.store.schema import COMPARE_EXCHANGE

MISSING_INDEX = 0


@dataclass(frozen=True, slots=True)
class CompareExchangeValue:
    """A value the cluster agreed on."""

    key: str
    index: int  # the command that set it
    value: bytes  # JSON object: {"Object": ...} and perhaps "@metadata"
    expires_micros: int | None = None  # when it ends by itself; invariant: it has its row then


def get(txn: ReadTxn, key: str) -> CompareExchangeValue | None:
    """The value of `key`, in whatever case it is written."""
    folded = keys.fold(key)
    value = txn.get(keys.of_text(keys.COMPARE_EXCHANGE, folded))
    if value is None:
        return None
    found = _decode(value)
    if keys.fold(found.key) != folded:
        raise CorruptFile(f"a stored compare-exchange value is not the one of its key: {found.key}")
    return found


def starting_with(txn: ReadTxn, prefix: str) -> Iterator[CompareExchangeValue]:
    """Values whose key begins with `prefix`, in the order of folded keys."""
    folded = keys.fold(prefix)
    return map(_decode, keys.scan_text(txn, keys.COMPARE_EXCHANGE, folded, text_of=_folded_key_in))


def starting_with_in_any_order(txn: ReadTxn, prefix: str) -> Iterator[CompareExchangeValue]:
    """The same, one after another: none is read that is not wanted.

    The prefix is not longer than what of a key is not cut.
    """
    folded = keys.fold(prefix)
    assert len(folded) <= keys.HEAD_BYTES, "checked by the caller"
    return (_decode(value) for _, value in txn.scan(keys.COMPARE_EXCHANGE + folded))


def count(txn: ReadTxn) -> int:
    """How many values there are, atomic guards included."""
    return totals.load(txn).compare_exchange


def guard_key(document_id: str) -> str:
    """The key of a document's atomic guard."""
    return ATOMIC_GUARD_PREFIX + document_id


def is_guard_key(key: str) -> bool:
    """Whether `key` is that of an atomic guard."""
    return keys.fold_text(key).startswith(ATOMIC_GUARD_PREFIX)


def check(command: PutCompareExchange | DeleteCompareExchange) -> Refused | None:
    """Refuse a key that is empty or too long, and a value that could not be shown, or end."""
    key = command.key
    key_bytes_max = COMPARE_EXCHANGE_KEY_BYTES_MAX
    if is_guard_key(key):
        key_bytes_max += len(ATOMIC_GUARD_PREFIX)  # a guard holds the longest id
    if not 0 < len(keys.fold(key)) <= key_bytes_max:
        return invalid(f"A compare-exchange key has 1 to {key_bytes_max} bytes: '{key}'.")
    if isinstance(command, DeleteCompareExchange):
        return None
    if not is_json_object(command.value):
        return invalid(f"The compare-exchange value of '{key}' is not a JSON object.")
    expires = expiry.of_value(key, command.value)
    return expires if isinstance(expires, Refused) else None


def step_change(step: Step, change: ChangeCompareExchange) -> CompareExchangeAnswer | Refused:
    """Change one value if its index is the expected one; else answer with what stands."""
    command = change.command
    if (refused := check(command)) is not None:
        return refused
    current = get(step.txn, command.key)
    if command.expected_index != (current.index if current else MISSING_INDEX):
        index = current.index if current else MISSING_INDEX
        return CompareExchangeAnswer(False, index, current.value if current else None)
    match command:
        case PutCompareExchange(key=key, value=value):
            put(step, key, value)
            return CompareExchangeAnswer(True, step.command_index, value)
        case DeleteCompareExchange(key=key):
            delete(step, key)
            return CompareExchangeAnswer(
                True, step.command_index, current.value if current else None
            )


def put(step: Step, key: str, value: bytes) -> None:
    """Set a value; its index is that of the command."""
    current = get(step.txn, key)
    assert current is None or current.index <= step.command_index, "an index only grows"
    expires = expiry.of_value(key, value)
    assert not isinstance(expires, Refused), "checked by the caller"
    if current is not None and current.expires_micros is not None:
        expiry.forget(step.txn, key, current.expires_micros)
    new = CompareExchangeValue(key, step.command_index, value)
    store(step.txn, new, expires_micros=expires)
    if expires is not None:
        expiry.note(step.txn, key, expires)
    step.totals.compare_exchange += current is None


def delete(step: Step, key: str) -> bool:
    """Delete a value; whether it was there."""
    current = get(step.txn, key)
    if current is None:
        return False
    if current.expires_micros is not None:
        expiry.forget(step.txn, key, current.expires_micros)
    step.txn.delete(_key(key))
    step.totals.compare_exchange -= 1
    return True


def outlive(step: Step, key: str) -> None:
    """Keep a value whose time has come, with its index: it does not expire any more."""
    current = get(step.txn, key)
    assert current is not None and current.expires_micros is not None, "it expired"
    expiry.forget(step.txn, key, current.expires_micros)
    store(step.txn, current, expires_micros=None)


def store(txn: WriteTxn, value: CompareExchangeValue, *, expires_micros: int | None) -> None:
    """Write a value as it is, over what was there; its row is for the caller."""
    packed = COMPARE_EXCHANGE.pack(value.key, value.index, expires_micros, raw=value.value)
    txn.put(_key(value.key), packed)


def _key(key: str) -> bytes:
    return keys.of_text(keys.COMPARE_EXCHANGE, keys.fold(key))


def _decode(value: bytes) -> CompareExchangeValue:
    (key, index, expires_micros), raw = COMPARE_EXCHANGE.unpack(value)
    assert index > MISSING_INDEX, "command indexes start at 1"
    return CompareExchangeValue(key, index, raw, expires_micros)


def _folded_key_in(value: bytes) -> bytes:
    return keys.fold(_decode(value).key)
