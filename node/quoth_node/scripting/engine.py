"""The one file that knows quickjs: a new engine for every run, with nothing in it but the prelude.

quickjs counts jumps and calls, and asks every 10,000 of them whether to go on. While a script runs
the answer is no (a time limit of nothing), so that is the limit of its steps; a loop that is
broken off right before sets the count to its start. No script can catch that. What takes long
without steps (sorting, long numbers) is for the process around it to end.
"""

from contextlib import suppress
from pathlib import Path

import quickjs

from quoth_node.scripting.task import SPOILT, ScriptFailed, ScriptOverLimit

PRELUDE = Path(__file__).with_name("prelude.js").read_text(encoding="utf-8")
STEPS_MAX = 10_000
MEMORY_BYTES = 32 * 1_024 * 1_024  # for a script on a small document
MEMORY_FACTOR = 24  # an object takes that much more than its text
STACK_BYTES = 256 * 1_024
HOUSE_SECONDS_MAX = 1.0  # of processor time, for reading and writing documents
SCRIPT_SECONDS = 0.0


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


def _failure(message: str) -> ScriptFailed:
    first = message.partition("\n")[0]
    if "interrupted" in first:
        return ScriptOverLimit(f"The script took more than {STEPS_MAX} steps (jumps and calls)")
    if "out of memory" in first:
        return ScriptOverLimit("The script took more memory than it may")
    return ScriptFailed(first or SPOILT)
