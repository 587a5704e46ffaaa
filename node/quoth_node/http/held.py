"""The request bodies that a node holds at once, counted as they come in.

Under half of the limit everybody is admitted. Over it new ones wait until others are done, and so
do their senders. Those under way may use the other half, and wait for nobody, so nobody waits for
ever. What would go over the whole limit is refused; nothing was done with it. Small bodies never
wait. A stream may rest for minutes with what it holds, so streams only get of the first half.
"""

import asyncio

from quoth_cluster.errors import Busy

SMALL_BYTES_MAX = 65_536


class HeldBodies:
    """Invariant: what is held is what was taken and not given back, and at most the limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._has_room = asyncio.Event()
        self._has_room.set()

    @property
    def held_bytes(self) -> int:
        """What is held now."""
        return self._held

    async def admit(self, declared_bytes: int | None, *, patience_seconds: float) -> None:
        """Return when a body may begin to come in.

        Raises Busy, which is definite, if that takes too long.
        """
        if declared_bytes is not None and declared_bytes <= SMALL_BYTES_MAX:
            return
        try:
            async with asyncio.timeout(patience_seconds):
                await self._has_room.wait()
        except TimeoutError as error:
            raise self._busy() from error

    def take(self, size: int, *, may_rest: bool = False) -> None:
        """Hold `size` bytes more. Raises Busy, which is definite, if there is no room for them."""
        if self._held + size > (self._limit // 2 if may_rest else self._limit):
            raise self._busy()
        self._held += size
        self._tell()

    def give_back(self, size: int) -> None:
        """Hold `size` bytes less."""
        assert 0 <= size <= self._held, "only what was taken is given back"
        self._held -= size
        self._tell()

    def _tell(self) -> None:
        if self._held > self._limit // 2:
            self._has_room.clear()
        else:
            self._has_room.set()

    def _busy(self) -> Busy:
        return Busy(
            f"This node holds {self._held} bytes of request bodies, its limit is {self._limit}: "
            "send the request again later, or to another node"
        )
