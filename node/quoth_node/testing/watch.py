"""Asks every node again and again who leads, while a run lasts."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp

from quoth_node.testing.leaders import Leaders

POLL_SECONDS = 0.25
ASK_SECONDS_MAX = 1.0


async def watch(
    urls: Callable[[], Mapping[str, str]],
    leaders: Leaders,
    *,
    now: Callable[[], int],
    stop: asyncio.Event,
) -> None:
    """Tell `leaders` what nodes say, until `stop` is set. `urls` gives those of the members."""
    timeout = aiohttp.ClientTimeout(total=ASK_SECONDS_MAX)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while not stop.is_set():
            asked = [_ask(session, url) for url in urls().values()]
            leaders.hear(await asyncio.gather(*asked), at=now())
            try:
                await asyncio.wait_for(stop.wait(), POLL_SECONDS)
            except TimeoutError:
                continue


async def _ask(session: aiohttp.ClientSession, url: str) -> Mapping[str, Any] | None:
    """What one node says of its log; None if it does not answer."""
    try:
        async with session.get(f"{url}/admin/cluster/log") as answer:
            content = await answer.json()
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None
    return content if isinstance(content, dict) and "Term" in content else None
