"""What a session is opened with, and what a save waits for: frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Any, Literal

from quoth.errors import Misuse


class TransactionMode(Enum):
    """How the changes of a session are made.

    SINGLE_NODE: one atomic batch; the last writer wins unless optimistic concurrency is on.
    CLUSTER_WIDE: one atomic cluster transaction, over documents and compare-exchange values;
        refused as a whole if anything it touches has changed meanwhile.
    """

    SINGLE_NODE = "SingleNode"
    CLUSTER_WIDE = "ClusterWide"


class ReadBalanceBehavior(Enum):
    """Which node reads go to.

    NONE: the preferred node, as writes do. ROUND_ROBIN: each node in its turn. FASTEST_NODE: the
        one that answered fastest of late; now and then a read measures another one.
    """

    NONE = "None"
    ROUND_ROBIN = "RoundRobin"
    FASTEST_NODE = "FastestNode"


class LoadBalanceBehavior(Enum):
    """Which node the requests of a session go to.

    NONE: the preferred node, or what `read_balance_behavior` says. USE_SESSION_CONTEXT: always the
        same one for the same context, as `load_balancer_per_session_context_selector` names it.
    """

    NONE = "None"
    USE_SESSION_CONTEXT = "UseSessionContext"


class OptimisticConcurrencyMode(Enum):
    """What a save is checked against, as RavenDB's clients name it."""

    NONE = "None"
    WRITES = "Writes"
    WRITES_AND_READS = "WritesAndReads"


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """The choices of one session.

    no_tracking: the session only reads; each load asks the server and makes new entities.
    optimistic_concurrency: a save is refused if a document is no longer what was loaded.
    no_caching: answers are not taken from the store's cache, nor put into it.
    request_executor: what carries the requests, from `get_request_executor` of the same store; it
        brings its database along.
    optimistic_concurrency_mode: the same as `optimistic_concurrency`, as RavenDB's clients say it.
    isolation: "serializable" reads one state of the database, and saves only if all that was read
        still stands; see `retry`. Its saves are cluster-wide. None: as the transaction mode says.
    """

    database: str | None = None
    no_tracking: bool = False
    transaction_mode: TransactionMode = TransactionMode.SINGLE_NODE
    optimistic_concurrency: bool = False
    no_caching: bool = False
    request_executor: Any = field(default=None, compare=False)
    optimistic_concurrency_mode: OptimisticConcurrencyMode | None = None
    isolation: Literal["serializable"] | None = None

    def __post_init__(self) -> None:
        if self.database is not None and not (isinstance(self.database, str) and self.database):
            raise Misuse(f"a database is named by a text, not {self.database!r:.80}; None is the"
                         " store's own")  # fmt: skip
        if self.isolation not in (None, "serializable"):
            raise Misuse(f'isolation is "serializable" or None, not {self.isolation!r}')
        if self.optimistic_concurrency_mode is OptimisticConcurrencyMode.WRITES:
            object.__setattr__(self, "optimistic_concurrency", True)
        if self.optimistic_concurrency_mode is OptimisticConcurrencyMode.WRITES_AND_READS:
            raise Misuse('isolation="serializable" checks what was read, too; a single-node batch'
                         " can check WRITES only")  # fmt: skip
        if self.request_executor is not None and self.database is not None:
            raise Misuse("a request executor has a database of its own: leave out database")
        if self.optimistic_concurrency and self.is_cluster_wide:
            raise Misuse("a cluster-wide session checks every document anyway: leave out"
                         " optimistic_concurrency")  # fmt: skip
        if self.optimistic_concurrency and self.no_tracking:
            raise Misuse("a session without tracking saves nothing: optimistic_concurrency"
                         " has nothing to check")  # fmt: skip

    @property
    def is_serializable(self) -> bool:
        return self.isolation == "serializable"

    @property
    def is_cluster_wide(self) -> bool:
        return self.transaction_mode is TransactionMode.CLUSTER_WIDE or self.is_serializable


@dataclass(frozen=True, slots=True)
class ReplicationWait:
    """A save answers only when so many nodes besides the one it went to hold it."""

    replicas: int = 1
    majority: bool = False
    timeout_seconds: float = 15.0
    throw_on_timeout: bool = True

    def __post_init__(self) -> None:
        _check_timeout(self.timeout_seconds)
        if not isinstance(self.replicas, int) or self.replicas < 1:
            raise Misuse(f"wait for at least 1 replica, not {self.replicas!r:.80}")

    def query(self) -> Mapping[str, str]:
        """How the wire says it."""
        return {
            "waitForReplicasTimeout": _time_span(self.timeout_seconds),
            "throwOnTimeoutInWaitForReplicas": _flag(self.throw_on_timeout),
            "numberOfReplicasToWaitFor": "majority" if self.majority else str(self.replicas),
        }


@dataclass(frozen=True, slots=True)
class IndexWait:
    """A save answers only when indexes include it: those named, or all that it touches."""

    names: tuple[str, ...] = ()
    timeout_seconds: float = 15.0
    throw_on_timeout: bool = False

    def __post_init__(self) -> None:
        _check_timeout(self.timeout_seconds)

    def query(self) -> Mapping[str, str]:
        """How the wire says it, without the names."""
        return {
            "waitForIndexesTimeout": _time_span(self.timeout_seconds),
            "waitForIndexThrow": _flag(self.throw_on_timeout),
        }


def _check_timeout(seconds: float) -> None:
    if not isinstance(seconds, int | float) or not 0 < seconds < 86_400:
        raise Misuse(f"a time-out is more than 0 s and less than a day, not {seconds!r:.80}")


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _time_span(seconds: float) -> str:
    """`hh:mm:ss`, with a fraction only where there is one."""
    span = timedelta(seconds=seconds)
    hours, rest = divmod(span.seconds, 3600)
    fraction = f".{span.microseconds:06d}0" if span.microseconds else ""
    return f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}{fraction}"
