"""Tidy is a test: sizes, banned calls, and what every package must have."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.house.source import PACKAGES, SOURCE_ROOTS, SourceFile, part_of, source_files

LINE_LENGTH_MAX = 100
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 450

# Time and chance are handed in. Call -> the only modules that may make it.
CLOCK = ("quoth_cluster.clock", "quoth.clock", "quoth_node.testing.clock")
EDGE = ("quoth_node.node", "quoth_node.supervisor", "quoth_cluster.raft.link")
BANNED = {
    "time.time": CLOCK,
    "time.time_ns": CLOCK,
    "time.monotonic": CLOCK,
    "time.monotonic_ns": CLOCK,
    "time.sleep": ("quoth.clock", "quoth_node.testing.clock"),  # for threads that block
    "datetime.now": CLOCK,
    "datetime.utcnow": CLOCK,
    "uuid.uuid1": CLOCK,
    "uuid.uuid4": CLOCK,
    "uuid4": CLOCK,
    "os.urandom": CLOCK,
    "secrets": CLOCK,
    "random": CLOCK,
    "asyncio.sleep": (*CLOCK, *EDGE),  # but for sleep(0), which only gives way
    "asyncio.create_task": (),
    "asyncio.ensure_future": (),
    "loop.create_task": (),
    # ... but for a shared request, which must not end with the task that began it.
    "asyncio.get_running_loop().create_task": ("quoth.asynchronous.network",),
    "eval": (),
    "exec": (),
}
# A word to a checker stands where the checker looks for it.
PRAGMA = re.compile(r"  # (type: ignore|noqa|fmt: skip).*$")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def long_lines(file: SourceFile) -> Iterator[str]:
    for number, line in enumerate(file.lines(), start=1):
        length = len(PRAGMA.sub("", line))
        if length > LINE_LENGTH_MAX:
            yield f"{file.name}:{number}: {length} characters, {LINE_LENGTH_MAX} at most"


def long_functions(file: SourceFile) -> Iterator[str]:
    for node in ast.walk(file.tree()):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield f"{file.name}:{node.lineno}: {node.name} has {lines} lines"


def long_files(file: SourceFile) -> Iterator[str]:
    if len(file.lines()) > FILE_LINES_MAX:
        yield f"{file.name}: {len(file.lines())} lines, {FILE_LINES_MAX} at most"


def banned_calls(file: SourceFile) -> Iterator[str]:
    for node in ast.walk(file.tree()):
        if isinstance(node, ast.Call) and ast.unparse(node) != "asyncio.sleep(0)":
            called = ast.unparse(node.func)
            allowed = _allowed(called)
            if allowed is not None and not part_of(file.module, *allowed):
                yield f"{file.name}:{node.lineno}: {called} is not called here"


def _allowed(called: str) -> tuple[str, ...] | None:
    """The modules that may make this call; None if everybody may."""
    for banned, allowed in BANNED.items():
        if called == banned or called.startswith(f"{banned}."):
            return allowed
    return None


def swallowed_errors(file: SourceFile) -> Iterator[str]:
    for node in ast.walk(file.tree()):
        if isinstance(node, ast.ExceptHandler) and isinstance(node.body[0], ast.Pass):
            caught = ast.unparse(node.type) if node.type else "everything"
            if node.type is None or caught in ("Exception", "BaseException"):
                yield f"{file.name}:{node.lineno}: {caught} is swallowed"


def unfinished_words(file: SourceFile) -> Iterator[str]:
    for number, line in enumerate(file.lines(), start=1):
        if UNFINISHED.search(line):
            yield f"{file.name}:{number}: unfinished: {line.strip()}"


def missing_first_lines(file: SourceFile) -> Iterator[str]:
    if file.lines() and not ast.get_docstring(file.tree()):
        yield f"{file.name}: does not say what it is for"


RULES = (
    long_lines,
    long_functions,
    long_files,
    banned_calls,
    swallowed_errors,
    unfinished_words,
    missing_first_lines,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__.replace("_", "-"))
def test_the_house_is_tidy(rule: object) -> None:
    assert callable(rule)
    complaints = [complaint for file in source_files() for complaint in rule(file)]
    assert not complaints, "\n" + "\n".join(complaints)


def test_every_package_is_typed() -> None:
    folders = [root / package for root, package in zip(SOURCE_ROOTS, PACKAGES, strict=True)]
    assert all((folder / "py.typed").is_file() for folder in folders)


def test_every_room_has_its_design_note() -> None:
    missing = [root.name for root in SOURCE_ROOTS if not (root / "DESIGN.md").is_file()]
    assert not missing
