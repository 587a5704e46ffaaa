"""What one seed is like: which faults come, how often, and which limits are made small.

Each seed draws its own mix, so that rare faults are not always hidden behind frequent ones.
"""

import random
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import pysyncobj.node
import pysyncobj.syncobj

from quoth_cluster.raft import (
    applier,
    cycle,
    engine,
    journal,
    proposals,
    slot_cache,
    snapshot_store,
)

FAULTS = {  # name -> weight when it is part of the mix
    "kill one": 6,
    "kill leader": 5,
    "stop one": 2,
    "kill all": 2,
    "power one": 5,
    "power leader": 4,
    "power all": 4,
    "pause one": 4,
    "pause leader": 4,
    "cut leader alone": 5,
    "cut halves": 5,
    "cut one way": 5,
    "cut ring": 2,
    "cut bridge": 2,
    "flap": 3,
    "break": 6,
    "stall": 6,
    "slow path": 3,
    "slow disk": 3,
    "slow copies": 3,
    "disk fails": 3,
    "disk full": 2,
    "vote storm": 3,
    "late acks": 4,
    "believed early": 4,
    "leader unsynced": 4,
    "left behind": 5,
    "old matches": 2,
    "deposed tail": 2,
    "hasty voters": 2,
    "late end": 4,
    "lost disk": 3,
}


@dataclass(frozen=True, slots=True)
class Profile:
    """The mix of one seed."""

    faults: dict[str, int]
    fault_seconds: float  # between two, about
    storm_seconds: float
    timing: tuple[float, float, float]
    clients: int
    keys: int
    think_seconds: float
    churns: bool
    stall_chance: float
    segment_bytes: int
    log_keep_slots: int
    limits: dict[tuple[Any, str], Any]


def draw_profile(dice: random.Random, *, churns: bool | None = None) -> Profile:
    """A mix from the seed; `churns` says whether the membership changes, None leaves it open."""
    chosen = {name: weight for name, weight in FAULTS.items() if dice.random() < 0.5}
    limits: dict[tuple[Any, str], Any] = {
        (applier, "CHECKPOINT_SECONDS"): dice.choice([0.2, 1.0, 5.0]),
        (engine, "UNDER_WAY_BYTES_MAX"): dice.choice([1_000, 20_000, 8_000_000]),
        (cycle, "ENTRIES_IN_FLIGHT_MAX"): dice.choice([1, 2, 2, 4, 30]),
        (journal, "WINDOW_SLOTS_MAX"): dice.choice([2, 512, 512]),
        (slot_cache, "CACHE_BYTES_MAX"): dice.choice([300, 16_000_000]),
        (proposals, "ENTRY_BYTES_SOFT_MAX"): dice.choice([30, 1_000_000]),
        (snapshot_store, "CHUNK_BYTES"): dice.choice([16, 40, 70]),
    }
    segment_bytes = dice.choice([600, 3_000, 64_000_000])
    log_keep_slots = dice.choice([0, 5, 20, 10_000])
    if chosen.keys() & {"left behind", "late end"}:  # then the log must let go of its front soon
        limits[applier, "CHECKPOINT_SECONDS"] = 0.2
        segment_bytes, log_keep_slots = 600, dice.choice([0, 3])
    draws_churn = dice.random() < 0.3
    return Profile(
        faults=chosen or dict(FAULTS),
        fault_seconds=dice.choice([0.15, 0.3, 0.6]),
        storm_seconds=dice.uniform(4.0, 8.0),
        timing=dice.choice([(0.1, 0.6, 1.2), (0.05, 0.2, 0.4)]),
        clients=dice.choice([2, 3, 4, 8]),
        keys=dice.choice([1, 2, 3]),
        think_seconds=dice.choice([0.01, 0.05, 0.2]),
        churns=draws_churn if churns is None else churns,
        stall_chance=dice.choice([0.0, 0.0, 0.002, 0.01]),
        segment_bytes=segment_bytes,
        log_keep_slots=log_keep_slots,
        limits=limits,
    )


# What a plot needs to be other than the others have it.
PLOT_LIMITS: dict[str, dict[tuple[Any, str], Any]] = {
    "deposed tail": {
        (journal, "WINDOW_SLOTS_MAX"): 2,
        (cycle, "ENTRIES_IN_FLIGHT_MAX"): 30,
        (proposals, "ENTRY_BYTES_SOFT_MAX"): 30,
    },
}
PLOT_FIELDS: dict[str, dict[str, Any]] = {
    "deposed tail": {"segment_bytes": 64_000_000, "log_keep_slots": 10_000},
    # Where many outcomes stay unknown, few clients: the search for an order is exponential.
    "late end": {"clients": 3},
    # A leader that is cut off must still be one when its follower comes back.
    "lost disk": {"clients": 4, "timing": (0.1, 0.6, 1.2)},
}


def with_plot(profile: Profile, plot: str) -> Profile:
    """The same seed with one plot only, again and again, in quick time and with busy clients."""
    limits = {**profile.limits, (applier, "CHECKPOINT_SECONDS"): 0.2, **PLOT_LIMITS.get(plot, {})}
    fields: dict[str, Any] = {
        "fault_seconds": 2.5,
        "storm_seconds": 8.0,
        "timing": (0.05, 0.2, 0.4),
        "clients": 8,
        "think_seconds": 0.01,
        "stall_chance": 0.0,
        "segment_bytes": 600,
        "log_keep_slots": 0,
    }
    fields |= PLOT_FIELDS.get(plot, {})
    return replace(profile, faults={plot: 1}, limits=limits, **fields)


@contextmanager
def in_small(profile: Profile) -> Iterator[None]:
    """Run with the limits of the profile, and the library without its pipes and its poller."""
    with ExitStack() as stack:
        for (module, name), value in profile.limits.items():
            stack.enter_context(patch.object(module, name, value))
        stack.enter_context(patch.object(pysyncobj.syncobj, "PIPE_NOTIFIER_ENABLED", False))
        stack.enter_context(patch.object(pysyncobj.syncobj, "createPoller", lambda _: NoPoller()))
        # The library walks sets of nodes: their order must not depend on this process.
        stack.enter_context(patch.object(pysyncobj.node.Node, "__hash__", _steady_hash))
        yield


class NoPoller:
    """There are no sockets."""

    def poll(self, seconds: float) -> None:
        return None


def _steady_hash(node: Any) -> int:
    return zlib.crc32(node.id.encode())
