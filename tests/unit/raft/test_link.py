"""Links: in order, never twice, and nothing from a stranger."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator

import msgpack
import pytest

from quoth_cluster.raft import frame, link
from quoth_cluster.raft.frame import FRAME_BYTES_MAX, OPENING_BYTES_MAX
from quoth_cluster.raft.link import EPOCH_MAX, Identity
from quoth_cluster.raft.link_ends import UNHEARD_MS
from tests.unit.raft.ends import Bare, End, running, until

SOON_SECONDS = 10.0
NUMBER = bytes(msgpack.packb({"n": 7}))


@pytest.fixture
async def node() -> AsyncIterator[End]:
    """Node A; it knows that node R was removed."""
    end = End("A", removed=("R",))
    async with running(end):
        yield end


@pytest.fixture
async def peer(node: End) -> AsyncIterator[Bare]:
    """A connection of node B to A that was opened and has said 1."""
    bare = await Bare.connect(node)
    assert await bare.introduce() == {"ok": True, "incarnation": b"A"}
    bare.say_number(1)
    await until(lambda: node.numbers() == [1], "it was not heard")
    yield bare
    bare.close()


async def test_messages_arrive_whole_and_in_order() -> None:
    a, b = End("A"), End("B")
    async with running(a, b):
        a.open(b)
        await a.is_up("B")
        bodies = [bytes(n % 251 for n in range(size)) for size in (0, 1, 100, 70_000, 300_000)]
        for number in range(500):
            assert a.links.send("B", {"n": number, "body": bodies[number % 5]})
            if number % 50 == 0:
                await asyncio.sleep(0)
        await until(lambda: len(b.heard) == 500, "not all arrived")
        assert b.numbers() == list(range(500))
        assert all(
            tag == "A" and message["body"] == bodies[message["n"] % 100 % 5]
            for tag, message in b.heard
        )
        assert a.links.queued_bytes("B") == 0


async def test_nothing_is_sent_twice_and_nothing_changes_its_order() -> None:
    """The receiver goes and comes back, again and again, while the sender goes on."""
    a, lives = End("A"), [End("B") for _ in range(6)]

    async def send_on() -> None:
        for number in itertools.count():
            a.links.send("B", {"n": number})
            if number % 20 == 0:
                await asyncio.sleep(0.001)

    async with running(a), asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(send_on())
        for life in lives:
            life.port = lives[0].port
            async with running(life):
                a.open(life)
                await until(lambda life=life: len(life.heard) > 200, "nothing came")  # type: ignore[misc]
        sending.cancel()
    heard = [number for life in lives for number in life.numbers()]
    assert heard == sorted(set(heard)), "twice, or out of order"
    assert [is_up for _, is_up in a.changes] == [True, False] * len(lives)


async def test_a_link_comes_back_when_the_peer_does() -> None:
    a, b = End("A"), End("B")
    async with running(a):
        async with running(b):
            a.open(b)
            await a.is_up("B")
        await until(lambda: not a.links.is_up("B"), "nobody is there")
        assert not a.links.send("B", {"n": 1}), "it surely will not leave"
        again = End("B")
        again.port = b.port
        async with running(again):
            await a.is_up("B")
            assert a.links.send("B", {"n": 2})
            await until(lambda: again.numbers() == [2], "it was not heard")


async def test_a_connection_that_nothing_gets_through_ends() -> None:
    """TCP tries again after ever longer times, so it would find out late that a cut is over."""
    a, b = End("A"), End("B")
    async with running(a, b):
        a.open(b)
        await a.is_up("B")
        writer = a.links._peers["B"].writer
        assert writer is not None
        connected = writer.get_extra_info("socket")
        waits_ms = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        assert waits_ms == UNHEARD_MS


async def test_what_waits_for_a_peer_has_a_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Over it the connection starts anew; what waited is lost, and said to be."""
    monkeypatch.setattr(link, "QUEUE_BYTES_MAX", 1_000_000)
    a, b = End("A"), End("B")
    async with running(a, b):
        a.open(b)
        await a.is_up("B")
        b.has_room.clear()  # it stops reading: buffers of the system fill first
        taken = 0
        async with asyncio.timeout(SOON_SECONDS):
            while a.links.send("B", {"n": taken, "body": bytes(100_000)}):
                taken += 1
                await asyncio.sleep(0)
        assert not a.links.is_up("B") and a.links.queued_bytes("B") == 0
        assert a.links.trouble("B") == "too much was waiting"
        b.has_room.set()
        await a.is_up("B")
        assert a.changes == [("B", True), ("B", False), ("B", True)]
        assert a.links.send("B", {"n": taken})
        await until(lambda: taken in b.numbers(), "the new connection is silent")
        heard = b.numbers()
        assert heard == sorted(set(heard))


