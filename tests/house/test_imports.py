"""Who may import whom: the arrows of the house run down only.

A complaint names the file and the line. The rules are tables, so a new rule is a new line.
"""

import sys
from collections.abc import Iterator

import pytest

from tests.house.source import PACKAGES, SourceFile, part_of, source_files

# What each room may use from outside, besides the standard library.
FOREIGN = {
    "quoth": {"aiohttp", "django", "msgpack", "orjson", "yarl", "typing_extensions"},
    "quoth_cluster": {"google_crc32c", "lmdb", "msgpack", "orjson", "pysyncobj"},
    "quoth_node": {
        *("aiohttp", "apsw", "lark", "msgpack", "orjson"),
        *("quickjs", "re2", "rich", "typer", "uvloop"),
        "pytest",  # for those who test with nodes, in one file
    },
}

# A foreign thing has one door: (room, foreign module) -> the only modules that may import it.
DOORS = {
    ("quoth", "typing_extensions"): ("quoth.type_variables",),  # for checkers only
    ("quoth", "django"): ("quoth.contrib.django",),  # an extra: the client goes without it
    ("quoth", "aiohttp"): ("quoth.wire.aiohttp_transport",),
    ("quoth", "yarl"): ("quoth.wire.aiohttp_transport",),
    ("quoth", "select"): ("quoth.wire.blocking_transport",),
    ("quoth", "socket"): ("quoth.wire.blocking_transport",),
    ("quoth", "ssl"): ("quoth.wire.exchange",),
    ("quoth_cluster", "lmdb"): ("quoth_cluster.store.environment",),
    ("quoth_cluster", "pysyncobj"): ("quoth_cluster.raft.syncobj",),
    ("quoth_node", "apsw"): ("quoth_node.indexing.sqlite",),
    ("quoth_node", "lark"): ("quoth_node.rql.parser", "quoth_node.indexing.linq.parser"),
    ("quoth_node", "quickjs"): ("quoth_node.scripting.engine",),
    ("quoth_node", "re2"): ("quoth_node.indexing.pattern",),
    ("quoth_node", "rich"): ("quoth_node.cli", "quoth_node.status", "quoth_node.testing.cli"),
    ("quoth_node", "typer"): (
        *("quoth_node.cli", "quoth_node.cli_sequences"),
        "quoth_node.testing.cli",
    ),
    ("quoth_node", "uvloop"): ("quoth_node.cli",),
    ("quoth_node", "pytest"): ("quoth_node.testing.plugin",),
}

# Which rooms a room may look into.
ROOMS = {
    "quoth": {"quoth"},
    "quoth_cluster": {"quoth_cluster"},
    "quoth_node": {"quoth_node", "quoth_cluster"},
}
# ... and a part of one that sees more: it plays applications that use nodes.
SEES_MORE = {"quoth_node.testing": {"quoth"}}

PLAIN_VALUES = tuple(f"quoth_cluster.{name}" for name in ("clock", "codec", "errors", "log"))

# Inside a room: a module -> the only modules of its own package that it may import.
BELOW = {
    "quoth_cluster.raft": ("quoth_cluster.raft", *PLAIN_VALUES),
    "quoth_cluster.store": ("quoth_cluster.store", *PLAIN_VALUES),
    "quoth_cluster.clock": (),
    "quoth_cluster.errors": (),
    "quoth_cluster.log": (),
    "quoth_cluster.codec": ("quoth_cluster.errors",),
    "quoth_cluster.sequence_commands": (),
    "quoth_cluster.sequence_outcomes": (),
    "quoth_cluster.number_places": (),
    "quoth_cluster.commands": ("quoth_cluster.codec", "quoth_cluster.sequence_commands"),
    "quoth_cluster.outcomes": ("quoth_cluster.codec", "quoth_cluster.sequence_outcomes"),
    "quoth_node.http": (
        *("quoth_node.http", "quoth_node.database", "quoth_node.patching"),
        *("quoth_node.indexing", "quoth_node.querying", "quoth_node.rql"),
    ),
    "quoth_node.rql": ("quoth_node.rql",),
    "quoth_node.indexing": (
        *("quoth_node.indexing", "quoth_node.database", "quoth_node.scripting"),
        "quoth_node.lifeline",  # of the process that builds them
    ),
    "quoth_node.querying": (
        *("quoth_node.querying", "quoth_node.rql", "quoth_node.indexing"),
        *("quoth_node.database", "quoth_node.scripting"),
    ),
    "quoth_node.patching": ("quoth_node.patching", "quoth_node.database", "quoth_node.scripting"),
    "quoth_node.scripting": ("quoth_node.scripting",),
    "quoth_node.database": ("quoth_node.database",),
}

