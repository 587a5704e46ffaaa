"""Compressed bodies, inflated within a limit. Pure."""

import zlib
from collections.abc import Sequence

from quoth_node.http.errors import BadBody, BodyTooLarge, EncodingNotSupported

CHUNK_BYTES = 262_144
GZIP, DEFLATE = "gzip", "deflate"
PLAIN = frozenset({"", "identity"})
GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS


def encoding_of(headers: Sequence[str]) -> str | None:
    """How a body is encoded; None if it is as it is.

    Raises EncodingNotSupported.
    """
    named = ",".join(headers)
    encodings = [name for part in named.split(",") if (name := part.strip().lower()) not in PLAIN]
    match encodings:
        case []:
            return None
        case ["gzip" | "x-gzip"]:
            return GZIP
        case ["deflate"]:
            return DEFLATE
        case _:
            raise EncodingNotSupported(
                f"The Content-Encoding {named[:100]!a} is not supported: send gzip, or none"
            )


def inflated(body: bytes | bytearray, encoding: str, limit: int) -> bytearray:
    """The inflated body; never more in memory than `limit` and one chunk.

    Raises BodyTooLarge, BadBody.
    """
    whole = bytearray()
    rest: bytes | memoryview = memoryview(body)
    while rest:
        inflater = zlib.decompressobj(window_bits(encoding, rest))
        try:
            while not inflater.eof:
                piece = inflater.decompress(rest[:CHUNK_BYTES], CHUNK_BYTES)
                taken = len(rest[:CHUNK_BYTES]) - len(inflater.unconsumed_tail)
                rest = rest[taken - len(inflater.unused_data) :]
                whole += piece
                if len(whole) > limit:
                    raise BodyTooLarge(f"The body is over the limit of {limit} bytes, inflated")
                if not piece and not rest and not inflater.eof:
                    raise BadBody("The body is cut short: its compressed data have no end")
        except zlib.error as error:
            raise BadBody(f"The body could not be inflated: it is not {encoding}") from error
        if encoding != GZIP and rest:
            raise BadBody("The body goes on behind its compressed data")
    return whole


def window_bits(encoding: str, data: bytes | memoryview) -> int:
    if encoding == GZIP:
        return GZIP_WINDOW_BITS
    # Some clients take deflate for the bare stream; a zlib header tells by its first byte.
    return zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS
