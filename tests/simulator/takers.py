"""Virtual clients that take numbers of sequences, and send what they ask 1 to 5 times.

A request has an id and is sent to any node, again when its fate is unknown, and again although it
is known. Some of them are refused in the middle of their batch, some reserve numbers and release
them. At the end every number has one holder, and every request one answer.
"""

import asyncio
import random
from collections.abc import Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from quoth_cluster import documents, sequences
from quoth_cluster.commands import PutDocument, SaveBatch, SaveNumbered, encode
from quoth_cluster.errors import FateUnknown, NotProposed
from quoth_cluster.outcomes import NumberedSaved, Outcome, Refused
from quoth_cluster.sequence_commands import (
    ConfirmNumbers,
    NumberPlace,
    ReleaseNumbers,
    ReserveNumbers,
    SequenceCommand,
    SequenceUse,
    TakeNumbers,
    TendSequences,
)
from quoth_cluster.sequence_outcomes import NumbersReleased, NumbersReserved, Taken
from quoth_cluster.sequences import NumberState
from tests.simulator.history import NEVER, Operation
from tests.simulator.member import Life
from tests.simulator.registers import TAKE, pack
from tests.simulator.rows import MapTxn, Rows

if TYPE_CHECKING:
    from tests.simulator.world import World

FIRST_UID = 1_000_000_000  # none of another client's
AT = 1_700_000_000_000_000
HOUR = 3_600_000_000
REQUESTS_MAX = 60  # of all takers: the state is to stay small
NAMES = ("s", "t")


@dataclass(eq=False, slots=True)
class Request:
    """What is asked once, however often it is sent."""

    request_id: str
    name: str
    command: bytes
    document_id: str  # '' if it is no batch
    is_refusable: bool  # it must be refused
    sends: int  # how often it is sent
    called_at: float
    sent: int = 0
    returned_at: float = NEVER  # when its first answer came
    answer: Outcome | None = None


@dataclass(eq=False, slots=True)
class Taker:
    """One who sends one request after the other."""

    number: int
    request: Request | None = None
    life: Life | None = None
    uid: int = 0  # of what is under way
    reserved: list[NumbersReserved] = field(default_factory=list)


