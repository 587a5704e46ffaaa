"""Databases, their records and what clients are told of them -> JSON bodies.

A record holds every key that the official clients read, most of them empty: what this server does
not have, it says by an empty value rather than by silence.
"""

from collections.abc import Sequence

import orjson

from quoth_cluster.administration import in_order
from quoth_cluster.clock import to_wire
from quoth_cluster.databases import DatabaseRecord
from quoth_cluster.log import Vote
from quoth_cluster.outcomes import DatabasesToggled, Toggled
from quoth_cluster.raft.door import GroupStatus

NULL_FEATURES = (
    "Sharding ConflictSolverConfig DocumentsCompression Revisions RevisionsBin TimeSeries "
    "RevisionsForConflicts Expiration Refresh DataArchival Integrations Client Studio"
).split()
OBJECT_FEATURES = (
    "Sorters Analyzers Indexes IndexesHistory AutoIndexes RavenConnectionStrings "
    "SqlConnectionStrings OlapConnectionStrings ElasticSearchConnectionStrings "
    "QueueConnectionStrings SnowflakeConnectionStrings AiConnectionStrings"
).split()
LIST_FEATURES = (
    "PeriodicBackups ExternalReplications SinkPullReplications HubPullReplications AiAgents "
    "RavenEtls SqlEtls ElasticSearchEtls OlapEtls QueueEtls QueueSinks SnowflakeEtls "
    "EmbeddingsGenerations GenAis UnusedDatabaseIds SupportedFeatures"
).split()
FEATURES: dict[str, object] = {
    **dict.fromkeys(NULL_FEATURES),
    **{name: {} for name in OBJECT_FEATURES},
    **{name: [] for name in LIST_FEATURES},
    "TruncatedClusterTransactionCommandsCount": 0,
}


def database_names(names: Sequence[str]) -> bytes:
    return orjson.dumps({"Databases": names})


def database_infos(records: Sequence[DatabaseRecord]) -> bytes:
    infos = [
        {
            "Name": record.name,
            "Disabled": record.disabled,
            "IsEncrypted": False,
            "LockMode": record.lock_mode,
        }
        for record in records
    ]
    return orjson.dumps({"Databases": infos})


def database_record(record: DatabaseRecord, status: GroupStatus) -> bytes:
    return orjson.dumps(
        {
            "DatabaseName": record.name,
            "Disabled": record.disabled,
            "Encrypted": False,
            "EtagForBackup": 0,
            "DeletionInProgress": {},
            "RollingIndexes": {},
            "DatabaseState": "Normal",
            "LockMode": record.lock_mode,
            "Topology": {**record_topology(record, status), "PredefinedMentors": {}},
            **FEATURES,
            "Settings": orjson.Fragment(record.settings),
            "Client": told_configuration(record.client, record.client_index),
            "UnusedDatabaseIds": record.unused_ids,
            "Etag": record.etag,
        }
    )


def database_put(
    record: DatabaseRecord, status: GroupStatus, *, command_index: int, urls: Sequence[str]
) -> bytes:
    """What became of a database that was created or changed, and where it is."""
    return orjson.dumps(
        {
            "RaftCommandIndex": command_index,
            "Name": record.name,
            "Topology": record_topology(record, status),
            "NodesAddedTo": urls,
            "ShardsDefined": False,
        }
    )


def databases_deleted(command_index: int) -> bytes:
    return orjson.dumps({"RaftCommandIndex": command_index, "PendingDeletes": []})


def databases_toggled(toggled: DatabasesToggled, *, disabled: bool) -> bytes:
    """One row for each database that was named."""
    return orjson.dumps(
        {"Status": [toggled_row(one, disabled=disabled) for one in toggled.databases]}
    )


def toggled_row(one: Toggled, *, disabled: bool) -> dict[str, object]:
    state = "disabled" if disabled else "enabled"
    if not one.found:
        reason = "database not found"
    elif one.changed:
        reason = f"Database is {state} on every node of the cluster"
    else:
        reason = f"Database already {state}"
    return {
        "Name": one.name,
        "Success": one.found,
        "Reason": reason,
        "Disabled": disabled if one.found else False,
    }


def changed(command_index: int, *, name: str | None = None) -> bytes:
    named = {} if name is None else {"Name": name}
    return orjson.dumps({"RaftCommandIndex": command_index, **named})


def settings(record: DatabaseRecord) -> bytes:
    return b'{"Settings":%b}' % record.settings


def server_client_configuration(configuration: bytes, etag: int) -> bytes:
    return orjson.dumps(told_configuration(configuration, etag))


def client_configuration(configuration: bytes, *, etag: int) -> bytes:
    """What clients of a database take; `configuration` is empty if there is none."""
    return orjson.dumps({"Etag": etag, "Configuration": told_configuration(configuration, etag)})


def told_configuration(configuration: bytes, etag: int) -> dict[str, object] | None:
    if not configuration:
        return None
    content: dict[str, object] = orjson.loads(configuration)
    return {**content, "Etag": etag}


def record_topology(record: DatabaseRecord, status: GroupStatus) -> dict[str, object]:
    """Every member of the cluster carries every database."""
    promotables = {m.tag for m in status.members if m.vote is Vote.PROMOTABLE}
    ordered = in_order((member.tag for member in status.members), record)
    return {
        "Members": [tag for tag in ordered if tag not in promotables],
        "Promotables": [tag for tag in ordered if tag in promotables],
        "Rehabs": [],
        "DemotionReasons": {},
        "PromotablesStatus": {},
        "Stamp": {
            "Index": max(record.command_index, record.order_index),
            "Term": status.term,
            "LeadersTicks": -2,
        },
        "DynamicNodesDistribution": record.dynamic_distribution,
        "ReplicationFactor": len(status.members),
        "PriorityOrder": record.members_order if record.order_fixed else [],
        "NodesModifiedAt": to_wire(record.at_micros),
        "DatabaseTopologyIdBase64": record.topology_id,
        "ClusterTransactionIdBase64": record.cluster_transaction_id,
    }
