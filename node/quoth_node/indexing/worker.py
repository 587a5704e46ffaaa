"""The indexer of a node, as a process: started, talked with on a socket, and ended."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from socket import socket, socketpair
from typing import Protocol

END_SECONDS_MAX = 1.0  # after its end of the socket is closed


class Worker(Protocol):
    """Something that runs `child.Serving` at the other end of `end`."""

    @property
    def end(self) -> socket:
        """The node's end; whoever reads nothing more from it knows that the other is gone."""

    async def ended(self) -> None:
        """Return when it has ended; its end of the socket is closed."""

    async def kill(self) -> None:
        """End it, whatever it does."""


StartWorker = Callable[[], Awaitable[Worker]]


class IndexerProcess:
    """Fulfils `Worker`."""

    def __init__(self, process: asyncio.subprocess.Process, end: socket) -> None:
        """Use `start_process`."""
        self._process = process
        self.end = end

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ended(self) -> None:
        """See `Worker.ended`; one that does not end by itself is killed."""
        try:
            async with asyncio.timeout(END_SECONDS_MAX):
                await self._process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """See `Worker.kill`. What it has written is right at any moment."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()


async def start_process(folder: Path) -> IndexerProcess:
    """Start the indexer for index files in `folder`. Raises OSError."""
    ours, theirs = socketpair()
    try:
        process = await asyncio.create_subprocess_exec(
            # -P: nothing is imported from the folder it happens to be started in.
            *(sys.executable, "-P", "-m", "quoth_node.indexing.child"),
            *(str(os.getpid()), str(folder)),
            stdin=theirs.fileno(),
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C goes to the node, which stops it in order
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return IndexerProcess(process, ours)
