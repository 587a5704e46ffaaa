"""Making an entity equal to a fresh one of its kind, in place: the program may hold it."""

from collections.abc import Iterator
from typing import Any

from quoth.entities.kinds import layout_of
from quoth.entities.models import is_model
from quoth.errors import Misuse


def become(entity: Any, fresh: Any) -> None:
    """Make an entity equal to a fresh one of its kind.

    Raises Misuse for one that cannot be changed; it is as before then.
    """
    if type(entity) is not type(fresh):
        raise Misuse(f"a {type(entity).__name__} cannot become a {type(fresh).__name__}")
    if isinstance(entity, dict):
        entity.clear()
        entity.update(fresh)
        return
    old, new = getattr(entity, "__dict__", {}), getattr(fresh, "__dict__", {})
    slots = [name for name in _slots_of(type(entity)) if hasattr(fresh, name)]
    if is_model(type(entity)) and not layout_of(type(entity)).is_frozen:
        # All at once: what was valid and will be need not be so halfway.
        for name in ("__dict__", *slots):
            object.__setattr__(entity, name, getattr(fresh, name))
        return
    before = dict(old), {name: getattr(entity, name) for name in slots if hasattr(entity, name)}
    try:
        for name in (*new, *slots):
            setattr(entity, name, getattr(fresh, name))
        for name in old.keys() - new.keys():
            delattr(entity, name)
    except Exception as error:  # frozen classes say it in many ways, and others have a say too
        _go_back(entity, *before)
        text = f"a {type(entity).__name__} cannot be changed in place: evict it and load it again"
        raise Misuse(f"{text} ({error})") from None


def _go_back(entity: Any, attributes: dict[str, Any], slots: dict[str, Any]) -> None:
    """Undo what was changed of an entity, whatever its class has against it."""
    if hasattr(entity, "__dict__"):
        entity.__dict__.clear()
        entity.__dict__.update(attributes)
    for name, value in slots.items():
        if getattr(entity, name) is not value:
            object.__setattr__(entity, name, value)


def _slots_of(kind: Any) -> Iterator[str]:
    yield from getattr(kind, "__struct_fields__", ())
    for each in kind.__mro__:
        names = vars(each).get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if name not in ("__dict__", "__weakref__"):
                yield name
