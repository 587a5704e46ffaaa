"""RFC 6902: operations that change a JSON document, all or none. Pure; paths are RFC 6901.

Nothing here knows of documents of a database: it changes a parsed value in place, which the caller
throws away if an operation fails.
"""

from dataclasses import dataclass
from typing import Any

OPERATIONS_MAX = 10_000
COPIED_BYTES_MAX = 16 * 1_024 * 1_024  # each copy of a whole document doubles it
LEVELS_MAX = 254  # as many as a document can be kept with
VALUE_BYTES = 16  # what takes time is the number of values
SHOWN_CHARACTERS_MAX = 200


class JsonPatchFailed(Exception):
    """An operation makes no sense, or not on this document; the message names it."""


def apply_operations(document: object, operations: object) -> object:
    """`document` after all operations; it is changed on the way.

    Raises JsonPatchFailed.
    """
    if not isinstance(operations, list):
        raise JsonPatchFailed("Operations: an array was expected")
    if len(operations) > OPERATIONS_MAX:
        raise JsonPatchFailed(f"Operations: {OPERATIONS_MAX} are allowed, not {len(operations)}")
    copies = Copies()
    for number, operation in enumerate(operations):
        try:
            document = _apply(document, operation, copies)
        except JsonPatchFailed as error:
            raise JsonPatchFailed(f"Operations[{number}]{_named(operation)}: {error}") from error
    return document


@dataclass(slots=True)
class Copies:
    """Makes copies of values, so many of them."""

    bytes_left: int = COPIED_BYTES_MAX

    def of(self, value: object, levels: int = LEVELS_MAX) -> object:
        """A copy that shares nothing that could be changed."""
        if levels == 0:
            raise JsonPatchFailed(f"a value is nested over {LEVELS_MAX} levels deep")
        self.bytes_left -= VALUE_BYTES
        if isinstance(value, str):
            self.bytes_left -= len(value)
        elif isinstance(value, dict):
            self.bytes_left -= sum(map(len, value))
        if self.bytes_left < 0:
            raise JsonPatchFailed(f"the operations copy over {COPIED_BYTES_MAX} bytes")
        if isinstance(value, dict):
            return {name: self.of(one, levels - 1) for name, one in value.items()}
        if isinstance(value, list):
            return [self.of(one, levels - 1) for one in value]
        return value


def _apply(document: object, operation: object, copies: Copies) -> object:
    if not isinstance(operation, dict):
        raise JsonPatchFailed("an object was expected")
    path = _pointer(operation, "path")
    match operation.get("op"):
        case "add":
            return _add(document, path, copies.of(_value(operation)))
        case "remove":
            return _remove(document, path)[0]
        case "replace":
            return _replace(document, path, copies.of(_value(operation)))
        case "move":
            source = _pointer(operation, "from")
            if path[: len(source)] == source and len(path) > len(source):
                raise JsonPatchFailed("nothing is moved into itself")
            document, moved = _remove(document, source)
            return _add(document, path, moved)
        case "copy":
            source = _pointer(operation, "from")
            return _add(document, path, copies.of(_find(document, source)))
        case "test":
            if not is_equal(_find(document, path), _value(operation)):
                raise JsonPatchFailed("the value there is another one")
            return document
        case other:
            raise JsonPatchFailed(f"the operation {_shown(other)} is none of the six")


def is_equal(one: object, other: object) -> bool:
    """Equal as JSON: 1 and 1.0 are the same number, 1 and true are not the same value."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_equal, one, other))
    return one == other


# -- at a place


def _find(document: object, path: list[str]) -> object:
    for step in path:
        document = _child(document, step)
    return document


def _child(parent: object, step: str) -> object:
    if isinstance(parent, dict):
        if step not in parent:
            raise JsonPatchFailed(f"there is no property {_shown(step)}")
        return parent[step]
    if isinstance(parent, list):
        return parent[_index(step, len(parent) - 1)]
    raise JsonPatchFailed(f"{_shown(step)} leads into what is neither an object nor an array")


def _add(document: object, path: list[str], value: object) -> object:
    if not path:
        return value
    parent = _find(document, path[:-1])
    if isinstance(parent, dict):
        parent[path[-1]] = value
    elif isinstance(parent, list):
        end = len(parent)
        parent.insert(end if path[-1] == "-" else _index(path[-1], end), value)
    else:
        raise JsonPatchFailed(f"{_shown(path[-1])} leads into what is neither object nor array")
    return document


def _remove(document: object, path: list[str]) -> tuple[object, object]:
    """The document without what was at `path`, and that."""
    if not path:
        raise JsonPatchFailed("the whole document cannot be removed")
    parent = _find(document, path[:-1])
    removed = _child(parent, path[-1])
    if isinstance(parent, dict):
        del parent[path[-1]]
    else:
        assert isinstance(parent, list), "only objects and arrays have children"
        del parent[int(path[-1])]
    return document, removed


def _replace(document: object, path: list[str], value: object) -> object:
    if not path:
        return value
    parent = _find(document, path[:-1])
    _child(parent, path[-1])
    if isinstance(parent, dict):
        parent[path[-1]] = value
    else:
        assert isinstance(parent, list), "only objects and arrays have children"
        parent[int(path[-1])] = value
    return document


def _index(step: str, highest: int) -> int:
    """The place in an array; digits only, and no leading zero."""
    plain = step.isascii() and step.isdigit() and (step == "0" or step[0] != "0")
    if not plain or len(step) > 18:
        raise JsonPatchFailed(f"{_shown(step)} is no index of an array")
    if int(step) > highest:
        raise JsonPatchFailed(f"the array has no place {step}")
    return int(step)


# -- what an operation says


def _pointer(operation: dict[str, Any], name: str) -> list[str]:
    pointer = operation.get(name)
    if not isinstance(pointer, str):
        raise JsonPatchFailed(f"'{name}' is missing or not a string")
    if pointer == "":
        return []
    if pointer[0] != "/":
        raise JsonPatchFailed(f"'{name}' starts with '/', or is empty")
    steps = pointer[1:].split("/")
    if any("~" in step.replace("~0", "").replace("~1", "") for step in steps):
        raise JsonPatchFailed(f"'{name}' holds a '~' that is neither '~0' nor '~1'")
    return [step.replace("~1", "/").replace("~0", "~") for step in steps]


def _value(operation: dict[str, Any]) -> object:
    if "value" not in operation:
        raise JsonPatchFailed("'value' is missing")
    value: object = operation["value"]
    return value


def _named(operation: object) -> str:
    if not isinstance(operation, dict):
        return ""
    return f" ({_shown(operation.get('op'))} {_shown(operation.get('path'))})"


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else str(value)
    return f"'{text[:SHOWN_CHARACTERS_MAX]}'"
