"""Making an entity equal to a fresh one of its kind, in place: the program may hold it."""

from collections.abc import Iterator
from typing import Any

from quoth.entities.kinds import layout_of
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
    if layout_of(type(entity)).is_frozen:
        text = f"a {type(entity).__name__} cannot be changed in place: evict it and load it again"
        raise Misuse(text)
    if hasattr(entity, "__dict__"):
        vars(entity).clear()
        vars(entity).update(vars(fresh))
    for name in _slots_of(type(entity)):
        if hasattr(fresh, name):
            setattr(entity, name, getattr(fresh, name))


def _slots_of(kind: Any) -> Iterator[str]:
    yield from getattr(kind, "__struct_fields__", ())
    for each in kind.__mro__:
        names = vars(each).get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if name not in ("__dict__", "__weakref__"):
                yield name
