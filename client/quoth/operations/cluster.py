"""The cluster: its nodes, their versions, and how its log stands."""

from dataclasses import dataclass, field
from typing import Any

from quoth.commands import Reply, WireRequest
from quoth.operations.checks import check_name
from quoth.operations.kinds import ServerRead, ServerWrite, Silent
from quoth.shape import read_shape

NODE = "/admin/cluster/node"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildNumber:
    """The version of a server."""

    product_version: str
    build_version: int
    commit_hash: str
    full_version: str


@dataclass(frozen=True, slots=True)
class GetBuildNumberOperation(ServerRead):
    """The version of the server that answers."""

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/build/version")

    def read(self, reply: Reply) -> BuildNumber:
        return read_shape(BuildNumber, reply.json())


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterTopology:
    """The nodes of a cluster: addresses by tag, by what they count for.

    Members vote. Promotables catch up and become members; watchers hold the data and never vote.
    """

    topology_id: str
    etag: int
    members: dict[str, str] = field(default_factory=dict)
    promotables: dict[str, str] = field(default_factory=dict)
    watchers: dict[str, str] = field(default_factory=dict)
    all_nodes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """Whether the node that answers reaches another."""

    connected: bool
    error_details: str | None = None
    last_matching_index: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterTopologyResponse:
    """The cluster as the node that answers sees it. `status` is told by the leader, by tag."""

    topology: ClusterTopology
    etag: int
    node_tag: str
    leader: str | None = None
    current_state: str = ""
    current_term: int = 0
    server_role: str = ""
    status: dict[str, NodeStatus] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GetClusterTopologyOperation(ServerRead):
    """The nodes of the cluster, and who leads it."""

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/cluster/topology")

    def read(self, reply: Reply) -> ClusterTopologyResponse:
        return read_shape(ClusterTopologyResponse, reply.json())


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeInfo:
    """The node that answers, and the machine it is on."""

    node_tag: str
    topology_id: str | None = None
    server_id: str = ""
    current_state: str = ""
    server_role: str = ""
    number_of_cores: int = 0
    installed_memory_in_gb: float = 0.0
    build_info: BuildNumber | None = None


@dataclass(frozen=True, slots=True)
class GetNodeInfoOperation(ServerRead):
    """The node that answers, and the machine it is on."""

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/cluster/node-info")

    def read(self, reply: Reply) -> NodeInfo:
        return read_shape(NodeInfo, reply.json())


@dataclass(frozen=True, slots=True)
class GetLicenseStatusOperation(ServerRead):
    """What the server says about its license, for programs that ask."""

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/license/status")

    def read(self, reply: Reply) -> dict[str, Any]:
        return reply.json()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterMember:
    """One node of a cluster, as its log knows it."""

    tag: str
    url: str
    peer_address: str
    vote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPeer:
    """How another node follows the one that answers; `lag` is in entries of the log."""

    tag: str
    connected: bool
    match_index: int | None = None
    lag: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterLog:
    """How the log of a cluster stands, as the node that answers sees it."""

    cluster_id: str | None
    node_tag: str
    role: str
    leader: str | None
    term: int
    last_log_index: int
    commit_index: int
    applied_index: int
    command_index: int
    members: list[ClusterMember] = field(default_factory=list)
    peers: list[ClusterPeer] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class GetClusterLogOperation(ServerRead):
    """How the log of the cluster stands."""

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/admin/cluster/log")

    def read(self, reply: Reply) -> ClusterLog:
        return read_shape(ClusterLog, reply.json())


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinInfo:
    """What a node must know before it joins; `peer_address` is where its peers reach this one."""

    cluster_id: str | None
    leader: str | None
    node_tag: str
    peer_address: str
    members: list[ClusterMember] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class GetJoinInfoOperation(ServerRead):
    """What a node must know before it joins the cluster."""

    def to_request(self) -> WireRequest:
        return WireRequest("GET", "/admin/cluster/join-info")

    def read(self, reply: Reply) -> JoinInfo:
        return read_shape(JoinInfo, reply.json())


@dataclass(frozen=True, slots=True)
class AddClusterNodeOperation(Silent, ServerWrite):
    """Add a node that waits to join; it becomes a member when it has caught up.

    `peer` is where the other nodes reach it, as `host:port`; `watcher`: it shall never vote.
    """

    url: str
    tag: str
    peer: str
    watcher: bool = False

    def __post_init__(self) -> None:
        check_name(self.url, "the URL of a node")
        check_name(self.tag, "the tag of a node")
        check_name(self.peer, "the address of a node's link")

    def to_request(self) -> WireRequest:
        query = [("url", self.url), ("tag", self.tag), ("peer", self.peer)]
        if self.watcher:
            query.append(("watcher", "true"))
        return WireRequest("PUT", NODE, tuple(query))


@dataclass(frozen=True, slots=True)
class _OfNode(Silent, ServerWrite):
    node_tag: str

    def __post_init__(self) -> None:
        check_name(self.node_tag, "the tag of a node")

    def _request(self, method: str, path: str) -> WireRequest:
        return WireRequest(method, path, (("nodeTag", self.node_tag),))


@dataclass(frozen=True, slots=True)
class RemoveClusterNodeOperation(_OfNode):
    """Remove a node from the cluster."""

    def to_request(self) -> WireRequest:
        return self._request("DELETE", NODE)


@dataclass(frozen=True, slots=True)
class PromoteClusterNodeOperation(_OfNode):
    """Let a watcher catch up and become a member."""

    def to_request(self) -> WireRequest:
        return self._request("POST", "/admin/cluster/promote")


@dataclass(frozen=True, slots=True)
class DemoteClusterNodeOperation(_OfNode):
    """Make a member a watcher, which holds the data and does not vote."""

    def to_request(self) -> WireRequest:
        return self._request("POST", "/admin/cluster/demote")
