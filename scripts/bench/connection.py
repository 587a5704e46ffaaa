"""One kept connection to a node: a request, its answer, the next request.

Written by hand because the load of a measurement shares the machine with what it measures: a
request costs a tenth of what it costs with a client library.
"""

import asyncio
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

LINE_END = b"\r\n"


class Refused(Exception):
    """An answer that is no success: its status and what it says."""


class Connection:
    """Not to be shared by two tasks."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None and parts.port is not None, "as `ready` prints it"
        self._host, self._port = parts.hostname, parts.port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, method: str, target: str, body: bytes = b"") -> bytes:
        """The body of the answer. Raises Refused, OSError, EOFError."""
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        head = f"{method} {target} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
        self._writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await self._reader.readuntil(LINE_END + LINE_END)
        status_line, *lines = answer.split(LINE_END)
        pairs = (line.partition(b":") for line in lines)
        headers = {name.lower(): value for name, _, value in pairs}
        content = await self._reader.readexactly(int(headers.get(b"content-length", b"0")))
        status = int(status_line.split()[1])
        if status >= 300:
            raise Refused(f"{method} {target}: {status} {content[:500].decode(errors='replace')}")
        return content

    def close(self) -> None:
        """Break it off; the next request opens another one."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
