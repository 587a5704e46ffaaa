"""Numbers, strings and paths as they are written -> what they mean, and back."""

import re

from quoth_node.rql.operands import PathStep

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
INTEGER = re.compile(r"-?\d{1,19}", re.ASCII)
ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
STEP = re.compile(r"(?P<name>'(?:[^'\\]|\\.)*'|[^.\[\]]*)(?P<each>\[\])?(?:\.|$)", re.DOTALL)
PLAIN_STEP = re.compile(r"(?:[^\W\d]|@)[\w@$-]*")


def number_of(text: str) -> int | float:
    """A whole number where it is one of 64 bits, else a double."""
    if INTEGER.fullmatch(text) and INT64_MIN <= (whole := int(text)) <= INT64_MAX:
        return whole
    return float(text)


def unquoted(text: str) -> str:
    """What stands between the quotes, with `\\'`, `\\n`, `\\u00e9` and their like resolved."""
    inside = text[1:-1]
    if "\\" not in inside:
        return inside
    return ESCAPE.sub(_resolved, inside)


def _resolved(found: re.Match[str]) -> str:
    code, character = found.groups()
    return chr(int(code, 16)) if code else ESCAPED.get(character, character)


def quoted(text: str) -> str:
    """`text` as a string of RQL."""
    inside = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{inside}'"


def steps_of(text: str) -> tuple[PathStep, ...]:
    """The steps of a path, quoted ones among them: `tags[].'first name'`."""
    steps = []
    for found in STEP.finditer(text):
        name = found["name"]
        if name.startswith("'"):
            name = unquoted(name)
        if name or found["each"]:
            steps.append(PathStep(name, is_each=found["each"] is not None))
    return tuple(steps)
