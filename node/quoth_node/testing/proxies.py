"""A network of TCP proxies: each node reaches each other one through a listener of its own.

Needs no rights and works everywhere. What a fault means for TCP is told in `relay.py`. What it
cannot do: touch single packets. So a cut of one direction loses what one node *says*; the other
one is heard on, where packets that are cut one way end TCP both ways after some time. A node that
is down does not refuse a connection but resets it, since the proxy is there.

The proxies run on an event loop in one thread of their own; chance is handed in.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from random import Random
from threading import Thread
from typing import Any, TypeVar

from quoth_node.testing.network import LOOPBACK, CannotFault, Place, loopback_place
from quoth_node.testing.relay import CLEAR, End, Relay, Road

T = TypeVar("T")
Pair = tuple[str, str]  # from, to
ANSWER_SECONDS_MAX = 30.0


class Proxies:
    """See `Network`, which this is."""

    name = "proxies"

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._places: dict[str, Place] = {}
        self._roads: dict[Pair, Road] = {}
        self._listeners: dict[Pair, asyncio.Server] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._tasks: asyncio.TaskGroup | None = None  # those that dial
        self._end = asyncio.Event()

    def open(self) -> None:
        """Start the thread."""
        assert self._thread is None, "opened once"
        is_up: Future[None] = Future()
        run = partial(asyncio.run, self._run(is_up))
        self._thread = Thread(target=run, name="proxies", daemon=True)
        self._thread.start()
        is_up.result(ANSWER_SECONDS_MAX)

    def close(self) -> None:
        """Reset every connection, and end the thread."""
        if self._thread is None or self._loop is None:
            return
        if self._thread.is_alive():
            self._in_loop(self._end.set)
            self._thread.join(ANSWER_SECONDS_MAX)
        self._places.clear()

    def place(self, tag: str) -> Place:
        """Two free ports of the loopback, and a listener to and from each of the others."""
        if tag not in self._places:
            self._places[tag] = loopback_place()
            for other in self._places:
                if other != tag:
                    self._wait(self._listen(tag, other))
                    self._wait(self._listen(other, tag))
        return self._places[tag]

    def leave(self, tag: str) -> None:
        """Close the listeners to and from it."""
        if self._places.pop(tag, None) is not None:
            self._in_loop(partial(self._forget, tag))

    def dials(self, tag: str) -> Mapping[str, str]:
        """The listeners that stand for its peers."""
        found = {}
        for (source, target), listener in self._listeners.items():
            if source == tag:
                port = listener.sockets[0].getsockname()[1]
                found[self._places[target].peer_address] = f"{LOOPBACK}:{port}"
        return found

    def cut(self, source: str, target: str) -> None:
        """Lose what is sent."""
        self._change(source, target, is_cut=True)

    def delay(
        self, source: str, target: str, *, milliseconds: float, jitter_milliseconds: float = 0
    ) -> None:
        """Deliver later, in order."""
        if not 0 <= jitter_milliseconds <= milliseconds:
            raise CannotFault("a jitter is from 0 to the delay: nothing arrives before it was sent")
        delay, jitter = milliseconds / 1_000, jitter_milliseconds / 1_000
        self._change(source, target, delay_seconds=delay, jitter_seconds=jitter)

    def lose(self, source: str, target: str, *, percent: float) -> None:
        """Let what is sent wait for retransmissions, by chance."""
        if not 0 <= percent <= 100:
            raise CannotFault(f"{percent:g} % cannot be lost: 0 to 100")
        self._change(source, target, loss=percent / 100)

    def stall(self, source: str, target: str) -> None:
        """Hold back what is sent."""
        self._change(source, target, is_stalled=True)

    def reset(self, a: str, b: str) -> None:
        """Reset all connections between two nodes, whoever opened them."""
        self._in_loop(partial(self._reset, a, b))

    def heal(self) -> None:
        """Clear weather everywhere. Connections with a hole are reset."""
        self._in_loop(self._heal)

    # -- in the thread

    async def _run(self, is_up: "Future[None]") -> None:
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            is_up.set_result(None)
            await self._end.wait()
            for tag in list(self._places):
                self._forget(tag)

    async def _listen(self, source: str, target: str) -> None:
        forward, backward = self._road(source, target), self._road(target, source)

        def accept() -> End:
            relay = Relay(forward, backward, dial=partial(self._dial, self._places[target]))
            return End(relay.forward, relay.backward, made=relay.begin)

        loop = asyncio.get_running_loop()
        self._listeners[source, target] = await loop.create_server(accept, LOOPBACK, 0)

    def _road(self, source: str, target: str) -> Road:
        return self._roads.setdefault((source, target), Road(self._chance))

    def _dial(self, place: Place, relay: Relay) -> None:
        assert self._tasks is not None, "it runs"
        self._tasks.create_task(_connect(place, relay))

    def _forget(self, tag: str) -> None:
        for pair in [pair for pair in self._listeners if tag in pair]:
            self._listeners.pop(pair).close()
            for relay in list(self._roads.pop(pair).relays):
                relay.abort()

    def _reset(self, a: str, b: str) -> None:
        for relay in list(self._roads[a, b].relays):
            relay.abort()

    def _heal(self) -> None:
        # All of them before anybody is told: a connection with a hole waits for both its roads.
        for road in self._roads.values():
            road.weather = CLEAR
        for road in self._roads.values():
            road.change(CLEAR)

    # -- for the caller

    def _change(self, source: str, target: str, **weather: Any) -> None:
        road = self._roads[source, target]
        self._in_loop(lambda: road.change(replace(road.weather, **weather)))

    def _in_loop(self, act: Callable[[], None]) -> None:
        """Do it in the thread, and return when it is done."""

        async def done() -> None:
            act()

        self._wait(done())

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        assert self._loop is not None, "opened"
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWER_SECONDS_MAX)


async def _connect(place: Place, relay: Relay) -> None:
    loop = asyncio.get_running_loop()
    end = End(relay.backward, relay.forward, made=relay.reached)
    try:
        await loop.create_connection(lambda: end, place.peer_host, place.peer_port)
    except OSError:
        relay.abort()  # the nearest to a refusal, for one who was let in already
