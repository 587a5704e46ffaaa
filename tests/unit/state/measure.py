"""What applying costs on this machine: `python -m tests.unit.state.measure`.

Prints microseconds per put, from the encoded command to the committed document, for several sizes
of an entry, and microseconds per load. The documents have 200 bytes.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from quoth_cluster.commands import SaveBatch, encode
from quoth_cluster.documents import load
from quoth_cluster.log import LogEntry
from quoth_cluster.machine import Machine
from tests.unit.state.story import AT, create, put

BODY = b'{"name":"%b"}' % (b"x" * 189)


def micros(run: Callable[[], object], count: int) -> float:
    """Microseconds per piece, if `run` does `count` of them."""
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) / count * 1e6


def commands(names: list[str], *, at_once: int) -> tuple[bytes, ...]:
    """One command for each `at_once` documents."""
    puts = [put(name, body=BODY) for name in names]
    chunks = [tuple(puts[at : at + at_once]) for at in range(0, len(puts), at_once)]
    return tuple(encode(SaveBatch("db", AT, "A", chunk)) for chunk in chunks)


def measure_puts(machine: Machine, *, in_entry: int, entries: int, at_once: int) -> None:
    """Apply entries of so many puts each, one entry per call."""
    log_index = machine.applied.log_index
    log = []
    for number in range(1, entries + 1):
        names = [f"users/{log_index}-{number}-{each}" for each in range(in_entry)]
        log.append(LogEntry(log_index + number, 1, commands(names, at_once=at_once)))
    per_put = micros(lambda: [machine.apply([entry]) for entry in log], in_entry * entries)
    how = f"{in_entry:5} puts per apply, {at_once:4} per batch"
    print(f"{how}: {per_put:7.1f} us per put, {per_put * in_entry / 1000:7.2f} ms per apply")


def main() -> None:
    """Measure, in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine.open(Path(folder))
        machine.apply([LogEntry(1, 1, (encode(create("db")),))])
        measure_puts(machine, in_entry=1, entries=300, at_once=1)
        measure_puts(machine, in_entry=16, entries=100, at_once=1)
        measure_puts(machine, in_entry=256, entries=20, at_once=1)
        measure_puts(machine, in_entry=256, entries=20, at_once=32)
        measure_puts(machine, in_entry=4096, entries=4, at_once=1)
        database = machine.database("db")
        assert database is not None
        with database.read() as txn:
            found = load(txn, "users/1-1-0")
            assert found is not None
            loads = micros(lambda: [load(txn, "users/1-1-0") for _ in range(20_000)], 20_000)
            splices = micros(lambda: [found.to_json() for _ in range(20_000)], 20_000)
        print(f"load {loads:.1f} us, splice into JSON {splices:.1f} us")
        machine.close()


if __name__ == "__main__":
    main()
