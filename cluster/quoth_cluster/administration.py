"""Changes of database records: settings, state, lock, order of members. All or nothing each.

A record keeps the index of its last change, which is its etag: who changes what they read names it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import TypeVar

from quoth_cluster import client_configuration
from quoth_cluster.commands import ChangeDatabase
from quoth_cluster.databases import SETTINGS_BYTES_MAX, DatabaseRecord, is_id
from quoth_cluster.outcomes import Refusal, Refused

T = TypeVar("T")
UNUSED_IDS_MAX = 1_000


class LockMode(StrEnum):
    """Whether a database may be deleted."""

    UNLOCK = "Unlock"
    PREVENT_DELETES_IGNORE = "PreventDeletesIgnore"  # a deletion passes it over
    PREVENT_DELETES_ERROR = "PreventDeletesError"  # a deletion that names it is refused


def changed(
    record: DatabaseRecord,
    command: ChangeDatabase,
    *,
    members: Collection[str],
    command_index: int,
) -> DatabaseRecord | Refused:
    """The record as `command` leaves it."""
    expected, order = command.expected_etag, command.members_order
    if expected is not None and expected != record.etag:
        return Refused(
            Refusal.DATABASE_ETAG,
            f"Concurrency violation, the database {record.name} has etag {record.etag} "
            f"but was expecting {expected}",
        )
    refused = (
        check_settings(command.settings)
        or check_lock(command.lock_mode)
        or (client_configuration.check(command.client) if command.client else None)
        or _check_order(order, members)
        or _check_unused(record, command.unused_ids)
    )
    if refused is not None:
        return refused
    client_changes = command.client not in (None, record.client)
    return replace(
        record,
        changed_index=command_index,
        settings=_or(command.settings, record.settings),
        disabled=_or(command.disabled, record.disabled),
        lock_mode=_or(command.lock_mode, record.lock_mode),
        client=_or(command.client, record.client),
        client_index=command_index if client_changes else record.client_index,
        members_order=_or(order, record.members_order),
        order_fixed=_or(command.order_fixed, record.order_fixed),
        order_index=record.order_index if order is None else command_index,
        dynamic_distribution=_or(command.dynamic_distribution, record.dynamic_distribution),
        unused_ids=_or(command.unused_ids, record.unused_ids),
    )


def check_settings(settings: bytes | None) -> Refused | None:
    """Refuse settings over their limit."""
    if settings is None or len(settings) <= SETTINGS_BYTES_MAX:
        return None
    message = f"The settings of a database are at most {SETTINGS_BYTES_MAX} bytes."
    return Refused(Refusal.INVALID, message)


def check_lock(mode: str | None) -> Refused | None:
    """Refuse a lock mode that nobody knows."""
    if mode is None or mode in {known.value for known in LockMode}:
        return None
    return Refused(Refusal.INVALID, f"'{mode}' is no lock mode; they are {', '.join(LockMode)}.")


def to_delete(records: Iterable[DatabaseRecord]) -> list[DatabaseRecord] | Refused:
    """Those of `records` that may be deleted; refused as a whole if a lock says so."""
    deletable: list[DatabaseRecord] = []
    for record in records:
        match LockMode(record.lock_mode):
            case LockMode.UNLOCK:
                deletable.append(record)
            case LockMode.PREVENT_DELETES_ERROR as mode:
                return Refused(
                    Refusal.DATABASE_LOCKED,
                    f"Database '{record.name}' cannot be deleted because of the set lock mode "
                    f"('{mode}'). Please consider changing the lock mode before deleting the "
                    "database.",
                )
            case LockMode.PREVENT_DELETES_IGNORE:
                continue
    return deletable


def in_order(tags: Iterable[str], record: DatabaseRecord) -> list[str]:
    """Tags of nodes as the record orders them; those it does not name come last, by name."""
    place: Mapping[str, int] = {tag: at for at, tag in enumerate(record.members_order)}
    return sorted(tags, key=lambda tag: (place.get(tag, len(place)), len(tag), tag))


def _check_order(order: tuple[str, ...] | None, members: Collection[str]) -> Refused | None:
    if order is None or (len(order) == len(members) and set(order) == set(members)):
        return None
    message = (
        "The reordered list doesn't correspond to the existing nodes of the database group: "
        f"they are {', '.join(sorted(members))}."
    )
    return Refused(Refusal.INVALID, message)


def _check_unused(record: DatabaseRecord, unused: tuple[str, ...] | None) -> Refused | None:
    if unused is None:
        return None
    if len(unused) > UNUSED_IDS_MAX or not all(map(is_id, unused)):
        message = f"Unused database ids are base64, and at most {UNUSED_IDS_MAX}."
        return Refused(Refusal.INVALID, message)
    if record.database_id in unused:
        message = f"'{record.database_id}' is the id of the database '{record.name}': it is in use."
        return Refused(Refusal.INVALID, message)
    return None


def _or(wanted: T | None, current: T) -> T:
    return current if wanted is None else wanted
