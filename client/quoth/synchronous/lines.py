# Made from asynchronous/lines.py by `python -m scripts.twins`: change that one.
"""Lines: the lines of an answer as they come, without holding all of it."""

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from quoth.lines import LineSplitter
from quoth.transport import ByteStream


class Lines:
    """Lines as bytes, without their ends and without empty ones; to be read once.

    It holds a connection until its end, or until it is closed: in a `with` block, who leaves early
    gives it back at once. Raises FateUnknown if the rest does not come.
    """

    def __init__(self, body: ByteStream) -> None:
        self._body = body

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[bytes]:
        splitter = LineSplitter()
        try:
            for piece in self._body:
                for line in splitter.feed(piece):
                    if line:
                        yield line
            if rest := splitter.rest():
                yield rest
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the connection; what is left is not read."""
        self._body.close()
