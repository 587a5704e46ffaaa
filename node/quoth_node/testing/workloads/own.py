"""A client that is `quoth` itself: sessions and operations of AsyncDocumentStore.

Its errors say what is known: Definite is NotDone, a conflict is Refused, Indefinite and Unassured
leave it open (what was written and not seen elsewhere in time is no promise).
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from quoth import (
    AsyncDocumentStore,
    AsyncSession,
    ConcurrencyError,
    Conventions,
    Indefinite,
    NotSent,
    QuothError,
    TransactionMode,
    Unassured,
)
from quoth.operations.compare_exchange import (
    DeleteCompareExchangeValueOperation,
    GetCompareExchangeValueOperation,
    GetCompareExchangeValuesOperation,
    PutCompareExchangeValueOperation,
)
from quoth.operations.identities import NextIdentityForOperation, SeedIdentityForOperation
from quoth_node.testing.clock import pause
from quoth_node.testing.workloads.plain import (
    COLLECTION,
    PAUSE_SECONDS,
    REPLICAS_SECONDS_MAX,
    UNFORESEEN,
    body_of,
)
from quoth_node.testing.workloads.speaker import (
    Changed,
    Decide,
    Document,
    Found,
    Held,
    Json,
    Mode,
    NotDone,
    Open,
    Refused,
    Strange,
    Writes,
)

REQUEST_SECONDS_MAX = 5.0
FAILOVER_SECONDS = 3.0
PAGE = 1_000_000


def conventions() -> Conventions:
    """Those of a workload: not as patient as usual, for faults are the rule."""
    return Conventions(
        request_timeout_seconds=REQUEST_SECONDS_MAX,
        failover_seconds=FAILOVER_SECONDS,
        node_retry_seconds=1.0,
        max_number_of_requests_per_session=1_000,
    )


class SharedStore:
    """One store for all clients of a workload that are `quoth`: they share requests, too."""

    def __init__(self) -> None:
        self._store: AsyncDocumentStore | None = None
        self._holders = 0  # invariant: the store is there while somebody holds it

    def take(self, urls: Mapping[str, str], database: str) -> AsyncDocumentStore:
        """The store; `release` ends what this begins."""
        if self._store is None:
            self._store = AsyncDocumentStore(
                list(urls.values()), database, conventions=conventions()
            )
        self._holders += 1
        return self._store

    async def release(self) -> None:
        """Close the store if nobody holds it any more."""
        assert self._holders > 0, "taken before"
        self._holders -= 1
        if self._holders == 0 and self._store is not None:
            store, self._store = self._store, None
            await store.close()


@asynccontextmanager
async def reading_errors(*, is_write: bool = True) -> AsyncIterator[None]:
    """Within the block errors of the client become those of a Speaker.

    Not `is_write`: nothing was to be written yet, so nothing can be open.
    """
    try:
        yield
    except ConcurrencyError as error:
        raise Refused(str(error)) from error
    except NotSent as error:
        await pause(PAUSE_SECONDS)
        raise NotDone(str(error)) from error
    except (Indefinite, Unassured) as error:
        if UNFORESEEN in str(error):
            raise Strange(str(error)) from error
        raise (Open if is_write else NotDone)(str(error)) from error
    except QuothError as error:
        raise Strange(f"{type(error).__name__}: {error}") from error


class Own:
    """One client of one database."""

    modes: tuple[Mode, ...] = (Mode.SINGLE, Mode.CLUSTER, Mode.SERIALIZABLE)

    def __init__(self, urls: Mapping[str, str], database: str, shared: SharedStore) -> None:
        self.node = ""
        self._shared = shared
        self.store = shared.take(urls, database)

    async def close(self) -> None:
        await self._shared.release()

    # Compare-exchange values.

    async def get_value(self, key: str) -> Held | None:
        async with reading_errors():
            found = await self.store.operations.send(GetCompareExchangeValueOperation(key))
        return None if found is None else Held(found.value, found.index)

    async def get_values(self, keys: Sequence[str]) -> dict[str, Held | None]:
        async with reading_errors():
            found = await self.store.operations.send(GetCompareExchangeValuesOperation(keys))
        return {
            key: Held(found[key].value, found[key].index) if key in found else None for key in keys
        }

    async def put_value(self, key: str, value: Any, index: int) -> Changed:
        return await self._change(PutCompareExchangeValueOperation(key, value, index))

    async def delete_value(self, key: str, index: int) -> Changed:
        return await self._change(DeleteCompareExchangeValueOperation(None, key, index))

    async def _change(
        self,
        operation: PutCompareExchangeValueOperation[Any] | DeleteCompareExchangeValueOperation[Any],
    ) -> Changed:
        async with reading_errors():
            told = await self.store.operations.send(operation)
        held = None if told.value is None else Held(told.value, told.index)
        return Changed(told.successful, held, told.index if told.successful else None)

    # Documents.

    async def load(self, ids: Sequence[str]) -> dict[str, Document | None]:
        async with self.store.open_session() as session:
            async with reading_errors():
                found: dict[str, Any] = await session.load(list(ids))
            return {one: _document(session, found[one]) for one in ids}

    async def load_prefix(self, prefix: str) -> dict[str, Json]:
        async with self.store.open_session() as session:
            async with reading_errors():
                found: list[Any] = await session.advanced.load_starting_with(prefix, page_size=PAGE)
            return {_id(session, each): body_of(each) for each in found}

    async def put_document(
        self, document_id: str, body: Json, vector: str | None = None, *, replicas: int = 0
    ) -> str:
        async with self.store.open_session() as session:
            entity = new_entity(body)
            if replicas:
                session.advanced.wait_for_replication(
                    max(replicas, 1), majority=replicas < 0, timeout_seconds=REPLICAS_SECONDS_MAX
                )
            await session.store(entity, document_id, vector)
            async with reading_errors():
                await session.save_changes()
            return _id(session, entity)

    async def delete_document(self, document_id: str) -> None:
        async with self.store.open_session() as session:
            session.delete(document_id)
            async with reading_errors():
                await session.save_changes()

    async def transact(
        self, ids: Sequence[str], keys: Sequence[str], decide: Decide, *, mode: Mode
    ) -> int | None:
        async with self._session(mode) as session:
            async with reading_errors(is_write=False):
                documents: dict[str, Any] = await session.load(list(ids)) if ids else {}
                values = (
                    await session.advanced.cluster_transaction.get_compare_exchange_values(
                        list(keys)
                    )
                    if keys
                    else {}
                )
            found = Found(
                {one: None if documents[one] is None else body_of(documents[one]) for one in ids},
                {key: None if (one := values[key]) is None else one.value for key in keys},
            )
            writes = decide(found)
            if writes is None:
                return None
            await _write(session, writes, documents, values, must_be_new=mode is Mode.SINGLE)
            async with reading_errors():
                await session.save_changes()
        return None

    def _session(self, mode: Mode) -> AsyncSession:
        match mode:
            case Mode.SINGLE:
                return self.store.open_session(optimistic_concurrency=True)
            case Mode.CLUSTER:
                return self.store.open_session(transaction_mode=TransactionMode.CLUSTER_WIDE)
            case Mode.SERIALIZABLE:
                return self.store.open_session(isolation="serializable")

    # Identities.

    async def next_identity(self, name: str) -> int:
        async with reading_errors():
            return await self.store.maintenance.send(NextIdentityForOperation(name))

    async def seed_identity(self, name: str, value: int) -> int:
        async with reading_errors():
            return await self.store.maintenance.send(SeedIdentityForOperation(name, value))


async def _write(
    session: AsyncSession,
    writes: Writes,
    documents: Mapping[str, Any],
    values: Mapping[str, Any],
    *,
    must_be_new: bool,
) -> None:
    """Change what a session has read as it was decided; nothing is sent yet.

    `must_be_new`: what was not there is checked only if the save says so.
    """
    for one, body in writes.documents.items():
        entity = documents[one]
        if entity is None:
            await session.store(new_entity(body), one, "" if must_be_new else None)
        else:
            metadata = {name: entity[name] for name in entity if name == "@metadata"}
            entity.clear()
            entity.update(body | metadata)
    for key, value in writes.values.items():
        held = values[key]
        if held is None:
            session.advanced.cluster_transaction.create_compare_exchange_value(key, value)
        else:
            held.value = value


def new_entity(body: Json) -> Json:
    """What a session stores: a dictionary, in the collection of all documents of workloads."""
    return {**body, "@metadata": {"@collection": COLLECTION}}


def _document(session: AsyncSession, entity: Any) -> Document | None:
    if entity is None:
        return None
    vector = session.advanced.get_change_vector_for(entity)
    assert vector is not None, "it was loaded"
    return Document(body_of(entity), vector)


def _id(session: AsyncSession, entity: object) -> str:
    found = session.advanced.get_document_id(entity)
    assert found is not None, "it is of this session"
    return found
