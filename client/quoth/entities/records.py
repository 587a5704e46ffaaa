"""Dataclasses and classes of attrs, as lists of fields. attrs is not imported."""

import dataclasses
from typing import Any

from quoth.entities.annotations import hints_of
from quoth.entities.layouts import Layout, Slot


def is_attrs(kind: Any) -> bool:
    """A class of attrs."""
    return hasattr(kind, "__attrs_attrs__")


def dataclass_layout(wanted: Any, kind: Any) -> Layout:
    """All fields, and what only `__init__` takes."""
    hints = hints_of(wanted)
    slots = [_dataclass_slot(each, hints.get(each.name, Any)) for each in dataclasses.fields(kind)]
    for name, variable in kind.__dataclass_fields__.items():
        if repr(variable._field_type) == "_FIELD_INITVAR":
            hint = getattr(hints.get(name), "type", Any)
            slots.append(dataclasses.replace(_dataclass_slot(variable, hint), is_written=False))
    return Layout(kind, tuple(slots), is_frozen=kind.__dataclass_params__.frozen)


def _dataclass_slot(each: "dataclasses.Field[Any]", hint: Any) -> Slot:
    missing = dataclasses.MISSING
    has_default = each.default is not missing or each.default_factory is not missing
    parameter = each.name if each.init else None
    return Slot(each.name, each.name, hint, parameter, is_required=each.init and not has_default)


def attrs_layout(wanted: Any, kind: Any) -> Layout:
    """Documents have the name of the attribute, as `attrs.asdict` has it; `__init__` its alias."""
    hints = hints_of(wanted)
    slots = [
        Slot(
            each.name,
            each.name,
            hints.get(each.name, Any if each.type is None else each.type),
            parameter=each.alias if each.init else None,
            is_required=each.init and type(each.default).__name__ == "_Nothing",
            is_lenient=each.converter is not None,
        )
        for each in kind.__attrs_attrs__
    ]
    is_frozen = getattr(kind.__setattr__, "__name__", "") == "_frozen_setattrs"
    return Layout(kind, tuple(slots), is_frozen=is_frozen)
