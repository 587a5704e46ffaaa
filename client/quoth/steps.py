"""Steps: what a session does about the network, as a generator that knows no network.

It yields commands and is sent their results; what a command raises is raised where it was yielded.
"""

from collections.abc import Generator
from typing import Any, TypeVar

from quoth.commands import Command

T = TypeVar("T")
Steps = Generator[Command[Any], Any, T]


def ask(command: Command[T]) -> Steps[T]:
    """Yield one command; its result, typed."""
    result: T = yield command
    return result
