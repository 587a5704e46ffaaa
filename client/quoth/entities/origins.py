"""What the objects of one entity were read from, so that a save drops and rewrites nothing.

An entity does not hold all of its document. A class may not know a field; a date with seven digits,
`7.0` for an integer, a missing field with a default are written differently than they were read.
So each object is remembered, by identity, with the JSON it was read from (`stored`) and the JSON it
was written as right then (`base`). When something has changed, what is written now is merged:

    written now == base    ->  what was stored
    else                   ->  what is written now, with the stored fields its class does not know

Objects are known by identity, so an item that moves in a list takes its unknown fields along, and
a new item has none. Frozen objects cannot be changed but by a copy: a new one of the same class in
the place of one that is gone (an attribute, a key, an index of a list as long as before) is it.
"""

from collections import deque
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from quoth.entities.kinds import is_plain, layout_of
from quoth.entities.numbers import fill
from quoth.entities.plain import Json, JsonObject, canonical
from quoth.entities.writing import Trace


@dataclass(frozen=True, slots=True)
class _Pair:
    """One value in two forms: as it was written when it was read, and as it was stored."""

    base: Json
    stored: Json


@dataclass(frozen=True, slots=True)
class _Origin(_Pair):
    """The same of an object, which is kept alive so that its identity stays its own."""

    owner: Any


class Origins:
    """The objects of one entity, with what they were read from."""

    def __init__(self) -> None:
        self._by_owner: dict[int, _Origin] = {}
        self._by_stored: dict[int, _Origin] = {}
        self._root: _Pair | None = None

    def remember(self, base: Json, stored: Json, trace: Trace) -> None:
        """Walk both forms of a value side by side."""
        if self._root is None:
            self._root = _Pair(base, stored)
        if isinstance(base, dict) and isinstance(stored, dict):
            owner = trace.get(id(base))
            if owner is not None:
                origin = _Origin(base, stored, owner)
                self._by_owner[id(owner)] = self._by_stored[id(stored)] = origin
            for stored_name, item in stored.items():
                kind = type(item)
                if kind is dict or kind is list:
                    name = _written_name(owner, stored_name, base)
                    if name in base:
                        self.remember(base[name], item, trace)
        elif isinstance(base, list) and isinstance(stored, list):
            for item, old in _paired(base, stored, is_set=id(base) in trace):
                self.remember(item, old, trace)

    def fill(self) -> None:
        """Numbers that were not known when this was remembered are known now."""
        for each in (self._root, *self._by_owner.values()):
            if each is not None:
                fill(each.base)
                fill(each.stored)

    def restored(self, written: Json, trace: Trace) -> Json:
        """What is to be stored for an entity that is written like this now."""
        return _Merge(self._by_owner, self._by_stored, trace).merged(written, self._root)


