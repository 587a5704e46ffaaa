"""From a class of any kind to its layout.

attrs, pydantic and msgspec are recognised by what they leave on a class; none is imported.
"""

from dataclasses import is_dataclass
from typing import Any, get_origin

from quoth.entities.layouts import Layout
from quoth.entities.models import is_model, model_layout
from quoth.entities.objects import object_layout
from quoth.entities.records import attrs_layout, dataclass_layout, is_attrs
from quoth.entities.structs import is_struct, struct_layout
from quoth.errors import Misuse

_LAYOUTS: dict[Any, Layout] = {}


def layout_of(wanted: Any) -> Layout:
    """The fields of a class, or of a generic class with its arguments."""
    found = _LAYOUTS.get(wanted)
    if found is None:
        found = _LAYOUTS[wanted] = _made(wanted)
    return found


def _made(wanted: Any) -> Layout:
    kind: Any = get_origin(wanted) or wanted
    if is_dataclass(kind):
        return dataclass_layout(wanted, kind)
    if is_model(kind):
        return model_layout(kind)
    if is_struct(kind):
        return struct_layout(wanted, kind)
    if is_attrs(kind):
        return attrs_layout(wanted, kind)
    return object_layout(wanted, kind)


def check_type(wanted: Any) -> None:
    """Raise Misuse for what cannot be asked for: the name of a class, or an instance."""
    if not (isinstance(wanted, type) or get_origin(wanted) is not None or callable(wanted)):
        raise Misuse(f"what is asked for is a class, as in Company, not {wanted!r:.80}")


def is_plain(kind: Any) -> bool:
    """A class of none of the kinds that declare their fields."""
    return not (is_dataclass(kind) or is_model(kind) or is_struct(kind) or is_attrs(kind))