async def test_a_slow_receiver_slows_its_sender(node: End, peer: Bare) -> None:
    node.has_room.clear()
    peer.writer.transport.set_write_buffer_limits(high=0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2.0):
            for _ in range(1_000):
                peer.say(bytes(msgpack.packb({"n": 2, "body": bytes(1_000_000)})))
                await peer.writer.drain()
    node.has_room.set()
    await until(lambda: len(node.heard) > 1, "it was not read on")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"v": 1}, "link version 1 is not known"),
        ({"v": None}, "link version None"),
        ({"cluster": "other"}, "this is another cluster"),
        ({"group": "other"}, "this is another group"),
        ({"to": "C"}, "this is node A"),
        ({"from": "R"}, "node R was removed"),
        ({"from": "A"}, "malformed"),
        ({"from": 7}, "malformed"),
        ({"from": None}, "malformed"),
        ({"incarnation": None}, "malformed"),
        ({"incarnation": bytes(65)}, "malformed"),
        ({"epoch": "7"}, "malformed"),
        ({"epoch": 0}, "out of range"),
        ({"epoch": EPOCH_MAX + 1}, "out of range"),
    ],
)
async def test_who_does_not_belong_here_is_told_so(
    node: End, changes: dict[str, object], said: str
) -> None:
    bare = await Bare.connect(node)
    answer = await bare.introduce(**changes)
    assert said in answer["refused"]
    assert await bare.is_over()
    assert node.heard == []


@pytest.mark.parametrize(
    "first",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x00\x00\x00\x05nope!",
        b"\x00\x00\x00\x01\x91",
        b"\x00\x00\x00\x01\xc1",
        b"\x00\x00\x00\x01\x07",
        b"\x00\x00\x00\x00",
        b"\x00\x00\x00\x05\xdf\xff\xff\xff\xff",
        b"\x00\x00\x00\x03\x81\xa1\xff",
        (OPENING_BYTES_MAX + 1).to_bytes(4, "big") + bytes(OPENING_BYTES_MAX + 1),
        b"\xff\xff\xff\xff",
    ],
)
async def test_what_is_no_opening_ends_the_connection(node: End, first: bytes) -> None:
    bare = await Bare.connect(node)
    bare.writer.write(first)
    assert await bare.is_over()


async def test_a_slow_opening_is_not_waited_for(node: End, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "OPENING_SECONDS", 0.3)
    silent, slow = await Bare.connect(node), await Bare.connect(node)
    opening = frame.pack_opening({"v": 2, "cluster": "cluster"})

    async def drip() -> None:
        for at in range(len(opening)):
            slow.writer.write(opening[at : at + 1])
            await asyncio.sleep(0.1)

    async with asyncio.TaskGroup() as tasks:
        dripping = tasks.create_task(drip())
        async with asyncio.timeout(2.0):
            assert await silent.is_over() and await slow.is_over()
        dripping.cancel()


def head(cluster: str = "cluster", group: str = "main", tag: str = "B") -> bytes:
    return Identity(cluster, group, tag).head()


async def test_a_frame_at_the_limit_is_heard(node: End, peer: Bare) -> None:
    around = len(msgpack.packb({"n": 2, "body": b""}) + bytes(3))  # a long body has a longer mark
    peer.say(bytes(msgpack.packb({"n": 2, "body": bytes(FRAME_BYTES_MAX - around)})))
    await until(lambda: node.numbers() == [1, 2], "it was not heard")