class _Merge:
    """One merge. Invariant: its results share nothing with the entity."""

    def __init__(
        self, by_owner: Mapping[int, _Origin], by_stored: Mapping[int, _Origin], trace: Trace
    ) -> None:
        self._by_owner = by_owner
        self._by_stored = by_stored
        self._trace = trace
        self._present = {id(owner) for owner in trace.values()}

    def merged(self, written: Json, pair: _Pair | None) -> Json:
        """`pair` is what stood in this place."""
        if isinstance(written, dict):
            owner = self._trace.get(id(written))
            pair = self._origin_of(owner, pair)
            if pair is None:
                return {name: self.merged(item, None) for name, item in written.items()}
            if canonical(written) == canonical(pair.base):
                return pair.stored
            return self._merged_object(written, pair, owner)
        if pair is not None and canonical(written) == canonical(pair.base):
            return pair.stored
        if isinstance(written, list):
            return self._merged_list(written, pair)
        return written

    def _origin_of(self, owner: Any, pair: _Pair | None) -> _Pair | None:
        known = self._by_owner.get(id(owner))
        if known is not None and known.owner is owner:
            return known
        if pair is None or not isinstance(pair.stored, dict) or not isinstance(pair.base, dict):
            return None
        if owner is None or isinstance(owner, Mapping):
            return pair  # dictionaries know all their names
        gone = self._by_stored.get(id(pair.stored))
        if gone is None or id(gone.owner) in self._present or type(gone.owner) is not type(owner):
            return None
        return gone if layout_of(type(owner)).is_frozen else None

    def _merged_object(self, written: JsonObject, pair: _Pair, owner: Any) -> JsonObject:
        base, stored = pair.base, pair.stored
        found: JsonObject = {}
        done: set[str] = set()
        for stored_name, old in stored.items():
            name = _written_name(owner, stored_name, base)
            if name not in base:
                if stored_name not in written:
                    found[stored_name] = old  # the class does not know it
            elif name in written:
                found[stored_name] = self.merged(written[name], _Pair(base[name], old))
                done.add(name)
        for name, item in written.items():
            if name in done:
                continue
            # A default that was not stored is no change.
            if name not in base or canonical(item) != canonical(base[name]):
                found[name] = self.merged(item, None)
        return found

    def _merged_list(self, written: list[Json], pair: _Pair | None) -> list[Json]:
        old: list[_Pair] = []
        is_set = isinstance(self._trace.get(id(written)), Set)
        if pair is not None and isinstance(pair.base, list) and isinstance(pair.stored, list):
            old = [_Pair(*each) for each in _paired(pair.base, pair.stored, is_set=is_set)]
        same: dict[bytes, deque[_Pair]] = {}
        for each in old:
            same.setdefault(canonical(each.base), deque()).append(each)
        is_as_long = len(written) == len(old) and not is_set
        found = []
        for place, item in enumerate(written):
            alike = same.get(canonical(item))
            if alike:
                found.append(self.merged(item, alike.popleft()))
            else:
                found.append(self.merged(item, old[place] if is_as_long else None))
        return found


def _written_name(owner: Any, stored_name: str, base: JsonObject) -> str:
    """The name a class writes a field under that is stored under this one."""
    if stored_name in base or owner is None or isinstance(owner, Mapping):
        return stored_name
    name = layout_of(type(owner)).names.get(stored_name, stored_name)
    # `self._name` behind a property `name`.
    if name not in base and is_plain(type(owner)) and f"_{stored_name}" in base:
        return f"_{stored_name}"
    return name


def _paired(base: list[Json], stored: list[Json], *, is_set: bool) -> list[tuple[Json, Json]]:
    """Which item was read from which: the one in the same place, but for sets."""
    if not is_set:
        if len(base) != len(stored):
            return []  # a validator made other items of it
        places = [canonical(each) for each in stored]
        forms = [canonical(each) for each in base]
        known = set(places)
        moved = any(
            form != place and form in known for form, place in zip(forms, places, strict=True)
        )
        return [] if moved else list(zip(base, stored, strict=True))
    return _paired_by_content(base, stored)


def _paired_by_content(base: list[Json], stored: list[Json]) -> list[tuple[Json, Json]]:
    """Items with the stored ones that say the same in all fields that both have.

    Items of few shapes: for each two shapes that meet, the stored items are looked up by content.
    """
    shapes: dict[_Shape, list[int]] = {}
    for place, each in enumerate(stored):
        shapes.setdefault(_shape_of(each), []).append(place)
    tables: dict[tuple[_Shape, _Shape], dict[bytes, deque[int]]] = {}
    taken: set[int] = set()
    pairs = []
    for item in base:
        shape = _shape_of(item)
        for other, places in shapes.items():
            if (shape is None) != (other is None):
                continue
            both = None if shape is None or other is None else shape & other
            table = tables.get((shape, other))
            if table is None:
                table = tables[shape, other] = {}
                for place in places:
                    table.setdefault(_content(stored[place], both), deque()).append(place)
            alike = table.get(_content(item, both), deque())
            while alike and alike[0] in taken:
                alike.popleft()
            if alike:
                taken.add(alike[0])
                pairs.append((item, stored[alike[0]]))
                break
    return pairs


_Shape = frozenset[str] | None  # the names of an object's fields; None of what is no object


def _shape_of(plain: Json) -> _Shape:
    return frozenset(plain) if isinstance(plain, dict) else None


def _content(plain: Json, names: _Shape) -> bytes:
    return canonical(plain if names is None else {name: plain[name] for name in names})
