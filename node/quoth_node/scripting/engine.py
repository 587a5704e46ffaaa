"""The one file that knows quickjs: a new engine for every run, with nothing in it but the prelude.

quickjs counts jumps and calls, and asks every 10,000 of them whether to go on. While a script runs
the answer is no (a time limit of nothing), so that is the limit of its steps; a loop that is
broken off right before sets the count to its start. No script can catch that. What takes long
without steps (sorting, long numbers) is for the process around it to end.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import quickjs

from quoth_node.scripting.task import SPOILT, ScriptFailed, ScriptNotParsed, ScriptOverLimit

PRELUDE = Path(__file__).with_name("prelude.js").read_text(encoding="utf-8")
STEPS_MAX = 10_000
MEMORY_BYTES = 32 * 1_024 * 1_024  # for a script on a small document
MEMORY_FACTOR = 24  # an object takes that much more than its text
STACK_BYTES = 256 * 1_024
HOUSE_SECONDS_MAX = 1.0  # of processor time, for reading and writing documents
SCRIPT_SECONDS = 0.0
LASTING_MEMORY_BYTES = 64 * 1_024 * 1_024
LASTING_STACK_BYTES = 512 * 1_024


class Engine:
    """One run. Use it once: what a script left behind dies with it."""

    def __init__(self) -> None:
        self._context = quickjs.Context()
        self._context.set_max_stack_size(STACK_BYTES)
        self._context.set_memory_limit(MEMORY_BYTES)
        self._context.set_time_limit(HOUSE_SECONDS_MAX)
        self._context.eval(PRELUDE)
        names = ("prepare", "run", "finish")
        self._prepare, self._run, self._finish = (
            self._context.eval(f"__house.{name}") for name in names
        )
        self._context.eval("delete globalThis.__house")

    def run(self, task: bytes) -> bytes:
        """What comes of a task, both as JSON.

        Raises ScriptOverLimit, ScriptFailed; what a script throws is in the result.
        """
        self._context.set_memory_limit(MEMORY_BYTES + MEMORY_FACTOR * len(task))
        try:
            self._prepare(task.decode())
            self._context.set_time_limit(SCRIPT_SECONDS)
            with suppress(quickjs.JSException):
                self._context.eval("for (;;);")
            self._run()
            self._context.set_time_limit(HOUSE_SECONDS_MAX)
            text = self._finish()
        except quickjs.JSException as error:
            raise _failure(str(error)) from error
        except (SystemError, UnicodeError, TypeError) as error:  # its way of saying out of memory
            raise ScriptFailed(f"The engine failed: {error}") from error
        if not isinstance(text, str):
            raise ScriptFailed(SPOILT)
        return text.encode()


class LastingEngine:
    """An engine for many runs of one definition; a run that goes over a limit spoils it.

    A run is bounded by its time on the processor. What the definition keeps in its engine from run
    to run is its own affair.
    """

    def __init__(self, sources: Sequence[str], *, seconds_max: float) -> None:
        """Raises ScriptNotParsed, ScriptOverLimit, ScriptFailed."""
        self.held_bytes = 0  # of texts given in former runs that are still there
        self._context = quickjs.Context()
        self._context.set_max_stack_size(LASTING_STACK_BYTES)
        self._context.set_memory_limit(LASTING_MEMORY_BYTES)
        self._context.set_time_limit(seconds_max)
        self._seconds_max = seconds_max
        for source in sources:
            with _failures():
                self._context.eval(source)

    def function(self, expression: str) -> Callable[..., object]:
        """What the expression names, for `run`."""
        found: Callable[..., object] = self._context.eval(expression)
        return found

    def run(
        self,
        function: Callable[..., object],
        *arguments: str | bool | int,
        seconds_max: float | None = None,
    ) -> str:
        """The text that a function gives.

        Raises ScriptOverLimit, ScriptFailed.
        """
        self._context.set_time_limit(seconds_max or self._seconds_max)
        size = sum(len(argument) for argument in arguments if isinstance(argument, str))
        size += self.held_bytes
        self._context.set_memory_limit(LASTING_MEMORY_BYTES + MEMORY_FACTOR * size)
        with _failures():
            text = function(*arguments)
        if not isinstance(text, str):
            raise ScriptFailed(SPOILT)
        return text


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except quickjs.JSException as error:
        text = str(error)
        if text.startswith("SyntaxError"):
            raise ScriptNotParsed(text.strip()) from error
        first = text.partition("\n")[0]
        if "interrupted" in first:
            raise ScriptOverLimit("the script took too long") from error
        raise _failure(text) from error
    except (SystemError, UnicodeError, TypeError) as error:  # its way of saying out of memory
        raise ScriptFailed(f"The engine failed: {error}") from error


def _failure(message: str) -> ScriptFailed:
    first = message.partition("\n")[0]
    if "interrupted" in first:
        return ScriptOverLimit(f"The script took more than {STEPS_MAX} steps (jumps and calls)")
    if "out of memory" in first:
        return ScriptOverLimit("The script took more memory than it may")
    return ScriptFailed(first or SPOILT)
