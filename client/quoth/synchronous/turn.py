"""Turn: one thread has a synchronous session, and it is always its turn."""

from contextlib import nullcontext


class Turn(nullcontext[None]):
    """Held by the one thread there is."""
