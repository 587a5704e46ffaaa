"""Compare-exchange values of a cluster-wide session: what was seen, and what it shall become. Pure.

Invariant: `_tracked` holds at most one entry per folded key; an entry is new (index 0), read, or
to be deleted.
"""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from quoth.batches import DeleteValue, PutValue
from quoth.commands import bytes_of, fold
from quoth.errors import Misuse
from quoth.reads import StoredValue
from quoth.serialization import Json, Origins, canonical, from_json, to_json, value_origins

T = TypeVar("T")
KEY_BYTES_MAX = 512


@dataclass(slots=True, eq=False)
class CompareExchangeValue(Generic[T]):
    """A value the whole cluster agrees on. Assign `value`, and `save_changes` writes it.

    `index` is the log index of its last change; 0 means that it is new.
    """

    key: str
    index: int
    value: T


@dataclass(slots=True)
class _Tracked:
    item: CompareExchangeValue[Any] | None  # None: known to be missing, or deleted by key
    key: str
    index: int = 0
    snapshot: bytes | None = None  # what the value looked like then; None: must be written
    origins: Origins | None = None  # what of the server's value the item does not show
    is_deleted: bool = False
    read_as: Any = None  # the type that `reading` was made as
    reading: object = None

    @property
    def looks(self) -> bytes:
        """What the value looks like now."""
        assert self.item is not None, "only an item has a value"
        return canonical(to_json(self.item.value))

    def is_read_as(self, wanted: Any) -> bool:
        """Whether the value is of this type already: the program may hold it."""
        assert self.item is not None, "only an item has a value"
        value = self.item.value
        if isinstance(wanted, type) and type(value) is wanted:
            return True
        return bool(value is self.reading and wanted == self.read_as)

    def see(self, stored: Json) -> None:
        """The server holds `stored` for the value as it is now."""
        assert self.item is not None, "only an item has a value"
        plain = to_json(self.item.value)
        # Written as its type it may look different; that alone is no change.
        self.snapshot = canonical(plain)
        self.origins = value_origins(self.item.value, plain, stored)


@dataclass(frozen=True, slots=True)
class PlannedValue:
    """What of a value is sent, and what the value looked like then; nothing for a deletion."""

    command: PutValue | DeleteValue
    looks: bytes = b""


class TrackedValues:
    """The compare-exchange values one session works with."""

    def __init__(self) -> None:
        self._tracked: dict[str, _Tracked] = {}

    def create(self, key: str, value: T) -> CompareExchangeValue[T]:
        """A new value; the save is refused if the key has one by then."""
        check_key(key)
        known = self._tracked.get(fold(key))
        if known is not None and (known.item is not None or known.is_deleted):
            raise Misuse(f"this session already works with the compare-exchange value {key!r}")
        item = CompareExchangeValue(key, 0, value)
        self._tracked[fold(key)] = _Tracked(item, key)
        return item

    def update(self, item: CompareExchangeValue[T]) -> None:
        """Write this value with the next save, from wherever it was read."""
        known = self._tracked.get(fold(item.key))
        if known is not None and known.item is not None and known.item is not item:
            raise Misuse(f"this session already works with the compare-exchange value {item.key!r}")
        if known is not None and known.is_deleted:
            raise Misuse(f"this session already deletes the compare-exchange value {item.key!r}")
        self._tracked[fold(item.key)] = _Tracked(item, item.key, item.index)

    def delete(self, key: str, index: int) -> None:
        """Remove a value; the save is refused if its index is another one by then."""
        check_key(key)
        known = self._tracked.get(fold(key))
        if known is not None and known.item is not None and known.index == 0:
            del self._tracked[fold(key)]  # created here, never sent
            return
        self._tracked[fold(key)] = _Tracked(None, key, index, is_deleted=True)

    def unknown(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the keys that the server must be asked for."""
        return tuple(each for each in keys if fold(each) not in self._tracked)

    def seen(self, asked: tuple[str, ...], found: dict[str, StoredValue]) -> None:
        """The server answered for these keys."""
        for key in asked:
            if fold(key) in self._tracked:
                continue  # another task asked for it too, and was first
            stored = found.get(fold(key))
            if stored is None:
                self._tracked[fold(key)] = _Tracked(None, key)
                continue
            item = CompareExchangeValue[Any](stored.key, stored.index, stored.value)
            self._tracked[fold(key)] = _Tracked(
                item, stored.key, stored.index, canonical(stored.value)
            )

    def get(self, key: str, value_type: type[T] | None) -> CompareExchangeValue[T] | None:
        """What the session knows under a key, with the value as `value_type`."""
        known = self._tracked[fold(key)]
        item = known.item
        if item is None or known.is_deleted:
            return None
        if value_type is not None and not known.is_read_as(value_type):
            is_changed = known.looks != known.snapshot
            stored = to_json(item.value, known.origins)
            item.value = from_json(stored, value_type, name=f"compare-exchange value {key}")
            known.read_as, known.reading = value_type, item.value
            known.see(stored)
            if is_changed:
                known.snapshot = None  # and was so before it was read as this type
        return cast(CompareExchangeValue[T], item)

    def planned(self) -> list[PlannedValue]:
        """What a save must send."""
        found: list[PlannedValue] = []
        for known in self._tracked.values():
            if known.is_deleted:
                found.append(PlannedValue(DeleteValue(known.key, known.index)))
            elif known.item is not None:
                looks = known.looks
                if looks != known.snapshot:
                    plain = to_json(known.item.value, known.origins)
                    found.append(PlannedValue(PutValue(known.key, plain, known.index), looks))
        return found

    def saved(self, planned: PlannedValue, index: int) -> None:
        """A command was carried out at this log index."""
        command = planned.command
        known = self._tracked.pop(fold(command.key), None)
        if known is None:
            return  # the session was closed meanwhile
        if isinstance(command, PutValue):
            assert known.item is not None, "only an item can have been put"
            known.item.index = known.index = index
            if known.looks == planned.looks:
                known.see(command.value)
            else:
                known.snapshot = planned.looks  # it was changed again while it was on its way
            self._tracked[fold(command.key)] = known

    def clear(self) -> None:
        """Forget everything, pending changes included."""
        self._tracked.clear()


def check_key(key: Any) -> None:
    """Raise Misuse for what cannot be the key of a compare-exchange value."""
    if not isinstance(key, str) or not 0 < bytes_of(fold(key)) <= KEY_BYTES_MAX:
        text = f"a compare-exchange key is a string of 1 to {KEY_BYTES_MAX} bytes"
        raise Misuse(f"{text}, not {key!r:.80}")
