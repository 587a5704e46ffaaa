"""Classes by the name that documents carry of them.

A name in a document is data, and data must not choose what is imported. So only classes that the
program itself has registered are found.
"""

from typing import Any

from quoth.errors import Misuse


class TypeRegistry:
    """Names of classes -> the classes a program has registered."""

    def __init__(self) -> None:
        self._by_name: dict[str, type[Any]] = {}

    def register(self, name: str, kind: type[Any]) -> None:
        """From now on documents that carry this name may become instances of the class."""
        known = self._by_name.setdefault(name, kind)
        if known is not kind:
            raise Misuse(f"another class is registered as {name!r} already")

    def find(self, name: object) -> type[Any] | None:
        """The class of that name, None if no such class was registered."""
        return self._by_name.get(name) if isinstance(name, str) else None
