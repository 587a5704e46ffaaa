"""Flight: chunks on their way, one after the other. By hand in both folders."""

from collections.abc import Callable

from quoth.bulk_insert import Chunk


class Flight:
    """Carries each chunk before the next one is filled.

    `carry` notes what becomes of a chunk, and raises nothing but what must end everything.
    """

    def __init__(self, carry: Callable[[Chunk], None]) -> None:
        self._carry = carry

    def begin(self) -> None:
        """From now on chunks may be added."""

    @property
    def is_full(self) -> bool:
        """Never: a chunk has landed when `add` returns."""
        return False

    def add(self, chunk: Chunk) -> None:
        """Send a chunk."""
        self._carry(chunk)

    def one_landed(self) -> None:
        """Nothing is on its way."""

    def settle(self) -> None:
        """Nothing is on its way."""

    def end(self, error: BaseException | None) -> None:
        """Nothing is on its way."""
