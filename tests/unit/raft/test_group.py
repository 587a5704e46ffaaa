"""Groups on loopback, in one process: real links, real journals, a plain state machine."""

import asyncio
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from quoth_cluster.errors import (
    CorruptFile,
    MalformedValue,
    MembershipRefused,
    NoAnswer,
    NotAsked,
    NotProposed,
    NotReadable,
    TooLarge,
)
from quoth_cluster.log import Change, Member, MembershipChange, Vote
from quoth_cluster.raft import cycle, reconfiguration
from quoth_cluster.raft.door import Role
from quoth_cluster.raft.entry import COMMAND_BYTES_MAX, pack_membership
from quoth_cluster.raft.neighbours import Contact
from quoth_cluster.raft.proposals import PROPOSED_BYTES_MAX
from tests.unit.raft.running import PATIENCE, Running


async def test_a_node_alone_leads_at_once(tmp_path: Path) -> None:
    node = Running("A", tmp_path / "A")
    await node.start()
    async with asyncio.timeout(0.3):
        await node.group.found(node.member)
    assert await node.propose(b"first") == 2, "its own membership was the first command"
    assert node.group.status().role is Role.LEADER
    await node.stop()


async def test_a_node_alone_commits_without_waiting_for_the_next_tick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Running("A", tmp_path / "A")
    await node.start()
    await node.group.found(node.member)
    monkeypatch.setattr(cycle, "TICK_SECONDS", 2 * PATIENCE)
    for number in range(5):
        await node.propose(b"%d" % number)
    await node.stop()


