"""Each planted bug differs from the real thing, on the real code: else no harness could find it.

Every story is told twice, without the bug and with it.
"""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from quoth_cluster.commands import NextIdentity, PutCompareExchange
from quoth_cluster.errors import ClusterError, FateUnknown, NotProposed, NotReadable
from quoth_cluster.log import Change, LogEntry, MembershipChange
from quoth_cluster.machine import Machine
from quoth_cluster.outcomes import IdentityValue, Refused
from quoth_cluster.raft.disk import RealFile
from quoth_cluster.raft.entry import COMMANDS, Slot
from quoth_cluster.raft.journal import SEGMENT_BYTES, Journal
from quoth_cluster.raft.neighbours import Contact
from quoth_node.http.budget import Budget
from quoth_node.http.loading import Wanted, load_all
from quoth_node.testing.bugs import BUGS, BY_NAME, NAMES, plant
from tests.unit.raft.running import PATIENCE, Running
from tests.unit.state.numbering import numbered, values
from tests.unit.state.story import MAP_BYTES, TRANSACTION_ID, Story, put, transaction


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    """A new folder for each telling."""

    def every() -> Iterator[Path]:
        number = 0
        while True:
            (folder := tmp_path / str(number)).mkdir()
            yield folder
            number += 1

    return every()


# -- names


def test_an_unknown_bug_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no planted bug is called 'typo'"):
        plant("typo")


def test_every_bug_says_what_is_wrong_and_who_finds_it() -> None:
    assert len(set(NAMES)) == len(BUGS) >= 12
    for bug in BUGS:
        assert bug.wrong and bug.workloads and bug.checker, bug.name


@pytest.mark.parametrize("name", NAMES)
def test_a_bug_ends_with_its_block(name: str) -> None:
    before = [getattr(target, attribute) for target, attribute, _ in BY_NAME[name].swaps()]
    with BY_NAME[name].planted():
        during = [getattr(target, attribute) for target, attribute, _ in BY_NAME[name].swaps()]
    after = [getattr(target, attribute) for target, attribute, _ in BY_NAME[name].swaps()]
    assert before == after
    assert all(one is not other for one, other in zip(before, during, strict=True))