# Nobody imports these but the ones named.
ABOVE = {
    "quoth.contrib": ("quoth.contrib",),
    "quoth_cluster.machine": ("quoth_node",),
    "quoth_node.cli": ("quoth_node.__main__", "quoth_node.testing.launcher"),
    "quoth_node.cli_sequences": ("quoth_node.cli",),
    "quoth_node.http": ("quoth_node.http", "quoth_node.node"),
    "quoth_node.node": ("quoth_node.cli",),
    "quoth_node.testing": ("quoth_node.testing",),
    "quoth_node.supervisor": ("quoth_node.cli",),
}

# Code that could come in as data. pysyncobj pickles by itself; one file strips its wrapping.
UNSAFE = ("cloudpickle", "dill", "marshal", "pickle", "shelve", "yaml")
UNSAFE_ALLOWED = ("quoth_cluster.raft.syncobj",)

Complaints = Iterator[str]


def other_rooms(file: SourceFile) -> Complaints:
    more = [tops for part, tops in SEES_MORE.items() if part_of(file.module, part)]
    for found in file.imports():
        if found.top in PACKAGES and found.top not in ROOMS[file.package].union(*more):
            yield f"{file.name}:{found.line}: {file.package} must not know {found.module}"


def foreign_things(file: SourceFile) -> Complaints:
    for found in file.imports():
        if found.top in PACKAGES:
            continue
        is_foreign = found.top not in sys.stdlib_module_names
        if is_foreign and found.top not in FOREIGN[file.package]:
            yield f"{file.name}:{found.line}: {file.package} must not use {found.module}"
        doors = DOORS.get((file.package, found.top), (file.module,))
        if not part_of(file.module, *doors):
            yield f"{file.name}:{found.line}: only {', '.join(doors)} may import {found.top}"


def arrows_up(file: SourceFile) -> Complaints:
    for part, allowed in BELOW.items():
        if not part_of(file.module, part):
            continue
        for found in file.imports():
            if found.top == file.package and not part_of(found.module, *allowed):
                yield f"{file.name}:{found.line}: {part} must not know {found.module}"


def arrows_from_aside(file: SourceFile) -> Complaints:
    for part, allowed in ABOVE.items():
        for found in file.imports():
            if part_of(found.module, part) and not part_of(file.module, *allowed):
                yield f"{file.name}:{found.line}: only {', '.join(allowed)} may import {part}"


def unsafe_things(file: SourceFile) -> Complaints:
    if part_of(file.module, *UNSAFE_ALLOWED):
        return
    for found in file.imports():
        if found.top in UNSAFE:
            yield f"{file.name}:{found.line}: {found.top} can run what it reads"


RULES = (other_rooms, foreign_things, arrows_up, arrows_from_aside, unsafe_things)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__.replace("_", "-"))
def test_no_import_breaks_a_rule(rule: object) -> None:
    assert callable(rule)
    complaints = [complaint for file in source_files() for complaint in rule(file)]
    assert not complaints, "\n" + "\n".join(complaints)


def test_the_rules_see_the_house() -> None:
    names = {file.module for file in source_files()}
    assert {"quoth_cluster.raft.door", "quoth_node.cli"} <= names
    gone = {part for part in {*BELOW, *ABOVE} if not any(part_of(name, part) for name in names)}
    assert not gone, f"a rule speaks of what is not there: {sorted(gone)}"


def test_no_two_modules_import_each_other() -> None:
    arrows = {
        file.module: {found.module for found in file.imports() if found.top in PACKAGES}
        for file in source_files()
    }
    settled: set[str] = set()
    while ready := [name for name in arrows if arrows[name] - settled <= {name}]:
        settled.update(ready)
        arrows = {name: found for name, found in arrows.items() if name not in settled}
    assert not arrows, f"these import each other in a ring: {sorted(arrows)}"
