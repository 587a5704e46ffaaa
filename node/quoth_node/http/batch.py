"""`POST /bulk_docs`: a single-node or a cluster transaction, and what to wait for after it."""

from dataclasses import dataclass, replace
from typing import TypeVar

from aiohttp import web

from quoth_cluster.commands import (
    ClusterTransaction,
    SaveBatch,
    SaveNumbered,
    SerializableTransaction,
)
from quoth_cluster.errors import ClusterError
from quoth_cluster.outcomes import BatchSaved, DocumentPut, NumberedSaved, TransactionSaved
from quoth_cluster.sequence_commands import TakeNumbers
from quoth_cluster.sequence_outcomes import Taken
from quoth_node.database.waiting import (
    IndexesWanted,
    ReplicasWanted,
    wait_for_replicas,
)
from quoth_node.http.documents import batch_of
from quoth_node.http.errors import BadRequest, NotSupported, WaitTimedOut
from quoth_node.http.exchange import Agreed, Exchange
from quoth_node.http.patches import save_patches
from quoth_node.http.query import Query, format_timespan, unwrapped
from quoth_node.http.reply import reply
from quoth_node.http.route import DATABASE, Route, knows
from quoth_node.http.wire import batches, patches, replies, sequences
from quoth_node.patching import Patched, PatchesSaved

T = TypeVar("T", BatchSaved, TransactionSaved)
WAIT_SECONDS_MAX = 24 * 60 * 60.0
MAJORITY = "majority"
# The official Python client's options leave the number out and write it as the word None.
NOT_GIVEN = frozenset({"", "none", "null"})


@dataclass(frozen=True, slots=True)
class Waits:
    """What a save waits for after it was applied."""

    replicas: ReplicasWanted | None
    indexes: IndexesWanted | None


async def bulk_docs(exchange: Exchange) -> web.Response:
    """Save a batch: all of its commands or none."""
    # Options first: a request that will fail on them must not have written anything.
    waits = read_waits(exchange.query)
    without_guards = exchange.query.boolean("disableAtomicDocumentWrites")
    if exchange.request.content_type == "multipart/form-data":
        raise NotSupported("Batches with attachments are not supported yet")
    new_id = exchange.services.chance.uuid
    batch = await exchange.parsed(
        lambda body: batches.read_batch(body, new_id=lambda: str(new_id()))
    )
    agreed: Agreed[BatchSaved] | Agreed[TransactionSaved] | None
    if batch.cluster_wide:
        agreed, taken = await transact(exchange, batch, guarded=not without_guards)
        body = replies.transaction_saved(agreed.outcome, map(sequences.taking_result, taken))
    elif batch.is_evaluated:
        saved = await save_patches(exchange, batch.commands, takings=batch.takings)
        more = map(sequences.taking_result, saved.taken)
        agreed, body = as_saved(saved), patches.patches_saved(saved.results, more)
    else:
        command = batch_of(exchange, await exchange.known_database(), batch.documents)
        agreed, taken = await save_numbered(exchange, command, batch.takings, BatchSaved)
        body = replies.batch_saved(agreed.outcome, map(sequences.taking_result, taken))
    if agreed is not None:
        await wait(exchange, waits, agreed)
    return reply(body, status=201)


def as_saved(saved: PatchesSaved) -> Agreed[BatchSaved] | None:
    """What was written, as waits see it; None if nothing had to be."""
    if saved.log_index is None or saved.command_index is None:
        return None
    results = tuple(
        DocumentPut(one.document_id, one.collection or "", one.change_vector, one.at_micros or 0)
        for one in saved.results
        if isinstance(one, DocumentPut | Patched) and one.change_vector
    )
    batch = BatchSaved(results, saved.last_etag, saved.collections)
    return Agreed(saved.log_index, saved.command_index, batch)


async def transact(
    exchange: Exchange, batch: batches.Batch, *, guarded: bool
) -> tuple[Agreed[TransactionSaved], tuple[Taken, ...]]:
    """A cluster transaction: documents, their guards and compare-exchange values, or nothing."""
    database = await exchange.known_database()
    # A request without this header comes from no client that knows of atomic guards.
    knows_guards = "Raven-Client-Version" in exchange.headers
    command = ClusterTransaction(
        database=database.record.name,
        at_micros=exchange.services.clock.now_micros(),
        node_tag=exchange.services.node_tag,
        documents=batch.documents,
        compare_exchange=batch.compare_exchange,
        atomic_guards=guarded and knows_guards,
    )
    return await save_numbered(exchange, command, batch.takings, TransactionSaved)


