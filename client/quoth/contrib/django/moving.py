"""Carries sequences over from django-sequences: where its table is, quoth goes on.

The numbers up to its last one are taken, and the journal names django-sequences as their holder.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connections

from quoth.contrib.django.stores import settings_for, stores
from quoth.sequences import COUNT_MAX

TABLE = "sequences_sequence"
HOLDER = "django-sequences"


class CannotMove(Exception):
    """A sequence cannot be carried over; it says why."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One sequence: its last value, and how many numbers were taken for that just now."""

    name: str
    last_value: int
    taken: int


def old_sequences(using: str) -> dict[str, int]:
    """The sequences in the table of django-sequences, with their last values."""
    connection = connections[using]
    with connection.cursor() as cursor:
        if TABLE not in connection.introspection.table_names(cursor):
            raise CannotMove(f"the database {using!r} has no table {TABLE}")
        quoted = connection.ops.quote_name
        cursor.execute(f"SELECT {quoted('name')}, {quoted('last')} FROM {quoted(TABLE)} ORDER BY 1")
        return {str(name): int(last) for name, last in cursor.fetchall()}


def move(
    using: str, names: list[str], initial_value: int = 1, reset_value: int | None = None
) -> Iterator[Moved]:
    """Carry sequences over, all of them if none is named. Can be repeated, and goes on.

    Nobody may take numbers meanwhile. Raises CannotMove before anything is taken for a name that is
    not there, and for a sequence that has its own numbers in quoth already.
    """
    old = old_sequences(using)
    missing = [name for name in names if name not in old]
    if missing:
        raise CannotMove(f"django-sequences has no sequence {', '.join(missing)}")
    sequences = stores[settings_for(using).alias].sequences
    plan: list[tuple[str, int, int]] = []
    for name in names or old:
        there = sequences.get_last_value(name)
        start = initial_value if there is None else there + 1
        left = old[name] - start + 1
        if left < 0:
            where = f"begins at {initial_value}" if there is None else f"is at {there} in quoth"
            raise CannotMove(f"the sequence {name!r} {where}, and at {old[name]} in {TABLE}")
        plan.append((name, old[name], left))
    for name, last_value, left in plan:
        for start in range(0, left, COUNT_MAX):
            count = min(COUNT_MAX, left - start)
            sequences.get_next_values(count, name, initial_value, reset_value, holder=HOLDER)
        yield Moved(name, last_value, left)
