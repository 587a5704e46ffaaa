"""Readers of JSON objects as instances of classes that declare their fields."""

from collections.abc import Callable, Sequence
from typing import Any

from quoth.entities.annotations import is_optional
from quoth.entities.kinds import layout_of
from quoth.entities.layouts import Layout, Slot
from quoth.entities.mismatch import Mismatch, expected
from quoth.entities.models import mismatch_of
from quoth.entities.objects import place_for
from quoth.entities.plain import Json, JsonObject, copied

Reader = Callable[[Json], Any]
Find = Callable[[Any], Reader]  # from an annotation to its reader


def record_reader(wanted: Any, find: Find) -> Reader:
    """Reads a dataclass, a class of attrs or a struct: what `__init__` takes, then the rest."""
    plan: tuple[Any, ...] | None = None

    # The readers of the fields are found at the first use: a class may refer to itself.
    def read(value: Json) -> Any:
        nonlocal plan
        if plan is None:
            plan = _planned(wanted, find)
        layout, taken, later, required = plan
        if type(value) is not dict:
            raise expected(f"an object for {layout.kind.__name__}", value)
        if layout.tag is not None or layout.forbids_unknown:
            _check_names(layout, value)
        arguments = {}
        name = ""
        try:
            for name, parameter, take in taken:
                if name in value:
                    arguments[parameter] = take(value[name])
        except Mismatch as mismatch:
            raise mismatch.at(name) from None
        if len(arguments) < len(taken):
            for each in required:
                if each.parameter not in arguments:
                    check_dispensable(each, layout.kind)
                    arguments[each.parameter] = None
        made = made_by(layout.kind, (), arguments)
        for name, attribute, take in later:
            if name in value:
                object.__setattr__(made, attribute, _taken(name, take, value))
        return made

    return read


def _planned(wanted: Any, find: Find) -> tuple[Any, ...]:
    layout = layout_of(wanted)
    takes = [(each, slot_reader(each, find)) for each in layout.slots]
    taken = [(each.name, each.parameter, take) for each, take in takes if each.parameter]
    later = [(each.name, each.attribute, take) for each, take in takes if not each.parameter]
    required = [each for each in layout.slots if each.is_required]
    return layout, taken, later, required


def object_reader(wanted: Any, find: Find) -> Reader:
    """Reads a plain class: calls it with what `__init__` names, then sets every other attribute."""
    plan: dict[str, tuple[Slot, Reader]] | None = None

    def read(value: Json) -> Any:
        nonlocal plan
        layout = layout_of(wanted)
        if plan is None:
            plan = {each.name: (each, slot_reader(each, find)) for each in layout.slots}
        if type(value) is not dict:
            raise expected(f"an object for {layout.kind.__name__}", value)
        arguments = {}
        for name, (slot, take) in plan.items():
            if slot.parameter is None:
                continue
            found = next((each for each in (name, *slot.other_names) if each in value), None)
            if found is not None:
                arguments[name] = _taken(found, take, value)
            elif slot.is_required:
                arguments[name] = None
        made = made_by(layout.kind, (), arguments)
        for name in value:
            if name not in arguments:
                take = plan[name][1] if name in plan else copied
                _set(made, name, _taken(name, take, value))
        return made

    return read


def _set(made: Any, name: str, value: Any) -> None:
    place = place_for(type(made), name)
    if place == "own":
        vars(made)[name] = value
    elif place == "set":
        try:
            setattr(made, name, value)
        except (ValueError, TypeError) as error:
            raise Mismatch(f"{type(made).__name__} refuses it: {error}").at(name) from error


def slot_reader(slot: Slot, find: Find) -> Reader:
    """Reads what one field takes."""
    read = find(slot.hint)
    check = slot.check
    if check is not None:
        return lambda value: check(read(value))
    if not slot.is_lenient:
        return read

    def read_leniently(value: Json) -> Any:
        try:
            return read(value)
        except Mismatch:
            return copied(value)  # the converter has the last word

    return read_leniently


def made_by(kind: Callable[..., Any], items: Sequence[Any], arguments: JsonObject) -> Any:
    """An instance; what its class has against it is a Mismatch."""
    try:
        return kind(*items, **arguments)
    except RecursionError:
        raise  # that is the document's depth
    except Exception as error:
        found = mismatch_of(error)
        found.why = f"{getattr(kind, '__name__', kind)} refuses it: {found.why}"
        raise found from error


def check_dispensable(slot: Slot, kind: type) -> None:
    """A field that is not in the document may be None, if its annotation allows that."""
    if not is_optional(slot.hint):
        raise Mismatch(f"it has no field {slot.name!r}, which {kind.__name__} cannot do without")


def _taken(name: str, take: Reader, value: JsonObject) -> Any:
    try:
        return take(value[name])
    except Mismatch as mismatch:
        raise mismatch.at(name) from None


def _check_names(layout: Layout, value: JsonObject) -> None:
    if layout.tag is not None:
        name, tag = layout.tag
        if value.get(name, tag) != tag:
            raise expected(repr(tag), value[name]).at(name)
    if layout.forbids_unknown:
        unknown = next((each for each in value if each not in layout.names), None)
        if unknown is not None:
            raise Mismatch(f"{layout.kind.__name__} forbids the field {unknown!r}")
