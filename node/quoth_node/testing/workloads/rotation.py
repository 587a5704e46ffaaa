"""Keys that are in use now: each retires after so much work, and another takes its place.

What a search for a linearization costs grows with the operations on a key, and most of all with
those whose outcome is unknown: they stay possible until the end.
"""

from dataclasses import dataclass, field
from random import Random


@dataclass(slots=True)
class Rotation:
    """`live` keys at once, named by a prefix and a number that never comes again."""

    prefix: str
    live: int
    operations_max: int
    unknown_max: int = 8
    keys: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    _made: int = 0
    _operations: dict[str, int] = field(default_factory=dict)
    _unknown: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.keys = [self._new() for _ in range(self.live)]

    def pick(self, chance: Random) -> str:
        """One of the keys in use."""
        return chance.choice(self.keys)

    def sample(self, chance: Random, count: int) -> list[str]:
        """Several of them, none twice."""
        return chance.sample(self.keys, min(count, len(self.keys)))

    def count(self, key: str, *, is_unknown: bool = False) -> None:
        """One operation more on a key."""
        self._operations[key] = self._operations.get(key, 0) + 1
        self._unknown[key] = self._unknown.get(key, 0) + is_unknown
        is_used_up = (
            self._operations[key] >= self.operations_max or self._unknown[key] >= self.unknown_max
        )
        if is_used_up and key in self.keys:
            self.retired.append(key)
            self.keys[self.keys.index(key)] = self._new()

    def _new(self) -> str:
        self._made += 1
        return f"{self.prefix}{self._made}"
