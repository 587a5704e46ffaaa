"""How long a client may take to send a body: no longer than it would at a slow, but steady pace."""

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """A body on its way. Time counts only while it is waited for."""

    idle_seconds_max: float  # between two pieces
    bytes_per_second_min: int  # on the whole, after the first idle time
    waited_seconds: float = 0.0
    received_bytes: int = 0

    def patience_seconds(self) -> float:
        """How long the next piece may take; nothing is left for who was too slow."""
        earned = self.received_bytes / self.bytes_per_second_min
        left = self.idle_seconds_max + earned - self.waited_seconds
        return min(max(left, 0.0), self.idle_seconds_max)

    def received(self, size: int, *, waited_seconds: float) -> None:
        """A piece is here."""
        self.received_bytes += size
        self.waited_seconds += waited_seconds
