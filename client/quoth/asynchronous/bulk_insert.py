"""AsyncBulkInsertOperation: the asynchronous shell over the core of bulk inserts."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from quoth.asynchronous.carrier import AsyncCarrier
from quoth.asynchronous.flight import AsyncFlight
from quoth.bulk_insert import BulkInsertCore, BulkInsertOptions, Chunk, OnProgress
from quoth.errors import FateUnknown, QuothError
from quoth.operations.running import (
    GetNextOperationIdCommand,
    GetOperationStateOperation,
    OperationState,
    OperationStatus,
)

ASK_SECONDS = 5.0  # how long a node is asked what became of a chunk whose answer was lost
PAUSE_SECONDS = 0.1


class AsyncBulkInsertOperation:
    """Stores many documents, fast: one request for each megabyte of them.

        async with store.bulk_insert() as bulk_insert:
            for name in names:
                await bulk_insert.store(Company(name))

    Leaving the block sends what is left. It is no transaction: what was stored before a failure
    stays, and BulkInsertAborted tells which documents those are not. If the block is left by an
    exception, what has not been sent is not stored. Of several documents with one id the last one
    given stays. One bulk insert is for one thread; the tasks of that may share it.
    """

    def __init__(self, core: BulkInsertCore, database: str, carry: AsyncCarrier) -> None:
        self._core = core
        self._database = database
        self._carry = carry
        self._flight = AsyncFlight(self._send)

    async def __aenter__(self) -> Self:
        await self._flight.begin()
        self._core.is_open = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None and self._core.is_open:
                self._core.end_chunk()
                await self._send_waiting()
        except BaseException as failure:
            error = failure
            raise
        finally:
            self._core.is_open = False
            self._core.drop_rest()
            await self._flight.end(error)
        if error is None:
            self._core.tell_progress()
            if self._core.has_failed:
                raise self._core.aborted()

    @property
    def options(self) -> BulkInsertOptions:
        """How documents are stored."""
        return self._core.options

    def on_progress(self, on_progress: OnProgress) -> None:
        """Call this with a BulkInsertProgress for each chunk that is stored.

        It is called within `store` and at the end, where it may raise.
        """
        self._core.watch(on_progress)

    async def store(
        self, entity: object, metadata: Mapping[str, Any] | None = None, *, key: str | None = None
    ) -> str:
        """Take a document in; returns its id, which is made as sessions make it.

        Raises BulkInsertAborted if some document before it could not be stored.
        """
        self._core.check_open()
        if key is None:
            key = (metadata or {}).get("@id")
        while key is None:
            key = self._core.id_of(entity)
            if key is None:
                borrowing = self._core.borrowing(entity)
                self._core.lend(entity, await self._carry.execute(borrowing, self._database))
        await self.store_as(entity, key, metadata)
        return key

    async def store_as(
        self, entity: object, key: str, metadata: Mapping[str, Any] | None = None
    ) -> None:
        """Take a document in under this id."""
        self._core.check_open()
        self._core.tell_progress()
        if self._core.has_failed:
            self._core.drop_rest()
            await self._flight.settle()
            raise self._core.aborted()
        self._core.add(entity, key, metadata)
        await self._send_waiting()

    async def abort(self) -> None:
        """Send nothing more. What is on its way is waited for; what was stored stays."""
        self._core.is_open = False
        self._core.drop_rest()
        await self._flight.settle()

    async def _send_waiting(self) -> None:
        """Let chunks go, in order. If this is cancelled, they wait for the next who comes."""
        while self._core.has_waiting:
            if self._flight.is_full or self._core.must_wait:
                await self._flight.one_landed()
            else:
                self._flight.add(self._core.send_next())

    async def _send(self, chunk: Chunk) -> None:
        """Send a chunk and note what becomes of it."""
        try:
            await self._send_and_look(chunk)
        finally:
            self._core.left(chunk)

    async def _send_and_look(self, chunk: Chunk) -> None:
        core = self._core
        if core.has_failed:
            core.not_stored(chunk)
            return
        try:
            operation_id = await self._carry.execute(GetNextOperationIdCommand(), self._database)
        except QuothError as error:
            core.not_stored(chunk, error)
            return
        try:
            await self._carry.execute(core.inserting(chunk, operation_id), self._database)
        except FateUnknown as error:
            core.answer_lost(chunk, await self._state_at_end(operation_id), error)
        except QuothError as error:
            core.not_stored(chunk, error)
        else:
            core.stored(chunk)

    async def _state_at_end(self, operation_id: int) -> OperationState | None:
        """How the operation of a chunk ended whose answer was lost; None if nobody can tell."""
        command = GetOperationStateOperation(operation_id)
        deadline = self._carry.monotonic() + ASK_SECONDS
        while True:
            try:
                state: OperationState | None = await self._carry.execute(command, self._database)
            except QuothError:
                return None  # the first error says more than that nobody answers now
            is_over = state is None or state.status is not OperationStatus.IN_PROGRESS
            if is_over or self._carry.monotonic() >= deadline:
                return state
            await self._carry.pause(PAUSE_SECONDS)
