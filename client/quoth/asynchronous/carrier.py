"""AsyncCarrier: how what is outside sessions reaches the cluster, and lets time pass."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from quoth.commands import Command


@dataclass(frozen=True, slots=True)
class AsyncCarrier:
    """What a store hands to its operations.

    execute: carries a command for a database, None for the store's own.
    pause: lets so many seconds pass.
    monotonic: seconds, which never go back.
    """

    execute: Callable[[Command[Any], str | None], Awaitable[Any]]
    pause: Callable[[float], Awaitable[None]]
    monotonic: Callable[[], float]
