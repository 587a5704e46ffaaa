"""The indexes of a node in a test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from quoth_cluster.clock import Clock
from quoth_cluster.machine import Machine
from quoth_node.indexing.builder import Builder
from quoth_node.querying.live import LiveIndexes
from tests.unit.http.plain_log import PlainLog


@asynccontextmanager
async def building(
    folder: Path, machine: Machine, log: PlainLog, clock: Clock
) -> AsyncIterator[LiveIndexes]:
    """The indexes of a node, and the thread that builds them."""
    loop = asyncio.get_running_loop()

    def tell() -> None:
        loop.call_soon_threadsafe(live.tell)

    builder = Builder(folder / "indexes", machine, clock, on_progress=tell)
    live = LiveIndexes(log, machine, builder, clock)
    builder.start()
    try:
        yield live
    finally:
        await asyncio.to_thread(builder.stop)
