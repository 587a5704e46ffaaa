"""Serializable sessions: reads that are all of one state, and writes that rest on them.

A session pins the state of its first answer. What it reads later comes from a newer snapshot, so
it is only given if it is what stood at the pin: nothing of it has changed since, or else nothing
that the session has read has, and the pin moves up to the snapshot. What was not sent along cannot
be looked at, so then the answer is `IsMoved`, and the client asks again with all it has read.
"""

import asyncio
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

from aiohttp import web

from quoth_cluster import compare_exchange, documents, serializable
from quoth_cluster.checks import IDENTITY_END
from quoth_cluster.commands import (
    CheckCollection,
    CheckCompareExchange,
    CheckDocument,
    CheckPrefix,
    ReadCheck,
    SerializableTransaction,
)
from quoth_cluster.compare_exchange import MISSING_INDEX, CompareExchangeValue
from quoth_cluster.database import load_position
from quoth_cluster.errors import NotReadable
from quoth_cluster.machine import Database
from quoth_cluster.outcomes import TransactionSaved
from quoth_cluster.serializable import (
    CHECKS_MAX,
    KEY_PREFIX_BYTES_MAX,
    KEYS_MAX,
    Looked,
    ReadSet,
    TooMuch,
    is_long,
)
from quoth_cluster.store.environment import ReadTxn
from quoth_node.http.asking import Asked, read_asked
from quoth_node.http.batch import read_waits, save_numbered, wait
from quoth_node.http.budget import Budget
from quoth_node.http.documents import PrefixPage
from quoth_node.http.errors import ChangeRefused, OverLimit
from quoth_node.http.exchange import Exchange
from quoth_node.http.loading import Wanted as LoadWanted
from quoth_node.http.loading import load_all
from quoth_node.http.queries import finish
from quoth_node.http.query import shortened
from quoth_node.http.query_run import Running, has_scripts, run, snapshot
from quoth_node.http.reply import reply
from quoth_node.http.route import DATABASE, Route, knows
from quoth_node.http.streams import beside_the_loop
from quoth_node.http.wildcard import Wildcards
from quoth_node.http.wire import replies
from quoth_node.http.wire import serializable as wire
from quoth_node.http.wire.bodies import check_count
from quoth_node.http.wire.queries import IndexQuery
from quoth_node.http.wire.serializable import (
    CommitAsked,
    DocumentsWanted,
    KeysWanted,
    Pin,
    PrefixWanted,
    QueryWanted,
    ReadAsked,
    ValuesWanted,
)
from quoth_node.querying.errors import InvalidQuery
from quoth_node.rql import SourceKind

READ_HERE_MAX = 32  # documents and values that are read on the event loop, with as many checks
ADVICE = "read less at a time"


@dataclass(slots=True)
class Reading:
    """What was read of one snapshot, and what tells whether it stood at an earlier pin.

    `is_unsure`: nothing here can tell. What is missing may have been there then, and of a value
    that is gone nothing is kept.
    """

    answers: list[bytes] = field(default_factory=list)
    checks: list[ReadCheck] = field(default_factory=list)
    etag: int = 0  # of the newest document
    index: int = 0  # of the newest compare-exchange value
    is_unsure: bool = False

    def take_value(self, key: str, value: CompareExchangeValue | None) -> None:
        """A value was read, or that there is none."""
        index = value.index if value is not None else MISSING_INDEX
        self.is_unsure |= value is None
        self.index = max(self.index, index)
        self.checks.append(CheckCompareExchange(key, index))

    def stood_at(self, pin: Pin, txn: ReadTxn, database_id: str) -> bool:
        """Whether all of this was so at the pin."""
        if self.is_unsure or self.etag > pin.etag or self.index > pin.index:
            return False
        ranges = [c for c in self.checks if isinstance(c, CheckPrefix | CheckCollection)]
        reads = ReadSet(pin.database_id, pin.etag, tuple(ranges))
        last_etag = documents.last_etag(txn)
        return serializable.check(txn, database_id, reads, last_etag) is None


async def read(exchange: Exchange) -> web.Response:
    """`POST /serializable/read`."""
    asked = await exchange.parsed(wire.read_asked)
    if asked.pin is not None:
        await wait_for_pin(exchange, asked.pin)
    database = await exchange.current_database()
    budget = Budget(exchange.reply_bytes_max, ADVICE)
    match asked.wanted:
        case (QueryWanted(query=query),):
            body = await read_query(exchange, asked, query, budget)
        case _ if is_short(asked):
            body = read_here(database, asked, budget)
        case _:
            body = await asyncio.to_thread(read_here, database, asked, budget)
    return reply(body)


