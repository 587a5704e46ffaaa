"""Topologies, nodes and statistics -> JSON bodies.

They hold every key that the official clients read: what this server does not have, it says by an
empty value rather than by silence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from quoth_cluster.clock import to_wire
from quoth_cluster.collection_totals import CollectionTotals
from quoth_cluster.databases import DatabaseRecord
from quoth_cluster.log import Member, Vote
from quoth_cluster.raft.door import GroupStatus
from quoth_node.http.host import HostFacts
from quoth_node.http.reply import SERVER_VERSION

# The first two parts of the version are what clients compare.
BUILD = {
    "BuildVersion": 72,
    "ProductVersion": "7.2",
    "CommitHash": "quoth",
    "FullVersion": "7.2.0",
}
SCHEMA_VERSION = 72_000
UNITS = ("Bytes", "KBytes", "MBytes", "GBytes", "TBytes")

NO_COUNTS = dict.fromkeys(
    (
        "CountOfRevisionDocuments",
        "CountOfDocumentsConflicts",
        "CountOfConflicts",
        "CountOfAttachments",
        "CountOfCounterEntries",
        "CountOfTimeSeriesSegments",
    ),
    0,
)
LICENSE = {
    "Id": None,
    "LicensedTo": None,
    "Status": "MIT - Open Source",
    "Expired": False,
    "UpgradeRequired": None,
    "Ratio": None,
    "Attributes": None,
    "ErrorMessage": None,
    "Type": "None",
    "Version": None,
    "Expiration": None,
    "SubscriptionExpiration": None,
    "DistributedCluster": True,
}


@dataclass(frozen=True, slots=True)
class Teller:
    """Who answers, and when: some bodies carry it as their metadata."""

    at_micros: int
    url: str
    node_tag: str

    def metadata(self) -> dict[str, object]:
        return {"DateTime": to_wire(self.at_micros), "WebUrl": self.url, "NodeTag": self.node_tag}


@dataclass(frozen=True, slots=True)
class Counts:
    """What one snapshot of a database holds."""

    documents: int
    tombstones: int
    identities: int
    compare_exchange: int
    last_etag: int
    last_document_etag: int
    collections: tuple[CollectionTotals, ...]


def build_version() -> bytes:
    return orjson.dumps(BUILD)


def license_status() -> bytes:
    return orjson.dumps(LICENSE)


def database_topology(name: str, members: Mapping[str, str], *, etag: int) -> bytes:
    """Where a database can be reached: its members' addresses by tag."""
    nodes = [
        {
            "Url": url,
            "ClusterTag": tag,
            "ServerRole": "Member",
            "Database": name,
            "ServerVersion": SERVER_VERSION,
        }
        for tag, url in members.items()
    ]
    return orjson.dumps({"Promotables": [], "Nodes": nodes, "Etag": etag})


def topology_of_missing(name: str) -> bytes:
    return orjson.dumps({"Type": "Error", "Message": f"Database {name} wasn't found"})


def cluster_topology(
    status: GroupStatus, by_vote: Mapping[Vote, Mapping[str, str]], teller: Teller
) -> bytes:
    """The nodes of the cluster: addresses by tag, by what they count for."""
    etag = status.members_command_index
    everybody = {tag: url for nodes in by_vote.values() for tag, url in nodes.items()}
    return orjson.dumps(
        {
            "@metadata": teller.metadata(),
            "Topology": {
                "TopologyId": status.cluster_id,
                "AllNodes": everybody,
                "Members": by_vote[Vote.MEMBER],
                "Promotables": by_vote[Vote.PROMOTABLE],
                "Watchers": by_vote[Vote.WATCHER],
                "LastNodeId": max(everybody, default=""),
                "Etag": etag,
            },
            "Etag": etag,
            "Leader": status.leader,
            "LeaderShipDuration": 0,
            "CurrentState": status.role.value,
            "NodeTag": status.node_tag,
            "ServerRole": server_role(status),
            "CurrentTerm": status.term,
            "NodeLicenseDetails": {},
            "LastStateChangeReason": status.role.value,
            "Status": {
                peer.tag: peer_status(peer.connected, peer.match_index) for peer in status.peers
            },
        }
    )


def peer_status(connected: bool, match_index: int | None) -> dict[str, object]:
    return {
        "Connected": connected,
        "ErrorDetails": None if connected else "not connected",
        "LastSent": None,
        "LastReply": None,
        "LastSentMessage": None,
        "LastMatchingIndex": match_index or 0,
    }


def node_info(status: GroupStatus, host: HostFacts, *, server_id: str) -> bytes:
    return orjson.dumps(
        {
            "NodeTag": status.node_tag,
            "TopologyId": status.cluster_id,
            "Certificate": None,
            "ClusterStatus": None,
            "NumberOfCores": host.cores,
            "InstalledMemoryInGb": host.memory_gb,
            "UsableMemoryInGb": host.memory_gb,
            "BuildInfo": {**BUILD, "AssemblyVersion": SERVER_VERSION},
            "OsInfo": {
                "Type": host.system,
                "FullName": host.system_name,
                "Version": host.system_version,
                "BuildVersion": host.system_version,
                "Is64Bit": True,
            },
            "ServerId": server_id,
            "CurrentState": status.role.value,
            "ServerRole": server_role(status),
            "HasFixedPort": True,
            "ServerSchemaVersion": SCHEMA_VERSION,
            "LastStateChangeReason": status.role.value,
        }
    )