def test_a_bug_stays_in_the_process_where_it_is_planted() -> None:
    code = (
        "from quoth_node.testing.bugs import plant\n"
        "from quoth_cluster import round\n"
        "plant('request-id-forgotten')\n"
        "print(round.answered(None, None, lambda: 'carried out'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "carried out\n"


# -- the log


def unsynced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many of ten slots the journal calls durable without having asked the disk."""
    journal = Journal.open(folder, segment_bytes=SEGMENT_BYTES, new_incarnation=bytes(16))
    asked: list[int] = []
    sync = RealFile.sync

    def counted(file: RealFile) -> None:
        asked.append(1)
        sync(file)

    monkeypatch.setattr(RealFile, "sync", counted)
    without = 0
    for number in range(10):
        journal.append(Slot(journal.last_index + 1, 1, bytes([COMMANDS, number])))
        before = len(asked)
        journal.sync()
        without += journal.synced_index == journal.last_index and len(asked) == before
    journal.close()
    monkeypatch.undo()
    return without


def test_ack_before_fsync(folders: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    assert unsynced(next(folders), monkeypatch) == 0
    with BY_NAME["ack-before-fsync"].planted():
        assert unsynced(next(folders), monkeypatch) >= 8


async def two(folder: Path) -> tuple[Running, Running]:
    """A leader and its only follower."""
    leader = Running("A", folder / "A")
    await leader.start()
    await leader.group.found(leader.member)
    follower = Running("B", folder / "B", [Contact("A", leader.member.peer_address)])
    await follower.start()
    add = MembershipChange(Change.ADD, follower.promotable)
    await leader.group.change_membership(add, timeout_seconds=PATIENCE)
    await follower.group.until_promoted()
    await leader.group.current(timeout_seconds=PATIENCE)
    return leader, follower


@asynccontextmanager
async def lonely_leader(folder: Path) -> AsyncIterator[Running]:
    """A leader of two, whose follower is gone: it can agree with nobody."""
    leader, follower = await two(folder)
    await follower.stop()
    try:
        yield leader
    finally:
        await leader.stop()


async def told_of(leader: Running, *, seconds: float) -> str:
    try:
        await leader.group.propose(b"command", timeout_seconds=seconds)
    except ClusterError as error:
        return type(error).__name__
    return "done"


async def test_acknowledged_by_minority(folders: Iterator[Path]) -> None:
    async with lonely_leader(next(folders)) as leader:
        assert await told_of(leader, seconds=0.3) == FateUnknown.__name__
    with BY_NAME["acknowledged-by-minority"].planted():
        async with lonely_leader(next(folders)) as leader:
            assert await told_of(leader, seconds=0.3) == "done"


async def test_unknown_told_failed(folders: Iterator[Path]) -> None:
    async with lonely_leader(next(folders)) as leader:
        assert await told_of(leader, seconds=0.3) == FateUnknown.__name__
    with BY_NAME["unknown-told-failed"].planted():
        async with lonely_leader(next(folders)) as leader:
            assert await told_of(leader, seconds=0.3) == NotProposed.__name__


async def times_applied(trio: list[Running]) -> int:
    """How often a command is in the log whose leader was lost just after it took it."""
    _, follower, other = trio
    hands_in = follower.group.links.send
    leader = follower.group.engine.leader

    def hand_in_and_lose(tag: str, message: dict[str, object]) -> bool:
        sent = hands_in(tag, message)
        if message["type"] == "propose" and tag == leader:
            asyncio.get_running_loop().call_soon(follower.group._on_link, tag, False)
            follower.group.links.send = hands_in  # type: ignore[method-assign]
        return sent

    follower.group.links.send = hand_in_and_lose  # type: ignore[method-assign]
    await follower.propose(b"once")
    await follower.propose(b"end")
    await other.group.current(timeout_seconds=PATIENCE)
    return other.machine.commands.count(b"once")


async def test_a_lost_leader_is_asked_once(trio: list[Running]) -> None:
    assert await times_applied(trio) == 1


async def test_proposed_again(trio: list[Running]) -> None:
    with BY_NAME["proposed-again"].planted():
        assert await times_applied(trio) == 2


async def test_replicas_counted_unapplied(folders: Iterator[Path]) -> None:
    async with lonely_leader(next(folders)) as leader:
        group = leader.group
        assert await group.wait_for_replicas(99, 1, timeout_seconds=0.1) == 0
        with BY_NAME["replicas-counted-unapplied"].planted():
            assert await group.wait_for_replicas(99, 1, timeout_seconds=0.1) == 1


# -- reads


async def may_read(node: Running) -> bool:
    try:
        await node.group.current(timeout_seconds=0.5)
    except NotReadable:
        return False
    return True


@pytest.mark.parametrize("name", ["read-without-read-index", "read-without-quorum"])
async def test_reads_without_a_majority(folders: Iterator[Path], name: str) -> None:
    async with lonely_leader(next(folders)) as leader:
        assert not await may_read(leader)
    with BY_NAME[name].planted():
        async with lonely_leader(next(folders)) as leader:
            assert await may_read(leader)


async def test_follower_reads_stale_page(trio: list[Running]) -> None:
    leader, follower, _ = trio
    await follower.group.current(timeout_seconds=PATIENCE)

    async def reads_what_is_not_here() -> bool:
        async def ahead(*, seconds: float) -> int:
            return follower.group.applied_index + 1

        follower.group._read_index.ask = ahead  # type: ignore[method-assign]
        return await may_read(follower)

    assert leader.group.engine.is_leader
    assert not await reads_what_is_not_here()
    del follower.group._read_index.ask
    with BY_NAME["follower-reads-stale-page"].planted():
        await follower.group.current(timeout_seconds=PATIENCE)
        assert await reads_what_is_not_here()


async def test_session_not_waited(trio: list[Running]) -> None:
    group = trio[1].group
    assert not await group.wait_for_command(99, timeout_seconds=0.05)
    with BY_NAME["session-not-waited"].planted():
        assert await group.wait_for_command(99, timeout_seconds=0.05)


def loaded_together(folder: Path) -> list[bytes]:
    """Two documents of one request; both are changed while it goes from one to the other."""
    story = Story(folder / "state")
    story.save(put("one", body=b'{"v":1}'), put("other", body=b'{"v":1}'))
    wanted = Wanted(ids=Changing(story), paths=(), keys=(), metadata_only=False, cluster_wide=False)
    database = story.machine.database("db")
    assert database is not None
    with database.read() as txn:
        loaded = load_all(txn, wanted, TRANSACTION_ID, Budget(2**20, "ask for less"))
    story.machine.close()
    return [found.json[:7] for found in loaded.results if found is not None]


class Changing(tuple[str, ...]):
    """Two ids; after the first the documents change."""

    story: Story

    def __new__(cls, story: Story) -> "Changing":
        self = super().__new__(cls, ("one", "other"))
        self.story = story
        return self

    def __iter__(self) -> Iterator[str]:
        yield "one"
        self.story.save(put("one", body=b'{"v":2}'), put("other", body=b'{"v":2}'))
        yield "other"


def test_snapshot_of_request_fractured(folders: Iterator[Path]) -> None:
    assert loaded_together(next(folders)) == [b'{"v":1,', b'{"v":1,']
    with BY_NAME["snapshot-of-request-fractured"].planted():
        assert loaded_together(next(folders)) == [b'{"v":1,', b'{"v":2,']


# -- the state


def identity_values(story: Story, count: int) -> list[int]:
    told = [story.run(NextIdentity("db", "orders|", None)) for _ in range(count)]
    return [one.value for one in told if isinstance(one, IdentityValue)]


def restarted(story: Story) -> None:
    """Killed and started again: what the group's position does not promise is replayed."""
    story.machine.close()
    story.machine = Machine.open(story.folder, map_bytes=MAP_BYTES)
    behind = story.machine.position.log_index
    entries: list[LogEntry] = [entry for entry in story.log if entry.log_index > behind]
    if entries:
        story.machine.apply(entries)


def next_after_restart(folder: Path) -> int:
    story = Story(folder / "state")
    assert identity_values(story, 5) == [1, 2, 3, 4, 5]
    restarted(story)
    (value,) = identity_values(story, 1)
    story.machine.close()
    return value


def test_applied_twice_after_restart(folders: Iterator[Path]) -> None:
    assert next_after_restart(next(folders)) == 6
    with BY_NAME["applied-twice-after-restart"].planted():
        assert next_after_restart(next(folders)) == 11


def test_a_state_that_is_applied_twice_starts_again_and_again(folders: Iterator[Path]) -> None:
    """The node errs; it must not be unable to start."""
    with BY_NAME["applied-twice-after-restart"].planted():
        story = Story(next(folders) / "state")
        for number in range(3):
            story.run(transaction(put("a"), PutCompareExchange("k", 0, b"{}")))
            story.save(put("b"), put("users/"))
            story.run(numbered(f"orders/{number}"))
            restarted(story)
        story.machine.close()


def test_identity_from_memory(folders: Iterator[Path]) -> None:
    assert next_after_restart(next(folders)) == 6
    memory = BY_NAME["identity-from-memory"]
    with memory.planted():
        story = Story(next(folders) / "state")
        assert identity_values(story, 5) == [1, 2, 3, 4, 5]
    with memory.planted():  # as another process does: with no memory yet
        restarted(story)
        assert identity_values(story, 2) == [2, 3]
        story.machine.close()


def test_guard_not_checked(folders: Iterator[Path]) -> None:
    def second_of_two(folder: Path) -> object:
        story = Story(folder / "state")
        story.agree(put("a"), PutCompareExchange("k", 0, b'{"Object":1}'))
        told = story.agree(put("a"), PutCompareExchange("k", 0, b'{"Object":2}'))
        story.machine.close()
        return told

    assert isinstance(second_of_two(next(folders)), Refused)
    with BY_NAME["guard-not-checked"].planted():
        assert not isinstance(second_of_two(next(folders)), Refused)


def numbers_taken_together(folder: Path) -> list[int]:
    story = Story(folder / "state")
    story.run(numbered("orders/0"))
    told = story.run_all(*(numbered(f"orders/{number}") for number in range(1, 4)))
    alone = story.run(numbered("orders/4"))
    story.machine.close()
    return [value for outcome in (*told, alone) for value in values(outcome)]


def test_sequence_number_reused(folders: Iterator[Path]) -> None:
    assert numbers_taken_together(next(folders)) == [2, 3, 4, 5]
    with BY_NAME["sequence-number-reused"].planted():
        assert numbers_taken_together(next(folders)) == [2, 2, 2, 3]


def numbers_of_one_request(folder: Path) -> list[int]:
    story = Story(folder / "state")
    told = [story.run(NextIdentity("db", "orders|", "request")) for _ in range(2)]
    story.machine.close()
    return [one.value for one in told if isinstance(one, IdentityValue)]


def test_request_id_forgotten(folders: Iterator[Path]) -> None:
    assert numbers_of_one_request(next(folders)) == [1, 1]
    with BY_NAME["request-id-forgotten"].planted():
        assert numbers_of_one_request(next(folders)) == [1, 2]


def torn_pairs(folder: Path, *, agreed: bool) -> int:
    """How often two documents that are always saved together differ, of 16 saves."""
    story = Story(folder / "state")
    torn = 0
    for number in range(16):
        pair = [put(name, body=b'{"v":%d}' % number) for name in ("one", "other")]
        told = story.run(transaction(*pair, guards=False)) if agreed else story.save(*pair)
        assert not isinstance(told, Refused)
        bodies = {document and document.body for document in map(story.load, ("one", "other"))}
        torn += len(bodies) > 1
    story.machine.close()
    return torn


@pytest.mark.parametrize("agreed", [False, True])
def test_torn_batch(folders: Iterator[Path], agreed: bool) -> None:
    assert torn_pairs(next(folders), agreed=agreed) == 0
    with BY_NAME["torn-batch"].planted():
        assert torn_pairs(next(folders), agreed=agreed) == 2
