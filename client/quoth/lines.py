"""Lines out of pieces that end anywhere. Pure."""

from collections.abc import Iterator


class LineSplitter:
    """Gives each line once it is whole, without its end."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []  # of the line that has begun

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The lines that end in this piece."""
        *ended, rest = piece.split(b"\n")
        for each in ended:
            line = b"".join((*self._pieces, each)) if self._pieces else each
            self._pieces.clear()
            yield line.rstrip(b"\r")
        if rest:
            self._pieces.append(rest)

    def rest(self) -> bytes:
        """The last line, if nothing ends it."""
        return b"".join(self._pieces).rstrip(b"\r")