async def test_what_is_committed_does_not_wait_for_what_is_written_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is written after it, whose sync hangs, is not applied."""
    node = Running("A", tmp_path / "A")
    await node.start()
    await node.group.found(node.member)
    await node.propose(b"before")
    loop, later = asyncio.get_running_loop(), list[asyncio.Task[int]]()
    hangs, go = asyncio.Event(), threading.Event()
    sync, proposed = node.journal.sync, threading.Event()

    def propose_later() -> None:
        later.append(asyncio.create_task(node.propose(b"later")))
        loop.call_soon(proposed.set)  # behind the first step of that task

    def sync_slowly() -> None:
        if not later and node.journal.read(node.journal.last_index).content.endswith(b"first"):
            loop.call_soon_threadsafe(propose_later)
            assert proposed.wait(PATIENCE)
        elif later and not hangs.is_set():
            loop.call_soon_threadsafe(hangs.set)
            assert go.wait(PATIENCE)
        sync()

    monkeypatch.setattr(node.journal, "sync", sync_slowly)
    await asyncio.wait_for(node.propose(b"first"), PATIENCE)
    await asyncio.wait_for(hangs.wait(), PATIENCE)
    assert node.machine.commands[-1] == b"first" and not later[0].done()
    go.set()
    assert await later[0]
    assert node.machine.commands[-1] == b"later"
    await node.stop()


async def test_every_node_takes_proposals_and_reads_them_back(trio: list[Running]) -> None:
    for node in trio:
        await node.propose(b"by " + node.tag.encode())
        for other in trio:
            await other.group.current(timeout_seconds=PATIENCE)
            assert other.machine.commands[-1] == b"by " + node.tag.encode()


async def test_many_at_once_are_each_applied_once_in_one_order(trio: list[Running]) -> None:
    commands = [b"%d" % number for number in range(600)]
    async with asyncio.TaskGroup() as tasks:
        for at, command in enumerate(commands):
            tasks.create_task(trio[at % 3].propose(command))
    for node in trio:
        await node.group.current(timeout_seconds=PATIENCE)
    assert sorted(trio[0].machine.commands) == sorted(commands)
    assert trio[0].machine.commands == trio[1].machine.commands == trio[2].machine.commands


async def test_a_follower_that_asks_a_dead_leader_hears_what_became_of_it(
    trio: list[Running],
) -> None:
    leader, follower, _ = trio
    before = [asyncio.create_task(follower.propose(b"%d" % number)) for number in range(50)]
    await asyncio.sleep(0)
    await leader.stop()
    indexes = await asyncio.gather(*before)
    assert len(set(indexes)) == 50, "each was applied once, by one leader or the next"
    assert sorted(set(follower.machine.commands)) == sorted(follower.machine.commands)


async def test_a_node_that_comes_back_has_everything(trio: list[Running]) -> None:
    await trio[2].stop()
    for number in range(20):
        await trio[0].propose(b"%d" % number)
    await trio[2].start()
    await trio[2].group.current(timeout_seconds=PATIENCE)
    assert trio[2].machine.commands == trio[0].machine.commands


async def test_replicas_are_counted_when_they_have_applied(trio: list[Running]) -> None:
    await trio[0].propose(b"x")
    log_index = trio[0].group.status().applied_index
    count = trio[1].group.wait_for_replicas
    assert await count(log_index, 2, timeout_seconds=PATIENCE) == 2
    await trio[2].stop()
    await trio[0].propose(b"y")
    log_index = trio[0].group.status().applied_index
    assert await count(log_index, 2, timeout_seconds=0.5) == 1, "and how far it came is told"


async def test_without_a_quorum_nothing_is_promised(trio: list[Running]) -> None:
    for node in trio[:2]:
        await node.stop()
    alone = trio[2].group
    with pytest.raises(NotReadable):
        await alone.current(timeout_seconds=0.7)
    with pytest.raises(NotProposed):
        await alone.propose(b"lonely", timeout_seconds=2.0)


async def test_a_leader_that_is_removed_hands_over(trio: list[Running]) -> None:
    status = trio[1].group.status()
    leader = next(node for node in trio if node.tag == status.leader)
    others = [node for node in trio if node is not leader]
    remove = MembershipChange(Change.REMOVE, leader.member)
    await others[0].group.change_membership(remove, timeout_seconds=PATIENCE)
    await others[0].propose(b"without you")
    assert {member.tag for member in others[1].group.status().members} == {
        node.tag for node in others
    }
    while leader.group.removal() is None:
        await leader.group.link_news(seconds=0.1)
    assert "was removed" in (leader.group.removal() or "")
    back = MembershipChange(Change.ADD, leader.promotable)
    with pytest.raises(MembershipRefused, match="wipe its folder"):
        await others[0].group.change_membership(back, timeout_seconds=PATIENCE)


async def test_what_is_proposed_while_a_leader_holds_it_enters_the_log_afterwards(
    tmp_path: Path,
) -> None:
    alone = Running("A", tmp_path / "A")
    await alone.start()
    await alone.group.found(alone.member)
    with alone.group._cycle.holding_proposals():
        proposed = asyncio.create_task(alone.propose(b"later"))
        before = alone.journal.last_index
        for _ in range(5):  # turns of the cycle
            await alone.group._cycle.run_inside(lambda: None)
        assert alone.journal.last_index == before and len(alone.group._proposals) == 1
    assert await proposed > 0
    await alone.stop()


async def test_changes_that_make_no_sense_are_refused(
    trio: list[Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconfiguration, "LINK_SECONDS_MAX", 0.5)
    group = trio[1].group

    async def refused(change: Change, member: Member) -> str:
        with pytest.raises(MembershipRefused) as caught:
            await group.change_membership(
                MembershipChange(change, member), timeout_seconds=PATIENCE
            )
        return str(caught.value)

    assert "is a member already" in await refused(Change.ADD, trio[2].promotable)
    assert "votes already" in await refused(Change.PROMOTE, trio[2].member)
    assert "not a member" in await refused(Change.REMOVE, Member("Z", "http://z", "z:1"))
    nobody = Member("D", "http://127.0.0.1:9", "127.0.0.1:9", Vote.PROMOTABLE)
    hasty = replace(nobody, vote=Vote.MEMBER)
    assert "before it has caught up" in await refused(Change.ADD, hasty)
    assert "cannot be reached" in await refused(Change.ADD, nobody)
    assert len(group.status().members) == 3, "and the cluster is as it was"


async def test_a_command_over_the_limit_never_leaves(trio: list[Running]) -> None:
    with pytest.raises(TooLarge):
        await trio[0].group.propose(bytes(PROPOSED_BYTES_MAX + 1), timeout_seconds=1.0)


async def test_a_large_command_arrives(trio: list[Running]) -> None:
    command = bytes(20 * 1024 * 1024)
    await trio[1].propose(command)
    await trio[2].group.current(timeout_seconds=PATIENCE)
    assert trio[2].machine.commands[-1] == command


async def test_a_watcher_receives_everything_and_counts_for_nothing(
    trio: list[Running], tmp_path: Path
) -> None:
    known = [Contact(other.tag, other.member.peer_address) for other in trio]
    watcher = Running("W", tmp_path / "W", known)
    await watcher.start()
    add = MembershipChange(Change.ADD, replace(watcher.member, vote=Vote.WATCHER))
    await trio[0].group.change_membership(add, timeout_seconds=PATIENCE)
    await watcher.group.until_promoted()
    await watcher.propose(b"from the watcher")
    await watcher.group.current(timeout_seconds=PATIENCE)
    assert watcher.machine.commands[-1] == b"from the watcher"
    for node in trio[1:]:
        await node.stop()
    with pytest.raises(NotReadable):
        await trio[0].group.current(timeout_seconds=0.7)
    for node in trio[1:]:
        await node.start()
    await trio[0].propose(b"again")
    promote = MembershipChange(Change.PROMOTE, watcher.member)
    await trio[0].group.change_membership(promote, timeout_seconds=PATIENCE)
    while trio[0].group.members()["W"].vote is not Vote.MEMBER:
        await trio[0].group.link_news(seconds=0.05)
    await trio[0].propose(b"four voters")
    await watcher.stop()


async def test_a_node_that_is_gone_does_not_become_a_voter_by_what_it_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds all of a quiet log, and a cluster of one would wait for it to commit anything."""
    alone, newcomer = Running("A", tmp_path / "A"), Running("B", tmp_path / "B")
    for node in (alone, newcomer):
        await node.start()
    await alone.group.found(alone.member)
    monkeypatch.setattr(reconfiguration, "CAUGHT_UP_SLOTS", -100)  # nobody is promoted by itself
    add = MembershipChange(Change.ADD, newcomer.promotable)
    await alone.group.change_membership(add, timeout_seconds=PATIENCE)
    while alone.group.engine.match_index("B") < alone.journal.last_index:
        await alone.group._cycle.news(seconds=0.01)
    await newcomer.stop()
    while alone.group.links.is_up("B"):
        await alone.group.link_news(seconds=0.1)
    monkeypatch.undo()
    promotion = MembershipChange(Change.PROMOTE, newcomer.member)
    with pytest.raises(MembershipRefused, match="node B cannot be reached"):
        await alone.group.change_membership(promotion, timeout_seconds=PATIENCE)
    await alone.propose(b"still a cluster of one")
    await newcomer.start()
    await newcomer.group.until_promoted()
    await newcomer.propose(b"two")
    for node in (alone, newcomer):
        await node.stop()


