"""Models of pydantic: what they are made by, and what they are written as. It is not imported.

A model reads itself, with its validators. It is written under the names and with the values of
`model_dump(mode="json", by_alias=True)`, except that dates and times are written as everywhere.
"""

import dataclasses
import sys
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, get_args

from quoth.entities.layouts import Layout, Slot
from quoth.entities.mismatch import Mismatch
from quoth.entities.plain import Json, JsonObject, encode

Write = Callable[[str, Any], Json]

# Values whose JSON is pydantic's own business.
_ITS_OWN = frozenset({"bytes", "bytearray", "timedelta"})
_ITS_MODULES = ("pydantic", "pydantic_core", "ipaddress", "re")


def is_model(kind: Any) -> bool:
    """A model; dataclasses of pydantic are dataclasses."""
    return hasattr(kind, "__pydantic_validator__") and not dataclasses.is_dataclass(kind)


def model_layout(kind: Any) -> Layout:
    """The fields by the names they are written under, computed ones left out."""
    by_name = kind.model_config.get("populate_by_name") or kind.model_config.get("validate_by_name")
    slots = []
    for attribute, each in kind.__pydantic_fields__.items():
        name = each.serialization_alias or each.alias or attribute
        read = [*_names_in(each.validation_alias or each.alias or attribute)]
        read += [attribute] if by_name else []
        slots.append(
            Slot(
                attribute,
                name,
                each.annotation,
                parameter=read[0] if read else name,
                is_required=each.is_required(),
                is_written=not each.exclude,
                other_names=tuple(dict.fromkeys(other for other in read if other != name)),
            )
        )
    return Layout(kind, tuple(slots), is_frozen=bool(kind.model_config.get("frozen")))


def model_reader(kind: Any) -> Callable[[Json], Any]:
    """Reads a JSON value as a model, by the model's own rules for JSON."""
    computed = frozenset(_computed_names(kind))

    def read(value: Json) -> Any:
        if computed and type(value) is dict:
            value = {name: each for name, each in value.items() if name not in computed}
        try:
            return kind.model_validate_json(encode(value))
        except ValueError as error:
            raise mismatch_of(error) from error

    return read


def model_writer(kind: Any, layout: Layout) -> Callable[[Any, Write], Json]:
    """Writes a model as a JSON value.

    The writer is called with the model and a function for values that are nobody's in particular,
    which is called with the name of the field and its value.
    """
    if kind.__pydantic_decorators__.model_serializers:
        return lambda value, write: value.model_dump(mode="json", by_alias=True)
    if getattr(kind, "__pydantic_root_model__", False):
        return lambda value, write: write("root", value.root)
    slots = [each for each in layout.slots if each.is_written]
    own = _written_by_pydantic(kind)
    computed = _computed_names(kind)

    def write_model(value: Any, write: Write) -> JsonObject:
        dumped = value.model_dump(mode="json", by_alias=True, include=own) if own else {}
        plain: JsonObject = {}
        for each in slots:
            if each.attribute not in own:
                plain[each.name] = write(each.name, getattr(value, each.attribute))
            elif each.name in dumped:
                plain[each.name] = dumped[each.name]
        for name, attribute in computed.items():
            plain[name] = write(name, getattr(value, attribute))
        for name, item in (value.__pydantic_extra__ or {}).items():
            plain[name] = write(name, item)
        return plain

    return write_model


def _names_in(alias: Any) -> Iterator[str]:
    if isinstance(alias, str):
        yield alias
    for each in getattr(alias, "choices", ()):
        yield from _names_in(each)
    path: Any = getattr(alias, "path", ())
    if len(path) == 1:
        yield path[0]


def _computed_names(kind: Any) -> dict[str, str]:
    found = kind.__pydantic_decorators__.computed_fields
    return {each.info.alias or name: name for name, each in found.items()}


@cache
def _written_by_pydantic(kind: Any) -> frozenset[str]:
    """The attributes that have a serializer, or a value that pydantic writes in its own way."""
    with_serializer: set[str] = set()
    for each in kind.__pydantic_decorators__.field_serializers.values():
        with_serializer.update(each.info.fields)
    if "*" in with_serializer:
        with_serializer.update(kind.__pydantic_fields__)
    for attribute, each in kind.__pydantic_fields__.items():
        if any(type(part).__name__.endswith("Serializer") for part in each.metadata):
            with_serializer.add(attribute)
        elif attribute not in with_serializer:
            parts = set(_leaves(each.annotation))
            if any(hasattr(part, "get_secret_value") for part in parts):
                raise Mismatch(
                    f"field {attribute!r} of {kind.__name__} is a secret, which pydantic writes as"
                    " stars: give it a field_serializer that says how to store it"
                )
            if any(_is_its_own(part) for part in parts):
                with_serializer.add(attribute)
    return frozenset(with_serializer & set(kind.__pydantic_fields__))


def _leaves(hint: Any) -> Iterator[Any]:
    inner = get_args(hint)
    if not inner:
        yield hint
    for each in inner:
        yield from _leaves(each)


def _is_its_own(leaf: Any) -> bool:
    if getattr(leaf, "__name__", "") in _ITS_OWN:
        return True
    module = getattr(leaf, "__module__", "").partition(".")[0]
    return isinstance(leaf, type) and module in _ITS_MODULES and not is_model(leaf)


def mismatch_of(error: Exception) -> Mismatch:
    """What a class has against its values; of several complaints of pydantic the first."""
    listed: Any = getattr(error, "errors", None)
    if "pydantic_core" in sys.modules and callable(listed):
        first = listed(include_url=False)[0]
        found = Mismatch(f"{first['msg']}, found {first['input']!r:.60}")
        for part in reversed(first["loc"]):
            found.at(f"[{part}]" if isinstance(part, int) else str(part))
        return found
    if isinstance(error, ValueError | TypeError):
        return Mismatch(str(error))
    return Mismatch(f"{type(error).__name__}: {error}")  # a KeyError says no more than the key