@pytest.mark.parametrize(
    "sent",
    [
        (len(head()) + FRAME_BYTES_MAX + 1).to_bytes(4, "big"),
        b"\xff\xff\xff\xff" + head(),
        frame.length_of(NUMBER) + NUMBER,
        b"\x00\x00\x00\x00",
        frame.length_of(head()) + head(),
        frame.length_of(head(), b"\x91") + head() + b"\x91",
        frame.length_of(head(), b"\xc1") + head() + b"\xc1",
        frame.length_of(head(), b"\x92\x01\x02") + head() + b"\x92\x01\x02",
        frame.length_of(head(), NUMBER, b"\x00") + head() + NUMBER + b"\x00",
        frame.length_of(head(), b"\x81\x07\x07") + head() + b"\x81\x07\x07",
        frame.length_of(head(), b"\x91" * 5_000) + head() + b"\x91" * 5_000,
        frame.length_of(head(cluster="other"), NUMBER) + head(cluster="other") + NUMBER,
        frame.length_of(head(group="other"), NUMBER) + head(group="other") + NUMBER,
        frame.length_of(head(tag="C"), NUMBER) + head(tag="C") + NUMBER,
    ],
    ids=[
        *("one byte over", "far over", "no head", "empty", "no message", "cut", "no msgpack"),
        *("no map", "more than one value", "a key of another type", "too deep"),
        *("another cluster", "another group", "another sender"),
    ],
)
async def test_what_is_no_frame_of_this_link_ends_it(node: End, peer: Bare, sent: bytes) -> None:
    peer.writer.write(sent)
    peer.say_number(2)
    assert await peer.is_over()
    assert node.numbers() == [1], "nothing behind it is heard"


async def test_a_newer_connection_replaces_an_older_one(node: End, peer: Bare) -> None:
    newer = await Bare.connect(node)
    assert await newer.introduce(epoch=5_001) == {"ok": True, "incarnation": b"A"}
    assert await peer.is_over()
    newer.say_number(2)
    await until(lambda: node.numbers() == [1, 2], "the newer one was not heard")


async def test_what_waited_on_an_older_connection_is_not_heard_after_a_newer_one(
    node: End, peer: Bare
) -> None:
    node.has_room.clear()
    peer.say_number(2)
    peer.say_number(3)
    await until(lambda: node.begun == 2, "the second is not on its way")
    newer = await Bare.connect(node)
    assert await newer.introduce(epoch=5_001) == {"ok": True, "incarnation": b"A"}
    newer.say_number(4)
    await until(lambda: node.begun == 3, "the fourth is not on its way")
    node.has_room.set()
    assert await peer.is_over()
    await until(lambda: node.numbers() == [1, 2, 4], "heard in another order")
    newer.close()


@pytest.mark.parametrize("epoch", [5_000, 4_999])
async def test_an_older_connection_does_not_replace_a_newer_one(
    node: End, peer: Bare, epoch: int
) -> None:
    older = await Bare.connect(node)
    answer = await older.introduce(epoch=epoch)
    assert answer == {"refused": "a newer connection of node B is here", "epoch": 5_000}
    older.say_number(2)
    assert await older.is_over()
    peer.say_number(3)
    await until(lambda: node.numbers() == [1, 3], "the newer one was not heard")


async def test_a_node_whose_clock_went_back_gets_past_its_former_life(
    node: End, peer: Bare
) -> None:
    """The former one's connection still stands here: its machine lost power, say."""
    again = End("B", epoch=100)
    async with running(again):
        again.open(node)
        await again.is_up("A")
        assert await peer.is_over()
        assert again.links.send("A", {"n": 2})
        await until(lambda: node.numbers() == [1, 2], "it was not heard")


async def test_a_closed_peer_is_heard_no_more(node: End, peer: Bare) -> None:
    node.links.close("B")
    peer.say_number(2)
    assert await peer.is_over()
    assert node.numbers() == [1]


async def test_who_was_removed_hears_why(node: End) -> None:
    removed = End("R")
    async with running(removed):
        removed.open(node)
        assert "node R was removed" in await removed.trouble("A", "removed")
