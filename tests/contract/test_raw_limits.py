"""Limits on the wire of a real node, whose event loop is another one than that of the tests."""

import json
import socket
from urllib.parse import urlsplit

import pytest
import requests

SECONDS_MAX = 30.0


def answer_to(url: str, data: bytes) -> tuple[int, str]:
    """Status and type of the error that answers bytes which are no whole request."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=SECONDS_MAX) as line:
        line.sendall(data)
        received = b""
        while chunk := line.recv(65_536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["Type"].rpartition(".")[2]


def test_headers_without_an_end_are_cut_off(node_url: str) -> None:
    endless = b"GET /build/version HTTP/1.1\r\n" + b"X: y\r\n" * 100
    one = b"Z: " + b"z" * 100_000
    assert answer_to(node_url, endless + one) == (431, "BadRequestException")
    assert requests.get(f"{node_url}/build/version", timeout=SECONDS_MAX).status_code == 200


@pytest.mark.parametrize("encoding", ["plain", "chunked"])
def test_a_head_in_one_piece_and_a_body_in_many(
    node_url: str, database: str, encoding: str
) -> None:
    pieces = [b'{"text":"', *[b"x" * 100_000] * 30, b'"}']
    address = f"{node_url}/databases/{database}/docs"
    data = b"".join(pieces) if encoding == "plain" else iter(pieces)
    answer = requests.put(address, params={"id": "a"}, data=data, timeout=SECONDS_MAX)
    assert answer.status_code == 201
    loaded = requests.get(address, params={"id": "a"}, timeout=SECONDS_MAX).json()
    assert len(loaded["Results"][0]["text"]) == 3_000_000
