"""What patches cost here: `python -m tests.unit.patching.measure`."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

import orjson

from quoth_cluster.machine import Machine
from quoth_node.patching import JsonPatchDocument
from quoth_node.patching.json_patch import apply_operations
from quoth_node.scripting import ScriptProcesses
from quoth_node.scripting.engine import Engine
from tests.unit.patching.ground import Ground, patch
from tests.unit.scripting.runs import task

ROUNDS = 300
SCRIPT = "this.n += 1; this.list.push(args.x)"
SMALL = {"n": 1, "name": "x" * 100, "list": []}
LARGE = {"n": 1, "list": [], "items": [{"id": n, "price": n * 1.5} for n in range(2_000)]}


def micros(act: Callable[[], object]) -> float:
    """The median time of `act`, in microseconds."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        act()
        times.append(time.perf_counter() - start)
    return median(times) * 1e6


async def micros_each(act: Callable[[], Awaitable[object]], *, at_once: int = 1) -> float:
    """The time of one `act` among `ROUNDS`, `at_once` of them at a time."""
    start = time.perf_counter()
    for _ in range(ROUNDS // at_once):
        await asyncio.gather(*(act() for _ in range(at_once)))
    return (time.perf_counter() - start) / ROUNDS * 1e6


async def measure() -> None:
    """Print all figures."""
    print(f"an engine                         {micros(Engine):8.0f} us")
    processes = ScriptProcesses()
    for name, document in (("small", SMALL), ("large", LARGE)):
        text = orjson.dumps(document)
        given = task(SCRIPT, document=text, arguments=b'{"x":1}')
        operations = [{"op": "replace", "path": "/n", "value": 2}]
        print(f"-- a {name} document of {len(text)} bytes")

        def run_here(given: bytes = given.to_json()) -> bytes:
            return Engine().run(given)

        def apply(text: bytes = text, operations: object = operations) -> bytes:
            return orjson.dumps(apply_operations(orjson.loads(text), operations))

        print(f"a script with its engine, here    {micros(run_here):8.0f} us")
        print(f"operations of RFC 6902            {micros(apply):8.0f} us")
        for at_once in (1, 16):
            each = await micros_each(lambda given=given: processes.run(given), at_once=at_once)  # type: ignore[misc]
            print(f"a script in a process, {at_once:2} at once {each:8.0f} us")
    await measure_whole(processes)
    await processes.close()


async def measure_whole(processes: ScriptProcesses) -> None:
    """From the question to the applied write, without links and journals."""
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine.open(Path(folder), map_bytes=2**30)
        ground = Ground(machine, scripts=processes)
        await ground.create()
        for number in range(16):
            await ground.put(f"users/{number}", **SMALL)
        numbers = iter(range(10_000_000))

        def by_script() -> Awaitable[object]:
            return ground.patch(f"users/{next(numbers) % 16}", SCRIPT.replace("args.x", "1"))

        def by_operations() -> Awaitable[object]:
            operations = orjson.dumps([{"op": "add", "path": "/n", "value": next(numbers)}])
            return ground.save(JsonPatchDocument(f"users/{next(numbers) % 16}", operations))

        def batch() -> Awaitable[object]:
            return ground.save(*(patch(f"users/{n}", "this.n += 1") for n in range(16)))

        print("-- with the write, its sync included")
        print(f"a patch by script                 {await micros_each(by_script):8.0f} us")
        print(
            f"... 16 at once                    {await micros_each(by_script, at_once=16):8.0f} us"
        )
        print(f"a patch by operations             {await micros_each(by_operations):8.0f} us")
        print(f"16 patches in a batch             {await micros_each(batch):8.0f} us")
        machine.close()


if __name__ == "__main__":
    asyncio.run(measure())