async def test_a_node_that_was_away_follows_a_leader_that_has_moved_meanwhile(
    trio: list[Running], tmp_path: Path
) -> None:
    """Its log names the former place of that tag: who answers there does not hear what it lacks."""
    known = [Contact(other.tag, other.member.peer_address) for other in trio]
    watcher, moved = Running("W", tmp_path / "W", known), Running("C", tmp_path / "C2", known[:2])
    await watcher.start()
    add = MembershipChange(Change.ADD, replace(watcher.member, vote=Vote.WATCHER))
    await trio[0].group.change_membership(add, timeout_seconds=PATIENCE)
    await watcher.group.until_promoted()
    await watcher.stop()
    removal = MembershipChange(Change.REMOVE, trio[2].member)
    await trio[2].stop()
    await trio[0].group.change_membership(removal, timeout_seconds=PATIENCE)
    await moved.start()
    back = MembershipChange(Change.ADD, moved.promotable)
    await trio[0].group.change_membership(back, timeout_seconds=PATIENCE)
    await moved.group.until_promoted()
    while not moved.group.engine.is_leader:
        for node in trio[:2]:  # of which one leads
            await node.group._cycle.run_inside(partial(node.group.engine.hand_over, "C"))
        await moved.group._cycle.news(seconds=0.5)
    await moved.propose(b"from a new place")
    await watcher.start()
    await watcher.group.current(timeout_seconds=PATIENCE)
    assert watcher.machine.commands[-1] == b"from a new place"
    for node in (watcher, moved):
        await node.stop()


async def test_a_node_that_catches_up_has_the_very_slots_of_the_others(
    trio: list[Running], tmp_path: Path
) -> None:
    """Several changes of one node in one append were once all stored as the last of them."""
    for change in (Change.DEMOTE, Change.PROMOTE):
        founder = MembershipChange(change, trio[0].member)
        await trio[1].group.change_membership(founder, timeout_seconds=PATIENCE)
    await trio[0].group.until_promoted()
    fourth = Running("D", tmp_path / "D", [Contact(n.tag, n.member.peer_address) for n in trio])
    await fourth.start()
    add = MembershipChange(Change.ADD, fourth.promotable)
    await trio[0].group.change_membership(add, timeout_seconds=PATIENCE)
    await fourth.group.until_promoted()
    for log_index in range(2, fourth.journal.last_index + 1):
        assert trio[0].journal.read(log_index) == fourth.journal.read(log_index)
    await fourth.stop()


async def test_a_change_that_would_lose_the_quorum_is_refused(trio: list[Running]) -> None:
    leader = next(node for node in trio if node.tag == trio[0].group.status().leader)
    first, second = (node for node in trio if node is not leader)
    await first.stop()
    while leader.group.links.is_up(first.tag):
        await leader.group.link_news(seconds=0.1)
    with pytest.raises(MembershipRefused, match="there is no quorum"):
        await leader.group.change_membership(
            MembershipChange(Change.REMOVE, second.member), timeout_seconds=PATIENCE
        )
    await leader.propose(b"as it was")


