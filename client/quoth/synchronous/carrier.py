# Made from asynchronous/carrier.py by `python -m scripts.twins`: change that one.
"""Carrier: how what is outside sessions reaches the cluster, and lets time pass."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from quoth.commands import Command


@dataclass(frozen=True, slots=True)
class Carrier:
    """What a store hands to its operations.

    execute: carries a command for a database, None for the store's own.
    pause: lets so many seconds pass.
    monotonic: seconds, which never go back.
    """

    execute: Callable[[Command[Any], str | None], Any]
    pause: Callable[[float], None]
    monotonic: Callable[[], float]
