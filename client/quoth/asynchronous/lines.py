"""AsyncLines: the lines of an answer as they come, without holding all of it."""

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from quoth.lines import LineSplitter
from quoth.transport import AsyncByteStream


class AsyncLines:
    """Lines as bytes, without their ends and without empty ones; to be read once.

    It holds a connection until its end, or until it is closed: in a `with` block, who leaves early
    gives it back at once. Raises FateUnknown if the rest does not come.
    """

    def __init__(self, body: AsyncByteStream) -> None:
        self._body = body

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        splitter = LineSplitter()
        try:
            async for piece in self._body:
                for line in splitter.feed(piece):
                    if line:
                        yield line
            if rest := splitter.rest():
                yield rest
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Let go of the connection; what is left is not read."""
        await self._body.aclose()
