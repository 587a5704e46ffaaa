"""Compressed bodies that come in pieces: wherever they are cut, and never much at a time."""

import gzip
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quoth_node.http.errors import BadBody
from quoth_node.http.inflating import CHUNK_BYTES, DEFLATE, GZIP, InflatedPieces

STEADY = settings(derandomize=True, deadline=None, max_examples=100)


def raw_deflate(data: bytes) -> bytes:
    """The bare stream, without a header."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def inflate(encoding: str, body: bytes, *, step: int) -> bytes:
    pieces = InflatedPieces(encoding)
    found = [
        piece for at in range(0, len(body), step) for piece in pieces.feed(body[at : at + step])
    ]
    pieces.finish()
    assert all(len(piece) <= CHUNK_BYTES for piece in found)
    return b"".join(found)


@STEADY
@given(st.lists(st.binary(max_size=2_000), min_size=1, max_size=3), st.integers(1, 300))
def test_any_cut_gives_the_same_bytes(parts: list[bytes], step: int) -> None:
    whole = b"".join(parts)
    assert inflate(GZIP, b"".join(map(gzip.compress, parts)), step=step) == whole
    assert inflate(DEFLATE, zlib.compress(whole), step=step) == whole
    assert inflate(DEFLATE, raw_deflate(whole), step=step) == whole


def test_what_inflates_a_thousandfold_comes_in_bounded_pieces() -> None:
    body = gzip.compress(b"x" * 20_000_000, mtime=0)
    assert len(body) < 30_000
    assert inflate(GZIP, body, step=len(body)) == b"x" * 20_000_000


@pytest.mark.parametrize(
    ("encoding", "body", "message"),
    [
        (GZIP, gzip.compress(b"a", mtime=0)[:-1], "its compressed data have no end"),
        (GZIP, b"plain", "it is not gzip"),
        (GZIP, gzip.compress(b"a", mtime=0) + b"more", "it is not gzip"),
        (DEFLATE, zlib.compress(b"a") + b"more", "goes on behind its compressed data"),
    ],
)
def test_what_is_broken_is_told(encoding: str, body: bytes, message: str) -> None:
    with pytest.raises(BadBody, match=message):
        inflate(encoding, body, step=len(body))


def test_nothing_is_nothing() -> None:
    assert inflate(GZIP, b"", step=1) == b""
