"""AsyncTurn: one task of a session after the other."""

import asyncio


class AsyncTurn(asyncio.Lock):
    """Held by the task whose turn it is."""
