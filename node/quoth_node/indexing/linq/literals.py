"""Constants as they are written in C#, read into values."""

import re
from collections.abc import Iterator

from quoth_node.indexing.linq.tree import Literal, Place
from quoth_node.indexing.refusal import DefinitionRefused

ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{1,4}|.)", re.DOTALL)
SIMPLE = {
    **{"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "f": "\f", "v": "\v", "a": "\a"},
    **{'"': '"', "'": "'", "\\": "\\"},
}
DIGITS_MAX = 40


def number(text: str, at: Place) -> Literal:
    """`5`, `5L`, `1.5`, `2M`, `0xFF`, `1_000`. Raises DefinitionRefused."""
    if len(text) > DIGITS_MAX:
        raise DefinitionRefused(f"a number has {DIGITS_MAX} digits at most", at.line, at.column)
    plain = text.replace("_", "").lower()
    if plain.startswith("0x"):
        return Literal("int", int(plain.rstrip("ul"), 16), at=at)
    digits = plain.rstrip("fdmul")
    suffix = plain[len(digits) :]
    if "m" in suffix:
        return Literal("decimal", float(digits), at=at)
    if "." in digits or "e" in digits or suffix in ("f", "d"):
        return Literal("double", float(digits), at=at)
    return Literal("int", int(digits), at=at)


def unescaped(text: str, at: Place) -> str:
    """The inside of a string with its escapes resolved. Raises DefinitionRefused."""

    def resolve(found: re.Match[str]) -> str:
        escape = found[1]
        if escape[0] in "ux" and len(escape) > 1:
            return chr(int(escape[1:], 16))
        if escape not in SIMPLE:
            raise DefinitionRefused(f"'\\{escape}' is no escape", at.line, at.column)
        return SIMPLE[escape]

    return ESCAPE.sub(resolve, text)


def interpolated_parts(text: str, at: Place) -> Iterator[str | tuple[str, str, int]]:
    """The texts, and the holes as (expression, format, offset), of what is inside `$"..."`.

    Raises DefinitionRefused.
    """
    start = here = 0
    while here < len(text):
        if text[here] in "{}" and text[here : here + 1] == text[here + 1 : here + 2]:
            yield unescaped(text[start : here + 1], at)
            here += 2
            start = here
        elif text[here] == "{":
            if start < here:
                yield unescaped(text[start:here], at)
            expression, format_, end = _hole(text, here + 1)
            yield expression, format_, here + 1
            start = here = end
        else:
            here += 2 if text[here] == "\\" else 1
    if start < len(text):
        yield unescaped(text[start:], at)


def _hole(text: str, start: int) -> tuple[str, str, int]:
    """Its expression, its format, and where the text goes on. The lexer saw that it ends."""
    depth = 0
    colon = None
    here = start
    while text[here] != "}":
        sign = text[here]
        if sign == '"':
            here += 1
            while text[here] != '"':
                here += 2 if text[here] == "\\" else 1
        elif sign in "([":
            depth += 1
        elif sign in ")]":
            depth -= 1
        elif sign == ":" and depth == 0 and colon is None:
            colon = here
        here += 1
    end = here if colon is None else colon
    return text[start:end], "" if colon is None else text[colon + 1 : here], here + 1
