"""A node that the log does not reach any more is given the state itself."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import google_crc32c
import pytest

from quoth_cluster.errors import MalformedValue, NoCopy
from quoth_cluster.log import Change, LogEntry, MembershipChange, Stepped
from quoth_cluster.raft import applier, snapshot, snapshot_store
from quoth_cluster.raft.group import RaftGroup
from quoth_cluster.raft.journal import Journal, Mark
from quoth_cluster.raft.neighbours import Contact
from quoth_cluster.raft.rules import FIRST_INDEX
from quoth_cluster.raft.snapshot import Snapshots, adopt
from quoth_cluster.raft.snapshot_store import Manifest, SnapshotFile, SnapshotStore
from tests.unit.raft.running import PATIENCE, Running
from tests.unit.raft.test_journal import slot


@pytest.fixture
async def short_memory(
    trio: list[Running], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[list[Running]]:
    """Three nodes that keep next to nothing of their logs."""
    monkeypatch.setattr(applier, "CHECKPOINT_SECONDS", 0.05)
    for node in trio:
        await node.stop()
        node.segment_bytes, node.log_keep_slots = 2_000, 20
        await node.start()
    await trio[0].propose(b"settled")
    yield trio


async def write_until_trimmed(nodes: list[Running], beyond: int) -> None:
    """Propose until every log of `nodes` begins behind `beyond`."""
    number = 0
    while min(node.journal.base_index for node in nodes) <= beyond:
        number += 1
        await nodes[0].propose(b"filling %d " % number + b"." * 100)
        assert number < 20_000, "the log is never trimmed"


def journal_bytes(node: Running) -> int:
    """Of its files, but for those that are removed just now."""
    total = 0
    for path in (node.folder / "journal").iterdir():
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


async def settled(nodes: list[Running]) -> None:
    for node in nodes:
        await node.group.current(timeout_seconds=PATIENCE)
    assert all(node.machine.commands == nodes[0].machine.commands for node in nodes)


async def test_the_log_does_not_grow_for_ever(short_memory: list[Running]) -> None:
    await write_until_trimmed(short_memory, 200)
    files = len(list((short_memory[0].folder / "journal").iterdir()))
    assert files < 30
    for node in short_memory:
        await node.stop()
        await node.start()
    await short_memory[1].propose(b"after a restart of all, with logs that begin late")
    await settled(short_memory)


async def test_a_log_of_large_commands_is_let_go_of_by_its_bytes(
    trio: list[Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applier, "CHECKPOINT_SECONDS", 0.05)
    for node in trio:
        await node.stop()
        node.segment_bytes, node.log_keep_bytes = 50_000, 400_000
        await node.start()
    for number in range(200):
        await trio[0].propose(b"%d " % number + b"." * 10_000)
    await write_until_trimmed(trio, 100)
    async with asyncio.timeout(PATIENCE):  # two megabytes were written
        while any(journal_bytes(node) >= 800_000 for node in trio):
            await trio[0].propose(b"another turn")
    await settled(trio)


async def test_a_node_long_away_is_given_the_state(short_memory: list[Running]) -> None:
    *others, away = short_memory
    last = away.group.status().applied_index
    await away.stop()
    await write_until_trimmed(others, last + 50)
    await away.start()
    await settled([*others, away])
    assert away.journal.base_index > last, "it did not come by the log"
    await away.propose(b"and goes on")
    await away.stop()
    await away.start()
    await settled([*others, away])


async def test_the_copy_that_was_given_away_does_not_stay_on_the_disk(
    short_memory: list[Running],
) -> None:
    *others, away = short_memory
    last = away.group.status().applied_index
    await away.stop()
    await write_until_trimmed(others, last + 50)
    await away.start()
    await settled([*others, away])
    await write_until_trimmed(others, others[0].group.status().last_log_index)
    copies = [node.folder / "snapshots" / "outgoing" for node in others]
    async with asyncio.timeout(PATIENCE):
        while any(copy.exists() for copy in copies):
            await others[0].propose(b"another turn")


async def test_a_new_node_is_given_the_state_and_votes(
    short_memory: list[Running], tmp_path: Path
) -> None:
    await write_until_trimmed(short_memory, 100)
    contacts = [Contact(node.tag, node.member.peer_address) for node in short_memory]
    fourth = Running("D", tmp_path / "D", contacts)
    await fourth.start()
    add = MembershipChange(Change.ADD, fourth.promotable)
    await short_memory[0].group.change_membership(add, timeout_seconds=PATIENCE)
    await fourth.group.until_promoted()
    await settled([*short_memory, fourth])
    assert set(fourth.group.members()) == set("ABCD")
    assert fourth.group.status().members_command_index > 0
    await fourth.stop()


@asynccontextmanager
async def joining(nodes: list[Running], tag: str, folder: Path) -> AsyncIterator[Running]:
    """A new node, until it votes."""
    contacts = [Contact(node.tag, node.member.peer_address) for node in nodes]
    new = Running(tag, folder / tag, contacts)
    await new.start()
    add = MembershipChange(Change.ADD, new.promotable)
    await nodes[0].group.change_membership(add, timeout_seconds=PATIENCE)
    await new.group.until_promoted()
    yield new
    await new.stop()


async def forgetful(nodes: list[Running], *, slots: int) -> None:
    """Start them again: they keep so many slots, but for whole files, and those are large."""
    for node in nodes:
        await node.stop()
        node.log_keep_slots = slots
        await node.start()
    await nodes[0].propose(b"settled")


async def write(nodes: list[Running], count: int) -> None:
    for number in range(count):
        await nodes[0].propose(b"filling %d" % number)


async def test_a_new_node_is_given_the_state_though_the_log_is_whole_but_long(
    trio: list[Running], tmp_path: Path
) -> None:
    await forgetful(trio, slots=50)
    await write(trio, 30)
    async with joining(trio, "D", tmp_path) as fourth:
        await settled([*trio, fourth])
        assert fourth.journal.base_index == FIRST_INDEX, "what is short it reads itself"
        await write(trio, 60)
        async with joining([*trio, fourth], "E", tmp_path) as fifth:
            await settled([*trio, fourth, fifth])
            assert fifth.journal.base_index > 60, "it did not come by the log"
            assert trio[0].journal.base_index == FIRST_INDEX, "which is there from the beginning"


async def test_a_copy_is_made_anew_once_it_is_old_and_nobody_reads_it(
    trio: list[Running], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await forgetful(trio, slots=50)
    await write(trio, 60)
    async with joining(trio, "D", tmp_path) as fourth:
        given = fourth.journal.base_index
        await write(trio, 60)
        async with joining([*trio, fourth], "E", tmp_path) as fifth:
            assert fifth.journal.base_index == given, "a broken transfer would need it yet"
        monkeypatch.setattr(snapshot, "REST_SECONDS", 0.0)
        async with joining([*trio, fourth], "F", tmp_path) as sixth:  # the last one that it serves
            assert sixth.journal.base_index == given
        copies = [node.folder / "snapshots" / "outgoing" for node in trio]
        async with asyncio.timeout(PATIENCE):
            while any(copy.exists() for copy in copies):
                await trio[0].propose(b"another turn")
        async with joining([*trio, fourth], "G", tmp_path) as seventh:
            assert seventh.journal.base_index > given + 50


async def test_two_that_are_behind_are_served_once_the_disk_has_room_again(
    short_memory: list[Running], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write_until_trimmed(short_memory, 100)
    take, refused = SnapshotStore.take, 0

    def take_when_there_is_room(self: SnapshotStore, *args: Any, **named: Any) -> Manifest:
        nonlocal refused
        if refused < 2:
            refused += 1
            self.forget_outgoing()
            raise NoCopy("no space is left")
        return take(self, *args, **named)

    async with joining(short_memory, "D", tmp_path) as fourth:  # leaves a copy
        await write_until_trimmed(short_memory, short_memory[0].group.status().last_log_index)
        monkeypatch.setattr(SnapshotStore, "take", take_when_there_is_room)
        monkeypatch.setattr(snapshot, "NO_COPY_SECONDS", 0.2)
        await fourth.stop()
        last = short_memory[0].group.status().last_log_index
        await write_until_trimmed(short_memory, last + 50)
        async with joining(short_memory, "E", tmp_path) as fifth:
            await fourth.start()
            await settled([*short_memory, fourth, fifth])
    assert refused == 2


async def test_the_leader_goes_on_while_it_gives_its_state_away(
    short_memory: list[Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    *others, away = short_memory
    await away.stop()
    await write_until_trimmed(others, 200)
    monkeypatch.setattr(snapshot_store, "CHUNK_BYTES", 64)
    await away.start()
    written = 0
    while away.journal.base_index < 200:
        await others[0].propose(b"meanwhile %d" % written)
        written += 1
    assert written > 5, "many small chunks, and proposals between them"
    await settled([*others, away])


async def test_a_chunk_that_is_damaged_on_its_way_is_sent_again(
    short_memory: list[Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    *others, away = short_memory
    await away.stop()
    await write_until_trimmed(others, 100)
    monkeypatch.setattr(snapshot_store, "CHUNK_BYTES", 512)
    answer, damaged = Snapshots.on_message, 0

    async def hear_badly(self: Snapshots, message: dict[str, Any]) -> dict[str, Any]:
        nonlocal damaged
        if message["step"] == "chunk" and damaged < 5:
            damaged += 1
            message = {**message, "data": b"?" + message["data"][1:]}
        return await answer(self, message)

    monkeypatch.setattr(Snapshots, "on_message", hear_badly)
    await away.start()
    await settled([*others, away])
    assert damaged == 5


def manifest(*files: SnapshotFile, log_index: int = 40) -> Manifest:
    return Manifest("name", log_index, 3, ((2, b"\x4d"),), files)


FILE = SnapshotFile("group/data", 10, 0)


def test_a_manifest_says_again_what_it_said() -> None:
    assert Manifest.unpack(manifest(FILE).pack()) == manifest(FILE)


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../b", ""])
def test_a_manifest_cannot_lead_out_of_its_folder(path: str) -> None:
    with pytest.raises(MalformedValue):
        Manifest.unpack(manifest(SnapshotFile(path, 1, 0)).pack())


def test_only_whole_files_pass(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path / "snapshots")
    store.open()
    whole = SnapshotFile("group/data", 10, google_crc32c.value(b"0123456789"))
    assert store.begin(manifest(whole)) == [0]
    store.write(whole, 0, b"01234")
    assert store.begin(manifest(whole)) == [5], "it goes on where it was"
    store.write(whole, 5, b"56789")
    assert store.verify(manifest(whole)) is None
    store.write(whole, 9, b"x")
    assert store.verify(manifest(whole)) is not None
    assert store.begin(manifest(whole)) == [0], "and then it begins anew"


def test_another_snapshot_does_not_go_on_where_the_first_was(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path / "snapshots")
    store.open()
    store.begin(manifest(FILE))
    store.write(FILE, 0, b"01234")
    assert store.begin(manifest(FILE, log_index=41)) == [0]


def test_an_install_that_a_crash_interrupted_is_told_at_the_next_start(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path / "snapshots")
    assert store.open() is None
    store.begin(manifest(FILE))
    store.start_installing(manifest(FILE))
    again = SnapshotStore(tmp_path / "snapshots")
    assert again.open() == manifest(FILE)
    again.installed()
    assert SnapshotStore(tmp_path / "snapshots").open() is None


def test_a_log_that_holds_the_slot_of_the_snapshot_keeps_what_is_behind_it(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "journal")
    for log_index in range(2, 61):
        journal.append(slot(log_index, term=3))
    journal.sync()
    adopt(journal, manifest())
    assert (journal.base_index, journal.last_index) == (1, 60)
    adopt(journal, Manifest("name", 50, 4, (), ()))
    assert (journal.base, journal.last_index) == (Mark(50, 4), 50), "another history is dropped"
    adopt(journal, Manifest("name", 50, 4, (), ()))
    assert journal.last_index == 50, "and doing it twice is doing it once"


async def test_the_log_is_kept_while_a_snapshot_is_made(
    short_memory: list[Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    *others, away = short_memory
    await away.stop()
    await write_until_trimmed(others, 100)
    copy = RaftGroup.freeze_and_copy
    bases: list[tuple[int, int]] = []
    is_done = asyncio.Event()

    async def copy_slowly(self: RaftGroup, store: SnapshotStore, name: str) -> Manifest:
        made = await copy(self, store, name)
        while not is_done.is_set() and self._machine.position.log_index < made.log_index + 60:
            await others[0].propose(b"meanwhile " + b"." * 100)
        bases.append((self._journal.base_index, made.log_index))
        is_done.set()
        return made

    monkeypatch.setattr(RaftGroup, "freeze_and_copy", copy_slowly)
    await away.start()
    await is_done.wait()
    await settled([*others, away])
    assert all(base <= made for base, made in bases), "the log goes on where it ends"


async def test_a_snapshot_gives_way_to_a_log_that_is_applied_meanwhile(
    trio: list[Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    leader, follower = trio[0], trio[2]
    await settled(trio)
    last = follower.group.status().applied_index
    may_apply = threading.Event()
    apply = follower.machine.apply
    installs: list[Path] = []

    def apply_late(entries: Sequence[LogEntry]) -> list[tuple[Stepped, ...]]:
        assert may_apply.wait(PATIENCE)
        return apply(entries)

    monkeypatch.setattr(follower.machine, "apply", apply_late)
    monkeypatch.setattr(follower.machine, "install", installs.append)
    await leader.propose(b"committed, and not applied by the follower")
    while follower.group.engine.commit_index <= last:
        await leader.propose(b"so that it hears of it")
    ahead = Manifest("name", last + 1, follower.journal.term_at(last + 1), (), ())
    store = SnapshotStore(follower.folder / "snapshots")
    store.begin(ahead)
    install = asyncio.create_task(follower.group.install(ahead, store))
    await leader.propose(b"applied later, too")
    may_apply.set()
    await asyncio.wait_for(install, PATIENCE)
    assert not installs and store.open() is None
    await settled(trio)


async def test_a_log_that_holds_the_slot_needs_no_snapshot(
    trio: list[Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    leader = trio[0]
    await leader.propose(b"known")
    here = leader.group.status().applied_index
    monkeypatch.setattr(leader.machine, "install", None)
    monkeypatch.setattr(type(leader.group), "applied_index", here - 1)
    term = leader.journal.term_at(here)
    store = SnapshotStore(leader.folder / "snapshots")
    store.open()
    late = Manifest("late", here, term, (), ())
    await asyncio.wait_for(leader.group.install(late, store), PATIENCE)
    assert leader.group.engine.is_leader, "nor does one that leads meanwhile"
