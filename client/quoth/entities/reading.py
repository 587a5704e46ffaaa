"""From an annotation to a function that reads a JSON value as it, or raises Mismatch.

A reader is made once per annotation and kept.
"""

import types
from collections import defaultdict, deque
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Sequence,
    Set,
)
from enum import Enum
from functools import partial
from typing import (
    Any,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    is_typeddict,
)

from quoth.entities.annotations import bare, hints_of, required_keys, substituted
from quoth.entities.kinds import is_plain
from quoth.entities.makers import made_by, object_reader, record_reader
from quoth.entities.mismatch import Mismatch, expected
from quoth.entities.models import is_model, model_reader
from quoth.entities.objects import own_reader
from quoth.entities.plain import Json, copied
from quoth.entities.scalars import SCALARS, Reader, enum_reader, literal_reader
from quoth.entities.unions import union_reader
from quoth.entities.writing import write_key

_ARRAYS: Mapping[Any, Callable[[list[Any]], Any]] = {
    **dict.fromkeys((list, Sequence, MutableSequence, Collection, Iterable), list),
    **dict.fromkeys((set, Set, MutableSet), set),
    tuple: tuple,
    frozenset: frozenset,
    deque: deque,
}
_MAPPINGS = (Mapping, MutableMapping)
# Equal annotations may differ in the order of a union's members, so their text is in the key.
_READERS: dict[tuple[Any, str], Reader] = {}
_OF_CLASSES: dict[Any, Reader] = {}


def reader_of(wanted: Any) -> Reader:
    """The function that reads a JSON value as `wanted`, or raises Mismatch."""
    if isinstance(wanted, type) and get_origin(wanted) is None:
        found = _OF_CLASSES.get(wanted)
        if found is None:
            found = _OF_CLASSES[wanted] = _made(wanted)
        return found
    try:
        key = wanted, repr(wanted)
        found = _READERS.get(key)
    except TypeError:
        return _made(wanted)  # Annotated with something that cannot be hashed
    if found is None:
        found = _READERS[key] = _made(wanted)
    return found


def _made(wanted: Any) -> Reader:
    wanted = bare(wanted)
    if type(wanted).__name__ == "TypeAliasType" or hasattr(get_origin(wanted), "__value__"):
        return _alias_reader(wanted)
    if isinstance(wanted, TypeVar):
        return _type_variable_reader(wanted)
    if is_typeddict(get_origin(wanted) or wanted):
        return _typed_dict_reader(wanted)
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin is Literal:
        return literal_reader(arguments)
    if origin in (Union, types.UnionType):
        return union_reader(arguments, [reader_of(each) for each in arguments])
    if wanted in SCALARS:
        return SCALARS[wanted]
    shape = origin or wanted
    if shape is tuple and arguments and arguments[-1] is not Ellipsis:
        return _fixed_tuple_reader([reader_of(each) for each in arguments], len(arguments), tuple)
    if shape is tuple and wanted not in (tuple,) and not arguments:
        return _fixed_tuple_reader([], 0, tuple)
    if shape in _ARRAYS:
        return _array_reader(_ARRAYS[shape], arguments[0] if arguments else Any)
    if not isinstance(shape, type):
        return copied  # a form of annotation that says nothing about JSON
    if shape in _MAPPINGS or issubclass(shape, dict):
        return _mapping_reader(shape, arguments or (Any, Any))
    if issubclass(shape, list | set | frozenset | deque):
        return _array_reader(shape, arguments[0] if arguments else Any)
    return _class_reader(wanted, shape)


def _class_reader(wanted: Any, shape: Any) -> Reader:
    if issubclass(shape, Enum):
        return enum_reader(shape)
    if issubclass(shape, tuple) and hasattr(shape, "_fields"):
        return _named_tuple_reader(wanted, shape)
    for wider in (str, int, float):
        if issubclass(shape, wider):
            return _subclass_reader(shape, SCALARS[wider])
    if is_model(shape):
        return model_reader(shape)
    if is_plain(shape):
        own = own_reader(shape)
        if own is not None:
            return lambda value: made_by(own, (copied(value),), {})
        return object_reader(wanted, reader_of)
    return record_reader(wanted, reader_of)


def _subclass_reader(shape: Any, read: Reader) -> Reader:
    return lambda value: shape(read(value))