class Takers:
    """All takers of a world."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.dice = random.Random(f"{world.seed}/{world.size}/takers")
        self._uid = FIRST_UID
        self._requests: list[Request] = []
        self._takers = [Taker(number) for number in range(self.dice.choice([1, 2, 4, 8]))]

    def start(self) -> None:
        for taker in self._takers:
            self._later(taker)

    def on_death(self, life: Life) -> None:
        """What was asked of a node that is gone is open."""
        for taker in self._takers:
            if taker.life is life:
                self._world.time.after(0.001, self._return, taker, taker.uid, None)

    # -- one taker

    def _later(self, taker: Taker) -> None:
        world = self._world
        if not world.is_calm:
            seconds = self.dice.uniform(0.0, 2 * world.profile.think_seconds)
            world.time.after(seconds, self._next, taker)

    def _next(self, taker: Taker) -> None:
        world = self._world
        if world.is_calm or taker.uid:
            return
        lives = [node.life for node in world.up() if node.life is not None]
        if not lives:
            world.time.after(0.03, self._next, taker)
            return
        request = taker.request
        if request is None or request.sent >= request.sends:
            if len(self._requests) >= REQUESTS_MAX:
                return
            request = taker.request = self._new_request(taker)
            self._requests.append(request)
        request.sent += 1
        self._uid += 1
        taker.uid, taker.life = self._uid, self.dice.choice(lives)
        patience = self.dice.choice([0.05, 0.3, 1.0])
        command = pack(taker.uid, TAKE, request.name, request.command)
        work = partial(self._send, taker, taker.life, taker.uid, command, patience)
        world.trace("take", request.request_id, request.sent, taker.life.links.tag)
        start = partial(self._start, taker.life, work)
        world.time.after(self.dice.uniform(0.0, 0.002), start, loop=taker.life.loop)
        world.time.after(patience + 0.5, self._return, taker, taker.uid, None)

    def _new_request(self, taker: Taker) -> Request:
        number, dice = len(self._requests), self.dice
        request_id, name = f"r{number}", dice.choice(NAMES)
        document_id, is_refusable = "", False
        command: SaveNumbered | SequenceCommand
        what = dice.random()
        if what < 0.15:
            use = SequenceUse(name)
            until = AT + HOUR
            command = ReserveNumbers("db", use, dice.choice([1, 2]), AT, until, "", request_id)
        elif what < 0.3 and taker.reserved:
            held = taker.reserved.pop()
            name = held.taken.name
            if dice.random() < 0.5:
                command = ConfirmNumbers("db", name, held.token, AT, "row", request_id=request_id)
            else:
                command = ReleaseNumbers("db", name, held.token, AT, "not used", request_id)
        elif what < 0.33:
            command = TendSequences("db", AT + HOUR, request_id)  # late, for some
        else:
            document_id = f"d/{number}"
            is_refusable = dice.random() < 0.25
            command = numbered(request_id, name, document_id, is_refusable, dice.random() < 0.5)
        sends = dice.choice([1, 1, 2, 3, 5])
        now = self._world.time.now
        packed = encode(command)
        return Request(request_id, name, packed, document_id, is_refusable, sends, now)

    def _start(self, life: Life, work: "partial[Coroutine[Any, Any, None]]") -> None:
        life.loop.create_task(work()).add_done_callback(self._seen_done)

    def _seen_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._world.watch.fail(f"a taker was told {type(error).__name__}: {error}")

    async def _send(
        self, taker: Taker, life: Life, uid: int, command: bytes, patience: float
    ) -> None:
        watch = self._world.watch
        try:
            applied = await life.group.propose(command, timeout_seconds=patience)
        except NotProposed as error:
            watch.on_not_proposed(uid, f"was told not proposed: {error}")
            self._return(taker, uid, None)
            return
        except FateUnknown:
            self._return(taker, uid, None)
            return
        watch.on_applied(Operation(uid, taker.number, "", TAKE, (), 0.0), applied.log_index)
        self._return(taker, uid, applied.outcome)

    def _return(self, taker: Taker, uid: int, answer: object) -> None:
        request = taker.request
        if taker.uid != uid or request is None:
            return  # it had given up
        taker.uid, taker.life = 0, None
        self._world.trace("taken", request.request_id, answer)
        if answer is not None:
            if request.answer is None:
                request.answer = answer  # type: ignore[assignment]
                request.returned_at = self._world.time.now
                if isinstance(answer, NumbersReserved):
                    taker.reserved.append(answer)
            elif request.answer != answer:
                was = request.answer
                self._world.watch.fail(f"{request.request_id} was answered {was}, then {answer}")
        self._later(taker)

    # -- the verdict

    def check(self, everywhere: list[Rows]) -> None:
        """At the end: what is stored, and what was answered, tell the same story."""
        for rows in everywhere:
            complaint = stored_complaint(rows) or answers_complaint(self._requests, rows)
            if complaint is not None:
                self._world.watch.fail(f"sequences: {complaint}")


def numbered(
    request_id: str, name: str, document_id: str, is_refusable: bool, is_named: bool
) -> SaveNumbered:
    """A document with a number, in its body, or in its body and its id; perhaps in vain."""
    identifier = f"{document_id}/{{number}}" if is_named else document_id
    puts = [PutDocument(identifier, b'{"n":null}', b"{}", "@empty")]
    if is_refusable:
        puts.append(PutDocument(f"{document_id}/none", b"{}", b"{}", "@empty", "A:1-x"))
    places = [NumberPlace(0, "/n")] + [NumberPlace(0)] * is_named
    batch = SaveBatch("db", AT, "A", tuple(puts))
    return SaveNumbered(batch, (TakeNumbers.of(SequenceUse(name), 1, tuple(places)),), request_id)


def stored_complaint(rows: Rows) -> str | None:
    """What is wrong with the rows: a number without a holder, or with another than is said."""
    txn = MapTxn(rows, None)
    for sequence in sequences.every(txn):
        at = 1
        for row in sequences.numbers(txn, sequence):
            if row.ordinal != at:
                return f"{sequence.name} {at} has no holder, or several"
            at = row.end
            if row.state is not NumberState.DOCUMENT:
                continue
            stored = documents.load(txn, row.holder)
            number = sequence.value_at(row.ordinal)
            if stored is None or orjson.loads(stored.body).get("n") != number:
                return f"{sequence.name} {number} is not in {row.holder}"
        if at != sequence.taken + 1:
            return f"{sequence.name} {at} to {sequence.taken} have no holder"
    for document in documents.starting_with(txn, ""):
        parts = document.document_id.split("/")
        if len(parts) == 3 and parts[2] != str(orjson.loads(document.body).get("n")):
            return f"{document.document_id} holds {document.body!r}"
    return None


def answers_complaint(requests: list[Request], rows: Rows) -> str | None:
    """What is wrong with the answers: with the stored holders, or with the order of time."""
    txn = MapTxn(rows, None)
    holders: dict[str, int] = {}
    for sequence in sequences.every(txn):
        for row in sequences.numbers(txn, sequence):
            if row.state is NumberState.DOCUMENT:
                request = "/".join(row.holder.split("/")[:2])
                holders[request] = holders.get(request, 0) + 1
    for one in requests:
        held = holders.get(one.document_id, 0)
        if held > 1 or (held and one.is_refusable):
            return f"{one.request_id} holds {held} numbers"
        if one.is_refusable and not isinstance(one.answer, Refused | None):
            return f"{one.request_id} was answered {one.answer}"
        if isinstance(one.answer, NumberedSaved) and held != 1:
            return f"{one.request_id} was answered {one.answer}, and holds nothing"
        if isinstance(one.answer, Refused) and not one.is_refusable:
            return f"{one.request_id} was refused: {one.answer.message}"
    return order_complaint(requests)


def order_complaint(requests: list[Request]) -> str | None:
    """A number that was told before another was asked for is the lower one; and none is told twice.

    What was reserved and given back is taken again, later.
    """
    told: dict[str, list[tuple[Request, Taken]]] = {}
    for one in requests:
        if isinstance(one.answer, NumberedSaved):
            told.setdefault(one.name, []).append((one, one.answer.taken[0]))
    for name, known in told.items():
        ordinals = [taken.ordinal for _, taken in known]
        if len(set(ordinals)) < len(ordinals):
            return f"a number of {name} was told twice: {sorted(ordinals)}"
        given_back = [
            one.answer.taken
            for one in requests
            if one.name == name
            and isinstance(one.answer, NumbersReleased)
            and one.answer.given_back
        ]
        lowest = min((taken.ordinal for taken in given_back), default=None)
        for first, earlier in known:
            for second, later in known:
                is_before = first.returned_at < second.called_at
                may_be_again = lowest is not None and later.ordinal >= lowest
                if is_before and later.ordinal < earlier.ordinal and not may_be_again:
                    return f"{second.request_id} got {later}, after {first.request_id} {earlier}"
    return None
