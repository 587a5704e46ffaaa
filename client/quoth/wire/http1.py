"""HTTP/1.1 as bytes: a request written, a response read from whatever pieces arrive. Pure.

    reader = ResponseReader("GET")
    while not reader.is_done:
        reader.feed(what_the_connection_brought)

It never guesses where a response ends: what does not follow RFC 9112 raises Malformed, and the
connection must not be used again.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar

from quoth.errors import NotSent

HEAD_BYTES_MAX = 65_536
CHUNK_LINE_BYTES_MAX = 1_024
PORTS = {"http": 80, "https": 443}

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [^\r\n]*)?\Z")
_HEX = re.compile(rb"[0-9a-fA-F]{1,15}\Z")
_DIGITS = re.compile(r"[0-9]{1,18}\Z")
_ORIGIN = re.compile(r"(https?)://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._~%-]+)(?::([0-9]{1,5}))?\Z")


class Malformed(Exception):
    """What came is no response of HTTP/1.1, or ends in the middle of one."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where connections lead. `host_header` is how a request names it."""

    scheme: str
    host: str
    port: int
    host_header: str
    known: ClassVar[dict[str, "Origin"]] = {}

    @property
    def is_secure(self) -> bool:
        return self.scheme == "https"


def split_url(url: str) -> tuple[Origin, str]:
    """The origin of a URL, and what a request line asks it for.

    Raises NotSent if it leads nowhere.
    """
    end = url.find("/", 8)
    place, target = (url, "/") if end < 0 else (url[:end], url[end:])
    origin = Origin.known.get(place)
    if origin is None:
        origin = Origin.known[place] = _origin_of(place, url)
    return origin, target


def _origin_of(place: str, url: str) -> Origin:
    found = _ORIGIN.match(place)
    if found is None:
        raise NotSent(f"{url}: a URL names a host, as in http://127.0.0.1:8080")
    scheme, host, digits = found.groups()
    port = int(digits) if digits else PORTS[scheme]
    if not 0 < port < 65_536:
        raise NotSent(f"{url}: there is no port {port}")
    return Origin(scheme, host.strip("[]"), port, place.partition("://")[2])


