"""The ends of links, for tests: nodes that only write down what they hear, and bare connections."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgpack

from quoth_cluster.clock import SeededChance
from quoth_cluster.raft.frame import OPENING_BYTES_MAX, length_of, pack_opening, read_frame
from quoth_cluster.raft.link import VERSION, Identity, Links
from quoth_cluster.raft.tls import LinkTls

SOON_SECONDS = 10.0


class End:
    """One node's links, and what came over them."""

    def __init__(
        self,
        tag: str,
        *,
        tls: LinkTls | None = None,
        cluster_id: str = "cluster",
        group: str = "main",
        epoch: int = 1_000,
        removed: tuple[str, ...] = (),
    ) -> None:
        self.identity = Identity(cluster_id, group, tag)
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.begun = 0  # messages that came, heard or waiting for room
        self.changes: list[tuple[str, bool]] = []
        self.has_room = asyncio.Event()
        self.has_room.set()
        self.port = 0
        self.links = Links(
            self.identity,
            chance=SeededChance(ord(tag)),
            epoch=epoch,
            on_message=self._on_message,
            on_link=lambda other, is_up: self.changes.append((other, is_up)),
            refuses=lambda other, _: f"node {other} was removed" if other in removed else None,
            incarnation=tag.encode(),
            on_progress=lambda _: None,
            tls=tls,
        )

    async def _on_message(self, tag: str, _: bytes, message: dict[str, Any]) -> None:
        self.begun += 1
        await self.has_room.wait()
        self.heard.append((tag, message))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def open(self, other: "End") -> None:
        self.links.open(other.identity.tag, other.address)

    def numbers(self) -> list[int]:
        """What was heard of `send_number`."""
        return [message["n"] for _, message in self.heard]

    async def is_up(self, tag: str) -> None:
        """Return when the link to `tag` is up."""
        await until(lambda: self.links.is_up(tag), f"the link to {tag} stays down")

    async def trouble(self, tag: str, *words: str) -> str:
        """Why the link to `tag` cannot be opened, once that is one of `words`."""

        def said() -> bool:
            assert not self.links.is_up(tag), "the link is up"
            return any(word in self.links.trouble(tag) for word in words)

        try:
            await until(said, "")
        except AssertionError as error:
            raise AssertionError(f"trouble: {self.links.trouble(tag)!r}") from error
        return self.links.trouble(tag)


@asynccontextmanager
async def running(*ends: End) -> AsyncIterator[None]:
    """Let them listen, and hold what they open, for the block."""
    for end in ends:
        end.port = await end.links.listen("127.0.0.1", end.port)
    tasks = [asyncio.create_task(end.links.run()) for end in ends]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def until(holds: Callable[[], bool], otherwise: str) -> None:
    """Return when `holds`; complain if it does not soon."""
    try:
        async with asyncio.timeout(SOON_SECONDS):
            while not holds():  # noqa: ASYNC110 - what is looked at has no event
                await asyncio.sleep(0.01)
    except TimeoutError as error:
        raise AssertionError(otherwise) from error


class Bare:
    """A connection that says what a test wants it to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, end: End, context: ssl.SSLContext | None = None) -> "Bare":
        return cls(*await asyncio.open_connection("127.0.0.1", end.port, ssl=context))

    async def introduce(self, **changes: Any) -> dict[str, Any]:
        """Send an opening from B to A; the answer."""
        opening = {"v": VERSION, "cluster": "cluster", "group": "main"}
        opening |= {"from": "B", "to": "A", "epoch": 5_000}
        opening |= {"incarnation": b"B", "address": ""} | changes
        self.writer.write(pack_opening(opening))
        try:
            async with asyncio.timeout(SOON_SECONDS):
                return await read_frame(self.reader, OPENING_BYTES_MAX)
        except TimeoutError as error:  # an OSError, too, which stands for a refusal
            raise AssertionError("there is no answer, and no end") from error

    def say(self, packed: bytes, *, head: bytes | None = None) -> None:
        """Send one frame."""
        head = Identity("cluster", "main", "B").head() if head is None else head
        self.writer.write(length_of(head, packed) + head + packed)

    def say_number(self, number: int) -> None:
        self.say(bytes(msgpack.packb({"type": "number", "n": number})))

    async def is_over(self) -> bool:
        """Whether the other side ends it, without another word."""
        try:
            async with asyncio.timeout(SOON_SECONDS):
                return await self.reader.read(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    def close(self) -> None:
        self.writer.transport.abort()
