"""Regular expressions in linear time: the one file that knows RE2."""

from collections.abc import Callable

import re2

PATTERN_CHARACTERS_MAX = 1_000
MEMORY_BYTES_MAX = 4 * 1024 * 1024


class PatternRefused(Exception):
    """A text is no regular expression, or one that RE2 does not have."""


def compiled(pattern: str, *, ignores_case: bool = False) -> Callable[[str], bool]:
    """Whether a text holds what the pattern says. Raises PatternRefused."""
    if len(pattern) > PATTERN_CHARACTERS_MAX:
        raise PatternRefused(f"a pattern of more than {PATTERN_CHARACTERS_MAX} characters")
    options = re2.Options()
    options.max_mem = MEMORY_BYTES_MAX
    options.case_sensitive = not ignores_case
    options.log_errors = False
    try:
        found = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        told = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise PatternRefused(told) from error
    return lambda text: found.search(text) is not None
