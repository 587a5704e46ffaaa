"""Three nodes for each story."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quoth_cluster.log import Change, MembershipChange
from quoth_cluster.raft.neighbours import Contact
from tests.unit.raft.running import PATIENCE, Running


@pytest.fixture
async def trio(tmp_path: Path) -> AsyncIterator[list[Running]]:
    first = Running("A", tmp_path / "A")
    await first.start()
    await first.group.found(first.member)
    nodes = [first]
    for tag in "BC":
        known = [Contact(other.tag, other.member.peer_address) for other in nodes]
        node = Running(tag, tmp_path / tag, known)
        await node.start()
        add = MembershipChange(Change.ADD, node.promotable)
        await first.group.change_membership(add, timeout_seconds=PATIENCE)
        await node.group.until_promoted()
        nodes.append(node)
    yield nodes
    for node in nodes:
        if not node.task.done():
            await node.stop()
