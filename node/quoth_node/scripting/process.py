"""Scripts beside the node: a few processes that run one script each, and are ended if it goes on.

A process is started when it is first needed, and anew after one was ended.
"""

import asyncio
import logging
import struct
import sys
from collections.abc import Awaitable
from contextlib import suppress

from quoth_node.scripting.task import Missing, Ran, ScriptFailed, ScriptTask, read_result

LENGTH = struct.Struct("!I")
PROCESSES_MAX = 2
SCRIPT_SECONDS_MAX = 3.0
RESULT_BYTES_MAX = 64 * 1_024 * 1_024

log = logging.getLogger(__name__)


class ScriptProcesses:
    """Runs scripts; fulfils the door `Scripts`."""

    def __init__(self, *, seconds_max: float = SCRIPT_SECONDS_MAX) -> None:
        self._seconds_max = seconds_max
        self._idle: asyncio.LifoQueue[asyncio.subprocess.Process | None] = asyncio.LifoQueue()
        for _ in range(PROCESSES_MAX):
            self._idle.put_nowait(None)

    async def run(self, task: ScriptTask) -> Ran | Missing:
        """What comes of a task.

        Raises ScriptFailed, ScriptNotParsed.
        """
        if "\0" in task.script:
            raise ScriptFailed("A script cannot hold a NUL character")
        process = await self._idle.get()
        try:
            if process is None or process.returncode is not None:
                process = None  # until the new one is there
                process = await _start()
            result = await self._exchange(process, task.to_json())
        except BaseException as error:
            # It may be in the middle of anything.
            await _end(process)
            process = None
            if isinstance(error, TimeoutError):
                seconds = f"{self._seconds_max:g} s"
                raise ScriptFailed(f"The script took more than {seconds} and was ended") from error
            if isinstance(error, asyncio.IncompleteReadError | ConnectionError):
                raise ScriptFailed("The script ended its engine: it took too much") from error
            raise
        finally:
            self._idle.put_nowait(process)
        return read_result(result)

    async def close(self) -> None:
        """End the idle processes; those at work end as soon as this process is gone."""
        while not self._idle.empty():
            await _end(self._idle.get_nowait())

    async def _exchange(self, process: asyncio.subprocess.Process, task: bytes) -> bytes:
        assert process.stdin is not None and process.stdout is not None, "asked for at its start"
        async with asyncio.timeout(self._seconds_max):
            process.stdin.write(LENGTH.pack(len(task)) + task)
            await process.stdin.drain()
            (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
            if length > RESULT_BYTES_MAX:
                raise ConnectionError(f"a result of {length} bytes")
            return await process.stdout.readexactly(length)


async def _start() -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", "quoth_node.scripting.child"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    log.info("scripts run in process %d", process.pid)
    return process


async def _end(process: asyncio.subprocess.Process | None) -> None:
    if process is None:
        return
    with suppress(ProcessLookupError):
        process.kill()
    await _waited(process.wait())


async def _waited(ending: Awaitable[int]) -> None:
    """Return when it has ended, also if whoever waits is cancelled meanwhile."""
    await asyncio.shield(ending)
