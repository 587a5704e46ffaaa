"""What the demonstration tells, line by line, and the table at its end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

DETAIL_LENGTH_MAX = 90


@dataclass(slots=True)
class Step:
    """One promise that was tried."""

    part: str  # which client, or what was done to the cluster
    title: str
    seconds: float = 0.0
    detail: str = ""  # what was seen
    trouble: str | None = None  # why it does not hold


class Broken(Exception):
    """A promise does not hold."""


def expect(holds: bool, otherwise: str) -> None:
    """Raise Broken, told `otherwise`, unless it holds."""
    if not holds:
        raise Broken(otherwise)


class Report:
    """Prints as it goes and remembers every step."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._part = ""
        self._began = time.monotonic()
        self.steps: list[Step] = []

    def part(self, name: str, line: str) -> None:
        """Begin a part of the demonstration."""
        self._part = name
        self._console.print(f"\n[bold]{escape(name)}[/bold]  {escape(line)}")

    def say(self, line: str) -> None:
        """Tell what is done."""
        self._console.print(f"   {escape(line)}")

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Try one promise; if it does not hold, say why and go on."""
        step = Step(self._part, title)
        self.steps.append(step)
        began = time.monotonic()
        try:
            yield step
        except Exception as error:  # whatever it is, it is told, and the next promise is tried
            step.trouble = str(error) or type(error).__name__
        step.seconds = time.monotonic() - began
        mark = "[green]ok  [/green]" if step.trouble is None else "[red]FAIL[/red]"
        told = step.detail[:DETAIL_LENGTH_MAX] if step.trouble is None else step.trouble
        self._console.print(f"   {mark} {escape(title)}" + (f": {escape(told)}" if told else ""))

    def finish(self) -> int:
        """Print the table; 0 if every promise held."""
        table = Table(title="\nWhat held", title_justify="left")
        for heading in ("part", "promise", "held", "seconds"):
            table.add_column(heading, justify="right" if heading == "seconds" else "left")
        part = ""
        for step in self.steps:
            held = "[green]yes[/green]" if step.trouble is None else "[red]NO[/red]"
            shown = "" if step.part == part else step.part
            table.add_row(shown, escape(step.title), held, f"{step.seconds:.2f}")
            part = step.part
        self._console.print(table)
        broken = [step for step in self.steps if step.trouble is not None]
        count, seconds = len(self.steps) - len(broken), time.monotonic() - self._began
        self._console.print(f"{count} of {len(self.steps)} promises held, {seconds:.1f} s")
        return 1 if broken or not self.steps else 0
