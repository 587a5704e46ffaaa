"""Bodies of the administration of databases: records, names, settings, client configurations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quoth_cluster.administration import LockMode
from quoth_node.http.errors import BadRequest, NotSupported
from quoth_node.http.query import shortened
from quoth_node.http.wire.bodies import (
    an_object,
    boolean,
    check_count,
    dump,
    expected,
    integer,
    text,
)
from quoth_node.http.wire.parsing import parse

DATABASE_NAMES_MAX = 10_000
NODES_MAX = 1_000
NODE_KINDS = ("Members", "Promotables", "Rehabs")
UNUSED_IDS_MAX = 1_000
# What a database record may hold besides what is read of it; everything else must be empty.
RECORD_PASSED_OVER = frozenset({"Topology", "ConflictSolverConfig", "EtagForBackup", "Etag"})
RECORD_READ = frozenset(
    {"DatabaseName", "Settings", "Disabled", "LockMode", "Client", "UnusedDatabaseIds"}
)
RECORD_DEFAULTS = {"DatabaseState": "Normal"}
BALANCE = {
    "ReadBalanceBehavior": ("None", "RoundRobin", "FastestNode"),
    "LoadBalanceBehavior": ("None", "UseSessionContext"),
}
CONFIGURATION_NUMBERS = ("MaxNumberOfRequestsPerSession", "LoadBalancerContextSeed")
CONFIGURATION_KNOWN = frozenset(
    {"IdentityPartsSeparator", "Etag", "Disabled", *BALANCE, *CONFIGURATION_NUMBERS}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseWanted:
    """A database as its record describes it."""

    name: str | None
    settings: bytes
    disabled: bool = False
    lock_mode: str = LockMode.UNLOCK
    client: bytes = b""  # empty: none
    unused_ids: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ToDelete:
    """Which databases are to go."""

    names: tuple[str, ...]
    hard: bool  # their files, too
    from_nodes: tuple[str, ...]  # empty: from all


@dataclass(frozen=True, kw_only=True, slots=True)
class TopologyWanted:
    """Who carries a database, the preferred first, as it is asked for."""

    nodes: tuple[str, ...]
    order_fixed: bool
    dynamic_distribution: bool


def read_database(body: bytes | bytearray) -> DatabaseWanted:
    """The record of `PUT /admin/databases`; what is not supported yet must be empty."""
    record = an_object(parse(body), "The body")
    for name, value in record.items():
        if name in RECORD_PASSED_OVER or name in RECORD_READ:
            continue
        if value and value != RECORD_DEFAULTS.get(name):
            raise NotSupported(f"A database with {shortened(name)} is not supported yet")
    settings, client = record.get("Settings"), record.get("Client")
    return DatabaseWanted(
        name=text(record, "DatabaseName", "The body"),
        settings=b"{}" if settings is None else settings_in(settings, "Settings"),
        disabled=boolean(record, "Disabled", "The body"),
        lock_mode=lock_mode_in(record, "LockMode") or LockMode.UNLOCK,
        client=b"" if client is None else configuration_in(client, "Client"),
        unused_ids=texts(record, "UnusedDatabaseIds", limit=UNUSED_IDS_MAX),
    )


def read_settings(body: bytes | bytearray) -> bytes:
    """The settings of `PUT /admin/configuration/settings`, as they are kept."""
    return settings_in(parse(body), "The body")


def settings_in(value: object, where: str) -> bytes:
    settings = an_object(value, where)
    for name, setting in settings.items():
        if not isinstance(setting, str | None):
            raise expected(f"{where}.{shortened(name)}", "a string", setting)
    return dump(settings)


def read_client_configuration(body: bytes | bytearray) -> bytes:
    """A client configuration, as it is kept: with every key, and without an etag."""
    return configuration_in(parse(body), "The body")


def configuration_in(value: object, where: str) -> bytes:
    given = an_object(value, where)
    for name in given:
        if name not in CONFIGURATION_KNOWN:
            raise BadRequest(f"{where}: clients know no {shortened(name)}")
    kept: dict[str, Any] = {
        "Disabled": boolean(given, "Disabled", where),
        "IdentityPartsSeparator": text(given, "IdentityPartsSeparator", where),
    }
    for name in CONFIGURATION_NUMBERS:
        kept[name] = None if given.get(name) is None else integer(given, name, where)
    for name, behaviors in BALANCE.items():
        # The official Python client cannot read null, which says the same.
        kept[name] = given.get(name) or behaviors[0]
        if kept[name] not in behaviors:
            raise expected(f"{where}.{name}", f"one of {', '.join(behaviors)}", kept[name])
    return dump(kept)


def read_deletion(body: bytes | bytearray) -> ToDelete:
    """What `DELETE /admin/databases` names."""
    fields = an_object(parse(body), "The body")
    return ToDelete(
        names=names_in(fields),
        hard=boolean(fields, "HardDelete", "The body"),
        from_nodes=texts(fields, "FromNodes", limit=NODES_MAX),
    )


def read_names(body: bytes | bytearray) -> tuple[str, ...]:
    """The databases of `POST /admin/databases/enable` and `/disable`."""
    return names_in(an_object(parse(body), "The body"))


def read_lock(body: bytes | bytearray) -> tuple[tuple[str, ...], str]:
    """The databases of `POST /admin/databases/set-lock`, and their lock mode."""
    fields = an_object(parse(body), "The body")
    mode = lock_mode_in(fields, "Mode")
    if mode is None:
        raise expected("Mode", f"one of {', '.join(LockMode)}", None)
    return names_in(fields), mode


def read_order(body: bytes | bytearray) -> tuple[tuple[str, ...], bool]:
    """The tags of `POST /admin/databases/reorder`, and whether that order is fixed."""
    fields = an_object(parse(body), "The body")
    order = texts(fields, "MembersOrder", limit=NODES_MAX)
    if not order:
        raise BadRequest("MembersOrder is empty: there is nothing to order")
    return order, boolean(fields, "Fixed", "The body")


def read_unused_ids(body: bytes | bytearray) -> tuple[str, ...]:
    """The ids of `POST /admin/databases/unused-ids`."""
    fields = an_object(parse(body), "The body")
    if not isinstance(fields.get("DatabaseIds"), list):
        raise expected("DatabaseIds", "an array of strings", fields.get("DatabaseIds"))
    return texts(fields, "DatabaseIds", limit=UNUSED_IDS_MAX)


def read_topology(body: bytes | bytearray) -> TopologyWanted:
    """The topology of `POST /admin/databases/topology/modify`."""
    fields = an_object(parse(body), "The body")
    by_kind = [texts(fields, kind, limit=NODES_MAX) for kind in NODE_KINDS]
    return TopologyWanted(
        nodes=tuple(tag for tags in by_kind for tag in tags),
        order_fixed=bool(texts(fields, "PriorityOrder", limit=NODES_MAX)),
        dynamic_distribution=boolean(fields, "DynamicNodesDistribution", "The body"),
    )


def names_in(fields: Mapping[str, Any]) -> tuple[str, ...]:
    names = fields.get("DatabaseNames")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise expected("DatabaseNames", "an array of strings", names)
    if not names:
        raise BadRequest("DatabaseNames is empty: no database is named")
    check_count(names, DATABASE_NAMES_MAX, "names")
    return tuple(names)


def lock_mode_in(fields: Mapping[str, Any], name: str) -> str | None:
    mode = fields.get(name)
    if mode is None or (isinstance(mode, str) and mode in {known.value for known in LockMode}):
        return mode
    raise expected(name, f"one of {', '.join(LockMode)}", mode)


def texts(fields: Mapping[str, Any], name: str, *, limit: int) -> tuple[str, ...]:
    """A list of strings; an empty one if it is null or absent."""
    value = fields.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise expected(name, "an array of strings", value)
    check_count(value, limit, name)
    return tuple(value)
