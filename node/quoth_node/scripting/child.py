"""The process that scripts run in: tasks on stdin, results on stdout, each behind its length.

It can open nothing, write no file, take no more memory than its limit, and ends by itself when its
parent is gone or when one script keeps the processor.
"""

import os
import re
import resource
import struct
import sys
from typing import BinaryIO

import orjson

from quoth_node.scripting.engine import Engine
from quoth_node.scripting.task import ScriptFailed, ScriptOverLimit

STDERR = 2
LENGTH = struct.Struct("!I")
MEMORY_BYTES_MAX = 4 * 1_024**3  # of addresses; each script has a limit far below
CPU_SECONDS_MAX = 3
# While JSON is read nothing else runs in the node, and what takes its time is the number of values.
PARTS_MAX = {b"{": 250_000, b"[": 250_000, b":": 1_000_000, b",": 2_000_000}
STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"')


def confine() -> None:
    """Give up what a script has no use for."""
    # What LMDB has open in the node comes along, and would keep deleted files on the disk.
    os.closerange(STDERR + 1, os.sysconf("SC_OPEN_MAX"))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def allow_processor_time() -> None:
    """Let the kernel end this process if it goes on for long from here."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + CPU_SECONDS_MAX
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next task; None if the parent is gone."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    body = stream.read(length)
    return body if len(body) == length else None


def check_parts(result: bytes) -> bytes:
    """The result, if it does not take long to read. Raises ScriptOverLimit."""
    for sign, limit in PARTS_MAX.items():
        # Text may be full of commas: only those outside of strings count, if it comes to that.
        if result.count(sign) > limit and STRING.sub(b"", result).count(sign) > limit:
            made = f"over {limit} of '{sign.decode()}'"
            raise ScriptOverLimit(f"The script made {made} in one document")
    return result


def main() -> None:
    """Run tasks until the parent closes stdin."""
    tasks, results = sys.stdin.buffer, sys.stdout.buffer
    engine = Engine()  # made while nobody waits for it
    confine()
    while (task := read_frame(tasks)) is not None:
        allow_processor_time()
        try:
            result = check_parts(engine.run(task))
        except ScriptFailed as error:
            kind = "limit" if isinstance(error, ScriptOverLimit) else "run"
            result = orjson.dumps({"failure": {"kind": kind, "message": str(error)}})
        results.write(LENGTH.pack(len(result)) + result)
        results.flush()
        engine = Engine()
    os._exit(0)  # nothing here is worth tidying


if __name__ == "__main__":
    main()
