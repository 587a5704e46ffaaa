"""django-sequences on PostgreSQL, for `scripts.bench.sequences`: a server for the time of a run.

Nothing of it is a dependency: where the server, Django or django-sequences is not installed,
`what_is_missing` says so.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from threading import Barrier, Thread
from typing import Any

from scripts import postgresql

MODULES = ("django", "sequences", "psycopg")
CONNECTIONS_MAX = 300
TABLE = "CREATE TABLE invoice (number bigint PRIMARY KEY, customer text NOT NULL, total int)"
INSERT = "INSERT INTO invoice VALUES (%s, %s, %s)"


def what_is_missing() -> str | None:
    """Why django-sequences cannot be measured here; None if it can."""
    why = postgresql.missing()
    if why is not None:
        return why
    missing = [name for name in MODULES if find_spec(name) is None]
    if missing:
        how = "pip install django django-sequences 'psycopg[binary]'"
        return f"no Python module {', '.join(missing)} ({how})"
    return None


@contextmanager
def server() -> Iterator[dict[str, Any]]:
    """A new server, with fsync; the settings of Django for it."""
    with postgresql.running(is_durable=True, connections_max=CONNECTIONS_MAX) as database:
        yield database


def prepare(database: dict[str, Any]) -> None:
    """Set up Django, once for the process, with the tables that it needs."""
    settings: Any = import_module("django.conf").settings
    settings.configure(
        DATABASES={"default": database},
        INSTALLED_APPS=["sequences.apps.SequencesConfig"],
        USE_TZ=True,
    )
    import_module("django").setup()
    import_module("django.core.management").call_command("migrate", verbosity=0)
    with import_module("django.db").connection.cursor() as cursor:
        cursor.execute(TABLE)


def one_by_one() -> int:
    """A number and its row in one transaction."""
    db, sequences = import_module("django.db"), import_module("sequences")
    with db.transaction.atomic():
        number = sequences.get_next_value("invoices")
        with db.connection.cursor() as cursor:
            cursor.execute(INSERT, (number, "Quoth & Sons", 100))
    return 1


def by_tens() -> int:
    """Ten numbers and their rows in one transaction."""
    db, sequences = import_module("django.db"), import_module("sequences")
    with db.transaction.atomic():
        numbers = sequences.get_next_values(10, "invoices")
        with db.connection.cursor() as cursor:
            cursor.executemany(INSERT, [(number, "Quoth & Sons", 100) for number in numbers])
    return 10


def measure(work: Callable[[], int], callers: int, seconds: float) -> float:
    """Numbers a second of so many threads, each with a connection of its own."""
    connections = import_module("django.db").connections
    done = [0] * callers
    ready = Barrier(callers + 1)
    stop_at = [0.0]

    def call(place: int) -> None:
        try:
            connections["default"].ensure_connection()
            ready.wait()
            while time.perf_counter() < stop_at[0]:
                done[place] += work()
        finally:
            connections.close_all()

    threads = [Thread(target=call, args=(place,), daemon=True) for place in range(callers)]
    for thread in threads:
        thread.start()
    begun = time.perf_counter()
    stop_at[0] = begun + 3_600.0
    ready.wait()
    begun = time.perf_counter()
    stop_at[0] = begun + seconds
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - begun)


def check() -> None:
    """The rows have the numbers 1 to n: both sides are measured doing the same."""
    with import_module("django.db").connection.cursor() as cursor:
        cursor.execute("SELECT count(*), coalesce(max(number), 0) FROM invoice")
        rows, last = cursor.fetchone()
    assert rows == last, f"{rows} rows, the last number is {last}"
