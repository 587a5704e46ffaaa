"""All workloads, by name."""

from collections.abc import Callable

from quoth_node.testing.workloads.workload import Workload

CATALOGUE: dict[str, Callable[[], Workload]] = {}
