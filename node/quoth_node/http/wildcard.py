"""Patterns of `matches` and `exclude`: `*` any characters, `?` one, `|` between alternatives. Pure.

Matched with two cursors instead of a regular expression, so no pattern can make it slow.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wildcards:
    """Alternatives, lower-cased. None at all match nothing."""

    alternatives: tuple[str, ...]

    @classmethod
    def parse(cls, text: str | None) -> "Wildcards":
        return cls(tuple(part for part in (text or "").lower().split("|") if part))

    def __bool__(self) -> bool:
        return bool(self.alternatives)

    def match(self, text: str) -> bool:
        """Whether one alternative matches the whole of `text`, in any case."""
        lowered = text.lower()
        return any(matches(lowered, pattern) for pattern in self.alternatives)


def matches(text: str, pattern: str) -> bool:
    """Whether `pattern` matches all of `text`."""
    at, p = 0, 0
    star, resume = -1, 0  # the last '*' seen, and where the text goes on if it takes one more
    while at < len(text):
        if p < len(pattern) and pattern[p] == "*":
            star, resume = p, at
            p += 1
        elif p < len(pattern) and pattern[p] in ("?", text[at]):
            at, p = at + 1, p + 1
        elif star >= 0:
            resume += 1
            at, p = resume, star + 1
        else:
            return False
    return all(character == "*" for character in pattern[p:])
