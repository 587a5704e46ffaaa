"""Ids that the server makes end with the separator of the very state that is patched."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from quoth_cluster.commands import (
    ChangeDatabase,
    DeleteDocument,
    PutClientConfiguration,
    PutDocument,
)
from quoth_cluster.machine import Machine
from quoth_cluster.outcomes import DocumentPut
from quoth_node.patching import Patched, PatchesSaved, PatchStatus
from tests.unit.patching.ground import METADATA, Ground, patch


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    machine = Machine.open(tmp_path, map_bytes=2**28)
    standing = Ground(machine)
    await standing.create()
    yield standing
    machine.close()


def configuration(separator: str) -> bytes:
    return orjson.dumps({"IdentityPartsSeparator": separator})


def put(document_id: str) -> PutDocument:
    return PutDocument(document_id, b'{"new":1}', METADATA, "Users")


async def separate(ground: Ground, separator: str) -> None:
    """Let a separator be that of the database."""
    await ground.apply(ChangeDatabase("db", client=configuration(separator)))


async def saved(ground: Ground, document_id: str) -> PatchesSaved:
    """Put a document and patch it in one batch."""
    answer = await ground.save(put(document_id), patch(document_id, "this.patched = 1"))
    assert isinstance(answer, PatchesSaved), answer
    return answer


async def test_what_is_no_separator_any_more_ends_the_id_of_a_document(ground: Ground) -> None:
    await separate(ground, ":")
    await saved(ground, "users/")
    assert ground.load("users/") == {"new": 1, "patched": 1}


async def test_a_document_whose_id_is_made_is_not_seen_by_its_own_batch(ground: Ground) -> None:
    await ground.apply(PutClientConfiguration(configuration(":")))
    made, missing = (await saved(ground, "users:")).results
    assert isinstance(made, DocumentPut) and made.document_id == f"users:{1:019}-A"
    assert isinstance(missing, Patched) and missing.status == PatchStatus.MISSING
    assert ground.load(made.document_id) == {"new": 1}
    assert ground.load("users:") is None


async def test_a_script_is_told_the_id_that_its_document_gets(ground: Ground) -> None:
    await separate(ground, ":")
    await ground.put("users/1")
    await ground.patch("users/1", "this.made = put('logs:', {}); this.own = put('logs/', {a: 1})")
    made = f"logs:{2:019}-A"
    assert ground.load("users/1") == {"made": made, "own": "logs/"}
    assert (ground.load(made), ground.load("logs/")) == ({}, {"a": 1})


@pytest.mark.parametrize("by_script", [False, True])
async def test_a_batch_is_computed_again_if_another_separator_was_faster(
    ground: Ground, by_script: bool
) -> None:
    await ground.put("users/1")
    ground.log.hold = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        if by_script:
            late = tasks.create_task(ground.patch("users/1", "this.made = put('logs:', {})"))
        else:
            late = tasks.create_task(ground.save(put("logs:"), patch("logs:", "this.patched = 1")))
        await ground.log.held.wait()
        await separate(ground, ":")
        hold, ground.log.hold = ground.log.hold, None
        hold.set()
    assert isinstance(late.result(), PatchesSaved)
    made = f"logs:{2:019}-A"
    assert ground.load("logs:") is None
    assert ground.load(made) == ({} if by_script else {"new": 1})
    assert ground.load(f"logs:{3:019}-A") is None, "made once"
    assert ground.load("users/1") == ({"made": made} if by_script else {})


async def test_a_batch_that_makes_no_id_does_not_rest_on_the_separator(ground: Ground) -> None:
    await ground.put("users/1")
    ground.log.hold = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(
            ground.save(put("users/2"), DeleteDocument("a/"), patch("users/1", "this.n = 1"))
        )
        await ground.log.held.wait()
        await separate(ground, ":")
        hold, ground.log.hold = ground.log.hold, None
        hold.set()
    assert ground.scripts.runs == 1
    assert ground.load("users/1") == {"n": 1}
