"""Questions to a peer, and their answers, over the links.

A question is asked once. No answer means nothing: it may have been heard or not.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from quoth_cluster.errors import NoAnswer, NotAsked

Body = dict[str, Any]


class Calls:
    """The questions of this node that wait for an answer."""

    def __init__(self, send: Callable[[str, Body], bool]) -> None:
        self._send = send
        self._waiting: dict[int, tuple[str, asyncio.Future[Body]]] = {}
        self._last_number = 0

    async def ask(self, tag: str, question: str, body: Body, *, timeout_seconds: float) -> Body:
        """The answer of `tag`. Raises NotAsked or NoAnswer."""
        self._last_number += 1
        number = self._last_number
        future: asyncio.Future[Body] = asyncio.get_running_loop().create_future()
        self._waiting[number] = (tag, future)
        try:
            if not self._send(tag, {**body, "type": "ask", "number": number, "question": question}):
                raise NotAsked(f"node {tag} cannot be reached")
            async with asyncio.timeout(timeout_seconds):
                return await future
        except TimeoutError as error:
            raise NoAnswer(f"node {tag} did not answer in {timeout_seconds:g} s") from error
        finally:
            del self._waiting[number]

    def answer(self, tag: str, number: int, body: Body) -> None:
        """Answer a question of `tag`."""
        self._send(tag, {**body, "type": "answer", "number": number})

    def on_answer(self, tag: str, message: Body) -> None:
        waiting = self._waiting.get(message.get("number", 0))
        if waiting is not None and waiting[0] == tag and not waiting[1].done():
            waiting[1].set_result(message)

    def on_link_down(self, tag: str) -> None:
        """Whoever waits for `tag` waits in vain."""
        for asked, future in self._waiting.values():
            if asked == tag and not future.done():
                future.set_exception(NoAnswer(f"the link to node {tag} broke"))