def _alias_reader(alias: Any) -> Reader:
    """`type Tree = list[Tree]`: looked into at the first use, for it may refer to itself."""
    found: Reader | None = None

    def read(value: Json) -> Any:
        nonlocal found
        if found is None:
            origin = get_origin(alias) or alias
            known = dict(zip(origin.__type_params__, get_args(alias), strict=False))
            found = reader_of(substituted(origin.__value__, known))
        return found(value)

    return read


def _type_variable_reader(wanted: Any) -> Reader:
    if wanted.__constraints__:
        return reader_of(Union[wanted.__constraints__])  # noqa: UP007 - made of a tuple
    return copied if wanted.__bound__ is None else reader_of(wanted.__bound__)


def _array_reader(make: Callable[[list[Any]], Any], item: Any) -> Reader:
    read_item = reader_of(item)

    def read(value: Json) -> Any:
        if type(value) is not list:
            raise expected("an array", value)
        items: list[Any] = []
        try:
            for each in value:
                items.append(read_item(each))
        except Mismatch as mismatch:
            raise mismatch.at(f"[{len(items)}]") from None
        if make is list:
            return items
        try:
            return make(items)
        except TypeError as error:  # items of a set that cannot be hashed
            raise Mismatch(str(error)) from error

    return read


def _fixed_tuple_reader(
    readers: list[Reader], count_min: int, make: Callable[[list[Any]], Any]
) -> Reader:
    def read(value: Json) -> Any:
        if type(value) is not list or not count_min <= len(value) <= len(readers):
            raise expected(f"an array of {len(readers)}", value)
        items: list[Any] = []
        try:
            for take, each in zip(readers, value, strict=False):
                items.append(take(each))
        except Mismatch as mismatch:
            raise mismatch.at(f"[{len(items)}]") from None
        return make(items)

    return read


def _named_tuple_reader(wanted: Any, shape: Any) -> Reader:
    """Named tuples are arrays, as every encoder of JSON writes them."""
    hints = hints_of(wanted)
    readers = [reader_of(hints.get(name, Any)) for name in shape._fields]
    count_min = len(readers) - len(shape._field_defaults)
    return _fixed_tuple_reader(readers, count_min, lambda items: shape(*items))


def _mapping_reader(shape: Any, arguments: tuple[Any, ...]) -> Reader:
    key, item = arguments if len(arguments) == 2 else (*arguments, Any)
    make: Callable[[], Any] = shape if issubclass(shape, dict) else dict
    if shape is defaultdict:
        make = partial(defaultdict, _default_of(item))
    read_item = reader_of(item)
    key = bare(key)
    read_key = None if key in (str, Any) or isinstance(key, TypeVar) else _key_reader(key)

    def read(value: Json) -> Any:
        if type(value) is not dict:
            raise expected("an object", value)
        found = make()
        name = ""
        try:
            for name, each in value.items():
                found[name if read_key is None else read_key(name)] = read_item(each)
        except Mismatch as mismatch:
            raise mismatch.at(name) from None
        return found

    return read


def _key_reader(key: Any) -> Callable[[str], Any]:
    """Reads a name as a key, if the key is written as that name again."""
    read = reader_of(key)

    def read_key(name: str) -> Any:
        for form in (str, int):
            try:
                found = read(form(name))
                if write_key(found) == name:
                    return found
            except (Mismatch, ValueError):
                continue  # it is no number, or not what the key is made of
        raise expected(f"a key that is a {getattr(key, '__name__', key)}", name)

    return read_key


def _default_of(item: Any) -> Callable[[], Any] | None:
    shape = get_origin(item) or item
    return shape if shape in (list, set, dict, int, float, str, bool) else None


def _typed_dict_reader(wanted: Any) -> Reader:
    """Checks and reads the keys it names; others stay in the dictionary as they are."""
    kind = get_origin(wanted) or wanted
    readers: dict[str, Reader] | None = None
    required: frozenset[str] = frozenset()

    def read(value: Json) -> Any:
        nonlocal readers, required
        if readers is None:
            required = required_keys(wanted)
            readers = {name: reader_of(hint) for name, hint in hints_of(wanted).items()}
        if type(value) is not dict:
            raise expected(f"an object for {kind.__name__}", value)
        for name in required:
            if name not in value:
                why = f"it has no field {name!r}, which {kind.__name__} cannot do without"
                raise Mismatch(why)
        found = {}
        name = ""
        try:
            for name, each in value.items():
                found[name] = readers.get(name, copied)(each)
        except Mismatch as mismatch:
            raise mismatch.at(name) from None
        return found

    return read
