"""What a reply may take, counted while it is built: nothing beyond the limit is ever in memory."""

from quoth_node.http.errors import OverLimit


class Budget:
    """The bytes a reply may have yet."""

    def __init__(self, limit: int, advice: str) -> None:
        self._limit = limit
        self._left = limit
        self._advice = advice

    @property
    def left(self) -> int:
        """The bytes that are left."""
        return self._left

    def take(self, part: bytes) -> bytes:
        """`part`, now counted, with the comma behind it; raises OverLimit if it does not fit."""
        self.spend(len(part) + 1)
        return part

    def spend(self, size: int) -> None:
        """Count `size` bytes; raise OverLimit if they do not fit."""
        if size > self._left:
            raise OverLimit(f"The reply is over the limit of {self._limit} bytes: {self._advice}")
        self._left -= size

    def checked(self, whole: bytes) -> bytes:
        """`whole`, not counted; raises OverLimit if it alone is over the limit."""
        if len(whole) > self._limit:
            raise OverLimit(f"The reply is over the limit of {self._limit} bytes: {self._advice}")
        return whole