async def wait_for_pin(exchange: Exchange, pin: Pin) -> None:
    """Return when this node holds the state that was read. Raises NotReadable."""
    raft, seconds = exchange.services.raft, exchange.services.config.read_timeout_seconds
    if not await raft.wait_for_command(pin.index, timeout_seconds=seconds):
        raise NotReadable(
            f"Command {pin.index} is not applied on node {exchange.services.node_tag} yet"
        )


def is_short(asked: ReadAsked) -> bool:
    """Whether a worker thread would take longer to come and go."""
    named = 0
    for one in asked.wanted:
        match one:
            case DocumentsWanted(ids=names, paths=(), value_paths=()) | ValuesWanted(keys=names):
                named += len(names)
            case _:
                return False
    checks = asked.checks or ()
    has_ranges = any(isinstance(one, CheckPrefix | CheckCollection) for one in checks)
    return named <= READ_HERE_MAX and len(checks) <= READ_HERE_MAX and not has_ranges


def read_here(database: Database, asked: ReadAsked, budget: Budget) -> bytes:
    """Everything but queries, from one snapshot."""
    reading = Reading()
    with database.read() as txn:
        for one in asked.wanted:
            match one:
                case DocumentsWanted():
                    _documents(txn, one, reading, budget)
                case ValuesWanted():
                    _values(txn, one, reading, budget)
                case KeysWanted():
                    _keys(txn, one, reading, budget)
                case PrefixWanted():
                    _prefix(txn, one, reading, budget)
            check_count(reading.checks, CHECKS_MAX, "things that are read")
        return pinned(txn, database, asked, reading)


def pinned(txn: ReadTxn, database: Database, asked: ReadAsked, reading: Reading) -> bytes:
    """The answer, if it is of one state with all that was read before.

    Raises ChangeRefused if that can never be any more.
    """
    database_id = database.record.database_id
    position = load_position(txn).command_index
    here, pin = Pin(database_id, position, documents.last_etag(txn)), asked.pin
    if pin is None:
        return wire.read_answer(here, reading.answers, reading.checks)
    if pin.database_id == database_id:
        if position < pin.index:
            raise NotReadable(f"Command {pin.index} is not applied here yet")
        if position == pin.index or reading.stood_at(pin, txn, database_id):
            return wire.read_answer(pin, reading.answers, reading.checks)
    if asked.checks is None:
        return wire.MOVED
    before = ReadSet(pin.database_id, pin.etag, asked.checks)
    if (refused := serializable.check(txn, database_id, before, here.etag)) is not None:
        raise ChangeRefused(refused)
    return wire.read_answer(here, reading.answers, reading.checks)


def _documents(txn: ReadTxn, one: DocumentsWanted, reading: Reading, budget: Budget) -> None:
    wanted = LoadWanted(
        ids=one.ids,
        paths=one.paths,
        keys=one.value_paths,
        metadata_only=False,
        cluster_wide=False,
    )
    loaded = load_all(txn, wanted, "", budget)
    for document_id, found in zip(one.ids, loaded.results, strict=True):
        if found is None:
            reading.is_unsure = True
            reading.checks.append(CheckDocument(document_id, ""))
    for found in (*loaded.results, *loaded.includes):
        if found is not None:
            reading.etag = max(reading.etag, found.etag)
            reading.checks.append(CheckDocument(found.document_id, found.change_vector))
    for key in loaded.values:
        reading.take_value(key, compare_exchange.get(txn, key))
    reading.answers.append(loaded.to_json())


def _values(txn: ReadTxn, one: ValuesWanted, reading: Reading, budget: Budget) -> None:
    items = []
    for key in one.keys:
        value = compare_exchange.get(txn, key)
        items.append(budget.take(replies.compare_exchange_item(key, value)))
        reading.take_value(key, value)
    reading.answers.append(replies.compare_exchange_values(items))


def _keys(txn: ReadTxn, one: KeysWanted, reading: Reading, budget: Budget) -> None:
    named = shortened(one.prefix)
    if is_long(one.prefix):
        raise OverLimit(
            f"In a serializable session a prefix of keys has {KEY_PREFIX_BYTES_MAX} bytes at most, "
            f"and '{named}' has more: ask for the values by their keys"
        )
    try:
        told = Looked(txn).keys_of(one.prefix, KEYS_MAX)
    except TooMuch:
        told = None
    if told is None or told.count > KEYS_MAX:
        raise OverLimit(
            f"Over {KEYS_MAX} keys begin with '{named}', or their values are large: too many for a "
            "serializable session, so ask with a longer prefix"
        )
    values = islice(
        compare_exchange.starting_with(txn, one.prefix), one.start, one.start + one.size
    )
    items = (budget.take(replies.compare_exchange_item(value.key, value)) for value in values)
    reading.answers.append(replies.compare_exchange_values(items))
    reading.checks.append(told)
    reading.is_unsure = True


