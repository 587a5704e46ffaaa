"""Scripts beside the node: a few processes that run one script each, and are ended if it goes on.

A process is started when it is first needed, and anew after one was ended.
"""

import asyncio
import logging
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from quoth_cluster.errors import Busy
from quoth_node.scripting.task import (
    Missing,
    Ran,
    ScriptFailed,
    ScriptOverLimit,
    ScriptTask,
    read_result,
)

LENGTH = struct.Struct("!I")
PROCESSES_MAX = 2
SCRIPT_SECONDS_MAX = 3.0
RESULT_BYTES_MAX = 64 * 1_024 * 1_024
HERE_BYTES_MAX = 262_144
DIED = (asyncio.IncompleteReadError, ConnectionError)  # how the end of a process shows

T = TypeVar("T")

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

        Raises ScriptFailed, ScriptNotParsed, Busy.
        """
        if "\0" in task.script:
            raise ScriptFailed("A script cannot hold a NUL character")
        process = await self._idle.get()
        try:
            given = await _beside(len(task.document), task.to_json)
            process, result = await self._run_in(process, given)
        except BaseException:
            process = None
            raise
        finally:
            self._idle.put_nowait(process)
        return await _beside(len(result), partial(read_result, result))

    async def close(self) -> None:
        """End the idle processes; those at work end as soon as this process is gone."""
        while not self._idle.empty():
            process = self._idle.get_nowait()
            if process is not None:
                await _end(process)

    async def _run_in(
        self, process: asyncio.subprocess.Process | None, task: bytes
    ) -> tuple[asyncio.subprocess.Process, bytes]:
        """The result, and the process for the next task. No process is left by an error."""
        if process is not None:
            try:
                return process, await self._exchange(process, task)
            except DIED:
                log.warning("the process of scripts %d ended", process.pid)
        process = await _start()
        try:
            return process, await self._exchange(process, task)
        except DIED as error:
            # A new one, too: so it is the script that ends it.
            raise ScriptOverLimit("The script ended its engine: it took too much") from error

    async def _exchange(self, process: asyncio.subprocess.Process, task: bytes) -> bytes:
        """One task and its result. On an error the process ends: it may be in the middle of it."""
        try:
            async with asyncio.timeout(self._seconds_max):
                return await _told(process, task)
        except BaseException as error:
            await _end(process)
            if isinstance(error, TimeoutError):
                text = f"The script took more than {self._seconds_max:g} s and was ended"
                raise ScriptOverLimit(text) from error
            raise


async def _beside(size: int, work: Callable[[], T]) -> T:
    """Long texts are worked on beside the event loop."""
    return work() if size <= HERE_BYTES_MAX else await asyncio.to_thread(work)


async def _told(process: asyncio.subprocess.Process, task: bytes) -> bytes:
    assert process.stdin is not None and process.stdout is not None, "asked for at its start"
    process.stdin.write(LENGTH.pack(len(task)) + task)
    await process.stdin.drain()
    (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
    if length > RESULT_BYTES_MAX:
        raise ScriptOverLimit(f"The script made {length} bytes, {RESULT_BYTES_MAX} are allowed")
    return await process.stdout.readexactly(length)


async def _start() -> asyncio.subprocess.Process:
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", "quoth_node.scripting.child"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise Busy(f"no process for scripts can be started: {error}") from error
    log.info("scripts run in process %d", process.pid)
    return process


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()
