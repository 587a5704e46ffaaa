"""Identities: number series that the cluster agrees on, such as `orders|` -> 17."""

from quoth_cluster import totals
from quoth_cluster.commands import NextIdentity, SeedIdentity
from quoth_cluster.outcomes import IdentityValue, Refused
from quoth_cluster.step import INTEGER_MAX, Step, invalid
from quoth_cluster.store import keys
from quoth_cluster.store.environment import ReadTxn
from quoth_cluster.store.schema import IDENTITY

SEPARATOR = "|"
NAME_BYTES_MAX = 512


def every(txn: ReadTxn) -> dict[str, int]:
    """The latest number of each series."""
    values = keys.scan_text(txn, keys.IDENTITIES, b"", text_of=_name_in)
    return dict(IDENTITY.unpack(value)[0] for value in values)


def latest(txn: ReadTxn, name: str) -> int:
    """The latest number of one series, 0 before the first."""
    checked = _checked(name)
    return 0 if isinstance(checked, Refused) else _latest(txn, checked) or 0


def count(txn: ReadTxn) -> int:
    """How many series there are."""
    return totals.load(txn).identities


def step_next(step: Step, command: NextIdentity) -> IdentityValue | Refused:
    """Take the next number."""
    return take(step, command.name)


def step_seed(step: Step, command: SeedIdentity) -> IdentityValue | Refused:
    """Set the latest number, or say which one stands."""
    if not 0 <= command.value <= INTEGER_MAX:
        return invalid(f"An identity is a number from 0 to {INTEGER_MAX}, not {command.value}.")
    name = _checked(command.name)
    if isinstance(name, Refused):
        return name
    current = _latest(step.txn, name)
    if command.force or command.value > (current or 0):
        _store(step, name, command.value, is_new=current is None)
        return IdentityValue(command.value)
    return IdentityValue(current or 0)


def take(step: Step, name: str) -> IdentityValue | Refused:
    """Take the next number of a series; `users` and `Users|` are the same one."""
    checked = _checked(name)
    if isinstance(checked, Refused):
        return checked
    current = _latest(step.txn, checked)
    value = (current or 0) + 1
    if value > INTEGER_MAX:
        return invalid(f"The identity '{checked}' has no numbers left.")
    _store(step, checked, value, is_new=current is None)
    return IdentityValue(value)


def _checked(name: str) -> str | Refused:
    """The name as it is stored: lower-cased, with the separator."""
    folded = keys.fold_text(name)
    if not folded.endswith(SEPARATOR):
        folded += SEPARATOR
    if folded == SEPARATOR or len(folded.encode()) > NAME_BYTES_MAX:
        return invalid(f"The name of an identity has 1 to {NAME_BYTES_MAX - 1} bytes.")
    return folded


def _latest(txn: ReadTxn, name: str) -> int | None:
    value = txn.get(_key(name))
    if value is None:
        return None
    stored_name, number = IDENTITY.unpack(value)[0]
    assert stored_name == name and 0 <= number <= INTEGER_MAX
    return int(number)


def _store(step: Step, name: str, value: int, *, is_new: bool) -> None:
    step.txn.put(_key(name), IDENTITY.pack(name, value))
    step.totals.identities += is_new


def _key(name: str) -> bytes:
    return keys.of_text(keys.IDENTITIES, name.encode())


def _name_in(value: bytes) -> bytes:
    name: str = IDENTITY.unpack(value)[0][0]
    return name.encode()
