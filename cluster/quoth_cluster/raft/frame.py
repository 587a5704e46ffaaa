"""What goes over a link, as bytes.

    opening  length (4, big-endian) | a map
    frame    length (4, big-endian) | [cluster, group, from] | message, a map

All of it msgpack. Every frame repeats for whom it is and by whom, so that several groups may share
a connection one day; one that differs from its opening is refused before its message is parsed.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import msgpack

from quoth_cluster.raft.entry import COMMAND_BYTES_MAX

FRAME_BYTES_MAX = COMMAND_BYTES_MAX + 4 * 1024 * 1024
OPENING_BYTES_MAX = 4096
PIECE_BYTES = 256 * 1024


def length_of(*parts: bytes) -> bytes:
    """What stands before a frame that consists of `parts`."""
    return sum(map(len, parts)).to_bytes(4, "big")


def pack_opening(content: dict[str, Any]) -> bytes:
    """An opening, or the answer to one, as it goes over the link."""
    packed = bytes(msgpack.packb(content))
    return length_of(packed) + packed


async def read_frame(
    reader: asyncio.StreamReader,
    bytes_max: int,
    head: bytes = b"",
    *,
    on_progress: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """The next frame; `on_progress` hears of each piece of a long one.

    Raises EOFError at the end, ValueError for what is not a frame.
    """
    length = int.from_bytes(await reader.readexactly(4), "big")
    if length > len(head) + bytes_max:
        raise ValueError(f"a frame of {length} bytes; {bytes_max} are allowed")
    packed = await _read_exactly(reader, length, on_progress)
    if not packed.startswith(head):
        raise ValueError("a frame of another cluster, group or sender")
    try:
        message = msgpack.unpackb(memoryview(packed)[len(head) :], max_bin_len=bytes_max)
    except msgpack.UnpackException as error:
        raise ValueError(f"a frame does not open: {error}") from error
    if not isinstance(message, dict):
        raise ValueError("a frame is a map")
    return message


async def _read_exactly(
    reader: asyncio.StreamReader, length: int, on_progress: Callable[[], None] | None
) -> bytes | bytearray:
    if length <= PIECE_BYTES or on_progress is None:
        return await reader.readexactly(length)
    packed = bytearray()
    while len(packed) < length:
        packed += await reader.readexactly(min(PIECE_BYTES, length - len(packed)))
        on_progress()
    return packed
