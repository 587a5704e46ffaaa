"""What a class says about its attributes: annotations, evaluated and without their wrapping."""

import inspect
import types
from collections.abc import Mapping
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Generic,
    NotRequired,
    Protocol,
    Required,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

_WRAPPINGS = (Annotated, Final, Required, NotRequired)


def bare(hint: Any) -> Any:
    """An annotation without Annotated, Final, Required, NotRequired and NewType around it."""
    while True:
        if get_origin(hint) in _WRAPPINGS:
            hint = get_args(hint)[0]
        elif hint is Final:
            return Any
        elif hasattr(hint, "__supertype__"):
            hint = hint.__supertype__
        else:
            return hint


def is_class_variable(hint: Any) -> bool:
    """Whether an annotation says that the attribute is the class's, not the entity's."""
    return hint is ClassVar or get_origin(hint) is ClassVar


def is_optional(hint: Any) -> bool:
    """Whether None fits an annotation, or anything does."""
    hint = bare(hint)
    return hint is Any or hint is type(None) or type(None) in get_args(hint)


def members_of(hint: Any) -> tuple[Any, ...]:
    """The members of a union; the annotation itself if it is none."""
    hint = bare(hint)
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def hints_of(wanted: Any) -> dict[str, Any]:
    """The annotations of a class, of its bases and of its `__init__`, evaluated.

    `wanted` may be a generic class with its arguments, `Page[Order]`. Any stands for what cannot
    be evaluated.
    """
    kind = get_origin(wanted) or wanted
    known = type_arguments(wanted)
    found: dict[str, Any] = {}
    for place in reversed(kind.__mro__):
        if place is not object:
            found.update(_own_hints(place, kind))
    init = getattr(kind, "__init__", None)
    if inspect.isfunction(init):
        for name, hint in _own_hints(init, kind).items():
            found.setdefault(name, hint)
    found.pop("return", None)
    return {name: substituted(hint, known) for name, hint in found.items()}


def required_keys(wanted: Any) -> frozenset[str]:
    """The keys a TypedDict cannot do without.

    Where its annotations are text, as under `from __future__ import annotations`, Python's own
    `__required_keys__` does not see Required and NotRequired in them.
    """
    kind = get_origin(wanted) or wanted
    required = set(kind.__required_keys__)
    for name, hint in hints_of(kind).items():
        while (wrapping := get_origin(hint)) in _WRAPPINGS:
            if wrapping is Required:
                required.add(name)
            elif wrapping is NotRequired:
                required.discard(name)
            hint = get_args(hint)[0]
        text = getattr(kind.__annotations__[name], "__forward_arg__", "")
        if hint is Any and "NotRequired[" in text:
            required.discard(name)  # of something that cannot be evaluated
    return frozenset(required)


def type_arguments(wanted: Any) -> dict[Any, Any]:
    """What the type variables of a generic class and its bases stand for."""
    kind = get_origin(wanted) or wanted
    known = dict(zip(getattr(kind, "__parameters__", ()), get_args(wanted), strict=False))
    for base in getattr(kind, "__orig_bases__", ()):
        origin = get_origin(base)
        if isinstance(origin, type) and origin not in (Generic, Protocol):
            filled = substituted(base, known)
            if get_args(filled):
                known.update(type_arguments(filled))
    return known


def substituted(hint: Any, known: Mapping[Any, Any]) -> Any:
    """An annotation with type variables replaced by what they stand for."""
    if isinstance(hint, TypeVar):
        return known.get(hint, hint)
    parameters = getattr(hint, "__parameters__", ())
    if not known or not parameters or isinstance(hint, type):
        return hint
    return hint[tuple(known.get(each, each) for each in parameters)]


def _own_hints(place: Any, kind: type) -> dict[str, Any]:
    """The annotations of one class or function."""
    names = dict(getattr(inspect.getmodule(place), "__dict__", {}))
    # A class inside a function is in no module, but it can speak of itself.
    names.setdefault(kind.__name__, kind)
    names.setdefault(getattr(place, "__name__", ""), place)
    own = inspect.get_annotations(place)
    return {name: _evaluated(hint, names) for name, hint in own.items()}


def _evaluated(hint: Any, names: Mapping[str, Any]) -> Any:
    alone = types.new_class("Alone", (), {}, lambda body: body.update(__annotations__={"it": hint}))
    try:
        return get_type_hints(alone, dict(names), include_extras=True)["it"]
    except (NameError, AttributeError, TypeError, SyntaxError):
        # It names a class that lives inside a function, or that only a checker imports.
        return Any
