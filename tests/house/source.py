"""The source of the house, as the house rules read it: files, their rooms, their imports."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE_ROOTS = (ROOT / "client", ROOT / "cluster", ROOT / "node")
PACKAGES = ("quoth", "quoth_cluster", "quoth_node")


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module, and the line that imports it."""

    module: str  # 'quoth_cluster.raft.door', 'aiohttp'
    line: int

    @property
    def top(self) -> str:
        """The package it is part of."""
        return self.module.partition(".")[0]


@dataclass(frozen=True)
class SourceFile:
    """One file of one of the packages."""

    path: Path
    module: str  # 'quoth_node.http.app'

    @property
    def package(self) -> str:
        """The room."""
        return self.module.partition(".")[0]

    @property
    def name(self) -> str:
        """How a complaint names it."""
        return self.path.relative_to(ROOT).as_posix()

    def lines(self) -> list[str]:
        """Its text."""
        return self.path.read_text(encoding="utf-8").splitlines()

    def tree(self) -> ast.Module:
        """Its syntax."""
        return ast.parse(self.path.read_text(encoding="utf-8"), filename=self.name)

    def imports(self) -> Iterator[Import]:
        """Every module it imports anywhere, also inside functions."""
        for node in ast.walk(self.tree()):
            if isinstance(node, ast.Import):
                yield from (Import(alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name}:{node.lineno}: relative import"
                assert node.module is not None, "an absolute import names its module"
                yield Import(node.module, node.lineno)
                inside = (f"{node.module}.{alias.name}" for alias in node.names)
                yield from (Import(name, node.lineno) for name in inside if name in modules())


@cache
def source_files() -> tuple[SourceFile, ...]:
    """Every Python file of the three packages."""
    found = []
    for root in SOURCE_ROOTS:
        for path in sorted(root.rglob("*.py")):
            parts = list(path.relative_to(root).with_suffix("").parts)
            if parts[-1] == "__init__":
                parts.pop()
            found.append(SourceFile(path, ".".join(parts)))
    return tuple(found)


@cache
def modules() -> frozenset[str]:
    """The names of all modules of the house."""
    return frozenset(file.module for file in source_files())


def part_of(module: str, *parts: str) -> bool:
    """Whether `module` is one of `parts` or lies inside one."""
    return any(module == part or module.startswith(f"{part}.") for part in parts)