async def test_a_member_that_is_demoted_does_not_stand_for_election(trio: list[Running]) -> None:
    leader = next(node for node in trio if node.tag == trio[0].group.status().leader)
    others = [node for node in trio if node is not leader]
    demote = MembershipChange(Change.DEMOTE, leader.member)
    await others[0].group.change_membership(demote, timeout_seconds=PATIENCE)
    await others[0].propose(b"two voters")
    await leader.group.current(timeout_seconds=PATIENCE)
    assert leader.machine.commands[-1] == b"two voters", "it still receives everything"
    assert leader.group.status().role is Role.FOLLOWER
    for node in others:
        await node.stop()
    with pytest.raises(NotProposed):
        await leader.group.propose(b"alone", timeout_seconds=2.0)


async def test_nodes_ask_each_other_what_the_log_knows_nothing_of(tmp_path: Path) -> None:
    a = Running("A", tmp_path / "A")
    await a.start()
    await a.group.found(a.member)
    b = Running("B", tmp_path / "B", [Contact("A", a.member.peer_address)])
    await b.start()
    change = MembershipChange(Change.ADD, b.promotable)
    await a.group.change_membership(change, timeout_seconds=PATIENCE)
    await b.group.until_promoted()

    async def shout(body: bytes) -> bytes:
        return body.upper()

    async def stumble(body: bytes) -> bytes:
        raise ValueError(body.decode())

    async def think_for_ever(_: bytes) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    for node in (a, b):
        node.group.answer("shout", shout)
        node.group.answer("stumble", stumble)
        node.group.answer("think", think_for_ever)
    for asker in (a, b):
        ask = asker.group.ask
        assert await ask("B", "shout", b"hello", timeout_seconds=PATIENCE) == b"HELLO"
        with pytest.raises(NoAnswer, match="ValueError: over a stone"):
            await ask("B", "stumble", b"over a stone", timeout_seconds=PATIENCE)
        with pytest.raises(NoAnswer):
            await ask("B", "think", b"", timeout_seconds=0.05)
        with pytest.raises(NotAsked, match="no questions on sums"):
            await ask("B", "sums", b"1+1", timeout_seconds=PATIENCE)
        with pytest.raises(TooLarge):
            await ask("B", "shout", bytes(COMMAND_BYTES_MAX + 1), timeout_seconds=PATIENCE)
    await b.stop()
    with pytest.raises((NotAsked, NoAnswer)):
        await a.group.ask("B", "shout", b"hello", timeout_seconds=0.5)
    await a.stop()


@pytest.mark.parametrize("question", ["read_index", "applied", "membership", "snapshot", "topic"])
async def test_a_malformed_question_harms_nobody(tmp_path: Path, question: str) -> None:
    a = Running("A", tmp_path / "A")
    await a.start()
    await a.group.found(a.member)
    removal = pack_membership(MembershipChange(Change.REMOVE, replace(a.member, tag="C")))
    junk: list[object] = [None, "x", b"", b"\x02", [1], {"a": 1}, float("nan"), -1, 2**63, True]
    names = ["seconds", "log_index", "content", "topic", "body", "step", "chunk", "offset"]
    for number, value in enumerate(junk):
        for name in names:
            rest = {**dict.fromkeys(names, 1), "content": removal, name: value}
            body = {"type": "ask", "question": question, "number": number, **rest}
            a.group._questions.on_ask("B", body)
        a.group._questions.on_ask("B", {"type": "ask", "question": question, "number": value})
        await asyncio.sleep(0)
        await a.propose(b"it goes on")
    assert not a.task.done()
    await a.stop()


async def test_an_answer_that_meets_a_damaged_state_ends_its_node(tmp_path: Path) -> None:
    a = Running("A", tmp_path / "A")
    await a.start()
    await a.group.found(a.member)

    async def read_what_is_damaged(_: bytes) -> bytes:
        raise CorruptFile("the state is damaged")

    async def read_what_is_malformed(_: bytes) -> bytes:
        raise MalformedValue("the question is no msgpack")

    a.group.answer("damaged", read_what_is_damaged)
    a.group.answer("malformed", read_what_is_malformed)
    with pytest.raises(NoAnswer, match="no msgpack"):
        await a.group.ask("A", "malformed", b"", timeout_seconds=PATIENCE)
    await a.propose(b"it goes on")
    with pytest.raises(NoAnswer, match="damaged"):
        await a.group.ask("A", "damaged", b"", timeout_seconds=PATIENCE)
    with pytest.raises(ExceptionGroup):
        async with asyncio.timeout(PATIENCE):
            await a.task
    await a.stop()
