"""What `store.maintenance` and `store.operations` are: operations, sent where they belong."""

from typing import Self, TypeVar

from quoth.asynchronous.carrier import AsyncCarrier
from quoth.asynchronous.operation import AsyncOperation
from quoth.commands import Command
from quoth.errors import Misuse
from quoth.operations.checks import check_name
from quoth.operations.kinds import GoesOn, NamesDatabase
from quoth.operations.patches import PatchOperation, PatchStatus
from quoth.operations.running import OperationIdResult

T = TypeVar("T")


class AsyncServerOperationExecutor:
    """Sends operations that belong to no database: on databases themselves, and on the cluster.

    await store.maintenance.server.send(CreateDatabaseOperation("shop"))
    """

    def __init__(self, carry: AsyncCarrier) -> None:
        self._carry = carry

    async def send(self, operation: Command[T]) -> T:
        """Carry the operation out. Raises Misuse if it is one on a database."""
        _check_command(operation)
        if operation.is_for_database:
            name = type(operation).__name__
            raise Misuse(f"{name} is for a database: store.maintenance.send(...)")
        result: T = await self._carry.execute(operation, None)
        return result


class AsyncMaintenanceOperationExecutor:
    """Sends operations on a database: identities, indexes, statistics.

    await store.maintenance.send(SeedIdentityForOperation("companies|", 23))
    await store.maintenance.for_database("other").send(GetStatisticsOperation())
    """

    def __init__(self, carry: AsyncCarrier, database: str | None = None) -> None:
        self._carry = carry
        self._database = database

    @property
    def server(self) -> AsyncServerOperationExecutor:
        """Sends operations that belong to no database."""
        return AsyncServerOperationExecutor(self._carry)

    def for_database(self, database_name: str | None) -> Self:
        """The same for another database; None is the store's own."""
        return type(self)(self._carry, _checked(database_name))

    async def send(self, operation: Command[T]) -> T:
        """Carry the operation out. Raises Misuse if it belongs to no database."""
        _check_for_database(operation)
        result: T = await self._carry.execute(operation, self._database)
        return result

    async def send_async(self, operation: Command[OperationIdResult]) -> AsyncOperation:
        """Begin an operation that goes on by itself, to be watched. Raises Misuse for others."""
        _check_goes_on(operation)
        return AsyncOperation(await self.send(operation), self._database, self._carry)


class AsyncOperationExecutor:
    """Sends operations on documents and compare-exchange values.

    await store.operations.send(PutCompareExchangeValueOperation("lock", "me", 0))
    operation = await store.operations.send_async(PatchByQueryOperation("from Orders update {}"))
    """

    def __init__(self, carry: AsyncCarrier, database: str | None = None) -> None:
        self._carry = carry
        self._database = database

    def for_database(self, database_name: str | None) -> Self:
        """The same for another database; None is the store's own."""
        return type(self)(self._carry, _checked(database_name))

    async def send(self, operation: Command[T]) -> T:
        """Carry the operation out. Raises Misuse if it belongs to no database."""
        _check_for_database(operation)
        result: T = await self._carry.execute(operation, self._database)
        return result

    async def send_async(self, operation: Command[OperationIdResult]) -> AsyncOperation:
        """Begin an operation that goes on by itself, to be watched. Raises Misuse for others."""
        _check_goes_on(operation)
        return AsyncOperation(await self.send(operation), self._database, self._carry)

    async def send_patch_operation(self, operation: PatchOperation) -> PatchStatus:
        """Patch a document; only what became of it."""
        return (await self.send(operation)).status


def _check_command(operation: object) -> None:
    if isinstance(operation, type) or not hasattr(operation, "to_request"):
        raise Misuse(
            f"an operation is a value such as GetStatisticsOperation(), not {operation!r:.80}"
        )


def _check_goes_on(operation: Command[OperationIdResult]) -> None:
    _check_command(operation)
    if not isinstance(operation, GoesOn):
        raise Misuse(f"{type(operation).__name__} is done when it is answered: send(...)")


def _check_for_database(operation: Command[T]) -> None:
    _check_command(operation)
    if not operation.is_for_database and not isinstance(operation, NamesDatabase):
        name = type(operation).__name__
        raise Misuse(f"{name} belongs to no database: store.maintenance.server.send(...)")


def _checked(database_name: str | None) -> str | None:
    if database_name is not None:
        check_name(database_name, "the name of a database")
    return database_name
