"""Nodes in processes of their own, faults on demand, and verdicts on what clients saw of them.

    from quoth_node.testing import Cluster

For tests of applications that use quoth, and for those of quoth itself. Nothing of a node knows
this package; it knows the command line, and the client.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quoth_node.testing.cluster import Cluster
    from quoth_node.testing.network import CannotFault
    from quoth_node.testing.process import NodeEnded

__all__ = ["CannotFault", "Cluster", "NodeEnded"]


def __getattr__(name: str) -> Any:
    """Loaded when it is asked for: pytest imports this package in projects that never use it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from quoth_node.testing import cluster, network, process

    faces = {"Cluster": cluster.Cluster, "CannotFault": network.CannotFault}
    return {**faces, "NodeEnded": process.NodeEnded}[name]
