"""Synchronous shells of the client, made from the asynchronous ones: `python -m scripts.twins`.

Both must be alike, name by name and word by word, so one is written and the other is made. What a
shell does differs in nothing but who waits: `await` falls away, `AsyncSession` becomes `Session`.
`--check` changes nothing, and fails if a twin is not what would be made now.
"""

import argparse
import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

CLIENT = Path(__file__).parent.parent / "client" / "quoth"
SOURCE, MADE = CLIENT / "asynchronous", CLIENT / "synchronous"
# Written by hand in both folders, under one name and with the same face.
BY_HAND = frozenset({"flight.py", "network.py", "turn.py"})

NAMES = {
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "StopAsyncIteration": "StopIteration",
    "aclose": "close",
    "asynchronous": "synchronous",
}
WORDS = (
    (re.compile(r"\bawait "), ""),
    (re.compile(r"\basync (def|with|for)\b"), r"\1"),
    (re.compile(r"\bAsync([A-Z]\w*)"), r"\1"),
    (re.compile(r"\basynchronous\b"), "synchronous"),
    (re.compile(r"\ban (Session|DocumentStore|synchronous)\b"), r"a \1"),
)
NOTE = "# Made from asynchronous/{name} by `python -m scripts.twins`: change that one.\n"


def twin_of(source: str, name: str) -> str:
    """The text of the synchronous twin of a shell."""
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    parts: list[str] = []
    done = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        text = _plain(token)
        if text == token.string:
            continue
        start = starts[token.start[0] - 1] + token.start[1]
        parts += [source[done:start], text]
        done = starts[token.end[0] - 1] + token.end[1]
        if not text:
            done += source[done] == " "
    return NOTE.format(name=name) + _unwrapped("".join(parts) + source[done:])


def _plain(token: tokenize.TokenInfo) -> str:
    text = token.string
    if token.type == tokenize.NAME:
        if text in ("async", "await"):
            return ""
        return NAMES.get(text, re.sub(r"^_?Async(?=[A-Z])", lambda found: found[0][:-5], text))
    if token.type in (tokenize.STRING, tokenize.COMMENT):
        for pattern, plain in WORDS:
            text = pattern.sub(plain, text)
    return text


def _unwrapped(text: str) -> str:
    """`Awaitable[X]` is what one waits for: X itself."""
    while (found := text.find("Awaitable[")) >= 0:
        start = found + len("Awaitable[")
        depth, end = 1, start
        while depth:
            depth += {"[": 1, "]": -1}.get(text[end], 0)
            end += 1
        text = text[:found] + text[start : end - 1] + text[end:]
    return re.sub(r"\bAwaitable, |, Awaitable\b", "", text)


def formatted(text: str, path: Path) -> str:
    """As ruff would write it."""
    for arguments in (
        ("check", "--quiet", "--select", "I,F401", "--fix", "--exit-zero"),
        ("format", "--quiet"),
    ):
        command = [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", str(path), "-"]
        text = subprocess.run(
            command, input=text, text=True, capture_output=True, check=True
        ).stdout
    return text


def made() -> dict[Path, str]:
    """Every twin there must be, with its text."""
    found = {}
    for source in sorted(SOURCE.glob("*.py")):
        if source.name not in BY_HAND:
            path = MADE / source.name
            found[path] = formatted(twin_of(source.read_text(), source.name), path)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing, fail if one is old")
    is_check = parser.parse_args().check
    twins = made()
    strangers = {each for each in MADE.glob("*.py") if each.name not in BY_HAND} - twins.keys()
    old = [each for each, text in twins.items() if not each.exists() or each.read_text() != text]
    if is_check:
        for path in [*old, *strangers]:
            print(f"{path.name}: not what is made of its twin now; run: python -m scripts.twins")
        sys.exit(bool(old or strangers))
    for path in old:
        path.write_text(twins[path])
    for path in strangers:
        path.unlink()
    print(f"{len(twins)} twins, {len(old)} written anew, {len(strangers)} removed")


if __name__ == "__main__":
    main()