async def save_numbered(
    exchange: Exchange,
    command: SaveBatch | ClusterTransaction | SerializableTransaction,
    takings: tuple[TakeNumbers, ...],
    answer: type[T],
) -> tuple[Agreed[T], tuple[Taken, ...]]:
    """A transaction, and the numbers its documents got; without `takings` one as any other."""
    if not takings:
        whole = replace(command, request_id=exchange.request_id)
        return await exchange.propose(whole, answer), ()
    numbered = SaveNumbered(command, takings, exchange.request_id)
    agreed = await exchange.propose(numbered, NumberedSaved)
    saved, taken = agreed.outcome.saved, agreed.outcome.taken
    if not isinstance(saved, answer):
        # The state remembers the answer to another batch of this request id.
        raise BadRequest("This raft-request-id was used before; nothing was done now")
    return Agreed(agreed.log_index, agreed.command_index, saved), taken


def read_waits(query: Query) -> Waits:
    """What to wait for; the time-out parameter is what switches a wait on."""
    replicas_seconds = query.timespan("waitForReplicasTimeout", high=WAIT_SECONDS_MAX)
    indexes_seconds = query.timespan("waitForIndexesTimeout", high=WAIT_SECONDS_MAX)
    count = read_replicas(query)
    replicas_must = query.boolean("throwOnTimeoutInWaitForReplicas", True)
    indexes_must = query.boolean("waitForIndexThrow", True)
    names = unwrapped(query.every("waitForSpecificIndex"))
    return Waits(
        replicas=None
        if replicas_seconds is None
        else ReplicasWanted(replicas_seconds, count=count, must=replicas_must),
        indexes=None
        if indexes_seconds is None
        else IndexesWanted(indexes_seconds, names=names, must=indexes_must),
    )


def read_replicas(query: Query) -> int | None:
    """How many other nodes to wait for; None is a majority."""
    text = (query.one("numberOfReplicasToWaitFor") or "").lower()
    if text == MAJORITY:
        return None
    if text in NOT_GIVEN:
        return 1
    return query.integer("numberOfReplicasToWaitFor", low=0, high=2**31 - 1)


async def wait(
    exchange: Exchange, waits: Waits, agreed: Agreed[BatchSaved] | Agreed[TransactionSaved]
) -> None:
    """Wait as asked.

    Raises WaitTimedOut; the save stays.
    """
    saved = agreed.outcome
    if waits.indexes is not None:
        await wait_for_indexes(exchange, waits.indexes, agreed)
    if waits.replicas is None:
        return
    try:
        reached = await wait_for_replicas(exchange.services.raft, agreed.log_index, waits.replicas)
    except ClusterError as error:
        # What was saved must not be told in words that make a client send it again.
        if waits.replicas.must:
            raise WaitTimedOut(f"Could not verify that the save was replicated: {error}") from error
        return
    if waits.replicas.must and not reached.enough:
        raise WaitTimedOut(
            f"Could not verify that the change vector '{last_change_vector(saved)}' was "
            f"replicated to {reached.wanted} servers in "
            f"{format_timespan(waits.replicas.timeout_seconds)}. "
            f"So far, it only replicated to {reached.reached}"
        )


async def wait_for_indexes(
    exchange: Exchange,
    wanted: IndexesWanted,
    agreed: Agreed[BatchSaved] | Agreed[TransactionSaved],
) -> None:
    """Wait until the indexes that a save touches have read it. Raises WaitTimedOut."""
    saved = agreed.outcome
    assert exchange.database_name is not None, "a save is into a database"
    lagging = await exchange.services.covering.wait(
        exchange.database_name,
        wanted,
        collections=saved.collections,
        last_etag=saved.last_etag,
        command_index=agreed.command_index,
    )
    if lagging is None or not wanted.must:
        return
    paused = f", total paused indexes: {len(lagging.paused)} ({', '.join(lagging.paused)})"
    raise WaitTimedOut(
        f"After waiting for {format_timespan(wanted.timeout_seconds)}, could not verify that all "
        f"indexes has caught up with the changes as of etag: {lagging.etag}. Total relevant "
        f"indexes: {lagging.relevant}, total stale indexes: {len(lagging.stale)} "
        f"({', '.join(lagging.stale)}){paused if lagging.paused else ''}"
    )


def last_change_vector(saved: BatchSaved | TransactionSaved) -> str:
    """The change vector of the last document saved; the etag where there were only deletes."""
    results = saved.results if isinstance(saved, BatchSaved) else saved.documents
    vectors = [result.change_vector for result in results if result.change_vector]
    return vectors[-1] if vectors else str(saved.last_etag)


ROUTES = (
    Route(
        "POST",
        f"{DATABASE}/bulk_docs",
        bulk_docs,
        knows(
            "waitForReplicasTimeout",
            "throwOnTimeoutInWaitForReplicas",
            "numberOfReplicasToWaitFor",
            "waitForIndexesTimeout",
            "waitForIndexThrow",
            "waitForSpecificIndex",
            "disableAtomicDocumentWrites",
        ),
    ),
)
