"""How one node is set up: one frozen value, made once from the command line and a settings file.

Only `cli.py` and `settings.py` read arguments and settings. A part gets the config or the few
fields it needs; relations between fields are checked here, so nobody below has to doubt them.
"""

import re
import socket
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from quoth_cluster.raft.tls import LinkTls
from quoth_node.errors import BadConfig

TAG = re.compile(r"[A-Z]{1,4}")
# Change vectors use these words for entries that belong to no node.
TAGS_RESERVED = frozenset({"RAFT", "TRXN"})
PORT_MAX = 65_535
WILDCARDS = frozenset({"0.0.0.0", "::"})


def require(holds: bool, otherwise: str) -> None:
    """Raise BadConfig, told `otherwise`, unless the relation holds."""
    if not holds:
        raise BadConfig(otherwise)


@dataclass(frozen=True, kw_only=True, slots=True)
class RaftConfig:
    """The timing and the keeping of the log. Invariant: an election outlasts three heartbeats."""

    heartbeat_ms: int = 100
    election_timeout_ms_min: int = 600
    election_timeout_ms_max: int = 1_200
    checkpoint_ms: int = 5_000  # how much of the log a restart replays
    log_keep_slots: int = 10_000  # what is kept for nodes a little behind; others get a snapshot
    log_keep_bytes: int = 1024 * 1024 * 1024  # ... and no more than this; by whole segments
    log_segment_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        for entry in fields(self):
            value, name = getattr(self, entry.name), f"raft.{entry.name}"
            require(type(value) is int and value > 0, f"{name} must be a whole number above 0")
        require(
            self.election_timeout_ms_min > 3 * self.heartbeat_ms,
            "raft.election_timeout_ms_min must be more than three times raft.heartbeat_ms",
        )
        require(
            self.election_timeout_ms_max > self.election_timeout_ms_min,
            "raft.election_timeout_ms_max must be more than raft.election_timeout_ms_min",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeConfig:
    """One node: who it is, where it listens, where it keeps its data, whom it joins."""

    tag: str
    http_port: int
    folder: Path
    http_host: str = "127.0.0.1"
    peer_host: str = "127.0.0.1"
    peer_port: int = 0  # 0: the one used before, or a free one
    advertised_host: str | None = None  # how others reach this node; None: as it listens
    join_url: str | None = None  # None: found a cluster of one, unless the folder knows better
    asks_to_join: bool = True  # False: it waits until somebody adds it to that cluster
    insecure: bool = False
    tls: LinkTls | None = None  # for links to other nodes; None: in the clear
    raft: RaftConfig = field(default_factory=RaftConfig)

    def __post_init__(self) -> None:
        check_tag(self.tag)
        require(0 < self.http_port <= PORT_MAX, f"port {self.http_port}: not in 1..{PORT_MAX}")
        require(0 <= self.peer_port <= PORT_MAX, f"port {self.peer_port}: not in 0..{PORT_MAX}")
        require(self.peer_port != self.http_port, "the peer port must differ from the HTTP port")
        check_host(self.http_host, insecure=self.insecure, otherwise="there is no TLS for HTTP yet")
        if self.tls is None:
            why = "there is no TLS for links: no [tls] in the settings"
            check_host(self.peer_host, insecure=self.insecure, otherwise=why)
        require(bool(self.peer_host), "a host must not be empty")
        if self.join_url is not None:
            check_url(self.join_url)
        require(
            self.asks_to_join or self.join_url is not None,
            "--wait-to-be-added needs --join: which cluster will add it?",
        )

    @property
    def url(self) -> str:
        """Where applications reach this node."""
        host = self.advertised_host or reachable(self.http_host)
        return f"http://{host_in_url(host)}:{self.http_port}"

    def peer_address(self, port: int) -> str:
        """Where other nodes reach this one, once it listens on `port`."""
        host = self.advertised_host or reachable(self.peer_host)
        return f"{host_in_url(host)}:{port}"


def check_tag(tag: str) -> None:
    """Raise BadConfig unless `tag` can name a node."""
    require(TAG.fullmatch(tag) is not None, f"a tag is 1 to 4 letters A-Z, not {tag!r}")
    require(tag not in TAGS_RESERVED, f"the tag {tag} has a meaning of its own in change vectors")


def check_host(host: str, *, insecure: bool, otherwise: str) -> None:
    """Raise BadConfig for an address that others can reach, unless that is wanted."""
    require(bool(host), "a host must not be empty")
    require(
        insecure or is_loopback(host),
        f"{host} can be reached from other machines, and {otherwise}: "
        "use 127.0.0.1, or --insecure if the network is trusted",
    )


def check_url(url: str) -> None:
    """Raise BadConfig unless `url` is the address of a node, `http://host:port`."""
    try:
        parts = urlsplit(url)
        whole = parts.scheme == "http" and bool(parts.hostname) and parts.port is not None
    except ValueError:
        whole = False
    require(whole and parts.path in ("", "/"), f"{url!r} is not a node's address: http://HOST:PORT")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def reachable(host: str) -> str:
    """`host`, or the name of this machine where `host` stands for every address it has."""
    return socket.gethostname() if host in WILDCARDS else host


def host_in_url(host: str) -> str:
    """`host` as it stands before a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host
