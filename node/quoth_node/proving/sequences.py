"""The proof that a sequence has no gap and no duplicate, page by page.

    1. Who holds what: the rows follow each other from the first number to the last; each is void
       with a reason, held outside, or held by a document in which it stands.
    2. What stands in documents: none of the same collections holds a number at the same path that
       is not its own, by this sequence or by another.

Numbers that are taken meanwhile are left for the next time. So is a reserved number that stands in
a document: it is confirmed after that was saved. What is in memory is one page.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from quoth_cluster.documents import fold_id
from quoth_cluster.number_places import NoPlace, find, is_whole, parts_of
from quoth_cluster.sequence_outcomes import value_at
from quoth_node.proving.asking import Asking, Json

ROWS_AT_ONCE = 1_024
DOCUMENTS_AT_ONCE = 256
VALUES_AT_ONCE = 64  # they stand in the address of a request, beside a name
PLACES_MAX = 1_000  # collections and paths that are looked at for duplicates


@dataclass(frozen=True, slots=True)
class Held:
    """One number, and who has it."""

    number: int
    state: str  # 'Document', 'Outside', 'Reserved', 'Void'
    holder: str  # or why it is void
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why the sequence is not proven."""

    what: str


@dataclass(frozen=True, slots=True)
class Looked:
    """How far the proof has come."""

    what: str  # 'numbers' or 'documents'
    done: int
    of: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A number that stands in a document."""

    value: int
    document_id: str
    path: str


Told = Held | Wrong | Looked


@dataclass(slots=True)
class Proof:
    """One sequence under proof. Told once."""

    asking: Asking
    name: str
    counts: dict[str, int] = field(default_factory=dict)  # numbers by state
    wrong: int = 0
    first: int | None = None
    last: int | None = None
    notes: list[str] = field(default_factory=list)
    _sequence: Json = field(default_factory=dict)
    _places: set[tuple[str, str]] = field(default_factory=set)  # collection, path

    @property
    def total(self) -> int:
        """How many numbers were looked at."""
        return sum(self.counts.values())

    async def tell(self) -> AsyncIterator[Told]:
        """Everything that is found out, in order. Raises NotDone."""
        self._sequence = await self.asking.sequence(self.name)
        parts = [self._holders()]
        if self._loops():
            self.notes.append(
                "the sequence has begun anew: that no other document holds one of its numbers is "
                "not looked at"
            )
        else:
            parts.append(self._others())
        for part in parts:
            async for told in part:
                self.wrong += isinstance(told, Wrong)
                yield told

    def _loops(self) -> bool:
        initial, reset = self._sequence["InitialValue"], self._sequence["ResetValue"]
        return reset is not None and self._sequence["Taken"] > reset - initial

    def _value(self, ordinal: int) -> int:
        return value_at(ordinal, self._sequence["InitialValue"], self._sequence["ResetValue"])

    # 1. Who holds what

    async def _holders(self) -> AsyncIterator[Told]:
        limit, at = self._sequence["Taken"], 1
        while at <= limit:
            page = await self.asking.holders(self.name, start=at, size=ROWS_AT_ONCE)
            limit = min(limit, page["Taken"])  # what was reserved last may have been given back
            rows = [row for row in page["Results"] if row["Ordinal"] <= limit]
            for row in rows:
                if row["Ordinal"] != at:
                    yield self._not_following(row, at)
                at = max(at, row["Ordinal"] + row["Count"])
            for start in range(0, len(rows), DOCUMENTS_AT_ONCE):
                async for told in self._look_at(rows[start : start + DOCUMENTS_AT_ONCE]):
                    yield told
            if not rows or page["NextStart"] is None:
                break
            yield Looked("numbers", at - 1, limit)
        if at <= limit:
            yield Wrong(f"nobody holds {self._span(at, limit)}")
        if limit:
            self.first, self.last = self._value(1), self._value(limit)

    def _not_following(self, row: Json, at: int) -> Wrong:
        if row["Ordinal"] > at:
            return Wrong(f"nobody holds {self._span(at, row['Ordinal'] - 1)}")
        twice = self._span(row["Ordinal"], min(at, row["Ordinal"] + row["Count"]) - 1)
        return Wrong(f"{twice} has two holders, one is {row.get('Holder') or row.get('Reason')}")

    def _span(self, first: int, last: int) -> str:
        if first == last:
            return f"number {self._value(first)}"
        return f"numbers {self._value(first)} to {self._value(last)}"

    async def _look_at(self, rows: list[Json]) -> AsyncIterator[Told]:
        ids = list(dict.fromkeys(row["Holder"] for row in rows if row["State"] == "Document"))
        documents = dict(zip(ids, await self.asking.documents(ids), strict=True)) if ids else {}
        for row in rows:
            numbers = [self._value(row["Ordinal"] + at) for at in range(row["Count"])]
            state = row["State"]
            self.counts[state] = self.counts.get(state, 0) + row["Count"]
            holder = row["Reason"] if state == "Void" else row["Holder"]
            for number in numbers:
                yield Held(number, state, holder, row.get("Path"))
            if row["Number"] != numbers[0]:
                yield Wrong(f"number {row['Number']} is told in the place of {numbers[0]}")
            if state == "Document":
                what = self._wrong_in(documents[holder], holder, numbers, row)
                if what is not None:
                    yield Wrong(what)
            elif state == "Void" and not holder:
                yield Wrong(f"number {numbers[0]} is void without a reason")

    def _wrong_in(
        self, document: Json | None, holder: str, numbers: list[int], row: Json
    ) -> str | None:
        told = f"number {numbers[0]}" if len(numbers) == 1 else f"numbers {numbers}"
        if document is None:
            return f"{told} is held by {holder}, and there is no such document"
        path = row["Path"]
        if path is None:
            return None
        if len(self._places) < PLACES_MAX:
            self._places.add((collection_of(document), path))
        expected: object = numbers if row["All"] else numbers[0]
        found = stands_at(document, path)
        if found == expected and is_whole(found):
            return None
        return f"{told} is held by {holder}, where {shown(found)} stands at {path}"

    # 2. What stands in documents

    async def _others(self) -> AsyncIterator[Told]:
        """Numbers in documents that do not hold them."""
        if not self._places:
            return
        paths: dict[str, list[str]] = {}
        for collection, path in sorted(self._places):
            paths.setdefault(collection, []).append(path)
        done = 0
        async for page in self.asking.all_documents(size=DOCUMENTS_AT_ONCE):
            done += len(page)
            found = [
                Standing(value, document["@metadata"]["@id"], path)
                for document in page
                for path in paths.get(collection_of(document), ())
                for value in numbers_at(document, path)
                if value >= self._sequence["InitialValue"]
            ]
            for start in range(0, len(found), VALUES_AT_ONCE):
                async for told in self._compare(found[start : start + VALUES_AT_ONCE]):
                    yield told
            yield Looked("documents", done)

    async def _compare(self, found: list[Standing]) -> AsyncIterator[Told]:
        suspects = await self._not_its(found)
        if suspects:
            # Both may have been changed between the two answers. What is wrong stays so.
            suspects = await self._not_its(await self._as_it_stands([one for one, _ in suspects]))
        for one, row in suspects:
            what = f"{one.document_id} holds {one.value} at {one.path}"
            if row is None:
                yield Wrong(f"{what}, which nobody took")
            else:
                holder = row["Reason"] if row["State"] == "Void" else row["Holder"]
                owner = f"{row['State'].lower()}: {holder}"
                yield Wrong(f"{what}, which is not its ({owner})")

    async def _not_its(self, found: list[Standing]) -> list[tuple[Standing, Json | None]]:
        """Those that no sequence gave to their documents, and who holds them in this one."""
        rows = await self.asking.holders_of(self.name, [one.value for one in found])
        suspects = [
            (one, row) for one, row in zip(found, rows, strict=True) if not may_be_its(row, one)
        ]
        if not suspects:
            return suspects
        async for other in self.asking.sequences():
            asked = [one for one, _ in suspects if is_within(other, one.value)]
            if other["Name"] == self.name or not asked:
                continue
            rows = await self.asking.holders_of(other["Name"], [one.value for one in asked])
            own = {
                one
                for one, row in zip(asked, rows, strict=True)
                if may_be_its(row, one, at_path=True)
            }
            suspects = [suspect for suspect in suspects if suspect[0] not in own]
            if not suspects:
                break
        return suspects

    async def _as_it_stands(self, found: list[Standing]) -> list[Standing]:
        """Those that are there still."""
        ids = list(dict.fromkeys(one.document_id for one in found))
        documents = dict(zip(ids, await self.asking.documents(ids), strict=True))
        return [
            one
            for one in found
            if (document := documents[one.document_id]) is not None
            and one.value in numbers_at(document, one.path)
        ]


def may_be_its(row: Json | None, one: Standing, *, at_path: bool = False) -> bool:
    """Whether the number is held by the document in which it stands, or will be yet."""
    if row is None:
        return False
    if row["State"] == "Reserved":
        return True
    is_holder = row["State"] == "Document" and fold_id(row["Holder"]) == fold_id(one.document_id)
    return is_holder and (not at_path or row["Path"] == one.path)


def is_within(sequence: Json, value: int) -> bool:
    """Whether a sequence may have given this number."""
    reset = sequence["ResetValue"]
    last = sequence["LastValue"] if reset is None else reset
    return last is not None and sequence["InitialValue"] <= value <= last


def collection_of(document: Json) -> str:
    """The collection of a document as it was loaded."""
    return str(document["@metadata"].get("@collection", "@empty"))


def stands_at(document: Json, path: str) -> object:
    """What stands at a path in a document."""
    try:
        return find(document, parts_of(path))
    except NoPlace:
        return None


def numbers_at(document: Json, path: str) -> list[int]:
    """The whole numbers that stand at a path, by themselves or in an array; also 8.0 is one."""
    found: Any = stands_at(document, path)
    return [
        int(one)
        for one in (found if isinstance(found, list) else [found])
        if type(one) is int or (type(one) is float and one.is_integer() and abs(one) < 2**63)
    ]


def shown(found: object) -> str:
    """What stands somewhere, in few words."""
    text = "nothing" if found is None else repr(found)
    return text if len(text) <= 60 else f"{text[:60]}..."
