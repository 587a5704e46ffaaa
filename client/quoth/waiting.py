"""What a save waits for, put together step by step, as programs written for RavenDB do it.

session.advanced.wait_for_replication_after_save_changes(lambda wait: wait.number_of_replicas(2))
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Self

from quoth.options import IndexWait, ReplicationWait


class ReplicationWaitBuilder:
    """Each step changes `wait`, which begins with the defaults: 1 replica, 15 s, raise."""

    def __init__(self) -> None:
        self.wait = ReplicationWait()

    def number_of_replicas(self, replicas: int) -> Self:
        """How many nodes besides the one that answers."""
        self.wait = replace(self.wait, replicas=replicas)
        return self

    def majority(self, wait_for_majority: bool = True) -> Self:
        """A majority of the nodes, however many there are."""
        self.wait = replace(self.wait, majority=wait_for_majority)
        return self

    def with_timeout(self, timeout: timedelta) -> Self:
        """How long to wait."""
        self.wait = replace(self.wait, timeout_seconds=timeout.total_seconds())
        return self

    def throw_on_timeout(self, should_throw: bool = True) -> Self:
        """Whether a time-out is an error; the changes are stored either way."""
        self.wait = replace(self.wait, throw_on_timeout=should_throw)
        return self


class IndexWaitBuilder:
    """Each step changes `wait`, which begins with the defaults: all touched, 15 s, no error."""

    def __init__(self) -> None:
        self.wait = IndexWait()

    def wait_for_indexes(self, *names: str | Sequence[str]) -> Self:
        """These indexes only, by their names or a list of them."""
        every = [each for given in names for each in ([given] if isinstance(given, str) else given)]
        self.wait = replace(self.wait, names=tuple(every))
        return self

    def with_timeout(self, timeout: timedelta) -> Self:
        """How long to wait."""
        self.wait = replace(self.wait, timeout_seconds=timeout.total_seconds())
        return self

    def throw_on_timeout(self, should_throw: bool = True) -> Self:
        """Whether a time-out is an error; the changes are stored either way."""
        self.wait = replace(self.wait, throw_on_timeout=should_throw)
        return self
