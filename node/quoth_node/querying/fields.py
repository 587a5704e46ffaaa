"""What a path finds in a parsed document: `address.city`, `tags[].name`, `@metadata.@id`. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

from quoth_node.indexing.paths import LENGTHS
from quoth_node.rql import PathStep


def value_at(document: object, steps: Sequence[PathStep]) -> Any:
    """The value of a projection: an array if the path goes through one; None if there is none."""
    if any(step.is_each for step in steps):
        return list(values_at(document, steps))
    found = document
    for at, step in enumerate(steps, start=1):
        if not isinstance(found, dict):
            return _length_of(found, step) if at == len(steps) else None
        found = found.get(step.name)
    return found


def values_at(document: object, steps: Sequence[PathStep]) -> Iterator[Any]:
    """Every value that a path leads to; none where it breaks off."""
    found: list[Any] = [document]
    if len(steps) > 1 and not any(step.is_each for step in steps):
        length = _length_of(value_at(document, steps[:-1]), steps[-1])
        if length is not None:
            return iter((length,))
    for step in steps:
        found = [one[step.name] for one in found if isinstance(one, dict) and step.name in one]
        if step.is_each:
            found = [item for one in found for item in (one if isinstance(one, list) else [one])]
    return iter(found)


def _length_of(found: object, step: PathStep) -> int | None:
    is_length = isinstance(found, list) and step.name.lower() in LENGTHS
    return len(found) if is_length and isinstance(found, list) else None
