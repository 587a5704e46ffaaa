"""Sequences outside of a batch: numbers taken at once or for a while, and who holds which."""

import asyncio
from itertools import islice

from aiohttp import web

from quoth_cluster import sequences
from quoth_cluster.clock import to_wire
from quoth_cluster.outcomes import Refusal, Refused
from quoth_cluster.sequence_commands import (
    ConfirmNumbers,
    DeleteSequence,
    IssueNumbers,
    ReleaseNumbers,
    ReserveNumbers,
)
from quoth_cluster.sequence_outcomes import (
    NumbersConfirmed,
    NumbersIssued,
    NumbersReleased,
    NumbersReserved,
    SequenceDeleted,
)
from quoth_cluster.sequences import Sequence
from quoth_cluster.store.environment import ReadTxn
from quoth_node.http.errors import ChangeRefused
from quoth_node.http.exchange import Exchange
from quoth_node.http.query import INT64_MAX, INTEGER
from quoth_node.http.reply import reply
from quoth_node.http.route import DATABASE, Route, knows
from quoth_node.http.wire import bodies
from quoth_node.http.wire import sequences as wire

PAGE_SIZE, PAGE_SIZE_MAX = 1_024, 10_000
VALUES_MAX = 1_024


async def take(exchange: Exchange) -> web.Response:
    """`POST /quoth/sequences/take`: numbers for somebody outside, at once and for good."""
    wanted = await exchange.parsed(wire.read_wanted)
    database = await exchange.known_database()
    command = IssueNumbers(
        database=database.record.name,
        use=wanted.use,
        count=wanted.count,
        at_micros=exchange.services.clock.now_micros(),
        holder=wanted.holder,
        request_id=exchange.request_id,
    )
    agreed = await exchange.propose(command, NumbersIssued)
    return reply(wire.numbers_taken(agreed.outcome.taken, agreed.command_index))


async def reserve(exchange: Exchange) -> web.Response:
    """`POST /quoth/sequences/reserve`: numbers for a while, to be confirmed or released."""
    wanted = await exchange.parsed(wire.read_wanted)
    database = await exchange.known_database()
    at_micros = exchange.services.clock.now_micros()
    command = ReserveNumbers(
        database=database.record.name,
        use=wanted.use,
        count=wanted.count,
        at_micros=at_micros,
        until_micros=at_micros + wanted.lease_micros,
        holder=wanted.holder,
        request_id=exchange.request_id,
    )
    agreed = await exchange.propose(command, NumbersReserved)
    outcome = agreed.outcome
    body = wire.numbers_taken(
        outcome.taken,
        agreed.command_index,
        Token=outcome.token,
        Until=to_wire(outcome.until_micros),
    )
    return reply(body)


async def confirm(exchange: Exchange) -> web.Response:
    """`POST /quoth/sequences/confirm`: say who has the numbers of a reservation."""
    ending = await exchange.parsed(wire.read_confirmation)
    database = await exchange.known_database()
    command = ConfirmNumbers(
        database=database.record.name,
        name=ending.name,
        token=ending.token,
        at_micros=exchange.services.clock.now_micros(),
        holder=ending.holder,
        is_document=ending.is_document,
        path=ending.path,
        request_id=exchange.request_id,
    )
    agreed = await exchange.propose(command, NumbersConfirmed)
    outcome = agreed.outcome
    return reply(wire.numbers_taken(outcome.taken, agreed.command_index, WasVoid=outcome.was_void))


async def release(exchange: Exchange) -> web.Response:
    """`POST /quoth/sequences/release`: say that nobody has the numbers of a reservation."""
    ending = await exchange.parsed(wire.read_release)
    database = await exchange.known_database()
    command = ReleaseNumbers(
        database=database.record.name,
        name=ending.name,
        token=ending.token,
        at_micros=exchange.services.clock.now_micros(),
        reason=ending.reason,
        request_id=exchange.request_id,
    )
    agreed = await exchange.propose(command, NumbersReleased)
    outcome = agreed.outcome
    return reply(
        wire.numbers_taken(outcome.taken, agreed.command_index, GivenBack=outcome.given_back)
    )


async def get_sequences(exchange: Exchange) -> web.Response:
    """`GET /quoth/sequences`: one by its name, or a page of all."""
    query = exchange.query
    name, after = query.one("name"), query.one("startAfter") or ""
    size = query.integer("pageSize", PAGE_SIZE, low=1, high=PAGE_SIZE_MAX)
    if name is not None:
        wire.check_name(name, "name")
    database = await exchange.current_database()

    def read() -> bytes:
        with database.read() as txn:
            if name is not None:
                return wire.one(known(txn, name))
            page = list(islice(sequences.every(txn, start_after=after), size + 1))
        more = len(page) > size
        return wire.listing(page[:size], page[size - 1].name if more else None)

    return reply(await asyncio.to_thread(read))


async def get_holders(exchange: Exchange) -> web.Response:
    """`GET /quoth/sequences/holders`: a page of who holds which number, or those of some numbers.

    Rows are in the order in which numbers were taken; `start` is the ordinal to begin with.
    """
    query = exchange.query
    name = query.required("name")
    wire.check_name(name, "name")
    start = query.integer("start", 1, low=1, high=INT64_MAX)
    size = query.integer("pageSize", PAGE_SIZE, low=1, high=PAGE_SIZE_MAX)
    values = [read_value(text) for text in query.every("value")]
    bodies.check_count(values, VALUES_MAX, "values")
    database = await exchange.current_database()

    def read() -> bytes:
        with database.read() as txn:
            found = known(txn, name)
            if values:
                ordinals = map(found.ordinal_of, values)
                rows = [
                    None if one is None else sequences.numbers_at(txn, found, one)
                    for one in ordinals
                ]
                return wire.holders(found, rows, None)
            page = []
            if start <= found.taken:
                page = list(islice(sequences.numbers(txn, found, ordinal=start), size))
        end = page[-1].end if page else found.taken + 1
        return wire.holders(found, page, end if end <= found.taken else None)

    return reply(await asyncio.to_thread(read))


async def delete(exchange: Exchange) -> web.Response:
    """`DELETE /quoth/sequences`: forget a sequence and who holds its numbers."""
    name = exchange.query.required("name")
    wire.check_name(name, "name")
    database = await exchange.known_database()
    command = DeleteSequence(database.record.name, name, exchange.request_id)
    agreed = await exchange.propose(command, SequenceDeleted)
    return reply(wire.deleted(agreed.outcome.name, found=agreed.outcome.found))


def known(txn: ReadTxn, name: str) -> Sequence:
    """The sequence of that name. Raises ChangeRefused."""
    found = sequences.get(txn, name)
    if found is None:
        raise ChangeRefused(Refused(Refusal.NO_SEQUENCE, f"There is no sequence '{name}'."))
    return found


def read_value(text: str) -> int:
    if INTEGER.fullmatch(text) is None:
        raise bodies.expected("value", "a whole number", text)
    return int(text)


SEQUENCES = f"{DATABASE}/quoth/sequences"
ROUTES = (
    Route("POST", f"{SEQUENCES}/take", take),
    Route("POST", f"{SEQUENCES}/reserve", reserve),
    Route("POST", f"{SEQUENCES}/confirm", confirm),
    Route("POST", f"{SEQUENCES}/release", release),
    Route("GET", SEQUENCES, get_sequences, knows("name", "startAfter", "pageSize")),
    Route("GET", f"{SEQUENCES}/holders", get_holders, knows("name", "start", "pageSize", "value")),
    Route("DELETE", SEQUENCES, delete, knows("name")),
)
