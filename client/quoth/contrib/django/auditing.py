"""Compares the journal of a sequence with the rows that have its numbers.

Proven is: of all numbers from the first to the last, each is in exactly one row, or in a document
of quoth, or void and in no row; and no row has a number that was never taken.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps

from quoth.operations.sequences import VALUES_MAX
from quoth.sequences import HeldNumbers, NumberState

LookUp = Callable[[list[int]], Mapping[int, HeldNumbers | None]]
# In how many rows a number may be, by what the journal says of it.
ROWS = {
    NumberState.OUTSIDE: (1,),
    NumberState.DOCUMENT: (0,),
    NumberState.VOID: (0,),
    NumberState.RESERVED: (0, 1),
}
TOLD = {
    NumberState.OUTSIDE: "in use",
    NumberState.DOCUMENT: "in documents",
    NumberState.VOID: "void",
    NumberState.RESERVED: "reserved",
}


@dataclass
class Audit:
    """What was found. `counts` are numbers by state, `wrong` what contradicts the proof."""

    counts: Counter[NumberState] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    states: dict[int, NumberState] = field(default_factory=dict)
    taken: int = 0

    def summary(self) -> str:
        """One line for people."""
        parts = [f"{self.counts[each]} {TOLD[each]}" for each in NumberState if self.counts[each]]
        return f"{self.taken} numbers: {', '.join(parts)}" if parts else "no number is taken"


def read_journal(held: Iterable[HeldNumbers], numbers_of: Callable[[HeldNumbers], Any]) -> Audit:
    """The journal, in its order, checked for gaps of its own."""
    audit = Audit()
    for row in held:
        if row.ordinal != audit.taken + 1:
            audit.wrong.append(f"the journal has a gap before {row.number}")
        audit.taken = row.ordinal + row.count - 1
        audit.counts[row.state] += row.count
        audit.states.update((number, row.state) for number in numbers_of(row))
    return audit


def compare(audit: Audit, rows: Iterable[int], look_up: LookUp) -> None:
    """Compare what the journal said before with the numbers in rows, read afterwards.

    What does not fit is looked up again, since numbers are taken and confirmed meanwhile.
    """
    found = Counter(rows)
    suspects = [
        number
        for number in {**dict.fromkeys(audit.states), **dict.fromkeys(found)}
        if not _fits(audit.states.get(number), found[number])
    ]
    for start in range(0, len(suspects), VALUES_MAX):
        part = suspects[start : start + VALUES_MAX]
        for number, held in look_up(part).items():
            state = None if held is None else held.state
            if not _fits(state, found[number]):
                audit.wrong.append(_complaint(number, state, found[number]))


def _fits(state: NumberState | None, rows: int) -> bool:
    return state is not None and rows in ROWS[state]


def _complaint(number: int, state: NumberState | None, rows: int) -> str:
    if rows > 1:
        return f"{rows} rows have the number {number}"
    if state is None:
        return f"a row has the number {number}, which was never taken"
    if rows == 0:
        return f"no row has the number {number}, which was confirmed"
    if state is NumberState.VOID:
        return f"a row has the number {number}, which is void: see `quoth_sequences recover`"
    return f"a row has the number {number}, and so has a document of quoth"


def field_values(path: str, using: str, filters: Mapping[str, str]) -> Iterator[int]:
    """The numbers in `app.Model.field`. Raises LookupError, ValueError or FieldError."""
    parts = path.split(".")
    if len(parts) != 3:
        raise ValueError(f"a field is named app.Model.field, not {path!r}")
    label, model, name = parts
    # Not the default manager, which may hide rows.
    rows = apps.get_model(label, model)._base_manager.using(using).filter(**filters)
    values = rows.exclude(**{f"{name}__isnull": True}).values_list(name, flat=True)
    for value in values.iterator():
        yield int(value)
