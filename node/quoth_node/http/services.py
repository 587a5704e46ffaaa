"""What the HTTP room is given: the doors it knocks at, and its limits."""

from dataclasses import dataclass, field

from quoth_cluster.clock import Chance, Clock
from quoth_cluster.machine import Machine
from quoth_cluster.raft.door import RaftLog
from quoth_node.database.background import Background
from quoth_node.database.operations import Operations
from quoth_node.patching import Patches
from quoth_node.querying.brevity import Brevity
from quoth_node.querying.covered import Covering
from quoth_node.querying.door import Indexes
from quoth_node.querying.live import LiveIndexes
from quoth_node.querying.scripts import Projecting

KIB, MIB = 1_024, 1_024 * 1_024


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpConfig:
    """The limits of the HTTP room. Going over one is a definite error with a name."""

    body_bytes_max: int = 64 * MIB  # after inflating, too
    bodies_bytes_max: int = 256 * MIB  # of all requests that are under way
    body_idle_seconds_max: float = 10.0  # for the next piece of a body
    body_bytes_per_second_min: int = 16 * KIB
    body_admission_seconds: float = 5.0  # how long a body waits for others to be done
    head_bytes_max: int = 32 * KIB  # of all headers
    head_seconds_max: float = 10.0  # from its first byte, or from the start of the connection
    url_bytes_max: int = 16 * KIB
    reply_bytes_max: int = 256 * MIB  # of one page of documents
    write_timeout_seconds: float = 15.0
    read_timeout_seconds: float = 15.0
    membership_timeout_seconds: float = 60.0  # a joining node catches up first
    keepalive_seconds: float = 75.0
    bulk_insert_idle_seconds: float = 300.0  # between two pieces of one body
    stream_seconds_max: float = 60.0  # a snapshot that is held keeps space from being used again
    stream_growth_bytes_max: int = 1_024 * MIB  # of the files meanwhile
    stalled_seconds_max: float = 10.0  # for a client of a stream to read what was sent

    def __post_init__(self) -> None:
        for name in self.__slots__:
            assert getattr(self, name) > 0, f"{name} must be more than 0"


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """Everything the routes may touch: log, read-only state, patches, time, chance, this node."""

    raft: RaftLog
    machine: Machine
    patches: Patches
    clock: Clock
    chance: Chance
    node_tag: str
    server_id: str
    peer_address: str  # where the link of this node listens, host:port
    operations: Operations
    background: Background
    projecting: Projecting
    indexes: Indexes  # as queries ask them
    live: LiveIndexes
    covering: Covering
    brevity: Brevity = field(default_factory=Brevity)
    config: HttpConfig = field(default_factory=HttpConfig)
