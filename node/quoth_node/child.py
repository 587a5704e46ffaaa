"""One node as the process that started it sees it: its life is the life of one coroutine.

The node says `ready URL` on its stdout, once. All else it says is in its node.log.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from quoth_node.folder import LOG_NAME, create_folder

STOP_SECONDS_MAX = 10.0
LOG_BYTES_MAX = 16 * 1_024 * 1_024
LAST_WORDS_BYTES_MAX = 64 * 1_024
LINE_PREFIX = "quoth: "  # how `main` starts the one line that says what went wrong


class NodeLog:
    """What a node says over all its runs, kept in its folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOG_NAME
        self._start = 0  # where the words of this run start

    def open(self) -> BinaryIO:
        """The file to write to, for a run that begins; an overlong one is put aside."""
        with suppress(FileNotFoundError):
            if self.path.stat().st_size > LOG_BYTES_MAX:
                self.path.replace(self.path.with_name(f"{LOG_NAME}.old"))
        log = self.path.open("ab", buffering=0)
        self._start = log.tell()
        return log

    def last_words(self) -> str:
        """Why the run ended, in its own words; empty if it said nothing."""
        with suppress(OSError), self.path.open("rb") as log:
            log.seek(max(self._start, os.fstat(log.fileno()).st_size - LAST_WORDS_BYTES_MAX))
            lines = [line for line in log.read().decode(errors="replace").splitlines() if line]
            ours = [line for line in lines if line.startswith(LINE_PREFIX)]
            return (ours or lines or [""])[-1].removeprefix(LINE_PREFIX)
        return ""


class NodeProcess:
    """A node in a process of its own; can be run again after it has ended."""

    def __init__(self, tag: str, url: str, folder: Path) -> None:
        self.tag = tag
        self.url = url
        self.ready = asyncio.Event()
        self.pid: int | None = None  # while it runs
        self._folder = folder
        self._log = NodeLog(folder)

    @property
    def log_path(self) -> Path:
        """Where its words are kept."""
        return self._log.path

    async def run(self, arguments: Sequence[str]) -> int:
        """Run it until it ends; its exit code. Cancelled, stop it first."""
        create_folder(self._folder)
        with self._log.open() as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "quoth_node", "node", "start", *arguments),
                *("--supervisor", str(os.getpid())),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                # Ctrl-C in a terminal goes to the supervisor alone, which stops its nodes in order.
                start_new_session=True,
            )
            self.pid = process.pid
            try:
                await self._listen(process, log)
                return await process.wait()
            finally:
                await _stop(process)
                self.pid = None
                self.ready.clear()

    def last_words(self) -> str:
        """Why it ended, in its own words; empty if it said nothing."""
        return self._log.last_words()

    async def _listen(self, process: asyncio.subprocess.Process, log: BinaryIO) -> None:
        assert process.stdout is not None, "asked for above"
        async for line in process.stdout:
            if line.strip() == f"ready {self.url}".encode():
                self.ready.set()
            else:
                log.write(line)


def describe(exit_code: int) -> str:
    """An exit code in words; a negative one is a signal."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    with suppress(ValueError):
        return f"exit code {exit_code} ({signal.Signals(-exit_code).name})"
    return f"exit code {exit_code}"


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Ask it to end, then make it."""
    for ending in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(ending)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_SECONDS_MAX)
