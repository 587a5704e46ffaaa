"""Plain classes: made by their `__init__`, stored as what is in their attributes.

A class that converts itself, as programs for the official client may have it, is asked: the class
method `from_json` with the document, `to_json` for it.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_origin

from quoth.entities.annotations import hints_of, is_class_variable
from quoth.entities.layouts import Layout, Slot


def object_layout(wanted: Any, kind: type) -> Layout:
    """What `__init__` names and what is annotated. Instances may have any other attribute."""
    hints = hints_of(wanted)
    parameters = parameters_of(kind)
    slots = []
    for name, each in parameters.items():
        hint = hints.get(name, Any)
        if each.default is None and hint is not Any:
            hint = hint | None  # `name: str = None` means "or null", as older code says it
        other = (f"_{name}",) if not name.startswith("_") else ()
        slots.append(Slot(name, name, hint, parameter=name, is_required=each.default is each.empty,
                          other_names=other))  # fmt: skip
    for name in annotated_names(kind):
        if name not in parameters and not is_class_variable(hints.get(name)):
            slots.append(Slot(name, name, hints.get(name, Any)))
    return Layout(kind, tuple(slots))


def parameters_of(wanted: type) -> Mapping[str, inspect.Parameter]:
    """What `__init__` takes by name."""
    kind = get_origin(wanted) or wanted
    if getattr(kind, "__init__", None) is object.__init__:
        return {}
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    try:
        found = inspect.signature(kind).parameters
    except ValueError:
        return {}  # a class written in C keeps it to itself
    return {name: each for name, each in found.items() if each.kind in named}


def annotated_names(kind: type) -> list[str]:
    """The attributes that a class and its bases annotate."""
    found: dict[str, None] = {}
    for place in reversed(kind.__mro__):
        if place is not object:
            found.update(dict.fromkeys(inspect.get_annotations(place)))
    return list(found)


def attributes_of(entity: Any) -> dict[str, Any]:
    """The attributes an instance has now, those in `__slots__` too."""
    found: dict[str, Any] = {}
    for place in reversed(type(entity).__mro__):
        names = place.__dict__.get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if name not in ("__dict__", "__weakref__") and hasattr(entity, name):
                found[name] = getattr(entity, name)
    found.update(getattr(entity, "__dict__", {}))
    return found


def own_reader(kind: Any) -> Callable[[Any], Any] | None:
    """The class method `from_json`, if the class has one."""
    found = getattr(kind, "from_json", None)
    return found if inspect.ismethod(found) and found.__self__ is kind else None


def own_form(entity: Any) -> Mapping[str, Any] | None:
    """What `to_json` makes of an entity, if that is an object of JSON."""
    convert = getattr(entity, "to_json", None)
    found = convert() if inspect.ismethod(convert) else None
    return found if isinstance(found, Mapping) else None


def place_for(kind: type, name: str) -> str:
    """How an attribute that `__init__` did not take gets in: "own", "set", or "none".

    Methods are never covered by data, and neither is what Python itself uses.
    """
    if name.startswith("__") and name.endswith("__"):
        return "none"
    found = inspect.getattr_static(kind, name, None)
    if isinstance(found, property):
        return "none" if found.fset is None else "set"
    if inspect.isdatadescriptor(found):
        return "set"  # one of __slots__
    is_method = callable(found) or isinstance(found, classmethod | staticmethod)
    return "none" if is_method or not _has_dict(kind) else "own"


def _has_dict(kind: type) -> bool:
    return any("__dict__" in vars(place) for place in kind.__mro__)
