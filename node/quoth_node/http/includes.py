"""Include paths: which ids the properties of a document name. Pure.

boss                a property that holds an id, or an array of ids
address.city        a property within another
lines[].product     through the elements of an array; 'lines,product' is the old way to say it
boss(users/)        the property holds what follows 'users/'
prices.$Values      the values of an object, or its keys with '$Keys'
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

WITH_PREFIX = re.compile(r"(.*)\((.*)\)", re.DOTALL)
STEPS_MAX = 32


@dataclass(frozen=True, slots=True)
class IncludePath:
    """A path, split; each id it finds gets the prefix."""

    steps: tuple[str, ...]
    prefix: str = ""


def parse_path(text: str) -> IncludePath:
    """The path that `text` writes down; steps beyond a limit find nothing and are cut."""
    match = WITH_PREFIX.fullmatch(text)
    path, prefix = (match[1], match[2]) if match else (text, "")
    steps = path.replace("[]", "").replace(",", ".").split(".")
    return IncludePath(tuple(step for step in steps if step)[:STEPS_MAX], prefix)


def ids_at(value: object, path: IncludePath) -> Iterator[str]:
    """The ids that `path` finds in a document; whatever cannot be an id is passed over."""
    for found in walk(value, path.steps):
        if isinstance(found, str) and found:
            yield path.prefix + found
        elif isinstance(found, int) and not isinstance(found, bool):
            yield f"{path.prefix}{found}"


def walk(value: object, steps: tuple[str, ...]) -> Iterator[object]:
    if isinstance(value, list):
        for item in value:
            yield from walk(item, steps)
    elif not steps:
        yield value
    elif isinstance(value, dict):
        step, rest = steps[0], steps[1:]
        if step == "$Values":
            yield from walk(list(value.values()), rest)
        elif step == "$Keys":
            yield from walk(list(value), rest)
        elif step in value:
            yield from walk(value[step], rest)
