"""Sequences outside sessions: numbers taken at once or for a while, and who holds which."""

from collections.abc import Collection
from dataclasses import dataclass

from quoth.commands import Reply, WireRequest
from quoth.errors import BadRequest, Misuse
from quoth.operations.checks import NUMBER_MAX, check_number
from quoth.operations.kinds import DatabaseRead, DatabaseWrite
from quoth.sequences import (
    LEASE_SECONDS,
    NUMBER_MIN,
    HeldNumbers,
    ReservedNumbers,
    SequenceInfo,
    SequenceUse,
    TakenNumbers,
    check_count,
    check_holder,
    check_lease,
    check_sequence_name,
    held_of,
    info_of,
    moment,
    values_of,
)
from quoth.serialization import JsonObject, encode

ROUTE = "/quoth/sequences"
PAGE_SIZE, PAGE_SIZE_MAX = 1_024, 10_000
VALUES_MAX = 1_024
NO_SEQUENCE = "SequenceDoesNotExistException"


@dataclass(frozen=True, slots=True)
class TakeNumbersOperation(DatabaseWrite):
    """Take numbers at once and for good, for somebody outside: `holder` says whom."""

    use: SequenceUse
    count: int = 1
    holder: str = ""

    def __post_init__(self) -> None:
        check_count(self.count)
        check_holder(self.holder, "the holder of numbers")

    def to_request(self) -> WireRequest:
        wire = {**self.use.to_wire(), "Count": self.count, "Holder": self.holder}
        return WireRequest("POST", f"{ROUTE}/take", body=encode(wire))

    def read(self, reply: Reply) -> TakenNumbers:
        return _taken(reply)


@dataclass(frozen=True, slots=True)
class ReserveNumbersOperation(DatabaseWrite):
    """Take numbers for `lease_seconds`, to be confirmed or released by their token."""

    use: SequenceUse
    count: int = 1
    holder: str = ""
    lease_seconds: float = LEASE_SECONDS

    def __post_init__(self) -> None:
        check_count(self.count)
        check_holder(self.holder, "the holder of numbers")
        check_lease(self.lease_seconds)

    def to_request(self) -> WireRequest:
        wire = {**self.use.to_wire(), "Count": self.count, "Holder": self.holder}
        body = encode({**wire, "LeaseSeconds": self.lease_seconds})
        return WireRequest("POST", f"{ROUTE}/reserve", body=body)

    def read(self, reply: Reply) -> ReservedNumbers:
        found = reply.json()
        values = values_of(found["Numbers"])
        return ReservedNumbers(found["Name"], values, int(found["Token"]), moment(found["Until"]))


@dataclass(frozen=True, slots=True)
class ConfirmNumbersOperation(DatabaseWrite):
    """Say who has reserved numbers: a document, with the path where they stand, or a holder."""

    name: str
    token: int
    holder: str | None = None
    document_id: str | None = None
    path: str | None = None

    def __post_init__(self) -> None:
        check_sequence_name(self.name)
        check_number(self.token, "the token of a reservation")
        check_confirmation(self.holder, self.document_id, self.path)

    def to_request(self) -> WireRequest:
        wire: JsonObject = {"Name": self.name, "Token": self.token}
        if self.document_id is None:
            wire["Holder"] = self.holder or ""
        else:
            wire["Document"] = self.document_id
            wire["Path"] = self.path
        return WireRequest("POST", f"{ROUTE}/confirm", body=encode(wire))

    def read(self, reply: Reply) -> TakenNumbers:
        return _taken(reply)


def check_confirmation(holder: object, document_id: object, path: object) -> None:
    """Raise Misuse unless one has the numbers."""
    if holder is not None and document_id is not None:
        raise Misuse("numbers are held by a document or by somebody outside, not by both")
    if path is not None and document_id is None:
        raise Misuse("a path is one in a document: name the document, too")
    if path is not None and (not isinstance(path, str) or not path.startswith("/")):
        raise Misuse(f"a path is a JSON pointer, as in '/Number', not {path!r:.80}")
    if document_id is not None and (not isinstance(document_id, str) or not document_id):
        raise Misuse(f"a document id is a string with something in it, not {document_id!r:.80}")
    check_holder("" if holder is None else holder, "the holder of numbers")


