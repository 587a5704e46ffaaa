"""Making an entity equal to a fresh one of its kind, in place: the program may hold it."""

from collections.abc import Iterator
from typing import Any

from quoth.errors import Misuse


def become(entity: Any, fresh: Any) -> None:
    """Make an entity equal to a fresh one of its kind.

    Raises Misuse for one that cannot be changed.
    """
    if type(entity) is not type(fresh):
        raise Misuse(f"a {type(entity).__name__} cannot become a {type(fresh).__name__}")
    if isinstance(entity, dict):
        entity.clear()
        entity.update(fresh)
        return
    old, new = getattr(entity, "__dict__", {}), getattr(fresh, "__dict__", {})
    slots = [name for name in _slots_of(type(entity)) if hasattr(fresh, name)]
    try:
        for name in (*new, *slots):
            setattr(entity, name, getattr(fresh, name))
        for name in old.keys() - new.keys():
            delattr(entity, name)
    except (AttributeError, TypeError, ValueError) as error:  # frozen classes say it in many ways
        text = f"a {type(entity).__name__} cannot be changed in place: evict it and load it again"
        raise Misuse(f"{text} ({error})") from None


def _slots_of(kind: Any) -> Iterator[str]:
    yield from getattr(kind, "__struct_fields__", ())
    for each in kind.__mro__:
        names = vars(each).get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if name not in ("__dict__", "__weakref__"):
                yield name
