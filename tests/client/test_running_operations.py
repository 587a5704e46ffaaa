"""Operations that go on by themselves: watched, waited for, killed, and how they end."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from quoth import (
    AsyncDocumentStore,
    AsyncOperation,
    BadRequest,
    DeleteByQueryOperation,
    DocumentStore,
    FateUnknown,
    Misuse,
    OperationCanceled,
    OperationFailed,
    OperationTimeout,
    PatchByQueryOperation,
    PutCompareExchangeValueOperation,
    QueryOperationOptions,
)
from quoth.asynchronous.carrier import AsyncCarrier
from quoth.operations import OperationIdResult
from tests.client.wire import Wire

BEGUN = {"OperationId": 77, "OperationNodeTag": "A"}
RESULT = {"Total": 4, "DocumentsProcessed": 4, "Details": [], "Query": "from Orders"}


def state(status: str, done: int | None = None, result: Any = None) -> dict[str, Any]:
    progress = None if done is None else {"Total": 4, "Processed": done}
    return {"Status": status, "Progress": progress, "Result": result}


def fault(kind: str, status: int) -> dict[str, Any]:
    return {"Type": f"Raven.{kind}", "Message": "it went wrong", "Error": "", "StatusCode": status}


class Time:
    """A clock that pauses move, and nothing else."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def operation(wire: Wire, store: AsyncDocumentStore, time: Time) -> Iterator[AsyncOperation]:
    async def execute(command: Any, database: str | None) -> Any:
        return await store.send(command, database=database)

    carry = AsyncCarrier(execute, time.pause, lambda: time.now)
    begun = OperationIdResult(operation_id=77, operation_node_tag="A")
    yield AsyncOperation(begun, None, carry)


async def test_an_operation_is_begun_and_watched(
    wire: Wire, operation: AsyncOperation, time: Time
) -> None:
    wire.on("GET", "/operations/state", state("InProgress"))
    wire.on("GET", "/operations/state", state("InProgress", 1))
    wire.on("GET", "/operations/state", state("Completed", 4, RESULT))
    seen = [(each.processed, each.total) async for each in operation]
    assert seen == [(1, 4), (4, 4)]
    assert time.pauses == [0.05, 0.1]
    assert wire.asked[0].query["id"] == "77"


async def test_waiting_gives_the_result(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.on("DELETE", "/queries", BEGUN)
    wire.on("GET", "/operations/state", state("Completed", 4, RESULT))
    deletion = DeleteByQueryOperation("from Orders")
    operation = await store.operations.send_async(deletion)
    assert (operation.operation_id, operation.node_tag) == (77, "A")
    result = await operation.wait_for_completion()
    assert (result.total, result.documents_processed) == (4, 4)
    assert await operation.wait_for_completion() is result  # known by now


async def test_what_is_done_when_it_is_answered_is_not_begun(
    wire: Wire, store: AsyncDocumentStore
) -> None:
    put: Any = PutCompareExchangeValueOperation("lock", "me", 0)
    for sender in (store.operations, store.maintenance):
        with pytest.raises(Misuse, match="PutCompareExchangeValueOperation is done when"):
            await sender.send_async(put)
    assert not wire.asked
    with pytest.raises(Misuse, match="stale_timeout is a timedelta, not 5"):
        QueryOperationOptions(stale_timeout=5)  # type: ignore[arg-type]


async def test_an_operation_of_another_database(wire: Wire, store: AsyncDocumentStore) -> None:
    wire.on("DELETE", "/databases/other/queries", BEGUN)
    told = {"Status": "InProgress", "Progress": {"Message": "words alone"}, "Result": None}
    wire.on("GET", "/databases/other/operations/state", told)
    wire.on("POST", "/databases/other/operations/kill", status=204)
    other = store.operations.for_database("other")
    operation = await other.send_async(DeleteByQueryOperation("from Orders"))
    assert (await operation.fetch_operations_status()).progress is None
    await operation.kill()


def test_a_synchronous_store_does_the_same(wire: Wire, plain_store: DocumentStore) -> None:
    wire.on("PATCH", "/queries", BEGUN)
    wire.on("GET", "/operations/state", state("InProgress", 1))
    wire.on("GET", "/operations/state", state("Completed", 4, RESULT))
    wire.on("POST", "/operations/kill", status=204)
    patch = PatchByQueryOperation("from Orders update { this.x = 1 }")
    operation = plain_store.operations.send_async(patch)
    assert [each.processed for each in operation] == [1, 4]
    operation.kill()


async def test_what_was_done_before_a_failure_is_told(
    wire: Wire, operation: AsyncOperation
) -> None:
    told = fault("BadRequestException", 400)
    wire.on("GET", "/operations/state", state("Faulted", 2, told))
    with pytest.raises(OperationFailed, match="2 documents were done") as failure:
        await operation.wait_for_completion()
    assert (failure.value.processed, failure.value.total) == (2, 4)
    assert isinstance(failure.value.__cause__, BadRequest)


@pytest.mark.parametrize("done", [None, 0])
async def test_a_refusal_before_anything_was_done_is_definite(
    wire: Wire, operation: AsyncOperation, done: int | None
) -> None:
    told = fault("InvalidOperationException", 400)
    wire.on("GET", "/operations/state", state("Faulted", done, told))
    with pytest.raises(BadRequest, match="it went wrong"):
        await operation.wait_for_completion()


async def test_an_unknown_end_is_not_definite(wire: Wire, operation: AsyncOperation) -> None:
    told = fault("RavenTimeoutException", 500)
    wire.on("GET", "/operations/state", state("Faulted", 0, told))
    with pytest.raises(OperationFailed) as failure:
        await operation.wait_for_completion()
    assert isinstance(failure.value.__cause__, FateUnknown)


async def test_a_killed_operation_says_so(wire: Wire, operation: AsyncOperation) -> None:
    wire.on("POST", "/operations/kill", status=204)
    wire.on("GET", "/operations/state", state("Canceled", 3))
    await operation.kill()
    with pytest.raises(OperationCanceled, match="was killed; 3 documents"):
        await operation.wait_for_completion()
    assert wire.asked[0].query["id"] == "77"


async def test_nobody_knows_of_it_any_more(wire: Wire, operation: AsyncOperation) -> None:
    wire.on("GET", "/operations/state", status=404)
    with pytest.raises(FateUnknown, match="no node knows operation 77"):
        await operation.wait_for_completion()


async def test_waiting_ends_in_time_and_the_operation_goes_on(
    wire: Wire, operation: AsyncOperation, time: Time
) -> None:
    for _ in range(4):
        wire.on("GET", "/operations/state", state("InProgress", 1))
    with pytest.raises(OperationTimeout, match="goes on"):
        await operation.wait_for_completion(timeout_seconds=0.3)
    assert time.now == pytest.approx(100.3)
    with pytest.raises(Misuse, match="more than 0"):
        await operation.wait_for_completion(timeout_seconds=0)


async def test_pauses_grow_to_a_second(wire: Wire, operation: AsyncOperation, time: Time) -> None:
    for _ in range(8):
        wire.on("GET", "/operations/state", state("InProgress"))
    wire.on("GET", "/operations/state", state("Completed", 4, RESULT))
    await asyncio.wait_for(operation.wait_for_completion(), 5)
    assert time.pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]
