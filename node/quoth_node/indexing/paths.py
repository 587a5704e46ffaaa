"""Paths into a document: `address.city`, `tags[].name`, `@metadata.@collection`, `id()`."""

from dataclasses import dataclass
from typing import Any

ID = "id()"
METADATA = "@metadata"
MISSING: Any = object()  # there is no such property; not the same as null


@dataclass(frozen=True, slots=True)
class Path:
    """A path that was taken apart once."""

    text: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> "Path":
        return cls(text, tuple(part.removesuffix("[]") for part in text.split(".")))

    def read(self, document: dict[str, Any]) -> Any:
        """What is there, `MISSING` if nothing is; through an array, a list of what is there."""
        return _read(document, self.names)


def _read(value: Any, names: tuple[str, ...]) -> Any:
    for at, name in enumerate(names):
        if type(value) is dict:
            value = value.get(name, MISSING)
            if value is MISSING:
                return MISSING
        elif type(value) is list:
            found = (_read(one, names[at:]) for one in value)
            return [one for one in found if one is not MISSING]
        else:
            return MISSING
    return value
