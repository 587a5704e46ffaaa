"""Structs of msgspec, as lists of fields. msgspec is used only through a struct's own module."""

import sys
from typing import Annotated, Any, get_args, get_origin

from quoth.entities.annotations import hints_of, members_of
from quoth.entities.layouts import NEVER, Layout, Slot
from quoth.entities.mismatch import Mismatch
from quoth.errors import WrongType


def is_struct(kind: Any) -> bool:
    """A struct of msgspec."""
    return hasattr(kind, "__struct_fields__") and hasattr(kind, "__struct_config__")


def struct_layout(wanted: Any, kind: Any) -> Layout:
    """Names as `rename` makes them; tag and limits (`msgspec.Meta`) as msgspec checks them."""
    config = kind.__struct_config__
    if config.array_like:
        raise WrongType(f"{kind.__name__} is array_like: documents have fields by name")
    hints = hints_of(wanted)
    defaults = kind.__struct_defaults__
    attributes = kind.__struct_fields__
    required = len(attributes) - len(defaults)
    slots = []
    for place, attribute in enumerate(attributes):
        default = defaults[place - required] if place >= required else _library().NODEFAULT
        hint = hints.get(attribute, Any)
        slots.append(
            Slot(
                attribute,
                kind.__struct_encode_fields__[place],
                _without_unset(hint),
                parameter=attribute,
                is_required=default is _library().NODEFAULT,
                omitted=_omitted(default, config.omit_defaults),
                check=_limits_of(hint),
            )
        )
    tag = None if config.tag is None else (config.tag_field, config.tag)
    return Layout(kind, tuple(slots), config.frozen, config.forbid_unknown_fields, tag)


def _library() -> Any:
    return sys.modules["msgspec"]


def _omitted(default: Any, omits_defaults: bool) -> Any:
    if default is _library().UNSET:
        return default
    if not omits_defaults or default is _library().NODEFAULT:
        return NEVER
    if type(default).__name__ == "Factory":
        made = default.factory
        return made() if made in (list, dict, set) else NEVER
    return default


def _without_unset(hint: Any) -> Any:
    members = members_of(hint)
    unset = _library().UnsetType
    if unset not in members:
        return hint
    left: Any = None
    for each in members:
        if each is not unset:
            left = each if left is None else left | each
    return Any if left is None else left


def _limits_of(hint: Any) -> Any:
    """What checks the limits in an annotation, if there are any."""
    if not _has_limits(hint):
        return None

    def check(value: Any) -> Any:
        try:
            return _library().convert(value, hint)
        except ValueError as error:
            raise Mismatch(str(error)) from None

    return check


def _has_limits(hint: Any) -> bool:
    if get_origin(hint) is Annotated:
        return any(type(each).__name__ == "Meta" for each in hint.__metadata__)
    return any(_has_limits(each) for each in get_args(hint))
