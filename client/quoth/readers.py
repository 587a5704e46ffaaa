"""From an annotation to a function that reads a JSON value as it.

A reader is made once per annotation and kept. What does not fit raises Mismatch, which collects
the path to the place while it rises; `serialization.py` turns it into the error users see.
"""

import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import cache
from typing import (
    Annotated,
    Any,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)
from uuid import UUID

Json = Any  # a JSON value; no type says it better without a cast at every step
Reader = Callable[[Json], Any]


class Mismatch(Exception):
    """A JSON value is not what an annotation says; the path grows while it rises."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
        self.path: list[str] = []

    def __str__(self) -> str:
        if not self.path:
            return self.why
        path = ".".join(reversed(self.path)).replace(".[", "[")
        return f"field {path!r}: {self.why}"


def reader_of(wanted: Any) -> Reader:
    """The function that reads a JSON value as `wanted`, or raises Mismatch."""
    while get_origin(wanted) is Annotated:
        wanted = get_args(wanted)[0]
    return _make_reader(wanted)


def known_names(entity_type: Any) -> frozenset[str]:
    """The names of a JSON object that a class has a place for."""
    return _cached_names(entity_type)


@cache
def _cached_names(entity_type: Any) -> frozenset[str]:
    if is_dataclass(entity_type):
        return frozenset(each.name for each in fields(entity_type))
    return frozenset(_parameters(entity_type))


def _expected(what: str, value: Json) -> Mismatch:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return Mismatch(f"expected {what}, found {type(value).__name__} {shown}")


@cache
def _make_reader(wanted: Any) -> Reader:
    if wanted in _SCALARS:
        return _SCALARS[wanted]
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin is Literal:
        return _literal_reader(arguments)
    if origin in (Union, types.UnionType):
        return _union_reader(arguments)
    shape = origin or wanted
    if not isinstance(shape, type) or is_typeddict(shape):
        return _as_is  # a TypeVar, a NewType, a TypedDict: nothing to check it by
    if issubclass(shape, Enum):
        return _enum_reader(shape)
    if shape is tuple and arguments and arguments[-1] is not Ellipsis:
        return _fixed_tuple_reader(arguments)
    if shape in _ARRAYS:
        return _array_reader(_ARRAYS[shape], arguments[0] if arguments else Any)
    if issubclass(shape, Mapping):
        return _mapping_reader(arguments[1] if len(arguments) == 2 else Any)
    return _dataclass_reader(shape) if is_dataclass(shape) else _plain_class_reader(shape)


def _as_is(value: Json) -> Any:
    return value


def _read_str(value: Json) -> str:
    if type(value) is str:
        return value
    raise _expected("a string", value)


def _read_bool(value: Json) -> bool:
    if type(value) is bool:
        return value
    raise _expected("true or false", value)


def _read_int(value: Json) -> int:
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)  # JSON has one kind of number, and JavaScript writes 7.0
    raise _expected("an integer", value)


def _read_float(value: Json) -> float:
    if type(value) in (float, int):
        return float(value)
    raise _expected("a number", value)


def _read_none(value: Json) -> None:
    if value is not None:
        raise _expected("null", value)


def _read_datetime(value: Json) -> datetime:
    if type(value) is str:
        whole, dot, fraction = value.partition(".")
        if dot:
            digits = len(fraction) - len(fraction.lstrip("0123456789"))
            whole += "." + fraction[: min(digits, 6)].ljust(6, "0") + fraction[digits:]
        try:
            return datetime.fromisoformat(whole)
        except ValueError:
            pass
    raise _expected("a date and time", value)


def _read_timedelta(value: Json) -> timedelta:
    if type(value) is str:
        sign, text = (-1, value[1:]) if value.startswith("-") else (1, value)
        try:
            front, minutes, seconds = text.split(":")
            days, _, hours = front.rpartition(".")
            whole, _, fraction = seconds.partition(".")
            return sign * timedelta(
                days=int(days or 0),
                hours=int(hours),
                minutes=int(minutes),
                seconds=int(whole),
                microseconds=int(fraction[:6].ljust(6, "0")),
            )
        except ValueError:
            pass
    raise _expected("a time span", value)


def _parsed_by(parse: Callable[[str], Any], what: str) -> Reader:
    def read(value: Json) -> Any:
        if type(value) is str:
            try:
                return parse(value)
            except (ValueError, InvalidOperation):
                pass
        raise _expected(what, value)

    return read


def _read_decimal(value: Json) -> Decimal:
    if type(value) in (int, float):
        return Decimal(str(value))
    found: Decimal = _parsed_by(Decimal, "a decimal number")(value)
    return found


_SCALARS: Mapping[Any, Reader] = {
    Any: _as_is,
    object: _as_is,
    str: _read_str,
    bool: _read_bool,
    int: _read_int,
    float: _read_float,
    None: _read_none,
    type(None): _read_none,
    datetime: _read_datetime,
    date: _parsed_by(lambda text: date.fromisoformat(text[:10]), "a date"),
    timedelta: _read_timedelta,
    UUID: _parsed_by(UUID, "a UUID"),
    Decimal: _read_decimal,
}
_ARRAYS: Mapping[type, Callable[[list[Any]], Any]] = {
    list: list,
    Sequence: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
}


def _literal_reader(values: tuple[Any, ...]) -> Reader:
    def read(value: Json) -> Any:
        for each in values:
            if type(value) is type(each) and value == each:
                return each
        raise _expected("one of " + ", ".join(map(repr, values)), value)

    return read


def _union_reader(members: tuple[Any, ...]) -> Reader:
    # null first, it is the common one; str last, for it takes what a date or an id was meant by.
    # Any other order would depend on which of two equal unions was seen first.
    ranks = {type(None): 0, str: 2}
    readers = [reader_of(each) for each in sorted(members, key=lambda each: ranks.get(each, 1))]
    names = " or ".join(_name_of(each) for each in members)

    def read(value: Json) -> Any:
        deepest: Mismatch | None = None
        for each in readers:
            try:
                return each(value)
            except Mismatch as mismatch:
                if mismatch.path:
                    deepest = mismatch
        raise deepest or _expected(names, value)

    return read


def _enum_reader(wanted: type[Enum]) -> Reader:
    def read(value: Json) -> Any:
        try:
            return wanted(value)
        except ValueError:
            raise _expected(f"a value of {wanted.__name__}", value) from None

    return read


def _array_reader(make: Callable[[list[Any]], Any], item: Any) -> Reader:
    read_item = reader_of(item)

    def read(value: Json) -> Any:
        if type(value) is not list:
            raise _expected("an array", value)
        items = []
        for place, each in enumerate(value):
            try:
                items.append(read_item(each))
            except Mismatch as mismatch:
                mismatch.path.append(f"[{place}]")
                raise
        return make(items)

    return read


def _fixed_tuple_reader(items: tuple[Any, ...]) -> Reader:
    readers = [reader_of(each) for each in items]

    def read(value: Json) -> Any:
        if type(value) is not list or len(value) != len(readers):
            raise _expected(f"an array of {len(readers)}", value)
        return tuple(
            _read_at(f"[{place}]", each, value[place]) for place, each in enumerate(readers)
        )

    return read


def _mapping_reader(item: Any) -> Reader:
    read_item = reader_of(item)

    def read(value: Json) -> Any:
        if type(value) is not dict:
            raise _expected("an object", value)
        return {name: _read_at(name, read_item, each) for name, each in value.items()}

    return read


def _dataclass_reader(wanted: type) -> Reader:
    hints = _hints(wanted)
    taken = [(each, hints[each.name]) for each in fields(wanted) if each.init]

    # Readers of the fields are found at the first use: a class may refer to itself.
    def read(value: Json) -> Any:
        if type(value) is not dict:
            raise _expected(f"an object for {wanted.__name__}", value)
        arguments = {}
        for each, hint in taken:
            if each.name in value:
                arguments[each.name] = _read_at(each.name, reader_of(hint), value[each.name])
            elif not _has_default(each):
                _check_dispensable(each.name, hint, wanted)
                arguments[each.name] = None
        return wanted(**arguments)

    return read


def _has_default(each: "Field[Any]") -> bool:
    return each.default is not MISSING or each.default_factory is not MISSING


def _check_dispensable(name: str, hint: Any, wanted: type) -> None:
    if hint is Any or type(None) in get_args(hint):
        return
    raise Mismatch(f"it has no field {name!r}, which {wanted.__name__} cannot do without")


def _plain_class_reader(wanted: type) -> Reader:
    """Calls the class with what its `__init__` names, then sets the other attributes."""
    hints = _hints(wanted)
    parameters = _parameters(wanted)

    def read(value: Json) -> Any:
        if type(value) is not dict:
            raise _expected(f"an object for {wanted.__name__}", value)
        arguments = {}
        for name, parameter in parameters.items():
            if name in value:
                hint = _hint_of(parameter, hints, name)
                arguments[name] = _read_at(name, reader_of(hint), value[name])
            elif parameter.default is parameter.empty:
                arguments[name] = None
        made = wanted(**arguments)
        for name, each in value.items():
            if name not in parameters:
                vars(made)[name] = _read_at(name, reader_of(hints.get(name, Any)), each)
        return made

    return read


def _parameters(wanted: type) -> Mapping[str, inspect.Parameter]:
    if getattr(wanted, "__init__", None) is object.__init__:
        return {}
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    found = inspect.signature(wanted).parameters
    return {name: each for name, each in found.items() if each.kind in named}


def _hint_of(parameter: inspect.Parameter, hints: Mapping[str, Any], name: str) -> Any:
    """An `__init__` that says `name: str = None` means "or null", as older code does."""
    hint = hints.get(name, Any)
    return hint | None if parameter.default is None and hint is not Any else hint


def _hints(wanted: type) -> Mapping[str, Any]:
    """The annotations of a class and its `__init__`, evaluated; Any for those that cannot be."""
    found: dict[str, Any] = {}
    places = [each for each in reversed(wanted.__mro__) if each is not object]
    for place in [*places, getattr(wanted, "__init__", None)]:
        names = getattr(inspect.getmodule(place), "__dict__", {})
        for name, hint in getattr(place, "__annotations__", {}).items():
            found[name] = _evaluated(hint, names)
    return found


def _evaluated(hint: Any, names: Mapping[str, Any]) -> Any:
    if not isinstance(hint, str):
        return hint
    alone = type("Alone", (), {"__annotations__": {"hint": hint}})
    try:
        return get_type_hints(alone, dict(names), include_extras=True)["hint"]
    except (NameError, AttributeError, TypeError, SyntaxError):
        return Any  # it names a class that lives inside a function, say


def _read_at(place: str, read: Reader, value: Json) -> Any:
    try:
        return read(value)
    except Mismatch as mismatch:
        mismatch.path.append(place)
        raise


def _name_of(wanted: Any) -> str:
    if wanted is type(None):
        return "null"
    return getattr(wanted, "__name__", str(wanted))
