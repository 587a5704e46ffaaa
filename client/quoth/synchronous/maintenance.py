# Made from asynchronous/maintenance.py by `python -m scripts.twins`: change that one.
"""What `store.maintenance` and `store.operations` are: operations, sent where they belong."""

from typing import Self, TypeVar

from quoth.commands import Command
from quoth.errors import Misuse
from quoth.operations.checks import check_name
from quoth.operations.kinds import GoesOn, NamesDatabase
from quoth.operations.patches import PatchOperation, PatchStatus
from quoth.operations.running import OperationIdResult
from quoth.synchronous.carrier import Carrier
from quoth.synchronous.operation import Operation

T = TypeVar("T")


class ServerOperationExecutor:
    """Sends operations that belong to no database: on databases themselves, and on the cluster.

    store.maintenance.server.send(CreateDatabaseOperation("shop"))
    """

    def __init__(self, carry: Carrier) -> None:
        self._carry = carry

    def send(self, operation: Command[T]) -> T:
        """Carry the operation out. Raises Misuse if it is one on a database."""
        _check_command(operation)
        if operation.is_for_database:
            name = type(operation).__name__
            raise Misuse(f"{name} is for a database: store.maintenance.send(...)")
        result: T = self._carry.execute(operation, None)
        return result


class MaintenanceOperationExecutor:
    """Sends operations on a database: identities, indexes, statistics.

    store.maintenance.send(SeedIdentityForOperation("companies|", 23))
    store.maintenance.for_database("other").send(GetStatisticsOperation())
    """

    def __init__(self, carry: Carrier, database: str | None = None) -> None:
        self._carry = carry
        self._database = database

    @property
    def server(self) -> ServerOperationExecutor:
        """Sends operations that belong to no database."""
        return ServerOperationExecutor(self._carry)

    def for_database(self, database_name: str | None) -> Self:
        """The same for another database; None is the store's own."""
        return type(self)(self._carry, _checked(database_name))

    def send(self, operation: Command[T]) -> T:
        """Carry the operation out. Raises Misuse if it belongs to no database."""
        _check_for_database(operation)
        result: T = self._carry.execute(operation, self._database)
        return result

    def send_async(self, operation: Command[OperationIdResult]) -> Operation:
        """Begin an operation that goes on by itself, to be watched. Raises Misuse for others."""
        _check_goes_on(operation)
        return Operation(self.send(operation), self._database, self._carry)


class OperationExecutor:
    """Sends operations on documents and compare-exchange values.

    store.operations.send(PutCompareExchangeValueOperation("lock", "me", 0))
    operation = store.operations.send_async(PatchByQueryOperation("from Orders update {}"))
    """

    def __init__(self, carry: Carrier, database: str | None = None) -> None:
        self._carry = carry
        self._database = database

    def for_database(self, database_name: str | None) -> Self:
        """The same for another database; None is the store's own."""
        return type(self)(self._carry, _checked(database_name))

    def send(self, operation: Command[T]) -> T:
        """Carry the operation out. Raises Misuse if it belongs to no database."""
        _check_for_database(operation)
        result: T = self._carry.execute(operation, self._database)
        return result

    def send_async(self, operation: Command[OperationIdResult]) -> Operation:
        """Begin an operation that goes on by itself, to be watched. Raises Misuse for others."""
        _check_goes_on(operation)
        return Operation(self.send(operation), self._database, self._carry)

    def send_patch_operation(self, operation: PatchOperation) -> PatchStatus:
        """Patch a document; only what became of it."""
        return (self.send(operation)).status


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
