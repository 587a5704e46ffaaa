"""Patches among other writes: what was computed is saved over what it was computed from, or not."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quoth_cluster.commands import PutDocument
from quoth_cluster.errors import Busy
from quoth_cluster.machine import Machine
from quoth_cluster.outcomes import Refusal, Refused
from quoth_cluster.sequence_commands import NumberPlace, SequenceUse, TakeNumbers
from quoth_node.patching import (
    JavaScriptFailed,
    JsonPatchDocument,
    PatchCommand,
    PatchDocument,
    Patched,
    PatchesSaved,
    PatchStatus,
    Script,
    TrackDocuments,
)
from quoth_node.patching.turns import EVALUATING_MAX, WAITING_MAX, Turns
from quoth_node.scripting import Missing, Ran, ScriptTask
from tests.unit.patching.ground import Ground, ScriptsHere, patch
from tests.unit.state.story import DATABASE_ID


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    machine = Machine.open(tmp_path, map_bytes=2**28)
    standing = Ground(machine)
    await standing.create()
    yield standing
    machine.close()


async def test_a_hot_document_is_patched_by_everybody_once(ground: Ground) -> None:
    await ground.put("users/1", n=0)
    before = ground.log.proposals
    async with asyncio.TaskGroup() as tasks:
        for _ in range(40):
            tasks.create_task(ground.patch("users/1", "this.n += 1"))
    assert ground.load("users/1") == {"n": 40}
    assert ground.log.proposals == before + 40, "nobody was in another's way"
    assert ground.scripts.runs == 40


@pytest.mark.parametrize("script", ["this.n += 1", "this.n = load('users/1').n + 1"])
async def test_a_patch_is_computed_again_if_another_write_was_faster(
    ground: Ground, script: str
) -> None:
    await ground.put("users/1", n=1)
    ground.log.hold = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        late = tasks.create_task(ground.patch("users/1", script))
        await ground.log.held.wait()
        await ground.put("users/1", n=10)
        hold, ground.log.hold = ground.log.hold, None
        hold.set()
    assert isinstance(late.result(), PatchesSaved)
    assert ground.load("users/1") == {"n": 11}


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("this.n = load('users/2').n", {"n": 10}),
        ("this.n = load('users/3') ? 'there' : 'missing'", {"n": "there"}),
        ("this.n = cmpxchg('limit')", {"n": 7}),
    ],
)
async def test_a_patch_is_computed_again_if_what_it_only_read_has_changed(
    ground: Ground, script: str, expected: dict[str, object]
) -> None:
    await ground.put("users/1", n=1)
    await ground.put("users/2", n=2)
    ground.log.hold = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ground.patch("users/1", script))
        await ground.log.held.wait()
        await ground.put("users/2", n=10)
        await ground.put("users/3", n=3)
        await ground.put_value("limit", 7)
        hold, ground.log.hold = ground.log.hold, None
        hold.set()
    assert ground.load("users/1") == expected


async def test_an_id_that_somebody_else_took_meanwhile_is_another_the_second_time(
    ground: Ground,
) -> None:
    await ground.put("users/1")
    ground.log.hold = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ground.patch("users/1", "this.log = put('logs/', {mine: true})"))
        await ground.log.held.wait()
        await ground.put("logs/", mine=False)
        hold, ground.log.hold = ground.log.hold, None
        hold.set()
    ids = [f"logs/{number:019}-A" for number in (2, 3)]
    assert [ground.load(document_id) for document_id in ids] == [{"mine": False}, {"mine": True}]
    assert ground.load("users/1") == {"log": ids[1]}


async def test_a_patch_of_what_never_rests_gives_up_in_time_with_nothing_written(
    ground: Ground,
) -> None:
    await ground.put("users/1", n=0)
    propose = ground.log.propose
    writes = 0

    async def overtaken(command: bytes, *, timeout_seconds: float) -> object:
        nonlocal writes
        writes += 1
        ground.clock.micros += 1_000_000
        ground.log.propose = propose  # type: ignore[method-assign]
        await ground.put("users/1", n=writes)
        ground.log.propose = overtaken  # type: ignore[method-assign, assignment]
        return await propose(command, timeout_seconds=timeout_seconds)

    ground.log.propose = overtaken  # type: ignore[method-assign, assignment]
    with pytest.raises(Busy, match="changed by others as often as it was evaluated"):
        await ground.save(patch("users/1", "this.n = 'mine'"), patience_ms=3_500)
    assert (writes, ground.load("users/1")) == (4, {"n": 4})


@pytest.mark.parametrize("count", [2, 10])
async def test_batches_over_the_same_documents_in_another_order_both_come_through(
    ground: Ground, count: int
) -> None:
    await ground.put("users/a", n=0)
    await ground.put("users/b", n=0)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        for number in range(count):
            names = "ab" if number % 2 else "ba"
            commands = [patch(f"users/{name}", "this.n += 1") for name in names]
            tasks.create_task(ground.save(*commands))
    assert ground.load("users/a") == ground.load("users/b") == {"n": count}


async def test_patches_of_other_documents_do_not_wait(ground: Ground) -> None:
    await ground.put("users/1", n=1)
    await ground.put("users/2", n=1)
    ground.log.hold = hold = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ground.patch("users/1", "this.n += 1"))
        await ground.log.held.wait()
        ground.log.hold = None
        await ground.patch("users/2", "this.n += 1")
        assert (ground.load("users/1"), ground.load("users/2")) == ({"n": 1}, {"n": 2})
        hold.set()


async def test_an_old_state_is_no_reason_to_answer_without_writing(ground: Ground) -> None:
    """The leader learns of what was acknowledged elsewhere when it asks; so it asks."""

    async def caught_up(*, timeout_seconds: float) -> None:
        await ground.put("users/1", n=1)
        await ground.put("users/2", n=2)

    ground.log.current = caught_up  # type: ignore[method-assign]
    saved = await ground.patch("users/1", "this.n += load('users/2').n")
    assert isinstance(saved, PatchesSaved)
    (patched,) = saved.results
    assert isinstance(patched, Patched) and patched.status == "Patched"
    assert ground.load("users/1") == {"n": 3}


async def test_a_database_that_is_gone_is_told_as_that(ground: Ground) -> None:
    refused = await ground.save(patch("users/1", "this.n = 1"), database="gone")
    assert isinstance(refused, Refused) and refused.refusal == Refusal.NO_DATABASE


async def test_only_so_many_wait_for_their_turn() -> None:
    turns = Turns()
    async with asyncio.TaskGroup() as tasks:
        first = asyncio.Event()

        async def hold() -> None:
            async with turns.of([("db", b"a")]):
                await first.wait()

        waiting = [tasks.create_task(hold()) for _ in range(WAITING_MAX)]
        await asyncio.sleep(0)
        with pytest.raises(Busy, match="wait for their turn"):
            async with turns.of([("db", b"b")]):
                pass
        waiting[-1].cancel()
        first.set()
    async with turns.of([("db", b"a"), ("db", b"b"), ("db", b"a")]):
        pass


async def test_a_loop_of_loads_is_broken_off(ground: Ground) -> None:
    await ground.put("users/1")
    with pytest.raises(Exception, match="may load 256 times; load documents by an array"):
        await ground.patch("users/1", "for (let i = 0; i < 999; i++) { load('users/x' + i) }")
    many = "load(Array.from({length: 499}, (_, i) => 'users/x' + i)); this.n = 1"
    assert isinstance(await ground.patch("users/1", many), PatchesSaved)
    with pytest.raises(Exception, match="may load 500 documents"):
        await ground.patch("users/1", many.replace("499", "501"))


class SlowScripts(ScriptsHere):
    """Scripts that all run until they are let go; counts how many run at once."""

    def __init__(self) -> None:
        super().__init__()
        self.may_end = asyncio.Event()
        self.at_once = self.most_at_once = 0

    async def run(self, task: ScriptTask) -> Ran | Missing:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        if self.at_once == EVALUATING_MAX:
            self.may_end.set()
        await self.may_end.wait()
        self.at_once -= 1
        return await super().run(task)


async def test_only_so_many_patches_hold_a_snapshot(tmp_path: Path) -> None:
    machine = Machine.open(tmp_path, map_bytes=2**28)
    scripts = SlowScripts()
    ground = Ground(machine, scripts)
    await ground.create()
    ids = [f"users/{number}" for number in range(EVALUATING_MAX + 20)]
    for document_id in ids:
        await ground.put(document_id, n=1)
    async with asyncio.TaskGroup() as tasks:
        for document_id in ids:
            tasks.create_task(ground.patch(document_id, "this.n += 1"))
    assert all(ground.load(document_id) == {"n": 2} for document_id in ids)
    assert scripts.most_at_once == EVALUATING_MAX
    machine.close()


@pytest.mark.parametrize(
    "script",
    [
        "for (;;);",
        "'x'.repeat(2 ** 29)",
        "load(Array.from({length: 501}, (_, n) => 'users/' + n))",
    ],
)
async def test_a_script_over_a_limit_is_not_run_again(ground: Ground, script: str) -> None:
    await ground.put("users/1", n=1)
    with pytest.raises(JavaScriptFailed, match=r"10000 steps|out of memory|may load 500"):
        await ground.patch("users/1", script)
    assert ground.scripts.runs == 1


async def test_a_script_that_throws_is_run_again_on_a_state_that_is_current(
    ground: Ground,
) -> None:
    await ground.put("users/1", n=1)
    with pytest.raises(JavaScriptFailed, match="not yet"):
        await ground.patch("users/1", "throw 'not yet'")
    assert ground.scripts.runs == 2


NUMBER = (TakeNumbers.of(SequenceUse("s"), 1, [NumberPlace(0, "/Number")]),)


@pytest.mark.parametrize("takings", [(), NUMBER])
async def test_a_request_with_an_id_is_computed_again_too(
    ground: Ground, takings: tuple[TakeNumbers, ...]
) -> None:
    """What was refused only because somebody was faster is not the answer to its id."""
    await ground.put("users/1", n=1)
    ground.log.hold = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        script = patch("users/1", "this.n += 1")
        late = tasks.create_task(ground.save(script, request_id="one", takings=takings))
        await ground.log.held.wait()
        await ground.put("users/1", n=10)
        hold, ground.log.hold = ground.log.hold, None
        hold.set()
    assert isinstance(late.result(), PatchesSaved), late.result()
    assert ground.load("users/1") == {"n": 11, **({"Number": 1} if takings else {})}


@pytest.mark.parametrize(
    "command",
    [
        patch("users/1", "this.state = 'issued'"),
        patch("users/1", "put('logs/1', {}); this.state = 'issued'"),
        JsonPatchDocument("users/1", b'[{"op":"remove","path":"/n"}]'),
    ],
)
async def test_a_patch_that_leaves_nothing_to_do_gets_its_first_numbers_again(
    ground: Ground, command: PatchCommand
) -> None:
    await ground.put("users/1", n=1)
    first = await ground.save(command, request_id="one", takings=NUMBER)
    assert isinstance(first, PatchesSaved) and [one.values for one in first.taken] == [(1,)]
    stands = ground.load("users/1")
    ground.clock.micros += 1
    again = await ground.save(command, request_id="one", takings=NUMBER)
    assert isinstance(again, PatchesSaved), again
    (patched,) = again.results
    assert isinstance(patched, Patched) and patched.status == PatchStatus.PATCHED
    assert (again.taken, again.last_etag, again.collections) == (
        *(first.taken, first.last_etag, first.collections),
    )
    assert patched.change_vector == getattr(first.results[0], "change_vector", "")
    assert ground.load("users/1") == stands


async def test_a_patch_of_what_was_read_gets_its_first_answer_again(ground: Ground) -> None:
    """The document is not the one it expects any more, because it was patched then."""
    await ground.put("users/1", n=1)
    commands = (
        PutDocument("logs/", b"{}", b"{}", "@empty"),
        PatchDocument("users/1", Script("this.n += 1", b"{}"), f"A:1-{DATABASE_ID}"),
        TrackDocuments(()),
    )
    first = await ground.save(*commands, request_id="one")
    assert isinstance(first, PatchesSaved), first
    assert await ground.save(*commands, request_id="one") == first
    assert ground.load("users/1") == {"n": 2}
    other = await ground.save(*commands[1:], request_id="one")
    assert isinstance(other, Refused) and "used before" in other.message
