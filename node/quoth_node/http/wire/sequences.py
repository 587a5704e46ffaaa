"""Sequences as JSON: what is asked of them, who holds their numbers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from quoth_cluster import sequences
from quoth_cluster.clock import MICROS_PER_SECOND, to_wire
from quoth_cluster.sequence_commands import NumberPlace, SequenceUse, TakeNumbers
from quoth_cluster.sequence_outcomes import Taken
from quoth_cluster.sequences import Numbers, NumberState, Sequence
from quoth_node.http.errors import BadRequest
from quoth_node.http.wire.bodies import an_object, boolean, check_count, expected, integer, text
from quoth_node.http.wire.parsing import parse

TAKING = "QuothTakeNumbers"  # the type of a command in a batch
LEASE_SECONDS = 60.0
LEASE_SECONDS_MAX = 7 * 24 * 60 * 60.0
STATE_NAMES = {
    NumberState.DOCUMENT: "Document",
    NumberState.OUTSIDE: "Outside",
    NumberState.RESERVED: "Reserved",
    NumberState.VOID: "Void",
}

# In


@dataclass(frozen=True, slots=True)
class Wanted:
    """Numbers that are asked for outside of a batch."""

    use: SequenceUse
    count: int
    holder: str
    lease_micros: int


@dataclass(frozen=True, slots=True)
class Ending:
    """What becomes of a reservation: its holder, or why it is released."""

    name: str
    token: int
    holder: str = ""
    is_document: bool = False
    path: str | None = None
    reason: str = ""


def read_taking(fields: dict[str, Any], where: str, position: Mapping[int, int]) -> TakeNumbers:
    """A command that takes numbers; `position` is that of a command among those of documents."""
    places = fields.get("Places")
    if not isinstance(places, list) or not places:
        raise expected(f"{where}.Places", "an array with something in it", places)
    check_count(places, 2 * sequences.COUNT_MAX, "places")
    return TakeNumbers.of(
        read_use(fields, where, "Sequence"),
        read_count(fields, where),
        [
            read_place(place, f"{where}.Places[{number}]", position)
            for number, place in enumerate(places)
        ],
    )


def read_place(value: object, where: str, position: Mapping[int, int]) -> NumberPlace:
    """`{"Command":0,"Path":"/Number"}`, with `Index` or `All` of a range; or `"InId":true`."""
    fields = an_object(value, where)
    command = integer(fields, "Command", where)
    if command not in position:
        raise BadRequest(f"{where}.Command: command {command} of this batch writes no document")
    path = text(fields, "Path", where, required=not boolean(fields, "InId", where))
    if path is not None and boolean(fields, "InId", where):
        raise BadRequest(f"{where}: a place is in the id, or at a path, not both")
    if not boolean(fields, "All", where):
        index = integer(fields, "Index", where) if fields.get("Index") is not None else 0
        return NumberPlace(position[command], path, index)
    if fields.get("Index") is not None:
        raise BadRequest(f"{where}: a place has one number, or all of them, not both")
    return NumberPlace(position[command], path, None)


def read_use(fields: dict[str, Any], where: str, name_field: str) -> SequenceUse:
    """Name and parameters; one that is absent claims nothing, a null reset value claims none."""
    name = text(fields, name_field, where, required=True) or ""
    check_name(name, f"{where}.{name_field}")
    initial = fields.get("InitialValue")
    reset = fields.get("ResetValue")
    return SequenceUse(
        name,
        None if initial is None else integer(fields, "InitialValue", where),
        None if reset is None else integer(fields, "ResetValue", where),
        never_resets="ResetValue" in fields and reset is None,
    )


def check_name(name: str, where: str) -> None:
    """Raise BadRequest unless a sequence can be called so."""
    if (refused := sequences.check_name(name)) is not None:
        raise BadRequest(f"{where}: {refused.message}")


def read_count(fields: dict[str, Any], where: str) -> int:
    count = integer(fields, "Count", where) if fields.get("Count") is not None else 1
    if not 1 <= count <= sequences.COUNT_MAX:
        raise BadRequest(f"{where}.Count: 1 to {sequences.COUNT_MAX} numbers are taken at a time")
    return count


def read_wanted(body: bytes | bytearray) -> Wanted:
    """The body of `take` and `reserve`."""
    where = "The body"
    fields = an_object(parse(body), where)
    return Wanted(
        use=read_use(fields, where, "Name"),
        count=read_count(fields, where),
        holder=text(fields, "Holder", where) or "",
        lease_micros=int(read_lease(fields, where) * MICROS_PER_SECOND),
    )


def read_lease(fields: dict[str, Any], where: str) -> float:
    seconds = fields.get("LeaseSeconds", LEASE_SECONDS)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise expected(f"{where}.LeaseSeconds", "a number of seconds", seconds)
    if not 0.001 <= seconds <= LEASE_SECONDS_MAX:
        raise BadRequest(f"{where}.LeaseSeconds: from 0.001 to {LEASE_SECONDS_MAX:g}")
    return float(seconds)


def read_confirmation(body: bytes | bytearray) -> Ending:
    """The body of `confirm`: `Holder`, any text; or `Document`, its id, and perhaps `Path`."""
    where = "The body"
    fields = an_object(parse(body), where)
    document = text(fields, "Document", where)
    holder, path = text(fields, "Holder", where), text(fields, "Path", where)
    if (document is None) == (holder is None):
        raise BadRequest(f"{where}: who has the numbers is named by Document, or else by Holder")
    if path is not None and document is None:
        raise BadRequest(f"{where}.Path: only a document has a path")
    return Ending(
        name=read_use(fields, where, "Name").name,
        token=integer(fields, "Token", where),
        holder=document or holder or "",
        is_document=document is not None,
        path=path,
    )


def read_release(body: bytes | bytearray) -> Ending:
    """The body of `release`."""
    where = "The body"
    fields = an_object(parse(body), where)
    return Ending(
        name=read_use(fields, where, "Name").name,
        token=integer(fields, "Token", where),
        reason=text(fields, "Reason", where, required=True) or "",
    )


# Out


def taking_result(taken: Taken) -> dict[str, Any]:
    """The element of `Results` that answers a command of a batch."""
    return {"Type": TAKING, "Sequence": taken.name, "Numbers": taken.values}


def numbers_taken(taken: Taken, command_index: int, **more: object) -> bytes:
    """The answer to everything that takes or ends numbers outside of a batch."""
    told = {
        "Name": taken.name,
        "Numbers": taken.values,
        "InitialValue": taken.initial_value,
        "ResetValue": taken.reset_value,
    }
    return orjson.dumps({**told, **more, "TransactionIndex": command_index})


def sequence(found: Sequence) -> dict[str, Any]:
    return {
        "Name": found.name,
        "LastValue": found.last_value,
        "InitialValue": found.initial_value,
        "ResetValue": found.reset_value,
        "Taken": found.taken,
        "Reserved": found.reserved,
        "Void": found.void,
    }


def one(found: Sequence) -> bytes:
    """The answer that tells one sequence."""
    return orjson.dumps(sequence(found))


def listing(found: list[Sequence], next_after: str | None) -> bytes:
    """A page of all sequences."""
    return orjson.dumps({"Results": [sequence(each) for each in found], "NextAfter": next_after})


def holders(found: Sequence, rows: Iterable[Numbers | None], next_start: int | None) -> bytes:
    """Who holds numbers of a sequence."""
    results = [None if row is None else numbers(found, row) for row in rows]
    return orjson.dumps({**sequence(found), "Results": results, "NextStart": next_start})


def numbers(found: Sequence, row: Numbers) -> dict[str, Any]:
    told: dict[str, Any] = {
        "Ordinal": row.ordinal,
        "Number": found.value_at(row.ordinal),
        "Count": row.count,
        "State": STATE_NAMES[row.state],
        "At": to_wire(row.at_micros),
        "Reason" if row.state is NumberState.VOID else "Holder": row.holder,
    }
    if row.state is NumberState.DOCUMENT:
        told |= {"Path": row.path, "All": row.is_array}
    if row.token is not None:
        told["Token"] = row.token
    if row.until_micros is not None:
        told["Until"] = to_wire(row.until_micros)
    return told


def deleted(name: str, *, found: bool) -> bytes:
    return orjson.dumps({"Name": name, "Found": found})
