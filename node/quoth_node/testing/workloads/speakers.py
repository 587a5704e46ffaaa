"""The clients of one workload: half speak plain HTTP, half are `quoth`."""

from quoth_node.testing.workloads.own import Own, SharedStore
from quoth_node.testing.workloads.plain import Plain
from quoth_node.testing.workloads.speaker import Speaker
from quoth_node.testing.workloads.workload import Surroundings


class Speakers:
    """Opens clients; those that are `quoth` share a store."""

    def __init__(self) -> None:
        self._shared = SharedStore()

    def open(self, number: int, around: Surroundings) -> Speaker:
        """A client: even numbers speak plain HTTP."""
        return self.plain(around, first=number) if number % 2 == 0 else self.own(around)

    def plain(self, around: Surroundings, *, first: int = 0) -> Plain:
        """One that speaks plain HTTP to one node after the other."""
        return Plain(around.urls, around.database, first=first)

    def own(self, around: Surroundings) -> Own:
        """One that is `quoth`."""
        return Own(around.urls, around.database, self._shared)
