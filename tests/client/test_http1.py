"""Responses as bytes, in whatever pieces they come; and what is no response at all."""

import pytest

from quoth.errors import NotSent
from quoth.wire.http1 import (
    HEAD_BYTES_MAX,
    Malformed,
    ResponseReader,
    encode_request,
    split_url,
)

COUNTED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Name:  a b \r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\nhe\r\n3;name=value\r\nllo\r\n0\r\nTrailer: x\r\n\r\n"
)
ANNOUNCED = b"HTTP/1.1 100 Continue\r\n\r\n" + COUNTED
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
ORIGIN, _ = split_url("http://a:1")


def read(*pieces: bytes, method: str = "GET") -> ResponseReader:
    reader = ResponseReader(method)
    for piece in pieces:
        reader.feed(piece)
    return reader


@pytest.mark.parametrize("whole", [COUNTED, CHUNKED, ANNOUNCED])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_a_response_may_come_in_any_pieces(whole: bytes, size: int) -> None:
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    before = read(*pieces[:-1])
    assert not before.is_done
    reader = read(*pieces)
    assert reader.is_done and reader.may_be_kept
    assert reader.take() == b"hello"
    assert reader.status == (201 if whole is CHUNKED else 200)


def test_header_names_are_in_lower_case_and_values_without_blanks() -> None:
    assert read(COUNTED).headers["x-name"] == "a b"
    twice = read(b"HTTP/1.1 200 OK\r\nA: 1\r\na: 2\r\nContent-Length: 0\r\n\r\n")
    assert twice.headers["a"] == "1, 2"


@pytest.mark.parametrize(
    ("whole", "method"),
    [
        (EMPTY, "GET"),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "GET"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "HEAD"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0, 0\r\n\r\n", "GET"),
    ],
)
def test_some_responses_have_no_body(whole: bytes, method: str) -> None:
    reader = read(whole, method=method)
    assert reader.is_done and reader.may_be_kept and reader.take() == b""


def test_a_response_without_a_length_ends_with_its_connection() -> None:
    reader = read(b"HTTP/1.0 200 OK\r\n\r\nhel", b"lo")
    assert not reader.is_done
    reader.feed_end()
    assert reader.is_done and not reader.may_be_kept
    assert reader.take() == b"hello"


@pytest.mark.parametrize("at", range(1, len(CHUNKED)))
def test_a_response_that_breaks_off_is_none(at: int) -> None:
    reader = read(CHUNKED[:at])
    with pytest.raises(Malformed, match="closed before"):
        reader.feed_end()


@pytest.mark.parametrize(
    "whole",
    [
        COUNTED.replace(b"200 OK\r\n", b"200 OK\r\nConnection: Close\r\n"),
        COUNTED.replace(b"HTTP/1.1", b"HTTP/1.0"),
        COUNTED + b"H",  # an answer to nothing
    ],
)
def test_a_connection_is_not_kept(whole: bytes) -> None:
    reader = read(whole)
    assert reader.is_done and not reader.may_be_kept
    assert reader.take() == b"hello"


@pytest.mark.parametrize(
    "whole",
    [
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"SSH-2.0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 2_000,
        b"HTTP/1.1 200 OK\r\nA: " + b"a" * HEAD_BYTES_MAX,
    ],
)
def test_where_a_response_ends_is_never_guessed(whole: bytes) -> None:
    with pytest.raises(Malformed):
        read(whole)


def test_a_request_is_written_once_and_whole() -> None:
    origin, target = split_url("http://[::1]:8080/docs?id=a%2Fb")
    assert (origin.host, origin.port, origin.is_secure) == ("::1", 8080, False)
    assert encode_request("PUT", target, origin, {"Name": "v"}, b"body") == (
        b"PUT /docs?id=a%2Fb HTTP/1.1\r\nHost: [::1]:8080\r\nName: v\r\n"
        b"Content-Length: 4\r\n\r\nbody"
    )
    assert split_url("https://a")[0].port == 443


@pytest.mark.parametrize(
    ("target", "value"), [("/a b", "v"), ("/\r\nX: y", "v"), ("/", "v\r\nX: y"), ("/", "\u00e4")]
)
def test_nobody_can_write_two_requests_as_one(target: str, value: str) -> None:
    with pytest.raises(NotSent):
        encode_request("GET", target, ORIGIN, {"Name": value}, None)


@pytest.mark.parametrize(
    "url", ["http://", "ftp://a", "http://a:0", "http://a:99999", "http://a@b"]
)
def test_a_url_names_a_host(url: str) -> None:
    with pytest.raises(NotSent):
        split_url(url)