def _prefix(txn: ReadTxn, one: PrefixWanted, reading: Reading, budget: Budget) -> None:
    page = PrefixPage(
        prefix=one.prefix,
        start_after=one.start_after,
        matching=Wildcards.parse(one.matches),
        excluding=Wildcards.parse(one.exclude),
        start=one.start,
        size=one.size,
    )
    found = (budget.take(document.to_json()) for document in page.read(txn))
    reading.answers.append(replies.documents(found))
    reading.checks.append(CheckPrefix(one.prefix))


# Queries


async def read_query(
    exchange: Exchange, asked: ReadAsked, sent: IndexQuery, budget: Budget
) -> bytes:
    """The results of a query, once its index has read all that its snapshot holds.

    Raises NotReadable if the index does not come to that in time.
    """
    clock, seconds = exchange.services.clock, exchange.services.config.read_timeout_seconds
    deadline = clock.monotonic() + seconds
    query = await read_asked(replace(sent, wait_seconds=seconds))
    check_reads_documents_only(query)
    async with exchange.queries:
        while True:
            running = await run(exchange, query)
            body = await beside_the_loop(partial(_results, exchange, asked, running, budget))
            if body is not None:
                return body
            if clock.monotonic() > deadline:
                raise NotReadable("The index of this query does not keep up with its documents")


def check_reads_documents_only(query: Asked) -> None:
    """Raise InvalidQuery for what rests on more than documents: nothing could check that."""
    if query.included_key_paths or has_scripts(query.query) or "cmpxchg" in query.text.lower():
        raise InvalidQuery(
            "A serializable session cannot ask for compare-exchange values in a query, nor have it "
            "run JavaScript: load the values by their keys, and compute in the program"
        )


def _results(
    exchange: Exchange, asked: ReadAsked, running: Running, budget: Budget
) -> bytes | None:
    """The answer; None if the index has not read all that the snapshot holds."""
    with snapshot(exchange, running) as result:
        if result.head.is_stale:
            return None
        budget = Budget(budget.left, ADVICE)  # of this attempt
        found = [budget.take(one) for chunk in result.results.chunks_here() for one in chunk]
        answer = finish(exchange, running, result, found, budget)
        reading = Reading([answer], [CheckCollection(collection_of(running))])
        return pinned(result.txn, running.database, asked, reading)


def collection_of(running: Running) -> str:
    """The collection that the results rest on; '' if that may be any document.

    An index that was defined by hand may load what it likes, and so may a query.
    """
    query = running.asked.query
    source = query.source
    is_plain = source.kind is SourceKind.COLLECTION and not (query.loads or query.includes)
    return source.name if is_plain else ""


# Writing


async def commit(exchange: Exchange) -> web.Response:
    """`POST /serializable/commit`: write, if all that was read still stands."""
    waits = read_waits(exchange.query)
    new_id = exchange.services.chance.uuid
    asked = await exchange.parsed(lambda body: wire.read_commit(body, new_id=lambda: str(new_id())))
    database = await exchange.known_database()
    command = transaction_of(
        asked,
        database.record.name,
        at_micros=exchange.services.clock.now_micros(),
        node_tag=exchange.services.node_tag,
    )
    takings = asked.batch.takings
    agreed, taken = await save_numbered(exchange, command, takings, TransactionSaved)
    body = wire.committed(agreed.outcome, database.record.database_id, taken)
    await wait(exchange, waits, agreed)
    return reply(body, status=201)


def transaction_of(
    asked: CommitAsked, database: str, *, at_micros: int, node_tag: str
) -> SerializableTransaction:
    """The command that a commit asks for, without a request id.

    A change vector that is expected is one that was read.
    """
    pin = asked.pin
    expected = (
        CheckDocument(one.document_id, one.expected_change_vector)
        for one in asked.batch.documents
        if one.expected_change_vector is not None and not one.document_id.endswith(IDENTITY_END)
    )
    return SerializableTransaction(
        database=database,
        at_micros=at_micros,
        node_tag=node_tag,
        database_id=pin.database_id if pin is not None else "",
        since_etag=pin.etag if pin is not None else 0,
        checks=tuple(dict.fromkeys((*asked.checks, *expected))),
        documents=asked.batch.documents,
        compare_exchange=asked.batch.compare_exchange,
    )


READ = f"{DATABASE}/serializable/read"
ROUTES = (
    Route("POST", READ, read),
    Route(
        "POST",
        f"{DATABASE}/serializable/commit",
        commit,
        knows(
            "waitForReplicasTimeout",
            "throwOnTimeoutInWaitForReplicas",
            "numberOfReplicasToWaitFor",
            "waitForIndexesTimeout",
            "waitForIndexThrow",
            "waitForSpecificIndex",
        ),
    ),
)
