# Made from asynchronous/request_executor.py by `python -m scripts.twins`: change that one.
"""RequestExecutor: where the commands of one database go."""

from typing import Any, TypeVar

from quoth.commands import Command
from quoth.manner import PLAIN, Manner
from quoth.store_core import StoreCore
from quoth.synchronous.lines import Lines
from quoth.synchronous.network import Network

T = TypeVar("T")


class RequestExecutor:
    """Carries commands to the nodes of one database; a store has one for each, for all sessions.

    executor = store.get_request_executor("shop")
    with store.open_session(SessionOptions(request_executor=executor)) as session: ...
    """

    def __init__(
        self,
        core: StoreCore,
        network: Network,
        database: str | None,
        manner: Manner = PLAIN,
    ) -> None:
        self.database = database
        self.manner = manner  # of one session
        self._core = core
        self._network = network

    @property
    def urls(self) -> tuple[str, ...]:
        """The nodes as known now, the preferred one first."""
        return self._core.executor_of(self.database).nodes.topology.urls

    def __call__(self, command: Command[T], known_raft_index: int | None = None) -> T:
        """The answer to a command.

        `known_raft_index`: the node first waits until it has applied that much. Raises NotSent if
        no node took it, FateUnknown if a write may have happened, and what the node refused.
        """
        executor = self._core.executor_for(command, self.database)
        return self._network.ask(executor, command, known_raft_index, self.manner)

    def open(self, command: Command[Any], known_raft_index: int | None = None) -> Lines:
        """The answer to a read, line by line. Raises as a call does, before the first line.

        with executor.open(command) as lines:
            for line in lines: ...
        """
        executor = self._core.executor_for(command, self.database)
        body = self._network.run(
            executor.open(command, known_raft_index=known_raft_index, manner=self.manner)
        )
        return Lines(body)