def group_status(status: GroupStatus) -> bytes:
    """How this node stands in its group, for `quoth cluster status`."""
    return orjson.dumps(
        {
            "ClusterId": status.cluster_id,
            "NodeTag": status.node_tag,
            "Role": status.role.value,
            "Leader": status.leader,
            "Term": status.term,
            "LastLogIndex": status.last_log_index,
            "CommitIndex": status.commit_index,
            "AppliedIndex": status.applied_index,
            "CommandIndex": status.command_index,
            "Members": [member_row(member) for member in status.members],
            "Peers": [
                {
                    "Tag": peer.tag,
                    "Connected": peer.connected,
                    "MatchIndex": peer.match_index,
                    "Lag": peer.lag,
                }
                for peer in status.peers
            ],
        }
    )


def join_info(status: GroupStatus, *, peer_address: str) -> bytes:
    """What a node must know before it joins this cluster."""
    return orjson.dumps(
        {
            "ClusterId": status.cluster_id,
            "Leader": status.leader,
            "NodeTag": status.node_tag,
            "PeerAddress": peer_address,
            "Members": [member_row(member) for member in status.members],
        }
    )


def member_row(member: Member) -> dict[str, str]:
    return {
        "Tag": member.tag,
        "Url": member.url,
        "PeerAddress": member.peer_address,
        "Vote": member.vote.value,
        "Incarnation": member.incarnation.hex(),
    }


def server_role(status: GroupStatus) -> str:
    """What this node counts for: Member, Promotable, Watcher, or None outside a cluster."""
    mine = (member.vote for member in status.members if member.tag == status.node_tag)
    return next((vote.value.capitalize() for vote in mine), "None")


def statistics(
    record: DatabaseRecord,
    counts: Counts,
    teller: Teller,
    *,
    indexes: Sequence[Mapping[str, Any]],
    size_bytes: int,
    detailed: bool,
) -> bytes:
    body: dict[str, object] = {
        "@metadata": teller.metadata(),
        "CountOfIndexes": len(indexes),
        "CountOfDocuments": counts.documents,
        "CountOfTombstones": counts.tombstones,
        **NO_COUNTS,
        "CountOfUniqueAttachments": 0,
        "Indexes": indexes,
        "DatabaseChangeVector": database_change_vector(teller.node_tag, counts.last_etag, record),
        "DatabaseId": record.database_id,
        "NumberOfTransactionMergerQueueOperations": 0,
        "Is64Bit": True,
        "Pager": "LMDB",
        "LastDocEtag": counts.last_document_etag,
        "LastDatabaseEtag": counts.last_etag,
        "LastIndexingTime": max(
            (one["LastIndexingTime"] for one in indexes if one["LastIndexingTime"]), default=None
        ),
        "SizeOnDisk": size(size_bytes),
        "TempBuffersSizeOnDisk": size(0),
    }
    if detailed:
        body |= {
            "CountOfIdentities": counts.identities,
            "CountOfCompareExchange": counts.compare_exchange,
            # A key comes back under a higher index, so nothing is kept of a deleted value.
            "CountOfCompareExchangeTombstones": 0,
            "CountOfTimeSeriesDeletedRanges": 0,
        }
    return orjson.dumps(body)


def collection_statistics(counts: Counts) -> bytes:
    return orjson.dumps(
        {
            "CountOfDocuments": counts.documents,
            "CountOfTombstones": counts.tombstones,
            **NO_COUNTS,
            "CountOfTimeSeriesDeletedRanges": 0,
            "Collections": {one.name: one.documents for one in counts.collections if one.documents},
        }
    )


def detailed_collection_statistics(counts: Counts) -> bytes:
    """Documents count with the bytes of their JSON, tombstones with those they take in storage."""
    return orjson.dumps(
        {
            "CountOfDocuments": counts.documents,
            "CountOfConflicts": 0,
            "Collections": {
                one.name: {
                    "Name": one.name,
                    "CountOfDocuments": one.documents,
                    "Size": size(one.document_bytes + one.tombstone_bytes),
                    "DocumentsSize": size(one.document_bytes),
                    "TombstonesSize": size(one.tombstone_bytes),
                    "RevisionsSize": size(0),
                }
                for one in counts.collections
            },
        }
    )


def database_change_vector(node_tag: str, last_etag: int, record: DatabaseRecord) -> str:
    """A string that changes with every change of a document in this database."""
    return f"{node_tag}:{last_etag}-{record.database_id}"


def size(count: int) -> dict[str, object]:
    """A number of bytes, for programs and for people."""
    amount, unit = float(count), 0
    while amount >= 1_024 and unit < len(UNITS) - 1:
        amount, unit = amount / 1_024, unit + 1
    return {"SizeInBytes": count, "HumaneSize": f"{amount:.4g} {UNITS[unit]}"}