def encode_request(
    method: str, target: str, origin: Origin, headers: Mapping[str, str], body: bytes | None
) -> bytes:
    """The bytes of a request. Raises NotSent for what would be read as more than one."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {origin.host_header}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    elif method in ("POST", "PUT"):
        lines.append("Content-Length: 0")
    lines.append("\r\n")
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) or text.count("\r") != len(lines) or " " in target:
        raise NotSent(f"{method} {target!r}: a header or the URL holds a line break or a space")
    try:
        head = text.encode("ascii")
    except UnicodeEncodeError as error:
        raise NotSent(f"{method} {target!r}: a header or the URL is not ASCII: {error}") from error
    return head + body if body else head


class _Part(Enum):
    HEAD = auto()
    COUNTED = auto()  # a body of a known length
    CHUNK_LINE = auto()
    CHUNK = auto()
    TRAILERS = auto()
    UNTIL_CLOSED = auto()
    DONE = auto()


class ResponseReader:
    """Reads one response. Invariant: what `take` gave and what is left to take is the body."""

    __slots__ = ("_buffer", "_is_head", "_left", "_part", "_pieces", "_was_11", "headers", "status")

    def __init__(self, method: str) -> None:
        self.status = 0  # until the head is here
        self.headers: dict[str, str] = {}  # by their names in lower case
        self._is_head = method == "HEAD"
        self._part = _Part.HEAD
        self._buffer = b""
        self._pieces: list[bytes] = []
        self._left = 0  # bytes of the body, or of this chunk and the line break after it
        self._was_11 = True

    @property
    def is_done(self) -> bool:
        """Whether the response is here whole."""
        return self._part is _Part.DONE

    @property
    def has_head(self) -> bool:
        """Whether status and headers are here."""
        return self._part is not _Part.HEAD

    @property
    def may_be_kept(self) -> bool:
        """Whether the connection is good for another request, when the response is done."""
        if self._buffer or self._part is not _Part.DONE:
            return False
        said = self.headers.get("connection", "").lower()
        return "close" not in said and (self._was_11 or "keep-alive" in said)

    def take(self) -> bytes:
        """What has come of the body since the last time."""
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def feed(self, data: bytes) -> None:
        """Some bytes have come. Raises Malformed."""
        self._buffer = self._buffer + data if self._buffer else data
        if self._part is _Part.HEAD:
            self._read_heads()
        if self._part is _Part.COUNTED:
            self._read_counted()
        elif self._part is _Part.UNTIL_CLOSED:
            self._pieces.append(self._buffer)
            self._buffer = b""
        elif self._part in (_Part.CHUNK_LINE, _Part.CHUNK, _Part.TRAILERS):
            self._read_chunks()

    def feed_end(self) -> None:
        """The other side has closed the connection. Raises Malformed if more was to come."""
        if self._part is _Part.UNTIL_CLOSED:
            self._part = _Part.DONE
            self.headers["connection"] = "close"
        elif self._part is not _Part.DONE:
            what = "an answer" if self._part is _Part.HEAD else "the end of the answer"
            raise Malformed(f"the connection was closed before {what}")

    def _read_heads(self) -> None:
        """Read the head; those of status 1xx only announce it."""
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end > HEAD_BYTES_MAX or (end < 0 and len(self._buffer) > HEAD_BYTES_MAX):
                raise Malformed(f"the head of the answer has over {HEAD_BYTES_MAX} bytes")
            if end < 0:
                return
            head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
            self._read_head(head)
            if self.status == 101:
                raise Malformed("the answer changes the protocol, which was not asked for")
            if self.status >= 200:
                self._begin_body()
                return

    def _read_head(self, head: bytes) -> None:
        first, *lines = head.split(b"\r\n")
        found = _STATUS.match(first)
        if found is None:
            raise Malformed(f"the answer is not HTTP/1.1: {first[:80]!r}")
        self._was_11, self.status = found[1] == b"1", int(found[2])
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon or not name or name[0] in " \t" or name[-1] in " \t":
                raise Malformed(f"a header of the answer cannot be read: {line[:80]!r}")
            name, value = name.lower(), value.strip(" \t")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        self.headers = headers

    def _begin_body(self) -> None:
        coding = self.headers.get("transfer-encoding")
        if self._is_head or self.status in (204, 304):
            self._part = _Part.DONE
        elif coding is not None:
            if coding.lower() != "chunked" or "content-length" in self.headers:
                raise Malformed(f"the answer comes in another way than chunked: {coding[:80]!r}")
            self._part = _Part.CHUNK_LINE
        elif (length := self.headers.get("content-length")) is not None:
            # The same number several times is still one number (RFC 9110, 8.6).
            numbers = {each.strip() for each in length.split(",")}
            if len(numbers) != 1 or not _DIGITS.match(number := numbers.pop()):
                raise Malformed(f"the answer has no length: {length[:80]!r}")
            self._left, self._part = int(number), _Part.COUNTED
        else:
            self._part = _Part.UNTIL_CLOSED

    def _read_counted(self) -> None:
        piece = self._buffer
        if len(piece) > self._left:
            piece = piece[: self._left]
        self._buffer = self._buffer[len(piece) :]
        if piece:
            self._pieces.append(piece)
        self._left -= len(piece)
        if not self._left:
            self._part = _Part.DONE

    def _read_chunks(self) -> None:
        """Read as many chunks as are here; what is left of the bytes is kept."""
        buffer, at = self._buffer, 0
        while self._part is not _Part.DONE:
            if self._part is _Part.CHUNK:
                # Two of the bytes that are left are the line break after the chunk.
                piece = buffer[at : at + self._left - 2] if self._left > 2 else b""
                if piece:
                    self._pieces.append(piece)
                    self._left -= len(piece)
                    at += len(piece)
                if self._left > 2 or len(buffer) - at < 2:
                    break
                if buffer[at : at + 2] != b"\r\n":
                    raise Malformed("a chunk of the answer does not end where it should")
                at += 2
                self._part = _Part.CHUNK_LINE
                continue
            end = buffer.find(b"\r\n", at)
            if (end if end >= 0 else len(buffer)) - at > CHUNK_LINE_BYTES_MAX:
                raise Malformed("a line between the chunks of the answer is too long")
            if end < 0:
                break
            self._chunk_line(buffer[at:end])
            at = end + 2
        self._buffer = buffer[at:]

    def _chunk_line(self, line: bytes) -> None:
        if self._part is _Part.TRAILERS:
            if not line:
                self._part = _Part.DONE
            return
        size = line.partition(b";")[0].strip(b" \t")
        if not _HEX.match(size):
            raise Malformed(f"a chunk of the answer has no length: {line[:80]!r}")
        number = int(size, 16)
        self._left = number + 2
        self._part = _Part.CHUNK if number else _Part.TRAILERS
