"""What a batch writes and returns is counted while it is evaluated: too much writes nothing."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quoth_cluster.errors import TooLarge
from quoth_cluster.machine import Machine
from quoth_cluster.raft.entry import COMMAND_BYTES_MAX
from quoth_node.patching import (
    JsonPatchDocument,
    PatchBatch,
    PatchDocuments,
    PatchesSaved,
    PatchTarget,
    Script,
    budget,
)
from tests.unit.patching.ground import Ground

TEXT = "y" * 1_000
NOTHING = b'[{"op":"add","path":"/z","value":1},{"op":"remove","path":"/z"}]'


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    machine = Machine.open(tmp_path, map_bytes=2**28)
    standing = Ground(machine)
    await standing.create()
    await standing.put("users/1", text=TEXT)
    yield standing
    machine.close()


def returning(operations: bytes = NOTHING) -> JsonPatchDocument:
    return JsonPatchDocument("users/1", operations, returns_document=True)


def adding(name: str) -> JsonPatchDocument:
    return JsonPatchDocument("users/1", b'[{"op":"add","path":"/%b","value":1}]' % name.encode())


def test_what_may_be_returned_fits_an_answer_between_nodes() -> None:
    assert budget.WRITTEN_BYTES_MAX == COMMAND_BYTES_MAX
    assert budget.RETURNED_BYTES_MAX < budget.RETURNED_ALONE_BYTES_MAX < COMMAND_BYTES_MAX


@pytest.mark.parametrize("operations", [NOTHING, b'[{"op":"add","path":"/z","value":1}]'])
async def test_a_batch_that_returns_too_much_writes_nothing_and_says_so(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, operations: bytes
) -> None:
    monkeypatch.setattr(budget, "RETURNED_BYTES_MAX", 5_500)
    proposals = ground.log.proposals
    assert isinstance(await ground.save(*[returning()] * 5), PatchesSaved)
    with pytest.raises(TooLarge, match="return are over 5500 bytes; nothing was written"):
        await ground.save(*[returning(operations)] * 100)
    assert ground.log.proposals == proposals
    assert ground.load("users/1") == {"text": TEXT}


async def test_a_patch_by_itself_may_return_the_largest_document(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "RETURNED_BYTES_MAX", 500)
    alone = PatchBatch("db", (returning(),), 5_000, is_alone=True)
    assert isinstance(await ground.patches.save(alone), PatchesSaved)
    monkeypatch.setattr(budget, "RETURNED_ALONE_BYTES_MAX", 1_500)
    with pytest.raises(TooLarge, match="return are over 1500 bytes"):
        # A test returns the document before and after.
        await ground.patches.save(
            PatchBatch("db", (returning(),), 5_000, is_alone=True, is_test=True)
        )


async def test_a_batch_that_writes_too_much_is_not_evaluated_to_its_end(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "WRITTEN_BYTES_MAX", 3_500)
    proposals = ground.log.proposals
    with pytest.raises(TooLarge, match="writes are over 3500 bytes; nothing was written"):
        await ground.save(*[adding(f"n{number}") for number in range(100)])
    many = PatchDocuments(
        tuple(PatchTarget("users/1") for _ in range(100)),
        Script("this.n = (this.n ?? 0) + 1", b"{}"),
    )
    with pytest.raises(TooLarge, match="writes are over 3500 bytes"):
        await ground.save(many)
    assert (ground.scripts.runs, ground.log.proposals) == (4, proposals)
    with pytest.raises(TooLarge, match="writes are over 3500 bytes"):
        await ground.patch("users/1", "for (const n of [1, 2, 3, 4]) put('a/' + n, this)")