@dataclass(frozen=True, slots=True)
class ReleaseNumbersOperation(DatabaseWrite):
    """Say that nobody has reserved numbers: they are taken next, or are void if others were."""

    name: str
    token: int
    reason: str

    def __post_init__(self) -> None:
        check_sequence_name(self.name)
        check_number(self.token, "the token of a reservation")
        check_holder(self.reason, "the reason of a release")
        if not self.reason:
            raise Misuse("a release has a reason, for the journal: say why nobody has the numbers")

    def to_request(self) -> WireRequest:
        wire = {"Name": self.name, "Token": self.token, "Reason": self.reason}
        return WireRequest("POST", f"{ROUTE}/release", body=encode(wire))

    def read(self, reply: Reply) -> TakenNumbers:
        return _taken(reply)


@dataclass(frozen=True, slots=True)
class GetSequenceOperation(DatabaseRead):
    """One sequence, None if there is none of that name."""

    name: str

    def __post_init__(self) -> None:
        check_sequence_name(self.name)

    def to_request(self) -> WireRequest:
        return WireRequest("GET", ROUTE, (("name", self.name),))

    def read(self, reply: Reply) -> SequenceInfo | None:
        return None if reply.is_missing else info_of(reply.json())


@dataclass(frozen=True, slots=True)
class SequencePage:
    """Some sequences in the order of their names; `next_after` is None behind the last."""

    sequences: tuple[SequenceInfo, ...]
    next_after: str | None


@dataclass(frozen=True, slots=True)
class GetSequencesOperation(DatabaseRead):
    """A page of all sequences."""

    start_after: str = ""
    page_size: int = PAGE_SIZE

    def __post_init__(self) -> None:
        check_number(self.page_size, "a page size", low=1, high=PAGE_SIZE_MAX)

    def to_request(self) -> WireRequest:
        query = [("pageSize", str(self.page_size))]
        if self.start_after:
            query.append(("startAfter", self.start_after))
        return WireRequest("GET", ROUTE, tuple(query))

    def read(self, reply: Reply) -> SequencePage:
        found = reply.json()
        return SequencePage(tuple(map(info_of, found["Results"])), found["NextAfter"])


@dataclass(frozen=True, slots=True)
class HoldersPage:
    """Some rows of the journal; None where a value that was asked for was never taken."""

    rows: tuple[HeldNumbers | None, ...]
    next_start: int | None


@dataclass(frozen=True, slots=True)
class GetHoldersOperation(DatabaseRead):
    """Who holds the numbers of a sequence: a page from an ordinal on, or those of some values."""

    name: str
    start: int = 1
    page_size: int = PAGE_SIZE
    values: Collection[int] = ()

    def __post_init__(self) -> None:
        check_sequence_name(self.name)
        check_number(self.start, "the first ordinal", low=1)
        check_number(self.page_size, "a page size", low=1, high=PAGE_SIZE_MAX)
        if len(self.values) > VALUES_MAX:
            raise Misuse(f"at most {VALUES_MAX} numbers are looked up at a time")
        for each in self.values:
            check_number(each, "a number", low=NUMBER_MIN, high=NUMBER_MAX)

    def to_request(self) -> WireRequest:
        query = [("name", self.name), *(("value", str(each)) for each in self.values)]
        if not self.values:
            query += [("start", str(self.start)), ("pageSize", str(self.page_size))]
        return WireRequest("GET", f"{ROUTE}/holders", tuple(query))

    def read(self, reply: Reply) -> HoldersPage:
        if reply.is_missing:
            raise BadRequest(f"There is no sequence {self.name!r}", status=404, kind=NO_SEQUENCE)
        found = reply.json()
        rows = tuple(None if each is None else held_of(each) for each in found["Results"])
        return HoldersPage(rows, found["NextStart"])


@dataclass(frozen=True, slots=True)
class DeleteSequenceOperation(DatabaseWrite):
    """Forget a sequence and who holds its numbers. The result is whether there was one."""

    name: str

    def __post_init__(self) -> None:
        check_sequence_name(self.name)

    def to_request(self) -> WireRequest:
        return WireRequest("DELETE", ROUTE, (("name", self.name),))

    def read(self, reply: Reply) -> bool:
        return bool(reply.json()["Found"])


def _taken(reply: Reply) -> TakenNumbers:
    found = reply.json()
    return TakenNumbers(
        found["Name"],
        values_of(found["Numbers"]),
        was_void=bool(found.get("WasVoid")),
        given_back=bool(found.get("GivenBack")),
    )
