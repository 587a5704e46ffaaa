"""Paths into a document: `address.city`, `tags[].name`, `@metadata.@collection`, `id()`."""

from dataclasses import dataclass
from typing import Any

ID = "id()"
METADATA = "@metadata"
MISSING: Any = object()  # there is no such property; not the same as null
LENGTHS = frozenset({"length", "count"})  # of arrays, as scripts and C# write it


@dataclass(frozen=True, slots=True)
class Path:
    """A path that was taken apart once."""

    text: str
    names: tuple[str, ...]
    may_be_length: bool  # its last name may ask for how many an array has

    @classmethod
    def of(cls, text: str) -> "Path":
        parts = text.split(".")
        may_be_length = len(parts) > 1 and parts[-1].lower() in LENGTHS and "[]" not in text
        return cls(text, tuple(part.removesuffix("[]") for part in parts), may_be_length)

    def read(self, document: dict[str, Any]) -> Any:
        """What is there, `MISSING` if nothing is; through an array, a list of what is there.

        `lines.Count` and `lines.length` are how many lines there are, `lines[].Count` what each
        of them has under that name.
        """
        if self.may_be_length and type(array := _owned(document, self.names[:-1])) is list:
            return len(array)
        return _read(document, self.names)


def _owned(value: Any, names: tuple[str, ...]) -> Any:
    """What is there without going through an array."""
    for name in names:
        value = value.get(name, MISSING) if type(value) is dict else MISSING
    return value


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
