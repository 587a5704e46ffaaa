"""AsyncOperation: something that goes on by itself on a node, watched from here."""

from collections.abc import AsyncIterator

from quoth.asynchronous.carrier import AsyncCarrier
from quoth.errors import FateUnknown, Misuse, OperationTimeout
from quoth.operations.running import (
    BulkOperationResult,
    GetOperationStateOperation,
    KillOperationCommand,
    OperationIdResult,
    OperationProgress,
    OperationState,
)

PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX = 0.05, 1.0
LEFT_SECONDS_MIN = 0.001  # less is nothing: sums of seconds are not exact


class AsyncOperation:
    """An operation over many documents. It goes on whether anybody watches or not.

    operation = await store.operations.send_async(DeleteByQueryOperation("from Orders"))
    async for progress in operation:
        print(progress.processed, "of", progress.total)
    result = await operation.wait_for_completion()
    """

    def __init__(self, begun: OperationIdResult, database: str | None, carry: AsyncCarrier) -> None:
        self.operation_id = begun.operation_id
        self.node_tag = begun.operation_node_tag
        self._database = database
        self._carry = carry
        self._result: BulkOperationResult | None = None

    def __aiter__(self) -> AsyncIterator[OperationProgress]:
        """How far it is, until it has ended. Raises what `wait_for_completion` does."""
        return self._watch(None)

    async def fetch_operations_status(self) -> OperationState:
        """How it stands now. Raises FateUnknown if no node knows of it any more."""
        command = GetOperationStateOperation(self.operation_id, self.node_tag)
        state: OperationState | None = await self._carry.execute(command, self._database)
        if state is None:
            raise FateUnknown(
                f"no node knows operation {self.operation_id}: the one that ran it was started"
                " anew, or it ended long ago. Look at the documents to see what it did"
            )
        return state

    async def wait_for_completion(
        self, timeout_seconds: float | None = None
    ) -> BulkOperationResult:
        """What it has done, when it has ended.

        Raises OperationFailed if it ended early, OperationCanceled if it was killed, both with the
        number of documents done by then; another error if it did nothing at all; OperationTimeout
        if it has not ended within `timeout_seconds`, and goes on. None: as long as it takes.
        """
        if timeout_seconds is not None and not timeout_seconds > 0:
            raise Misuse(f"timeout_seconds is more than 0, not {timeout_seconds}")
        if self._result is None:
            async for _ in self._watch(timeout_seconds):
                pass
        assert self._result is not None, "watched until it had ended"
        return self._result

    async def kill(self) -> None:
        """Ask it to end. What it has done stays; `wait_for_completion` tells when it has ended."""
        command = KillOperationCommand(self.operation_id, self.node_tag)
        await self._carry.execute(command, self._database)

    async def _watch(self, timeout_seconds: float | None) -> AsyncIterator[OperationProgress]:
        began = self._carry.monotonic()
        pause = PAUSE_SECONDS_MIN
        while True:
            state = await self.fetch_operations_status()
            self._result = state.outcome(self.operation_id)
            if state.progress is not None:
                yield state.progress
            if self._result is not None:
                return
            if timeout_seconds is not None:
                left = timeout_seconds - (self._carry.monotonic() - began)
                if left < LEFT_SECONDS_MIN:
                    raise OperationTimeout(
                        f"operation {self.operation_id} goes on: it had not ended within"
                        f" {timeout_seconds:g} s"
                    )
                pause = min(pause, left)
            await self._carry.pause(pause)
            pause = min(2 * pause, PAUSE_SECONDS_MAX)
