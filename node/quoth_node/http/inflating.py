"""Compressed bodies, inflated within a limit. Pure."""

import zlib
from collections.abc import Iterator, Sequence

from quoth_node.http.errors import BadBody, BodyTooLarge, EncodingNotSupported

CHUNK_BYTES = 262_144
GZIP, DEFLATE = "gzip", "deflate"
PLAIN = frozenset({"", "identity"})
GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS
CUT_SHORT = "The body is cut short: its compressed data have no end"
NOT_INFLATED = "The body could not be inflated: it is not {}"
GOES_ON = "The body goes on behind its compressed data"


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
                    raise BadBody(CUT_SHORT)
        except zlib.error as error:
            raise BadBody(NOT_INFLATED.format(encoding)) from error
        if encoding != GZIP and rest:
            raise BadBody(GOES_ON)
    return whole


class InflatedPieces:
    """A compressed body that comes in pieces, inflated into pieces of a bounded size."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._inflater: zlib._Decompress | None = None  # of the compressed data under way

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """What comes of a piece: never more than `CHUNK_BYTES` at a time. Raises BadBody."""
        rest = piece
        while rest:
            if self._inflater is None:
                self._inflater = zlib.decompressobj(window_bits(self._encoding, rest))
            try:
                yield self._inflater.decompress(rest, CHUNK_BYTES)
            except zlib.error as error:
                raise BadBody(NOT_INFLATED.format(self._encoding)) from error
            rest = self._inflater.unconsumed_tail
            if self._inflater.eof:
                rest = self._inflater.unused_data
                self._inflater = None
                if rest and self._encoding != GZIP:  # only gzip may be several in a row
                    raise BadBody(GOES_ON)

    def finish(self) -> None:
        """Raise BadBody if the compressed data have no end."""
        if self._inflater is not None:
            raise BadBody(CUT_SHORT)


def window_bits(encoding: str, data: bytes | memoryview) -> int:
    if encoding == GZIP:
        return GZIP_WINDOW_BITS
    # Some clients take deflate for the bare stream; a zlib header tells by its first byte.
    return zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS
