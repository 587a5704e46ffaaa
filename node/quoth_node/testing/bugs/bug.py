"""One planted bug: what is wrong, who should find it, what takes the place of the real thing."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

Swap = tuple[Any, str, Any]  # of this object, that attribute, by this


@dataclass(frozen=True, slots=True)
class Bug:
    """A way to be wrong. `swaps` gives new replacements each time, with a memory of their own."""

    name: str
    wrong: str  # one sentence for a person
    workloads: tuple[str, ...]  # of which each should find it
    faults: tuple[str, ...]  # under which it shows; none: it shows without any
    checker: str  # what tells that something is wrong
    swaps: Callable[[], tuple[Swap, ...]]
    needs_power: bool = False  # it shows only where power can be lost

    def plant(self) -> None:
        """Be wrong from now on, to the end of this process."""
        for target, name, replacement in self.swaps():
            assert hasattr(target, name), f"{target} has no {name} any more"
            setattr(target, name, replacement)

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Be wrong for one block; for tests within one process."""
        with ExitStack() as stack:
            for target, name, replacement in self.swaps():
                stack.enter_context(patch.object(target, name, replacement))
            yield
