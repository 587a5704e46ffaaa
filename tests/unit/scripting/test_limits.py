"""What a script may take, and that nobody is kept waiting by one that takes more."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator

import pytest

from quoth_node.scripting import Ran, ScriptFailed, ScriptProcesses
from quoth_node.scripting.engine import STEPS_MAX
from tests.unit.scripting.runs import changed, ran, task

LONG_MULTIPLICATION = "let x = 3n ** 300000n; for (let i = 0; i < 9000; i++) { x * x % 7n }"


@pytest.fixture
async def processes() -> AsyncIterator[ScriptProcesses]:
    running = ScriptProcesses(seconds_max=0.5)
    yield running
    await running.close()


@pytest.mark.parametrize(
    "script",
    [
        "for (;;) {}",
        "for (;;) { try { for (;;) {} } catch { } finally { this.n = 5; continue } }",
        "function f(n) { return n < 2 ? n : f(n - 1) + f(n - 2) } f(30)",
        "Array.from({length: 20000}).map(x => 1)",
        "/(a+)+$/.test('a'.repeat(40) + 'b')",
        "let go = {get [Symbol.toPrimitive]() { for (;;) {} }}; `${go}`",
    ],
)
def test_a_script_has_so_many_steps_and_cannot_catch_their_end(script: str) -> None:
    with pytest.raises(ScriptFailed, match=f"more than {STEPS_MAX} steps"):
        ran(script)


def test_the_steps_are_the_same_for_every_script() -> None:
    small, large = b"{}", b'{"list":[%b]}' % b",".join([b"1.0"] * 3_000)
    for document in (small, large):
        script = "for (const x of Array({})) {{ this.n = x }} this.n = 5"
        assert changed(script.format(STEPS_MAX - 20), document=document)["n"] == 5
        with pytest.raises(ScriptFailed, match="steps"):
            ran(script.format(STEPS_MAX), document=document)


@pytest.mark.parametrize(
    "script",
    [
        "let a = []; for (;;) { a.push('x'.repeat(1e6) + a.length) }",
        "new Array(1e8).fill(0)",
        "'x'.repeat(2 ** 29)",
    ],
)
def test_a_script_has_so_much_memory(script: str) -> None:
    with pytest.raises(ScriptFailed, match="memory"):
        ran(script)


@pytest.mark.parametrize(
    "script",
    [
        "(function f() { return f() + 1 })()",
        "let a = {}, b = a; for (let i = 0; i < 3000; i++) { b = b.x = {} } this.deep = a",
        "eval('('.repeat(100000) + ')'.repeat(100000))",
    ],
)
def test_a_script_goes_only_so_deep(script: str) -> None:
    with pytest.raises(ScriptFailed, match="call stack"):
        ran(script)


def test_a_script_has_so_much_output() -> None:
    with pytest.raises(ScriptFailed, match="65536 characters"):
        ran("for (let i = 0; i < 100; i++) { output('x'.repeat(1000)) }")


async def test_a_script_that_takes_long_without_steps_is_ended(processes: ScriptProcesses) -> None:
    with pytest.raises(ScriptFailed, match=r"more than 0\.5 s and was ended"):
        await processes.run(task(LONG_MULTIPLICATION))
    assert isinstance(await processes.run(task("this.n = 2")), Ran)


async def test_one_long_script_does_not_keep_others_waiting(processes: ScriptProcesses) -> None:
    await processes.run(task("this.n = 2"))
    async with asyncio.TaskGroup() as tasks:
        long = tasks.create_task(failure(processes, LONG_MULTIPLICATION))
        for _ in range(10):
            assert isinstance(await processes.run(task("this.n = 2")), Ran)
        assert not long.done()
    assert "was ended" in long.result()


async def failure(processes: ScriptProcesses, script: str) -> str:
    """What a script that fails is told."""
    with pytest.raises(ScriptFailed) as caught:
        await processes.run(task(script))
    return str(caught.value)


async def test_a_script_given_up_leaves_a_new_process(processes: ScriptProcesses) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await processes.run(task(LONG_MULTIPLICATION))
    found = await processes.run(task("this.n = 2"))
    assert isinstance(found, Ran) and found.document["n"] == 2


async def test_a_script_makes_only_so_many_values(processes: ScriptProcesses) -> None:
    hollow = "let a = Array(1000).fill([]); this.list = Array(300).fill(a)"
    with pytest.raises(ScriptFailed, match=r"over 250000 of '\['"):
        await processes.run(task(hollow))
    commas = await processes.run(task("this.text = ',[{:'.repeat(600000)"))
    assert isinstance(commas, Ran), "what is text is no value"


async def test_a_nul_is_no_part_of_a_script(processes: ScriptProcesses) -> None:
    with pytest.raises(ScriptFailed, match="NUL"):
        await processes.run(task("this.n = 2;\0 this.n = 3"))


async def test_the_process_of_scripts_can_open_nothing() -> None:
    """What confines it is asked of the process itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from quoth_node.scripting.child import confine; confine(); open('/dev/null')",
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    _, told = await process.communicate()
    assert process.returncode != 0 and b"Too many open files" in told


async def test_a_process_that_was_ended_by_others_is_replaced(processes: ScriptProcesses) -> None:
    pids = set()
    for _ in range(3):
        assert isinstance(await processes.run(task("this.n = 2")), Ran)
        (process,) = [idle for idle in processes._idle._queue if idle is not None]  # type: ignore[attr-defined]
        pids.add(process.pid)
        process.kill()
    assert len(pids) == 3
